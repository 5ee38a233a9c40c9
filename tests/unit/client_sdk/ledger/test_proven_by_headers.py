"""A replicated ledger that is read through proofs: the peers' headers count, and no peer's word."""

from collections.abc import Callable

import pytest
from support.header_chain import ChainNode, HeaderChain, KeptBlock, signer
from support.memory_ledger import START_MS, MemoryLedger, named_key

from chaincode.merkle_log import log_root
from chaincode.protocol.proofs_pb2 import ProofRequest, ProofResponse
from chaincode.records import GrantRecord
from chaincode.replication import AppState, chain_id
from client_sdk.errors import LedgerForkError, LightBlockError, ProofError, StaleProofError
from client_sdk.ledger import proven_ledger
from client_sdk.ledger.commands import set_account_detail
from client_sdk.ledger.light_client import ChainTrust, LightClient
from client_sdk.ledger.proven_ledger import ProvenLedger

HOLDER, GATEWAY = "holder@holder", "gateway@gateway"
GRANT_ID = "ab" * 16
PEERS = ("ann", "bob", "cid", "dee")
PENDING = b"p" * 32
GRANT = GrantRecord(
    commitment=b"c" * 32, gateway=GATEWAY, expires_at_ms=START_MS + 10**9, uses=1, state="live"
)


class ReplicatedNode:
    """A peer's Torii and the headers above its blocks.

    Attributes:
        ledger: The ledger.
        chain: The headers.
        bend: What is done to an answer before it is given.
    """

    def __init__(self) -> None:
        self.ledger = MemoryLedger.tegata(clock=lambda: START_MS)
        for account_id in (HOLDER, GATEWAY):
            self.ledger.add_account(account_id)
        self.ledger.write_record(HOLDER, GRANT_ID, GRANT)
        self.chain = HeaderChain(chain_id=chain_id(self.ledger.ledger_id()))
        self.bend: Callable[[ProofResponse], object] = lambda _: None
        self.decide()
        self.decide()

    def decide(self) -> None:
        """Add a header that commits to the state of now."""
        self.chain.add(PEERS, PEERS, app_hash=self.app_state().app_hash())

    def app_state(self) -> AppState:
        height = self.ledger.height()
        root = log_root(self.ledger, height)
        return AppState(height=height, log_root=root, pending_digest=PENDING)

    def prove(self, payload: ProofRequest.Payload) -> ProofResponse:
        response = self.ledger.client(GATEWAY).prove(payload)
        response.replication.pending_digest = PENDING
        self.bend(response)
        return response

    def reader(
        self, *nodes: ChainNode, kept: KeptBlock | None = None, late_s: int = 5
    ) -> ProvenLedger:
        ledger_id = self.ledger.ledger_id()
        keys = [signer(name).public_key for name in PEERS]

        def now_ms() -> int:
            return START_MS + len(self.chain.blocks) * 1000 + late_s * 1000

        light_client = LightClient(
            nodes or [ChainNode(self.chain)],
            ChainTrust.in_peers(chain_id(ledger_id), keys),
            blocks=kept or KeptBlock(),
            timeout_s=0,
            now_ms=now_ms,
        )
        return ProvenLedger(self, ledger_id, light_client=light_client, now_ms=now_ms)


@pytest.fixture
def node() -> ReplicatedNode:
    return ReplicatedNode()


def test_a_record_and_an_account_are_proven(node: ReplicatedNode) -> None:
    reader = node.reader()
    assert reader.record(HOLDER, GRANT_ID, GrantRecord) == GRANT
    assert reader.record(HOLDER, "cd" * 16, GrantRecord) is None
    assert reader.signatories(HOLDER) == {named_key(HOLDER).public_key}


def test_no_checkpoint_counts(node: ReplicatedNode) -> None:
    """It may be signed by anybody: what it says is in the app hash."""

    def forge(response: ProofResponse) -> None:
        lines = response.proof.checkpoint.split(b"\n")
        lines[-2] = lines[-2][:-20] + b"A" * 16 + lines[-2][-4:]
        response.proof.checkpoint = b"\n".join(lines)

    node.bend = forge
    assert node.reader().record(HOLDER, GRANT_ID, GrantRecord) == GRANT


