"""Following a chain: from the genesis block's peers, by bisection, with witnesses, and forks."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from support.header_chain import (
    CHAIN_ID,
    START_NS,
    ChainNode,
    HeaderChain,
    KeptBlock,
    sign_block,
    signer,
)

from client_sdk.errors import (
    LedgerForkError,
    LightBlockError,
    ProofError,
    StaleProofError,
    TransportError,
    TrustExpiredError,
)
from client_sdk.ledger.light_client import (
    ChainTrust,
    LightBlock,
    LightClient,
    decode_light_block,
)

FOUR = ("ann", "bob", "cid", "dee")
DAY_MS = 86_400_000
START_MS = START_NS // 1_000_000


def chain_of(*sets: Sequence[str], data: bytes = b"") -> HeaderChain:
    chain = HeaderChain()
    chain.extend(*sets, data=data)
    return chain


def trust_in(names: Sequence[str] = FOUR) -> ChainTrust:
    return ChainTrust.in_peers(CHAIN_ID, [signer(name).public_key for name in names])


def client_of(
    *nodes: ChainNode,
    trust: ChainTrust | None = None,
    kept: KeptBlock | None = None,
    now_ms: int = START_MS + 1_000_000,
    begins_anew: bool = False,
    timeout_s: float = 0,
) -> LightClient:
    return LightClient(
        nodes,
        trust or trust_in(),
        blocks=kept if kept is not None else KeptBlock(),
        now_ms=lambda: now_ms,
        timeout_s=timeout_s,
        begins_anew=begins_anew,
    )


# where it begins


def test_it_begins_with_the_peers_of_the_genesis_block() -> None:
    chain = chain_of(*[FOUR] * 5)
    node, kept = ChainNode(chain), KeptBlock()
    assert client_of(node, kept=kept).newest() == chain.blocks[-1]
    assert node.asked == [None, 1]
    assert decode_light_block(kept.data or b"") == chain.blocks[-1]
    # The next one goes on from there, and asks for nothing that it knows.
    chain.extend(FOUR)
    assert client_of(node, kept=kept).newest() == chain.blocks[-1]
    assert node.asked == [None, 1, None]


def test_however_long_ago_the_ledger_began() -> None:
    chain = chain_of(FOUR, FOUR)
    year = 365 * DAY_MS
    header = replace(chain.blocks[1].header, time_ns=START_NS + year * 10**6)
    chain.blocks[1] = sign_block(header, chain.blocks[1].validators, FOUR)
    kept = KeptBlock()
    assert client_of(ChainNode(chain), kept=kept, now_ms=START_MS + year).newest()
    # A header that was kept is trusted for a while.
    chain.extend(FOUR)
    later = client_of(ChainNode(chain), kept=kept, now_ms=START_MS + 2 * year)
    with pytest.raises(TrustExpiredError, match="365 days old, and trusted for 30"):
        later.newest()


@pytest.mark.parametrize("names", [FOUR[:3], (*FOUR, "eve"), (*FOUR[:3], "eve")])
def test_other_validators_are_not_the_ledgers_peers(names: Sequence[str]) -> None:
    with pytest.raises(LightBlockError, match="not the peers of the genesis block"):
        client_of(ChainNode(chain_of(names, names))).newest()


def test_one_of_the_ledgers_peers_alone_makes_no_beginning() -> None:
    """Its key stands in so many places that it has more than two thirds of the power."""
    chain, names = HeaderChain(), (*FOUR, *["ann"] * 9)
    chain.add(names, names, signers=("ann",))
    with pytest.raises(LightBlockError, match="stands there twice"):
        client_of(ChainNode(chain)).newest()


def test_a_header_that_somebody_vouches_for() -> None:
    chain = chain_of(*[FOUR] * 5, *[("eve", "flo")] * 5)
    node = ChainNode(chain, lowest=7)
    trust = ChainTrust.in_header(CHAIN_ID, 7, chain.blocks[6].header.hash())
    assert client_of(node, trust=trust).newest() == chain.blocks[-1]
    with pytest.raises(LightBlockError, match="no node shows header 1, to begin with"):
        client_of(node).newest()
    other = ChainTrust.in_header(CHAIN_ID, 7, b"x" * 32)
    with pytest.raises(LightBlockError, match="header 7 is not the one that is trusted"):
        client_of(node, trust=other).newest()


def test_it_can_begin_anew() -> None:
    kept, year_ms = KeptBlock(), 365 * DAY_MS
    chain = chain_of(*[FOUR] * 5)
    client_of(ChainNode(chain), kept=kept).newest()
    header = replace(chain.blocks[4].header, time_ns=START_NS + year_ms * 10**6)
    chain.blocks[4] = sign_block(header, chain.blocks[4].validators, FOUR)
    trust = ChainTrust.in_header(CHAIN_ID, 5, header.hash())
    node, now_ms = ChainNode(chain), START_MS + year_ms
    with pytest.raises(ProofError):
        client_of(node, trust=trust, kept=kept, now_ms=now_ms).newest()
    anew = client_of(node, trust=trust, kept=kept, now_ms=now_ms, begins_anew=True)
    assert anew.newest() == chain.blocks[4]


def test_the_first_header_may_come_from_a_witness() -> None:
    chain = chain_of(*[FOUR] * 5)
    young, old = ChainNode(chain, "young", lowest=4), ChainNode(chain, "old")
    assert client_of(young, old).newest() == chain.blocks[-1]


@pytest.mark.parametrize("data", [b"", b"{}", b"not JSON"])
def test_what_was_kept_is_of_no_use(data: bytes) -> None:
    kept = KeptBlock(data)
    with pytest.raises(LightBlockError, match="that was kept is of no use"):
        client_of(ChainNode(chain_of(FOUR, FOUR)), kept=kept).newest()


# changes of validators


def test_it_bisects_where_the_validators_changed() -> None:
    sets = [FOUR] * 10 + [("bob", "cid", "dee", "eve")] * 10 + [("dee", "eve", "flo", "gus")] * 10
    sets += [("flo", "gus", "hal", "ida")] * 10
    chain = chain_of(*sets)
    node = ChainNode(chain)
    assert client_of(node).newest() == chain.blocks[-1]
    assert 2 < len(node.asked) < 12


def test_all_change_at_once() -> None:
    chain = chain_of(*[FOUR] * 50, *[("eve", "flo", "gus")] * 50)
    node = ChainNode(chain)
    assert client_of(node).newest() == chain.blocks[-1]
    assert {50, 51} <= {*node.asked}


def test_a_chain_that_its_validators_did_not_hand_over() -> None:
    chain = chain_of(*[FOUR] * 5)
    chain.extend(*[("eve", "flo", "gus")] * 5)
    with pytest.raises(LightBlockError, match="not those that header 5 names"):
        client_of(ChainNode(chain)).newest()


# what a node can do


def test_a_node_that_lags_behind() -> None:
    chain, kept = chain_of(*[FOUR] * 5), KeptBlock()
    client = client_of(ChainNode(chain), kept=kept)
    client.newest()
    chain.blocks.pop()
    with pytest.raises(StaleProofError, match="is at header 4, but 5 was seen before"):
        client.newest()


class Stuck(ChainNode):
    """A node that shows the newest header whatever it is asked for, but the first."""

    def light_block(self, height: int | None = None) -> LightBlock:
        return super().light_block(1 if height == 1 else None)


def test_a_node_that_shows_another_header_than_is_asked_for() -> None:
    chain = chain_of(*[FOUR] * 5, *[("eve", "flo", "gus")] * 5)
    with pytest.raises(LightBlockError, match="node: header 10 was given for header 5"):
        client_of(Stuck(chain)).newest()


def test_nothing_new() -> None:
    node = ChainNode(chain_of(*[FOUR] * 5))
    client = client_of(node)
    assert client.newest() is client.newest()


def test_the_state_that_a_header_commits_to() -> None:
    chain = chain_of(*[FOUR] * 3)
    for number in range(4, 8):
        chain.add(FOUR, FOUR, app_hash=bytes([number]) * 32)
    node, hidden = ChainNode(chain), chain.blocks[4:]
    del chain.blocks[4:]
    client = client_of(node)
    client.newest()
    assert client.find(b"\x04" * 32).header.height == 4
    chain.blocks += hidden
    assert client.find(b"\x06" * 32).header.height == 6
    with pytest.raises(StaleProofError, match="no header up to 7 commits to the state"):
        client.find(b"\x04" * 32)


# witnesses


def test_another_node_must_have_the_same_header() -> None:
    chain = chain_of(*[FOUR] * 5)
    gone = ChainNode(chain, "gone", is_reachable=False)
    assert client_of(ChainNode(chain), gone, ChainNode(chain)).newest() == chain.blocks[-1]
    with pytest.raises(ProofError, match="no other node confirms header 5 of node: gone: "):
        client_of(ChainNode(chain), gone).newest()


def test_a_primary_that_cannot_be_reached() -> None:
    chain = chain_of(*[FOUR] * 5)
    with pytest.raises(TransportError):
        client_of(ChainNode(chain, is_reachable=False), ChainNode(chain)).newest()


def test_a_witness_that_is_some_blocks_behind() -> None:
    chain = chain_of(*[FOUR] * 9)
    behind = ChainNode(HeaderChain(blocks=chain.blocks[:7]), "behind")
    assert client_of(ChainNode(chain), behind).newest() == chain.blocks[-1]
    far_behind = ChainNode(HeaderChain(blocks=chain.blocks[:1]), "far behind")
    assert client_of(ChainNode(chain), far_behind).newest() == chain.blocks[-1]
    kept = KeptBlock()
    client_of(ChainNode(HeaderChain(blocks=chain.blocks[:8])), kept=kept).newest()
    with pytest.raises(ProofError, match=r"no other node confirms.*behind: it is at header 7"):
        client_of(ChainNode(chain), behind, kept=kept).newest()


class CatchingUp(ChainNode):
    """A node that gets one more header each time that it is asked for its newest."""

    def light_block(self, height: int | None = None) -> LightBlock:
        if height is None:
            self.chain.blocks.append(CHAIN.blocks[len(self.chain.blocks)])
        return super().light_block(height)


CHAIN = chain_of(*[FOUR] * 9)


def test_a_witness_that_catches_up_is_waited_for() -> None:
    kept = KeptBlock()
    client_of(ChainNode(HeaderChain(blocks=CHAIN.blocks[:8])), kept=kept).newest()
    late = CatchingUp(HeaderChain(blocks=CHAIN.blocks[:4]), "late")
    client = client_of(ChainNode(CHAIN), late, kept=kept, timeout_s=30)
    assert client.newest() == CHAIN.blocks[-1]


def forked(data: bytes) -> HeaderChain:
    chain = chain_of(*[FOUR] * 3)
    chain.extend(*[FOUR] * 3, data=data)
    return chain


@pytest.mark.parametrize("others", [6, 5])
def test_two_histories_are_reported_with_both_headers(others: int) -> None:
    one, other = forked(b"one"), forked(b"other")
    del other.blocks[others:]
    with pytest.raises(LedgerForkError, match=f"two headers {others}: ") as caught:
        client_of(ChainNode(one), ChainNode(other)).newest()
    assert decode_light_block(caught.value.known) == one.blocks[others - 1]
    assert decode_light_block(caught.value.found) == other.blocks[others - 1]


@pytest.mark.parametrize("names", [("eve",), ("ann", "eve", "fay")])
def test_who_signs_by_keys_of_his_own_makes_no_second_history(names: Sequence[str]) -> None:
    """One node that lies must not have the peers accused of what they did not sign."""
    chain, kept = chain_of(*[FOUR] * 5), KeptBlock()
    client_of(ChainNode(chain), kept=kept).newest()
    liar = ChainNode(chain_of(*[FOUR] * 4, names), name="liar")
    words = "signed by . of 4 of the power that is trusted, which is not more than a third"
    with pytest.raises(LightBlockError, match=words):
        client_of(liar, kept=kept).newest()
    chain.extend(FOUR)
    with pytest.raises(
        ProofError, match=f"no other node confirms header 6 of node: liar: .*{words}"
    ):
        client_of(ChainNode(chain), liar, kept=kept).newest()


def test_another_history_of_the_same_height_later() -> None:
    kept = KeptBlock()
    client_of(ChainNode(forked(b"one")), kept=kept).newest()
    with pytest.raises(LedgerForkError) as caught:
        client_of(ChainNode(forked(b"other")), kept=kept).newest()
    assert caught.value.known == kept.data != caught.value.found


def test_a_witness_with_a_false_header_is_no_fork() -> None:
    chain = chain_of(*[FOUR] * 5)
    false = HeaderChain(blocks=chain.blocks[:4])
    false.add(FOUR, FOUR, data=b"false", signers=FOUR[:2])
    liar = ChainNode(false, "liar")
    assert client_of(ChainNode(chain), liar, ChainNode(chain)).newest() == chain.blocks[-1]
    with pytest.raises(ProofError, match=r"no other node confirms.*liar: header 5: signed by 2"):
        client_of(ChainNode(chain), liar).newest()
