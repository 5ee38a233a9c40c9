"""`irohad`: the daemon's files and flags start our node unchanged, and its ledger goes on."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
import requests
from support.irohad_blocks import (
    NODE_KEY,
    VECTORS,
    recorded_blocks,
    write_flat_files,
    write_rocksdb,
)
from support.processes import DEADLINE_S, NodeProcess

from chaincode.signatures import KeyAlgorithm
from chaincode.transactions import block_hash
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import set_account_detail
from node.cli.irohad import parse_gflags
from node.ledger.stores import LedgerStores

GENESIS: Final = VECTORS / "genesis.block"
LEDGER_ID: Final = block_hash(recorded_blocks()[0]).hex()
ADMIN_KEY: Final = AccountKey(
    # The example key of irohad's source tree.
    bytes.fromhex("f101537e319568c765b2cc89698325604991dca57b9716b58016b253506cab70"),
    KeyAlgorithm.ED25519_SHA3,
)
COMMAND: Final = (sys.executable, "-m", "node.cli.irohad")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A `config.json` as irohad's sample is, with ports of the system's choice."""
    path = tmp_path / "config.json"
    values = {
        "torii_port": 0,
        "internal_port": 0,
        "healthcheck_port": 0,
        "database": {
            "type": "postgres",
            "host": "127.0.0.1",
            "port": 5432,
            "user": "postgres",
            "password": "mysecretpassword",
            "working database": "iroha_data",
            "maintenance database": "postgres",
        },
        "block_store_path": str(tmp_path / "blocks"),
        "max_proposal_size": 10,
        "vote_delay": 5000,
        "mst_enable": True,
        "mst_expiration_time": 1440,
        "proposal_creation_timeout": 100,
        "max_rounds_delay": 100,
        "stale_stream_max_rounds": 20,
        "metrics": "127.0.0.1:0",
    }
    path.write_text(json.dumps(values))
    return path


def change_config(config: Path, **values: object) -> None:
    config.write_text(json.dumps({**json.loads(config.read_text()), **values}))


def start(*arguments: str | Path) -> NodeProcess:
    """Run the daemon; the last flag is `--keypair_name` of the recorded peer."""
    return NodeProcess(
        VECTORS / "node0", command=(*COMMAND, *map(str, arguments), "--keypair_name")
    )


def run_to_end(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )


def height_on_disk(config: Path) -> int:
    data = Path(json.loads(config.read_text())["block_store_path"]) / "tegata"
    with LedgerStores(data) as stores:
        return stores.tip().height


def admin(address: str) -> LedgerClient:
    port = address.rpartition(":")[2]
    return LedgerClient(f"127.0.0.1:{port}", "admin@test", ADMIN_KEY, timeout_s=DEADLINE_S)


def port_of(line: dict[str, object], name: str) -> str:
    return str(line[name]).rpartition(":")[2]


# the files as they are


def test_the_files_of_irohad_start_a_ledger(config: Path) -> None:
    with start("--config", config, f"--genesis_block={GENESIS}") as process:
        ready = process.wait_for_log("ledger node ready")
        assert ready["ledger_id"] == LEDGER_ID
        (unused,) = [x for x in process.log if x["event"] == "configuration keys without effect"]
        assert {"database", "vote_delay", "mst_enable"} <= set(unused["keys"])
        assert "mysecretpassword" not in str(process.log)
        with admin(process.address) as client:
            assert client.height() == 1
            client.submit(set_account_detail("admin@test", "a", "1"))
            assert client.account_detail("admin@test", "a", writer="admin@test") == "1"
        health = requests.get(
            f"http://127.0.0.1:{port_of(ready, 'health_address')}/healthcheck", timeout=DEADLINE_S
        ).json()
        assert [*health] == [
            "memory_consumption",
            "last_block_round",
            "last_reject_round",
            "is_syncing",
            "status",
        ]
        assert (health["last_block_round"], health["is_syncing"], health["status"]) == (
            3,
            False,
            True,
        )
    # It comes back without the genesis block.
    with start("--config", config) as process, admin(process.address) as client:
        assert client.height() == 2


