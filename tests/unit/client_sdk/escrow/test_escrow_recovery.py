"""Protecting and recovering through agents: any two of three are enough, and a liar is named."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.escrow_world import CONTENTS, KDF, PASSWORD, EscrowWorld
from support.face_world import PORTRAIT, URL, FaceWorld
from support.issuer_world import Clock

from chaincode.encoding import decode_base64url, encode_base64url
from client_sdk.credentials.jose import export_public_jwk, generate_key, thumbprint
from client_sdk.errors import (
    EscrowError,
    EscrowFormatError,
    FaceTestRefusedError,
    TooFewAgentsError,
    TransportError,
    WeakPasswordError,
    WrongPasswordError,
)
from client_sdk.escrow.access_log import START, LogEntry, sign_head
from client_sdk.escrow.agent_set import agent_set
from client_sdk.escrow.agents_faces import find_face_service, want_faces
from client_sdk.escrow.counter_token import CounterToken
from client_sdk.escrow.deposit_statement import DepositStatement, handle_of
from client_sdk.escrow.evaluation_request import RECOVERY_PURPOSE
from client_sdk.escrow.evaluations import Patience
from client_sdk.escrow.log_reading import read_logs
from client_sdk.escrow.paper_backup import split_protection
from client_sdk.escrow.protection import (
    HolderBinding,
    Protection,
    protect,
    update_backup,
    withdraw,
)
from client_sdk.escrow.recovery import (
    CounterHelp,
    RecoveredBackup,
    RecoveryFaceTest,
    recover,
    recover_at_counter,
    recover_from_paper,
)
from client_sdk.escrow.recovery_card import RecoveryCard
from client_sdk.escrow.recovery_secret import PasskeySecret, RecoverySecret
from client_sdk.face.attestation import FaceAttestation
from client_sdk.face.capture import run_test
from client_sdk.face.portrait import PortraitOpening
from client_sdk.threshold_oprf import share_key
from client_sdk.threshold_oprf.ristretto255 import Element, multiply, random_scalar, scalar_of


@pytest.fixture
def world(tmp_path: Path) -> Iterator[EscrowWorld]:
    world = EscrowWorld(tmp_path)
    yield world
    world.close()


def _protect(
    world: EscrowWorld, secret: RecoverySecret = PASSWORD, **options: Any
) -> tuple[RecoveryCard, Protection]:
    return protect(
        CONTENTS,
        world.urls,
        secret,
        threshold=2,
        http=world.http,
        now_ms=world.clock,
        kdf=KDF,
        **options,
    )


def test_a_backup_comes_back(world: EscrowWorld) -> None:
    card, protection = _protect(world)
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
    card, _ = _protect(world, passkey)
    assert recover(card, passkey, http=world.http).contents == CONTENTS
    with pytest.raises(WrongPasswordError):
        recover(card, bytes(range(32)).decode(), http=world.http)


@pytest.mark.parametrize("down", [0, 1, 2])
def test_any_one_agent_may_be_down(world: EscrowWorld, down: int) -> None:
    card, _ = _protect(world)
    world.http.down = {world.urls[down]}
    recovered = recover(card, PASSWORD, http=world.http)
    assert recovered.contents == CONTENTS
    assert [(item.url, item.fault) for item in recovered.findings] == [
        (world.urls[down], "unreachable")
    ]


def test_with_two_agents_down_there_is_a_clear_word(world: EscrowWorld) -> None:
    card, _ = _protect(world)
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
        self.card, _ = _protect(world, binding=binding)

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
    card, _ = _protect(world)
    for left in (9, 8):
        with pytest.raises(WrongPasswordError, match=f"{left} attempts") as refused:
            recover(card, PASSWORD + "!", http=world.http)
        assert refused.value.attempts_left == left
    world.clock.advance(seconds=60)
    recover(card, PASSWORD, http=world.http)
    status = world.client().status(card.key, card.handle)
    assert status.attempts_left == 10


def test_only_as_many_agents_as_needed_count_an_attempt(world: EscrowWorld) -> None:
    card, _ = _protect(world)
    with pytest.raises(WrongPasswordError):
        recover(card, "another", http=world.http)
    left = [world.client(n).status(card.key, card.handle).attempts_left for n in (1, 2, 3)]
    assert left == [9, 9, 10]


def test_a_delay_is_told(world: EscrowWorld) -> None:
    card, _ = _protect(world)
    for _ in range(2):
        with pytest.raises(WrongPasswordError):
            recover(card, "another", http=world.http)
    # The first two agents want to wait now, and the third one alone is not enough.
    with pytest.raises(TooFewAgentsError, match=r"1 did their part.*Wait 30 s"):
        recover(card, PASSWORD, http=world.http)
    world.clock.advance(seconds=30)
    assert recover(card, PASSWORD, http=world.http).contents == CONTENTS


def test_an_update_comes_back_and_the_older_version_can_be_asked_for(world: EscrowWorld) -> None:
    card, protection = _protect(world)
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
    card, protection = _protect(world)
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
    card, _ = _protect(world)
    recovered = recover(card, PASSWORD, http=world.http)
    update_backup(recovered.protection, {"phone": "new"}, http=world.http)
    assert recover(card, PASSWORD, http=world.http).contents == {"phone": "new"}


def test_a_new_password_keeps_the_card(world: EscrowWorld) -> None:
    card, protection = _protect(world)
    world.clock.advance(seconds=1)
    new_password = "Tsubame-77-Hikari"
    same, replaced = _protect(world, new_password, replacing=(card, protection))
    assert same == card
    assert replaced.secret != protection.secret
    assert recover(card, new_password, http=world.http).contents == CONTENTS
    with pytest.raises(WrongPasswordError):
        recover(card, PASSWORD, http=world.http)


@pytest.mark.parametrize("reached", [1, 2])
def test_a_change_of_password_that_breaks_off_leaves_the_old_one(
    world: EscrowWorld, reached: int
) -> None:
    card, protection = _protect(world)
    world.clock.advance(seconds=1)
    cut_off = world.urls[reached]
    honest = world.http._send

    def send(method: str, url: str, **options: Any) -> Any:
        if url.startswith(cut_off) and method == "PUT":
            world.http.down = {cut_off}
        return honest(method, url, **options)

    world.http._send = send  # type: ignore[method-assign]
    with pytest.raises(EscrowError, match=f"{cut_off} did not take its part"):
        _protect(world, "Tsubame-77-Hikari", replacing=(card, protection))
    world.http.down = set()
    assert recover(card, PASSWORD, http=world.http).contents == CONTENTS


@pytest.mark.parametrize("lost", [1, 2])
def test_agents_that_are_lost_while_a_new_password_is_confirmed(
    world: EscrowWorld, lost: int
) -> None:
    card, protection = _protect(world)
    honest, gone = world.http._send, set(world.urls[:lost])

    def send(method: str, url: str, **options: Any) -> Any:
        if url.endswith("/confirmations"):
            world.http.down = gone
        return honest(method, url, **options)

    world.http._send = send  # type: ignore[method-assign]
    new_password = "Tsubame-77-Hikari"
    # The wallet's clock stands still meanwhile: the new deposit is the newer one all the same.
    _, replaced = _protect(world, new_password, replacing=(card, protection))
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
        _protect(world)


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
        _protect(world)


def test_a_weak_password_is_refused_before_anything_is_sent(world: EscrowWorld) -> None:
    with pytest.raises(WeakPasswordError):
        _protect(world, "Password1")
    assert world.http.sent == []


def test_a_card_of_another_wallet_replaces_nothing(world: EscrowWorld) -> None:
    card, _ = _protect(world)
    _, other = _protect(world)
    world.clock.advance(seconds=1)
    with pytest.raises(EscrowFormatError, match="another wallet's"):
        _protect(world, replacing=(card, other))


def test_a_withdrawal_by_the_wallet_waits_and_a_recovery_stops_it(world: EscrowWorld) -> None:
    card, protection = _protect(world)
    assert withdraw(protection, http=world.http) == ()
    world.clock.advance(seconds=86_400)
    world.purge()
    assert recover(card, PASSWORD, http=world.http).contents == CONTENTS
    world.clock.advance(seconds=3 * 86_400)
    world.purge()
    assert recover(card, PASSWORD, http=world.http).contents == CONTENTS


def test_a_withdrawal_is_done_after_its_delay(world: EscrowWorld) -> None:
    card, protection = _protect(world)
    withdraw(protection, http=world.http)
    world.clock.advance(seconds=3 * 86_400)
    world.purge()
    with pytest.raises(TooFewAgentsError, match="no agent knows this card"):
        recover(card, PASSWORD, http=world.http)


def _wrong_evaluation(_method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
    if not path.endswith("/evaluations"):
        return None
    element = multiply(scalar_of(2), Element(decode_base64url(answer["element"])))
    return {**answer, "element": encode_base64url(element)}


def _foreign_index(_method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
    if not path.endswith("/evaluations"):
        return None
    return {**answer, "index": answer["index"] % 3 + 1}


def _broken_backup(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
    if method != "GET" or "/backups/" not in path:
        return None
    sealed = bytearray(decode_base64url(answer["backups"][0]["sealed"]))
    sealed[-1] ^= 1
    return {"backups": [{"version": 2, "sealed": encode_base64url(bytes(sealed))}]}


def _forged_version(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
    if method != "GET" or "/backups/" not in path:
        return None
    return {"backups": [{**answer["backups"][0], "version": 9}]}


def _broken_statement(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
    if method != "GET" or "/backups/" in path or "deposits" not in answer:
        return None
    head, payload, signature = answer["deposits"][0]["statement"].split(".")
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    return {
        **answer,
        "deposits": [{**answer["deposits"][0], "statement": f"{head}.{payload}.{flipped}"}],
    }


def _nonsense(_method: str, _path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
    return {"nonce": answer["nonce"]} if "nonce" in answer else {"what": "nonsense"}


@pytest.mark.parametrize("liar", [0, 1])
@pytest.mark.parametrize(
    ("lie", "word"),
    [
        (_wrong_evaluation, "not made with the key"),
        (_foreign_index, "another agent's index"),
        (_broken_backup, "does not open: it was changed"),
        (_forged_version, "said to be version 9 does not open"),
        (_broken_statement, "signature"),
    ],
)
def test_a_lying_agent_is_named_and_the_others_finish(
    world: EscrowWorld, liar: int, lie: Any, word: str
) -> None:
    card, protection = _protect(world)
    update_backup(protection, {"version": "two"}, http=world.http)
    url = world.urls[liar]
    world.http.tampering = {url: lie}
    recovered = recover(card, PASSWORD, http=world.http)
    assert recovered.contents == {"version": "two"}
    assert [(item.url, item.fault) for item in recovered.findings] == [(url, "wrong")]
    assert word in recovered.findings[0].detail


def test_an_agent_that_hides_the_newest_backup_is_named(world: EscrowWorld) -> None:
    card, protection = _protect(world)
    update_backup(protection, {"version": "two"}, http=world.http)

    def hide(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
        return (
            {"backups": answer["backups"][1:]} if method == "GET" and "/backups/" in path else None
        )

    world.http.tampering = {world.urls[1]: hide}
    recovered = recover(card, PASSWORD, http=world.http)
    assert recovered.contents == {"version": "two"}
    assert [(item.url, item.fault) for item in recovered.findings] == [(world.urls[1], "outdated")]


def test_an_agent_that_talks_nonsense_is_named(world: EscrowWorld) -> None:
    card, _ = _protect(world)
    world.http.tampering = {world.urls[0]: _nonsense}
    recovered = recover(card, PASSWORD, http=world.http)
    assert recovered.contents == CONTENTS
    assert {item.url for item in recovered.findings} == {world.urls[0]}


def test_two_liars_are_both_named(world: EscrowWorld) -> None:
    card, _ = _protect(world)
    world.http.tampering = dict.fromkeys(world.urls[:2], _wrong_evaluation)
    with pytest.raises(TooFewAgentsError) as refused:
        recover(card, PASSWORD, http=world.http)
    assert all(f"{url} answered WRONGLY" in str(refused.value) for url in world.urls[:2])


def test_secrets_stay_out_of_reprs(world: EscrowWorld) -> None:
    card, protection = _protect(world)
    recovered = recover(card, PASSWORD, http=world.http)
    shown = repr((card, protection, recovered))
    for secret in (card.secret, protection.secret.value, protection.secret.backup_key):
        assert encode_base64url(secret) not in shown
        assert repr(secret)[2:-1] not in shown
    assert "secret credential" not in shown


def test_paper_brings_the_backup_back_without_card_and_password(world: EscrowWorld) -> None:
    _, protection = _protect(world)
    update_backup(protection, {"version": "two"}, http=world.http)
    sheets = split_protection(protection, threshold=2, shares=3)
    recovered = recover_from_paper(sheets[1:], http=world.http)
    assert (recovered.version, recovered.contents) == (2, {"version": "two"})
    assert recovered.protection.secret == protection.secret
    assert recovered.success_key is None
    older = recover_from_paper(sheets[:2], http=world.http, version=1)
    assert older.contents == CONTENTS


def test_paper_of_an_earlier_password_is_refused(world: EscrowWorld) -> None:
    card, protection = _protect(world)
    sheets = split_protection(protection, threshold=2, shares=3)
    world.clock.advance(seconds=1)
    _protect(world, "Tsubame-77-Hikari", replacing=(card, protection))
    with pytest.raises(TooFewAgentsError, match="may not ask this"):
        recover_from_paper(sheets[:2], http=world.http)


@pytest.mark.parametrize("is_updated", [False, True])
def test_the_wallet_reads_each_agents_log_and_names_one_that_rewrites_it(
    world: EscrowWorld, *, is_updated: bool
) -> None:
    card, protection = _protect(world)
    with pytest.raises(WrongPasswordError):
        recover(card, "somebody's guess", http=world.http)
    protection, logs, findings = read_logs(protection, http=world.http)
    assert findings == ()
    assert [log.url for log in logs] == world.urls
    for log in logs[:2]:
        assert ("evaluated", "card") in [(entry.event, entry.caller) for entry in log.entries]

    # One agent forgets the guess, and signs a log without it.
    liar = world.agents[0]

    entry = {**logs[0].entries[0].to_fields(), "event": "deposited"}
    head = sign_head(liar.key, handle=card.handle, sequence=1, entry_hash=LogEntry(**entry).hash)

    def rewrite(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
        if method == "PUT":
            return {**answer, "log_head": head}
        return {"entries": [entry], "head": head} if path.endswith("/log") else None

    world.http.tampering = {liar.url: rewrite}
    if is_updated:
        # Its new end comes with the answer to a backup, where nobody reads the log.
        protection, findings = update_backup(protection, CONTENTS, http=world.http)
        assert findings == ()
    _, logs, findings = read_logs(protection, http=world.http)
    assert [log.url for log in logs] == world.urls[1:]
    assert [(item.url, item.fault) for item in findings] == [(liar.url, "wrong")]
    assert "signed earlier" in findings[0].detail


def test_another_agents_signature_under_a_log_is_named(world: EscrowWorld) -> None:
    card, protection = _protect(world)
    stranger = generate_key()

    def sign_again(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
        del method
        if not path.endswith("/log"):
            return None
        last = LogEntry(**answer["entries"][-1])
        head = sign_head(stranger, handle=card.handle, sequence=last.sequence, entry_hash=last.hash)
        return {**answer, "head": head}

    world.http.tampering = {world.urls[0]: sign_again}
    _, logs, findings = read_logs(protection, http=world.http)
    assert [log.url for log in logs] == world.urls[1:]
    assert [item.detail for item in findings] == ["another agent signed the log"]


@pytest.mark.parametrize("who", ["another agent", "a stranger"])
def test_whoever_answers_at_an_agents_address_is_named(world: EscrowWorld, who: str) -> None:
    card, _ = _protect(world)
    key = world.agents[1].key if who == "another agent" else generate_key()

    def sign_again(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
        if method != "GET" or not path.endswith(card.handle):
            return None
        head = sign_head(key, handle=card.handle, sequence=1, entry_hash="0" * 64)
        return {**answer, "log_head": head}

    world.http.tampering = {world.urls[0]: sign_again}
    recovered = recover(card, PASSWORD, http=world.http)
    assert recovered.contents == CONTENTS
    assert [(item.url, item.fault) for item in recovered.findings] == [(world.urls[0], "wrong")]


def test_a_statement_of_other_agents_is_refused_though_the_card_signed_it(
    world: EscrowWorld,
) -> None:
    card, _ = _protect(world)
    terms = world.agents[0].store.change(card.handle, lambda rows: rows.deposits()[0].terms)
    others = replace(terms, agents=agent_set(2, terms.agents.keys[:2])).sign(card.key)

    def swap(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
        if method != "GET" or not path.endswith(card.handle):
            return None
        return {**answer, "deposits": [{**answer["deposits"][0], "statement": others}]}

    world.http.tampering = {world.urls[0]: swap}
    recovered = recover(card, PASSWORD, http=world.http)
    assert "names other agents" in recovered.findings[0].detail


def test_a_face_test_is_made_once_for_all_agents(tmp_path: Path) -> None:
    face_key, asked = generate_key(), []
    key_file = tmp_path / "face.jwk"
    key_file.write_text(json.dumps(export_public_jwk(face_key)))
    signer = {"name": "face.example", "key_file": key_file}
    world = EscrowWorld(tmp_path, face_required=True, face_services=[signer])
    binding = HolderBinding(account="h@holder", portrait_commitment="portrait")
    card, _ = _protect(world, binding=binding)

    def face_test(wanted: RecoveryFaceTest) -> str:
        asked.append(wanted.request_hash)
        now_s = world.clock() // 1000
        return FaceAttestation(
            issuer="face.example",
            audience=wanted.audience,
            id="one",
            issued_at=now_s,
            expires_at=now_s + 60,
            purpose=RECOVERY_PURPOSE,
            account=wanted.account,
            request_hash=wanted.request_hash,
            portrait_commitment=wanted.portrait_commitment,
            checks=("liveness",),
            thresholds={},
        ).sign(face_key)

    with pytest.raises(TooFewAgentsError, match="a face attestation is needed"):
        recover(card, PASSWORD, http=world.http)
    assert recover(card, PASSWORD, http=world.http, face_test=face_test).contents == CONTENTS
    assert len(asked) == 1
    world.close()


def test_agents_take_the_word_of_a_face_service_for_this_recovery(tmp_path: Path) -> None:
    portrait = PortraitOpening.create(PORTRAIT)
    clock = Clock()
    face = FaceWorld(clock=clock)
    trusted = [face.trust(tmp_path)]
    world = EscrowWorld(tmp_path, clock=clock, face_required=True, face_services=trusted)
    binding = HolderBinding(account="h@holder", portrait_commitment=portrait.commitment)
    card, _ = _protect(world, binding=binding)

    def face_test(wanted: RecoveryFaceTest) -> str:
        return run_test(face.client, wanted.with_portrait(portrait), face.person)

    assert recover(card, PASSWORD, http=world.http, face_test=face_test).contents == CONTENTS
    # One who shows the face of another portrait is not the one who was registered.
    face.vision.conclusion = "wrong_person"
    with pytest.raises(FaceTestRefusedError, match="registered portrait"):
        recover(card, PASSWORD, http=world.http, face_test=face_test)
    world.close()


def test_agents_that_want_faces_take_no_deposit_from_which_nobody_could_recover(
    tmp_path: Path,
) -> None:
    trusted = [FaceWorld().trust(tmp_path)]
    world = EscrowWorld(tmp_path, face_required=True, face_services=trusted)
    assert want_faces(world.urls, http=world.http)
    for binding in (HolderBinding(), HolderBinding(account="h@holder")):
        with pytest.raises(EscrowError, match="Agent 1 wants to see the holder's face"):
            _protect(world, binding=binding)
    assert not any(path.startswith("/deposits") for _, _, path in world.http.sent)
    world.close()


def test_where_faces_are_tested_most_agents_say_alike(tmp_path: Path) -> None:
    trusted = [{**FaceWorld().trust(tmp_path), "url": URL}]
    world = EscrowWorld(tmp_path, face_services=trusted)
    assert not want_faces(world.urls, http=world.http)
    assert find_face_service(world.urls, http=world.http) == URL

    def mislead(_method: str, _path: str, answer: dict[str, Any]) -> dict[str, Any]:
        return {**answer, "face_services": ["https://thief.example"]}

    world.http.tampering = {world.urls[0]: mislead}
    assert find_face_service(world.urls, http=world.http) == URL
    # One word is too few: the portrait would go there.
    world.http.down = {world.urls[1]}
    with pytest.raises(TooFewAgentsError) as refused:
        find_face_service(world.urls, http=world.http)
    assert refused.value.may_pass
    world.http.tampering = dict.fromkeys(world.urls, lambda *_: {"name": "nobody"})
    with pytest.raises(TooFewAgentsError) as refused:
        find_face_service(world.urls, http=world.http)
    assert not refused.value.may_pass
    world.close()


def test_a_portrait_that_was_not_registered_is_sent_nowhere() -> None:
    wanted = RecoveryFaceTest(
        audience="agents", account="h@holder", request_hash="A" * 43, portrait_commitment="B" * 43
    )
    with pytest.raises(EscrowFormatError, match="not the one that was registered"):
        wanted.with_portrait(PortraitOpening.create(PORTRAIT))


class CounterWorld(EscrowWorld):
    """Agents that trust an issuer's counter, and a holder with a new phone."""

    def __init__(self, folder: Path) -> None:
        self.issuer_key, self.phone = generate_key(), generate_key()
        key_file = folder / "issuer.jwk"
        key_file.write_text(json.dumps(export_public_jwk(self.issuer_key)))
        super().__init__(
            folder,
            guessing={"unaided": 1, "prompt": 1},
            issuers=[{"name": "city@issuer", "key_file": key_file}],
        )
        self.binding = HolderBinding(account="h@holder", approving_issuer="city@issuer")

    def visit(self, number: int = 1) -> CounterHelp:
        now_s = self.clock() // 1000
        token = CounterToken(
            issuer="city@issuer",
            id=f"visit {number}",
            issued_at=now_s,
            expires_at=now_s + 600,
            account="h@holder",
            key=thumbprint(self.phone),
        )
        return CounterHelp(token=token.sign(self.issuer_key), key=self.phone)


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[CounterWorld]:
    world = CounterWorld(tmp_path)
    yield world
    world.close()


