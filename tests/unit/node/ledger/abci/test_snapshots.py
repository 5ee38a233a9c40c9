"""Snapshots: what a peer writes, what another makes of it, and what a liar's chunks lead to."""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from google.protobuf.proto import parse_length_prefixed, serialize_length_prefixed
from structlog.testing import capture_logs
from support.abci_driver import (
    ADMIN_KEY,
    SECOND_KEY,
    AbciDriver,
    encoded,
    forbidden,
    half,
    transaction,
    two_keys,
    write,
)

from chaincode.multisignature import PendingLimits
from client_sdk.ledger.commands import set_account_detail
from node.errors import ReplicationError
from node.ledger.abci import snapshot_restore, snapshot_writer
from node.ledger.abci.abci_pb2 import (
    ResponseApplySnapshotChunk,
    ResponseOfferSnapshot,
    Snapshot,
)
from node.ledger.abci.snapshot_pb2 import SnapshotManifest, SnapshotRecord
from node.ledger.genesis import ADMIN_ACCOUNT
from node.ledger.state_store import StateRestore

ACCEPT = ResponseApplySnapshotChunk.ACCEPT
REFUSED = ResponseApplySnapshotChunk.REJECT_SNAPSHOT


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AbciDriver]:
    """Return a peer with a snapshot of several chunks at height 8."""
    monkeypatch.setattr(snapshot_writer, "CHUNK_BYTES", 1024)
    peer = AbciDriver(tmp_path / "source", interval=4)
    for number in range(4):
        peer.decide(write(f"key_{number}"), forbidden())
    wait_for_snapshot(peer)
    peer.decide(two_keys())
    waiting = transaction(set_account_detail(ADMIN_ACCOUNT, "both", "v"), quorum=2)
    peer.decide(half(waiting, ADMIN_KEY))
    peer.decide()
    peer.decide()
    wait_for_snapshot(peer)
    yield peer
    peer.close()


def wait_for_snapshot(peer: AbciDriver) -> None:
    thread = peer.snapshots._thread
    if thread is not None:
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[AbciDriver]:
    peer = AbciDriver(tmp_path / "target", key=SECOND_KEY)
    yield peer
    peer.close()


def chunks_of(source: AbciDriver, snapshot: Snapshot) -> list[bytes]:
    return [source.load_chunk(snapshot.height, index) for index in range(snapshot.chunks)]


def content(peer: AbciDriver) -> tuple[bytes, tuple[int, bytes]]:
    with peer.stores.state.snapshot() as view:
        return view.content_hash(), peer.info()


def restore(target: AbciDriver, snapshot: Snapshot, app_hash: bytes, chunks: list[bytes]) -> int:
    """Offer a snapshot and send its chunks; return the last result."""
    assert target.offer(snapshot, app_hash) == ResponseOfferSnapshot.ACCEPT
    result = ACCEPT
    for index, chunk in enumerate(chunks):
        result = target.apply_chunk(index, chunk)
        if result != ACCEPT:
            return result
    return result


def test_a_restored_peer_has_everything(source: AbciDriver, target: AbciDriver) -> None:
    snapshot = source.list_snapshots()[0]
    assert (snapshot.height, snapshot.chunks > 3) == (8, True)
    assert restore(target, snapshot, source.info()[1], chunks_of(source, snapshot)) == ACCEPT
    assert content(target) == content(source)
    assert target.ledger.counts() == source.ledger.counts() == (1, 1)
    (block,) = [target.stores.blocks.read(target.stores.blocks.start)]
    assert block.block_v1.payload.height == 1
    target.height = 8
    data = write("after")
    # Two keys are asked for by now: it is rejected by both alike.
    assert target.decide(data) == source.decide(data)


def test_large_entries_are_not_gathered_in_memory(
    source: AbciDriver, target: AbciDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_restore, "_ENTRY_BYTES_AT_ONCE", 100)
    sizes, write = [], StateRestore.write_entries

    def count(
        restore: StateRestore,
        entries: Mapping[bytes, bytes | None],
        pages: Mapping[str, bytes | None],
    ) -> None:
        sizes.append(len(entries))
        write(restore, entries, pages)

    monkeypatch.setattr(StateRestore, "write_entries", count)
    snapshot = source.list_snapshots()[0]
    assert restore(target, snapshot, source.info()[1], chunks_of(source, snapshot)) == ACCEPT
    assert (len(sizes) > 5, max(sizes) < 5) == (True, True)
    assert content(target) == content(source)


