"""The wallet against a verifier that does what the OpenID conformance suite's modules do.

Tests have the names of modules of the plan `oid4vp-1final-wallet-test-plan`, which are those of
`oid4vp-1final-wallet-haip-test-plan` as well; `docs/conformance.md` lists them. All go over real
HTTP.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from joserfc.jwk import ECKey
from support.presentation_world import NOW_MS, key_of_account
from support.verifier_stand import VerifierStand

from chaincode.encoding import JsonObject, encode_base64url
from client_sdk.credentials.jose import export_public_jwk, generate_key, parse_compact, sign_compact
from client_sdk.credentials.jwe import generate_encryption_key
from client_sdk.credentials.sd_jwt import parse_sd_jwt
from client_sdk.credentials.sd_jwt_vc import issue_credential
from client_sdk.credentials.selective_disclosure import reveal
from client_sdk.errors import RequestError, TransportError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.openid4vp.dcql import parse_query
from client_sdk.openid4vp.request_link import RequestLink, build_link
from client_sdk.openid4vp.response_encryption import ResponseEncryption, decrypt_response
from client_sdk.openid4vp.signed_request import REQUEST_TYP
from client_sdk.sealing.vault import CHEAPEST, Vault
from client_sdk.wallet import Answer, Wallet, WalletSession
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.records import StoredCredential

PID = "urn:eudi:pid:1"
ISSUER_KEY = generate_key()
HOLDER = AccountKey.generate()
CLAIMS: JsonObject = {
    "family_name": "Tanaka",
    "given_name": "Aiko",
    "birthdate": "1990-04-01",
    "age_over_18": True,
    "nationalities": ["JP", "DE"],
    "place_of_birth": {"locality": "Kyoto", "region": "Kansai", "country": "JP"},
}
CONCEALED: list[tuple[str | int, ...]] = [
    *((name,) for name in CLAIMS),
    ("nationalities", 0),
    ("nationalities", 1),
    ("place_of_birth", "locality"),
    ("place_of_birth", "region"),
    ("place_of_birth", "country"),
]
ALWAYS = {"iss", "iat", "vct", "cnf"}


@pytest.fixture
def stand() -> Iterator[VerifierStand]:
    with VerifierStand(ledger="ab" * 32, now_ms=NOW_MS) as made:
        yield made


@pytest.fixture(scope="module")
def wallet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wallet]:
    contents = WalletContents(seed=HOLDER.seed, receipt_secret=bytes(32), trust_anchors="")
    path = Path(tmp_path_factory.mktemp("wallet")) / "w"
    vault = Vault.create(path, "p" * 12, contents.to_fields(), profile=CHEAPEST)
    sd_jwt = issue_credential(
        claims=CLAIMS,
        concealed=CONCEALED,
        vct=PID,
        issuer="https://issuer.example",
        issuer_key=ISSUER_KEY,
        issued_at=NOW_MS // 1000,
        holder_key=export_public_jwk(key_of_account(HOLDER)),
    )
    held = StoredCredential(
        record_id="ab" * 16,
        credential_type=PID,
        issuer="city@issuer",
        expires_at_ms=NOW_MS + 86_400_000,
        text=sd_jwt,
    )
    with Wallet(WalletSession(vault, now_ms=lambda: NOW_MS)) as opened:
        opened._session.update(lambda contents: contents.with_credential(held))
        yield opened


def credential(*paths: list[Any], **members: Any) -> JsonObject:
    claims = [{"path": path, "id": f"c{place}"} for place, path in enumerate(paths)]
    fields = {"id": "pid", "format": "dc+sd-jwt", "meta": {"vct_values": [PID]}, **members}
    return {**fields, "claims": claims} if claims else fields


def ask(stand: VerifierStand, *credentials: JsonObject, sets: Any = None, **changes: Any) -> str:
    query: JsonObject = {"credentials": [*credentials] or [credential(["family_name"])]}
    if sets is not None:
        query["credential_sets"] = sets
    return stand.ask(query=parse_query(query), with_grant=False, **changes)


def forge(
    stand: VerifierStand,
    *,
    header: JsonObject | None = None,
    client_id: str | None = None,
    key: Any = None,
    **claims: Any,
) -> str:
    """Serve a request of which anything may be wrong; `...` leaves a member out."""
    ask(stand)
    path, token = list(stand._requests.items())[-1]
    payload = {**parse_compact(token.decode()).unverified_payload, **claims}
    full = {"typ": REQUEST_TYP, **stand.identity.request_header(), **(header or {})}
    stand._requests[path] = sign_compact(
        {name: value for name, value in full.items() if value != ...},
        {name: value for name, value in payload.items() if value != ...},
        key or stand.identity.signing_key,
    ).encode()
    link = RequestLink(
        client_id=client_id or stand.identity.client_id, request_uri=f"{stand.server.url}{path}"
    )
    return build_link(link)


def present(wallet: Wallet, link: str) -> Answer:
    return wallet.presentation.answer(wallet.presentation.read_request(link))


def token_of(stand: VerifierStand) -> dict[str, list[str]]:
    value: dict[str, list[str]] = json.loads(stand.answers[-1]["vp_token"])
    return value


def shown(stand: VerifierStand, query_id: str = "pid") -> JsonObject:
    """What the last answer discloses of the holder's attributes."""
    (presentation,) = token_of(stand)[query_id]
    sd_jwt = parse_sd_jwt(presentation)
    payload = parse_compact(sd_jwt.issuer_jwt).unverified_payload
    claims = reveal(payload, sd_jwt.disclosures).claims
    return {name: value for name, value in claims.items() if name not in ALWAYS}


