"""The block file: what was written is read, what was torn is cut off, damage is refused."""

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.full_disk import file_size_limit

from chaincode.protocol.block_pb2 import Block
from node.errors import StorageError
from node.ledger.block_store import BlockStore

HOLD_FILE = """
import sys
from pathlib import Path
from node.ledger.block_store import BlockStore
store = BlockStore(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def make_block(height: int, *, padding: int = 0) -> Block:
    block = Block()
    block.block_v1.payload.height = height
    block.block_v1.payload.prev_block_hash = "ab" * (1 + padding)
    return block


def write_blocks(path: Path, count: int, *, padding: int = 0) -> list[int]:
    """Write blocks 1 to `count`; return their offsets and the end of the file."""
    store = BlockStore(path)
    offsets = [store.start]
    for height in range(1, count + 1):
        _, following = store.append(make_block(height, padding=padding))
        offsets.append(following)
    store.close()
    return offsets


def recovered_heights(path: Path, *, offset: int | None = None) -> list[int]:
    store = BlockStore(path)
    try:
        start = store.start if offset is None else offset
        return [block.block_v1.payload.height for _, _, block in store.recover(start)]
    finally:
        store.close()


def test_appended_blocks_are_read_back_in_this_process_and_the_next(tmp_path: Path) -> None:
    store = BlockStore(tmp_path / "blocks")
    places = [store.append(make_block(height, padding=height)) for height in range(1, 6)]
    assert [store.read(start) for start, _ in places] == [
        make_block(height, padding=height) for height in range(1, 6)
    ]
    assert [start for start, _ in places[1:]] == [following for _, following in places[:-1]]
    assert list(store.recover(places[-1][1])) == []
    store.close()

    again = BlockStore(tmp_path / "blocks")
    assert [(start, following) for start, following, _ in again.recover(again.start)] == places
    assert again.append(make_block(6))[0] == places[-1][1]
    again.close()
    assert recovered_heights(tmp_path / "blocks") == [1, 2, 3, 4, 5, 6]


def test_the_file_is_only_for_its_owner(tmp_path: Path) -> None:
    write_blocks(tmp_path / "blocks", 1)
    assert (tmp_path / "blocks").stat().st_mode & 0o777 == 0o600


def test_a_tail_that_is_torn_at_any_byte_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "blocks"
    offsets = write_blocks(path, 3)
    whole = path.read_bytes()
    for end in range(offsets[2], offsets[3]):
        path.write_bytes(whole[:end])
        assert recovered_heights(path) == [1, 2]
        assert path.stat().st_size == offsets[2]


def test_a_tail_whose_bytes_never_reached_the_disk_is_cut_off(tmp_path: Path) -> None:
    """A file may grow before its new bytes are there: they read as zeros, from any byte on."""
    path = tmp_path / "blocks"
    offsets = write_blocks(path, 3)
    whole = path.read_bytes()
    for first_zero in range(offsets[2], offsets[3]):
        path.write_bytes(whole[:first_zero] + bytes(offsets[3] - first_zero))
        assert recovered_heights(path) == [1, 2]
        assert path.stat().st_size == offsets[2]


def test_a_last_record_whose_first_page_never_reached_the_disk_is_cut_off(tmp_path: Path) -> None:
    """Pages may reach the disk out of order: zeros, and then bytes of the record."""
    path = tmp_path / "blocks"
    offsets = write_blocks(path, 3, padding=100)
    whole = path.read_bytes()
    for hole in (16, 17, 100):
        begin = offsets[2]
        path.write_bytes(whole[:begin] + bytes(hole) + whole[begin + hole :])
        assert recovered_heights(path) == [1, 2]
        assert path.stat().st_size == begin


def test_zeros_before_a_whole_record_are_damage_and_nothing_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "blocks"
    offsets = write_blocks(path, 3, padding=100)
    whole = path.read_bytes()
    begin = offsets[1]
    path.write_bytes(whole[:begin] + bytes(16) + whole[begin + 16 :])
    with pytest.raises(StorageError, match="is damaged"):
        recovered_heights(path)
    assert path.stat().st_size == len(whole)


def test_a_block_can_be_written_where_a_torn_one_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "blocks"
    offsets = write_blocks(path, 3)
    path.write_bytes(path.read_bytes()[: offsets[3] - 1])
    store = BlockStore(path)
    assert len(list(store.recover(store.start))) == 2
    assert store.append(make_block(33))[0] == offsets[2]
    store.close()
    assert recovered_heights(path) == [1, 2, 33]


def test_a_changed_byte_in_any_record_but_the_last_is_damage(tmp_path: Path) -> None:
    """Nothing behind it may be cut off, whatever the changed byte makes of the record's length."""
    path = tmp_path / "blocks"
    offsets = write_blocks(path, 3)
    whole = path.read_bytes()
    for place in range(offsets[0], offsets[2]):
        for flipped in (0x01, 0x80, 0xFF):
            damaged = bytearray(whole)
            damaged[place] ^= flipped
            path.write_bytes(damaged)
            with pytest.raises(StorageError, match="damaged"):
                recovered_heights(path)
            assert path.stat().st_size == len(whole)


