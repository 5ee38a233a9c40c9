"""Proofs of a ledger's state: what is there, what is not, how old it is, and what is no proof."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from support.memory_ledger import MemoryLedger, named_key

from chaincode.authenticated_map import MapProof
from chaincode.errors import InvalidQueryError
from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.protocol.proofs_pb2 import ProofRequest, ProofResponse, StateEntry, StateProof
from chaincode.records import NO_ID, GrantRecord, IssuerRecord
from chaincode.records.recovery import RecoveryStatus
from client_sdk.errors import (
    LedgerForkError,
    ProofError,
    QueryFailedError,
    StaleProofError,
    TransportError,
)
from client_sdk.ledger.commands import set_account_detail
from client_sdk.ledger.proofs import (
    LedgerTrust,
    ProvenState,
    decode_proof,
    encode_proof,
    record_entry,
    verify_state_proof,
)
from client_sdk.ledger.proven_ledger import FileCheckpoints, MemoryCheckpoints, ProvenLedger

HOLDER, GATEWAY, OTHER = "holder@holder", "gateway@gateway", "other@holder"
GRANT_ID, NO_GRANT_ID = "ab" * 16, "cd" * 16
START_S = 1_800_000_000


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.ms = START_S * 1000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(clock: Clock) -> MemoryLedger:
    ledger = MemoryLedger.tegata(clock=clock)
    for account_id in (HOLDER, GATEWAY, OTHER):
        ledger.add_account(account_id)
    ledger.write_record(HOLDER, GRANT_ID, grant(clock))
    return ledger


def grant(clock: Clock) -> GrantRecord:
    return GrantRecord(
        commitment=b"c" * 32,
        gateway=GATEWAY,
        expires_at_ms=clock.ms + 1_000_000,
        uses=1,
        state="live",
    )


def trust_in(ledger: MemoryLedger) -> LedgerTrust:
    return LedgerTrust.from_genesis(ledger.blocks[0], ledger.ledger_id())


def ask(ledger: MemoryLedger, account_id: str, *entries: StateEntry) -> StateProof:
    client = ledger.client(account_id)
    return client.prove(ProofRequest.Payload(entries=entries)).proof


def verified(ledger: MemoryLedger, *entries: StateEntry, by: str = GATEWAY) -> ProvenState:
    return verify_state_proof(ask(ledger, by, *entries), trust_in(ledger))[0]


GRANT = record_entry(HOLDER, GRANT_ID, GrantRecord)
NO_GRANT = record_entry(HOLDER, NO_GRANT_ID, GrantRecord)


# what is proven


def test_a_record_and_the_absence_of_another_are_proven(ledger: MemoryLedger, clock: Clock) -> None:
    state = verified(ledger, GRANT, NO_GRANT)
    assert state.record(HOLDER, GRANT_ID, GrantRecord) == grant(clock)
    assert state.record(HOLDER, NO_GRANT_ID, GrantRecord) is None
    assert (state.height, state.time_ms) == (ledger.height(), clock.ms)
    assert state.root == ledger.state_root().digest()
    assert (state.has(GRANT), state.has(StateEntry(account_id=HOLDER))) == (True, False)


def test_an_account_and_the_absence_of_another_are_proven(ledger: MemoryLedger) -> None:
    nobody = "nobody@holder"
    state = verified(ledger, StateEntry(account_id=HOLDER), StateEntry(account_id=nobody))
    assert state.signatories(HOLDER) == {named_key(HOLDER).public_key}
    with pytest.raises(QueryFailedError, match="there is no account nobody@holder") as caught:
        state.signatories(nobody)
    assert caught.value.is_absence


def test_of_what_is_not_in_the_proof_nothing_is_known(ledger: MemoryLedger) -> None:
    state = verified(ledger, GRANT)
    with pytest.raises(ProofError, match="nothing is proven of the account"):
        state.signatories(HOLDER)
    with pytest.raises(ProofError, match=f"nothing is proven of tg_grant_{NO_GRANT_ID}"):
        state.record(HOLDER, NO_GRANT_ID, GrantRecord)


def test_a_proof_travels_as_text(ledger: MemoryLedger) -> None:
    proof = ask(ledger, GATEWAY, GRANT, NO_GRANT)
    assert decode_proof(encode_proof(proof)) == proof
    for text in ("!", "AAAA", "é", "A"):
        with pytest.raises(ProofError, match="no proof of a ledger's state"):
            decode_proof(text)


def test_a_proof_of_one_entry_of_a_large_map_is_short(ledger: MemoryLedger) -> None:
    for number in range(40):
        ledger.write_record(OTHER, f"{number:032x}", grant(Clock()))
    assert ask(ledger, GATEWAY, GRANT).ByteSize() < 2_000


# who may ask


def test_whoever_knows_a_records_random_id_may_have_its_proof(ledger: MemoryLedger) -> None:
    assert verified(ledger, GRANT, by=OTHER).has(GRANT)


@pytest.mark.parametrize(
    "entry",
    [
        StateEntry(account_id=HOLDER),
        StateEntry(account_id=HOLDER, key="tg_recovery"),
        StateEntry(account_id=HOLDER, key=f"tg_change_{GRANT_ID}"),
        StateEntry(account_id=HOLDER, key=f"tg_approve_{GRANT_ID}"),
        StateEntry(account_id=HOLDER, key="tg_unknown"),
    ],
    ids=["account", "single record", "change", "approval", "no record"],
)
def test_what_can_be_guessed_needs_irohas_permission(
    ledger: MemoryLedger, entry: StateEntry
) -> None:
    assert verified(ledger, entry, by=GATEWAY).has(entry)
    assert verified(ledger, entry, by=HOLDER).has(entry)
    with pytest.raises(QueryFailedError, match="user must have at least one of the permissions"):
        ask(ledger, OTHER, entry)


def test_a_stranger_is_refused(ledger: MemoryLedger) -> None:
    client = ledger.client(HOLDER, named_key("stranger"))
    with pytest.raises(QueryFailedError, match="signatories did not pass validation"):
        client.prove(ProofRequest.Payload(entries=[GRANT]))


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ([StateEntry(account_id="no account")], "AccountId"),
        ([StateEntry(account_id=HOLDER, key="no key!")], "DetailKey"),
        ([StateEntry(account_id=HOLDER, key="colour")], "Only accounts and tg_ records"),
        ([StateEntry(account_id=HOLDER, writer=OTHER)], "An account has no writer"),
        ([StateEntry(account_id=HOLDER, writer="x", key="tg_guard")], "AccountId"),
        ([GRANT] * 33, "At most 32 entries"),
    ],
)
def test_a_request_of_bad_form_is_refused(
    ledger: MemoryLedger, entries: list[StateEntry], text: str
) -> None:
    with pytest.raises(InvalidQueryError, match=text):
        ask(ledger, GATEWAY, *entries)


# what does not count


def cut_path(proof: StateProof) -> None:
    path = MapProof.decode(proof.entries[0].path)
    proof.entries[0].path = MapProof(siblings=path.siblings[:-1], other=path.other).encode()


def another_value(proof: StateProof) -> None:
    proof.entries[0].value = proof.entries[0].value + b"A"


def another_key(proof: StateProof) -> None:
    proof.entries[0].entry.key = f"tg_grant_{NO_GRANT_ID}"


def hide_value(proof: StateProof) -> None:
    proof.entries[0].ClearField("value")


def claim_absent_value(proof: StateProof) -> None:
    proof.entries[1].value = b"there"


def another_map(proof: StateProof) -> None:
    proof.map_root = bytes(32)


def another_set(proof: StateProof) -> None:
    proof.set_digest = bytes(32)


def another_entry(proof: StateProof) -> None:
    proof.log_entry = bytes(8) + proof.log_entry[8:]


def shorter_entry(proof: StateProof) -> None:
    proof.log_entry = proof.log_entry[:-1]


def cut_log(proof: StateProof) -> None:
    del proof.inclusion[-1]


def unsigned(proof: StateProof) -> None:
    proof.checkpoint = proof.checkpoint.partition(b"\n\n")[0] + b"\n\n"


def garbage_path(proof: StateProof) -> None:
    proof.entries[0].path = b"\x02"


@pytest.mark.parametrize(
    "bend",
    [
        cut_path,
        another_value,
        another_key,
        hide_value,
        claim_absent_value,
        another_map,
        another_set,
        another_entry,
        shorter_entry,
        cut_log,
        unsigned,
        garbage_path,
    ],
    ids=lambda bend: bend.__name__,
)
def test_a_proof_that_was_bent_proves_nothing(
    ledger: MemoryLedger, bend: Callable[[StateProof], None]
) -> None:
    proof = ask(ledger, GATEWAY, GRANT, NO_GRANT)
    verify_state_proof(proof, trust_in(ledger))
    bend(proof)
    with pytest.raises(ProofError):
        verify_state_proof(proof, trust_in(ledger))


def test_an_older_state_of_the_same_log_is_not_the_newest(ledger: MemoryLedger) -> None:
    """Its entry stands in the log, but not at the end."""
    older = ask(ledger, GATEWAY, GRANT)
    ledger.submit(HOLDER, set_account_detail(HOLDER, "colour", "blue"))
    proof = ask(ledger, GATEWAY, GRANT)
    mixed = StateProof()
    mixed.CopyFrom(proof)
    mixed.log_entry = older.log_entry
    mixed.set_digest = older.set_digest
    with pytest.raises(ProofError):
        verify_state_proof(mixed, trust_in(ledger))


def test_only_the_ledgers_own_peers_count(ledger: MemoryLedger) -> None:
    proof = ask(ledger, GATEWAY, GRANT)
    others = LedgerTrust(
        ledger_id=ledger.ledger_id(), peer_keys=frozenset({named_key("x").public_key})
    )
    with pytest.raises(ProofError, match="no known peer"):
        verify_state_proof(proof, others)
    with pytest.raises(ProofError, match="genesis block is that of another ledger"):
        LedgerTrust.from_genesis(ledger.blocks[0], "00" * 32)
    elsewhere = LedgerTrust(ledger_id="00" * 32, peer_keys=trust_in(ledger).peer_keys)
    with pytest.raises(ProofError, match="of another ledger"):
        verify_state_proof(proof, elsewhere)


def test_damaged_values_of_a_true_ledger_are_no_records(ledger: MemoryLedger) -> None:
    state = verified(ledger, GRANT, StateEntry(account_id=HOLDER))
    values = dict.fromkeys(state.values, b"\xff")
    damaged = replace(state, values=values)
    assert damaged.record(HOLDER, GRANT_ID, GrantRecord) is None
    with pytest.raises(ProofError, match="is damaged"):
        damaged.signatories(HOLDER)


# a ledger that is read through proofs


def proven(ledger: MemoryLedger, clock: Clock, **options: object) -> ProvenLedger:
    client = ledger.client(GATEWAY)
    return ProvenLedger(client, ledger.ledger_id(), now_ms=clock, **options)  # type: ignore[arg-type]


def test_it_reads_what_a_verifier_reads(ledger: MemoryLedger, clock: Clock) -> None:
    reader = proven(ledger, clock)
    assert reader.record(HOLDER, GRANT_ID, GrantRecord) == grant(clock)
    assert reader.record(HOLDER, NO_GRANT_ID, GrantRecord) is None
    assert reader.record(HOLDER, NO_ID, RecoveryStatus, writer=OTHER) is None
    assert reader.record(REGISTRY_ACCOUNT, NO_GRANT_ID, IssuerRecord) is None
    assert reader.signatories(HOLDER) == {named_key(HOLDER).public_key}


def test_a_ledger_at_rest_stays_current(ledger: MemoryLedger, clock: Clock) -> None:
    """It makes no blocks; the peer says anew that the last one is the newest."""
    reader = proven(ledger, clock)
    clock.ms += 10 * 60 * 60 * 1000
    assert reader.record(HOLDER, GRANT_ID, GrantRecord) is not None


@pytest.mark.parametrize(("late_ms", "text"), [(61_000, "61 s old"), (-61_000, "future")])
def test_an_answer_of_another_time_is_refused(
    ledger: MemoryLedger, clock: Clock, late_ms: int, text: str
) -> None:
    reader = ProvenLedger(
        ledger.client(GATEWAY), ledger.ledger_id(), now_ms=lambda: clock.ms + late_ms
    )
    with pytest.raises(StaleProofError, match=text):
        reader.record(HOLDER, GRANT_ID, GrantRecord)


def test_growth_is_followed_and_kept(ledger: MemoryLedger, clock: Clock) -> None:
    kept = MemoryCheckpoints()
    reader = proven(ledger, clock, checkpoints=kept)
    for number in range(5):
        ledger.submit(HOLDER, set_account_detail(HOLDER, "colour", str(number)))
        reader.record(HOLDER, GRANT_ID, GrantRecord)
    note = kept.load()
    assert note is not None
    assert trust_in(ledger).verify(note).size == ledger.height()
    # Another process goes on from what was kept.
    ledger.submit(HOLDER, set_account_detail(HOLDER, "colour", "last"))
    assert proven(ledger, clock, checkpoints=kept).signatories(HOLDER)
    assert trust_in(ledger).verify(kept.load() or b"").size == ledger.height()


def forked(clock: Clock, *colours: str) -> MemoryLedger:
    """Return a ledger of the same genesis with a history of its own."""
    ledger = MemoryLedger.tegata(clock=lambda: START_S * 1000)
    for account_id in (HOLDER, GATEWAY, OTHER):
        ledger.add_account(account_id)
    ledger.write_record(HOLDER, GRANT_ID, grant(clock))
    for colour in colours:
        ledger.submit(HOLDER, set_account_detail(HOLDER, "colour", colour))
    return ledger


def test_a_fork_is_reported_with_both_checkpoints(clock: Clock) -> None:
    one, other = forked(clock, "red"), forked(clock, "blue", "green")
    assert one.ledger_id() == other.ledger_id()
    kept = MemoryCheckpoints()
    proven(one, clock, checkpoints=kept).signatories(HOLDER)
    known = kept.load()
    reader = proven(other, clock, checkpoints=kept)
    with pytest.raises(LedgerForkError, match="history was changed") as caught:
        reader.signatories(HOLDER)
    trust = trust_in(one)
    assert caught.value.known == known
    assert trust.verify(caught.value.known).root != trust.verify(caught.value.found).root
    # What was seen first stays.
    assert kept.load() == known


def test_a_fork_of_equal_height_is_reported(clock: Clock) -> None:
    kept = MemoryCheckpoints()
    proven(forked(clock, "red"), clock, checkpoints=kept).signatories(HOLDER)
    with pytest.raises(LedgerForkError):
        proven(forked(clock, "blue"), clock, checkpoints=kept).signatories(HOLDER)


class TwoFaced:
    """A node that shows one history to who asks first, and another one to who asks meanwhile.

    Attributes:
        asked: Set once it is asked.
    """

    def __init__(self, *faces: MemoryLedger) -> None:
        self._faces = [ledger.client(HOLDER) for ledger in faces]
        self._both_ask = threading.Barrier(len(faces))
        self.asked = threading.Event()

    def prove(self, payload: ProofRequest.Payload) -> ProofResponse:
        face = self._faces.pop(0)
        self.asked.set()
        # It answers once both calls are out; or where that does not come, one after the other.
        with suppress(threading.BrokenBarrierError):
            self._both_ask.wait(0.2)
        return face.prove(payload)


@pytest.mark.parametrize("colours", [("green",), ("green", "blue")])
def test_of_two_histories_at_a_time_the_second_is_found_out(
    clock: Clock, colours: tuple[str, ...]
) -> None:
    first = forked(clock, "red")
    node = TwoFaced(first, forked(clock, *colours))
    reader = ProvenLedger(node, first.ledger_id(), trust=trust_in(first), now_ms=clock)
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(reader.signatories, HOLDER)
        assert node.asked.wait(60)
        second = pool.submit(reader.signatories, HOLDER)
    assert before.result()
    with pytest.raises(LedgerForkError):
        second.result()


def test_a_history_that_was_taken_back_is_refused(clock: Clock) -> None:
    kept = MemoryCheckpoints()
    proven(forked(clock, "red", "blue"), clock, checkpoints=kept).signatories(HOLDER)
    with pytest.raises(StaleProofError, match="lags behind, or was set back"):
        proven(forked(clock, "red"), clock, checkpoints=kept).signatories(HOLDER)


def test_a_node_that_is_gone_is_no_proof(ledger: MemoryLedger, clock: Clock) -> None:
    reader = proven(ledger, clock)
    ledger.reachable = False
    with pytest.raises(TransportError):
        reader.signatories(HOLDER)


def test_a_file_keeps_the_checkpoint(ledger: MemoryLedger, clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    proven(ledger, clock, checkpoints=FileCheckpoints(path)).signatories(HOLDER)
    assert trust_in(ledger).verify(path.read_bytes()).size == ledger.height()
    assert [each.name for each in tmp_path.iterdir()] == ["checkpoint"]
    ledger.submit(HOLDER, set_account_detail(HOLDER, "colour", "blue"))
    proven(ledger, clock, checkpoints=FileCheckpoints(path)).signatories(HOLDER)
    assert trust_in(ledger).verify(path.read_bytes()).size == ledger.height()
    other = forked(clock, "red", "green", "blue")
    with pytest.raises(LedgerForkError):
        proven(other, clock, checkpoints=FileCheckpoints(path)).signatories(HOLDER)


def test_the_disk_has_a_checkpoint_before_it_takes_the_olds_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint"
    kept = FileCheckpoints(path)
    kept.save(b"old")
    synced: list[tuple[bytes, bytes]] = []

    def fsync(descriptor: int) -> None:
        written = Path(f"/proc/self/fd/{descriptor}").read_bytes()
        synced.append((written, path.read_bytes()))

    monkeypatch.setattr(os, "fsync", fsync)
    kept.save(b"new")
    assert synced == [(b"new", b"old")]
    assert kept.load() == b"new"


def test_a_file_that_is_of_no_use_is_named(
    ledger: MemoryLedger, clock: Clock, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint"
    path.write_bytes(b"no checkpoint")
    with pytest.raises(ProofError, match="that was kept is of no use: checkpoint: three lines"):
        proven(ledger, clock, checkpoints=FileCheckpoints(path)).signatories(HOLDER)
    with pytest.raises(ProofError, match="cannot be read: Is a directory"):
        proven(ledger, clock, checkpoints=FileCheckpoints(tmp_path)).signatories(HOLDER)
    lost = FileCheckpoints(tmp_path / "missing" / "checkpoint")
    with pytest.raises(ProofError, match="cannot be written: No such file"):
        proven(ledger, clock, checkpoints=lost).signatories(HOLDER)


def test_a_checkpoint_may_be_written_once_in_a_while(tmp_path: Path) -> None:
    kept = FileCheckpoints(tmp_path / "checkpoint", pause_s=3600)
    for note in (b"first", b"second"):
        kept.save(note)
    assert kept.load() == b"first"
