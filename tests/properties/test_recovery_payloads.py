"""Whatever bytes an agent is asked to sign, it reads a recovery in them, or refuses in words."""

from hypothesis import example, given
from hypothesis import strategies as st

from chaincode.protocol.transaction_pb2 import Transaction
from client_sdk.ledger.account_key import AccountKey
from node.errors import PolicyRefusedError
from node.escrow.recovery_policy import (
    FinishRecovery,
    OpenRecovery,
    RecoveryStep,
    parse_recovery_step,
)

ESCROW, NOW_MS = "agents@holder", 1_800_000_000_000
NEW, LOST = (AccountKey(bytes([number]) * 32).public_key for number in (1, 2))
OPENING = OpenRecovery(account="h1@holder", record_id="1" * 32, new_key=NEW, lost_key=LOST)
ENDING = FinishRecovery(account="h1@holder", new_key=NEW, lost_key=LOST)


def payload_of(step: RecoveryStep) -> bytes:
    payload = Transaction.Payload()
    payload.reduced_payload.commands.extend(step.commands())
    payload.reduced_payload.creator_account_id = ESCROW
    payload.reduced_payload.created_time = NOW_MS
    payload.reduced_payload.quorum = 1
    return payload.SerializeToString()


def read(payload: bytes) -> RecoveryStep | None:
    try:
        return parse_recovery_step(payload, escrow_account=ESCROW, now_ms=NOW_MS)
    except PolicyRefusedError:
        return None


def assert_that_what_is_read_is_all(payload: bytes) -> None:
    step = read(payload)
    if step is not None:
        expected = Transaction.Payload()
        expected.CopyFrom(Transaction.Payload.FromString(payload_of(step)))
        time_ms = Transaction.Payload.FromString(payload).reduced_payload.created_time
        expected.reduced_payload.created_time = time_ms
        assert expected.SerializeToString() == payload


def test_both_steps_are_read() -> None:
    for step in (OPENING, ENDING):
        assert read(payload_of(step)) == step


@given(st.binary(max_size=300))
@example(b"")
def test_any_bytes(payload: bytes) -> None:
    assert_that_what_is_read_is_all(payload)


@given(
    step=st.sampled_from([OPENING, ENDING]),
    place=st.integers(min_value=0),
    change=st.one_of(st.integers(1, 255), st.binary(max_size=4)),
)
def test_one_change(step: RecoveryStep, place: int, change: int | bytes) -> None:
    original = payload_of(step)
    place %= len(original)
    if isinstance(change, int):
        changed = bytearray(original)
        changed[place] ^= change
        assert_that_what_is_read_is_all(bytes(changed))
    else:
        assert_that_what_is_read_is_all(original[:place] + change + original[place:])