def refuse(
    wallet: Wallet, stand: VerifierStand, link: str, words: str, *, told: str | None = None
) -> None:
    """The wallet refuses, shows nothing, and tells the verifier this code or nothing at all."""
    with pytest.raises(RequestError, match=words):
        wallet.presentation.read_request(link)
    if told is None:
        assert stand.answers == []
    else:
        (answer,) = stand.answers
        assert answer["error"] == told
        assert "vp_token" not in answer


def test_happy_flow_no_state(wallet: Wallet, stand: VerifierStand) -> None:
    present(wallet, ask(stand, state=None))
    assert shown(stand) == {"family_name": "Tanaka"}
    assert stand.answers[-1].keys() == {"vp_token"}


def test_happy_flow_with_state_and_redirect(wallet: Wallet, stand: VerifierStand) -> None:
    stand.reply = type(stand.reply)(body=b'{"redirect_uri":"https://v.example/#code=1"}')
    state = "s" * 64
    answer = present(wallet, ask(stand, state=state))
    assert stand.answers[-1]["state"] == state
    assert answer.redirect_uri == "https://v.example/#code=1"


def test_alternate_happy_flow(wallet: Wallet, stand: VerifierStand) -> None:
    key = generate_encryption_key()
    encryption = ResponseEncryption.for_key(key)
    link = ask(stand, state="s" * 64, nonce="n" * 32, encryption=encryption)
    path, token = list(stand._requests.items())[-1]
    claims = dict(parse_compact(token.decode()).unverified_payload)
    metadata = cast(dict[str, Any], claims["client_metadata"])
    del metadata["jwks"]["keys"][0]["use"]
    header = {"typ": REQUEST_TYP, **stand.identity.request_header()}
    stand._requests[path] = sign_compact(header, claims, stand.identity.signing_key).encode()
    scheme, _, query = link.partition("?")
    reordered = "&".join(["random=1", *reversed(query.split("&"))])
    present(wallet, f"{scheme}?{reordered}")
    parameters = decrypt_response(stand.answers[-1]["response"], key)
    assert parameters["state"] == "s" * 64


def test_fewer_claims_than_available(wallet: Wallet, stand: VerifierStand) -> None:
    present(wallet, ask(stand, credential(["family_name"], ["birthdate"])))
    assert shown(stand) == {"family_name": "Tanaka", "birthdate": "1990-04-01"}


def test_all_mandatory_claims(wallet: Wallet, stand: VerifierStand) -> None:
    names = ["family_name", "given_name", "birthdate", "picture"]
    sets = [["c0", "c1", "c2", "c3"], ["c0", "c1", "c2"]]
    present(wallet, ask(stand, credential(*([name] for name in names), claim_sets=sets)))
    assert shown(stand).keys() == set(names[:3])


def test_no_claims_in_dcql_query(wallet: Wallet, stand: VerifierStand) -> None:
    present(wallet, ask(stand, credential()))
    assert shown(stand) == {}
    assert parse_sd_jwt(token_of(stand)["pid"][0]).disclosures == ()


def test_optional_credential_set(wallet: Wallet, stand: VerifierStand) -> None:
    other = credential(id="other", meta={"vct_values": ["urn:nobody"]})
    sets = [{"options": [["pid"]]}, {"options": [["other"]], "required": False}]
    present(wallet, ask(stand, credential(["family_name"]), other, sets=sets))
    assert token_of(stand).keys() == {"pid"}


def test_age_over_18(wallet: Wallet, stand: VerifierStand) -> None:
    paths = [["age_over_18"], ["age_in_years"], ["age_birth_year"], ["birthdate"]]
    sets = [[f"c{place}"] for place in range(len(paths))]
    present(wallet, ask(stand, credential(*paths, claim_sets=sets)))
    assert shown(stand) == {"age_over_18": True}


