"""Grants as a game: holder, gateway and thief act in any order, and the receipts always add up.

A plain model beside the ledger says what must be so; the ledger has the real rules, several moves
may fall into one block, and each party may try what it must not.
"""

from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from support.memory_ledger import START_MS, MemoryLedger

from chaincode.blocks import Verdict
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission
from chaincode.records import (
    GrantRecord,
    SeenRecord,
    decode_record,
    encode_record,
    seen_id,
)
from chaincode.world_state import get_detail
from client_sdk.ledger.commands import (
    compare_and_set_account_detail,
    grant_permission,
    revoke_permission,
    set_record,
)

HOLDER, GATEWAY, THIEF = "h1@holder", "desk@gateway", "thief@gateway"
MAY_WRITE = GrantablePermission.can_set_my_account_detail
MINUTE_MS = 60_000
USES = st.integers(min_value=1, max_value=5)
NUMBERS = st.integers(min_value=1, max_value=6)


@dataclass
class Grant:
    """What the model knows of one grant."""

    record: GrantRecord
    revoked: bool = False
    receipts: list[str] = field(default_factory=list)


class GrantGame(RuleBasedStateMachine):
    """The moves, and what must hold after each."""

    grants = Bundle("grants")

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = START_MS
        self.ledger = MemoryLedger.tegata(clock=lambda: self.now_ms)
        for account in (HOLDER, GATEWAY, THIEF):
            self.ledger.add_account(account)
        self.model: dict[str, Grant] = {}
        self.permitted: set[str] = set()
        self.salt = 0

    def submit(self, creator: str, command: Command) -> bool:
        return self.ledger.submit(creator, command).verdict is Verdict.COMMITTED

    def receipt(self, grant_id: str, use: int, *, by_set: bool) -> tuple[Command, str]:
        self.salt += 1
        record = SeenRecord(salted_hash=self.salt.to_bytes(32, "big"), sealed=b"sealed")
        if by_set:
            command = set_record(HOLDER, seen_id(grant_id, use), record)
        else:
            key = SeenRecord.key(seen_id(grant_id, use))
            command = compare_and_set_account_detail(
                HOLDER, key, encode_record(record), old_value=None
            )
        return command, encode_record(record)

    def may_be_used(self, grant_id: str, use: int) -> bool:
        grant = self.model[grant_id]
        return (
            GATEWAY in self.permitted
            and not grant.revoked
            # The ledger's clock ticks for the transaction and for its block.
            and grant.record.expires_at_ms > self.ledger.now_ms() + 2
            and use == len(grant.receipts) + 1
            and use <= grant.record.uses
        )

    @rule(gateway=st.sampled_from([GATEWAY, THIEF]))
    def permit(self, gateway: str) -> None:
        done = self.submit(HOLDER, grant_permission(gateway, MAY_WRITE))
        assert done is (gateway not in self.permitted)
        self.permitted.add(gateway)

    @rule(gateway=st.sampled_from([GATEWAY, THIEF]))
    def forbid(self, gateway: str) -> None:
        done = self.submit(HOLDER, revoke_permission(gateway, MAY_WRITE))
        assert done is (gateway in self.permitted)
        self.permitted.discard(gateway)

    @rule(target=grants, uses=USES, minutes=st.integers(min_value=1, max_value=5))
    def make_grant(self, uses: int, minutes: int) -> str:
        grant_id = f"{len(self.model):032x}"
        record = GrantRecord(
            commitment=bytes(32),
            gateway=GATEWAY,
            expires_at_ms=self.now_ms + minutes * MINUTE_MS + 1_000,
            uses=uses,
            state="live",
        )
        assert self.submit(HOLDER, set_record(HOLDER, grant_id, record))
        self.model[grant_id] = Grant(record)
        return grant_id

    @rule(grant_id=grants)
    def revoke(self, grant_id: str) -> None:
        grant = self.model[grant_id]
        revoked = replace(grant.record, state="revoked")
        done = self.submit(HOLDER, set_record(HOLDER, grant_id, revoked))
        assert done is not grant.revoked
        grant.revoked = True

    @rule(grant_id=grants, use=NUMBERS, by_set=st.booleans())
    def use_any_number(self, grant_id: str, use: int, by_set: bool) -> None:
        expected = self.may_be_used(grant_id, use)
        command, value = self.receipt(grant_id, use, by_set=by_set)
        assert self.submit(GATEWAY, command) is expected
        if expected:
            self.model[grant_id].receipts.append(value)

    @rule(grant_id=grants)
    def use_next(self, grant_id: str) -> None:
        self.use_any_number(grant_id, len(self.model[grant_id].receipts) + 1, by_set=False)

    @rule(grant_id=grants, revoke_at=st.none() | st.integers(min_value=0, max_value=2))
    def use_twice_in_one_block(self, grant_id: str, revoke_at: int | None) -> None:
        """Two receipts of the same number, and a revocation somewhere between them or not."""
        grant = self.model[grant_id]
        use = len(grant.receipts) + 1
        expected = self.may_be_used(grant_id, use)
        moves = [
            (GATEWAY, *self.receipt(grant_id, use, by_set=True)),
            (GATEWAY, *self.receipt(grant_id, use, by_set=False)),
        ]
        if revoke_at is not None:
            revoked = replace(grant.record, state="revoked")
            moves.insert(revoke_at, (HOLDER, set_record(HOLDER, grant_id, revoked), ""))
        signed = [self.ledger.build_signed(creator, command) for creator, command, _ in moves]
        found = self.ledger.apply(*signed)
        written = [
            value
            for (_, _, value), receipt in zip(moves, found, strict=True)
            if value and receipt.verdict is Verdict.COMMITTED
        ]
        assert len(written) == (1 if expected and revoke_at != 0 else 0)
        grant.receipts += written
        grant.revoked = grant.revoked or revoke_at is not None

    @rule(grant_id=grants, use=NUMBERS, creator=st.sampled_from([THIEF, HOLDER]))
    def steal(self, grant_id: str, use: int, creator: str) -> None:
        command, _ = self.receipt(grant_id, use, by_set=True)
        assert not self.submit(creator, command)

    @rule(grant_id=grants)
    def revive(self, grant_id: str) -> None:
        """Nobody makes a grant longer, wider or alive again."""
        for change in ({"uses": 1_000_000}, {"expires_at_ms": START_MS * 2}, {"gateway": THIEF}):
            changed = replace(self.model[grant_id].record, **change)
            if changed != self.model[grant_id].record:
                assert not self.submit(HOLDER, set_record(HOLDER, grant_id, changed))
        if self.model[grant_id].revoked:
            live = self.model[grant_id].record
            assert not self.submit(HOLDER, set_record(HOLDER, grant_id, live))

    @rule(minutes=st.integers(min_value=1, max_value=2))
    def let_time_pass(self, minutes: int) -> None:
        self.now_ms += minutes * MINUTE_MS

    @invariant()
    def the_ledger_holds_what_the_model_says(self) -> None:
        for grant_id, grant in self.model.items():
            assert len(grant.receipts) <= grant.record.uses
            for use in range(1, grant.record.uses + 2):
                key = SeenRecord.key(seen_id(grant_id, use))
                value = get_detail(self.ledger, HOLDER, GATEWAY, key)
                expected = grant.receipts[use - 1] if use <= len(grant.receipts) else None
                assert value == expected
                for other in (THIEF, HOLDER):
                    assert get_detail(self.ledger, HOLDER, other, key) is None
            stored = get_detail(self.ledger, HOLDER, HOLDER, GrantRecord.key(grant_id))
            assert stored is not None
            state = decode_record(stored, GrantRecord).state
            assert state == ("revoked" if grant.revoked else "live")


TestGrantGame = GrantGame.TestCase
TestGrantGame.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