def test_the_state_is_followed_as_it_grows(node: ReplicatedNode) -> None:
    kept = KeptBlock()
    assert node.reader(kept=kept).signatories(HOLDER)
    node.ledger.submit(HOLDER, set_account_detail(HOLDER, "colour", "red"))
    node.decide()
    assert node.reader(kept=kept).signatories(HOLDER)


def test_a_node_that_lags_behind_the_headers_is_asked_again(
    node: ReplicatedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = ProofRequest.Payload()
    payload.entries.add(account_id=HOLDER)
    behind = node.prove(payload)
    behind.replication.header_height = 1
    node.ledger.submit(HOLDER, set_account_detail(HOLDER, "colour", "red"))
    node.decide()
    answers = [behind, behind]

    def lag(response: ProofResponse) -> None:
        if answers:
            response.CopyFrom(answers.pop())

    node.bend = lag
    assert node.reader().signatories(HOLDER) == {named_key(HOLDER).public_key}
    assert answers == []
    monkeypatch.setattr(proven_ledger, "_PATIENCE_S", 0)
    answers += [behind] * 3
    with pytest.raises(StaleProofError, match="the state of header 1, and 3 is decided"):
        node.reader().signatories(HOLDER)


def _other_digest(response: ProofResponse) -> None:
    response.replication.pending_digest = b"x" * 32


def _other_value(response: ProofResponse) -> None:
    response.proof.entries[0].value = b"x"


def _other_map(response: ProofResponse) -> None:
    response.proof.map_root = b"x" * 32


def _other_entry(response: ProofResponse) -> None:
    response.proof.log_entry = response.proof.log_entry[:-1] + b"x"


def _no_replication(response: ProofResponse) -> None:
    response.ClearField("replication")


def _no_checkpoint(response: ProofResponse) -> None:
    response.proof.checkpoint = b"x"


@pytest.mark.parametrize(
    ("bend", "text"),
    [
        (_other_digest, "no header up to 2 commits to the state"),
        (_other_value, "does not lead to the root|the map"),
        (_other_map, "the root of the map is not that of the state"),
        (_other_entry, "does not lead to the root"),
        (_no_replication, "the node orders alone"),
        (_no_checkpoint, "checkpoint"),
    ],
)
def test_an_answer_that_was_bent_proves_nothing(
    node: ReplicatedNode, bend: Callable[[ProofResponse], None], text: str
) -> None:
    node.bend = bend
    with pytest.raises(ProofError, match=text):
        node.reader().record(HOLDER, GRANT_ID, GrantRecord)


def test_a_state_that_nobody_decided_proves_nothing(node: ReplicatedNode) -> None:
    node.ledger.submit(HOLDER, set_account_detail(HOLDER, "colour", "red"))
    with pytest.raises(StaleProofError, match="no header up to 2 commits to the state"):
        node.reader().signatories(HOLDER)


def test_a_ledger_whose_headers_stand_still_is_not_current(node: ReplicatedNode) -> None:
    with pytest.raises(StaleProofError, match="s old"):
        node.reader(late_s=100).signatories(HOLDER)


def test_another_ledgers_checkpoint_proves_nothing(node: ReplicatedNode) -> None:
    other = MemoryLedger.tegata(clock=lambda: START_MS + 1)

    def swap(response: ProofResponse) -> None:
        other.add_account(GATEWAY)
        payload = ProofRequest.Payload()
        response.proof.checkpoint = other.client(GATEWAY).prove(payload).proof.checkpoint

    node.bend = swap
    with pytest.raises(ProofError, match="of another ledger"):
        node.reader().signatories(HOLDER)


def test_two_nodes_that_show_two_histories(node: ReplicatedNode) -> None:
    fork = HeaderChain(chain_id=node.chain.chain_id, blocks=node.chain.blocks[:1])
    fork.add(PEERS, PEERS, app_hash=node.app_state().app_hash(), data=b"other")
    with pytest.raises(LedgerForkError):
        node.reader(ChainNode(node.chain), ChainNode(fork, "other")).signatories(HOLDER)


def test_headers_of_another_ledgers_peers(node: ReplicatedNode) -> None:
    strangers = HeaderChain(chain_id=node.chain.chain_id)
    names = ("eve", "flo", "gus", "hal")
    strangers.add(names, names, app_hash=node.app_state().app_hash())
    with pytest.raises(LightBlockError, match="not the peers of the genesis block"):
        node.reader(ChainNode(strangers)).signatories(HOLDER)
