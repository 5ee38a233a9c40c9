"""One agent's HTTP interface: who may ask what, what is refused and how, what the log says."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.escrow_world import KDF, PASSWORD, EscrowWorld

from chaincode.encoding import encode_base64url
from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    generate_key,
    thumbprint,
)
from client_sdk.errors import AccessLogError, ServiceRefusedError, TransportError
from client_sdk.escrow.access_log import verify_head, verify_log
from client_sdk.escrow.agent_client import AgentClient, SealedBackup
from client_sdk.escrow.backup import derive_keys, oprf_input
from client_sdk.escrow.counter_token import CounterToken
from client_sdk.escrow.evaluation_request import RECOVERY_PURPOSE, evaluation_hash
from client_sdk.escrow.protection import HolderBinding, Protection
from client_sdk.escrow.recovery_card import RecoveryCard
from client_sdk.escrow.request_proof import PROOF_HEADER, sign_request
from client_sdk.face.attestation import FaceAttestation
from client_sdk.threshold_oprf import BlindedInput, blind, combine
from node.escrow.sealing import StoreSealer, share_place

ISSUER = "aoba_city@issuer"
ACCOUNT = "h123@holder"
PORTRAIT = "portrait-commitment"
BINDING = HolderBinding(account=ACCOUNT, approving_issuer=ISSUER, portrait_commitment=PORTRAIT)


class AgentWorld(EscrowWorld):
    """One agent with one protected wallet, and everybody's keys."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.issuer_key, self.other_issuer_key, self.face_key = (generate_key() for _ in range(3))
        signers = {
            "issuers": {ISSUER: self.issuer_key, "other@issuer": self.other_issuer_key},
            "face_services": {"face.example": self.face_key},
        }
        for kind, keys in signers.items():
            settings[kind] = []
            for name, key in keys.items():
                key_file = folder / f"{name}.jwk"
                key_file.write_text(json.dumps(export_public_jwk(key)))
                settings[kind].append({"name": name, "key_file": key_file})
        super().__init__(folder, count=1, **settings)
        self.card, self.protection = self.protect()
        self.handle, self.epoch = self.card.handle, self.protection.epoch
        self.agent = self.client()

    def protect(self, binding: HolderBinding = BINDING) -> tuple[RecoveryCard, Protection]:
        return super().protect(threshold=1, binding=binding)

    def blinded(self, password: str = PASSWORD) -> BlindedInput:
        agents = self.card.agent_set
        return blind(oprf_input(handle=self.handle, agent_set=agents, secret=password))

    def evaluate(self, key: Key | None = None, **options: Any) -> int:
        """Ask for an evaluation; return how many attempts are left."""
        blinded = options.pop("blinded", None) or self.blinded()
        _, left = self.agent.evaluate(
            key or self.card.key,
            options.pop("handle", self.handle),
            epoch=options.pop("epoch", self.epoch),
            blinded_element=blinded.element,
            **options,
        )
        return left

    def success_key(self, key: Key | None = None, **options: Any) -> Key:
        """Use an attempt with the right password."""
        blinded = self.blinded()
        evaluation, _ = self.agent.evaluate(
            key or self.card.key,
            self.handle,
            epoch=self.epoch,
            blinded_element=blinded.element,
            **options,
        )
        terms = self.agents[0].store.change(
            self.handle, lambda transaction: transaction.deposits()[0].terms
        )
        output = combine(blinded, [evaluation], terms.commitments)
        return derive_keys(
            output.value, handle=self.handle, agent_set=self.card.agent_set, kdf=KDF
        ).success_key

    def counter_token(self, phone: Key, **changes: Any) -> str:
        now_s = self.clock() // 1000
        fields: dict[str, Any] = {
            "issuer": ISSUER,
            "id": encode_base64url(bytes(16)),
            "issued_at": now_s,
            "expires_at": now_s + 300,
            "account": ACCOUNT,
            "key": thumbprint(phone),
            **changes,
        }
        signer = fields.pop("signer", self.issuer_key)
        return CounterToken(**fields).sign(signer)

    def face(self, blinded: BlindedInput, **changes: Any) -> str:
        now_s = self.clock() // 1000
        fields: dict[str, Any] = {
            "issuer": "face.example",
            "audience": self.card.agent_set,
            "id": "once",
            "issued_at": now_s,
            "expires_at": now_s + 60,
            "purpose": RECOVERY_PURPOSE,
            "account": ACCOUNT,
            "request_hash": evaluation_hash(
                handle=self.handle, epoch=self.epoch, blinded_element=blinded.element
            ),
            "portrait_commitment": PORTRAIT,
            "checks": ("liveness", "match"),
            "thresholds": {"match": 0.6},
            **changes,
        }
        signer = fields.pop("signer", self.face_key)
        return FaceAttestation(**fields).sign(signer)

    def events(self) -> list[tuple[str, str]]:
        entries, _ = self.agent.log(self.card.key, self.handle)
        return [(entry.event, entry.caller) for entry in entries]


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[AgentWorld]:
    world = AgentWorld(tmp_path, database_url=database_url)
    yield world
    world.close()


