import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from support.issuer_world import ISSUER, RESIDENT, IssuerWorld
from support.presentation_world import key_of_account

from chaincode.encoding import decode_base64url, encode_base64url
from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.records import CredentialRecord
from client_sdk.credentials.jose import Key, export_public_jwk, generate_key, sign_compact
from client_sdk.credentials.sd_jwt import parse_sd_jwt
from client_sdk.credentials.sd_jwt_vc import anchor_hash, parse_credential, verify_credential
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import create_account
from node.errors import ConfigError
from node.issuer.config import IssuerConfig
from node.issuer.offers import TRANSACTION_CODE_TRIES
from node.issuer.process import check_ledger


@pytest.fixture
def world(tmp_path: Path) -> Iterator[IssuerWorld]:
    made = IssuerWorld(tmp_path)
    yield made
    made.store.close()


def verified(world: IssuerWorld, credential: str):
    return verify_credential(
        credential,
        issuer_key=world.signing_key,
        expected_vct="urn:tegata:credential:resident:1",
        now_s=world.clock() // 1000,
        leeway_s=0,
    )


def test_credential_is_anchored_and_bound_to_the_holder(world: IssuerWorld) -> None:
    holder_key = key_of_account(holders_account(world))
    credential = world.issue(holder_key, account="h4f2@holder")

    known = verified(world, credential)
    place = known.claims["tegata"]
    record = world.ledger.client(ISSUER).record(ISSUER, place["record"], CredentialRecord)
    assert known.holder_key == export_public_jwk(holder_key)
    assert known.claims["address"] == RESIDENT["address"]
    assert known.claims["age_over_18"] is True
    assert (place["ledger"], place["issuer"]) == (world.ledger_id, ISSUER)
    assert record is not None
    assert record.salted_hash == anchor_hash(parse_sd_jwt(credential).issuer_jwt)
    assert (record.state, record.issuer_record) == ("active", world.issuer_record)
    assert record.expires_at_ms == known.claims["exp"] * 1000


def test_everything_about_the_resident_can_be_kept_back(world: IssuerWorld) -> None:
    known = verified(world, world.issue())
    assert {path[0] for path in known.concealed_paths} == {
        *RESIDENT,
        "age_over_18",
        "credential_number",
    }


def test_metadata_names_the_endpoints_and_keys(world: IssuerWorld) -> None:
    issuer = world.http.get("/.well-known/openid-credential-issuer").get_json()
    server = world.http.get("/.well-known/oauth-authorization-server").get_json()
    keys = world.http.get("/.well-known/jwt-vc-issuer").get_json()
    assert issuer["credential_issuer"] == server["issuer"] == keys["issuer"]
    assert issuer["credential_endpoint"] == "https://issuer.example/credential"
    assert issuer["tegata"]["holder_domain"] == "holder"
    configuration = issuer["credential_configurations_supported"]["resident"]
    assert configuration["format"] == "dc+sd-jwt"
    assert configuration["proof_types_supported"]["jwt"] == {
        "proof_signing_alg_values_supported": ["EdDSA", "ES256"]
    }
    assert server["token_endpoint"] == "https://issuer.example/token"
    assert "d" not in keys["jwks"]["keys"][0]


# Offers and tokens


def test_code_is_good_once(world: IssuerWorld) -> None:
    offer = world.make_offer()
    code = world.code_of(offer)
    assert world.redeem(code, offer["tx_code"]).status_code == 200
    again = world.redeem(code, offer["tx_code"])
    assert (again.status_code, again.get_json()["error"]) == (400, "invalid_grant")
    assert world.http.get(f"/offers/{offer['id']}").status_code == 404


def test_wrong_transaction_codes_lock_the_offer(world: IssuerWorld) -> None:
    offer = world.make_offer()
    code = world.code_of(offer)
    wrong = f"{(int(offer['tx_code']) + 1) % 10**6:06}"
    for _ in range(TRANSACTION_CODE_TRIES):
        assert world.redeem(code, wrong).get_json()["error"] == "invalid_grant"
    assert world.redeem(code, offer["tx_code"]).get_json()["error"] == "invalid_grant"
    assert world.http.get(f"/offers/{offer['id']}").status_code == 404