def test_the_counter_helps_when_the_attempts_are_used_up(counter: CounterWorld) -> None:
    card, _ = _protect(counter, binding=counter.binding)
    with pytest.raises(WrongPasswordError):
        recover(card, "wrong", http=counter.http)
    with pytest.raises(TooFewAgentsError, match="Go to the counter"):
        recover(card, PASSWORD, http=counter.http)
    visit = counter.visit()
    assert recover(card, PASSWORD, http=counter.http, counter=visit).contents == CONTENTS
    assert visit.token not in repr(visit)


@pytest.mark.parametrize("down", [None, 0, 2])
def test_the_counter_stands_in_for_a_lost_card(counter: CounterWorld, down: int | None) -> None:
    _, protection = _protect(counter, binding=counter.binding)
    counter.http.down = set() if down is None else {counter.urls[down]}
    in_any_order = counter.urls[::-1]
    with pytest.raises(WrongPasswordError):
        recover_at_counter(in_any_order, "wrong", counter.visit(1), http=counter.http)
    recovered = recover_at_counter(in_any_order, PASSWORD, counter.visit(2), http=counter.http)
    assert recovered.contents == CONTENTS
    assert recovered.protection.urls == tuple(counter.urls)
    assert recovered.protection.secret == protection.secret
    assert {item.url for item in recovered.findings} == counter.http.down