def test_all_peers_write_the_same(source: AbciDriver, tmp_path: Path) -> None:
    """Also one that was itself restored: it signs its blocks, and has no snapshot to build on."""
    snapshot = source.list_snapshots()[0]
    other = AbciDriver(tmp_path / "other", key=SECOND_KEY, interval=4)
    restore(other, snapshot, source.info()[1], chunks_of(source, snapshot))
    other.height = 8
    signers = (ADMIN_KEY, SECOND_KEY)
    for number in range(8):
        command = set_account_detail(ADMIN_ACCOUNT, f"more_{number}", "x" * 300 * number)
        data = encoded(transaction(command, keys=signers, quorum=2))
        for peer in (source, other):
            peer.decide(data)
            wait_for_snapshot(peer)
    newest, below = source.list_snapshots()
    assert [newest, below] == other.list_snapshots()
    chunks = chunks_of(source, newest)
    assert chunks == chunks_of(other, newest)
    assert [hashlib.sha256(chunk).digest() for chunk in chunks] == hashes_of(newest)
    # The blocks of the one below are not written again.
    folder = tmp_path / "source" / "snapshots"
    assert len({(folder / str(height) / "1").stat().st_ino for height in (12, 16)}) == 1
    other.close()


def hashes_of(snapshot: Snapshot) -> list[bytes]:
    joined = SnapshotManifest.FromString(snapshot.metadata).chunk_hashes
    return [joined[start : start + 32] for start in range(0, len(joined), 32)]


def test_a_snapshot_that_cannot_be_built_on_is_named(source: AbciDriver, tmp_path: Path) -> None:
    (tmp_path / "source" / "snapshots" / "8" / "reuse").write_text("{", encoding="utf-8")
    with capture_logs() as logs:
        for _ in range(4):
            source.decide()
        wait_for_snapshot(source)
    assert [snapshot.height for snapshot in source.list_snapshots()] == [8, 4]
    assert "remove this snapshot" in str(logs)


