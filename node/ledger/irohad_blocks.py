"""Reading the blocks that irohad made: from its flat files, its RocksDB, or a running daemon."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import grpc
from google.protobuf import json_format

from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.loader_pb2 import BlockRequest
from node.errors import ConfigError, PeerUnreachableError, StorageError

MAX_BLOCK_BYTES: Final = 128 * 1024 * 1024
"""The largest gRPC message of irohad."""
_CALL_S: Final = 30.0
_FLAT_FILE: Final = re.compile(r"[0-9]{16}")
# The first file of each RocksDB: it names the others.
_ROCKSDB_MARK: Final = "CURRENT"
_COLUMN_FAMILY: Final = "store"
_COUNT_KEY: Final = b"sV"


class BlockSource(Protocol):
    """The blocks of an irohad ledger."""

    def top(self) -> int:
        """Return the height of the last block; 0 where there is none."""
        ...

    def blocks(self, first: int) -> Iterator[Block]:
        """Yield the blocks from a height on, at least to what `top` said."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


class FlatFiles:
    """irohad's `block_store_path`: one file of JSON for each block, named by its height."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def top(self) -> int:
        """Return the height of the last block; 0 where there is none.

        Raises:
            StorageError: The folder cannot be read, or a block below the last is missing.
        """
        try:
            names = {p.name for p in self._folder.iterdir() if _FLAT_FILE.fullmatch(p.name)}
        except OSError as error:
            raise StorageError(f"{self._folder}: cannot be read: {error.strerror}") from None
        heights = sorted(int(name) for name in names)
        for due, height in enumerate(heights, start=1):
            if height != due:
                raise StorageError(f"{self._folder}: block {due} is missing")
        return len(heights)

    def blocks(self, first: int) -> Iterator[Block]:
        """Yield the blocks from a height on.

        Raises:
            StorageError: A file cannot be read as a block.
        """
        height = first
        while (path := self._folder / f"{height:016}").exists():
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise StorageError(f"{path}: cannot be read: {error}") from None
            yield _parse_block(text, str(path))
            height += 1

    def close(self) -> None:
        """Hold nothing."""


class RocksDb:
    """irohad's RocksDB, opened for reading: it may go on running meanwhile."""

    def __init__(self, folder: Path) -> None:
        """Open the database.

        Raises:
            ConfigError: The extra `tegata[rocksdb]` is not installed.
            StorageError: It cannot be opened, or is no database of irohad.
        """
        try:
            import rocksdict  # noqa: PLC0415 - an extra that few need
        except ImportError:
            raise ConfigError(
                f"{folder}: to read irohad's RocksDB, install tegata[rocksdb]"
            ) from None
        self._folder = folder
        # irohad writes bytes; the library's own mode would expect a mark before each.
        options = rocksdict.Options(raw_mode=True)
        families = {"default": options, "wsv": options, _COLUMN_FAMILY: options}
        try:
            self._database = rocksdict.Rdict(
                str(folder),
                options,
                column_families=families,
                access_type=rocksdict.AccessType.read_only(),
            )
            self._store = self._database.get_column_family(_COLUMN_FAMILY)
        except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
            raise StorageError(f"{folder}: no RocksDB of irohad: {error}") from None

    def top(self) -> int:
        """Return the height of the last block; 0 where there is none.

        Raises:
            StorageError: The count is no number.
        """
        text = self._store.get(_COUNT_KEY) or b"0"
        if not text.isdigit():
            raise StorageError(f"{self._folder}: its count of blocks is no number")
        return int(text)

    def blocks(self, first: int) -> Iterator[Block]:
        """Yield the blocks from a height on.

        Raises:
            StorageError: A value cannot be read as a block.
        """
        height = first
        while (value := self._store.get(f"s/{height}/".encode())) is not None:
            yield _parse_block(value, f"{self._folder}: block {height}")
            height += 1

    def close(self) -> None:
        """Close the database."""
        self._store.close()
        self._database.close()


class LoaderClient:
    """The port between peers of a running daemon, irohad or ours."""

    def __init__(self, address: str) -> None:
        """Prepare a connection; the first call opens it.

        Args:
            address: `host:port` of the daemon's `internal_port`.
        """
        self._address = address
        options = [("grpc.max_receive_message_length", MAX_BLOCK_BYTES)]
        self._channel = grpc.insecure_channel(address, options)
        service = "/iroha.network.proto.Loader/"
        self._retrieve_block = self._channel.unary_unary(
            service + "retrieveBlock", BlockRequest.SerializeToString, Block.FromString
        )
        self._retrieve_blocks = self._channel.unary_stream(
            service + "retrieveBlocks", BlockRequest.SerializeToString, Block.FromString
        )

    def top(self) -> int:
        """Return the height of the last block; 0 where there is none.

        Raises:
            PeerUnreachableError: The daemon does not answer.
        """
        with self._errors():
            return find_top(self._has_block)

    def blocks(self, first: int) -> Iterator[Block]:
        """Yield the blocks from a height on, to the last that the daemon has now.

        Raises:
            PeerUnreachableError: The daemon does not answer.
        """
        with self._errors():
            yield from self._retrieve_blocks(BlockRequest(height=first))

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def _has_block(self, height: int) -> bool:
        try:
            self._retrieve_block(BlockRequest(height=height), timeout=_CALL_S)
        except grpc.RpcError as error:
            if isinstance(error, grpc.Call) and error.code() == grpc.StatusCode.NOT_FOUND:
                return False
            raise
        return True

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            reason = error.details() if isinstance(error, grpc.Call) else str(error)
            raise PeerUnreachableError(f"peer {self._address}: {reason}") from None


def find_source(folder: Path) -> FlatFiles | RocksDb | None:
    """Return the blocks of irohad that a folder holds, or None where it holds none.

    Raises:
        ConfigError: It is a RocksDB, and `tegata[rocksdb]` is not installed.
        StorageError: The folder cannot be read, or is no RocksDB of irohad.
    """
    if (folder / _ROCKSDB_MARK).exists():
        return RocksDb(folder)
    if folder.is_dir():
        files = FlatFiles(folder)
        if files.top():
            return files
    return None


def open_source(place: str) -> BlockSource:
    """Return the blocks at a place: a folder, or `host:port` of a daemon's `internal_port`.

    Raises:
        ConfigError: The folder holds no blocks of irohad.
        StorageError: The folder cannot be read.
    """
    folder = Path(place)
    if not folder.exists() and re.fullmatch(r"[^/]+:[0-9]+", place):
        return LoaderClient(place)
    source = find_source(folder)
    if source is None:
        raise ConfigError(f"{place}: neither a folder with blocks of irohad nor host:port")
    return source


def find_top(has_block: Callable[[int], bool]) -> int:
    """Return the height of a chain's last block in as few questions as its height has bits.

    Args:
        has_block: Tells whether there is a block at a height.
    """
    above = 1
    while has_block(above):
        above *= 2
    below = above // 2
    while above - below > 1:
        middle = (above + below) // 2
        below, above = (middle, above) if has_block(middle) else (below, middle)
    return below


def _parse_block(text: str | bytes, where: str) -> Block:
    try:
        return json_format.Parse(text, Block())
    except (json_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise StorageError(f"{where}: no block: {error}") from None
