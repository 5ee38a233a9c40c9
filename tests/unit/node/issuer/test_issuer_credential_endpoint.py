"""OpenID4VCI 1.0 at the credential, deferred and notification endpoints, clause by clause."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from support.issuer_world import ISSUER, RESIDENT, IssuerWorld
from werkzeug.test import TestResponse

from chaincode.encoding import decode_base64url
from chaincode.records import BatchRecord
from client_sdk.credentials.jose import export_public_jwk, generate_key, thumbprint
from client_sdk.credentials.jwe import generate_encryption_key
from client_sdk.credentials.sd_jwt_vc import anchor_hash, parse_credential
from client_sdk.ledger.batches import Inclusion
from client_sdk.openid4vci.message_encryption import (
    MessageEncryption,
    decrypt_message,
    encrypt_message,
    encryption_to,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[IssuerWorld]:
    made = IssuerWorld(tmp_path)
    yield made
    made.store.close()


def error_of(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error"]


def post(world: IssuerWorld, path: str, token: str, body: object) -> TestResponse:
    return world.http.post(path, json=body, headers={"Authorization": f"Bearer {token}"})


# Section 8: batches


def test_8_2_each_proof_gets_one_credential_of_the_same_dataset(world: IssuerWorld) -> None:
    keys = [generate_key() for _ in range(3)]
    nonce = world.nonce()
    proofs = [world.proof(key, nonce) for key in keys]
    answer = world.request_credential(world.token(), *proofs)
    held = [parse_credential(c["credential"]) for c in answer.get_json()["credentials"]]
    assert [c.unverified_claims["cnf"] for c in held] == [
        {"jwk": export_public_jwk(key)} for key in keys
    ]
    same = [
        {
            name: value
            for name, value in credential.unverified_claims.items()
            if name not in ("cnf", "tegata", "iat", "status")
        }
        for credential in held
    ]
    assert same[0] == same[1] == same[2]
    records = {c.unverified_claims["tegata"]["record"] for c in held}
    assert len(records) == 3
    # One-time credentials have no record of their own, which would tell that they belong together.
    client = world.ledger.client(ISSUER)
    for issued in answer.get_json()["credentials"]:
        inclusion = Inclusion.from_json(issued["tegata_inclusion"])
        batch = client.record(ISSUER, inclusion.batch, BatchRecord)
        assert batch is not None
        inclusion.check(anchor_hash(issued["credential"].partition("~")[0]), batch)


def test_8_3_1_2_a_key_twice_in_a_batch_is_invalid_proof(world: IssuerWorld) -> None:
    key, nonce = generate_key(), world.nonce()
    proofs = [world.proof(key, nonce) for _ in range(2)]
    answer = world.request_credential(world.token(), *proofs)
    assert error_of(answer) == (400, "invalid_proof")


def test_8_3_1_2_one_bad_proof_of_a_batch_refuses_all(world: IssuerWorld) -> None:
    token, good = world.token(), world.proof(generate_key(), world.nonce())
    bad = world.proof(generate_key(), "another-nonce")
    assert error_of(world.request_credential(token, good, bad)) == (400, "invalid_nonce")
    assert world.request_credential(token, good).status_code == 200


def test_batch_expires_at_a_whole_day_so_that_no_second_links_it(world: IssuerWorld) -> None:
    held = parse_credential(world.issue())
    assert int(str(held.unverified_claims["exp"])) % 86_400 == 0


# Section 8.2: unrecognized parameters


def test_8_2_unrecognized_parameters_are_ignored(world: IssuerWorld) -> None:
    proof = world.proof(generate_key(), world.nonce())
    answer = world.request_credential(world.token(), proof, something_new={"a": 1})
    assert answer.status_code == 200


# Section 8.3.1: what the wire says and what the log says


def test_8_3_1_the_wire_says_the_code_and_the_log_says_which_check(world: IssuerWorld) -> None:
    proof = world.proof(generate_key(), world.nonce(), audience="https://other.example")
    with structlog.testing.capture_logs() as logs:
        answer = world.request_credential(world.token(), proof)
    assert answer.get_json() == {
        "error": "invalid_proof",
        "error_description": "A key proof is missing or not acceptable.",
    }
    (refused,) = [event for event in logs if event["event"] == "request_refused"]
    assert refused["check"] == "key proof: it is for another issuer (aud)"
    assert (refused["code"], refused["path"]) == ("invalid_proof", "/credential")
    assert answer.headers["Cache-Control"] == "no-store"


def test_8_3_1_1_token_in_the_query_is_no_token(world: IssuerWorld) -> None:
    body = {
        "credential_configuration_id": "resident",
        "proofs": {"jwt": [world.proof(generate_key(), world.nonce())]},
    }
    answer = world.http.post(f"/credential?access_token={world.token()}", json=body)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_7_2_nonces_are_not_cached(world: IssuerWorld) -> None:
    answer = world.http.post("/nonce")
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.get_json()["c_nonce"] != world.nonce()


# Section 9: deferred issuance


class Deferred:
    """A credential that waits for a review."""

    def __init__(self, world: IssuerWorld) -> None:
        self.world = world
        body = {"attributes": RESIDENT, "reference": "case-9", "review": True}
        offer = world.operator("/offers", body).get_json()
        self.review_code = offer["review_code"]
        answer = world.redeem(world.code_of(offer), offer["tx_code"]).get_json()
        self.token, self.lifetime_s = str(answer["access_token"]), answer["expires_in"]
        self.keys = [generate_key() for _ in range(2)]

    def request(self) -> TestResponse:
        proofs = [self.world.proof(key, self.world.nonce()) for key in self.keys]
        return self.world.request_credential(self.token, *proofs)

    def collect(self, transaction_id: object) -> TestResponse:
        body = {"transaction_id": transaction_id}
        return post(self.world, "/deferred_credential", self.token, body)

    def decide(self, decision: str) -> TestResponse:
        body = {"code": self.review_code, "decision": decision}
        return self.world.operator("/reviews/decide", body)


@pytest.fixture
def deferred(world: IssuerWorld) -> Deferred:
    return Deferred(world)


def test_9_credential_waits_for_its_review(deferred: Deferred) -> None:
    first = deferred.request()
    assert first.status_code == 202
    transaction_id, interval = first.get_json()["transaction_id"], first.get_json()["interval"]
    assert interval > 0
    assert "credentials" not in first.get_json()
    waiting = deferred.collect(transaction_id)
    assert (waiting.status_code, waiting.get_json()) == (202, first.get_json())
    found = deferred.world.operator("/reviews/look-up", {"code": deferred.review_code}).get_json()
    assert (found["name"], found["state"], found["reference"]) == (
        RESIDENT["name"],
        "waiting",
        "case-9",
    )
    assert deferred.decide("approve").get_json() == {"state": "approved"}
    # The wallet takes its time: its token lives as long as the review may.
    deferred.world.clock.advance(seconds=deferred.lifetime_s - 1)
    issued = deferred.collect(transaction_id)
    assert issued.status_code == 200
    held = [parse_credential(c["credential"]) for c in issued.get_json()["credentials"]]
    assert [c.unverified_claims["cnf"] for c in held] == [
        {"jwk": export_public_jwk(key)} for key in deferred.keys
    ]


def test_what_was_issued_is_not_given_again_as_another_kind(tmp_path: Path) -> None:
    """A wallet would take what it did not ask for."""
    world, key = IssuerWorld(tmp_path), generate_key()
    token = world.token()
    first = world.request_credential(token, world.proof(key, world.nonce()))
    other = world.request_credential(
        token,
        world.proof(key, world.nonce()),
        credential_configuration_id="resident_jwt_vc_json",
    )
    assert error_of(other) == (400, "credential_request_denied")
    again = world.request_credential(token, world.proof(key, world.nonce()))
    assert again.get_json() == first.get_json()
    world.store.close()


def test_9_1_transaction_id_is_invalid_once_it_was_used(deferred: Deferred) -> None:
    transaction_id = deferred.request().get_json()["transaction_id"]
    deferred.decide("approve")
    issued = deferred.collect(transaction_id).get_json()
    assert error_of(deferred.collect(transaction_id)) == (400, "invalid_transaction_id")
    # An answer that was lost on its way is had by the request itself.
    assert deferred.request().get_json() == issued


@pytest.mark.parametrize("transaction_id", ["unknown", "", None, 7, ["x"]])
def test_9_3_unknown_transaction_id(deferred: Deferred, transaction_id: object) -> None:
    deferred.request()
    assert error_of(deferred.collect(transaction_id)) == (400, "invalid_transaction_id")


def test_9_3_transaction_of_another_token_is_invalid(deferred: Deferred) -> None:
    transaction_id = deferred.request().get_json()["transaction_id"]
    answer = post(
        deferred.world,
        "/deferred_credential",
        deferred.world.token(),
        {"transaction_id": transaction_id},
    )
    assert error_of(answer) == (400, "invalid_transaction_id")


def test_9_3_refused_review_denies_for_good(deferred: Deferred) -> None:
    transaction_id = deferred.request().get_json()["transaction_id"]
    assert deferred.decide("refuse").get_json() == {"state": "refused"}
    assert error_of(deferred.collect(transaction_id)) == (400, "credential_request_denied")
    assert error_of(deferred.request()) == (400, "credential_request_denied")


def test_9_deferred_endpoint_needs_the_token(world: IssuerWorld) -> None:
    for path in ("/deferred_credential", "/notification"):
        assert error_of(post(world, path, "unknown", {})) == (401, "invalid_token")
        assert world.http.post(path, json={}).headers["WWW-Authenticate"] == "Bearer"


def test_review_is_decided_once(deferred: Deferred) -> None:
    assert deferred.decide("approve").status_code == 200
    assert deferred.decide("approve").status_code == 200
    late = deferred.decide("refuse")
    assert (late.status_code, late.get_json()["code"]) == (409, "wrong_state")


def test_review_needs_its_code(world: IssuerWorld) -> None:
    for path, body in (("look-up", {}), ("decide", {"decision": "approve"})):
        answer = world.operator(f"/reviews/{path}", {"code": "AAAAA-AAAAA", **body})
        assert (answer.status_code, answer.get_json()["code"]) == (404, "unknown_review")


def test_store_holds_no_attribute_of_what_waits(deferred: Deferred) -> None:
    deferred.request()
    at_rest = deferred.world.bytes_at_rest()
    for value in (RESIDENT["name"], RESIDENT["address"], deferred.review_code):
        assert value.encode() not in at_rest


# Section 10: encryption


def service_key(world: IssuerWorld) -> MessageEncryption:
    metadata = world.http.get("/.well-known/openid-credential-issuer").get_json()
    (jwk,) = metadata["credential_request_encryption"]["jwks"]["keys"]
    return MessageEncryption.from_jwk(jwk, content_algorithm="A128GCM")


def send_encrypted(world: IssuerWorld, token: str, body: dict[str, Any]) -> TestResponse:
    return world.http.post(
        "/credential",
        data=encrypt_message(body, service_key(world)),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/jwt"},
    )


def wanted(world: IssuerWorld, **members: object) -> dict[str, Any]:
    proof = world.proof(generate_key(), world.nonce())
    return {
        "credential_configuration_id": "resident",
        "proofs": {"jwt": [proof]},
        **members,
    }


def test_10_request_and_response_travel_encrypted(world: IssuerWorld) -> None:
    key = generate_encryption_key()
    body = wanted(world, credential_response_encryption=encryption_to(key).to_fields())
    answer = send_encrypted(world, world.token(), body)
    assert (answer.status_code, answer.content_type) == (200, "application/jwt")
    header = json.loads(decode_base64url(answer.data.decode().split(".")[0]))
    assert (header["alg"], header["enc"], header["kid"]) == (
        "ECDH-ES",
        "A256GCM",
        thumbprint(key),
    )
    assert decrypt_message(answer.data, key)["credentials"]


def test_10_encrypted_request_may_want_a_plain_answer(world: IssuerWorld) -> None:
    answer = send_encrypted(world, world.token(), wanted(world))
    assert (answer.status_code, answer.content_type) == (200, "application/json")


def test_8_3_1_errors_are_never_encrypted(world: IssuerWorld) -> None:
    key = generate_encryption_key()
    body = wanted(world, credential_response_encryption=encryption_to(key).to_fields(), proofs={})
    answer = send_encrypted(world, world.token(), body)
    assert answer.content_type == "application/json"
    assert error_of(answer) == (400, "invalid_proof")


def test_8_2_encrypted_answer_needs_an_encrypted_request(world: IssuerWorld) -> None:
    key = generate_encryption_key()
    body = wanted(world, credential_response_encryption=encryption_to(key).to_fields())
    answer = post(world, "/credential", world.token(), body)
    assert error_of(answer) == (400, "invalid_encryption_parameters")


@pytest.mark.parametrize(
    "change",
    [
        {"enc": "XXX"},
        {"enc": None},
        {"zip": "DEF"},
        {"jwk": None},
        {"jwk": {"kty": "EC", "crv": "P-256", "alg": "ECDH-ES"}},
        {"jwk": {**export_public_jwk(generate_key("ES256")), "alg": "RSA-OAEP"}},
        {"jwk": export_public_jwk(generate_key("ES256"))},
        {"jwk": {**export_public_jwk(generate_key()), "alg": "ECDH-ES"}},
        {"jwk": {**export_public_jwk(generate_key("ES256")), "alg": "ECDH-ES", "use": "sig"}},
    ],
)
def test_8_3_1_2_unsupported_encryption_parameters(
    world: IssuerWorld, change: dict[str, object]
) -> None:
    fields = {**encryption_to(generate_encryption_key()).to_fields(), **change}
    answer = send_encrypted(
        world, world.token(), wanted(world, credential_response_encryption=fields)
    )
    assert error_of(answer) == (400, "invalid_encryption_parameters")


def test_10_request_to_another_key_cannot_be_read(world: IssuerWorld) -> None:
    token = encrypt_message(wanted(world), encryption_to(generate_encryption_key()))
    headers = {"Authorization": f"Bearer {world.token()}", "Content-Type": "application/jwt"}
    answer = world.http.post("/credential", data=token, headers=headers)
    assert error_of(answer) == (400, "invalid_credential_request")


def test_10_required_encryption_is_required(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, encryption_required=True)
    plain = post(world, "/credential", world.token(), wanted(world))
    assert error_of(plain) == (400, "invalid_encryption_parameters")
    half = send_encrypted(world, world.token(), wanted(world))
    assert error_of(half) == (400, "invalid_encryption_parameters")
    metadata = world.http.get("/.well-known/openid-credential-issuer").get_json()
    assert metadata["credential_request_encryption"]["encryption_required"] is True
    assert metadata["credential_response_encryption"]["encryption_required"] is True
    world.store.close()


# Section 11: notifications


def issued(world: IssuerWorld) -> tuple[str, str]:
    token = world.token()
    answer = world.request_credential(token, world.proof(generate_key(), world.nonce()))
    return token, str(answer.get_json()["notification_id"])


@pytest.mark.parametrize(
    "event", ["credential_accepted", "credential_failure", "credential_deleted"]
)
def test_11_notification_is_noted_and_idempotent(world: IssuerWorld, event: str) -> None:
    token, notification_id = issued(world)
    body = {"notification_id": notification_id, "event": event, "event_description": "x", "new": 1}
    for _ in range(2):
        answer = post(world, "/notification", token, body)
        assert (answer.status_code, answer.data) == (204, b"")
    (listed,) = world.operator("/credentials", method="GET").get_json()["credentials"]
    assert listed["event"] == event


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"notification_id": "another"}, "invalid_notification_id"),
        ({"notification_id": None}, "invalid_notification_request"),
        ({"event": "Credential_Accepted"}, "invalid_notification_request"),
        ({"event": None}, "invalid_notification_request"),
    ],
)
def test_11_3_wrong_notification(world: IssuerWorld, change: dict[str, object], error: str) -> None:
    token, notification_id = issued(world)
    body = {"notification_id": notification_id, "event": "credential_accepted", **change}
    assert error_of(post(world, "/notification", token, body)) == (400, error)


def test_11_3_notification_of_another_token(world: IssuerWorld) -> None:
    _, notification_id = issued(world)
    body = {"notification_id": notification_id, "event": "credential_accepted"}
    answer = post(world, "/notification", world.token(), body)
    assert error_of(answer) == (400, "invalid_notification_id")


@pytest.mark.parametrize("body", [b"[]", b'{"event":1,"event":2}', b"\xff"])
def test_11_3_notification_that_is_no_json(world: IssuerWorld, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {issued(world)[0]}", "Content-Type": "application/json"}
    answer = world.http.post("/notification", data=body, headers=headers)
    assert error_of(answer) == (400, "invalid_notification_request")
