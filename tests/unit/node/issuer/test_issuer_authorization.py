"""The authorization code flow: OpenID4VCI 1.0 section 5, RFC 6749, 7636, 9126 and 9207."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import structlog
from support.authorizing import REDIRECT_URI, VERIFIER, Authorizing
from support.issuer_world import RESIDENT, IssuerWorld
from werkzeug.test import TestResponse

from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE
from client_sdk.credentials.sd_jwt_vc import parse_credential
from client_sdk.formats import find_format
from node.issuer.authorizations import CODE_SECONDS, REQUEST_SECONDS
from node.issuer.offers import TRANSACTION_CODE_TRIES


@pytest.fixture
def world(tmp_path: Path) -> Iterator[IssuerWorld]:
    made = IssuerWorld(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def wallet(world: IssuerWorld) -> Authorizing:
    return Authorizing(world)


def error_of(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error"]


def details(name: object = "resident", kind: object = "openid_credential") -> str:
    return json.dumps([{"type": kind, "credential_configuration_id": name}])


def test_resident_approves_and_the_wallet_gets_the_credential(wallet: Authorizing) -> None:
    pushed = wallet.push().get_json()
    assert pushed["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
    assert pushed["expires_in"] == REQUEST_SECONDS
    page = wallet.page(pushed["request_uri"])
    assert page.status_code == 200
    assert "tegata-wallet" in page.text
    assert 'lang="en"' in page.text
    back = wallet.back(wallet.decide(pushed["request_uri"]))
    assert (back["state"], back["iss"]) == ("st4te", wallet.world.config.public_url)
    token = wallet.token(back["code"]).get_json()
    assert token["token_type"] == "Bearer"
    issued = wallet.credential(token["access_token"]).get_json()
    held = parse_credential(issued["credentials"][0]["credential"])
    assert held.unverified_claims["name"] == RESIDENT["name"]


def test_resident_without_a_link_types_the_authentication_code(wallet: Authorizing) -> None:
    request_uri = wallet.pushed(issuer_state=None)
    assert "authentication_code" in wallet.page(request_uri).text
    typed = wallet.offer["authentication_code"].lower()
    back = wallet.back(wallet.decide(request_uri, authentication_code=f" {typed} "))
    assert wallet.token(back["code"]).status_code == 200


# OpenID4VCI 1.0 section 5.1 and 6.2: how the credential is named


def test_6_2_authorization_details_give_a_credential_identifier(wallet: Authorizing) -> None:
    code = wallet.code(scope=None, authorization_details=details())
    token = wallet.token(code).get_json()
    (detail,) = token["authorization_details"]
    (identifier,) = detail["credential_identifiers"]
    by_name = wallet.credential(token["access_token"])
    assert error_of(by_name) == (400, "invalid_credential_request")
    unknown = wallet.credential(
        token["access_token"], credential_configuration_id=None, credential_identifier="other"
    )
    assert error_of(unknown) == (400, "unknown_credential_identifier")
    issued = wallet.credential(
        token["access_token"], credential_configuration_id=None, credential_identifier=identifier
    )
    assert issued.status_code == 200


@pytest.mark.parametrize(
    ("name", "credential_format"),
    [("resident_vc_sd_jwt", "vc+sd-jwt"), ("resident_jwt_vc_json", "jwt_vc_json")],
)
@pytest.mark.parametrize("by_scope", [False, True])
def test_5_1_details_and_scopes_name_any_configuration_of_the_metadata(
    wallet: Authorizing, name: str, credential_format: str, by_scope: bool
) -> None:
    metadata = wallet.world.http.get("/.well-known/openid-credential-issuer").get_json()
    scope = metadata["credential_configurations_supported"][name]["scope"]
    code = (
        wallet.code(scope=f"openid {scope}")
        if by_scope
        else wallet.code(scope=None, authorization_details=details(name))
    )
    token = wallet.token(code).get_json()
    (detail,) = token["authorization_details"]
    assert detail["credential_configuration_id"] == name
    (identifier,) = detail["credential_identifiers"]
    issued = wallet.credential(
        token["access_token"], credential_configuration_id=None, credential_identifier=identifier
    )
    (element,) = issued.get_json()["credentials"]
    assert find_format(credential_format).read(element["credential"]).format == credential_format


def test_12_2_4_each_configuration_has_a_scope_of_its_own(world: IssuerWorld) -> None:
    metadata = world.http.get("/.well-known/openid-credential-issuer").get_json()
    server = world.http.get("/.well-known/oauth-authorization-server").get_json()
    configurations = metadata["credential_configurations_supported"].values()
    scopes = [configuration["scope"] for configuration in configurations]
    assert sorted(scopes) == sorted(server["scopes_supported"])
    assert len(set(scopes)) == 4


def test_6_1_1_details_in_the_token_request_count_too(world: IssuerWorld) -> None:
    offer = world.make_offer()
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:pre-authorized_code",
        "pre-authorized_code": world.code_of(offer),
        "tx_code": offer["tx_code"],
        "authorization_details": details(),
    }
    answer = world.http.post("/token", data=form).get_json()
    assert answer["authorization_details"][0]["credential_identifiers"]


@pytest.mark.parametrize(
    "text", [details("other"), details(kind="other"), details(7), "[]", "{}", "x", '["x"]']
)
def test_rfc9396_5_unknown_details_are_refused(wallet: Authorizing, text: str) -> None:
    answer = wallet.push(authorization_details=text)
    assert error_of(answer) == (400, "invalid_authorization_details")


def test_5_1_2_unknown_scopes_are_ignored(wallet: Authorizing) -> None:
    known = wallet.parameters()["scope"]
    assert wallet.push(scope=f"openid {known}").status_code == 201
    assert error_of(wallet.push(scope="openid")) == (400, "invalid_scope")
    assert error_of(wallet.push(scope=None)) == (400, "invalid_scope")


def test_5_1_3_foreign_issuer_state_leads_nowhere(wallet: Authorizing) -> None:
    request_uri = wallet.pushed(issuer_state="another")
    refused = wallet.decide(request_uri)
    assert refused.status_code == 400
    assert 'role="alert"' in refused.text


def test_5_1_unrecognized_parameters_are_ignored(wallet: Authorizing) -> None:
    code = wallet.code(something_new="1")
    assert wallet.token(code, something_new="1").status_code == 200


# The holder's decision


def test_wrong_digits_are_refused_and_lock_the_offer(wallet: Authorizing) -> None:
    request_uri = wallet.pushed()
    wrong = f"{(int(wallet.offer['tx_code']) + 1) % 10**6:06}"
    with structlog.testing.capture_logs() as logs:
        for _ in range(TRANSACTION_CODE_TRIES):
            assert wallet.decide(request_uri, tx_code=wrong).status_code == 400
    assert any(event["event"] == "authentication_failed" for event in logs)
    assert wallet.decide(request_uri).status_code == 400


def test_right_digits_use_up_no_try(wallet: Authorizing) -> None:
    """A holder whose wallet did not get through approves again."""
    for _ in range(TRANSACTION_CODE_TRIES + 1):
        code = wallet.code()
    assert wallet.token(code).status_code == 200


def test_rfc6749_4_1_2_1_holder_declines(wallet: Authorizing) -> None:
    request_uri = wallet.pushed()
    back = wallet.back(wallet.decide(request_uri, decision="deny"))
    assert back == {
        "error": "access_denied",
        "state": "st4te",
        "iss": wallet.world.config.public_url,
    }
    assert wallet.decide(request_uri).status_code == 400


def test_page_lets_nothing_in(wallet: Authorizing) -> None:
    page = wallet.page(wallet.pushed())
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert f"form-action 'self' {REDIRECT_URI.removesuffix('/callback')}" in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert "unsafe" not in policy


def test_page_of_another_site_decides_nothing(wallet: Authorizing) -> None:
    request_uri = wallet.pushed()
    form = {"client_id": wallet.client_id, "request_uri": request_uri, "decision": "deny"}
    wallet.page(request_uri)
    assert wallet.world.http.post("/authorize", data=form).status_code == 400
    assert "code" in wallet.back(wallet.decide(request_uri))


def test_page_speaks_the_holders_language(wallet: Authorizing) -> None:
    query = {"client_id": wallet.client_id, "request_uri": wallet.pushed()}
    headers = {"Accept-Language": "ja"}
    page = wallet.world.http.get(f"/authorize?{urlencode(query)}", headers=headers)
    assert '<html lang="ja">' in page.text
    assert "承認する" in page.text


# RFC 9126: pushed requests


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"request_uri": "urn:x"}, "invalid_request"),
        ({"request": "x.y.z"}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/callback"}, "invalid_request"),
        ({"redirect_uri": "http://127.0.0.1:8765/other"}, "invalid_request"),
        ({"redirect_uri": "http://127.0.0.1:x/callback"}, "invalid_request"),
        ({"redirect_uri": "http://user@127.0.0.1:1/callback"}, "invalid_request"),
        ({"redirect_uri": "http://localhost:8765/callback"}, "invalid_request"),
        ({"client_id": None}, "invalid_request"),
        ({"client_id": "unknown"}, "invalid_client"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"state": "s" * 3000}, "invalid_request"),
        ({"scope": ["a", "b"]}, "invalid_request"),
    ],
)
def test_rfc9126_2_3_bad_request_is_refused(
    wallet: Authorizing, changes: dict[str, object], error: str
) -> None:
    assert error_of(wallet.push(**changes)) == (400, error)


def test_rfc9126_2_3_only_posts_are_taken(world: IssuerWorld) -> None:
    assert world.http.get("/par").status_code == 405


def test_rfc9126_2_3_body_is_a_form(world: IssuerWorld) -> None:
    assert error_of(world.http.post("/par", json={})) == (400, "invalid_request")


def test_rfc9126_2_2_request_without_state_gets_none_back(wallet: Authorizing) -> None:
    back = wallet.back(wallet.decide(wallet.pushed(state=None)))
    assert "state" not in back


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "s" * 2049},
        {"issuer_state": "s" * 2049},
        {"dpop_jkt": "k" * 2049},
        {"scope": f"{RESIDENT_CREDENTIAL_TYPE} {'x' * 2048}"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_anybody_may_have_kept_is_short(wallet: Authorizing, changes: dict[str, str]) -> None:
    assert error_of(wallet.push(**changes)) == (400, "invalid_request")


def test_long_state_comes_back_whole(wallet: Authorizing) -> None:
    state = "s" * 1000
    assert wallet.back(wallet.decide(wallet.pushed(state=state)))["state"] == state


def test_state_outside_the_pushed_request_is_not_used(wallet: Authorizing) -> None:
    request_uri = wallet.pushed(state=None)
    query = {"client_id": wallet.client_id, "request_uri": request_uri, "state": "outside"}
    assert wallet.world.http.get(f"/authorize?{urlencode(query)}").status_code == 200
    assert "state" not in wallet.back(wallet.decide(request_uri))


def test_rfc9126_7_3_request_uri_is_good_once(wallet: Authorizing) -> None:
    request_uri = wallet.pushed()
    # Looking twice is no use of it.
    assert [wallet.page(request_uri).status_code for _ in range(2)] == [200, 200]
    wallet.back(wallet.decide(request_uri))
    assert wallet.page(request_uri).status_code == 400
    assert wallet.decide(request_uri).status_code == 400


def test_rfc9126_2_2_request_uri_expires(wallet: Authorizing) -> None:
    request_uri = wallet.pushed()
    wallet.world.clock.advance(seconds=REQUEST_SECONDS)
    page = wallet.page(request_uri)
    assert (page.status_code, page.mimetype) == (400, "text/html")
    assert "begin again" in page.text


def test_rfc9126_2_2_request_uri_is_its_clients(wallet: Authorizing) -> None:
    assert wallet.page(wallet.pushed(), client_id="another").status_code == 400


def test_request_in_the_query_is_taken_where_pushing_is_not_required(wallet: Authorizing) -> None:
    page = wallet.world.http.get(f"/authorize?{urlencode(wallet.parameters())}")
    assert page.status_code == 200
    request_uri = page.text.partition('name="request_uri" value="')[2].partition('"')[0]
    assert wallet.token(wallet.back(wallet.decide(request_uri))["code"]).status_code == 200
    unknown = wallet.parameters(redirect_uri="https://evil.example/")
    refused = wallet.world.http.get(f"/authorize?{urlencode(unknown)}")
    assert (refused.status_code, "Location" in refused.headers) == (400, False)


# RFC 6749 section 4.1.3 and RFC 7636: the token request


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code": None}, "invalid_request"),
        ({"code": "another"}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_grant"),
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": "v" * 42}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:1/callback"}, "invalid_grant"),
        ({"client_id": "another"}, "invalid_grant"),
        ({"client_id": None}, "invalid_grant"),
        ({"tx_code": "123456"}, "invalid_request"),
        ({"code": ["a", "b"]}, "invalid_request"),
    ],
)
def test_rfc6749_4_1_3_bad_token_request_is_refused(
    wallet: Authorizing, changes: dict[str, object], error: str
) -> None:
    code = wallet.code()
    assert error_of(wallet.token(code, **changes)) == (400, error)
    assert wallet.token(code).status_code == 200


def test_rfc6749_4_1_2_code_expires(wallet: Authorizing) -> None:
    code = wallet.code()
    wallet.world.clock.advance(seconds=CODE_SECONDS)
    assert error_of(wallet.token(code)) == (400, "invalid_grant")


def test_rfc6749_4_1_2_code_used_twice_ends_its_token(wallet: Authorizing) -> None:
    code = wallet.code()
    token = wallet.token(code).get_json()["access_token"]
    assert error_of(wallet.token(code)) == (400, "invalid_grant")
    answer = wallet.credential(token)
    assert error_of(answer) == (401, "invalid_token")


def test_offer_is_used_by_one_flow_only(wallet: Authorizing) -> None:
    code = wallet.code()
    world = wallet.world
    assert world.redeem(world.code_of(wallet.offer), wallet.offer["tx_code"]).status_code == 200
    assert error_of(wallet.token(code)) == (400, "invalid_grant")


def test_f_1_proof_may_name_the_client_that_got_the_token(wallet: Authorizing) -> None:
    # Of a wallet that redeemed a pre-authorized code without a name, `iss` is refused.
    from client_sdk.credentials.jose import export_public_jwk, generate_key, sign_compact

    key = generate_key()
    header = {"typ": "openid4vci-proof+jwt", "jwk": export_public_jwk(key)}
    token = wallet.token(wallet.code()).get_json()["access_token"]
    for client_id, status in (("another", 400), (wallet.client_id, 200)):
        payload = {
            "iss": client_id,
            "aud": wallet.world.config.public_url,
            "iat": wallet.world.clock() // 1000,
            "nonce": wallet.world.nonce(),
        }
        proof = sign_compact(header, payload, key)
        assert wallet.credential(token, proofs={"jwt": [proof]}).status_code == status


def test_store_holds_no_code_and_no_state(wallet: Authorizing) -> None:
    request_uri = wallet.pushed()
    code = wallet.back(wallet.decide(request_uri))["code"]
    at_rest = wallet.world.bytes_at_rest()
    for secret in (request_uri, code, wallet.issuer_state, VERIFIER, "st4te"):
        assert secret.encode() not in at_rest
    assert wallet.offer["authentication_code"].encode() not in at_rest
