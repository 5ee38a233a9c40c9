"""Which entries of the state a transaction will most likely read, so that they are read together.

Nothing depends on it but speed: the rules read what they need, named here or not.
"""

from collections.abc import Iterator

from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.transactions import creator_of
from chaincode.world_state import account_key, balance_key, detail_count_key, detail_key


def expected_reads(message: Transaction) -> Iterator[bytes]:
    """Yield keys of the state; some may come twice."""
    creator = creator_of(message)
    yield account_key(creator)
    for command in message.payload.reduced_payload.commands:
        match command.WhichOneof("command"):
            case "set_account_detail":
                detail = command.set_account_detail
                yield account_key(detail.account_id)
                yield detail_key(detail.account_id, creator, detail.key)
                yield detail_count_key(detail.account_id, creator)
            case "transfer_asset":
                transfer = command.transfer_asset
                for account_id in (transfer.src_account_id, transfer.dest_account_id):
                    yield account_key(account_id)
                    yield balance_key(account_id, transfer.asset_id)
            case "create_account":
                account = command.create_account
                yield account_key(f"{account.account_name}@{account.domain_id}")
            case _:
                continue
