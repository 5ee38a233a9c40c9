"""Headers of a real CometBFT (`tests/vectors/cometbft/make_headers.py`), as files and over HTTP."""

import copy
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.header_chain import KeptBlock
from support.http_stand import HttpStand, Received, Reply, json_reply

from client_sdk.errors import HeaderUnavailableError, ProofError, TransportError
from client_sdk.http.client import HttpClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.light_client import (
    ChainTrust,
    CometBftRpc,
    LightClient,
    check_light_block,
    decode_light_block,
    encode_light_block,
    verify_light_block,
)
from client_sdk.ledger.light_client.light_block import VoteFlag
from client_sdk.ledger.light_client.rpc_forms import parse_light_block

RECORDED = json.loads(
    (Path(__file__).parents[4] / "vectors" / "cometbft" / "headers.json").read_bytes()
)
CHAIN_ID: str = RECORDED["chain_id"]
SHOWN: list[dict[str, Any]] = RECORDED["blocks"]
BLOCKS = [parse_light_block(one["commit"], [one["validators"]]) for one in SHOWN]
NOW_NS = BLOCKS[-1].header.time_ns + 10**9
YEARS_S = 10 * 365 * 86_400


def test_every_header_was_decided() -> None:
    for block in BLOCKS:
        check_light_block(block, CHAIN_ID)
        assert decode_light_block(encode_light_block(block)) == block


def test_each_header_names_the_one_below_and_the_validators_above() -> None:
    for below, block in itertools.pairwise(BLOCKS):
        assert block.header.last_block_id == below.commit.block_id
        assert block.validators.hash() == below.header.next_validators_hash


def test_what_was_recorded_has_what_matters() -> None:
    sets = {block.validators.hash() for block in BLOCKS}
    assert len(sets) >= 3
    flags = {vote.flag for block in BLOCKS for vote in block.commit.signatures}
    assert VoteFlag.ABSENT in flags
    assert len({block.header.app_hash for block in BLOCKS}) > 3


def test_each_follows_from_each_below() -> None:
    for number, below in enumerate(BLOCKS):
        for block in BLOCKS[number + 1 :]:
            verify_light_block(below, block, now_ns=NOW_NS, trusting_period_s=YEARS_S)


NOT_SIGNED = {"proposer_priority", "canonical", "count", "total", "block_height"}
"""What the RPC says beside the block; the number of a block's parts has a name of these too."""


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from leaves(value[key], (*path, key))
    elif path[-1] not in NOT_SIGNED or "parts" in path:
        yield path


LEAVES = list(leaves(SHOWN[-1]))


@given(st.data())
def test_every_changed_bit_is_refused(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(LEAVES))
    shown = copy.deepcopy(SHOWN[-1])
    holder = shown
    for key in path[:-1]:
        holder = holder[key]
    value = holder[path[-1]]
    if isinstance(value, int):
        holder[path[-1]] = value ^ (1 << data.draw(st.integers(0, 20)))
    elif value:
        at = data.draw(st.integers(0, len(value) - 1))
        bit = 1 << data.draw(st.integers(0, 6))
        holder[path[-1]] = value[:at] + chr(ord(value[at]) ^ bit) + value[at + 1 :]
    else:
        holder[path[-1]] = "00" * 32
    with pytest.raises(ProofError):
        check_light_block(parse_light_block(shown["commit"], [shown["validators"]]), CHAIN_ID)


# over HTTP


def answer(request: Received) -> Reply:
    """Answer as the RPC of CometBFT does; its errors have the status 500."""
    method = urlsplit(request.path).path.strip("/")
    query = {name: int(value) for name, (value,) in parse_qs(urlsplit(request.path).query).items()}
    height = query.get("height", len(SHOWN))
    if height > len(SHOWN):
        data = f"height {height} must be less than or equal to the head block height {len(SHOWN)}"
        error = {"code": -32603, "message": "Internal error", "data": data}
        return json_reply({"jsonrpc": "2.0", "id": -1, "error": error}, status=500)
    result = copy.deepcopy(SHOWN[height - 1][method])
    if method == "validators":
        size, page = 2, query["page"]
        found = result["validators"]
        result["validators"] = found[(page - 1) * size : page * size]
    return json_reply({"jsonrpc": "2.0", "id": -1, "result": result})


@pytest.fixture
def http() -> Iterator[HttpClient]:
    client = HttpClient(timeout_s=5)
    yield client
    client.close()


def test_a_client_follows_the_rpc(http: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client_sdk.ledger.light_client.cometbft_rpc._PAGE", 2)
    keys = [AccountKey(bytes([number]) * 32).public_key for number in range(1, 5)]
    kept = KeptBlock()
    with HttpStand(answer) as stand:
        source = CometBftRpc(f"{stand.url}/", http)
        client = LightClient(
            [source, source],
            ChainTrust.in_peers(CHAIN_ID, keys),
            blocks=kept,
            now_ms=lambda: NOW_NS // 10**6,
            timeout_s=0,
        )
        assert client.newest() == BLOCKS[-1]
        assert client.find(BLOCKS[-1].header.app_hash) == BLOCKS[-1]
        assert source.light_block(2) == BLOCKS[1]
        with pytest.raises(HeaderUnavailableError, match="must be less than or equal"):
            source.light_block(len(SHOWN) + 1)
    assert decode_light_block(kept.data or b"") == BLOCKS[-1]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"result": 1}',
        b'{"result": {}}',
        b'{"error": "x"}',
        b'{"result": {"signed_header": {"header": {"height": "x"}}}}',
    ],
)
def test_what_is_no_answer_of_cometbft(http: HttpClient, body: bytes) -> None:
    with HttpStand(lambda _: Reply(body=body)) as stand:
        source = CometBftRpc(stand.url, http)
        with pytest.raises((TransportError, ProofError)):
            source.light_block()
        with pytest.raises((TransportError, ProofError)):
            source.light_block(1)