def test_without_a_card_too_few_agents_are_too_few(counter: CounterWorld) -> None:
    with pytest.raises(TooFewAgentsError, match="no agent knows"):
        recover_at_counter(counter.urls, PASSWORD, counter.visit(), http=counter.http)
    _protect(counter, binding=counter.binding)
    counter.http.down = set(counter.urls[1:])
    with pytest.raises(TooFewAgentsError, match="2 agents are needed and 1"):
        recover_at_counter(counter.urls, PASSWORD, counter.visit(2), http=counter.http)


def test_of_deposits_that_lack_agents_the_nearest_is_told(counter: CounterWorld) -> None:
    _protect(counter, binding=counter.binding)
    counter.clock.advance(seconds=1)
    protect(
        CONTENTS,
        counter.urls,
        PASSWORD,
        threshold=3,
        http=counter.http,
        now_ms=counter.clock,
        kdf=KDF,
        binding=counter.binding,
    )
    counter.http.down = {counter.urls[2]}
    recovered = recover_at_counter(counter.urls, PASSWORD, counter.visit(), http=counter.http)
    assert recovered.protection.agents.threshold == 2
    counter.http.down = set(counter.urls[1:])
    with pytest.raises(TooFewAgentsError, match="2 agents are needed and 1"):
        recover_at_counter(counter.urls, PASSWORD, counter.visit(2), http=counter.http)


