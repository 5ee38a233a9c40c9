"""The game for an account: owner, thief, agents and issuer move in any order; the owner wins.

The owner looks at the ledger at least once in every pause, which is shorter than the guard's delay.
Each rule of guard and recovery is then switched off, one at a time: the game must find the attack.
"""

import math
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from support.guarded_account import (
    DELAY_MS,
    ESCROW,
    ESCROW_GRANTS,
    GUARD,
    HOLDER,
    ISSUER,
    OTHER,
    PHONE,
    THIEF,
    GuardedAccount,
    announcement,
    recovery,
)
from support.memory_ledger import named_key

from chaincode.errors import RecordCode
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission
from chaincode.records import NO_ID, GrantRecord
from chaincode.records.recovery import FINISH_WITHIN_MS, RecoverRecord, VetoRecord
from chaincode.rules import commands as command_rules
from chaincode.rules.identity import guard as guard_rules
from chaincode.rules.identity import recovery as recovery_rules
from chaincode.rules.identity.guard import standing_guard
from chaincode.rules.identity.recovery import ESCROW_PERMISSIONS
from chaincode.world_state import get_grants
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import (
    add_signatory,
    grant_permission,
    remove_signatory,
    revoke_permission,
    set_account_detail,
    set_account_quorum,
    set_record,
)

TICKS_MS = 10_000
"""Each transaction takes two milliseconds of the ledger's clock; a game has far fewer."""
PAUSE_MS = DELAY_MS - TICKS_MS
OWNERS_IDS = [f"{number:032x}" for number in range(1, 6)]
THIEFS_IDS = [f"{number:032x}" for number in range(0xA1, 0xA6)]

