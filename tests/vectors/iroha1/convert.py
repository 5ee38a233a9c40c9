"""Turn a recording of irohad into the compact form that the conformance test replays.

Usage: python tests/vectors/iroha1/convert.py TRANSCRIPT.jsonl.gz BLOCKS.jsonl.gz
"""

import base64
import gzip
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from chaincode.protocol.block_pb2 import Block
from chaincode.transactions import transaction_hash

HERE = Path(__file__).parent


def read_lines(path: str) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def write_lines(name: str, lines: Iterable[dict[str, Any]]) -> None:
    # Without a time in the header, so that the same recording gives the same file.
    with (HERE / name).open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        for line in lines:
            file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")


def last_status(line: dict[str, Any], tx_hash: str) -> str:
    """Return the last word on a transaction.

    The status that irohad remembers, which was read afterwards, lags behind its stream at times.
    """
    newest: str = line["streams"][tx_hash][-1]["raw"]
    after: str = line["status_after"][tx_hash]["raw"]
    return newest if newest[:3] in DECIDED else after


def convert_exchange(line: dict[str, Any], heights: list[int]) -> dict[str, Any]:
    """Return an exchange without its texts for readers, with the blocks that it led to."""
    if line["kind"] == "http":
        return {"name": line["name"], "method": "GET /healthcheck", "body": line["body"]}
    exchange = {
        "name": line["name"],
        "method": line["rpc"],
        "sent_at_ms": line["sent_at_ms"],
        "request": line["request"],
        "answers": [answer["raw"] for answer in line["responses"]],
        "grpc_code": line.get("grpc_code", 0),
    }
    if line["kind"] == "tx":
        exchange["block_heights"] = heights
        exchange["transactions"] = {
            tx_hash: {
                "stream": [status["raw"] for status in line["streams"][tx_hash]],
                "last": last_status(line, tx_hash),
            }
            for tx_hash in line["hashes"]
        }
    return exchange


def convert(transcript: str, blocks: str) -> Iterator[dict[str, Any]]:
    """Yield the exchanges; those that were made while a block stream was open come inside it."""
    decided: dict[str, int] = {}
    for line in read_lines(blocks):
        payload = Block.FromString(base64.b64decode(line["block"])).block_v1.payload
        for transaction in payload.transactions:
            decided[transaction_hash(transaction).hex()] = payload.height
        decided |= dict.fromkeys(payload.rejected_transactions_hashes, payload.height)
    during = []
    told: set[int] = set()
    for line in read_lines(transcript):
        final = {h for h in line.get("hashes", []) if last_status(line, h)[:3] in DECIDED}
        heights = sorted({decided[tx_hash] for tx_hash in final} - told)
        told.update(heights)
        exchange = convert_exchange(line, heights)
        if line["name"].startswith("during "):
            during.append(exchange)
        elif during:
            yield exchange | {"during": during}
            during = []
        else:
            yield exchange


DECIDED = {base64.b64encode(bytes([8, status, 18]))[:3].decode() for status in (4, 5)}
"""How a ToriiResponse with the status REJECTED or COMMITTED begins."""

if __name__ == "__main__":
    transcript_path, blocks_path = sys.argv[1:]
    write_lines("exchanges.jsonl.gz", convert(transcript_path, blocks_path))
    write_lines(
        "blocks.jsonl.gz",
        ({"height": line["height"], "block": line["block"]} for line in read_lines(blocks_path)),
    )
