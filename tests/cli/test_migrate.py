"""`tegata migrate`: from each place where irohad keeps its blocks, to a node that goes on."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command_line import COMMAND, run, run_json
from support.irohad_blocks import NODE_KEY, VECTORS, recorded_blocks, write_flat_files
from support.processes import NodeProcess

from chaincode.transactions import block_hash
from client_sdk.ledger.account_key import AccountKey
from node.keypair import save_keypair

KEYPAIR = VECTORS / "node0"


@pytest.fixture
def flat_files(tmp_path: Path) -> Path:
    folder = tmp_path / "blocks"
    write_flat_files(folder, recorded_blocks())
    return folder


def migrate(folder: Path, place: str | Path, *more: str | Path) -> dict[str, object]:
    return run_json("migrate", folder, "--from", place, *more)


@pytest.fixture
def loader_address(tmp_path: Path, flat_files: Path) -> Iterator[str]:
    """The port between peers of a daemon that holds the recorded chain."""
    source = tmp_path / "source"
    migrate(source, flat_files, "--keypair", KEYPAIR, "--torii", "127.0.0.1:0")
    with (source / "node.toml").open("a") as config:
        config.write('internal = "127.0.0.1:0"\n')
    with NodeProcess(source) as process:
        yield str(process.wait_for_log("ledger node ready")["internal_address"])


def test_a_migrated_node_starts_and_is_verified(tmp_path: Path, flat_files: Path) -> None:
    folder = tmp_path / "node"
    report = migrate(folder, flat_files, "--keypair", KEYPAIR, "--torii", "127.0.0.1:0")
    assert (report["imported_blocks"], report["height"]) == (169, 169)
    assert report["unverified_blocks"] == []
    assert report["block_hash"] == block_hash(recorded_blocks()[-1]).hex()
    assert report["voting_peers"] == [NODE_KEY.public_key]
    assert report["next"] == f"tegata node start {folder}"
    with NodeProcess(folder) as process:
        assert process.wait_for_log("ledger node ready")["ledger_id"] == (
            block_hash(recorded_blocks()[0]).hex()
        )
    verified = run_json("node", "verify", folder)
    assert (verified["height"], verified["root"]) == (169, report["root"])


def test_the_port_between_peers_gives_the_same_ledger(
    tmp_path: Path, flat_files: Path, loader_address: str
) -> None:
    from_files = migrate(tmp_path / "one", flat_files, "--keypair", KEYPAIR)
    from_peer = migrate(tmp_path / "two", loader_address, "--keypair", KEYPAIR)
    for name in ("imported_blocks", "height", "block_hash", "root"):
        assert from_files[name] == from_peer[name]


def test_given_again_it_takes_what_was_added(tmp_path: Path) -> None:
    blocks = recorded_blocks()
    write_flat_files(tmp_path / "blocks", blocks[:60])
    first = migrate(tmp_path / "node", tmp_path / "blocks", "--keypair", KEYPAIR)
    write_flat_files(tmp_path / "blocks", blocks[60:])
    second = migrate(tmp_path / "node", tmp_path / "blocks")
    assert (first["imported_blocks"], second["imported_blocks"]) == (60, 109)


def test_a_key_that_is_not_the_only_peers_is_told_what_to_do(
    tmp_path: Path, flat_files: Path
) -> None:
    save_keypair(AccountKey.generate(), tmp_path / "other.priv")
    report = migrate(tmp_path / "node", flat_files, "--keypair", tmp_path / "other")
    assert f"remove the peers {NODE_KEY.public_key}" in str(report["next"])


def test_an_import_that_was_broken_off_does_not_start(tmp_path: Path) -> None:
    blocks = recorded_blocks()
    blocks[40].block_v1.payload.created_time += 1
    write_flat_files(tmp_path / "blocks", blocks)
    folder = tmp_path / "node"
    arguments = ("migrate", folder, "--from", tmp_path / "blocks", "--keypair", KEYPAIR)
    broken = run(*arguments)
    assert broken.returncode == 6
    assert "block 41: " in broken.stderr
    started = run("node", "start", folder)
    assert started.returncode == 5
    assert "broken off at 40 of 169: run it again" in started.stderr


def test_a_sigkill_in_the_middle_of_an_import_loses_nothing(
    tmp_path: Path, flat_files: Path
) -> None:
    middle = flat_files / f"{100:016}"
    middle.rename(tmp_path / "block 100")
    os.mkfifo(middle)
    command = (COMMAND, "migrate", tmp_path / "node", "--from", flat_files, "--keypair", KEYPAIR)
    with subprocess.Popen([*map(str, command)]) as process, middle.open("wb"):
        # The pipe is open: it is being read, and all blocks below are written.
        process.kill()
    (tmp_path / "block 100").replace(middle)
    assert migrate(tmp_path / "node", flat_files)["imported_blocks"] == 70
    assert run_json("node", "verify", tmp_path / "node")["height"] == 169


def test_history_ends_where_it_is_told(tmp_path: Path, loader_address: str) -> None:
    report = migrate(tmp_path / "node", loader_address, "--keypair", KEYPAIR, "--up-to", "100")
    assert report["height"] == 100
    above = run("migrate", tmp_path / "node", "--from", loader_address, "--up-to", "170")
    assert above.returncode == 5
    assert "the source has 169 blocks, not 170" in above.stderr


@pytest.mark.parametrize(
    ("place", "code", "problem"),
    [
        ("none", 5, "neither a folder with blocks of irohad nor host:port"),
        ("127.0.0.1:1", 4, "peer 127.0.0.1:1: "),
    ],
)
def test_a_place_without_blocks(tmp_path: Path, place: str, code: int, problem: str) -> None:
    refused = run("migrate", tmp_path / "node", "--from", place, "--keypair", KEYPAIR)
    assert refused.returncode == code
    assert problem in refused.stderr


def test_a_new_folder_needs_a_key(tmp_path: Path, flat_files: Path) -> None:
    refused = run("migrate", tmp_path / "node", "--from", flat_files)
    assert refused.returncode == 5
    assert "needs --keypair" in refused.stderr
    assert not (tmp_path / "node").exists()