def test_right_transaction_code_counts_before_the_last_try(world: IssuerWorld) -> None:
    offer = world.make_offer()
    code = world.code_of(offer)
    wrong = f"{(int(offer['tx_code']) + 1) % 10**6:06}"
    for _ in range(TRANSACTION_CODE_TRIES - 1):
        world.redeem(code, wrong)
    assert world.redeem(code, offer["tx_code"]).status_code == 200


def test_offer_expires(world: IssuerWorld) -> None:
    offer = world.make_offer()
    code = world.code_of(offer)
    world.clock.advance(seconds=world.config.offer_seconds)
    assert world.redeem(code, offer["tx_code"]).get_json()["error"] == "invalid_grant"
    assert world.http.get(f"/offers/{offer['id']}").status_code == 404


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password"}, "invalid_request"),
        ({"grant_type": "password", "tx_code": None}, "unsupported_grant_type"),
        ({"pre-authorized_code": None}, "invalid_request"),
        ({"tx_code": None}, "invalid_request"),
        ({"tx_code": "1" * 1000}, "invalid_request"),
        ({"tx_code": ["1", "2"]}, "invalid_request"),
        ({"pre-authorized_code": "another"}, "invalid_grant"),
    ],
)
def test_token_request_is_refused(
    world: IssuerWorld, form: dict[str, str | list[str] | None], error: str
) -> None:
    whole = {
        "grant_type": "urn:ietf:params:oauth:grant-type:pre-authorized_code",
        "pre-authorized_code": world.code_of(world.make_offer()),
        "tx_code": "000000",
    }
    sent = {name: text for name, text in {**whole, **form}.items() if text is not None}
    answer = world.http.post("/token", data=sent if form else {})
    assert (answer.status_code, answer.get_json()["error"]) == (400, error)
    assert answer.headers["Cache-Control"] == "no-store"


# Credentials


def test_token_gives_the_same_answer_again_to_the_same_keys(world: IssuerWorld) -> None:
    token, key = world.token(), generate_key()
    first = world.request_credential(token, world.proof(key, world.nonce()))
    height = len(world.ledger.blocks)
    again = world.request_credential(token, world.proof(key, world.nonce()))
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.get_json() == first.get_json()
    assert len(world.ledger.blocks) == height
    other = world.request_credential(token, world.proof(generate_key(), world.nonce()))
    assert (other.status_code, other.get_json()["error"]) == (400, "credential_request_denied")


def test_proof_is_good_once(world: IssuerWorld) -> None:
    proof = world.proof(generate_key(), world.nonce())
    assert world.request_credential(world.token(), proof).status_code == 200
    replayed = world.request_credential(world.token(), proof)
    assert (replayed.status_code, replayed.get_json()["error"]) == (400, "invalid_nonce")


def test_token_and_nonce_expire(world: IssuerWorld) -> None:
    token, nonce = world.token(), world.nonce()
    world.clock.advance(seconds=301)
    late = world.request_credential(token, world.proof(generate_key(), nonce))
    assert late.get_json()["error"] == "invalid_nonce"
    world.clock.advance(seconds=300)
    later = world.request_credential(token, world.proof(generate_key(), world.nonce()))
    assert later.get_json()["error"] == "invalid_token"


def test_request_without_token_is_refused(world: IssuerWorld) -> None:
    answer = world.http.post("/credential", json={})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"credential_configuration_id": "driver"}, "unknown_credential_configuration"),
        ({"credential_configuration_id": 7}, "invalid_credential_request"),
        ({"credential_identifier": "x"}, "invalid_credential_request"),
        (
            {"credential_identifier": "x", "credential_configuration_id": None},
            "unknown_credential_identifier",
        ),
        ({"credential_response_encryption": {}}, "invalid_encryption_parameters"),
        ({"proofs": {}}, "invalid_proof"),
        ({"proofs": {"jwt": []}}, "invalid_proof"),
        ({"proofs": {"jwt": ["a", "b"]}}, "invalid_proof"),
        ({"proofs": {"jwt": ["a"] * 11}}, "invalid_proof"),
        ({"proofs": {"jwt": ["a"], "di_vp": []}}, "invalid_proof"),
        ({"proofs": {"jwt": ["no.jw.t"]}}, "invalid_proof"),
    ],
)
def test_credential_request_is_refused_and_uses_nothing_up(
    world: IssuerWorld, changes: dict[str, object], error: str
) -> None:
    token, proof = world.token(), world.proof(generate_key(), world.nonce())
    refused = world.request_credential(token, proof, **changes)
    assert (refused.status_code, refused.get_json()["error"]) == (400, error)
    assert world.request_credential(token, proof).status_code == 200


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b"\xff"])
def test_credential_request_that_is_no_json_is_refused(world: IssuerWorld, body: bytes) -> None:
    headers = {
        "Authorization": f"Bearer {world.token()}",
        "Content-Type": "application/json",
    }
    answer = world.http.post("/credential", data=body, headers=headers)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_credential_request")