def test_a_deposit_in_anothers_name_does_not_stand_in_the_way_of_a_newer_one(
    counter: CounterWorld,
) -> None:
    # A stranger names the holder's account; what it opens is nothing of the holder's.
    _protect(counter, "Stranger-55-Kumo-Tori", binding=counter.binding)
    counter.clock.advance(seconds=1)
    _protect(counter, binding=counter.binding)
    recovered = recover_at_counter(counter.urls, PASSWORD, counter.visit(), http=counter.http)
    assert recovered.contents == CONTENTS


@pytest.mark.parametrize("keys", [1, 2])
def test_one_agent_makes_up_no_newer_deposit(counter: CounterWorld, keys: int) -> None:
    """Its statement says that it alone is enough, or that it is two by its keys."""
    _protect(counter, binding=counter.binding)
    card_key, own = generate_key(), [counter.agents[0].key, generate_key()][:keys]
    handle = handle_of(thumbprint(card_key))
    statement = DepositStatement(
        handle=handle,
        epoch=1 << 50,
        agents=agent_set(keys, [thumbprint(key) for key in own]),
        commitments=share_key(random_scalar(), threshold=keys, parties=keys).commitments,
        kdf=KDF,
        owner_key="A",
        success_key="B",
    ).sign(card_key)

    def lie(_method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
        if path != "/lookups":
            return None
        (status,) = answer["found"]
        (deposit,) = status["deposits"]
        forged = {"deposits": [{**deposit, "statement": statement}], "handle": handle}
        heads = [sign_head(key, handle=handle, sequence=0, entry_hash=START) for key in own]
        return {"found": [{**status, **forged, "log_head": head} for head in heads]}

    counter.http.tampering = {counter.urls[0]: lie}
    recovered = recover_at_counter(counter.urls, PASSWORD, counter.visit(), http=counter.http)
    assert recovered.contents == CONTENTS
    assert (counter.urls[0], "outdated") in [(it.url, it.fault) for it in recovered.findings]
