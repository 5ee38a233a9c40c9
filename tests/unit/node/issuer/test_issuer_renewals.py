"""A credential is issued anew to the account's new key: who gets it, and who does not."""

from collections.abc import Iterator, MutableMapping, MutableSequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from support.issuer_world import ISSUER, RESIDENT, IssuerWorld
from support.memory_ledger import named_key
from support.presentation_world import key_of_account
from support.residents import batch_job, read_letters, resident_row, write_csv
from werkzeug.test import TestResponse

from chaincode.records import NO_ID, CredentialRecord, encode_record
from chaincode.records.recovery import RecoveryStatus
from chaincode.world_state import StateOverlay, put_detail
from client_sdk.credentials.jose import (
    ES256,
    Key,
    export_public_jwk,
    generate_key,
    sign_compact,
)
from client_sdk.credentials.sd_jwt import parse_sd_jwt
from client_sdk.credentials.sd_jwt_vc import parse_credential, verify_credential
from client_sdk.formats import FORMATS, attributes_of, find_format
from client_sdk.ledger.commands import add_signatory, remove_signatory
from client_sdk.openid4vci.account_assertion import (
    ASSERTION_TYP,
    JWT_BEARER,
    LIFETIME_S,
    REPLACED_CREDENTIAL,
    sign_account_assertion,
)
from client_sdk.openid4vci.authorization import details_of
from client_sdk.openid4vci.dpop import sign_dpop_proof
from client_sdk.strict_json import encode_json
from node.issuer.residents import CsvResidents

HOLDER, OTHER = "h1@holder", "h2@holder"
LOST, NEW, THIRD = named_key(HOLDER), named_key("new phone"), named_key("third phone")


class Renewing:
    """A city's service, and a holder with a credential that is bound to a lost key."""

    logs: MutableSequence[MutableMapping[str, Any]]

    def __init__(self, folder: Path) -> None:
        self.world = IssuerWorld(folder)
        for account in (HOLDER, OTHER):
            self.world.ledger.add_account(account)
        self.credential = self.world.issue(key_of_account(LOST), account=HOLDER)
        self.record_id = record_of(self.credential)

    def replace_key(self, new: Any = NEW, lost: Any = LOST) -> None:
        self.world.ledger.submit(
            HOLDER,
            add_signatory(HOLDER, new.public_key),
            remove_signatory(HOLDER, lost.public_key),
            keys=(lost,),
        )

    def assertion(self, key: Key | None = None, account: str = HOLDER, **changes: Any) -> str:
        fields: dict[str, Any] = {
            "holder_key": key or key_of_account(NEW),
            "account": account,
            "issuer_url": self.world.config.public_url,
            "nonce": self.world.nonce(),
            "now_s": self.world.clock() // 1000,
        }
        return sign_account_assertion(**{**fields, **changes})

    def redeem(self, assertion: str | None = None, credential: str | None = None) -> TestResponse:
        form = {
            "grant_type": JWT_BEARER,
            "assertion": self.assertion() if assertion is None else assertion,
            REPLACED_CREDENTIAL: self.credential if credential is None else credential,
        }
        return self.world.http.post("/token", data=form)

    def token(self, **options: Any) -> str:
        answer = self.redeem(**options)
        assert answer.status_code == 200, answer.text
        return str(answer.get_json()["access_token"])

    def issue(self, token: str, key: Any = NEW, *, account: str | None = HOLDER) -> TestResponse:
        proof = self.world.proof(key_of_account(key), self.world.nonce(), account=account)
        return self.world.request_credential(token, proof)

    def renewed(self, token: str, key: Any = NEW) -> str:
        answer = self.issue(token, key)
        assert answer.status_code == 200, answer.text
        return str(answer.get_json()["credentials"][0]["credential"])

    def refusal(self, answer: TestResponse, code: str = "invalid_grant") -> str:
        """Return which check failed, as the operator's log says it; the wire says the code."""
        assert answer.status_code == 400, answer.text
        assert answer.get_json()["error"] == code
        refused = [event for event in self.logs if event["event"] == "request_refused"][-1]
        assert refused["code"] == code
        assert refused["check"] not in answer.text
        return str(refused["check"])

    def state(self, record_id: str | None = None) -> str:
        record = self.world.ledger.client(ISSUER).record(
            ISSUER, record_id or self.record_id, CredentialRecord
        )
        assert record is not None
        return record.state


def record_of(credential: str) -> str:
    place: Any = parse_credential(credential).unverified_claims["tegata"]
    return str(place["record"])


