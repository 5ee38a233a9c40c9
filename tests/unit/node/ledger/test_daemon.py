"""The ledger process: it starts or says why not, comes back as it was, and stops without loss."""

import json
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.processes import LedgerFolder, NodeProcess, make_ledger_folder

from chaincode.errors import InvalidBlockError
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.commands_pb2 import AddPeer, CallEngine, Command
from chaincode.protocol.primitive_pb2 import Peer
from chaincode.signatures import KeyAlgorithm
from client_sdk.errors import ClientError, KeyFormatError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import set_account_detail
from node.errors import ConfigError, StorageError
from node.keypair import save_keypair
from node.ledger.daemon import LedgerNode
from node.ledger.genesis import ADMIN_ACCOUNT, load_genesis, save_genesis
from node.ledger.verification import verify_chain

GRACE_S = 5
"""How long open calls are waited for."""


@pytest.fixture
def folder(tmp_path: Path) -> LedgerFolder:
    return make_ledger_folder(tmp_path / "node")


def run_once(folder: LedgerFolder, *, details: int = 0) -> dict[str, object]:
    """Run a node, write some details, stop it; return what it logged when it opened."""
    with NodeProcess(folder.path) as process:
        opened = process.wait_for_log("ledger opened")
        with folder.admin(process.address) as admin:
            for number in range(details):
                admin.submit(set_account_detail(ADMIN_ACCOUNT, f"key_{number}", "x"))
        assert process.stop() == 0
        assert process.log[-1]["event"] == "ledger node stopped"
    return opened


def verified(folder: LedgerFolder, tmp_path: Path) -> tuple[int, str]:
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    try:
        report = verify_chain(folder.path, scratch)
    finally:
        shutil.rmtree(scratch)
    return report.height, report.root.hex()


