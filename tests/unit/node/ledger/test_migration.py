"""irohad's history: read from each of its stores, imported byte for byte, and built upon."""

import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import rocksdict
from support.irohad_blocks import (
    recorded_blocks,
    write_flat_files,
    write_rocksdb,
)

from chaincode.errors import InvalidBlockError
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.commands_pb2 import Command, TransferAsset
from chaincode.transactions import block_hash
from node.errors import ConfigError, StorageError
from node.ledger.block_store import BlockStore, ImportedHistory
from node.ledger.irohad_blocks import FlatFiles, find_source, find_top, open_source
from node.ledger.migration import check_import_is_whole, import_history
from node.ledger.stores import LedgerStores, drop_state


class Given:
    """Blocks from the test's memory."""

    def __init__(self, blocks: list[Block]) -> None:
        self._blocks = blocks

    def top(self) -> int:
        return len(self._blocks)

    def blocks(self, first: int) -> Iterator[Block]:
        yield from self._blocks[first - 1 :]

    def close(self) -> None:
        pass


def imported(data: Path, blocks: list[Block]) -> tuple[int, bytes, bytes]:
    with LedgerStores(data) as stores:
        report = import_history(stores, Given(blocks))
        assert report.unverified == ()
        tip = stores.tip()
    return tip.height, tip.block_hash, tip.root


# what comes in


@pytest.mark.parametrize("backend", ["postgres", "rocksdb"])
def test_a_recorded_chain_is_imported_byte_for_byte(tmp_path: Path, backend: str) -> None:
    blocks = recorded_blocks(backend)
    assert len(blocks) == 169
    with LedgerStores(tmp_path) as stores:
        report = import_history(stores, Given(blocks))
        assert (report.blocks, report.unverified) == (169, ())
        with stores.state.snapshot() as view:
            for block in blocks:
                found = view.block_at(block.block_v1.payload.height)
                assert found is not None
                assert found.SerializeToString() == block.SerializeToString()
            for below, above in itertools.pairwise(blocks):
                assert block_hash(below).hex() == above.block_v1.payload.prev_block_hash
        assert stores.tip().block_hash == block_hash(blocks[-1])


@pytest.mark.parametrize("write", [write_flat_files, write_rocksdb])
def test_each_store_of_irohad_gives_the_same_ledger(
    tmp_path: Path, write: Callable[[Path, list[Block]], None]
) -> None:
    blocks = recorded_blocks()
    write(tmp_path / "irohad", blocks)
    with (
        closing(open_source(str(tmp_path / "irohad"))) as source,
        LedgerStores(tmp_path / "data") as stores,
    ):
        assert source.top() == 169
        import_history(stores, source)
        tip = stores.tip()
    assert (tip.height, tip.block_hash, tip.root) == imported(tmp_path / "other", blocks)


def test_an_import_that_was_broken_off_goes_on(tmp_path: Path) -> None:
    blocks = recorded_blocks()

    class BrokenOff(Given):
        def blocks(self, first: int) -> Iterator[Block]:
            for block in super().blocks(first):
                if first < 169 and block.block_v1.payload.height == 100:
                    raise StorageError("the disk went away")
                yield block

    with (
        LedgerStores(tmp_path / "data") as stores,
        pytest.raises(StorageError, match="went away"),
    ):
        import_history(stores, BrokenOff(blocks))
    with LedgerStores(tmp_path / "data") as stores:
        with pytest.raises(ConfigError, match="broken off at 99 of 169"):
            check_import_is_whole(stores)
        assert import_history(stores, Given(blocks)).blocks == 70
        check_import_is_whole(stores)


def test_what_irohad_added_since_is_imported_too(tmp_path: Path) -> None:
    blocks = recorded_blocks()
    with LedgerStores(tmp_path) as stores:
        assert import_history(stores, Given(blocks[:50])).blocks == 50
        assert import_history(stores, Given(blocks[:50])).blocks == 0
        assert import_history(stores, Given(blocks)).blocks == 119
        with pytest.raises(ConfigError, match="has 169 blocks already, the source only 50"):
            import_history(stores, Given(blocks[:50]))


