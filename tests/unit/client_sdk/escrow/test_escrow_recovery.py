"""Protecting and recovering through agents: any two of three are enough, and a liar is named."""

from typing import Any

import pytest
from support.escrow_world import CONTENTS, KDF, PASSWORD, EscrowWorld
from support.face_world import PORTRAIT

from chaincode.encoding import encode_base64url
from client_sdk.credentials.jose import thumbprint
from client_sdk.errors import (
    EscrowError,
    EscrowFormatError,
    TooFewAgentsError,
    TransportError,
    WeakPasswordError,
    WrongPasswordError,
)
from client_sdk.escrow.evaluations import Patience
from client_sdk.escrow.paper_backup import split_protection
from client_sdk.escrow.protection import (
    HolderBinding,
    protect,
    update_backup,
    withdraw,
)
from client_sdk.escrow.recovery import (
    RecoveredBackup,
    RecoveryFaceTest,
    recover,
    recover_from_paper,
)
from client_sdk.escrow.recovery_secret import PasskeySecret
from client_sdk.face.portrait import PortraitOpening


def test_a_backup_comes_back(world: EscrowWorld) -> None:
    card, protection = world.protect()
    recovered = recover(card, PASSWORD, http=world.http)
    assert recovered.contents == CONTENTS
    assert recovered.version == 1
    assert recovered.findings == ()
    assert recovered.protection.secret == protection.secret
    assert recovered.protection.lagging == ()
    assert recovered.success_key is not None
    terms = world.agents[0].store.change(card.handle, lambda rows: rows.deposits()[0].terms)
    assert thumbprint(recovered.success_key) == terms.success_key


def test_a_passkey_stands_in_for_the_password(world: EscrowWorld) -> None:
    passkey = PasskeySecret(output=bytes(range(32)))
    card, _ = world.protect(passkey)
    assert recover(card, passkey, http=world.http).contents == CONTENTS
    with pytest.raises(WrongPasswordError):
        recover(card, bytes(range(32)).decode(), http=world.http)


@pytest.mark.parametrize("down", [0, 1, 2])
def test_any_one_agent_may_be_down(world: EscrowWorld, down: int) -> None:
    card, _ = world.protect()
    world.http.down = {world.urls[down]}
    recovered = recover(card, PASSWORD, http=world.http)
    assert recovered.contents == CONTENTS
    assert [(item.url, item.fault) for item in recovered.findings] == [
        (world.urls[down], "unreachable")
    ]


def test_with_two_agents_down_there_is_a_clear_word(world: EscrowWorld) -> None:
    card, _ = world.protect()
    world.http.down = set(world.urls[1:])
    with pytest.raises(TooFewAgentsError) as refused:
        recover(card, PASSWORD, http=world.http)
    text = str(refused.value)
    assert "2 agents are needed and 1 did their part" in text
    assert all(f"{url} cannot be reached" in text for url in world.urls[1:])
    assert world.urls[0] not in text


class LosingAgents:
    """What happens to agents once the holder's face is being tested, and who waits for them."""

    def __init__(self, world: EscrowWorld, *, down: set[str]) -> None:
        self.world, self.down = world, down
        self.waited: list[str] = []
        portrait = PortraitOpening.create(PORTRAIT)
        binding = HolderBinding(account="h@holder", portrait_commitment=portrait.commitment)
        self.card, _ = world.protect(binding=binding)

    def have_tested(self, _wanted: RecoveryFaceTest) -> str:
        self.world.http.down = self.down
        return "no agent here asks for it"

    def wait(self, problem: TooFewAgentsError) -> None:
        self.waited.append(str(problem))
        self.world.http.down = set()

    def recover(self, patience: Patience | None = None) -> RecoveredBackup:
        return recover(
            self.card,
            PASSWORD,
            http=self.world.http,
            face_test=self.have_tested,
            patience=patience or self.wait,
        )

    def asked(self, end: str) -> list[str]:
        """Return which agents were asked for something, in order."""
        return [url for url, _, path in self.world.http.sent if path.endswith(end)]