def test_proof_for_another_issuer_is_refused(world: IssuerWorld) -> None:
    proof = world.proof(generate_key(), world.nonce(), audience="https://other.example")
    answer = world.request_credential(world.token(), proof)
    assert answer.get_json()["error"] == "invalid_proof"


def test_proof_of_another_curve_is_good_without_an_account(world: IssuerWorld) -> None:
    key = generate_key("ES256")
    assert verified(world, world.issue(key)).holder_key == export_public_jwk(key)
    proof = world.proof(key, world.nonce(), account="h4f2@holder")
    answer = world.request_credential(world.token(), proof)
    assert answer.get_json()["error"] == "invalid_proof"


def test_proof_signed_by_another_key_is_refused(world: IssuerWorld) -> None:
    header = {"typ": "openid4vci-proof+jwt", "jwk": export_public_jwk(generate_key())}
    payload = {
        "aud": world.config.public_url,
        "iat": world.clock() // 1000,
        "nonce": world.nonce(),
    }
    answer = world.request_credential(world.token(), sign_compact(header, payload, generate_key()))
    assert answer.get_json()["error"] == "invalid_proof"


def holders_account(world: IssuerWorld, account: str = "h4f2@holder") -> AccountKey:
    key = AccountKey.generate()
    world.ledger.submit("admin@tegata", create_account(account, key.public_key))
    return key


def test_credential_names_the_account_that_the_proof_names(world: IssuerWorld) -> None:
    key = key_of_account(holders_account(world))
    known = verified(world, world.issue(key, account="h4f2@holder"))
    assert known.claims["tegata"]["account"] == "h4f2@holder"
    assert known.holder_key == export_public_jwk(key)


def test_each_credential_that_names_an_account_gets_its_own_record(world: IssuerWorld) -> None:
    accounts = ("h4f2@holder", "k9d3@holder")
    keys = [key_of_account(holders_account(world, account)) for account in accounts]
    nonce = world.nonce()
    proofs = [
        world.proof(keys[0], nonce, account=accounts[0]),
        world.proof(generate_key(), nonce),
        world.proof(keys[1], nonce, account=accounts[1]),
    ]
    answer = world.request_credential(world.token(), *proofs).get_json()
    first, plain, second = answer["credentials"]
    assert "tegata_inclusion" in plain
    for member in (first, second):
        assert "tegata_inclusion" not in member
        place = parse_credential(member["credential"]).unverified_claims["tegata"]
        record = world.ledger.client(ISSUER).record(ISSUER, place["record"], CredentialRecord)
        assert record is not None


def test_credential_of_a_plain_wallet_names_no_account(world: IssuerWorld) -> None:
    key = key_of_account(holders_account(world))
    assert "account" not in verified(world, world.issue(key)).claims["tegata"]


@pytest.mark.parametrize("account", ["h4f2@holder", "nobody@holder", ISSUER, "x@nowhere"])
def test_account_of_another_key_is_refused_and_uses_nothing_up(
    world: IssuerWorld, account: str
) -> None:
    own = holders_account(world, "mine@holder")
    holders_account(world)
    token, nonce, key = world.token(), world.nonce(), key_of_account(own)
    height = len(world.ledger.blocks)
    refused = world.request_credential(token, world.proof(key, nonce, account=account))
    assert (refused.status_code, refused.get_json()["error"]) == (400, "invalid_proof")
    assert len(world.ledger.blocks) == height
    proof = world.proof(key, nonce, account="mine@holder")
    assert world.request_credential(token, proof).status_code == 200


def test_account_is_not_believed_while_the_ledger_is_away(world: IssuerWorld) -> None:
    key = key_of_account(holders_account(world))
    token, proof = world.token(), world.proof(key, world.nonce(), account="h4f2@holder")
    world.ledger.reachable = False
    failed = world.request_credential(token, proof)
    assert (failed.status_code, failed.get_json()["error"]) == (503, "temporarily_unavailable")
    world.ledger.reachable = True
    assert world.request_credential(token, proof).status_code == 200


