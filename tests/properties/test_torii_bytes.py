"""Any bytes at every method of a live node: each call is answered, nothing grows or stops."""

import base64
import os
import random
from collections.abc import Iterator
from pathlib import Path

import grpc
from support.iroha1_replay import PATHS, STREAMS, load_exchanges
from support.processes import NodeProcess, make_ledger_folder

from client_sdk.ledger.commands import set_account_detail
from node.ledger.genesis import ADMIN_ACCOUNT

CALLS = 100_000 if os.environ.get("TEGATA_SOAK") else 1_500
SEED = 1
DEADLINE_S = 30
MAX_GROWTH_BYTES = 64 * 1024 * 1024
MAX_NEW_THREADS = 16
NO_MESSAGE = (grpc.StatusCode.INTERNAL, "the bytes are not a message of type")
"""How a node answers what it cannot decode; any other internal error is a defect."""
ANSWERED = frozenset({grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED})


def recorded_requests() -> list[bytes]:
    """Return what honest and clumsy clients sent, as long as it is not very long."""
    requests = (base64.b64decode(e["request"]) for e in load_exchanges() if "request" in e)
    return sorted({request for request in requests if 0 < len(request) < 5_000})


def mutate(request: bytes, chance: random.Random) -> bytes:
    """Return a request with a few changes: bits, bytes, pieces that move, vanish or come twice."""
    data = bytearray(request)
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(data) + 1), chance.randint(1, 64)
        piece = bytes(data[at : at + length])
        to = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                data[at : at + length] = b""
            case 2:
                data[to:to] = piece * chance.randint(1, 3)
            case 3:
                data[at:at] = chance.randbytes(length)
            case _:
                del data[at:]
    return bytes(data)


def bytes_to_send(chance: random.Random, corpus: list[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield methods and requests without end."""
    while True:
        method = chance.choice(list(PATHS))
        if chance.random() < 0.1:
            yield method, chance.randbytes(chance.randrange(200))
        else:
            yield method, mutate(chance.choice(corpus), chance)


def call(channel: grpc.Channel, method: str, request: bytes) -> tuple[grpc.StatusCode, str]:
    """Send a request and return how the call ended; of a status stream one message is read."""
    path = PATHS[method] + method
    try:
        if method in STREAMS:
            stream = channel.unary_stream(path)(request, timeout=DEADLINE_S)
            # A stream of blocks is silent until the next one.
            if method == "StatusStream":
                next(iter(stream), None)
            stream.cancel()
        else:
            channel.unary_unary(path)(request, timeout=DEADLINE_S)
    except grpc.RpcError as error:
        return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""


def resident_bytes_and_threads(pid: int) -> tuple[int, int]:
    fields = dict(
        line.split(":", 1)
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    )
    return int(fields["VmRSS"].split()[0]) * 1024, int(fields["Threads"])


def test_no_bytes_break_a_node(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    source = bytes_to_send(chance, recorded_requests())
    folder = make_ledger_folder(tmp_path / "node")
    with NodeProcess(folder.path) as node, grpc.insecure_channel(node.address) as channel:
        for number, (method, request) in zip(range(CALLS), source, strict=False):
            code, text = call(channel, method, request)
            is_no_message = code == NO_MESSAGE[0] and text.startswith(NO_MESSAGE[1])
            assert code in ANSWERED or is_no_message, (method, request, code, text)
            if number == CALLS // 3:
                before, threads_before = resident_bytes_and_threads(node.pid)
        after, threads_after = resident_bytes_and_threads(node.pid)
        assert after - before < MAX_GROWTH_BYTES
        assert threads_after - threads_before < MAX_NEW_THREADS
        with folder.admin(node.address) as admin:
            admin.submit(set_account_detail(ADMIN_ACCOUNT, "still", "alive"))
        assert node.stop() == 0
        assert not [line for line in node.log if "Traceback" in str(line.get("text"))]