LIFT = set_record(HOLDER, NO_ID, replace(GUARD, state="lifted"))
OWN_GUARD = set_record(HOLDER, NO_ID, replace(GUARD, escrow=OTHER, delay_ms=1))
CHANGES = [
    add_signatory(HOLDER, THIEF.public_key),
    remove_signatory(HOLDER, PHONE.public_key),
    set_account_quorum(HOLDER, 2),
    LIFT,
    OWN_GUARD,
    revoke_permission(ESCROW, GrantablePermission.can_add_my_signatory),
    revoke_permission(ESCROW, GrantablePermission.can_set_my_account_detail),
    grant_permission(OTHER, GrantablePermission.can_add_my_signatory),
]
GRANT = GrantRecord(commitment=bytes(32), gateway=OTHER, expires_at_ms=2**45, uses=1, state="live")
HOLDERS_MOVES = [
    *CHANGES,
    *map(announcement, CHANGES),
    *(announcement(change, state="withdrawn") for change in CHANGES),
    *(set_record(HOLDER, record_id, VetoRecord()) for record_id in OWNERS_IDS),
    set_record(HOLDER, THIEFS_IDS[0], recovery(THIEF)),
    set_record(HOLDER, THIEFS_IDS[0], GRANT),
    grant_permission(OTHER, GrantablePermission.can_set_my_account_detail),
]
AGENTS_MOVES = [
    *(set_record(HOLDER, record_id, recovery(THIEF)) for record_id in THIEFS_IDS),
    add_signatory(HOLDER, THIEF.public_key),
    remove_signatory(HOLDER, PHONE.public_key),
    set_account_quorum(HOLDER, 2),
    LIFT,
]
ACCOMPLICES_MOVES = [
    CHANGES[0],
    LIFT,
    set_record(HOLDER, THIEFS_IDS[0], recovery(THIEF)),
    set_record(HOLDER, OWNERS_IDS[0], VetoRecord()),
    set_account_detail(HOLDER, "note", "1"),
]
TIMES_MS = st.sampled_from([1, DELAY_MS // 2, PAUSE_MS, DELAY_MS, DELAY_MS + FINISH_WITHIN_MS])


def moves(commands: list[Command]) -> st.SearchStrategy[list[Command]]:
    return st.lists(st.sampled_from(commands), min_size=1, max_size=3)


class Game(RuleBasedStateMachine):
    """The ledger, its clock, and an owner who looks at it once a pause."""

    def __init__(self) -> None:
        super().__init__()
        self.world = GuardedAccount()
        self.begun_ms = self.world.last_block_ms
        self.owner_acts_by_ms = self.begun_ms + PAUSE_MS
        self.won = False

    @rule(milliseconds=TIMES_MS)
    def time_passes(self, milliseconds: int) -> None:
        until = self.now_ms + milliseconds
        while self.owner_acts_by_ms < until:
            self.world.time_ms = self.owner_acts_by_ms
            self.owner_acts()
        self.world.time_ms = until

    @rule()
    def owner_acts(self) -> None:
        if not self.won:
            self.owner()
        self.owner_acts_by_ms = self.now_ms + PAUSE_MS

    @rule(commands=moves(ACCOMPLICES_MOVES))
    def accomplice(self, commands: list[Command]) -> None:
        """Another account, with whatever the holder's key granted to it."""
        self.world.submit(OTHER, *commands)

    @property
    def now_ms(self) -> int:
        return max(self.world.time_ms, self.world.last_block_ms)

    @property
    def owner_wins_by_ms(self) -> float:
        """When the owner must have won, at the latest."""
        return math.inf

    def owner(self) -> None:
        """What the owner does when looking at the ledger."""

    def last_moves(self) -> None:
        """What the other side does before each look of the owner, once the game ends."""

    @invariant()
    def the_thief_has_no_key(self) -> None:
        assert THIEF.public_key not in self.world.signatories
        assert len(self.world.signatories) == 1

    @invariant()
    def the_owner_is_in_time(self) -> None:
        assert self.won or self.now_ms <= self.owner_wins_by_ms

    def teardown(self) -> None:
        """Play on until the owner must have won."""
        for _ in range(12):
            self.last_moves()
            self.the_thief_has_no_key()
            self.time_passes(PAUSE_MS // 2)
        self.the_owner_is_in_time()


class Recovering(Game):
    """A game in which the owner has lost the phone, and has card, password and face."""

    counter: ClassVar[bool]
    """Whether the owner goes to the counter of the issuer first."""

    def __init__(self) -> None:
        super().__init__()
        self.tries = 0

    def owner(self) -> None:
        status = self.world.status
        if status.item == RecoverRecord.key(self.record_id) and status.state == "open":
            code = self.world.finish(self.key)
            assert code in {0, RecordCode.WINDOW_OPEN}
            self.won = code == 0
        else:
            self.tries += 1
            if self.counter:
                assert self.world.approve_recovery(self.record_id, self.key) == 0
            assert self.world.open(self.record_id, self.key) == 0

    @property
    def record_id(self) -> str:
        return f"{self.tries:032x}"

    @property
    def key(self) -> AccountKey:
        return named_key(f"new phone {self.tries}")

    @rule(commands=moves(HOLDERS_MOVES))
    def thief(self, commands: list[Command]) -> None:
        """The thief has the phone."""
        self.world.ledger.submit(HOLDER, *commands)

    @invariant()
    def the_guard_stands(self) -> None:
        assert standing_guard(self.world.ledger, HOLDER) == GUARD
        assert get_grants(self.world.ledger, HOLDER, ESCROW) >= ESCROW_PERMISSIONS

    @rule()
    def thief_vetoes(self) -> None:
        for record_id in OWNERS_IDS:
            self.world.veto(record_id)

    @rule()
    def thief_presses(self) -> None:
        """Carry out every change that can be carried out, and announce the others."""
        for change in CHANGES:
            if self.world.submit(HOLDER, change) in {RecordCode.GUARDED, RecordCode.LAPSED}:
                self.world.announce(change)

    def last_moves(self) -> None:
        self.thief_vetoes()
        self.thief_presses()


class PhoneStolen(Recovering):
    """The thief has the phone, and nothing else. The owner recovers from home."""

    counter = False

    @property
    def owner_wins_by_ms(self) -> float:
        return self.begun_ms + 2 * DELAY_MS + 3 * PAUSE_MS + TICKS_MS


class AllStolen(Recovering):
    """The thief has the phone, the card, the password, and a face that passes.

    The agents are honest, and serve both. The owner goes to the counter.
    """

    counter = True

    @property
    def owner_wins_by_ms(self) -> float:
        return self.begun_ms + DELAY_MS + 2 * PAUSE_MS + TICKS_MS

    @rule(commands=moves(AGENTS_MOVES))
    def agents(self, commands: list[Command]) -> None:
        self.world.submit(ESCROW, *commands)

    def last_moves(self) -> None:
        super().last_moves()
        for command in AGENTS_MOVES:
            self.world.submit(ESCROW, command)


class AgentsCollude(Game):
    """So many agents collude that they sign what they like. The owner has the phone.

    The owner vetoes; where the agents come again, the owner leaves them by way of the counter.
    """

    def __init__(self) -> None:
        super().__init__()
        self.leaves_at_ms = math.inf

    def owner(self) -> None:
        if self.world.status.is_open_recovery(self.now_ms):
            recovery_id = self.world.status.item.removeprefix(RecoverRecord.prefix)
            if self.world.veto(recovery_id) != 0:
                self.leaves_at_ms = self.now_ms
                assert self.world.approve_change(LIFT) == 0
                assert self.world.announce(LIFT) == 0
        elif self.leaves_at_ms < math.inf:
            revocations = [revoke_permission(ESCROW, one) for one in ESCROW_GRANTS]
            code = self.world.submit(HOLDER, LIFT, *revocations)
            assert code in {0, RecordCode.WINDOW_OPEN}
            self.won = code == 0

    @property
    def owner_wins_by_ms(self) -> float:
        return self.leaves_at_ms + DELAY_MS + PAUSE_MS + TICKS_MS

    @rule(commands=moves(AGENTS_MOVES))
    def agents(self, commands: list[Command]) -> None:
        self.world.submit(ESCROW, *commands)

    @invariant()
    def the_owner_keeps_the_account(self) -> None:
        assert self.world.signatories == {PHONE.public_key}

    def last_moves(self) -> None:
        for command in AGENTS_MOVES:
            self.world.submit(ESCROW, command)


class IssuerLies(Game):
    """The issuer approves what nobody asked for. Holder and agents do nothing."""

    @rule(command=st.sampled_from(CHANGES), number=st.integers(0, 4))
    def issuer(self, command: Command, number: int) -> None:
        assert self.world.approve_change(command) == 0
        assert self.world.approve_recovery(THIEFS_IDS[number], THIEF) == 0

    @rule(commands=moves([*AGENTS_MOVES, *HOLDERS_MOVES]))
    def issuer_sends(self, commands: list[Command]) -> None:
        self.world.submit(ISSUER, *commands)

    @invariant()
    def the_owner_keeps_the_account(self) -> None:
        assert self.world.signatories == {PHONE.public_key}
        assert standing_guard(self.world.ledger, HOLDER) == GUARD


GAMES = [PhoneStolen, AllStolen, AgentsCollude, IssuerLies]
# Many moves a game and few games: an attack is a sequence.
SETTINGS = settings(
    max_examples=1_000 if os.environ.get("TEGATA_SOAK") else 25,
    stateful_step_count=30,
    deadline=None,
)


@pytest.mark.parametrize("game", GAMES)
def test_the_owner_wins(game: type[Game]) -> None:
    run_state_machine_as_test(game, settings=SETTINGS)  # type: ignore[no-untyped-call]


def held_back_but(*names: str) -> Callable[[str, Command], str | None]:
    """Return `guarded_account` without the rule for some commands."""
    guarded_account = guard_rules.guarded_account

    def without(creator: str, command: Command) -> str | None:
        return None if command.WhichOneof("command") in names else guarded_account(creator, command)

    return without


def never(*_args: object, **_more: object) -> bool:
    return False


def nothing(*_args: object, **_more: object) -> None:
    return None


ATTACKS: list[tuple[str, type[Game], object, str, Any]] = [
    ("the guard sees no command", PhoneStolen, command_rules, "check_guard", nothing),
    ("nothing has to mature", PhoneStolen, guard_rules, "_check_matured", nothing),
    ("a recovery ends no change", PhoneStolen, guard_rules, "_was_ended", never),
    ("a veto is for ever", PhoneStolen, recovery_rules, "_is_recent", never),
    (
        "the guard is edited freely",
        PhoneStolen,
        guard_rules,
        "guarded_account",
        held_back_but("set_account_detail", "compare_and_set_account_detail"),
    ),
    (
        "permissions are revoked freely",
        PhoneStolen,
        guard_rules,
        "guarded_account",
        held_back_but("revoke_permission"),
    ),
    ("approvals do not count", AllStolen, recovery_rules, "_approved_at_ms", nothing),
    ("agents need no recovery", AgentsCollude, guard_rules, "_carry_out_recovery", nothing),
    ("no change is approved", AgentsCollude, recovery_rules, "_approved_at_ms", nothing),
    ("agents need no time", AgentsCollude, guard_rules, "_check_matured", nothing),
]


@pytest.mark.parametrize(
    ("game", "module", "name", "replacement"),
    [pytest.param(*attack[1:], id=attack[0]) for attack in ATTACKS],
)
def test_each_rule_matters(
    game: type[Game],
    module: object,
    name: str,
    replacement: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without this rule the game finds the attack."""
    monkeypatch.setattr(module, name, replacement)
    search = settings(
        SETTINGS,
        max_examples=500,
        derandomize=True,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(game, settings=search)  # type: ignore[no-untyped-call]
