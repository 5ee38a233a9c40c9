"""Which headers count as decided: signatures, powers, trust in those before, every single bit."""

import base64
import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.header_chain import (
    CHAIN_ID,
    START_NS,
    HeaderChain,
    sign_block,
    signer,
    validator_set,
)

from client_sdk.errors import LightBlockError, ProofError, StaleProofError, TrustExpiredError
from client_sdk.ledger.light_client import (
    LightBlock,
    check_light_block,
    decode_light_block,
    encode_light_block,
    verify_light_block,
)
from client_sdk.ledger.light_client.verification import NotEnoughTrustError

PERIOD_S = 1000
NOW_NS = START_NS + 500 * 10**9
FOUR = ("ann", "bob", "cid", "dee")


def chain_of(*sets: tuple[str, ...]) -> HeaderChain:
    chain = HeaderChain()
    chain.extend(*sets)
    return chain


def verify(trusted: LightBlock, found: LightBlock, *, now_ns: int = NOW_NS) -> None:
    verify_light_block(trusted, found, now_ns=now_ns, trusting_period_s=PERIOD_S)


def signed_by(*names: str, against: tuple[str, ...] = ()) -> LightBlock:
    header = chain_of(FOUR, FOUR).blocks[1].header
    return sign_block(header, validator_set(FOUR), names, against=against)


# who has decided


def test_three_of_four_decide() -> None:
    check_light_block(signed_by("ann", "bob", "cid"), CHAIN_ID)
    check_light_block(signed_by("ann", "bob", "cid", against=("dee",)), CHAIN_ID)


@pytest.mark.parametrize(
    ("names", "against"),
    [((), ()), (("ann", "bob"), ()), (("ann", "bob"), ("cid", "dee")), ((), FOUR)],
)
def test_two_of_four_do_not(names: tuple[str, ...], against: tuple[str, ...]) -> None:
    with pytest.raises(LightBlockError, match="not more than two thirds"):
        check_light_block(signed_by(*names, against=against), CHAIN_ID)


def test_exactly_two_thirds_do_not() -> None:
    validators = validator_set(FOUR[:3])
    header = replace(chain_of(FOUR).blocks[0].header, validators_hash=validators.hash())
    check_light_block(sign_block(header, validators, FOUR[:3]), CHAIN_ID)
    with pytest.raises(LightBlockError, match="signed by 2 of 3"):
        check_light_block(sign_block(header, validators, FOUR[:2]), CHAIN_ID)


def test_power_counts_and_not_heads() -> None:
    validators = validator_set(FOUR, {"ann": 10})
    header = replace(chain_of(FOUR).blocks[0].header, validators_hash=validators.hash())
    check_light_block(sign_block(header, validators, ["ann"]), CHAIN_ID)
    with pytest.raises(LightBlockError, match="signed by 3 of 13"):
        check_light_block(sign_block(header, validators, FOUR[1:]), CHAIN_ID)


def test_a_header_of_another_chain_or_protocol_does_not_count() -> None:
    block = chain_of(FOUR).blocks[0]
    with pytest.raises(LightBlockError, match="belongs to the chain"):
        check_light_block(block, "tegata-other")
    for change in ({"block_version": 12}, {"height": 0}):
        header = replace(block.header, **change)
        with pytest.raises(LightBlockError):
            check_light_block(sign_block(header, block.validators, FOUR), CHAIN_ID)


def test_votes_stand_at_their_validators_places() -> None:
    block = chain_of(FOUR).blocks[0]
    votes = block.commit.signatures
    for changed in (votes[::-1], votes[:3], (*votes, votes[0]), (votes[0], *votes[:3])):
        bent = replace(block, commit=replace(block.commit, signatures=changed))
        with pytest.raises(LightBlockError):
            check_light_block(bent, CHAIN_ID)


@pytest.mark.parametrize("power", [0, -1, 2**62])
def test_impossible_powers(power: int) -> None:
    validators = validator_set(FOUR, {"ann": power})
    header = replace(chain_of(FOUR).blocks[0].header, validators_hash=validators.hash())
    with pytest.raises(LightBlockError, match="impossible voting powers"):
        check_light_block(sign_block(header, validators, FOUR), CHAIN_ID)


def test_a_validator_that_stands_there_twice() -> None:
    validators = validator_set((*FOUR, "ann"))
    header = replace(chain_of(FOUR).blocks[0].header, validators_hash=validators.hash())
    with pytest.raises(LightBlockError, match="stands there twice"):
        check_light_block(sign_block(header, validators, FOUR), CHAIN_ID)


# what follows from a header that is trusted


def test_the_next_header_and_a_far_one_follow() -> None:
    blocks = chain_of(*[FOUR] * 9).blocks
    verify(blocks[0], blocks[1])
    verify(blocks[0], blocks[8])


def test_the_next_header_has_the_validators_that_were_named() -> None:
    blocks = chain_of(FOUR, ("eve", "flo", "gus"), ("eve",)).blocks
    verify(blocks[0], blocks[1])
    verify(blocks[1], blocks[2])
    other = HeaderChain(blocks=[blocks[0]])
    other.extend(FOUR)
    with pytest.raises(LightBlockError, match="not those that header 1 names"):
        verify(blocks[0], other.blocks[1])


