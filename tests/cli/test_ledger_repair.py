"""`tegata node check` says what is wrong; `repair` mends it and keeps what was damaged."""

import itertools
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.batches import lone
from support.command_line import run_inside, run_json
from support.ledger_stores import NOW_MS, opened
from support.processes import LedgerFolder, NodeProcess, make_ledger_folder

from chaincode import transition
from client_sdk.ledger.account_key import AccountKey
from node.errors import PeerUnreachableError, StorageError
from node.ledger.engine import Engine
from node.ledger.pending_store import PendingStore
from node.ledger.quarantine import Quarantine

BLOCKS = 6
Change = Callable[[Path], None]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> LedgerFolder:
    """A ledger of some blocks, with a batch that waits for signatures; it is not to be changed."""
    folder = make_ledger_folder(tmp_path_factory.mktemp("original") / "node")
    with opened(folder) as stores:
        stores.add_details(BLOCKS - 1)
        message = stores.part_signed("waits", folder.admin_key, AccountKey.generate())
        with closing(PendingStore(stores.data / "pending.sqlite")) as pending:
            pending.save(lone(stores.check(message))[0])
    return folder


@pytest.fixture
def folder(original: LedgerFolder, tmp_path: Path) -> Path:
    return shutil.copytree(original.path, tmp_path / "node")


def root_of(folder: Path) -> Any:
    return run_json("node", "verify", folder)


def findings(folder: Path) -> list[dict[str, str]]:
    """Return what a check finds, having seen that it changes no block and no damage."""
    before = content(folder)
    result = run_inside("node", "check", folder, "--json")
    assert content(folder) == before
    found: list[dict[str, str]] = json.loads(result.output)
    assert result.exit_code == (6 if found else 0)
    return found


def content(folder: Path) -> dict[str, bytes]:
    data = folder / "data"
    files = (path for path in data.iterdir() if path.is_file() and "sqlite-" not in path.name)
    return {path.name: path.read_bytes() for path in files}


def starts(data: Path) -> list[int]:
    """Return where each block begins, and where the last one ends."""
    with closing(sqlite3.connect(data / "state.sqlite")) as state:
        places = [start for (start,) in state.execute("SELECT start FROM block ORDER BY height")]
    return [*places, (data / "blocks").stat().st_size]


def overwrite(data: Path, start: int, new: bytes) -> None:
    with (data / "blocks").open("r+b") as file:
        file.seek(start)
        file.write(new)


def lose_state(data: Path) -> None:
    (data / "state.sqlite").unlink()


# what a check says


def test_of_a_good_ledger_nothing_is_found(folder: Path) -> None:
    assert findings(folder) == []
    result = run_inside("node", "check", folder)
    assert "All is well." in result.output


def tear(data: Path) -> None:
    with (data / "blocks").open("ab") as file:
        file.write(b"torn while it was written")


def cut_last(data: Path) -> None:
    with (data / "blocks").open("r+b") as file:
        file.truncate(starts(data)[-1] - 10)


def flip_middle(data: Path) -> None:
    place = starts(data)[2]
    overwrite(data, place + 40, b"\xff\xff\xff\xff")


def flip_length(data: Path) -> None:
    overwrite(data, starts(data)[3], b"\xff\xff")


def zero_two(data: Path) -> None:
    places = starts(data)
    overwrite(data, places[2], bytes(places[4] - places[2]))


def insert_garbage(data: Path) -> None:
    place = starts(data)[3]
    whole = (data / "blocks").read_bytes()
    (data / "blocks").write_bytes(whole[:place] + b"garbage" + whole[place:])


def break_magic(data: Path) -> None:
    overwrite(data, 0, b"X")


def break_header(data: Path) -> None:
    overwrite(data, 20, b"X")


def break_state(data: Path) -> None:
    (data / "state.sqlite").write_bytes(b"no database " * 1000)


def other_chain(data: Path) -> None:
    with closing(sqlite3.connect(data / "state.sqlite")) as state, state:
        state.execute("UPDATE tip SET block_hash = zeroblob(32)")


def newer_state(data: Path) -> None:
    with closing(sqlite3.connect(data / "state.sqlite")) as state, state:
        state.execute("PRAGMA user_version = 99")