def test_all_of_it_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "BLOCK_STORE_PATH": str(tmp_path),
        "TORII_PORT": "0",
        "INTERNAL_PORT": "0",
        "HEALTHCHECK_PORT": "0",
        "CRYPTO_PROVIDERS_0_KEY": "p1",
        "CRYPTO_PROVIDERS_0_TYPE": "default",
        "CRYPTO_PROVIDERS_0_CRYPTO_TYPE": "ed25519_sha3_256",
        "CRYPTO_PROVIDERS_0_PRIVATE_KEY": NODE_KEY.seed.hex(),
        "CRYPTO_SIGNER": "p1",
    }.items():
        monkeypatch.setenv(f"IROHA_{name}", value)
    with NodeProcess(GENESIS, command=(*COMMAND, "--genesis_block")) as process:
        assert process.wait_for_log("ledger node ready")["ledger_id"] == LEDGER_ID
        assert NODE_KEY.seed.hex() not in str(process.log)


def test_a_port_that_is_plain_where_tls_was_asked_for_is_said(config: Path) -> None:
    tls = {"key_pair_path": "peer", "peer_certificates": {"type": "from_ledger"}}
    change_config(config, inter_peer_tls=tls)
    done = run_to_end("--config", config, "--genesis_block", GENESIS, "--exit_after_init")
    assert "the port between peers has no TLS here" in done.stderr


def test_the_log_level_of_the_configuration(config: Path) -> None:
    change_config(config, log={"level": "error"})
    done = run_to_end("--config", config, "--genesis_block", GENESIS, "--exit_after_init")
    assert (done.returncode, done.stderr) == (0, "")
    done = run_to_end("--config", config, "--exit_after_init", "--verbosity=info")
    assert "configuration keys without effect" in done.stderr


# the ledger of the daemon


@pytest.mark.parametrize("database", ["postgres", "rocksdb"])
def test_the_ledger_of_irohad_goes_on(config: Path, tmp_path: Path, database: str) -> None:
    blocks = recorded_blocks()
    if database == "postgres":
        write_flat_files(tmp_path / "blocks", blocks)
    else:
        write_rocksdb(tmp_path / "wsv", blocks)
        change_config(config, database={"type": "rocksdb", "path": str(tmp_path / "wsv")})
    with start("--config", config, "--genesis_block", GENESIS) as process:
        assert process.wait_for_log("blocks of irohad imported")["height"] == 169
        process.wait_for_line(lambda line: "genesis block ignored" in str(line.get("event")))
        with admin(process.address) as client:
            assert client.height() == 169
            client.submit(set_account_detail("admin@test", "after", "1"))
    with start("--config", config) as process, admin(process.address) as client:
        assert client.height() == 170
        assert client.account_detail("admin@test", "after", writer="admin@test") == "1"


def test_a_state_that_is_lost_is_rebuilt_from_both_parts(config: Path, tmp_path: Path) -> None:
    write_flat_files(tmp_path / "blocks", recorded_blocks())
    with start("--config", config) as process, admin(process.address) as client:
        client.submit(set_account_detail("admin@test", "after", "1"))
        before = client.height()
    with start("--config", config, "--drop_state") as process:
        opened = process.wait_for_log("ledger opened")
        with admin(process.address) as client:
            assert client.height() == before == opened["height"]
            assert client.account_detail("admin@test", "after", writer="admin@test") == "1"


def test_new_blocks_of_a_running_irohad_are_taken(config: Path, tmp_path: Path) -> None:
    blocks = recorded_blocks()
    write_flat_files(tmp_path / "blocks", blocks[:100])
    with start("--config", config, "--wait_for_new_blocks") as process:
        process.wait_for_log("waiting for new blocks")
        write_flat_files(tmp_path / "blocks", blocks[100:110])
        process.wait_for_line(lambda line: line.get("height") == 110)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    assert height_on_disk(config) == 110


def test_a_rocksdb_that_cannot_be_read_stops_the_start(config: Path, tmp_path: Path) -> None:
    """A new ledger must not begin beside one that is only hard to read."""
    (tmp_path / "wsv").mkdir()
    (tmp_path / "wsv" / "CURRENT").write_text("MANIFEST-000001\n")
    change_config(config, database={"type": "rocksdb", "path": str(tmp_path / "wsv")})
    done = run_to_end("--config", config, "--genesis_block", GENESIS, "--exit_after_init")
    assert done.returncode == 6
    assert "no RocksDB of irohad" in done.stderr


# the flags


def test_exit_after_init(config: Path) -> None:
    done = run_to_end("--config", config, "--genesis_block", GENESIS, "--exit_after_init")
    assert done.returncode == 0
    assert height_on_disk(config) == 1