@given(nonce=st.text(max_size=200) | st.binary(max_size=90).map(encode_base64url))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_foreign_nonce_is_refused(world: IssuerWorld, nonce: str) -> None:
    header = {"typ": "openid4vci-proof+jwt"}
    key = generate_key()
    header["jwk"] = export_public_jwk(key)
    payload = {
        "aud": world.config.public_url,
        "iat": world.clock() // 1000,
        "nonce": nonce or "x",
    }
    answer = world.request_credential(world.token(), sign_compact(header, payload, key))
    assert answer.get_json()["error"] == "invalid_nonce"


def test_changed_nonce_is_refused(world: IssuerWorld) -> None:
    data = bytearray(decode_base64url(world.nonce()))
    data[-1] ^= 1
    proof = world.proof(generate_key(), encode_base64url(bytes(data)))
    assert world.request_credential(world.token(), proof).get_json()["error"] == "invalid_nonce"


def test_unreachable_ledger_uses_nothing_up(world: IssuerWorld) -> None:
    token, proof = world.token(), world.proof(generate_key(), world.nonce())
    world.ledger.reachable = False
    failed = world.request_credential(token, proof)
    assert (failed.status_code, failed.get_json()["error"]) == (503, "temporarily_unavailable")
    assert "Retry-After" in failed.headers
    world.ledger.reachable = True
    assert world.request_credential(token, proof).status_code == 200


def test_unregistered_issuer_gives_out_nothing(world: IssuerWorld) -> None:
    withdrawn = {**world.record.to_fields(), "state": "withdrawn"}
    world.ledger.write_record(
        REGISTRY_ACCOUNT, world.issuer_record, type(world.record).from_fields(withdrawn)
    )
    token, proof = world.token(), world.proof(generate_key(), world.nonce())
    refused = world.request_credential(token, proof)
    assert (refused.status_code, refused.get_json()["error"]) == (500, "server_error")
    assert "credentials" not in refused.get_json()


def test_of_two_requests_at_once_one_gets_a_credential(world: IssuerWorld) -> None:
    token, start = world.token(), threading.Barrier(4)
    proofs = [world.proof(generate_key(), world.nonce()) for _ in range(4)]
    statuses: list[int] = []

    def ask(proof: str) -> None:
        client = world.app.test_client()
        start.wait()
        body = {"credential_configuration_id": "resident", "proofs": {"jwt": [proof]}}
        headers = {"Authorization": f"Bearer {token}"}
        statuses.append(client.post("/credential", json=body, headers=headers).status_code)

    threads = [threading.Thread(target=ask, args=(proof,)) for proof in proofs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The others come while it is at work, or after it was issued to another key than theirs.
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 400, 503}
    assert len(world.operator("/credentials", method="GET").get_json()["credentials"]) == 1


# What is kept


def test_database_never_holds_attributes_codes_or_tokens(world: IssuerWorld) -> None:
    offer = world.make_offer()
    code = world.code_of(offer)
    token = str(world.redeem(code, offer["tx_code"]).get_json()["access_token"])
    enrolment = world.enrolment_code()
    at_rest = world.bytes_at_rest()
    secrets = [offer["id"], code, token, enrolment, *RESIDENT.values()]
    assert [text for text in secrets if len(text) > 1 and text.encode() in at_rest] == []


def test_attributes_are_deleted_with_issuance_and_with_expiry(world: IssuerWorld) -> None:
    credential = world.issue()
    world.make_offer()
    with world.store._database.reading() as session:
        rows = session.scalars(text("select length(attributes) from offer")).all()
        assert min(rows) == 0
        assert credential.encode() not in world.bytes_at_rest()
    world.clock.advance(seconds=world.config.offer_seconds)
    world.store.purge(world.clock())
    with world.store._database.reading() as session:
        assert session.scalars(text("select count(*) from offer")).one() == 0
        assert session.scalars(text("select count(*) from credential")).one() == 1