def test_the_disk_has_a_snapshot_before_it_counts(
    source: AbciDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, synced, sync = tmp_path / "source" / "snapshots", set(), os.fsync

    def note(file: int) -> None:
        sync(file)
        synced.add(Path(f"/proc/self/fd/{file}").readlink())

    monkeypatch.setattr(os, "fsync", note)
    for _ in range(4):
        source.decide()
    wait_for_snapshot(source)
    part, before = folder / "12.part", folder / "8"
    taken_over = json.loads((before / "reuse").read_text())["chunks"]
    written = [path.name for path in (folder / "12").iterdir()]
    missing = {part / name for name in written} | {part, folder}
    missing -= {part / str(number) for number in range(taken_over)} | synced
    assert missing == set()
    assert taken_over > 0


def test_only_the_newest_are_kept(source: AbciDriver) -> None:
    for _ in range(4):
        source.decide()
    wait_for_snapshot(source)
    assert [snapshot.height for snapshot in source.list_snapshots()] == [12, 8]
    assert source.load_chunk(4, 0) == b""


def test_a_snapshot_that_was_not_finished_is_removed(tmp_path: Path) -> None:
    part = tmp_path / "peer" / "snapshots" / "7.part"
    part.mkdir(parents=True)
    peer = AbciDriver(tmp_path / "peer")
    assert not part.exists()
    (tmp_path / "peer" / "snapshots" / "9").mkdir()
    assert peer.list_snapshots() == []
    peer.close()


# Offers


def test_what_cannot_be_right_is_not_begun(source: AbciDriver, target: AbciDriver) -> None:
    good, app_hash = source.list_snapshots()[0], source.info()[1]
    reject = ResponseOfferSnapshot.REJECT
    assert target.offer(good, bytes(32)) == reject
    for change in (
        {"height": 9},
        {"hash": b"other"},
        {"metadata": b"\xff"},
        {"metadata": b""},
        {"chunks": good.chunks + 1},
    ):
        changed = Snapshot()
        changed.CopyFrom(good)
        for name, value in change.items():
            setattr(changed, name, value)
        assert target.offer(changed, app_hash) == reject
    changed = Snapshot()
    changed.CopyFrom(good)
    changed.format = 2
    assert target.offer(changed, app_hash) == ResponseOfferSnapshot.REJECT_FORMAT
    with pytest.raises(ReplicationError, match="did not offer"):
        target.apply_chunk(0, b"")


def test_a_peer_with_blocks_is_not_restored(source: AbciDriver, target: AbciDriver) -> None:
    target.decide()
    with pytest.raises(ReplicationError, match="decided no block yet"):
        target.offer(source.list_snapshots()[0], source.info()[1])


# Chunks


def test_a_wrong_chunk_is_asked_of_another_peer(source: AbciDriver, target: AbciDriver) -> None:
    snapshot = source.list_snapshots()[0]
    chunks = chunks_of(source, snapshot)
    target.offer(snapshot, source.info()[1])
    assert target.apply_chunk(0, b"wrong") == ResponseApplySnapshotChunk.RETRY
    for index, chunk in enumerate(chunks):
        assert target.apply_chunk(index, chunk) == ACCEPT
    assert content(target) == content(source)


def records_of(chunks: list[bytes]) -> list[SnapshotRecord]:
    data = io.BytesIO(b"".join(chunks))
    records = []
    while (record := parse_length_prefixed(SnapshotRecord, data)) is not None:
        records.append(record)
    return records


def change_value(records: list[SnapshotRecord]) -> None:
    next(each for each in records if each.entry.value == b"v").entry.value = b"forged"


def change_root(records: list[SnapshotRecord]) -> None:
    records[0].block.leaf = bytes(32)


def change_time(records: list[SnapshotRecord]) -> None:
    records[0].block.block.block_v1.payload.created_time += 1


def change_payer(records: list[SnapshotRecord]) -> None:
    next(each for each in records if each.HasField("pending")).pending.payer = "nobody@tegata"


def break_pending(records: list[SnapshotRecord]) -> None:
    next(each for each in records if each.HasField("pending")).pending.batch = b"\xff"


def drop_block(records: list[SnapshotRecord]) -> None:
    del records[1]


def drop_top_block(records: list[SnapshotRecord]) -> None:
    del records[4]


def drop_entry(records: list[SnapshotRecord]) -> None:
    del records[-1]


def add_entry_twice(records: list[SnapshotRecord]) -> None:
    records.append(records[-1])


def put_block_last(records: list[SnapshotRecord]) -> None:
    records.append(records[0])


def clear_record(records: list[SnapshotRecord]) -> None:
    records[2].Clear()


def decide_twice(records: list[SnapshotRecord]) -> None:
    hashes = records[0].block.block.block_v1.payload.rejected_transactions_hashes
    hashes.append(hashes[0])
    fix_links(records)


def reject_nonsense(records: list[SnapshotRecord]) -> None:
    payload = records[0].block.block.block_v1.payload
    payload.rejected_transactions_hashes.append("nonsense")
    fix_links(records)


def date_beyond_all_times(records: list[SnapshotRecord]) -> None:
    records[0].block.block.block_v1.payload.created_time = 2**64 - 1
    fix_links(records)


def fix_links(records: list[SnapshotRecord]) -> None:
    """Have the blocks above the first one follow from it."""
    blocks = [each.block.block for each in records if each.HasField("block")]
    for below, above in pairwise(blocks):
        digest = hashlib.sha3_256(below.block_v1.payload.SerializeToString())
        above.block_v1.payload.prev_block_hash = digest.hexdigest()


@pytest.mark.parametrize(
    "forge",
    [
        change_value,
        change_root,
        change_time,
        change_payer,
        break_pending,
        drop_block,
        drop_top_block,
        drop_entry,
        add_entry_twice,
        put_block_last,
        clear_record,
        decide_twice,
        reject_nonsense,
        date_beyond_all_times,
    ],
)
def test_a_forged_snapshot_leaves_nothing(
    source: AbciDriver, target: AbciDriver, forge: Callable[[list[SnapshotRecord]], None]
) -> None:
    """Its hashes are right: who serves it has made them. It does not lead to the app hash."""
    snapshot, app_hash = source.list_snapshots()[0], source.info()[1]
    before = content(target)
    chunks = chunks_of(source, snapshot)
    records = records_of(chunks)
    forge(records)
    data = io.BytesIO()
    for record in records:
        serialize_length_prefixed(record, data)
    refuse(target, [data.getvalue()], app_hash)
    assert content(target) == before
    # The next one that is offered is the true one.
    assert restore(target, snapshot, app_hash, chunks) == ACCEPT
    assert content(target) == content(source)


def test_a_snapshot_leaves_room_on_the_disk(
    source: AbciDriver, target: AbciDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its manifest may name chunks without end, and little in a chunk may take much of the disk."""
    snapshot, app_hash = source.list_snapshots()[0], source.info()[1]
    chunks, before = chunks_of(source, snapshot), content(target)
    disk = shutil.disk_usage(tmp_path)
    spare_bytes = min(2**30, disk.total // 20)

    def leave(free: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: disk._replace(free=free))

    least_bytes = (len(chunks) - 1) * snapshot_restore.CHUNK_BYTES
    leave(spare_bytes + least_bytes - 1)
    with capture_logs() as logs:
        assert target.offer(snapshot, app_hash) == ResponseOfferSnapshot.REJECT
    assert f"it needs {least_bytes} bytes more of the disk" in str(logs)
    leave(spare_bytes + least_bytes)
    assert target.offer(snapshot, app_hash) == ResponseOfferSnapshot.ACCEPT
    assert target.apply_chunk(0, chunks[0]) == ACCEPT
    leave(spare_bytes + len(chunks[1]) - 1)
    assert target.apply_chunk(1, chunks[1]) == REFUSED
    assert content(target) == before
    # What it took is given back, and the next one has all the room that there was.
    leave(spare_bytes + least_bytes)
    assert restore(target, snapshot, app_hash, chunks) == ACCEPT


@pytest.mark.parametrize("is_killed", [False, True])
def test_what_was_undone_keeps_no_room(
    source: AbciDriver, target: AbciDriver, tmp_path: Path, *, is_killed: bool
) -> None:
    """SQLite's log would stay as long as it was, and with it the disk too full for another one."""
    snapshot, app_hash = source.list_snapshots()[0], source.info()[1]
    chunks = chunks_of(source, snapshot)
    # What does not fit into SQLite's memory is in its log before it is committed.
    target.stores.state._writer.execute("PRAGMA cache_size = 1")
    target.offer(snapshot, app_hash)
    for index, chunk in enumerate(chunks[:-1]):
        target.apply_chunk(index, chunk)
    log = tmp_path / "target" / "state.sqlite-wal"
    assert log.stat().st_size > 100_000
    if is_killed:
        shutil.copytree(tmp_path / "target", tmp_path / "killed")
        peer = AbciDriver(tmp_path / "killed", key=SECOND_KEY)
        assert (tmp_path / "killed" / "state.sqlite-wal").stat().st_size < 100_000
        peer.close()
        return
    assert target.offer(snapshot, app_hash) == ResponseOfferSnapshot.ACCEPT
    assert log.stat().st_size < 100_000


def test_a_snapshot_fills_no_memory(
    source: AbciDriver, target: AbciDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    app_hash = source.info()[1]
    chunks = chunks_of(source, source.list_snapshots()[0])
    data = b"".join(chunks)
    with monkeypatch.context() as small:
        small.setattr(snapshot_restore, "CHUNK_BYTES", len(data) - 1)
        refuse(target, [data], app_hash)
    for name, limit in (("LIMITS", PendingLimits(batches=0)), ("_MAX_PENDING_BYTES", 100)):
        with monkeypatch.context() as small:
            small.setattr(snapshot_restore, name, limit)
            with capture_logs() as logs:
                refuse(target, chunks, app_hash)
        assert "more waits for signatures than may" in str(logs)


@pytest.mark.parametrize("tail", [b"\x05", b"\xff\xff\xff\xff\x7f" + bytes(100)])
def test_a_snapshot_that_is_cut_is_refused(
    source: AbciDriver, target: AbciDriver, tail: bytes
) -> None:
    snapshot = source.list_snapshots()[0]
    chunks = chunks_of(source, snapshot)
    refuse(target, [*chunks, tail], source.info()[1])


def refuse(target: AbciDriver, chunks: list[bytes], app_hash: bytes) -> None:
    manifest = SnapshotManifest(
        height=8,
        app_hash=app_hash,
        chain_height=6,
        chunk_hashes=b"".join(hashlib.sha256(chunk).digest() for chunk in chunks),
    )
    metadata = manifest.SerializeToString()
    forged = Snapshot(
        height=8,
        format=1,
        chunks=len(chunks),
        hash=hashlib.sha256(metadata).digest(),
        metadata=metadata,
    )
    assert restore(target, forged, app_hash, chunks) == REFUSED
    assert target.info()[0] == 0


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_restoration_that_is_broken_off_leaves_nothing(
    source: AbciDriver, tmp_path: Path, *, is_killed: bool
) -> None:
    peer = AbciDriver(tmp_path / "peer")
    before, size = content(peer), (tmp_path / "peer" / "blocks").stat().st_size
    snapshot = source.list_snapshots()[0]
    peer.offer(snapshot, source.info()[1])
    peer.apply_chunk(0, source.load_chunk(8, 0))
    assert (tmp_path / "peer" / "blocks").stat().st_size > size
    # What a SIGKILL at this moment would leave.
    shutil.copytree(tmp_path / "peer", tmp_path / "killed")
    peer.close()
    peer = AbciDriver(tmp_path / ("killed" if is_killed else "peer"))
    assert content(peer) == before
    chunks = chunks_of(source, snapshot)
    assert restore(peer, snapshot, source.info()[1], chunks) == ACCEPT
    peer.close()
