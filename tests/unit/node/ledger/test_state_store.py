"""The world state in SQLite: all or nothing, snapshots that stand still, damage that is named."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.state_root import StateRoot
from node.errors import StorageError
from node.ledger import wal_checkpoints
from node.ledger.block_store import BlockStore
from node.ledger.state_rows import StateChange, Tip
from node.ledger.state_snapshot import StateSnapshot
from node.ledger.state_store import StateStore


@pytest.fixture
def blocks(tmp_path: Path) -> Iterator[BlockStore]:
    store = BlockStore(tmp_path / "blocks")
    yield store
    store.close()


@pytest.fixture
def store(tmp_path: Path, blocks: BlockStore) -> Iterator[StateStore]:
    store = StateStore(tmp_path / "state.sqlite", blocks)
    yield store
    store.close()


def change(
    height: int,
    entries: dict[bytes, bytes | None],
    *,
    pages: dict[str, bytes | None] | None = None,
    committed: list[bytes] | None = None,
    rejected: list[bytes] | None = None,
) -> StateChange:
    return StateChange(
        tip=Tip(
            height=height,
            time_ms=1000 * height,
            block_hash=bytes([height % 256]) * 32,
            state_root=StateRoot(map_root=bytes([height % 256]) * 32),
            next_start=100 * height,
        ),
        start=100 * (height - 1),
        places=b"",
        entries=entries,
        pages=pages or {},
        log_nodes={(0, height - 1): bytes([height % 256]) * 32},
        committed=committed or [],
        rejected=rejected or [],
        histories=[],
    )


def content(store: StateStore) -> dict[bytes, bytes]:
    with store.snapshot() as view:
        return dict(view.scan(b""))


def test_a_new_store_is_empty_and_begins_at_the_first_record(
    store: StateStore, blocks: BlockStore
) -> None:
    with store.snapshot() as view:
        tip = view.tip()
        assert (tip.height, tip.time_ms, tip.block_hash) == (0, 0, bytes(32))
        assert (tip.state_root, tip.next_start) == (StateRoot(), blocks.start)
        assert list(view.scan(b"")) == []
        assert view.get(b"missing") is None
        assert view.block_at(1) is None
        assert view.block_at(2**64 - 1) is None
        assert list(view.transactions([bytes(32)])) == []
        assert view.decision(bytes(32)) is None
        assert not view.has_transaction(bytes(32))


def test_a_commit_moves_entries_tip_and_decisions_together(store: StateStore) -> None:
    store.commit(change(1, {b"a": b"1", b"b": b"2"}, committed=[b"x" * 32], rejected=[b"y" * 32]))
    store.commit(change(2, {b"a": None, b"b": b"3", b"c": b"", b"never there": None}))
    with store.snapshot() as view:
        assert dict(view.scan(b"")) == {b"b": b"3", b"c": b""}
        assert view.tip() == change(2, {}).tip
        assert view.decision(b"x" * 32) is True
        assert view.decision(b"y" * 32) is False


def test_pages_of_the_map_are_kept_apart(store: StateStore) -> None:
    store.commit(change(1, {b"a": b"1"}, pages={"": b"top", "a": b"below", "b": b"other"}))
    store.commit(change(2, {}, pages={"": b"new top", "a": None, "never there": None}))
    with store.snapshot() as view:
        assert [view.get_page(prefix) for prefix in ("", "a", "b", "c")] == [
            b"new top",
            None,
            b"other",
            None,
        ]
        assert dict(view.scan(b"")) == {b"a": b"1"}


def test_a_scan_stays_in_its_prefix_and_order(store: StateStore) -> None:
    inside = [b"ab\x00", b"ab\x00z", b"ab\xf4\x8f\xbf\xbf"]
    store.commit(change(1, dict.fromkeys([b"b", *reversed(inside), b"ac", b"a"], b"v")))
    with store.snapshot() as view:
        assert [key for key, _ in view.scan(b"ab")] == inside
        assert [key for key, _ in view.scan(b"ab", b"ab\x00a")] == inside[1:]
        assert [key for key, _ in view.scan(b"ab", b"a")] == inside


@given(
    steps=st.lists(
        st.dictionaries(st.binary(max_size=4), st.none() | st.binary(max_size=4), max_size=5),
        max_size=6,
    ),
    restart=st.integers(0, 6),
)
def test_the_store_is_a_dictionary_that_survives_a_restart(
    tmp_path_factory: pytest.TempPathFactory, steps: list[dict[bytes, bytes | None]], restart: int
) -> None:
    folder = tmp_path_factory.mktemp("state")
    blocks = BlockStore(folder / "blocks")
    expected: dict[bytes, bytes] = {}
    store = StateStore(folder / "state.sqlite", blocks)
    for height, entries in enumerate(steps, start=1):
        store.commit(change(height, entries))
        if height == restart:
            store.close()
            store = StateStore(folder / "state.sqlite", blocks)
        for key, value in entries.items():
            if value is None:
                expected.pop(key, None)
            else:
                expected[key] = value
    store.close()
    store = StateStore(folder / "state.sqlite", blocks)
    # The scan's upper bound: no key of the ledger has a byte 0xff.
    assert content(store) == {
        k: v for k, v in sorted(expected.items()) if not k.startswith(b"\xff")
    }
    store.close()
    blocks.close()


def test_a_commit_that_fails_changes_nothing(store: StateStore) -> None:
    store.commit(change(1, {b"a": b"1"}, committed=[b"x" * 32]))
    before = content(store)
    # The same transaction cannot be decided twice: the last of the writes fails.
    with pytest.raises(StorageError, match="a block cannot be applied"):
        store.commit(change(2, {b"a": b"2", b"b": b"2"}, committed=[b"z" * 32, b"x" * 32]))
    assert content(store) == before
    with store.snapshot() as view:
        assert view.tip() == change(1, {}).tip
        assert view.decision(b"z" * 32) is None
    store.commit(change(2, {b"a": b"2"}))
    assert content(store) == {b"a": b"2"}


def test_a_full_disk_refuses_a_commit_whole(store: StateStore, tmp_path: Path) -> None:
    store.commit(change(1, {b"a": b"1"}))
    pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
    store._writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="full"):
        store.commit(change(2, {b"a": b"2", b"big": bytes(1_000_000)}))
    assert content(store) == {b"a": b"1"}
    store._writer.execute("PRAGMA max_page_count = 1000000")
    store.commit(change(2, {b"a": b"2", b"big": bytes(1_000_000)}))
    assert content(store)[b"a"] == b"2"


def test_a_snapshot_stands_still_while_blocks_are_written(store: StateStore) -> None:
    store.commit(change(1, {b"a": b"1"}))
    with store.snapshot() as view:
        assert view.get(b"a") == b"1"
        store.commit(change(2, {b"a": b"2", b"b": b"2"}))
        assert view.get(b"a") == b"1"
        assert view.get(b"b") is None
        assert view.tip().height == 1
        with store.snapshot() as newer:
            assert (newer.get(b"a"), newer.tip().height) == (b"2", 2)
    assert content(store) == {b"a": b"2", b"b": b"2"}


def test_readers_in_many_threads_always_see_whole_blocks(store: StateStore) -> None:
    keys = [b"%d" % n for n in range(20)]
    store.commit(change(1, dict.fromkeys(keys, b"1")))
    torn: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            with store.snapshot() as view:
                values = {view.get(key) for key in keys}
                if values != {b"%d" % view.tip().height}:
                    torn.append(values)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for height in range(2, 200):
        store.commit(change(height, dict.fromkeys(keys, b"%d" % height)))
    done.set()
    for reader in readers:
        reader.join()
    assert torn == []


def test_an_error_in_a_snapshot_gives_its_connection_back(store: StateStore) -> None:
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), store.snapshot() as view:
            view.tip().height // 0
    assert store._idle.qsize() == 1
    store.commit(change(1, {b"a": b"1"}))
    assert content(store) == {b"a": b"1"}


# files that cannot be used


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path, blocks: BlockStore) -> None:
    StateStore(tmp_path / "state.sqlite", blocks).close()
    with sqlite3.connect(tmp_path / "state.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StorageError, match=r"version 99, this node reads up to \d+; move the"):
        StateStore(tmp_path / "state.sqlite", blocks)


def test_a_store_of_an_older_version_is_emptied(tmp_path: Path, blocks: BlockStore) -> None:
    store = StateStore(tmp_path / "state.sqlite", blocks)
    store.commit(change(1, {b"a": b"1"}, committed=[b"x" * 32]))
    store.close()
    with sqlite3.connect(tmp_path / "state.sqlite") as connection:
        connection.execute("DROP TABLE history")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    store = StateStore(tmp_path / "state.sqlite", blocks)
    with store.snapshot() as view:
        assert view.tip().next_start == blocks.start
        assert view.height() == 0
        assert list(view.scan(b"")) == []
        assert view.decision(b"x" * 32) is None
    store.commit(change(1, {b"a": b"1"}, committed=[b"x" * 32]))
    store.close()


def test_another_programs_database_is_refused(tmp_path: Path, blocks: BlockStore) -> None:
    with sqlite3.connect(tmp_path / "state.sqlite") as connection:
        connection.execute("CREATE TABLE other (x)")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    with pytest.raises(StorageError, match=r"state\.sqlite: no such table"):
        StateStore(tmp_path / "state.sqlite", blocks)


@pytest.mark.parametrize("garbage", [b"garbage" * 1000, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_refused(
    tmp_path: Path, blocks: BlockStore, garbage: bytes
) -> None:
    (tmp_path / "state.sqlite").write_bytes(garbage)
    with pytest.raises(StorageError, match="move the file away and the node rebuilds it"):
        StateStore(tmp_path / "state.sqlite", blocks)


def test_a_path_that_cannot_be_opened_is_refused(tmp_path: Path, blocks: BlockStore) -> None:
    with pytest.raises(StorageError, match="cannot be opened: No such file"):
        StateStore(tmp_path / "missing" / "state.sqlite", blocks)


def test_damaged_pages_are_a_storage_error_wherever_they_are_read(
    tmp_path: Path, blocks: BlockStore
) -> None:
    path = tmp_path / "state.sqlite"
    store = StateStore(path, blocks)
    store.commit(change(1, {b"%04d" % n: bytes(200) for n in range(500)}))
    store.close()
    content_of_file = bytearray(path.read_bytes())
    for page in range(20 * 4096, len(content_of_file), 4096):
        content_of_file[page : page + 4096] = b"\xa5" * 4096
    path.write_bytes(content_of_file)
    store = StateStore(path, blocks)
    with pytest.raises(StorageError, match="malformed"), store.snapshot() as view:
        list(view.scan(b""))
    with pytest.raises(StorageError, match="malformed"):
        store.commit(change(2, {b"%04d" % n: b"" for n in range(500)}))
    store.close()


def test_the_log_beside_the_file_stays_short_under_load(
    tmp_path: Path, blocks: BlockStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each commit writes pages while a thread copies; without the writer's help it never ends."""
    monkeypatch.setattr(wal_checkpoints, "_SOON_ROWS", 10)
    monkeypatch.setattr(wal_checkpoints, "_MAX_LOG_PAGES", 50)
    store = StateStore(tmp_path / "state.sqlite", blocks)
    for height in range(1, 2_001):
        store.commit(change(height, {b"%d" % (height % 7): bytes(4000)}))
    pages = (tmp_path / "state.sqlite-wal").stat().st_size / 4096
    # Some six pages a commit: they would be twelve thousand.
    assert pages < 6_000
    store.close()
    assert not (tmp_path / "state.sqlite-wal").exists()


