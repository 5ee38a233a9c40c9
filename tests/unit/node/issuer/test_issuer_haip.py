"""DPoP (RFC 9449), wallet attestation and the issuer's half of HAIP 1.0."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.authorizing import Authorizing
from support.issuer_world import START_MS, IssuerWorld
from support.wallet_provider import Authority, WalletProvider
from werkzeug.test import TestResponse

from client_sdk.credentials.jose import (
    ES256,
    export_public_jwk,
    generate_key,
    sign_compact,
    thumbprint,
)
from client_sdk.openid4vci.client_attestation import ATTESTATION_HEADER, PROOF_HEADER
from client_sdk.openid4vci.signed_metadata import verify_metadata
from node.errors import ConfigError
from node.issuer.config import MetadataCertificate


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[IssuerWorld]:
    """An issuer that binds tokens where the wallet wants it."""
    made = IssuerWorld(tmp_path)
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority(START_MS)


@pytest.fixture
def haip(tmp_path: Path, authority: Authority) -> Iterator[IssuerWorld]:
    (tmp_path / "providers.pem").write_bytes(authority.pem)
    made = IssuerWorld(tmp_path, haip=True, wallet_providers_file=tmp_path / "providers.pem")
    yield made
    made.store.close()


@pytest.fixture
def wallet(haip: IssuerWorld, authority: Authority) -> Authorizing:
    return Authorizing(
        haip,
        attestation=WalletProvider(authority).attest(),
        dpop_key=generate_key(ES256),
        redirect_uri="https://wallet.example/cb",
    )


def error_of(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error"]


def test_code_of_an_attested_wallet_is_no_other_wallets(
    tmp_path: Path, authority: Authority
) -> None:
    """RFC 6749 section 4.1.3, at an issuer that leaves attestations to the wallet."""
    (tmp_path / "providers.pem").write_bytes(authority.pem)
    world = IssuerWorld(tmp_path, wallet_providers_file=tmp_path / "providers.pem")
    wallet = Authorizing(
        world,
        attestation=WalletProvider(authority).attest(),
        redirect_uri="https://wallet.example/cb",
    )
    code = wallet.code()
    assert error_of(wallet.token(code, {})) == (400, "invalid_client")
    assert wallet.token(code).status_code == 200
    world.store.close()


# RFC 9449, at an issuer that leaves it to the wallet


def bound_token(wallet: Authorizing) -> str:
    answer = wallet.token(wallet.code()).get_json()
    assert answer["token_type"] == "DPoP"
    return str(answer["access_token"])


@pytest.fixture
def bound(plain: IssuerWorld) -> Authorizing:
    return Authorizing(plain, dpop_key=generate_key(ES256))


def test_rfc9449_5_token_is_bound_to_the_proofs_key(bound: Authorizing) -> None:
    assert bound.credential(bound_token(bound)).status_code == 200


def test_rfc9449_7_1_scheme_is_not_case_sensitive(bound: Authorizing) -> None:
    token = bound_token(bound)
    headers = {
        "Authorization": f"dPoP {token}",
        **bound.dpop("/credential", access_token=token),
    }
    assert bound.credential(token, headers).status_code == 200


def test_rfc9449_7_2_bound_token_is_no_bearers(bound: Authorizing) -> None:
    token = bound_token(bound)
    answer = bound.credential(token, {"Authorization": f"Bearer {token}"})
    assert error_of(answer) == (401, "invalid_token")
    free = bound.world.token()
    headers = {"Authorization": f"DPoP {free}", **bound.dpop("/credential", access_token=free)}
    assert error_of(bound.credential(free, headers)) == (401, "invalid_token")


def test_rfc9449_7_1_proof_is_needed_at_each_use(bound: Authorizing) -> None:
    token = bound_token(bound)
    answer = bound.credential(token, {"Authorization": f"DPoP {token}"})
    assert error_of(answer) == (401, "invalid_dpop_proof")
    assert answer.headers["WWW-Authenticate"] == 'DPoP error="invalid_dpop_proof"'


def test_rfc9449_7_1_proof_of_another_key_is_refused(bound: Authorizing) -> None:
    token = bound_token(bound)
    other = bound.dpop("/credential", generate_key(ES256), access_token=token)
    answer = bound.credential(token, {"Authorization": f"DPoP {token}", **other})
    assert error_of(answer) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"] == 'DPoP error="invalid_token"'


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "GET"},
        {"url": "https://issuer.example/token"},
        {"url": "https://other.example/credential"},
        {"access_token": "another"},
        {"access_token": None},
        {"now_s": START_MS // 1000 - 61},
        {"now_s": START_MS // 1000 + 61},
        {"proof_id": ""},
        {"proof_id": "x" * 300},
    ],
)
def test_rfc9449_4_3_proof_of_another_request_is_refused(
    bound: Authorizing, changes: dict[str, Any]
) -> None:
    token = bound_token(bound)
    proof = bound.dpop("/credential", **{"access_token": token, **changes})
    answer = bound.credential(token, {"Authorization": f"DPoP {token}", **proof})
    assert error_of(answer) == (401, "invalid_dpop_proof")
    assert bound.credential(token).status_code == 200


@pytest.mark.parametrize("seconds", [-10, 10])
def test_rfc9449_11_1_clocks_may_differ_a_little(bound: Authorizing, seconds: int) -> None:
    proof = bound.dpop("/token", now_s=START_MS // 1000 + seconds)
    assert bound.token(bound.code(), proof).status_code == 200


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        ({"typ": "jwt"}, {}),
        ({"jwk": None}, {}),
        ({"kid": "x"}, {}),
        ({}, {"iat": "now"}),
        ({}, {"jti": None}),
        ({}, {"htm": None}),
        ({}, {"htu": 7}),
        ({}, {"htu": "https://[x/"}),
        ({}, {"nonce": 7}),
    ],
)
def test_rfc9449_4_3_malformed_proof_is_refused(
    bound: Authorizing, header: dict[str, Any], payload: dict[str, Any]
) -> None:
    key = generate_key(ES256)
    whole_header = {"typ": "dpop+jwt", "jwk": export_public_jwk(key), **header}
    whole = {
        "jti": "j",
        "htm": "POST",
        "htu": "https://issuer.example/token",
        "iat": START_MS // 1000,
        **payload,
    }
    proof = sign_compact(
        {name: value for name, value in whole_header.items() if value is not None},
        {name: value for name, value in whole.items() if value is not None},
        key,
    )
    answer = bound.token(bound.code(), {"DPoP": proof})
    assert error_of(answer) == (400, "invalid_dpop_proof")


def test_rfc9449_4_3_proof_holds_no_private_key_and_one_signature(bound: Authorizing) -> None:
    code = bound.code()
    for text in ("", "x", "a.b.c"):
        assert error_of(bound.token(code, {"DPoP": text})) == (400, "invalid_dpop_proof")
    proof = bound.dpop("/token")["DPoP"]
    forged = proof[:-6] + ("AAAAAA" if not proof.endswith("AAAAAA") else "BBBBBB")
    assert error_of(bound.token(code, {"DPoP": forged})) == (400, "invalid_dpop_proof")


def test_rfc9449_11_1_proof_is_good_once(bound: Authorizing) -> None:
    proof = bound.dpop("/par")
    assert bound.push(proof).status_code == 201
    assert error_of(bound.push(proof)) == (400, "invalid_dpop_proof")


def test_rfc9449_4_3_nbf_and_exp_do_no_harm(bound: Authorizing) -> None:
    key, now_s = bound.dpop_key, START_MS // 1000
    assert key is not None
    payload = {
        "jti": "with-times",
        "htm": "POST",
        "htu": "HTTPS://ISSUER.example:443/token?x#y",
        "iat": now_s,
        "nbf": now_s,
        "exp": now_s + 60,
    }
    proof = sign_compact({"typ": "dpop+jwt", "jwk": export_public_jwk(key)}, payload, key)
    assert bound.token(bound.code(), {"DPoP": proof}).status_code == 200


def test_rfc9449_10_code_is_bound_to_the_key(plain: IssuerWorld) -> None:
    key = generate_key(ES256)
    by_proof = Authorizing(plain, dpop_key=key)
    code = by_proof.code()
    other = by_proof.dpop("/token", generate_key(ES256))
    assert error_of(by_proof.token(code, other)) == (400, "invalid_dpop_proof")
    assert error_of(by_proof.token(code, {})) == (400, "invalid_dpop_proof")
    assert by_proof.token(code).status_code == 200
    by_name = Authorizing(plain)
    code = by_name.code(dpop_jkt=thumbprint(key))
    assert error_of(by_name.token(code, other)) == (400, "invalid_dpop_proof")
    assert by_name.token(code, by_name.dpop("/token", key)).status_code == 200


def test_rfc9449_10_1_dpop_jkt_must_be_the_proofs(bound: Authorizing) -> None:
    answer = bound.push(dpop_jkt=thumbprint(generate_key(ES256)))
    assert error_of(answer) == (400, "invalid_dpop_proof")
    assert bound.dpop_key is not None
    assert bound.push(dpop_jkt=thumbprint(bound.dpop_key)).status_code == 201


def test_rfc9449_8_foreign_nonce_gets_a_new_one(bound: Authorizing) -> None:
    code = bound.code()
    answer = bound.token(code, bound.dpop("/token", nonce="foreign"))
    assert error_of(answer) == (400, "use_dpop_nonce")
    nonce = answer.headers["DPoP-Nonce"]
    assert bound.token(code, bound.dpop("/token", nonce=nonce)).status_code == 200


# HAIP 1.0


def test_haip_4_whole_flow(wallet: Authorizing) -> None:
    token = wallet.token(wallet.code()).get_json()
    assert token["token_type"] == "DPoP"
    assert wallet.credential(token["access_token"]).status_code == 200


def test_haip_4_attested_wallet_brings_its_redirect_uri(wallet: Authorizing) -> None:
    # RFC 9126 section 2.4.
    for uri in (
        "https://wallet.example/other",
        "com.example.wallet:/cb",
        "http://127.0.0.1:49152/cb",
    ):
        assert wallet.push(redirect_uri=uri).status_code == 201
    for uri in (
        "http://wallet.example/cb",
        "javascript:alert(1)",
        "https://w.example/#x",
        "https:///",
        "http://localhost:49152/cb",
        "https://wallet.example;script-src/cb",
        "https://wallet.example,evil.example/cb",
    ):
        assert error_of(wallet.push(redirect_uri=uri)) == (400, "invalid_request")


def test_haip_4_requests_are_pushed(wallet: Authorizing) -> None:
    page = wallet.world.http.get("/authorize", query_string=wallet.parameters())
    assert (page.status_code, page.mimetype) == (400, "text/html")


def test_haip_4_tokens_are_bound(wallet: Authorizing) -> None:
    code = wallet.code()
    answer = wallet.token(code, wallet.attested())
    assert error_of(answer) == (400, "invalid_dpop_proof")


def test_haip_4_proofs_answer_a_nonce(wallet: Authorizing) -> None:
    code = wallet.code()
    answer = wallet.token(code, {**wallet.attested(), **wallet.dpop("/token", nonce=None)})
    assert error_of(answer) == (400, "use_dpop_nonce")
    assert answer.headers["DPoP-Nonce"]


def test_haip_4_pre_authorized_code_needs_an_attestation_too(wallet: Authorizing) -> None:
    world = wallet.world
    answer = world.redeem(world.code_of(wallet.offer), wallet.offer["tx_code"])
    assert error_of(answer) == (400, "invalid_client")


def test_haip_4_1_metadata_says_so(wallet: Authorizing) -> None:
    server = wallet.world.http.get("/.well-known/oauth-authorization-server").get_json()
    issuer = wallet.world.http.get("/.well-known/openid-credential-issuer").get_json()
    assert server["require_pushed_authorization_requests"] is True
    assert server["token_endpoint_auth_methods_supported"] == ["attest_jwt_client_auth"]
    assert "ES256" in server["dpop_signing_alg_values_supported"]
    assert server["code_challenge_methods_supported"] == ["S256"]
    assert server["authorization_response_iss_parameter_supported"] is True
    assert server["pre-authorized_grant_anonymous_access_supported"] is False
    for configuration in issuer["credential_configurations_supported"].values():
        assert configuration["scope"] in server["scopes_supported"]
    assert issuer["nonce_endpoint"]


def test_haip_4_needs_to_know_providers(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="wallet_providers_file"):
        IssuerWorld(tmp_path, haip=True)


# Appendix E: wallet attestation, at the pushed request and the token request


def test_e_missing_attestation_is_refused(wallet: Authorizing) -> None:
    assert error_of(wallet.push(wallet.dpop("/par"))) == (400, "invalid_client")
    code = wallet.code()
    assert error_of(wallet.token(code, wallet.dpop("/token"))) == (400, "invalid_client")


@pytest.mark.parametrize("half", [ATTESTATION_HEADER, PROOF_HEADER])
def test_e_half_an_attestation_is_refused(wallet: Authorizing, half: str) -> None:
    headers = {half: wallet.attested()[half]}
    assert error_of(wallet.push(headers)) == (400, "invalid_client")


@pytest.mark.parametrize("header", [ATTESTATION_HEADER, PROOF_HEADER])
def test_e_changed_signature_is_refused(wallet: Authorizing, header: str) -> None:
    headers = wallet.attested()
    token = headers[header]
    headers[header] = token[:-6] + ("AAAAAA" if not token.endswith("AAAAAA") else "BBBBBB")
    assert error_of(wallet.push(headers)) == (400, "invalid_client")


def test_e_proof_of_another_key_is_refused(wallet: Authorizing, authority: Authority) -> None:
    other = wallet.attested(WalletProvider(authority).attest())
    headers = {**wallet.attested(), PROOF_HEADER: other[PROOF_HEADER]}
    assert error_of(wallet.push(headers)) == (400, "invalid_client")


def test_e_provider_that_nobody_vouches_for_is_refused(wallet: Authorizing) -> None:
    stranger = WalletProvider(Authority(START_MS)).attest()
    assert error_of(wallet.push(wallet.attested(stranger))) == (400, "invalid_client")


def test_haip_4_4_1_chain_without_the_anchor_and_not_self_signed(
    wallet: Authorizing, authority: Authority
) -> None:
    provider = WalletProvider(authority)
    identity = authority.identity
    with_anchor = provider.attest(chain=(*provider.identity.chain, authority.certificate))
    by_anchor = provider.attest(chain=identity.chain, signed_by=identity.signing_key)
    for attestation in (with_anchor, by_anchor, provider.attest(chain=())):
        assert error_of(wallet.push(wallet.attested(attestation))) == (400, "invalid_client")


def test_e_expired_attestation_is_refused(wallet: Authorizing, authority: Authority) -> None:
    expired = WalletProvider(authority).attest(lifetime_s=-600)
    assert error_of(wallet.push(wallet.attested(expired))) == (400, "invalid_client")


def test_e_attestation_without_sub_is_refused(wallet: Authorizing, authority: Authority) -> None:
    nameless = WalletProvider(authority).attest(client_id="")
    answer = wallet.push(wallet.attested(nameless))
    assert error_of(answer) == (400, "invalid_client")


def test_haip_4_4_1_client_id_is_the_attestations_sub(
    wallet: Authorizing, authority: Authority
) -> None:
    other = WalletProvider(authority, client_id="https://other.example").attest()
    headers = {**wallet.attested(other), **wallet.dpop("/par")}
    assert error_of(wallet.push(headers)) == (400, "invalid_client")
    code = wallet.code()
    wallet.client_id = "https://other.example"
    stolen = wallet.token(code, {**wallet.attested(other), **wallet.dpop("/token")})
    assert error_of(stolen) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "changes",
    [
        {"audience": "https://other.example"},
        {"proof_id": ""},
        {"now_s": START_MS // 1000 - 900},
        {"now_s": START_MS // 1000 + 900},
    ],
)
def test_e_proof_for_another_server_or_time_is_refused(
    wallet: Authorizing, changes: dict[str, Any]
) -> None:
    assert error_of(wallet.push(wallet.attested(**changes))) == (400, "invalid_client")


def test_e_proof_is_good_once(wallet: Authorizing) -> None:
    headers = wallet.attested()
    assert wallet.push({**headers, **wallet.dpop("/par")}).status_code == 201
    answer = wallet.push({**headers, **wallet.dpop("/par")})
    assert error_of(answer) == (400, "invalid_client")


@pytest.mark.parametrize("challenge", [None, "foreign"])
def test_e_proof_answers_a_challenge(wallet: Authorizing, challenge: str | None) -> None:
    answer = wallet.push(wallet.attested(challenge=challenge))
    assert error_of(answer) == (400, "use_attestation_challenge")
    new = answer.headers["OAuth-Client-Attestation-Challenge"]
    headers = {**wallet.attested(challenge=new), **wallet.dpop("/par")}
    assert wallet.push(headers).status_code == 201


# Section 12.2.3: signed metadata


def signed_world(folder: Path, authority: Authority, *, anchor_signs: bool = False) -> IssuerWorld:
    identity = authority.identity if anchor_signs else authority.certify("Aoba City")
    (folder / "chain.pem").write_bytes(identity.encode_chain() + authority.pem)
    (folder / "key.pem").write_bytes(identity.encode_key())
    files = MetadataCertificate(chain_file=folder / "chain.pem", key_file=folder / "key.pem")
    return IssuerWorld(folder, metadata_certificate=files)


def test_12_2_3_signed_metadata_says_the_same(tmp_path: Path, authority: Authority) -> None:
    world = signed_world(tmp_path, authority)
    path = "/.well-known/openid-credential-issuer"
    plain = world.http.get(path, headers={"Accept": "application/json"})
    signed = world.http.get(path, headers={"Accept": "application/jwt, application/json;q=0.5"})
    assert (plain.mimetype, signed.mimetype) == ("application/json", "application/jwt")
    assert world.http.get(path).mimetype == "application/json"
    claims = verify_metadata(
        signed.text,
        expected_issuer=world.config.public_url,
        anchors=[authority.certificate],
        now_s=world.clock() // 1000,
        leeway_s=0,
    )
    assert claims == plain.get_json()
    world.store.close()


def test_haip_4_1_anchor_does_not_sign_metadata(tmp_path: Path, authority: Authority) -> None:
    with pytest.raises(ConfigError, match="self-signed"):
        signed_world(tmp_path, authority, anchor_signs=True)