@given(place=st.integers(min_value=0), value=st.binary(min_size=1, max_size=40))
def test_overwritten_bytes_never_give_other_blocks(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: bytes
) -> None:
    path = tmp_path_factory.mktemp("blocks") / "blocks"
    offsets = write_blocks(path, 4)
    content = bytearray(path.read_bytes())
    place = offsets[0] + place % (offsets[-1] - offsets[0])
    content[place : place + len(value)] = value
    path.write_bytes(content)
    try:
        heights = recovered_heights(path)
    except StorageError:
        return
    assert heights in ([1, 2, 3], [1, 2, 3, 4])


def test_reading_from_a_wrong_offset_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "blocks"
    offsets = write_blocks(path, 2)
    store = BlockStore(path)
    for offset in (0, offsets[1] - 1, offsets[1] + 1, offsets[2], offsets[2] + 1000):
        with pytest.raises(StorageError, match=f"the block at byte {offset} is damaged"):
            store.read(offset)
    store.close()


def test_a_file_that_ends_below_the_offset_to_recover_from_is_refused(tmp_path: Path) -> None:
    """The state has seen blocks that the file has not: it is not the file of this ledger."""
    path = tmp_path / "blocks"
    offsets = write_blocks(path, 3)
    path.write_bytes(path.read_bytes()[: offsets[2]])
    with pytest.raises(StorageError, match="shorter"):
        recovered_heights(path, offset=offsets[3])


@pytest.mark.parametrize("length", [0, 1, 7, 8, 15, 48, 55])
def test_a_file_that_was_torn_while_it_was_made_is_made_anew(tmp_path: Path, length: int) -> None:
    path = tmp_path / "blocks"
    write_blocks(path, 0)
    path.write_bytes(path.read_bytes()[:length])
    assert write_blocks(path, 1)[0] == 56
    assert recovered_heights(path) == [1]


@pytest.mark.parametrize("content", [b"TEGATA\x00\x09", b"SQLite format 3\x00", b"X", b"TEGATB"])
def test_another_kind_of_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "blocks"
    path.write_bytes(content)
    with pytest.raises(StorageError, match="not a block file of this version"):
        BlockStore(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["missing/blocks", "folder"])
def test_a_path_that_cannot_be_opened_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="cannot be opened"):
        BlockStore(tmp_path / name)


def test_two_stores_cannot_hold_one_file(tmp_path: Path) -> None:
    first = BlockStore(tmp_path / "blocks")
    with pytest.raises(StorageError, match="another node is running"):
        BlockStore(tmp_path / "blocks")
    first.close()
    BlockStore(tmp_path / "blocks").close()


def test_a_file_that_another_process_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "blocks"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            HOLD_FILE,
            str(path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StorageError, match="another node is running"):
            BlockStore(path)
        holder.kill()
    # The lock goes with the process.
    BlockStore(path).close()


@pytest.mark.parametrize("room", [0, 1, 11, 12, 13, 200])
def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, room: int) -> None:
    path = tmp_path / "blocks"
    offsets = write_blocks(path, 2, padding=200)
    before = path.read_bytes()
    store = BlockStore(path)
    with file_size_limit(offsets[2] + room), pytest.raises(StorageError) as caught:
        store.append(make_block(3, padding=200))
    assert os.strerror(errno.EFBIG) in str(caught.value)
    assert path.read_bytes() == before
    # When there is room again, the same store goes on.
    start, following = store.append(make_block(3, padding=200))
    assert (start, store.read(start)) == (offsets[2], make_block(3, padding=200))
    assert following == path.stat().st_size
    store.close()
    assert recovered_heights(path) == [1, 2, 3]


def test_a_new_file_on_a_full_disk_is_refused(tmp_path: Path) -> None:
    with file_size_limit(3), pytest.raises(StorageError, match="cannot be written"):
        BlockStore(tmp_path / "blocks")
    assert write_blocks(tmp_path / "blocks", 1)


def file_header() -> bytes:
    """Return the header of a chain that is ours from its genesis."""
    return b"TEGATA\x00\x02" + bytes(40) + hashlib.sha256(bytes(40)).digest()[:8]


def test_the_format_is_as_it_is_described(tmp_path: Path) -> None:
    data = make_block(1).SerializeToString()
    length = len(data).to_bytes(4, "big")
    check = hashlib.sha256(length).digest()[:4]
    header = length + check + hashlib.sha256(data).digest()[:8]
    write_blocks(tmp_path / "blocks", 1)
    assert (tmp_path / "blocks").read_bytes() == file_header() + header + data


def test_a_record_with_right_checksums_that_holds_no_block_is_damage(tmp_path: Path) -> None:
    data = b"\xff\xff\xff"
    length = len(data).to_bytes(4, "big")
    check = hashlib.sha256(length).digest()[:4]
    record = length + check + hashlib.sha256(data).digest()[:8] + data
    (tmp_path / "blocks").write_bytes(file_header() + record)
    with pytest.raises(StorageError, match="the block at byte 56 is damaged"):
        recovered_heights(tmp_path / "blocks")
