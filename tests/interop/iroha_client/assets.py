"""Move assets with the unmodified `iroha` package as its examples do; print what it saw as JSON.

usage: assets.py ADDRESS, with the private key of admin@test (hex) on standard input
"""

import json
import sys

from client import TIMEOUT_S, Account
from google.protobuf.timestamp_pb2 import Timestamp
from iroha import IrohaCrypto, IrohaGrpc, primitive_pb2, queries_pb2

ADMIN, USER = "admin@test", "userone@domain"
COIN = "coin#domain"


class Holder(Account):
    """An account that moves assets and reads of them."""

    def send(self, *commands):
        """Send a transaction; return its hash, its creation time and its final status."""
        transaction, told = self.submit(*(self.iroha.command(name, **kw) for name, kw in commands))
        return {
            "hash": IrohaCrypto.hash(transaction).hex(),
            "created_ms": transaction.payload.reduced_payload.created_time,
            "told": told[-2:] if told[-1][0] == "REJECTED" else told[-1:],
        }

    def ask_assets(self, **page):
        """Ask for the own assets; the package itself would make the wrong kind of page."""
        query = self.iroha.query("GetAccountAssets", account_id=self.account_id)
        if page:
            page = queries_pb2.AssetPaginationMeta(**page)
            query.payload.get_account_assets.pagination_meta.CopyFrom(page)
        IrohaCrypto.sign_query(query, self.key)
        response = self.net.send_query(query, timeout=TIMEOUT_S).account_assets_response
        return [[asset.asset_id, asset.balance] for asset in response.account_assets]

    def follow_history(self, name="GetAccountTransactions", **fields):
        """Follow the pages of the own history to their end; return the hashes of each."""
        pages, following = [], None
        while True:
            first = {"first_tx_hash": following} if following else {}
            response = self.ask(name, account_id=self.account_id, **fields, **first)
            page = response.transactions_page_response
            pages.append([IrohaCrypto.hash(each).hex() for each in page.transactions])
            following = page.next_tx_hash
            if not following:
                return {"pages": pages, "total": page.all_transactions_size}


def transfer(source, destination, amount, description=""):
    return (
        "TransferAsset",
        {
            "src_account_id": source,
            "dest_account_id": destination,
            "asset_id": COIN,
            "amount": amount,
            "description": description,
        },
    )


def timestamp(ms):
    time = Timestamp()
    time.FromMilliseconds(ms)
    return time


def main(address, admin_key):
    net = IrohaGrpc(address, timeout=TIMEOUT_S)
    admin = Holder(net, ADMIN, admin_key)
    user = Holder(net, USER, IrohaCrypto.private_key())
    account = {
        "account_name": "userone",
        "domain_id": "domain",
        "public_key": IrohaCrypto.derive_public_key(user.key),
    }
    grant = {"account_id": ADMIN, "permission": primitive_pb2.can_transfer_my_assets}
    sent = [
        admin.send(
            ("CreateDomain", {"domain_id": "domain", "default_role": "user"}),
            ("CreateAsset", {"asset_name": "coin", "domain_id": "domain", "precision": 2}),
        ),
        admin.send(("AddAssetQuantity", {"asset_id": COIN, "amount": "1000.00"})),
        admin.send(("CreateAccount", account)),
        admin.send(transfer(ADMIN, USER, "2.00", "init top up")),
        admin.send(transfer(ADMIN, USER, "0.5")),
        user.send(("GrantPermission", grant)),
        admin.send(transfer(USER, ADMIN, "1")),
        admin.send(transfer(USER, ADMIN, "1000")),
    ]
    info = admin.ask("GetAssetInfo", asset_id=COIN).asset_response.asset
    newest_first = [(queries_pb2.kCreatedTime, queries_pb2.kDescending)]
    found = {
        "sent": sent,
        "info": [info.asset_id, info.domain_id, info.precision],
        "assets": {"admin": admin.ask_assets(page_size=1), "user": user.ask_assets()},
        "own": admin.follow_history(page_size=2),
        "newest_first": admin.follow_history(page_size=2, ordering_sequence=newest_first),
        "in_time": admin.follow_history(
            page_size=2,
            first_tx_time=timestamp(sent[1]["created_ms"]),
            last_tx_time=timestamp(sent[3]["created_ms"]),
        ),
        "in_height": admin.follow_history(page_size=2, first_tx_height=2, last_tx_height=3),
        "of_coin": user.follow_history("GetAccountAssetTransactions", asset_id=COIN, page_size=9),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.stdin.read().strip())