@pytest.fixture
def city(tmp_path: Path) -> Iterator[Renewing]:
    with structlog.testing.capture_logs() as logs:
        made = Renewing(tmp_path)
        made.logs = logs
        yield made
    made.world.store.close()


def test_the_new_key_gets_the_same_credential(city: Renewing) -> None:
    city.replace_key()
    city.world.clock.advance(seconds=86_400)
    new = city.renewed(city.token())
    known = verify_credential(
        new,
        issuer_key=city.world.signing_key,
        expected_vct="urn:tegata:credential:resident:1",
        now_s=city.world.clock() // 1000,
        leeway_s=0,
    )
    old = parse_credential(city.credential).unverified_claims
    assert known.holder_key == export_public_jwk(key_of_account(NEW))
    for name in ("name", "address", "municipality", "birth_date", "sex", "portrait", "exp"):
        assert known.claims[name] == old[name]
    assert known.claims["address"] == RESIDENT["address"]
    assert record_of(new) != city.record_id
    assert (city.state(), city.state(record_of(new))) == ("revoked", "active")


def test_the_old_one_is_revoked_before_there_is_a_new_one(city: Renewing) -> None:
    city.replace_key()
    token = city.token()
    assert city.state() == "active"
    city.world.ledger.reachable = False
    assert city.issue(token).status_code == 503
    city.world.ledger.reachable = True
    city.renewed(token)
    states = [
        command.set_account_detail.key or command.compare_and_set_account_detail.key
        for block in city.world.ledger.blocks
        for message in block.block_v1.payload.transactions
        for command in message.payload.reduced_payload.commands
    ]
    credentials = [key for key in states if key.startswith("tg_cred_")]
    old = CredentialRecord.key(city.record_id)
    assert credentials[:2] == [old, old]
    assert len(credentials) == 3


def test_a_lost_answer_is_asked_for_again(city: Renewing) -> None:
    """The old credential is revoked, and the new one never arrived."""
    city.replace_key()
    lost = city.renewed(city.token())
    new = city.renewed(city.token())
    assert city.state(record_of(lost)) == "revoked"
    assert city.state(record_of(new)) == "active"


def test_a_later_attempt_takes_the_place_of_an_earlier_one(city: Renewing) -> None:
    city.replace_key()
    first = city.token()
    second = city.token()
    assert city.issue(first).status_code == 401
    renewed = city.renewed(second)
    again = city.issue(second)
    assert again.get_json()["credentials"][0]["credential"] == renewed


def test_a_second_recovery_renews_the_renewed_one(city: Renewing) -> None:
    city.replace_key()
    second = city.renewed(city.token())
    city.replace_key(THIRD, NEW)
    key = key_of_account(THIRD)
    token = city.token(assertion=city.assertion(key), credential=second)
    third = city.renewed(token, THIRD)
    assert city.state(record_of(second)) == "revoked"
    assert city.state(record_of(third)) == "active"


def test_the_operator_finds_it_under_the_same_reference(city: Renewing) -> None:
    city.replace_key()
    new = record_of(city.renewed(city.token()))
    listed = city.world.operator("/credentials?reference=case-1", method="GET").get_json()
    assert [(item["record"], item["state"]) for item in listed["credentials"]] == [
        (city.record_id, "revoked"),
        (new, "active"),
    ]


def test_the_service_keeps_no_attribute(city: Renewing) -> None:
    city.replace_key()
    city.token()
    data = city.world.bytes_at_rest()
    assert not any(str(value).encode() in data for value in RESIDENT.values() if len(value) > 2)


def test_a_stranger_with_the_old_credential_gets_nothing(city: Renewing) -> None:
    city.replace_key()
    words = city.refusal(city.redeem(city.assertion(generate_key())))
    assert "no signatory" in words
    lost = city.refusal(city.redeem(city.assertion(key_of_account(LOST))))
    assert "no signatory" in lost
    assert city.state() == "active"


def test_a_key_that_is_on_no_ledger_account_is_refused(city: Renewing) -> None:
    city.replace_key()
    assert "no signatory" in city.refusal(city.redeem(city.assertion(generate_key("ES256"))))


def test_an_account_that_does_not_exist_is_refused(city: Renewing) -> None:
    credential = city.world.issue(key_of_account(LOST), account=HOLDER)
    words = city.refusal(city.redeem(city.assertion(account="nobody@holder"), credential))
    assert "another account" in words


def test_another_account_gets_nothing(city: Renewing) -> None:
    city.replace_key()
    other = city.assertion(key_of_account(named_key(OTHER)), OTHER)
    assert "names another account" in city.refusal(city.redeem(other))