def refused(code: str) -> Any:
    return pytest.raises(ServiceRefusedError, check=lambda error: error.code == code)  # type: ignore[call-overload]


def test_an_agent_says_who_it_is(world: AgentWorld) -> None:
    described = world.agent.describe()
    assert described.key == thumbprint(world.agents[0].key)
    assert described.name == "Agent 1"
    assert (described.budget, described.face_required) == (10, False)
    assert described.withdrawal_delay_seconds == 3 * 86_400


def test_strangers_are_told_nothing(world: AgentWorld) -> None:
    stranger = generate_key()
    for call in (
        lambda: world.agent.status(stranger, world.handle),
        lambda: world.agent.log(stranger, world.handle),
        lambda: world.evaluate(stranger),
        lambda: world.agent.confirm(stranger, world.handle, epoch=world.epoch),
        lambda: world.agent.withdraw(stranger, world.handle),
        lambda: world.agent.veto_withdrawal(stranger, world.handle),
        lambda: world.agent.backups(stranger, world.handle, epoch=world.epoch),
        lambda: world.agent.store_backup(
            stranger, world.handle, epoch=world.epoch, backup=SealedBackup(version=2, sealed=b"x")
        ),
    ):
        with refused("not_allowed"):
            call()
    assert world.evaluate() == 9


def test_each_key_opens_its_own_doors_only(world: AgentWorld) -> None:
    card, owner = world.card.key, world.protection.secret.owner_key
    success = world.success_key()
    backup = SealedBackup(version=2, sealed=b"sealed")

    # The card may guess and look, and stop a withdrawal; it neither reads nor changes the backup.
    for key in (card, success):
        with refused("not_allowed"):
            world.agent.backups(key, world.handle, epoch=world.epoch)
        with refused("not_allowed"):
            world.agent.store_backup(key, world.handle, epoch=world.epoch, backup=backup)
    with refused("not_allowed"):
        world.agent.withdraw(card, world.handle)
    # The wallet reads and updates the backup; it neither guesses nor resets the attempts.
    with refused("not_allowed"):
        world.evaluate(owner)
    for key in (card, owner):
        with refused("not_allowed"):
            world.agent.confirm(key, world.handle, epoch=world.epoch)
    with refused("not_allowed"):
        world.agent.veto_withdrawal(owner, world.handle)
    world.agent.store_backup(owner, world.handle, epoch=world.epoch, backup=backup)
    assert world.agent.backups(owner, world.handle, epoch=world.epoch)[0] == backup
    # The password resets the attempts.
    assert world.agent.confirm(success, world.handle, epoch=world.epoch).attempts_left == 10


def test_what_is_not_there(world: AgentWorld) -> None:
    nobody = RecoveryCard.draw(agent_set=world.card.agent_set, urls=world.card.urls)
    key, handle, owner = nobody.key, nobody.handle, world.protection.secret.owner_key
    for call in (
        lambda: world.agent.status(key, handle),
        lambda: world.agent.log(key, handle),
        lambda: world.evaluate(key, handle=handle),
        lambda: world.evaluate(epoch=world.epoch + 1),
        lambda: world.agent.confirm(key, handle, epoch=world.epoch),
        lambda: world.agent.withdraw(key, handle),
        lambda: world.agent.veto_withdrawal(key, handle),
        lambda: world.agent.backups(owner, world.handle, epoch=world.epoch + 1),
        lambda: world.agent.store_backup(
            owner, world.handle, epoch=1, backup=SealedBackup(version=2, sealed=b"x")
        ),
    ):
        with refused("unknown_deposit"):
            call()