def test_connections_that_say_nothing_leave_files_for_others(folder: LedgerFolder) -> None:
    """By default a process may open 1,024 files, which one client has at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with LedgerNode.in_folder(folder.path) as node, ExitStack() as opened:
            host, _, port = node.address.rpartition(":")
            for _ in range(300):
                opened.enter_context(socket.create_connection((host, int(port)), timeout=60))
            with folder.admin(node.address) as admin:
                admin.submit(set_account_detail(ADMIN_ACCOUNT, "key", "x"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# starting again


@pytest.mark.parametrize("algorithm", list(KeyAlgorithm))
def test_a_restart_keeps_height_root_and_content(tmp_path: Path, algorithm: KeyAlgorithm) -> None:
    folder = make_ledger_folder(tmp_path / "node", algorithm=algorithm)
    first = run_once(folder, details=3)
    assert (first["height"], first["replayed_blocks"]) == (1, 0)
    second = run_once(folder)
    assert (second["height"], second["replayed_blocks"]) == (4, 0)
    assert second["root"] != first["root"]
    assert verified(folder, tmp_path) == (4, second["root"])


def test_a_restart_without_the_state_rebuilds_it(folder: LedgerFolder, tmp_path: Path) -> None:
    run_once(folder, details=3)
    before = verified(folder, tmp_path)
    (folder.path / "data" / "state.sqlite").unlink()
    opened = run_once(folder)
    assert (opened["height"], opened["root"]) == before
    assert opened["replayed_blocks"] == 4


def test_a_restarted_node_still_tells_what_it_decided(folder: LedgerFolder) -> None:
    with NodeProcess(folder.path) as process, folder.admin(process.address) as admin:
        committed = admin.build_transaction(set_account_detail(ADMIN_ACCOUNT, "a", "1"))
        admin.sign_transaction(committed)
        admin.send(committed)
    with NodeProcess(folder.path) as process, folder.admin(process.address) as admin:
        height = admin.height()
        admin.send(committed)
        assert admin.height() == height


# refusing to start


def test_a_second_node_on_the_same_folder_is_refused(folder: LedgerFolder) -> None:
    with NodeProcess(folder.path) as first:
        address = first.address
        with NodeProcess(folder.path) as second:
            assert second.wait() == 6
            text = "".join(str(line.get("text")) for line in second.log)
            assert "another node is running on these files" in text
            assert "Traceback" not in text
        with folder.admin(address) as admin:
            assert admin.health().is_healthy


def test_another_genesis_is_refused(folder: LedgerFolder, tmp_path: Path) -> None:
    run_once(folder)
    block = load_genesis(folder.path / "genesis.block")
    block.block_v1.payload.created_time += 1
    save_genesis(block, folder.path / "genesis.block")
    with pytest.raises(ConfigError, match="began with another genesis block"):
        LedgerNode.in_folder(folder.path)
    with NodeProcess(folder.path) as process:
        assert process.wait() == 5


def change_genesis(folder: LedgerFolder, *commands: Command) -> None:
    block: Block = load_genesis(folder.path / "genesis.block")
    reduced = block.block_v1.payload.transactions[0].payload.reduced_payload
    reduced.commands.extend(commands)
    save_genesis(block, folder.path / "genesis.block")


def test_a_genesis_with_a_command_that_fails_is_refused(folder: LedgerFolder) -> None:
    change_genesis(folder, Command(call_engine=CallEngine(caller="a@b")))
    with pytest.raises(InvalidBlockError, match=r"genesis block: command \d+, CallEngine"):
        LedgerNode.in_folder(folder.path)


def test_a_key_that_is_not_the_only_voters_is_refused(folder: LedgerFolder) -> None:
    """Blocks that it signs would be refused when they are replayed."""
    for name in ("node.priv", "node.pub"):
        (folder.path / "keys" / name).unlink()
    save_keypair(AccountKey.generate(), folder.path / "keys" / "node.priv")
    with pytest.raises(ConfigError, match="a node that orders alone"):
        LedgerNode.in_folder(folder.path)


@pytest.mark.parametrize("syncing", [True, False])
def test_a_genesis_with_a_second_peer(folder: LedgerFolder, *, syncing: bool) -> None:
    peer = Peer(
        address="127.0.0.1:10002",
        peer_key=AccountKey.generate().public_key,
        syncing_peer=syncing,
    )
    change_genesis(folder, Command(add_peer=AddPeer(peer=peer)))
    if syncing:
        run_once(folder, details=1)
        (folder.path / "data" / "state.sqlite").unlink()
        assert run_once(folder)["replayed_blocks"] == 2
    else:
        with pytest.raises(ConfigError, match="only voting peer"):
            LedgerNode.in_folder(folder.path)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("torii =", "cannot be read as TOML"),
        ("unknown = 1", "unknown"),
        ("torii = 7", "torii"),
        ("max_past_created_hours = 0", "max_past_created_hours"),
        ('max_past_created_hours = "soon"', "max_past_created_hours"),
        ('torii = "256.1.1.1:0"', "Torii: 256.1.1.1:0 cannot be bound"),
        ('torii = "127.0.0.1:99999"', "torii: .*a port from 0 to 65535"),
        ('torii = "127.0.0.1"', "torii: .*host:port is expected"),
        ('torii = ":50051"', "torii: .*host:port is expected"),
        ('torii = "unix:/tmp/torii"', "torii: .*host:port is expected"),
        ('torii = "127.0.0.1:-1"', "torii: .*host:port is expected"),
        ('genesis = "missing.block"', "missing.block: no genesis block"),
    ],
)
def test_a_configuration_that_cannot_be_used_says_where(
    folder: LedgerFolder, text: str, where: str
) -> None:
    (folder.path / "node.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=where):
        LedgerNode.in_folder(folder.path)


def test_a_missing_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"node\.toml: cannot be read"):
        LedgerNode.in_folder(tmp_path)


@pytest.mark.parametrize("content", ["", "zz", "ab" * 31, "ab" * 33, "ab" * 32])
def test_a_private_key_that_cannot_be_used_is_refused(folder: LedgerFolder, content: str) -> None:
    (folder.path / "keys" / "node.priv").write_text(content)
    with pytest.raises(KeyFormatError) as caught:
        LedgerNode.in_folder(folder.path)
    assert not content or content not in str(caught.value)


def test_a_data_folder_that_cannot_be_made_is_refused(folder: LedgerFolder) -> None:
    (folder.path / "data").write_text("a file")
    with pytest.raises(StorageError, match="data: cannot be made"):
        LedgerNode.in_folder(folder.path)


def test_a_refused_start_gives_the_files_back(folder: LedgerFolder) -> None:
    (folder.path / "node.toml").write_text('torii = "256.1.1.1:0"\n')
    for _ in range(2):
        with pytest.raises(ConfigError, match="cannot be bound"):
            LedgerNode.in_folder(folder.path)
    (folder.path / "node.toml").write_text('torii = "127.0.0.1:0"\n')
    assert run_once(folder)["height"] == 1


# a state that was tampered with


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE state SET value = x'79' WHERE substr(key, -5) = CAST('key_0' AS BLOB)",
        "DELETE FROM state WHERE substr(key, -5) = CAST('key_1' AS BLOB)",
        "INSERT INTO state VALUES (x'00', x'00')",
        "DELETE FROM decided WHERE height = 3",
        "UPDATE decided SET position = NULL WHERE height = 3",
        "UPDATE block SET start = 56 WHERE height = 3",
        "UPDATE tip SET time_ms = time_ms + 1",
    ],
)
def test_verify_finds_a_state_that_the_chain_did_not_lead_to(
    folder: LedgerFolder, tmp_path: Path, statement: str
) -> None:
    run_once(folder, details=3)
    verified(folder, tmp_path)
    connection = sqlite3.connect(folder.path / "data" / "state.sqlite")
    with connection:
        assert connection.execute(statement).rowcount == 1
    connection.close()
    with pytest.raises(StorageError, match="not what the chain leads to"):
        verified(folder, tmp_path)


# stopping


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_right_after_the_ready_line_stops_the_node_cleanly(
    folder: LedgerFolder, number: signal.Signals
) -> None:
    for _ in range(3):
        with NodeProcess(folder.path) as process:
            process.wait_for_log("ledger node ready")
            process.send_signal(number)
            assert process.wait() == 0
            assert process.log[-1]["event"] == "ledger node stopped"


def test_sigterm_under_load_keeps_all_that_was_committed(
    folder: LedgerFolder, tmp_path: Path
) -> None:
    committed: list[str] = []
    enough, stops = threading.Event(), threading.Event()

    def write(address: str, writer: int) -> None:
        with folder.admin(address, timeout_s=3) as admin:
            for number in range(100_000):
                key = f"writer_{writer}_{number}"
                try:
                    admin.submit(set_account_detail(ADMIN_ACCOUNT, key, "x"))
                except ClientError:
                    if stops.is_set():
                        return
                    continue
                committed.append(key)
                if len(committed) > 100:
                    enough.set()

    with NodeProcess(folder.path) as process:
        writers = [threading.Thread(target=write, args=(process.address, n)) for n in range(6)]
        for writer in writers:
            writer.start()
        assert enough.wait(60)
        stops.set()
        assert process.stop() == 0
        for writer in writers:
            writer.join()
    with NodeProcess(folder.path) as process, folder.admin(process.address) as admin:
        assert process.wait_for_log("ledger opened")["replayed_blocks"] == 0
        response = admin.account_detail(ADMIN_ACCOUNT, committed[-1], writer=ADMIN_ACCOUNT)
        assert response == "x"
        missing = [
            key
            for key in committed
            if admin.account_detail(ADMIN_ACCOUNT, key, writer=ADMIN_ACCOUNT) != "x"
        ]
    assert missing == []
    verified(folder, tmp_path)


LIMITED_NODE = """
import resource, signal, sys
from pathlib import Path
from node.ledger.daemon import LedgerNode
from node.log import configure_logging
configure_logging()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
with LedgerNode.in_folder(Path(sys.argv[1])) as node:
    node.run()