def test_logs_and_answers_repeat_no_secret(world: IssuerWorld) -> None:
    with structlog.testing.capture_logs() as events:
        offer = world.make_offer()
        code = world.code_of(offer)
        wrong = world.redeem(code, "654321x").text
        token = world.redeem(code, offer["tx_code"]).get_json()["access_token"]
        proof = world.proof(generate_key(), world.nonce())
        world.ledger.reachable = False
        failed = world.request_credential(token, proof).text
        world.ledger.reachable = True
        world.request_credential(token, proof)
        refused = world.operator("/offers", {"attributes": {**RESIDENT, "name": "a\u0000b"}}).text
    seen = json.dumps(events, ensure_ascii=False) + wrong + failed + refused
    for secret in (offer["id"], code, offer["tx_code"], token, proof, *RESIDENT.values()):
        assert len(secret) == 1 or secret not in seen
    assert "654321x" not in seen
    assert any(event["event"] == "credential_issued" for event in events)


# Operator


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/offers", {"attributes": RESIDENT}),
        ("POST", "/enrolments", None),
        ("GET", "/credentials", None),
        ("POST", f"/credentials/{'ab' * 16}/revoke", None),
        ("POST", f"/credentials/{'ab' * 16}/suspend", None),
        ("POST", f"/credentials/{'ab' * 16}/reinstate", None),
    ],
)
@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}])
def test_operator_needs_the_token(
    world: IssuerWorld, method: str, path: str, body: object, header: dict[str, str]
) -> None:
    answer = world.http.open(path, method=method, json=body, headers=header)
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert "Bearer" in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "花子\n"},
        {"name": "\u795e\u202e"},
        {"name": "か\u3099"},
        {"address": "1234 5678 9012"},
        {"municipality": "1\uff12\uff1345678901\uff12"},
        {"birth_date": "2990-01-01"},
        {"birth_date": "soon"},
        {"birth_date": 0},
        {"birth_date": "1990-02-30"},
        {"birth_date": "1990-04-01T00:00:00"},
        {"sex": "3"},
        {"portrait": "%%%"},
        {"portrait": "R0lGODlh"},
        {"individual_number": "123456789012"},
    ],
)
def test_offer_of_wrong_attributes_is_refused(world: IssuerWorld, changes: dict[str, Any]) -> None:
    answer = world.operator("/offers", {"attributes": {**RESIDENT, **changes}})
    assert answer.status_code == 422
    for value in changes.values():
        assert len(str(value)) < 3 or str(value) not in answer.text


def test_reference_that_reads_as_an_individual_number_is_refused(world: IssuerWorld) -> None:
    body = {"attributes": RESIDENT, "reference": "1234-5678-9012"}
    assert world.operator("/offers", body).status_code == 422


def test_credential_is_suspended_reinstated_and_revoked(world: IssuerWorld) -> None:
    world.issue(key_of_account(holders_account(world)), account="h4f2@holder")
    (listed,) = world.operator("/credentials?reference=case-1", method="GET").get_json()[
        "credentials"
    ]
    path = f"/credentials/{listed['record']}"
    ledger = world.ledger.client(ISSUER)

    for action, state in (("suspend", "suspended"), ("reinstate", "active"), ("revoke", "revoked")):
        assert world.operator(f"{path}/{action}").get_json()["state"] == state
        record = ledger.record(ISSUER, listed["record"], CredentialRecord)
        assert record is not None
        assert record.state == state
    for action in ("suspend", "reinstate"):
        again = world.operator(f"{path}/{action}")
        assert (again.status_code, again.get_json()["code"]) == (409, "wrong_state")
    # An operator whose first answer was lost asks again, and is told that it is done.
    assert world.operator(f"{path}/revoke").get_json()["state"] == "revoked"
    (after,) = world.operator("/credentials", method="GET").get_json()["credentials"]
    assert after["state"] == "revoked"


def test_unknown_credential_is_not_found(world: IssuerWorld) -> None:
    answer = world.operator(f"/credentials/{'ab' * 16}/revoke")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "unknown_credential")


def test_unreachable_ledger_is_told_to_the_operator(world: IssuerWorld) -> None:
    world.ledger.reachable = False
    answer = world.operator(f"/credentials/{'ab' * 16}/revoke")
    assert (answer.status_code, answer.get_json()["code"]) == (503, "ledger_unavailable")


def test_credentials_are_listed_in_pages(world: IssuerWorld) -> None:
    for _ in range(3):
        world.issue()
    first = world.operator("/credentials?limit=2", method="GET").get_json()["credentials"]
    rest = world.operator(f"/credentials?after={first[-1]['number']}", method="GET").get_json()
    assert (len(first), len(rest["credentials"])) == (2, 1)
    none = world.operator("/credentials?reference=other", method="GET").get_json()
    assert none["credentials"] == []


# Accounts