def test_the_budget_runs_out_and_the_share_is_erased(world: AgentWorld) -> None:
    for left in (9, 8):
        assert world.evaluate() == left
    with refused("too_early"):
        world.evaluate()
    for left in (7, 6, 5, 4):
        world.clock.advance(seconds=240)
        assert world.evaluate() == left
    world.clock.advance(seconds=86_400)
    with refused("counter_needed"):
        world.evaluate()
    phone = generate_key()
    for left in (3, 2, 1, 0):
        token = world.counter_token(phone, id=f"visit {left}")
        assert world.evaluate(phone, counter_token=token) == left
    with refused("exhausted"):
        world.evaluate(phone, counter_token=world.counter_token(phone, id="one more"))
    assert world.agent.status(world.card.key, world.handle).deposits[0].is_usable

    world.clock.advance(seconds=3600)
    world.purge()
    status = world.agent.status(world.card.key, world.handle)
    assert not status.deposits[0].is_usable
    assert status.attempts_left == 0
    with refused("exhausted"):
        world.evaluate()
    events = [event for event, _ in world.events()]
    assert events.count("evaluated") == 10
    assert events.count("share erased") == 1
    # The wallet itself still reads and updates its backup.
    owner = world.protection.secret.owner_key
    assert world.agent.backups(owner, world.handle, epoch=world.epoch)


def test_an_attempt_after_the_last_erases_without_waiting_for_the_purge(world: AgentWorld) -> None:
    phone = generate_key()
    for number in range(10):
        token = world.counter_token(phone, id=str(number))
        world.evaluate(phone, counter_token=token)
    world.clock.advance(seconds=3600)
    with refused("exhausted"):
        world.evaluate()
    assert not world.agent.status(world.card.key, world.handle).deposits[0].is_usable


def test_a_success_with_the_last_attempt_starts_anew(world: AgentWorld) -> None:
    phone = generate_key()
    for number in range(9):
        world.evaluate(phone, counter_token=world.counter_token(phone, id=str(number)))
    success = world.success_key(phone, counter_token=world.counter_token(phone, id="last"))
    with refused("not_allowed"):
        world.agent.confirm(phone, world.handle, epoch=world.epoch)
    assert world.agent.confirm(success, world.handle, epoch=world.epoch).attempts_left == 10
    world.clock.advance(seconds=86_400)
    world.purge()
    assert world.evaluate() == 9


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"account": "other@holder"}, "another account"),
        ({"issuer": "other@issuer"}, "does not verify"),
        ({"issuer": "nobody@issuer"}, "nobody whom this service trusts"),
        ({"expires_at": 1}, "expired"),
        ({"issued_at": 1}, "lasts longer than"),
        ({"key": "another phone"}, "another phone"),
    ],
)
def test_a_counter_token_that_is_not_for_this(
    world: AgentWorld, changes: dict[str, Any], word: str
) -> None:
    phone = generate_key()
    with pytest.raises(ServiceRefusedError, match=word):
        world.evaluate(phone, counter_token=world.counter_token(phone, **changes))
    assert world.evaluate() == 9


def test_another_trusted_issuer_is_not_the_holders(world: AgentWorld) -> None:
    phone = generate_key()
    token = world.counter_token(phone, issuer="other@issuer", signer=world.other_issuer_key)
    with pytest.raises(ServiceRefusedError, match="another issuer"):
        world.evaluate(phone, counter_token=token)
    assert world.agent.find(phone, token) == ()


def test_a_counter_token_is_good_for_one_attempt(world: AgentWorld) -> None:
    phone = generate_key()
    token = world.counter_token(phone)
    assert world.evaluate(phone, counter_token=token) == 9
    with pytest.raises(ServiceRefusedError, match="used before"):
        world.evaluate(phone, counter_token=token)
    assert world.evaluate() == 8


def test_the_counter_finds_a_deposit_without_a_card(world: AgentWorld) -> None:
    phone = generate_key()
    token = world.counter_token(phone)
    (status,) = world.agent.find(phone, token)
    assert status.handle == world.handle
    assert world.evaluate(phone, counter_token=token) == 9
    with refused("token_refused"):
        world.agent.find(generate_key(), token)
    assert ("found by the counter's word", "counter") in world.events()