def test_agents_that_go_away_meanwhile_are_waited_for(world: EscrowWorld) -> None:
    losing = LosingAgents(world, down=set(world.urls[1:]))
    recovered = losing.recover()
    assert recovered.contents == CONTENTS
    assert recovered.findings == ()
    (told,) = losing.waited
    assert f"{world.urls[1]} cannot be reached" in told
    # Each attempt is used once.
    assert losing.asked("/evaluations") == world.urls[:2]


def test_who_has_no_patience_is_told_at_once(world: EscrowWorld) -> None:
    losing = LosingAgents(world, down=set(world.urls[1:]))

    def give_up(problem: TooFewAgentsError) -> None:
        raise problem

    with pytest.raises(TooFewAgentsError, match="cannot be reached"):
        losing.recover(give_up)


def test_an_answer_that_was_lost_costs_no_second_attempt(world: EscrowWorld) -> None:
    """Else whoever loses answers on their way could have an agent erase its share."""

    def lose(_method: str, path: str, _answer: dict[str, Any]) -> None:
        if path.endswith("/evaluations"):
            raise TransportError("lost on its way")

    losing = LosingAgents(world, down={world.urls[2]})
    world.http.tampering = {world.urls[1]: lose}
    waits = iter([None, losing.wait])

    def wait(problem: TooFewAgentsError) -> None:
        if (bring_back := next(waits)) is not None:
            bring_back(problem)

    recovered = losing.recover(wait)
    assert recovered.contents == CONTENTS
    assert losing.asked("/evaluations") == world.urls
    (lost,) = (found for found in recovered.findings if found.fault == "refused")
    assert (lost.url, "cost an attempt" in lost.detail) == (world.urls[1], True)


def test_agents_that_go_away_before_the_backup_is_read_are_waited_for(world: EscrowWorld) -> None:
    def go_away(_method: str, path: str, _answer: dict[str, Any]) -> None:
        if path.endswith("/confirmations"):
            world.http.down = set(world.urls[1:])

    losing = LosingAgents(world, down=set())
    world.http.tampering = {world.urls[2]: go_away}
    assert losing.recover().contents == CONTENTS
    assert len(losing.waited) == 1
    assert len(losing.asked("/evaluations")) == 2


def test_a_wrong_password_is_told_and_counted(world: EscrowWorld) -> None:
    card, _ = world.protect()
    for left in (9, 8):
        with pytest.raises(WrongPasswordError, match=f"{left} attempts") as refused:
            recover(card, PASSWORD + "!", http=world.http)
        assert refused.value.attempts_left == left
    world.clock.advance(seconds=60)
    recover(card, PASSWORD, http=world.http)
    status = world.client().status(card.key, card.handle)
    assert status.attempts_left == 10


def test_only_as_many_agents_as_needed_count_an_attempt(world: EscrowWorld) -> None:
    card, _ = world.protect()
    with pytest.raises(WrongPasswordError):
        recover(card, "another", http=world.http)
    left = [world.client(n).status(card.key, card.handle).attempts_left for n in (1, 2, 3)]
    assert left == [9, 9, 10]


def test_a_delay_is_told(world: EscrowWorld) -> None:
    card, _ = world.protect()
    for _ in range(2):
        with pytest.raises(WrongPasswordError):
            recover(card, "another", http=world.http)
    # The first two agents want to wait now, and the third one alone is not enough.
    with pytest.raises(TooFewAgentsError, match=r"1 did their part.*Wait 30 s"):
        recover(card, PASSWORD, http=world.http)
    world.clock.advance(seconds=30)
    assert recover(card, PASSWORD, http=world.http).contents == CONTENTS