def test_many_entries_come_out_as_they_went_in(store: StateStore) -> None:
    odd_values = [b"", b"\x00", b"a\x00b", b"\xff\xfe,:", bytes(range(256)), bytes(5000)]
    entries: dict[bytes, bytes | None] = {
        f"many\x00{number}".encode(): odd_values[number % len(odd_values)] for number in range(2500)
    }
    store.commit(change(1, entries))
    with store.snapshot() as view:
        assert list(view.scan(b"many\x00")) == sorted(entries.items())
        joined = {key: value for key, value in entries.items() if value != bytes(5000)}
        assert view.get_many([*entries, b"missing"]) == {**joined, b"missing": None}
        assert next(iter(view.scan(b"many\x00", b"many\x002000")))[0] == b"many\x002000"
        assert view.get_many([]) == {}


def test_long_values_are_not_joined(store: StateStore, tmp_path: Path, blocks: BlockStore) -> None:
    """Together they would pass SQLite's limit, which is 1 GB, and stop the node."""
    entries: dict[bytes, bytes | None] = {
        b"long\x00%d" % number: bytes(5000) for number in range(256)
    }
    store.commit(change(1, entries))
    connection = sqlite3.connect(tmp_path / "state.sqlite")
    try:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 256 * 5000)
        view = StateSnapshot(connection, blocks)
        assert view.get_many([*entries, b"missing"]) == {b"missing": None}
        assert view.get(b"long\x000") == bytes(5000)
    finally:
        connection.close()


def test_many_transactions_are_known_by_their_decisions(store: StateStore) -> None:
    hashes = [number.to_bytes(32, "big") for number in range(600)]
    store.commit(change(1, {}, committed=hashes[:300], rejected=hashes[300:400]))
    with store.snapshot() as view:
        assert view.decided_among(hashes) == frozenset(hashes[:400])
        assert view.decided_among([]) == frozenset()
