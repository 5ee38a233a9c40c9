"""A group's signature is an ordinary one: for the ledger, and for the unmodified client of Iroha.

So a threshold key of either kind can be the key of an account.
"""

import json
import subprocess
from pathlib import Path

import pytest
from support.processes import LedgerFolder, NodeProcess
from support.threshold import SHA2, SHA3, new_key_ceremony, shares_of, sign

from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.signatures import KeyAlgorithm
from client_sdk.errors import TransactionFailedError
from client_sdk.frost.keys import KeyShare
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import create_account, set_account_detail
from node.ledger.genesis import ADMIN_ACCOUNT

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-iroha" / "bin" / "python"
SCRIPT = Path(__file__).parent / "iroha_client" / "client.py"
ACCOUNTS = {SHA2: "threshold_sha2@holder", SHA3: "threshold_sha3@holder"}


@pytest.fixture(scope="module", params=[SHA2, SHA3], ids=["sha2", "sha3"])
def shares(request: pytest.FixtureRequest) -> dict[int, KeyShare]:
    return shares_of(new_key_ceremony(2, 3, request.param).run())


def signed(transaction: Transaction, shares: dict[int, KeyShare], *signers: int) -> Transaction:
    signature = sign([shares[i] for i in signers], transaction.payload.SerializeToString())
    result = Transaction()
    result.CopyFrom(transaction)
    result.signatures.append(
        Signature(public_key=shares[1].group.ledger_key, signature=signature.hex())
    )
    return result


def test_an_account_with_a_threshold_key(
    shares: dict[int, KeyShare], ledger_node: NodeProcess, ledger_folder: LedgerFolder
) -> None:
    group = shares[1].group
    account = ACCOUNTS[group.algorithm]
    with (
        LedgerClient(ledger_node.address, ADMIN_ACCOUNT, ledger_folder.admin_key) as admin,
        LedgerClient(ledger_node.address, account, AccountKey.generate()) as client,
    ):
        admin.submit(create_account(account, group.ledger_key))
        for signers in ((1, 2), (1, 3), (2, 3)):
            detail = set_account_detail(account, "signed_by", "_".join(map(str, signers)))
            client.send(signed(client.build_transaction(detail), shares, *signers))
        assert admin.account_detail(account, "signed_by", writer=account) == "2_3"
        changed = signed(client.build_transaction(detail), shares, 1, 2)
        changed.payload.reduced_payload.commands[0].set_account_detail.value = "1"
        with pytest.raises(TransactionFailedError):
            client.send(changed)


def test_the_iroha_client_takes_the_signature(shares: dict[int, KeyShare]) -> None:
    assert PYTHON.exists(), "the Iroha client is not installed: `make test` does it"
    transaction = Transaction()
    reduced = transaction.payload.reduced_payload
    reduced.commands.append(set_account_detail("a@b", "key", "value"))
    reduced.creator_account_id = "a@b"
    reduced.quorum = 1
    good = signed(transaction, shares, 1, 3)
    changed = Transaction.FromString(good.SerializeToString())
    changed.payload.reduced_payload.created_time = 1
    lines = "".join(each.SerializeToString().hex() + "\n" for each in (good, changed))
    done = subprocess.run(
        [str(PYTHON), str(SCRIPT), "verify"],
        input=lines,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    key = shares[1].group.ledger_key
    assert json.loads(done.stdout) == [[key, True], [key, False]]


def test_both_kinds_of_keys_are_tried() -> None:
    assert set(ACCOUNTS) == set(KeyAlgorithm)