def test_too_few_of_the_trusted_have_signed_a_far_one() -> None:
    """One third is not more than a third: three of nine."""
    nine = tuple("abcdefghi")
    enough, few = ("a", "b", "c", "d", "x"), ("a", "b", "c", "x")
    blocks = chain_of(nine, nine, enough, enough).blocks
    verify(blocks[0], blocks[3])
    blocks = chain_of(nine, nine, few, few).blocks
    with pytest.raises(NotEnoughTrustError, match="signed by 3 of 9"):
        verify(blocks[0], blocks[3])


def test_a_trusted_validator_counts_once() -> None:
    blocks = chain_of(FOUR, FOUR, FOUR).blocks
    votes = blocks[2].commit.signatures
    commit = replace(blocks[2].commit, signatures=(votes[0], votes[0], *votes[2:]))
    with pytest.raises(LightBlockError, match="signs twice"):
        verify(blocks[0], replace(blocks[2], commit=commit))


def test_a_vote_that_a_trusted_validator_did_not_sign() -> None:
    blocks = chain_of(FOUR, FOUR, FOUR).blocks
    first, *rest = blocks[2].commit.signatures
    forged = replace(first, signature=bytes.fromhex(signer("eve").sign(b"vote")))
    commit = replace(blocks[2].commit, signatures=(forged, *rest))
    with pytest.raises(LightBlockError, match="is not signed by it"):
        verify(blocks[0], replace(blocks[2], commit=commit))


def test_time_and_height_only_grow() -> None:
    blocks = chain_of(FOUR, FOUR, FOUR).blocks
    for found in (blocks[0], blocks[1]):
        with pytest.raises(LightBlockError, match="not above header 2"):
            verify(blocks[1], found)
    header = replace(blocks[1].header, time_ns=START_NS)
    with pytest.raises(LightBlockError, match="not later than header 1"):
        verify(blocks[0], sign_block(header, blocks[1].validators, FOUR))


def test_a_header_from_the_future() -> None:
    blocks = chain_of(*[FOUR] * 30).blocks
    verify(blocks[0], blocks[1], now_ns=START_NS)
    with pytest.raises(StaleProofError, match="from the future"):
        verify(blocks[0], blocks[29], now_ns=START_NS)


def test_trust_ends() -> None:
    blocks = chain_of(FOUR, FOUR).blocks
    end_ns = START_NS + PERIOD_S * 10**9
    verify(blocks[0], blocks[1], now_ns=end_ns - 1)
    with pytest.raises(TrustExpiredError, match="give height and hash of a newer one"):
        verify(blocks[0], blocks[1], now_ns=end_ns)


# every bit


SHOWN = json.loads(encode_light_block(signed_by("ann", "bob", "cid", against=("dee",))))
ABSENT = json.loads(encode_light_block(signed_by("ann", "bob", "cid")))


def test_a_block_is_read_as_it_was_written() -> None:
    for shown in (SHOWN, ABSENT):
        block = decode_light_block(json.dumps(shown).encode())
        check_light_block(block, CHAIN_ID)
        assert json.loads(encode_light_block(block)) == shown


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from leaves(value[key], (*path, key))
    else:
        yield path


LEAVES = [(shown, path) for shown in (SHOWN, ABSENT) for path in leaves(shown)]


def changed(value: Any, data: st.DataObject) -> Any:
    """Return another value of the same form, one small step away."""
    if value is None:
        return base64.b64encode(bytes(64)).decode()
    if isinstance(value, int):
        return value ^ (1 << data.draw(st.integers(0, 20)))
    if not value:
        return data.draw(st.sampled_from(["0", "00", "A", "00" * 20, "00" * 32, " "]))
    at = data.draw(st.integers(0, len(value) - 1))
    other = chr(ord(value[at]) ^ (1 << data.draw(st.integers(0, 6))))
    return value[:at] + other + value[at + 1 :]


@given(st.data())
def test_every_changed_bit_is_refused(data: st.DataObject) -> None:
    shown, path = data.draw(st.sampled_from(LEAVES))
    bent = copy.deepcopy(shown)
    holder = bent
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = changed(holder[path[-1]], data)
    with pytest.raises(ProofError):
        check_light_block(decode_light_block(json.dumps(bent).encode()), CHAIN_ID)


@given(st.sampled_from([path for _, path in LEAVES]), st.sampled_from([SHOWN, ABSENT]))
def test_whatever_is_missing_is_refused(path: tuple[Any, ...], shown: dict[str, Any]) -> None:
    bent = copy.deepcopy(shown)
    holder = bent
    for key in path[:-1]:
        holder = holder[key]
    # The protocol's version of the application is left out where it is zero.
    if isinstance(holder, list) or (holder[path[-1]] is None):
        return
    del holder[path[-1]]
    with pytest.raises(ProofError):
        check_light_block(decode_light_block(json.dumps(bent).encode()), CHAIN_ID)


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(LightBlockError):
        decode_light_block(data)


def test_times_have_one_form() -> None:
    bent = copy.deepcopy(SHOWN)
    header = bent["signed_header"]["header"]
    for text in (header["time"].replace("Z", "+00:00"), header["time"][:-1] + ".0Z", "now"):
        header["time"] = text
        with pytest.raises(LightBlockError, match="time"):
            decode_light_block(json.dumps(bent).encode())