def test_account_is_made_with_the_wallets_key(world: IssuerWorld) -> None:
    key = AccountKey.generate()
    answer = world.enrol(world.enrolment_code(), key)
    made = answer.get_json()
    assert answer.status_code == 201
    assert (made["ledger_id"], made["issuer_account"]) == (world.ledger_id, ISSUER)
    assert world.ledger.client(ISSUER).signatories(made["account_id"]) == {key.public_key}


def test_enrolment_code_makes_one_account(world: IssuerWorld) -> None:
    code, key = world.enrolment_code(), AccountKey.generate()
    first = world.enrol(code, key)
    repeated = world.enrol(code, key)
    other = world.enrol(code, AccountKey.generate())
    assert repeated.get_json() == first.get_json()
    assert (other.status_code, other.get_json()["code"]) == (400, "invalid_enrolment")


def test_enrolment_code_expires(world: IssuerWorld) -> None:
    code = world.enrolment_code()
    world.clock.advance(seconds=world.config.enrolment_seconds)
    assert world.enrol(code, AccountKey.generate()).get_json()["code"] == "invalid_enrolment"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("enrolment_code", "AAAAA-AAAAA-AAAAA-AAAAA", "invalid_enrolment"),
        ("account_id", "hanako@holder", "invalid_account_id"),
        ("account_id", f"{'a' * 24}@issuer", "invalid_account_id"),
        ("account_id", f"{'a' * 24}@holder", "invalid_proof"),
        ("public_key", "zz", "invalid_public_key"),
        ("public_key", AccountKey(bytes(32)).public_key, "invalid_proof"),
        ("proof", "00" * 64, "invalid_proof"),
        ("proof", "not hex", "invalid_proof"),
    ],
)
def test_account_request_is_refused(world: IssuerWorld, name: str, value: str, code: str) -> None:
    answer = world.enrol(
        world.enrolment_code(),
        AccountKey.generate(),
        change=lambda body: body.update({name: value}),
    )
    assert answer.get_json()["code"] == code


def test_wrong_proofs_lock_the_enrolment_code(world: IssuerWorld) -> None:
    code, key = world.enrolment_code(), AccountKey.generate()
    for _ in range(5):
        world.enrol(code, key, change=lambda body: body.update(proof="00" * 64))
    assert world.enrol(code, key).get_json()["code"] == "invalid_enrolment"


def test_account_can_be_asked_for_again_when_the_ledger_is_back(world: IssuerWorld) -> None:
    code, key = world.enrolment_code(), AccountKey.generate()
    world.ledger.reachable = False
    assert world.enrol(code, key).status_code == 503
    world.ledger.reachable = True
    assert world.enrol(code, key).status_code == 201


def test_taken_name_is_refused_and_leaves_the_code(world: IssuerWorld) -> None:
    code, key = world.enrolment_code(), AccountKey.generate()
    sent: dict[str, str] = {}
    world.ledger.reachable = False
    world.enrol(code, key, change=sent.update)
    world.ledger.reachable = True
    world.ledger.add_account(sent["account_id"])
    refused = world.enrol(code, key)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "account_refused")
    assert world.enrol(code, AccountKey.generate()).status_code == 201


# Start


def test_start_checks_the_ledger_and_the_registration(world: IssuerWorld) -> None:
    client = world.ledger.client(ISSUER)

    def events(config: IssuerConfig, key: Key) -> list[str]:
        with structlog.testing.capture_logs() as logs:
            check_ledger(config, client, key)
        return [log["event"] for log in logs]

    assert events(world.config, world.signing_key) == []
    assert events(world.config, generate_key()) == ["signing_key_not_registered"]
    elsewhere = world.config.model_copy(update={"issuer_record": "ab" * 16})
    assert events(elsewhere, world.signing_key) == ["issuer_not_registered"]
    other = world.config.ledger.model_copy(update={"ledger_id": "ab" * 32})
    with pytest.raises(ConfigError, match="ledger_id"):
        events(world.config.model_copy(update={"ledger": other}), world.signing_key)
    world.ledger.reachable = False
    assert events(world.config, world.signing_key) == ["ledger_not_checked"]


def test_openapi_document_names_every_route(world: IssuerWorld) -> None:
    paths = world.http.get("/openapi.json").get_json()["paths"]
    assert {"/token", "/nonce", "/credential", "/accounts", "/offers", "/credentials"} <= set(paths)
