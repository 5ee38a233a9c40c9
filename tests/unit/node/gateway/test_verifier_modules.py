"""The gateway against a wallet that does what the OpenID conformance suite's modules do.

Tests have the names of modules of the plan `oid4vp-1final-verifier-test-plan`, which are those of
`oid4vp-1final-verifier-haip-test-plan` as well; `docs/conformance.md` lists them. An outsider is
told the same each time; the verifier's result and the log name the check.
"""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from structlog.testing import capture_logs
from support.gateway_world import GatewayWorld
from support.presentation_world import ATTRIBUTES, key_of_account

from chaincode.encoding import JsonObject, decode_base64url, encode_base64url
from client_sdk.credentials.jose import generate_key, parse_compact, sign_compact
from client_sdk.ledger.account_key import AccountKey
from client_sdk.openid4vp.response import build_response
from node.web.server import WebServer

YEAR_S = 365 * 86_400
REFUSAL = {
    "error": "invalid_request",
    "error_description": "The response is not accepted; ask the verifier for a new request.",
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    made = GatewayWorld(Path(tmp_path_factory.mktemp("gateway")))
    yield made
    made.close()


@pytest.fixture(scope="module")
def url(gateway: GatewayWorld) -> Iterator[str]:
    server = WebServer(gateway.app, "127.0.0.1:0")
    loop = threading.Thread(target=server.run)
    loop.start()
    yield f"http://{server.address}"
    server.stop()
    loop.join()


def post(url: str, created: dict[str, Any], form: dict[str, str]) -> requests.Response:
    return requests.post(f"{url}/oid4vp/responses/{created['id']}", data=form, timeout=30)


def respond(gateway: GatewayWorld, url: str, **changes: Any) -> tuple[requests.Response, str]:
    """Answer a new request as a genuine wallet does, but for `changes`."""
    created = gateway.create()
    return post(url, created, gateway.answer(created, **changes)), created["id"]


def accepted(gateway: GatewayWorld, answer: tuple[requests.Response, str]) -> None:
    response, request_id = answer
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/json"
    assert isinstance(response.json(), dict)
    result = gateway.read(request_id)
    assert result["status"] == "accepted"
    assert result["attributes"] == {"address": ATTRIBUTES["address"]}


def refused(gateway: GatewayWorld, answer: tuple[requests.Response, str], check: str) -> None:
    """Section 8.6: it is refused with the same words as everything, and the result says why."""
    response, request_id = answer
    assert (response.status_code, response.json()) == (400, REFUSAL)
    result = gateway.read(request_id)
    assert (result["status"], result["attributes"]) == ("refused", None)
    assert [one["name"] for one in result["checks"] if one["passed"] is False] == [check]


def forge_kb(
    gateway: GatewayWorld, created: dict[str, Any], *, key: Any = None, **claims: Any
) -> dict[str, str]:
    """Answer with a key binding of which anything may be wrong."""
    request = gateway.fetch(created).request
    genuine = gateway.world.present(request)
    sd_jwt, _, binding = genuine.rpartition("~")
    unverified = parse_compact(binding)
    payload: JsonObject = {**unverified.unverified_payload, **claims}
    signed = sign_compact({"typ": "kb+jwt"}, payload, key or key_of_account(gateway.world.holder))
    return build_response({"resident": [f"{sd_jwt}~{signed}"]}, request=request)


def forged(
    gateway: GatewayWorld, url: str, *, key: Any = None, **claims: Any
) -> tuple[requests.Response, str]:
    created = gateway.create()
    return post(url, created, forge_kb(gateway, created, key=key, **claims)), created["id"]


def test_happy_flow(gateway: GatewayWorld, url: str) -> None:
    accepted(gateway, respond(gateway, url))
    accepted(gateway, forged(gateway, url))


def test_request_uri_method_post(gateway: GatewayWorld, url: str) -> None:
    created = gateway.create()
    assert "request_uri_method=post" in created["link"]
    path = f"{url}/oid4vp/requests/{created['id']}"
    form = {"wallet_nonce": "n" * 22, "wallet_metadata": "{}", "unknown": "x"}
    answer = requests.post(path, data=form, timeout=30)
    assert answer.headers["Content-Type"] == "application/oauth-authz-req+jwt"
    assert parse_compact(answer.text).unverified_payload["wallet_nonce"] == "n" * 22
    accepted(gateway, (post(url, created, gateway.answer(created)), created["id"]))


def test_request_uri_fetched_twice(gateway: GatewayWorld, url: str) -> None:
    created = gateway.create()
    path = f"{url}/oid4vp/requests/{created['id']}"
    first, second = (requests.get(path, timeout=30) for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert first.text == second.text
    accepted(gateway, (post(url, created, gateway.answer(created)), created["id"]))


def test_minimal_cnf_jwk(gateway: GatewayWorld, url: str) -> None:
    payload = parse_compact(gateway.world.credential.partition("~")[0]).unverified_payload
    cnf = payload["cnf"]
    assert isinstance(cnf, dict)
    assert isinstance(cnf["jwk"], dict)
    assert cnf["jwk"].keys() == {"kty", "crv", "x"}
    accepted(gateway, respond(gateway, url))


def test_present_credential_without_status(gateway: GatewayWorld, url: str) -> None:
    payload = parse_compact(gateway.world.credential.partition("~")[0]).unverified_payload
    assert "status" not in payload
    accepted(gateway, respond(gateway, url))


def test_present_revoked_credential(gateway: GatewayWorld, url: str) -> None:
    created = gateway.create()
    form = gateway.answer(created)
    gateway.world.anchor(gateway.world.credential, state="revoked")
    refused(gateway, (post(url, created, form), created["id"]), "status")
    gateway.world.anchor(gateway.world.credential)


def test_invalid_credential_signature(gateway: GatewayWorld, url: str) -> None:
    created = gateway.create()
    request = gateway.fetch(created).request
    genuine = gateway.world.present(request)
    header, payload, rest = genuine.split(".", 2)
    signature, _, tail = rest.partition("~")
    raw = bytearray(decode_base64url(signature))
    raw[0] ^= 1
    spoilt = ".".join([header, payload, encode_base64url(bytes(raw))]) + "~" + tail
    form = build_response({"resident": [spoilt]}, request=request)
    refused(gateway, (post(url, created, form), created["id"]), "issuer_signature")


def test_invalid_kb_jwt_signature(gateway: GatewayWorld, url: str) -> None:
    stranger = key_of_account(AccountKey.generate())
    for key in (stranger, generate_key("ES256")):
        refused(gateway, forged(gateway, url, key=key), "holder_binding")


def test_invalid_kb_jwt_nonce(gateway: GatewayWorld, url: str) -> None:
    with capture_logs() as logs:
        refused(gateway, forged(gateway, url, nonce="n" * 22), "nonce")
    assert [entry["failed"] for entry in logs if entry["event"] == "response"] == [["nonce"]]


@pytest.mark.parametrize(
    "aud", ["https://other.example", "x509_hash:" + "A" * 43, "", ["x509_hash:" + "A" * 43]]
)
def test_invalid_kb_jwt_aud(gateway: GatewayWorld, url: str, aud: Any) -> None:
    refused(gateway, forged(gateway, url, aud=aud), "holder_binding")


def test_section_5_9_aud_has_the_prefix(gateway: GatewayWorld, url: str) -> None:
    bare = gateway.world.identity.client_id.partition(":")[2]
    refused(gateway, forged(gateway, url, aud=bare), "holder_binding")


def test_invalid_sd_hash(gateway: GatewayWorld, url: str) -> None:
    refused(gateway, forged(gateway, url, sd_hash=encode_base64url(bytes(32))), "holder_binding")


def test_kb_jwt_iat_in_past(gateway: GatewayWorld, url: str) -> None:
    past = gateway.world.now_ms // 1000 - YEAR_S
    response, request_id = forged(gateway, url, iat=past)
    refused(gateway, (response, request_id), failed_of(gateway, request_id, "validity"))


def test_kb_jwt_iat_in_future(gateway: GatewayWorld, url: str) -> None:
    future = gateway.world.now_ms // 1000 + YEAR_S
    response, request_id = forged(gateway, url, iat=future)
    refused(gateway, (response, request_id), failed_of(gateway, request_id, "validity"))


def failed_of(gateway: GatewayWorld, request_id: str, expected: str) -> str:
    (name,) = [one["name"] for one in gateway.read(request_id)["checks"] if one["passed"] is False]
    assert name in (expected, "holder_binding")
    return str(name)


def test_section_8_1_vp_token_is_lists_by_query(gateway: GatewayWorld, url: str) -> None:
    for shown in ("text", ["text", 1], [[]], {"a": "b"}):
        created = gateway.create()
        request = gateway.fetch(created).request
        form = build_response({"resident": shown}, request=request)  # type: ignore[dict-item]
        response = post(url, created, form)
        assert (response.status_code, response.json()) == (400, REFUSAL)


def test_section_8_3_an_answer_that_is_not_encrypted(gateway: GatewayWorld, url: str) -> None:
    created = gateway.create()
    request = gateway.fetch(created).request
    shown = {"resident": [gateway.world.present(request)]}
    plain = build_response(shown, request=replace(request, encryption=None))
    response = post(url, created, plain)
    assert (response.status_code, response.json()) == (400, REFUSAL)


def test_section_8_5_an_error_of_the_wallet(gateway: GatewayWorld, url: str) -> None:
    created = gateway.create()
    state = gateway.fetch(created).request.state
    form = {"error": "access_denied", "error_description": "no", "state": str(state)}
    response = post(url, created, form)
    assert (response.status_code, response.json()) == (200, {})
    assert gateway.read(created["id"])["status"] == "declined"


def test_section_13_3_another_state_is_not_taken(gateway: GatewayWorld, url: str) -> None:
    created = gateway.create()
    for form in ({"error": "access_denied", "state": "other"}, {"error": "access_denied"}):
        response = post(url, created, form)
        assert (response.status_code, response.json()) == (400, REFUSAL)
    assert gateway.read(created["id"])["status"] == "pending"