def test_a_key_that_was_not_lost_needs_no_renewal(city: Renewing) -> None:
    city.world.ledger.submit(HOLDER, add_signatory(HOLDER, NEW.public_key))
    assert "needs no renewal" in city.refusal(city.redeem())


def test_a_credential_that_is_bound_to_no_account_is_not_renewed(city: Renewing) -> None:
    city.replace_key()
    credential = city.world.issue(generate_key())
    assert "another account" in city.refusal(city.redeem(credential=credential))


def test_while_a_recovery_is_open_nothing_is_renewed(city: Renewing) -> None:
    city.replace_key()
    status = RecoveryStatus(
        item="tg_recover_" + "1" * 32, state="open", until_ms=city.world.clock() + 1_000
    )
    put_status(city, status)
    assert "recovery of the account is open" in city.refusal(city.redeem())
    put_status(city, replace(status, state="finished"))
    city.token()


def put_status(city: Renewing, status: RecoveryStatus) -> None:
    overlay = StateOverlay(city.world.ledger)
    put_detail(overlay, HOLDER, HOLDER, status.key(NO_ID), encode_record(status))
    city.world.ledger.state.update({key: value for key, value in overlay.changes.items() if value})


@pytest.mark.parametrize(("action", "word"), [("suspend", "suspended"), ("revoke", "revoked")])
def test_what_the_issuer_stopped_is_not_renewed(city: Renewing, action: str, word: str) -> None:
    city.replace_key()
    assert city.world.operator(f"/credentials/{city.record_id}/{action}").status_code == 200
    assert f"is {word}" in city.refusal(city.redeem())


def test_a_suspension_on_the_way_stops_the_renewal(city: Renewing) -> None:
    city.replace_key()
    token = city.token()
    assert city.world.operator(f"/credentials/{city.record_id}/suspend").status_code == 200
    assert "suspended" in city.refusal(city.issue(token), "credential_request_denied")
    assert city.state() == "suspended"


def test_a_revocation_on_the_way_stops_the_renewal(city: Renewing) -> None:
    city.replace_key()
    token = city.token()
    assert city.world.operator(f"/credentials/{city.record_id}/revoke").status_code == 200
    assert city.issue(token).status_code == 401
    assert "is revoked" in city.refusal(city.redeem())