def test_pid_claims_path_array_index(wallet: Wallet, stand: VerifierStand) -> None:
    present(wallet, ask(stand, credential(["nationalities", 0])))
    assert shown(stand) == {"nationalities": ["JP"]}


def test_pid_claims_path_array_all_elements(wallet: Wallet, stand: VerifierStand) -> None:
    present(wallet, ask(stand, credential(["nationalities", None])))
    assert shown(stand) == {"nationalities": ["JP", "DE"]}


def test_pid_claims_path_object_member(wallet: Wallet, stand: VerifierStand) -> None:
    paths = [["place_of_birth", name] for name in ("locality", "region", "country")]
    present(wallet, ask(stand, credential(*paths, claim_sets=[["c0"], ["c1"], ["c2"]])))
    assert shown(stand) == {"place_of_birth": {"locality": "Kyoto"}}


def test_request_uri_method_post(wallet: Wallet, stand: VerifierStand) -> None:
    link = ask(stand)
    with pytest.raises(RequestError, match="wallet_nonce"):
        wallet.presentation.read_request(f"{link}&request_uri_method=post")
    stand.request_to_post = repeat_nonce(stand)
    present(wallet, f"{link}&request_uri_method=post")
    fetch = next(one for one in reversed(stand.server.received) if "wallet_nonce" in one.form)
    assert fetch.headers["accept"] == "application/oauth-authz-req+jwt"
    assert fetch.headers["content-type"] == "application/x-www-form-urlencoded"
    assert fetch.form.keys() == {"wallet_nonce", "wallet_metadata"}
    metadata = json.loads(fetch.form["wallet_metadata"])
    assert "dc+sd-jwt" in metadata["vp_formats_supported"]
    assert shown(stand) == {"family_name": "Tanaka"}


def repeat_nonce(stand: VerifierStand) -> Any:
    def answer(token: bytes, form: dict[str, str]) -> bytes:
        unverified = parse_compact(token.decode())
        claims = {**unverified.unverified_payload, "wallet_nonce": form["wallet_nonce"]}
        header = {name: unverified.unverified_header[name] for name in ("typ", "x5c")}
        return sign_compact(header, claims, stand.identity.signing_key).encode()

    return answer


def test_ignores_unusable_encryption_key(wallet: Wallet, stand: VerifierStand) -> None:
    key = generate_encryption_key()
    usable = ResponseEncryption.for_key(key).to_metadata()
    keys = cast(dict[str, Any], usable["jwks"])["keys"]
    unusable = [
        {"kty": "AKP", "alg": "ML-KEM-9999", "kid": "pq", "use": "enc", "pub": "AAAA"},
        {"kty": "MADE-UP", "alg": "ECDH-ES", "kid": "x", "use": "enc"},
    ]
    metadata = {
        "vp_formats_supported": {"dc+sd-jwt": {}},
        **usable,
        "jwks": {"keys": [*unusable, *keys]},
    }
    present(wallet, forge(stand, client_metadata=metadata, response_mode="direct_post.jwt"))
    assert "vp_token" in decrypt_response(stand.answers[-1]["response"], key)


def test_negative_test_claim_not_in_credential(wallet: Wallet, stand: VerifierStand) -> None:
    link = ask(stand, credential(["family_name"], ["shoe_size"]))
    refuse(wallet, stand, link, "has no shoe_size")
    with pytest.raises(RequestError) as caught:
        wallet.presentation.read_request(link)
    # That the wallet has no such claim is told only where the holder says so.
    wallet.presentation.refuse(caught.value)
    assert stand.answers[-1]["error"] == "access_denied"


def test_negative_test_required_non_matching_credential(
    wallet: Wallet, stand: VerifierStand
) -> None:
    other = credential(id="other", meta={"vct_values": ["urn:nobody"]})
    sets = [{"options": [["pid"]]}, {"options": [["other"]], "required": True}]
    link = ask(stand, credential(["family_name"]), other, sets=sets)
    refuse(wallet, stand, link, "another type")


def test_negative_test_invalid_request_object_signature(
    wallet: Wallet, stand: VerifierStand
) -> None:
    link = forge(stand, key=ECKey.generate_key("P-256"))
    refuse(wallet, stand, link, "signature")


@pytest.mark.parametrize("typ", ["jwt", "JWT", "oauth-authz-req", ""])
def test_negative_test_invalid_request_object_typ(
    wallet: Wallet, stand: VerifierStand, typ: str
) -> None:
    refuse(wallet, stand, forge(stand, header={"typ": typ}), "typ")