def test_without_a_ledger_and_a_genesis_block(config: Path) -> None:
    for flags in ([], ["--overwrite_ledger"]):
        done = run_to_end("--config", config, *flags)
        assert done.returncode == 5
        assert "there is no ledger yet" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_ledger_is_overwritten_only_when_told(config: Path, tmp_path: Path) -> None:
    write_flat_files(tmp_path / "blocks", recorded_blocks()[:9])
    run_to_end("--config", config, "--exit_after_init")
    assert height_on_disk(config) == 9
    for flags, height in (
        (["--genesis_block", GENESIS], 9),
        (["--overwrite_ledger"], 9),
        (["--genesis_block", GENESIS, "--overwrite_ledger"], 1),
        # What irohad left is not taken anew beneath a ledger that was begun by hand.
        (["--genesis_block", GENESIS], 1),
    ):
        done = run_to_end("--config", config, *flags, "--exit_after_init")
        assert done.returncode == 0, done.stderr
        assert height_on_disk(config) == height
    # irohad's own files are never touched.
    assert len([*(tmp_path / "blocks").glob("[0-9]*")]) == 9


@pytest.mark.parametrize("flags", [("--overwrite_ledger",), ("--drop_state",)])
def test_the_files_of_a_running_node_are_not_dropped(config: Path, flags: tuple[str]) -> None:
    with start("--config", config, "--genesis_block", GENESIS) as process:
        with admin(process.address) as client:
            client.submit(set_account_detail("admin@test", "a", "1"))
        done = run_to_end("--config", config, "--genesis_block", GENESIS, *flags)
        assert done.returncode == 6
        assert "another node is running on these files" in done.stderr
        with admin(process.address) as client:
            client.submit(set_account_detail("admin@test", "b", "1"))
    assert height_on_disk(config) == 3


def test_a_genesis_block_that_is_ignored_is_not_read(config: Path, tmp_path: Path) -> None:
    """As with irohad, it may be gone once the ledger has begun."""
    run_to_end("--config", config, "--genesis_block", GENESIS, "--exit_after_init")
    gone = ("--genesis_block", tmp_path / "gone.block", "--exit_after_init")
    done = run_to_end("--config", config, *gone)
    assert done.returncode == 0, done.stderr
    assert "genesis block ignored" in done.stderr


def test_a_genesis_block_that_is_none_overwrites_nothing(config: Path, tmp_path: Path) -> None:
    run_to_end("--config", config, "--genesis_block", GENESIS, "--exit_after_init")
    (tmp_path / "bad.block").write_text("{")
    flags = ("--overwrite_ledger", "--genesis_block", tmp_path / "bad.block")
    assert run_to_end("--config", config, *flags).returncode == 5
    assert height_on_disk(config) == 1


def test_a_peer_without_a_key(config: Path) -> None:
    done = run_to_end("--config", config, "--genesis_block", GENESIS)
    assert done.returncode == 5
    assert "give --keypair_name, or crypto" in done.stderr


def test_the_metrics_flags_win(config: Path) -> None:
    flags = ("--metrics_addr", "127.0.0.1", "--metrics_port", "0")
    change_config(config, metrics="127.0.0.1:1")
    with start("--config", config, "--genesis_block", GENESIS, *flags) as process:
        port = port_of(process.wait_for_log("ledger node ready"), "metrics_address")
        text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=DEADLINE_S).text
        assert "blocks_height 1.0" in text


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (["-config", "c"], ["--config", "c"]),
        (["-config=c"], ["--config=c"]),
        (["--overwrite_ledger"], ["--overwrite_ledger=true"]),
        (["--nooverwrite_ledger"], ["--overwrite_ledger=false"]),
        (["-drop_state=false"], ["--drop_state=false"]),
        (["--reuse_state=0"], ["--reuse_state=0"]),
        (["--nonsense", "-", "--", "x"], ["--nonsense", "-", "--", "x"]),
    ],
)
def test_the_forms_of_a_flag(given: list[str], taken: list[str]) -> None:
    assert parse_gflags(given) == taken


def test_an_unknown_flag_is_refused(config: Path) -> None:
    done = run_to_end("--config", config, "--overwrite")
    assert done.returncode == 2
    assert "No such option" in done.stderr


def test_the_command_is_installed() -> None:
    command = shutil.which("irohad", path=str(Path(sys.executable).parent))
    assert command is not None
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert "irohad (tegata)" in done.stdout