def test_an_update_comes_back_and_the_older_version_can_be_asked_for(world: EscrowWorld) -> None:
    card, protection = world.protect()
    newer = {**CONTENTS, "credentials": ["first", "second"]}
    protection, findings = update_backup(protection, newer, http=world.http)
    assert findings == ()
    assert (protection.version, protection.lagging) == (2, ())
    recovered = recover(card, PASSWORD, http=world.http)
    assert (recovered.version, recovered.contents) == (2, newer)
    older = recover(card, PASSWORD, http=world.http, version=1)
    assert older.contents == CONTENTS
    with pytest.raises(EscrowFormatError, match="no agent has version 7; there is 1, 2"):
        recover(card, PASSWORD, http=world.http, version=7)


def test_an_agent_that_missed_an_update_is_named(world: EscrowWorld) -> None:
    card, protection = world.protect()
    world.http.down = {world.urls[2]}
    protection, findings = update_backup(protection, {"new": True}, http=world.http)
    assert [(item.url, item.fault) for item in findings] == [(world.urls[2], "unreachable")]
    assert protection.lagging == (world.urls[2],)
    world.http.down = {world.urls[0]}
    recovered = recover(card, PASSWORD, http=world.http)
    assert (recovered.version, recovered.contents) == (2, {"new": True})
    assert {(item.url, item.fault) for item in recovered.findings} == {
        (world.urls[0], "unreachable"),
        (world.urls[2], "outdated"),
    }
    world.http.down = set()
    protection, findings = update_backup(protection, {"new": True}, http=world.http)
    assert (protection.lagging, findings) == ((), ())


def test_a_recovered_wallet_goes_on_with_its_backup(world: EscrowWorld) -> None:
    card, _ = world.protect()
    recovered = recover(card, PASSWORD, http=world.http)
    update_backup(recovered.protection, {"phone": "new"}, http=world.http)
    assert recover(card, PASSWORD, http=world.http).contents == {"phone": "new"}


def test_a_new_password_keeps_the_card(world: EscrowWorld) -> None:
    card, protection = world.protect()
    world.clock.advance(seconds=1)
    new_password = "Tsubame-77-Hikari"
    same, replaced = world.protect(new_password, replacing=(card, protection))
    assert same == card
    assert replaced.secret != protection.secret
    assert recover(card, new_password, http=world.http).contents == CONTENTS
    with pytest.raises(WrongPasswordError):
        recover(card, PASSWORD, http=world.http)


@pytest.mark.parametrize("reached", [1, 2])
def test_a_change_of_password_that_breaks_off_leaves_the_old_one(
    world: EscrowWorld, reached: int
) -> None:
    card, protection = world.protect()
    world.clock.advance(seconds=1)
    cut_off = world.urls[reached]
    honest = world.http._send

    def send(method: str, url: str, **options: Any) -> Any:
        if url.startswith(cut_off) and method == "PUT":
            world.http.down = {cut_off}
        return honest(method, url, **options)

    world.http._send = send  # type: ignore[method-assign]
    with pytest.raises(EscrowError, match=f"{cut_off} did not take its part"):
        world.protect("Tsubame-77-Hikari", replacing=(card, protection))
    world.http.down = set()
    assert recover(card, PASSWORD, http=world.http).contents == CONTENTS


@pytest.mark.parametrize("lost", [1, 2])
def test_agents_that_are_lost_while_a_new_password_is_confirmed(
    world: EscrowWorld, lost: int
) -> None:
    card, protection = world.protect()
    honest, gone = world.http._send, set(world.urls[:lost])

    def send(method: str, url: str, **options: Any) -> Any:
        if url.endswith("/confirmations"):
            world.http.down = gone
        return honest(method, url, **options)

    world.http._send = send  # type: ignore[method-assign]
    new_password = "Tsubame-77-Hikari"
    # The wallet's clock stands still meanwhile: the new deposit is the newer one all the same.
    _, replaced = world.protect(new_password, replacing=(card, protection))
    assert replaced.epoch == protection.epoch + 1
    assert replaced.lagging == tuple(world.urls[:lost])
    world.http._send = honest  # type: ignore[method-assign]
    world.http.down = set()
    replaced, findings = update_backup(replaced, {"phone": "old"}, http=world.http)
    assert (replaced.lagging, findings) == ((), ())
    assert recover(card, new_password, http=world.http).contents == {"phone": "old"}
    with pytest.raises(WrongPasswordError):
        recover(card, PASSWORD, http=world.http)