def test_a_deposit_without_account_takes_no_counter_token(tmp_path: Path) -> None:
    world = AgentWorld(tmp_path)
    world.card, world.protection = world.protect(HolderBinding())
    world.handle, world.epoch = world.card.handle, world.protection.epoch
    phone = generate_key()
    with pytest.raises(ServiceRefusedError, match="another account"):
        world.evaluate(phone, counter_token=world.counter_token(phone))
    world.close()


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[AgentWorld]:
    """An agent that wants a face attestation for each attempt."""
    world = AgentWorld(tmp_path, face_required=True)
    yield world
    world.close()


def test_a_face_attestation_is_for_one_attempt(strict: AgentWorld) -> None:
    blinded = strict.blinded()
    with pytest.raises(ServiceRefusedError, match="a face attestation is needed"):
        strict.evaluate(blinded=blinded)
    face = strict.face(blinded)
    assert strict.evaluate(blinded=blinded, face_attestation=face) == 9
    with pytest.raises(ServiceRefusedError, match="used before"):
        strict.evaluate(blinded=blinded, face_attestation=face)
    assert [event for event, _ in strict.events()].count("evaluated") == 1


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"audience": "another agent set"}, "another aud"),
        ({"purpose": "payment"}, "another purpose"),
        ({"account": "other@holder"}, "another account"),
        ({"request_hash": "another"}, "another request_hash"),
        ({"portrait_commitment": "a thief's portrait"}, "another portrait_commitment"),
        ({"expires_at": 1}, "expired"),
        ({"issued_at": 1}, "lasts longer than"),
        ({"issuer": "nobody"}, "nobody whom this service trusts"),
        ({"signer": generate_key()}, "does not verify"),
    ],
)
def test_a_face_attestation_that_is_not_for_this(
    strict: AgentWorld, changes: dict[str, Any], word: str
) -> None:
    blinded = strict.blinded()
    with pytest.raises(ServiceRefusedError, match=word):
        strict.evaluate(blinded=blinded, face_attestation=strict.face(blinded, **changes))
    status = strict.agent.status(strict.card.key, strict.handle)
    assert status.attempts_left == 10


def test_a_deposit_without_portrait_takes_no_face_attestation(strict: AgentWorld) -> None:
    # Our wallets leave none where they are told; this agent wanted none then.
    strict.http.tampering = {
        strict.urls[0]: lambda _method, path, answer: (
            {**answer, "face_required": False} if path == "/agent" else None
        )
    }
    strict.card, strict.protection = strict.protect(HolderBinding(account=ACCOUNT))
    strict.handle, strict.epoch = strict.card.handle, strict.protection.epoch
    blinded = strict.blinded()
    with pytest.raises(ServiceRefusedError, match="no account and portrait"):
        strict.evaluate(blinded=blinded, face_attestation=strict.face(blinded))


def test_the_log_tells_the_holder_everything(world: AgentWorld) -> None:
    first = world.agent.status(world.card.key, world.handle)
    world.evaluate()
    world.evaluate()
    for _ in range(3):
        with refused("too_early"):
            world.evaluate()
    world.agent.backups(world.protection.secret.owner_key, world.handle, epoch=world.epoch)
    entries, token = world.agent.log(world.card.key, world.handle)
    assert [(entry.event, entry.caller) for entry in entries] == [
        ("deposited", "card"),
        ("confirmed", "success"),
        ("status read", "card"),
        ("evaluated", "card"),
        ("evaluated", "card"),
        ("refused: too_early", "card"),
        ("backup read", "owner"),
        ("log read", "card"),
    ]
    head = verify_head(token, expected_handle=world.handle)
    assert head.agent_key == thumbprint(world.agents[0].key)
    known = verify_head(first.log_head, expected_handle=world.handle)
    verify_log(entries, head, known_head=known)
    with pytest.raises(AccessLogError, match="do not end at the head"):
        verify_log(entries[:-1], head)
    with pytest.raises(AccessLogError, match="does not follow"):
        verify_log(entries[1:], head)
    with pytest.raises(AccessLogError, match="not part of the log"):
        verify_log(
            entries[:2],
            verify_head(world.protection.log_heads[world.urls[0]], expected_handle=world.handle),
            known_head=known,
        )