def break_pending(data: Path) -> None:
    with closing(sqlite3.connect(data / "pending.sqlite")) as pending, pending:
        pending.execute("UPDATE pending SET batch = x'ff'")


def lose_blocks(data: Path) -> None:
    (data / "blocks").unlink()


@pytest.mark.parametrize(
    ("change", "file", "problem", "remedy"),
    [
        (tear, "blocks", "nobody was told of it", "cuts it off and keeps a copy"),
        (cut_last, "blocks", "1 blocks that were committed are missing", "--from"),
        (flip_middle, "blocks", "the file is damaged there", "--from"),
        (flip_length, "blocks", "the file is damaged there", "--from"),
        (zero_two, "blocks", "2 blocks that were committed are missing", "--from"),
        (insert_garbage, "blocks", "the file is damaged there", "--from"),
        (break_magic, "blocks", "not a block file", "copy it from a backup"),
        (break_header, "blocks", "its header is damaged", "copy it from a backup"),
        (lose_blocks, "blocks", "there is none", "copy it from a backup"),
        (break_state, "state.sqlite", "cannot be read: file is not a database", "builds it anew"),
        (other_chain, "state.sqlite", "belongs to another chain", "builds it anew"),
        (newer_state, "state.sqlite", "version 99", "builds it anew"),
        (break_pending, "pending.sqlite", "cannot be read", "have to be sent again"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_a_check_says_what_is_wrong_and_what_to_do(
    folder: Path, change: Change, file: str, problem: str, remedy: str
) -> None:
    change(folder / "data")
    found = findings(folder)
    assert any(
        each["file"] == file and problem in each["problem"] and remedy in each["remedy"]
        for each in found
    ), found


def test_a_block_of_another_chain_is_found(folder: Path, tmp_path: Path) -> None:
    other = make_ledger_folder(tmp_path / "other")
    with opened(other) as stores:
        stores.add_details(3)
    foreign = (other.path / "data" / "blocks").read_bytes()
    place = starts(other.path / "data")[2]
    with (folder / "data" / "blocks").open("ab") as file:
        file.write(foreign[place:])
    (found,) = findings(folder)
    assert "put together from two ledgers" in found["problem"]


def test_what_the_rules_failed_on_is_found(
    folder: Path, original: LedgerFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise KeyError

    copy = LedgerFolder(
        path=folder,
        node_key=original.node_key,
        admin_key=original.admin_key,
        registry_key=original.registry_key,
    )
    with opened(copy) as stores:
        kept = Quarantine(folder / "data" / "quarantine")
        engine = Engine(stores.blocks, stores.state, copy.node_key, quarantine=kept)
        monkeypatch.setattr(transition, "apply_command", fail)
        engine.finalize(NOW_MS, lone(stores.detail("a", "x")))
    (found,) = findings(folder)
    assert (found["file"], found["problem"][:32]) == (
        "quarantine",
        "the rules failed on 1 transactio",
    )


def test_a_running_node_is_left_alone(folder: Path) -> None:
    with NodeProcess(folder) as process:
        process.wait_for_log("ledger node ready")
        for command in ("check", "repair"):
            result = run_inside("node", command, folder)
            assert isinstance(result.exception, StorageError)
            assert "another node is running" in str(result.exception)


# what a repair does


def kept(folder: Path, name: str) -> bytes:
    return (folder / "data" / name).read_bytes()


@pytest.mark.parametrize("is_state_lost", [False, True])
def test_a_torn_end_is_cut_off_and_kept(folder: Path, is_state_lost: bool) -> None:
    before = root_of(folder)
    tear(folder / "data")
    if is_state_lost:
        lose_state(folder / "data")
    done = run_json("node", "repair", folder)["done"]
    assert "25 bytes of a torn block were moved to blocks.torn" in done[0]
    assert kept(folder, "blocks.torn") == b"torn while it was written"
    assert findings(folder) == []
    assert root_of(folder) == before
    # Again: nothing is overwritten.
    tear(folder / "data")
    run_json("node", "repair", folder)
    assert kept(folder, "blocks.torn-2") == b"torn while it was written"


@pytest.mark.parametrize("change", [break_state, other_chain, newer_state])
def test_a_damaged_state_is_set_aside_and_rebuilt(folder: Path, change: Change) -> None:
    before = root_of(folder)
    change(folder / "data")
    damaged = kept(folder, "state.sqlite")
    done = run_json("node", "repair", folder)["done"]
    assert "it is kept as state.sqlite.damaged" in done[0]
    assert (
        done[-1]
        == f"the ledger is whole: height {BLOCKS}, {BLOCKS} blocks were applied to the state"
    )
    assert kept(folder, "state.sqlite.damaged") == damaged
    assert (findings(folder), root_of(folder)) == ([], before)


def test_damaged_signatures_are_set_aside(folder: Path) -> None:
    break_pending(folder / "data")
    done = run_json("node", "repair", folder)["done"]
    assert "kept as pending.sqlite.damaged" in done[0]
    assert findings(folder) == []


def test_bytes_between_two_blocks_are_left_out_and_the_old_file_is_kept(folder: Path) -> None:
    before = root_of(folder)
    insert_garbage(folder / "data")
    damaged = kept(folder, "blocks")
    run_json("node", "repair", folder)
    assert kept(folder, "blocks.damaged") == damaged
    assert (findings(folder), root_of(folder)) == ([], before)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_repair_that_is_cut_short_is_done_again(
    folder: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = root_of(folder)
    size = (folder / "data" / "blocks").stat().st_size
    insert_garbage(folder / "data")
    damaged = kept(folder, "blocks")
    with closing(sqlite3.connect(folder / "data" / "state.sqlite")) as state, state:
        state.execute("UPDATE tip SET next_start = next_start + ?", (len(damaged) - size,))
    steps = itertools.count(1)

    def die(name: str) -> Callable[..., object]:
        done = getattr(Path, name)

        def act(*arguments: object) -> object:
            if next(steps) == step:
                raise KeyboardInterrupt
            return done(*arguments)

        return act

    for name in ("rename", "replace", "hardlink_to"):
        monkeypatch.setattr(Path, name, die(name))
    run_inside("node", "repair", folder)
    monkeypatch.undo()
    assert next(steps) == step + 1
    assert (folder / "data" / "blocks").exists()
    assert len(findings(folder)) == 1
    run_json("node", "repair", folder)
    assert damaged in content(folder).values()
    assert (findings(folder), root_of(folder)) == ([], before)


LOSSES = [flip_middle, flip_length, zero_two, cut_last]


@pytest.mark.parametrize("change", LOSSES, ids=lambda change: change.__name__)
def test_lost_blocks_need_a_peer_and_without_one_nothing_is_changed(
    folder: Path, change: Change
) -> None:
    change(folder / "data")
    before = content(folder)
    result = run_inside("node", "repair", folder)
    assert isinstance(result.exception, StorageError)
    assert "name the `internal` address of a peer" in str(result.exception)
    unreachable = run_inside("node", "repair", folder, "--from", "127.0.0.1:1")
    assert isinstance(unreachable.exception, PeerUnreachableError)
    assert content(folder) == before


def test_lost_blocks_are_fetched_from_a_peer(
    original: LedgerFolder, folder: Path, tmp_path: Path
) -> None:
    before = root_of(folder)
    peer = shutil.copytree(original.path, tmp_path / "peer")
    with (peer / "node.toml").open("a", encoding="utf-8") as file:
        file.write('\ninternal = "127.0.0.1:0"\n')
    with NodeProcess(peer) as process:
        address = process.wait_for_log("ledger node ready")["internal_address"]
        for number, change in enumerate(LOSSES):
            mended = shutil.copytree(folder, tmp_path / f"mended_{number}")
            change(mended / "data")
            damaged = kept(mended, "blocks")
            done = run_json("node", "repair", mended, "--from", str(address))["done"]
            assert "fetched; the old file is kept as blocks.damaged" in done[0]
            assert kept(mended, "blocks.damaged") == damaged
            assert kept(mended, "blocks") == kept(folder, "blocks")
            assert (findings(mended), root_of(mended)) == ([], before)