def test_the_state_is_rebuilt_from_imported_blocks(tmp_path: Path) -> None:
    before = imported(tmp_path, recorded_blocks())
    drop_state(tmp_path)
    with LedgerStores(tmp_path) as stores:
        assert stores.replayed_blocks == 169
        tip = stores.tip()
    assert (tip.height, tip.block_hash, tip.root) == before


# what is refused


def test_a_block_that_was_changed_is_refused(tmp_path: Path) -> None:
    blocks = recorded_blocks()[:20]
    blocks[9].block_v1.payload.created_time += 1
    with (
        LedgerStores(tmp_path) as stores,
        pytest.raises(InvalidBlockError, match=r"block 10: .*--allow-unverified"),
    ):
        import_history(stores, Given(blocks))


def test_a_block_of_another_chain_is_refused(tmp_path: Path) -> None:
    blocks = recorded_blocks()[:20]
    blocks[9] = recorded_blocks("rocksdb")[9]
    with (
        LedgerStores(tmp_path) as stores,
        pytest.raises(InvalidBlockError, match="block 10: its pr"),
    ):
        import_history(stores, Given(blocks))


def test_signatures_that_do_not_follow_are_taken_where_asked(tmp_path: Path) -> None:
    blocks = recorded_blocks()[:5]
    del blocks[3].block_v1.signatures[:]
    with LedgerStores(tmp_path) as stores:
        with pytest.raises(InvalidBlockError, match=r"block 4: 0 of 1 peers.*--allow-unverified"):
            import_history(stores, Given(blocks))
        report = import_history(stores, Given(blocks), allow_unverified=True)
        assert (report.blocks, report.unverified) == (2, (4,))


@pytest.mark.parametrize(
    ("amount", "problem"),
    [("1", "command 13, TransferAsset: there is no account"), ("one", "invalid literal")],
)
def test_a_command_that_cannot_be_applied_is_named(
    tmp_path: Path, amount: str, problem: str
) -> None:
    genesis = recorded_blocks()[0]
    reduced = genesis.block_v1.payload.transactions[0].payload.reduced_payload
    transfer = TransferAsset(
        src_account_id="admin@test", dest_account_id="no@test", asset_id="coin#test", amount=amount
    )
    reduced.commands.append(Command(transfer_asset=transfer))
    with (
        LedgerStores(tmp_path) as stores,
        pytest.raises(InvalidBlockError, match=rf"block 1, transaction \w+: {problem}"),
    ):
        import_history(stores, Given([genesis]))


def test_a_command_that_is_not_set_is_refused(tmp_path: Path) -> None:
    genesis = recorded_blocks()[0]
    genesis.block_v1.payload.transactions[0].payload.reduced_payload.commands.add()
    with (
        LedgerStores(tmp_path) as stores,
        pytest.raises(InvalidBlockError, match=r"block 1, transaction \w+: a command is not set"),
    ):
        import_history(stores, Given([genesis]))


def test_history_goes_beneath_a_new_ledger_only(tmp_path: Path) -> None:
    blocks = recorded_blocks()
    with LedgerStores(tmp_path) as stores:
        stores.append(blocks[0])
        with pytest.raises(ConfigError, match="has blocks of its own"):
            import_history(stores, Given(blocks))


def test_another_ledgers_history_is_refused(tmp_path: Path) -> None:
    imported(tmp_path, recorded_blocks())
    with (
        LedgerStores(tmp_path) as stores,
        pytest.raises(ConfigError, match="the blocks of another ledger"),
    ):
        import_history(stores, Given(recorded_blocks("rocksdb")))