def test_a_backup_of_before_stays_while_a_thief_could_have_written_the_new_one(
    world: AgentWorld,
) -> None:
    owner = world.protection.secret.owner_key

    def store(version: int) -> None:
        backup = SealedBackup(version=version, sealed=b"version %d" % version)
        world.agent.store_backup(owner, world.handle, epoch=world.epoch, backup=backup)

    def versions() -> list[int]:
        kept = world.agent.backups(owner, world.handle, epoch=world.epoch)
        return [backup.version for backup in kept]

    assert versions() == [1]
    for version in (2, 3, 4):
        store(version)
        assert versions() == [version, 1]
    world.clock.advance(seconds=3 * 86_400)
    store(5)
    assert versions() == [5, 4]
    for version in (5, 3):
        with refused("not_newer"):
            store(version)


def test_who_only_holds_the_wallet_waits_to_withdraw_and_the_card_vetoes(world: AgentWorld) -> None:
    owner = world.protection.secret.owner_key
    status = world.agent.withdraw(owner, world.handle)
    assert status.withdraw_at_ms == world.clock() + 3 * 86_400_000
    assert world.agent.veto_withdrawal(world.card.key, world.handle).withdraw_at_ms is None
    world.clock.advance(seconds=10 * 86_400)
    world.purge()
    assert world.evaluate() == 9

    world.agent.withdraw(owner, world.handle)
    world.clock.advance(seconds=3 * 86_400)
    world.purge()
    assert world.agent.status(world.card.key, world.handle).deposits == ()
    with refused("unknown_deposit"):
        world.evaluate()
    with refused("unknown_deposit"):
        world.agent.withdraw(owner, world.handle)


def test_who_knows_the_password_withdraws_at_once(world: AgentWorld) -> None:
    status = world.agent.withdraw(world.success_key(), world.handle)
    assert status.deposits == ()
    assert ("withdrawn", "success") in world.events()


def _deposit_again(world: AgentWorld, key: Key, card: RecoveryCard, **changes: Any) -> None:
    """Send what `protect` sent, with changes."""
    original = world.agents[0].store.change(
        world.handle, lambda transaction: transaction.deposits()[0].statement
    )
    world.agent.deposit(
        key,
        changes.get("handle", card.handle),
        statement=changes.get("statement", original),
        share=changes.get("share", bytes(32)),
        backup=SealedBackup(
            version=changes.get("version", 1), sealed=changes.get("sealed", b"sealed")
        ),
    )


def test_a_deposit_whose_parts_do_not_fit(world: AgentWorld) -> None:
    other = RecoveryCard.draw(agent_set=world.card.agent_set, urls=world.card.urls)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"share": (1).to_bytes(32, "little")}, "does not belong to the public commitments"),
        ({"share": b"\xff" * 32}, "scalar"),
        ({"share": b"short"}, "scalar"),
        ({"handle": other.handle}, "another recovery card"),
        ({"statement": "no.jwt.here"}, "deposit statement"),
        ({"sealed": b""}, "at most"),
    ]
    for changes, word in cases:
        with pytest.raises(ServiceRefusedError, match=word):
            _deposit_again(world, world.card.key, world.card, **changes)


def test_a_deposit_is_not_left_twice_and_a_new_one_replaces_one_that_waits(
    world: AgentWorld,
) -> None:
    owner = world.protection.secret.owner_key
    with refused("not_newer"):
        _deposit_again(world, owner, world.card, share=_share_of(world))
    for epoch in (world.epoch + 1, world.epoch + 2):
        world.agent.deposit(
            owner,
            world.handle,
            statement=_statement_at(world, epoch),
            share=_share_of(world),
            backup=SealedBackup(version=1, sealed=b"sealed"),
        )
    status = world.agent.status(owner, world.handle)
    assert [(kept.epoch, kept.is_active) for kept in status.deposits] == [
        (world.epoch + 2, False),
        (world.epoch, True),
    ]
    # The card alone replaces nothing.
    with refused("not_allowed"):
        world.agent.deposit(
            world.card.key,
            world.handle,
            statement=_statement_at(world, world.epoch + 3),
            share=_share_of(world),
            backup=SealedBackup(version=1, sealed=b"sealed"),
        )


