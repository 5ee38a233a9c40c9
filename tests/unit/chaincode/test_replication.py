"""What the peers of a replicated ledger agree on: names at CometBFT, validators, the app hash."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.batches import batch_of
from support.memory_ledger import MemoryLedger, named_key, sign_transaction
from support.small_ledger import BOB, ROOT, small_ledger

from chaincode.blocks import BlockContext, Verdict
from chaincode.errors import DecodeError
from chaincode.multisignature import PendingBatches
from chaincode.protocol.commands_pb2 import AddPeer, Command, RemovePeer
from chaincode.protocol.primitive_pb2 import Peer
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.replication import AppState, chain_id, validator_key
from chaincode.signatures import KeyAlgorithm
from chaincode.transition import apply_block
from chaincode.validators import validator_changes
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import set_account_detail

ROOTS = st.binary(min_size=32, max_size=32)
STATES = st.builds(
    AppState,
    height=st.integers(min_value=0, max_value=2**63 - 1),
    log_root=ROOTS,
    pending_digest=ROOTS,
)


def peer(key: AccountKey, number: int = 7, *, syncing: bool = False) -> Peer:
    return Peer(address=f"10.0.0.{number}:1", peer_key=key.public_key, syncing_peer=syncing)


def applied(
    ledger: MemoryLedger, *commands: Command
) -> tuple[Verdict, str, list[tuple[bytes, int]]]:
    """Apply a transaction of the administrator in a block of a replicated ledger."""
    message = Transaction()
    reduced = message.payload.reduced_payload
    reduced.commands.extend(commands)
    reduced.creator_account_id = ROOT
    reduced.created_time = 1
    reduced.quorum = 1
    sign_transaction(message, named_key(ROOT))
    context = BlockContext(height=2, time_ms=2, is_replicated=True)
    outcome = apply_block(ledger, context, [batch_of([message])])
    (receipt,) = outcome.receipts
    return receipt.verdict, receipt.reason, validator_changes(ledger, outcome.changes)


def test_the_chain_is_named_after_the_ledger() -> None:
    assert chain_id("ab" * 32) == "tegata-" + "ab" * 16
    assert len(chain_id("ab" * 32)) <= 50


@given(STATES, STATES)
def test_the_app_hash_is_of_one_state(one: AppState, other: AppState) -> None:
    assert (one.app_hash() == other.app_hash()) == (one == other)


def test_the_app_hash_is_as_documented() -> None:
    state = AppState(height=3, log_root=b"l" * 32, pending_digest=b"p" * 32)
    expected = b"tegata app hash 1\0" + bytes(7) + b"\x03" + b"l" * 32 + b"p" * 32
    assert state.app_hash() == hashlib.sha256(expected).digest()
    assert replace(state, height=4).app_hash() != state.app_hash()


def test_a_validator_signs_with_plain_ed25519() -> None:
    key = named_key("peer")
    assert validator_key(key.public_key) == key.raw_public_key
    for text in (named_key_sha3().public_key, "ab"):
        with pytest.raises(DecodeError):
            validator_key(text)


def named_key_sha3() -> AccountKey:
    return AccountKey(bytes(32), KeyAlgorithm.ED25519_SHA3)


def test_peers_that_vote_are_validators() -> None:
    ledger = small_ledger()
    voter, reader = named_key("new voter"), named_key("new reader")
    verdict, _, changes = applied(
        ledger,
        Command(add_peer=AddPeer(peer=peer(voter))),
        Command(add_peer=AddPeer(peer=peer(reader, 8, syncing=True))),
    )
    assert verdict is Verdict.COMMITTED
    assert changes == [(voter.raw_public_key, 1)]
    verdict, _, changes = applied(
        ledger,
        Command(add_peer=AddPeer(peer=peer(voter))),
        Command(remove_peer=RemovePeer(public_key=voter.public_key)),
    )
    assert (verdict, changes) == (Verdict.COMMITTED, [])


def test_one_that_is_removed_has_no_power() -> None:
    ledger = small_ledger()
    voter = named_key("new voter")
    ledger.submit(ROOT, Command(add_peer=AddPeer(peer=peer(voter))))
    verdict, _, changes = applied(
        ledger, Command(remove_peer=RemovePeer(public_key=voter.public_key))
    )
    assert (verdict, changes) == (Verdict.COMMITTED, [(voter.raw_public_key, 0)])


def test_a_voter_with_another_key_is_refused_and_a_reader_is_not() -> None:
    ledger = small_ledger()
    key = named_key_sha3()
    verdict, reason, changes = applied(ledger, Command(add_peer=AddPeer(peer=peer(key))))
    assert (verdict, changes) == (Verdict.REJECTED, [])
    assert "needs an ed0120 key" in reason
    verdict, _, changes = applied(ledger, Command(add_peer=AddPeer(peer=peer(key, syncing=True))))
    assert (verdict, changes) == (Verdict.COMMITTED, [])


# What waits for signatures


def waiting(key: str) -> Transaction:
    message = Transaction()
    reduced = message.payload.reduced_payload
    reduced.commands.append(set_account_detail(BOB, key, "v"))
    reduced.creator_account_id = BOB
    reduced.created_time = 1
    reduced.quorum = 2
    sign_transaction(message, named_key(BOB))
    return message


def test_the_digest_is_of_what_waits_its_order_and_how_long_it_may() -> None:
    ledger = small_ledger()
    batches = [batch_of([waiting(key)]) for key in ("a", "b")]
    digests = set()
    for expiration_ms, order in ((10, (0, 1)), (10, (1, 0)), (10, (0,)), (10, ()), (11, (0, 1))):
        pending = PendingBatches(expiration_ms)
        for number in order:
            pending.add(batches[number], ledger)
        digests.add(pending.digest())
    assert len(digests) == 5


def test_to_ask_how_a_batch_would_stand_changes_nothing() -> None:
    ledger = small_ledger()
    pending = PendingBatches(10)
    before = pending.digest()
    assert pending.join(batch_of([waiting("a")]), ledger).has_all_signatures is False
    assert (len(pending), pending.digest()) == (0, before)
