"""A real node that runs contracts: through Torii, killed within a block, and replayed."""

import sys
from pathlib import Path

import pytest
from support.contracts import CALLER, VAULT, call_engine, evm_address, service_call, set_engine
from support.processes import LedgerFolder, NodeProcess, make_ledger_folder
from support.small_ledger import create_role

from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import EngineReceipt, RolePermission
from chaincode.protocol.queries_pb2 import GetEngineReceipts, Query
from client_sdk.errors import TransactionFailedError, TransportError
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import append_role
from node.ledger.genesis import ADMIN_ACCOUNT, load_genesis, save_genesis
from node.ledger.stores import drop_state
from node.ledger.verification import verify_chain

DIE = Path(__file__).with_name("die_while_writing.py")
CALLS = (RolePermission.can_call_engine, RolePermission.can_get_my_engine_receipts)


def make_engine_folder(path: Path, *first: Command) -> LedgerFolder:
    """Return the folder of a ledger whose administrator may call contracts."""
    folder = make_ledger_folder(path)
    genesis = load_genesis(path / "genesis.block")
    reduced = genesis.block_v1.payload.transactions[0].payload.reduced_payload
    role = create_role("caller", *CALLS)
    reduced.commands.extend([*first, role, append_role(ADMIN_ACCOUNT, "caller")])
    save_genesis(genesis, path / "genesis.block")
    return folder


def receipts(client: LedgerClient, tx_hash: str) -> list[EngineReceipt]:
    query = Query.Payload(get_engine_receipts=GetEngineReceipts(tx_hash=tx_hash))
    return list(client.find(query).engine_receipts_response.engine_receipts)


def call(data: str, callee: str | None = None) -> Command:
    return call_engine(data, callee, caller=ADMIN_ACCOUNT)


def deploy(client: LedgerClient, bytecode: str) -> str:
    """Deploy a contract through Torii; return its address."""
    (receipt,) = receipts(client, client.submit(call(bytecode)).tx_hash)
    return receipt.contract_address


def test_contracts_through_torii(tmp_path: Path) -> None:
    folder = make_engine_folder(tmp_path / "node", set_engine())
    with NodeProcess(folder.path) as process, folder.admin(process.address) as client:
        vault, caller = (deploy(client, contract.bytecode) for contract in (VAULT, CALLER))
        done = client.submit(call(VAULT.call_data("store", b"n" * 32, 7), vault))
        (stored,) = receipts(client, done.tx_hash)
        assert (stored.caller, stored.call_result.callee) == (ADMIN_ACCOUNT, vault)
        assert [log.address for log in stored.logs] == [vault.lower()] * 2
        assert stored.logs[0].data == evm_address(ADMIN_ACCOUNT).rjust(64, "0")

        payload = service_call("setAccountDetail", ADMIN_ACCOUNT, "from_a_contract", "yes")
        client.submit(call(CALLER.call_data("run", payload), caller))
        written = client.account_detail(ADMIN_ACCOUNT, "from_a_contract", writer=ADMIN_ACCOUNT)
        assert written == "yes"

        for function in ("fail", "spin"):
            with pytest.raises(TransactionFailedError) as caught:
                client.submit(call(VAULT.call_data(function), vault))
            assert caught.value.code == 3


def test_a_ledger_without_an_engine_answers_as_irohad(tmp_path: Path) -> None:
    folder = make_engine_folder(tmp_path / "node")
    with NodeProcess(folder.path) as process, folder.admin(process.address) as client:
        with pytest.raises(TransactionFailedError) as caught:
            client.submit(call(VAULT.bytecode))
        assert caught.value.code == 1


@pytest.mark.parametrize("point", ["torn", "synced"])
def test_a_kill_within_the_block_of_a_call(tmp_path: Path, point: str) -> None:
    """The state after the replay is the one that an unbroken run leads to."""
    folder = make_engine_folder(tmp_path / "node", set_engine())
    height = 3
    command = (sys.executable, str(DIE), point, str(height))
    with NodeProcess(folder.path, command=command) as process:
        client = folder.admin(process.address, timeout_s=2)
        vault = deploy(client, VAULT.bytecode)
        transaction = client.build_transaction(call(VAULT.call_data("fill", 20), vault))
        client.sign_transaction(transaction)
        with pytest.raises(TransportError):
            client.send(transaction)
        client.close()
        assert process.wait() == -9

    with NodeProcess(folder.path) as process, folder.admin(process.address) as client:
        done = client.send(transaction)
        assert len(receipts(client, done.tx_hash)) == 1
        asked = client.submit(call(VAULT.call_data("cells", (19).to_bytes(32)), vault))
        (found,) = receipts(client, asked.tx_hash)
        assert VAULT.decode_output("cells", found.call_result.result_data) == (20,)
        root = process.wait_for_log("ledger opened")["root"]
        assert process.stop() == 0

    (tmp_path / "scratch").mkdir()
    report = verify_chain(folder.path, tmp_path / "scratch")
    assert report.height == height + 1
    drop_state(folder.path / "data")
    with NodeProcess(folder.path) as process:
        opened = process.wait_for_log("ledger opened")
        assert (opened["height"], opened["root"]) == (height + 1, report.root.hex())
        assert root != opened["root"]