def _share_of(world: AgentWorld) -> bytes:
    agent = world.agents[0]
    deposit = agent.store.change(world.handle, lambda rows: rows.deposits()[-1])
    assert deposit.sealed_share is not None
    place = share_place(world.handle, deposit.epoch, 1)
    return StoreSealer(agent.key).open(deposit.sealed_share, place=place)


def _statement_at(world: AgentWorld, epoch: int) -> str:
    terms = world.agents[0].store.change(world.handle, lambda rows: rows.deposits()[-1].terms)
    return replace(terms, epoch=epoch).sign(world.card.key)


def test_a_full_agent_says_so(tmp_path: Path) -> None:
    world = AgentWorld(tmp_path, max_deposits=1)
    with pytest.raises(Exception, match="choose another one"):
        world.protect()
    world.close()


def test_a_proof_is_good_for_one_request_once(world: AgentWorld) -> None:
    http = world.agents[0].app.test_client()
    path = f"/deposits/{world.handle}"
    url = f"{world.urls[0]}{path}"

    def nonce() -> str:
        return str(http.post("/nonces").get_json()["nonce"])

    def get(proof: str | None) -> Any:
        headers = {} if proof is None else {PROOF_HEADER: proof}
        return http.get(path, headers=headers)

    fields: dict[str, Any] = {"method": "GET", "url": url, "body": b""}
    proof = sign_request(world.card.key, nonce=nonce(), **fields)
    assert get(proof).status_code == 200
    stale = sign_request(world.card.key, nonce=nonce(), **fields)
    for wrong, word in (
        (proof, "used before"),
        (None, "DPoP"),
        ("nonsense", "three parts"),
        (sign_request(world.card.key, nonce="made up", **fields), "not one of this service"),
        (
            sign_request(world.card.key, nonce=nonce(), **{**fields, "method": "PUT"}),
            "another request",
        ),
        (
            sign_request(world.card.key, nonce=nonce(), **{**fields, "body": b"x"}),
            "another request",
        ),
        (
            sign_request(world.card.key, nonce=nonce(), **{**fields, "url": url + "x"}),
            "another request",
        ),
    ):
        answer = get(wrong)
        assert (answer.status_code, answer.get_json()["code"]) == (401, "invalid_proof")
        assert word in answer.get_json()["detail"]
    world.clock.advance(seconds=300)
    assert "expired" in get(stale).get_json()["detail"]


def test_fields_that_cannot_be(world: AgentWorld) -> None:
    http = world.agents[0].app.test_client()
    path = f"/deposits/{world.handle}/evaluations"
    for body in ({}, {"epoch": -1, "blinded_element": "AA"}, {"epoch": 1, "blinded_element": "="}):
        answer = http.post(path, json=body)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid_fields")
    assert http.get("/deposits/nothing").status_code == 422
    with refused("invalid_fields"):
        world.agent.evaluate(
            world.card.key, world.handle, epoch=world.epoch, blinded_element=bytes(32)
        )
    assert world.evaluate() == 9


def test_the_interface_is_described(world: AgentWorld) -> None:
    document = world.agents[0].app.test_client().get("/openapi.json").get_json()
    assert set(document["paths"]) >= {
        "/agent",
        "/nonces",
        "/deposits/{handle}",
        "/deposits/{handle}/evaluations",
        "/deposits/{handle}/confirmations",
        "/deposits/{handle}/vetoes",
        "/deposits/{handle}/log",
        "/deposits/{handle}/backups/{epoch}",
        "/lookups",
    }


def test_clients_say_where_they_go() -> None:
    assert repr(AgentClient("https://agent.example/", None)) == "AgentClient('agent.example')"  # type: ignore[arg-type]


def test_a_store_that_cannot_be_used_is_told_without_details(tmp_path: Path) -> None:
    world = AgentWorld(tmp_path)
    # A store in memory ends with its connection; the next one finds no tables.
    world.agents[0].store.close()
    with pytest.raises(TransportError, match="store cannot be used now") as raised:
        world.agent.status(world.card.key, world.handle)
    assert "sql" not in str(raised.value).lower()