def test_all_agents_lost_before_the_first_confirmation(world: EscrowWorld) -> None:
    honest = world.http._send

    def send(method: str, url: str, **options: Any) -> Any:
        if url.endswith("/confirmations"):
            world.http.down = set(world.urls)
        return honest(method, url, **options)

    world.http._send = send  # type: ignore[method-assign]
    with pytest.raises(TooFewAgentsError, match="confirming the deposit"):
        world.protect()


def test_two_addresses_of_one_agent_are_no_set(world: EscrowWorld) -> None:
    with pytest.raises(EscrowFormatError, match="different agents"):
        protect(
            CONTENTS,
            [world.urls[0], world.urls[0]],
            PASSWORD,
            threshold=2,
            http=world.http,
            now_ms=world.clock,
            kdf=KDF,
        )


def test_an_agent_that_is_down_when_a_wallet_is_protected_is_named(world: EscrowWorld) -> None:
    world.http.down = {world.urls[1]}
    with pytest.raises(EscrowError, match=world.urls[1]):
        world.protect()


def test_a_weak_password_is_refused_before_anything_is_sent(world: EscrowWorld) -> None:
    with pytest.raises(WeakPasswordError):
        world.protect("Password1")
    assert world.http.sent == []


def test_a_card_of_another_wallet_replaces_nothing(world: EscrowWorld) -> None:
    card, _ = world.protect()
    _, other = world.protect()
    world.clock.advance(seconds=1)
    with pytest.raises(EscrowFormatError, match="another wallet's"):
        world.protect(replacing=(card, other))


def test_a_withdrawal_by_the_wallet_waits_and_a_recovery_stops_it(world: EscrowWorld) -> None:
    card, protection = world.protect()
    assert withdraw(protection, http=world.http) == ()
    world.clock.advance(seconds=86_400)
    world.purge()
    assert recover(card, PASSWORD, http=world.http).contents == CONTENTS
    world.clock.advance(seconds=3 * 86_400)
    world.purge()
    assert recover(card, PASSWORD, http=world.http).contents == CONTENTS


def test_a_withdrawal_is_done_after_its_delay(world: EscrowWorld) -> None:
    card, protection = world.protect()
    withdraw(protection, http=world.http)
    world.clock.advance(seconds=3 * 86_400)
    world.purge()
    with pytest.raises(TooFewAgentsError, match="no agent knows this card"):
        recover(card, PASSWORD, http=world.http)


def test_secrets_stay_out_of_reprs(world: EscrowWorld) -> None:
    card, protection = world.protect()
    recovered = recover(card, PASSWORD, http=world.http)
    shown = repr((card, protection, recovered))
    for secret in (card.secret, protection.secret.value, protection.secret.backup_key):
        assert encode_base64url(secret) not in shown
        assert repr(secret)[2:-1] not in shown
    assert "secret credential" not in shown


def test_paper_brings_the_backup_back_without_card_and_password(world: EscrowWorld) -> None:
    _, protection = world.protect()
    update_backup(protection, {"version": "two"}, http=world.http)
    sheets = split_protection(protection, threshold=2, shares=3)
    recovered = recover_from_paper(sheets[1:], http=world.http)
    assert (recovered.version, recovered.contents) == (2, {"version": "two"})
    assert recovered.protection.secret == protection.secret
    assert recovered.success_key is None
    older = recover_from_paper(sheets[:2], http=world.http, version=1)
    assert older.contents == CONTENTS


def test_paper_of_an_earlier_password_is_refused(world: EscrowWorld) -> None:
    card, protection = world.protect()
    sheets = split_protection(protection, threshold=2, shares=3)
    world.clock.advance(seconds=1)
    world.protect("Tsubame-77-Hikari", replacing=(card, protection))
    with pytest.raises(TooFewAgentsError, match="may not ask this"):
        recover_from_paper(sheets[:2], http=world.http)