"""


def test_a_full_disk_stops_the_node_and_loses_nothing(folder: LedgerFolder) -> None:
    """The node says that it cannot write, and no client was told otherwise."""
    limited = (sys.executable, "-c", LIMITED_NODE)
    committed = 0
    with NodeProcess(folder.path, command=limited, is_measured=False) as process:
        with folder.admin(process.address, timeout_s=3) as admin:
            try:
                while True:
                    detail = set_account_detail(ADMIN_ACCOUNT, f"key_{committed}", "v" * 10_000)
                    admin.submit(detail)
                    committed += 1
            except ClientError:
                pass
        assert process.wait() == 1
        assert any(line.get("event") == "the ledger cannot be written" for line in process.log)
    assert committed > 3
    with NodeProcess(folder.path) as process, folder.admin(process.address) as admin:
        for number in range(committed):
            value = admin.account_detail(ADMIN_ACCOUNT, f"key_{number}", writer=ADMIN_ACCOUNT)
            assert value == "v" * 10_000


def test_the_command_line_verifies_a_stopped_node(folder: LedgerFolder, tmp_path: Path) -> None:
    run_once(folder, details=2)
    done = subprocess.run(
        [sys.executable, "-m", "node.cli.main", "node", "verify", str(folder.path), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout)
    assert (report["height"], report["root"]) == verified(folder, tmp_path)


def test_a_node_that_has_answered_stops_at_once(folder: LedgerFolder) -> None:
    """Of calls that are over nothing is left for it to wait for."""
    with LedgerNode.in_folder(folder.path) as node, folder.admin(node.address) as admin:
        admin.submit(set_account_detail(ADMIN_ACCOUNT, "k", "v"))
        began = time.monotonic()
    assert time.monotonic() - began < GRACE_S
