"""The proof service of a real node: checkpoints for anybody, proofs for accounts."""

import sqlite3
from pathlib import Path

import grpc
import pytest
from support.ledger_stores import WINDOW, opened
from support.processes import LedgerFolder, NodeProcess, make_ledger_folder
from support.torii_gate import Gate

from chaincode.multisignature import PendingBatches
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.proofs_pb2 import (
    CheckpointResponse,
    ProofRequest,
    ProofResponse,
    StateEntry,
)
from chaincode.signatures import KeyAlgorithm
from client_sdk.errors import QueryFailedError
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import set_account_detail
from client_sdk.ledger.proofs import LedgerTrust, check_growth
from client_sdk.ledger.proven_ledger import MemoryCheckpoints, ProvenLedger
from node.errors import StorageError
from node.ledger.commit_notices import CommitNotices
from node.ledger.genesis import ADMIN_ACCOUNT, load_genesis
from node.ledger.health import NodeHealth
from node.ledger.proof_service import ProofService
from node.ledger.statuses import StatusBoard
from node.ledger.torii_parts import ToriiParts

SERVICE = "/tegata.ledger.ProofService/"


def test_an_account_is_read_through_a_proof(
    admin: LedgerClient, ledger_folder: LedgerFolder
) -> None:
    reader = ProvenLedger(admin, admin.ledger_id())
    assert reader.signatories(ADMIN_ACCOUNT) == {ledger_folder.admin_key.public_key}
    admin.submit(set_account_detail(ADMIN_ACCOUNT, "proof_service", "x"))
    assert reader.signatories(ADMIN_ACCOUNT) == admin.signatories(ADMIN_ACCOUNT)


def test_anybody_gets_the_checkpoint_and_its_growth(
    admin: LedgerClient, ledger_node: NodeProcess, ledger_folder: LedgerFolder
) -> None:
    trust = LedgerTrust.from_genesis(
        load_genesis(ledger_folder.path / "genesis.block"), admin.ledger_id()
    )
    first = admin.checkpoint().checkpoint
    admin.submit(set_account_detail(ADMIN_ACCOUNT, "checkpoint", "x"))
    size = trust.verify(first).size
    second = admin.checkpoint(size)
    assert trust.verify(second.checkpoint).size > size
    known = (first, trust.verify(first))
    check_growth(known, (second.checkpoint, trust.verify(second.checkpoint)), second.consistency)
    # No account and no signature are needed.
    answer = Gate(ledger_node.address).channel.unary_unary(SERVICE + "Checkpoint")(b"")
    assert trust.verify(CheckpointResponse.FromString(answer).checkpoint).size > size


def test_bytes_that_are_no_request_are_refused(ledger_node: NodeProcess) -> None:
    channel = Gate(ledger_node.address).channel
    for method in ("Checkpoint", "Prove"):
        with pytest.raises(grpc.RpcError, match="the bytes are not a message of type"):
            channel.unary_unary(SERVICE + method)(b"\xff")


def test_a_request_of_bad_form_is_answered_with_its_fault(admin: LedgerClient) -> None:
    entry = StateEntry(account_id=ADMIN_ACCOUNT, key="colour")
    with pytest.raises(QueryFailedError, match="Only accounts and tg_ records") as caught:
        admin.prove(ProofRequest.Payload(entries=[entry]))
    assert caught.value.reason == "STATELESS_INVALID"


def test_a_request_is_answered_once(
    admin: LedgerClient, ledger_node: NodeProcess, ledger_folder: LedgerFolder
) -> None:
    """As with queries: whoever has seen one on its way does not get the answer again."""
    payload = ProofRequest.Payload(entries=[StateEntry(account_id=ADMIN_ACCOUNT)])
    admin.prove(payload)
    key = ledger_folder.admin_key
    signature = Signature(
        public_key=key.public_key, signature=key.sign(payload.SerializeToString())
    )
    prove = Gate(ledger_node.address).channel.unary_unary(SERVICE + "Prove")
    seen = ProofRequest(payload=payload, signature=signature).SerializeToString()
    answer = ProofResponse.FromString(prove(seen))
    assert answer.error_response.message == "the request was answered before"


@pytest.mark.parametrize("algorithm", list(KeyAlgorithm))
def test_a_restart_and_a_rebuilt_state_go_on_with_the_same_log(
    tmp_path: Path, algorithm: KeyAlgorithm
) -> None:
    folder = make_ledger_folder(tmp_path / "node", algorithm=algorithm)
    kept = MemoryCheckpoints()
    for number in range(2):
        with NodeProcess(folder.path) as process, folder.admin(process.address) as admin:
            admin.submit(set_account_detail(ADMIN_ACCOUNT, "number", str(number)))
            reader = ProvenLedger(admin, admin.ledger_id(), checkpoints=kept)
            assert reader.signatories(ADMIN_ACCOUNT)
        (folder.path / "data" / "state.sqlite").unlink()


def test_a_damaged_log_is_a_storage_error(tmp_path: Path) -> None:
    with opened(make_ledger_folder(tmp_path / "node")) as stores:
        stores.add_details(3)
        with sqlite3.connect(stores.data / "state.sqlite") as connection:
            connection.execute("DELETE FROM log_node WHERE level > 0")
        connection.close()
        parts = ToriiParts(
            engine=stores.engine,
            orderer=None,  # type: ignore[arg-type]
            state=stores.state,
            statuses=StatusBoard(),
            commits=CommitNotices(1),
            pending=PendingBatches(1),
            window=lambda: WINDOW,
            health=lambda: NodeHealth(height=1),
            signer=stores.folder.node_key,
        )
        with pytest.raises(StorageError, match=r"lacks its hash .*; move state\.sqlite away"):
            ProofService(parts).checkpoint(b"", None)  # type: ignore[arg-type]