def test_a_renewal_begun_while_the_operator_revokes_comes_to_nothing(
    city: Renewing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger takes its time: until it has the revocation, the record says `active`."""
    city.replace_key()
    credentials, racing = city.world.store.credentials, []
    cancel = credentials.cancel_renewal

    def cancel_and_race(record_id: str) -> None:
        cancel(record_id)
        racing.append((city.state(), city.redeem()))

    monkeypatch.setattr(credentials, "cancel_renewal", cancel_and_race)
    assert city.world.operator(f"/credentials/{city.record_id}/revoke").status_code == 200
    ((state, answer),) = racing
    assert state == "active"
    assert "is revoked" in city.refusal(answer)


def test_a_revocation_before_a_renewal_is_written_stops_it(
    city: Renewing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All checks have passed when the operator revokes."""
    city.replace_key()
    credentials = city.world.store.credentials
    begin = credentials.begin_renewal

    def begin_late(*arguments: Any) -> bool:
        assert city.world.operator(f"/credentials/{city.record_id}/revoke").status_code == 200
        return begin(*arguments)

    monkeypatch.setattr(credentials, "begin_renewal", begin_late)
    assert "is revoked" in city.refusal(city.redeem())


def test_revoking_the_new_one_ends_the_old_ones_claim(city: Renewing) -> None:
    city.replace_key()
    new = record_of(city.renewed(city.token()))
    assert city.world.operator(f"/credentials/{new}/revoke").status_code == 200
    assert "is revoked" in city.refusal(city.redeem())


def test_another_account_does_not_take_up_what_was_begun(city: Renewing) -> None:
    city.replace_key()
    token = city.token()
    words = city.refusal(city.issue(token, named_key(OTHER), account=OTHER), "invalid_proof")
    assert "stays with its account" in words
    assert city.state() == "active"


def test_all_disclosures_are_needed(city: Renewing) -> None:
    city.replace_key()
    issuer_jwt, _first, *rest = city.credential.split("~")
    assert len(rest) > 3
    words = city.refusal(city.redeem(credential="~".join([issuer_jwt, *rest])))
    assert "old credential" in words
    assert city.state() == "active"


def test_a_forged_credential_is_refused(city: Renewing) -> None:
    city.replace_key()
    sd_jwt = parse_sd_jwt(city.credential)
    signature = sd_jwt.issuer_jwt.rpartition(".")[2]
    forged = city.credential.replace(signature, signature[:-4] + "AAAA")
    assert "old credential" in city.refusal(city.redeem(credential=forged))


def test_an_expired_credential_is_not_renewed(city: Renewing) -> None:
    city.replace_key()
    city.world.clock.advance(seconds=city.world.config.credential_days * 86_400 + 86_400)
    assert "old credential" in city.refusal(city.redeem())


def test_a_record_of_another_credential_is_refused(city: Renewing) -> None:
    city.replace_key()
    record = city.world.ledger.client(ISSUER).record(ISSUER, city.record_id, CredentialRecord)
    assert record is not None
    other = replace(record, salted_hash=bytes(32))
    overlay = StateOverlay(city.world.ledger)
    put_detail(overlay, ISSUER, ISSUER, record.key(city.record_id), encode_record(other))
    city.world.ledger.state.update({key: value for key, value in overlay.changes.items() if value})
    assert "another credential" in city.refusal(city.redeem())


def test_an_assertion_is_used_once(city: Renewing) -> None:
    city.replace_key()
    assertion = city.assertion()
    city.token(assertion=assertion)
    assert "used before" in city.refusal(city.redeem(assertion), "invalid_nonce")
    foreign = city.assertion(nonce="not-of-this-service")
    assert "not one of this service" in city.refusal(city.redeem(foreign), "invalid_nonce")


def test_a_refusal_uses_no_nonce_up(city: Renewing) -> None:
    assertion = city.assertion()
    assert "no signatory" in city.refusal(city.redeem(assertion))
    city.replace_key()
    city.token(assertion=assertion)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"aud": "https://other.example"}, "another issuer"),
        ({"iss": OTHER}, "speaks for itself"),
        ({"sub": "nobody"}, "no ledger account"),
        ({"jti": ""}, "no nonce"),
        ({"exp": None}, "at most"),
        ({"exp": 2**40}, "at most"),
        ({"iat": 2**40}, "future"),
        ({"exp": 1}, "expired"),
    ],
    ids=str,
)
def test_a_bad_assertion_is_refused(city: Renewing, changes: dict[str, Any], words: str) -> None:
    city.replace_key()
    now_s = city.world.clock() // 1000
    payload = {
        "iss": HOLDER,
        "sub": HOLDER,
        "aud": city.world.config.public_url,
        "iat": now_s,
        "exp": now_s + LIFETIME_S,
        "jti": city.world.nonce(),
    }
    kept = {name: value for name, value in {**payload, **changes}.items() if value is not None}
    key = key_of_account(NEW)
    header = {"typ": ASSERTION_TYP, "jwk": export_public_jwk(key)}
    assert words in city.refusal(city.redeem(sign_compact(header, kept, key)))


@pytest.mark.parametrize("header", [{"kid": "k"}, {"jwk": None}, {"typ": "JWT"}], ids=str)
def test_a_bad_header_is_refused(city: Renewing, header: dict[str, Any]) -> None:
    city.replace_key()
    key = key_of_account(NEW)
    genuine = {"typ": ASSERTION_TYP, "jwk": export_public_jwk(key)}
    kept = {name: value for name, value in {**genuine, **header}.items() if value is not None}
    now_s = city.world.clock() // 1000
    payload = {
        "iss": HOLDER,
        "sub": HOLDER,
        "aud": city.world.config.public_url,
        "iat": now_s,
        "exp": now_s + LIFETIME_S,
        "jti": city.world.nonce(),
    }
    city.refusal(city.redeem(sign_compact(kept, payload, key)))