def test_negative_test_missing_request_object_typ(wallet: Wallet, stand: VerifierStand) -> None:
    refuse(wallet, stand, forge(stand, header={"typ": ...}), "typ")


def test_negative_test_invalid_client_id_prefix(wallet: Wallet, stand: VerifierStand) -> None:
    client_id = "invalid_scheme:" + stand.identity.client_id
    refuse(wallet, stand, forge(stand, client_id=client_id), "only the prefixes")


def test_negative_test_mismatched_client_id(wallet: Wallet, stand: VerifierStand) -> None:
    ask(stand)
    path, token = list(stand._requests.items())[-1]
    claims = {
        **parse_compact(token.decode()).unverified_payload,
        "client_id": "x509_hash:" + encode_base64url(bytes(32)),
    }
    header = {"typ": REQUEST_TYP, **stand.identity.request_header()}
    stand._requests[path] = sign_compact(header, claims, stand.identity.signing_key).encode()
    refuse(wallet, stand, stand.link(f"{stand.server.url}{path}"), "another verifier")


def test_negative_test_missing_nonce(wallet: Wallet, stand: VerifierStand) -> None:
    refuse(wallet, stand, forge(stand, nonce=...), "nonce", told="invalid_request")


def test_negative_test_redirect_uri_with_direct_post(wallet: Wallet, stand: VerifierStand) -> None:
    link = forge(stand, redirect_uri=f"{stand.server.url}/cb")
    refuse(wallet, stand, link, "redirect_uri", told="invalid_request")


def test_negative_test_response_uri_not_client_id(wallet: Wallet, stand: VerifierStand) -> None:
    query = json.dumps({"credentials": [credential(["family_name"])]})
    parameters = {
        "client_id": f"redirect_uri:{stand.server.url}/responses",
        "response_uri": f"{stand.server.url}/other",
        "response_type": "vp_token",
        "response_mode": "direct_post",
        "nonce": "n" * 32,
        "dcql_query": query,
        "client_metadata": json.dumps({"vp_formats_supported": {"dc+sd-jwt": {}}}),
    }
    refuse(wallet, stand, f"openid4vp://?{urlencode(parameters)}", "not the address")
    parameters["response_uri"] = f"{stand.server.url}/responses"
    present(wallet, f"openid4vp://?{urlencode(parameters)}")
    assert shown(stand) == {"family_name": "Tanaka"}


def test_negative_test_unknown_transaction_data_type(wallet: Wallet, stand: VerifierStand) -> None:
    entry = encode_base64url(json.dumps({"type": "unknown", "credential_ids": ["pid"]}).encode())
    link = forge(stand, transaction_data=[entry])
    refuse(wallet, stand, link, "type", told="invalid_transaction_data")


def test_section_8_5_formats_that_the_wallet_does_not_support(
    wallet: Wallet, stand: VerifierStand
) -> None:
    metadata = {"vp_formats_supported": {"mso_mdoc": {}}}
    link = forge(stand, client_metadata=metadata)
    refuse(wallet, stand, link, "vp_formats", told="vp_formats_not_supported")


@pytest.mark.parametrize(
    ("algorithms", "is_shown"),
    [(["EdDSA"], True), (["ES256", "Ed25519"], True), (["ES256"], False)],
)
def test_appendix_b_3_4_signatures_that_the_verifier_takes(
    wallet: Wallet, stand: VerifierStand, algorithms: list[str], is_shown: bool
) -> None:
    formats = {"dc+sd-jwt": {"kb-jwt_alg_values": algorithms}}
    link = forge(stand, client_metadata={"vp_formats_supported": formats})
    if is_shown:
        present(wallet, link)
        assert shown(stand) == {"family_name": "Tanaka"}
    else:
        refuse(wallet, stand, link, "cannot verify")


def test_section_8_5_another_method_of_fetching(wallet: Wallet, stand: VerifierStand) -> None:
    link = ask(stand)
    for method in ("put", "POST", ""):
        with pytest.raises(RequestError, match="get or post") as caught:
            wallet.presentation.read_request(f"{link}&request_uri_method={method}")
        assert caught.value.code == "invalid_request_uri_method"


def test_section_5_10_redirects_are_not_followed(wallet: Wallet, stand: VerifierStand) -> None:
    link = ask(stand)
    stand.reply = type(stand.reply)(status=307, headers={"Location": stand.server.url})
    pending = wallet.presentation.read_request(link)
    count = len(stand.server.received)
    with pytest.raises(TransportError, match="redirects"):
        wallet.presentation.answer(pending)
    assert len(stand.server.received) == count + 1
