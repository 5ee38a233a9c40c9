"""The chains that a real irohad made (`tests/vectors/iroha1`), and its stores written anew."""

import base64
import gzip
import json
from pathlib import Path

import rocksdict
from google.protobuf import json_format

from chaincode.protocol.block_pb2 import Block
from client_sdk.ledger.account_key import AccountKey

VECTORS = Path(__file__).parents[1] / "vectors" / "iroha1"
NODE_KEY = AccountKey.load(VECTORS / "node0.priv")
CHAINS = {"postgres": "blocks.jsonl.gz", "rocksdb": "blocks_rocksdb.jsonl.gz"}


def recorded_blocks(backend: str = "postgres") -> list[Block]:
    """Return all blocks of a recorded chain, the genesis first."""
    with gzip.open(VECTORS / CHAINS[backend], "rt", encoding="ascii") as lines:
        return [Block.FromString(base64.b64decode(json.loads(line)["block"])) for line in lines]


def write_flat_files(folder: Path, blocks: list[Block]) -> None:
    """Write blocks as irohad's `FlatFile` does: 16 digits of the height, protobuf's JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    for block in blocks:
        path = folder / f"{block.block_v1.payload.height:016}"
        path.write_text(_json(block), encoding="utf-8")


def write_rocksdb(folder: Path, blocks: list[Block]) -> None:
    """Write blocks as irohad's `RocksDbBlockStorage` does, in its column families."""
    options = rocksdict.Options(raw_mode=True)
    database = rocksdict.Rdict(str(folder), options)
    database.create_column_family("wsv", options)
    store = database.create_column_family("store", options)
    for block in blocks:
        store[f"s/{block.block_v1.payload.height}/".encode()] = _json(block).encode()
    store[b"sV"] = str(len(blocks)).encode()
    store.close()
    database.close()


def _json(block: Block) -> str:
    return json_format.MessageToJson(block, indent=None)