def test_the_top_of_the_history_fixes_what_is_below(tmp_path: Path) -> None:
    """A chain that is put in the place of the imported one does not pass for it."""
    imported(tmp_path / "one", recorded_blocks())
    imported(tmp_path / "two", recorded_blocks("rocksdb"))
    with closing(BlockStore(tmp_path / "one" / "blocks")) as store:
        history = store.imported
    with closing(BlockStore(tmp_path / "two" / "blocks")) as store:
        store.declare_imported(history)
    drop_state(tmp_path / "two")
    with pytest.raises(InvalidBlockError, match="block 169: not the block that ends"):
        LedgerStores(tmp_path / "two")


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["0000000000000002"], "block 1 is missing"),
        (["0000000000000001", "0000000000000003"], "block 2 is missing"),
    ],
)
def test_a_folder_with_a_gap_is_refused(tmp_path: Path, names: list[str], problem: str) -> None:
    for name in names:
        (tmp_path / name).write_text("{}")
    with pytest.raises(StorageError, match=problem):
        open_source(str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"no json", b"\xff", b'{"block_v2": {}}'])
def test_a_file_that_is_no_block_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0000000000000001").write_bytes(content)
    with pytest.raises(StorageError, match="0000000000000001: "):
        list(FlatFiles(tmp_path).blocks(1))


def test_files_of_others_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "0000000000000001.tmp").write_text("half a block")
    (tmp_path / "tegata").mkdir()
    assert find_source(tmp_path) is None
    with pytest.raises(ConfigError, match="neither a folder with blocks of irohad nor host:port"):
        open_source(str(tmp_path))


def test_a_rocksdb_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "CURRENT").write_text("nothing\n")
    with pytest.raises(StorageError, match="no RocksDB of irohad"):
        open_source(str(tmp_path))


def test_a_rocksdb_whose_count_is_no_number_is_refused(tmp_path: Path) -> None:
    write_rocksdb(tmp_path / "wsv", [])
    options = rocksdict.Options(raw_mode=True)
    families = dict.fromkeys(("default", "wsv", "store"), options)
    with rocksdict.Rdict(str(tmp_path / "wsv"), options, column_families=families) as database:
        database.get_column_family("store")[b"sV"] = b"many"
    with (
        closing(open_source(str(tmp_path / "wsv"))) as source,
        pytest.raises(StorageError, match="its count of blocks is no number"),
    ):
        source.top()


def test_without_the_extra_a_rocksdb_is_said_to_need_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rocksdb(tmp_path / "wsv", recorded_blocks()[:1])
    monkeypatch.setitem(sys.modules, "rocksdict", None)
    with pytest.raises(ConfigError, match=r"install tegata\[rocksdb\]"):
        open_source(str(tmp_path / "wsv"))


@pytest.mark.parametrize("height", [0, 1, 2, 3, 7, 8, 9, 1000, 1023, 1024, 123_456])
def test_the_top_is_found_in_few_questions(height: int) -> None:
    asked: list[int] = []

    def has_block(at: int) -> bool:
        asked.append(at)
        return at <= height

    assert find_top(has_block) == height
    assert len(asked) <= 2 * height.bit_length() + 1


# the header of the block file


def test_a_damaged_header_is_refused(tmp_path: Path) -> None:
    with closing(BlockStore(tmp_path / "blocks")) as store:
        store.declare_imported(ImportedHistory(height=7, block_hash=b"\x07" * 32))
    data = bytearray((tmp_path / "blocks").read_bytes())
    data[15] ^= 1
    (tmp_path / "blocks").write_bytes(data)
    with pytest.raises(StorageError, match="its header is damaged"):
        BlockStore(tmp_path / "blocks")


def test_the_header_is_kept(tmp_path: Path) -> None:
    history = ImportedHistory(height=7, block_hash=b"\x07" * 32)
    with closing(BlockStore(tmp_path / "blocks")) as store:
        store.declare_imported(history)
    with closing(BlockStore(tmp_path / "blocks")) as store:
        assert store.imported == history