CONFIGURATIONS = {
    "vc+sd-jwt": "resident_vc_sd_jwt",
    "jwt_vc_json": "resident_jwt_vc_json",
    "ldp_vc": "resident_ldp_vc",
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_w3c_credential_is_renewed_in_its_format(city: Renewing, name: str) -> None:
    kind, world = find_format(name), city.world
    proof = world.proof(key_of_account(LOST), world.nonce(), account=HOLDER)
    answer = world.request_credential(
        world.token(), proof, credential_configuration_id=CONFIGURATIONS[name]
    )
    old = kind.from_wire(answer.get_json()["credentials"][0]["credential"])
    city.replace_key()
    form = {
        "grant_type": JWT_BEARER,
        "assertion": city.assertion(),
        REPLACED_CREDENTIAL: old,
        "authorization_details": encode_json([details_of(CONFIGURATIONS[name])]).decode(),
    }
    # Taken for an SD-JWT VC, it is none: nothing is used up.
    words = city.refusal(city.redeem(form["assertion"], old))
    assert "old credential" in words
    granted = world.http.post("/token", data=form)
    assert granted.status_code == 200, granted.text
    (details,) = granted.get_json()["authorization_details"]
    (identifier,) = details["credential_identifiers"]
    answer = world.http.post(
        "/credential",
        json={
            "credential_identifier": identifier,
            "proofs": {"jwt": [world.proof(key_of_account(NEW), world.nonce(), account=HOLDER)]},
        },
        headers={"Authorization": f"Bearer {granted.get_json()['access_token']}"},
    )
    assert answer.status_code == 200, answer.text
    new = kind.read(kind.from_wire(answer.get_json()["credentials"][0]["credential"]))
    assert new.holder_key == export_public_jwk(key_of_account(NEW))
    assert attributes_of(new)["address"] == RESIDENT["address"]
    places: Any = [kind.read(old).claims["tegata"], new.claims["tegata"]]
    assert [city.state(place["record"]) for place in places] == ["revoked", "active"]
    assert new.expires_at == kind.read(old).expires_at


def test_every_format_is_renewed() -> None:
    assert {"dc+sd-jwt", *CONFIGURATIONS} == FORMATS.keys()


def test_the_token_is_bound_where_the_wallet_proves_a_key(city: Renewing) -> None:
    """RFC 9449 section 5: another wallet gets nothing by a stolen token."""
    city.replace_key()
    key, world = generate_key(ES256), city.world
    form = {
        "grant_type": JWT_BEARER,
        "assertion": city.assertion(),
        REPLACED_CREDENTIAL: city.credential,
    }

    def dpop(path: str, token: str | None = None) -> dict[str, str]:
        proof = sign_dpop_proof(
            key,
            method="POST",
            url=f"{world.config.public_url}{path}",
            proof_id=f"proof of {path}",
            now_s=world.clock() // 1000,
            access_token=token,
        )
        return {"DPoP": proof}

    granted = world.http.post("/token", data=form, headers=dpop("/token")).get_json()
    assert granted["token_type"] == "DPoP"
    token = granted["access_token"]
    assert city.issue(token).status_code == 401
    answer = world.http.post(
        "/credential",
        json={
            "credential_configuration_id": "resident",
            "proofs": {"jwt": [world.proof(key_of_account(NEW), world.nonce(), account=HOLDER)]},
        },
        headers={"Authorization": f"DPoP {token}", **dpop("/credential", token)},
    )
    assert answer.status_code == 200, answer.text


def test_what_stands_in_a_batch_is_renewed(city: Renewing, tmp_path: Path) -> None:
    """A city's credentials are made beforehand, for keys and accounts that it was told."""
    world = city.world
    row = resident_row(1, account=HOLDER, public_key=LOST.public_key)
    source = CsvResidents(write_csv(tmp_path / "residents.csv", [row]))
    batch_job(world).run(source, tmp_path / "letters.csv", progress=lambda *_: None)
    (letter,) = read_letters(tmp_path / "letters.csv")
    code = world.code_of({"link": letter["offer"]})
    token = world.redeem(code, letter["tx_code"]).get_json()["access_token"]
    old = city.renewed(token, LOST)
    listed = world.operator("/credentials?reference=case-0000001", method="GET")
    (row_of_old,) = listed.get_json()["credentials"]
    city.replace_key()
    assert world.operator(f"/credentials/{record_of(old)}/suspend").status_code == 200
    assert "is suspended" in city.refusal(city.redeem(credential=old))
    assert world.operator(f"/credentials/{record_of(old)}/reinstate").status_code == 200
    new = city.renewed(city.token(credential=old))
    assert city.state(record_of(new)) == "active"
    listed = world.operator("/credentials?reference=case-0000001", method="GET")
    states = {one["record"]: one["state"] for one in listed.get_json()["credentials"]}
    assert states == {record_of(old): "revoked", record_of(new): "active"}
    assert row_of_old["record"] == record_of(old)


@pytest.mark.parametrize("missing", ["assertion", REPLACED_CREDENTIAL])
def test_both_are_needed(city: Renewing, missing: str) -> None:
    form = {"grant_type": JWT_BEARER, "assertion": "x", REPLACED_CREDENTIAL: "y"}
    del form[missing]
    assert "is missing" in city.refusal(
        city.world.http.post("/token", data=form), "invalid_request"
    )
