"""OpenID4VP 1.0: the signed request, the link, and the response."""

import base64
import contextlib
import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from support.presentation_world import NOW_MS, World, make_identity

from chaincode.encoding import decode_base64url, encode_base64url
from client_sdk.credentials.jose import generate_key, parse_compact, sign_compact
from client_sdk.errors import (
    ClientError,
    ExpiredError,
    RequestError,
)
from client_sdk.openid4vp.access_certificate import AccessIdentity, certify_verifier
from client_sdk.openid4vp.dcql import build_query
from client_sdk.openid4vp.grant_offer import encode_grant_offer, parse_grant_offer
from client_sdk.openid4vp.request_link import RequestLink, build_link, parse_link
from client_sdk.openid4vp.signed_request import (
    VerifiedRequest,
    sign_request,
    verify_request,
)

NOW_S = NOW_MS // 1000
WORLD = World()
REQUEST = WORLD.request("address")
TOKEN = sign_request(REQUEST, identity=WORLD.identity)


def verify(token: str = TOKEN, **changes: Any) -> VerifiedRequest:
    arguments: dict[str, Any] = {
        "expected_client_id": WORLD.identity.client_id,
        "trust_anchors": WORLD.authority.chain,
        "now_s": NOW_S,
        **changes,
    }
    return verify_request(token, **arguments)


def resigned(
    change: Callable[[dict[str, Any], dict[str, Any]], object],
    identity: AccessIdentity = WORLD.identity,
) -> str:
    """Sign the genuine request anew, with changed header or claims."""
    parts = parse_compact(TOKEN)
    header, payload = dict(parts.unverified_header), dict(parts.unverified_payload)
    change(header, payload)
    return sign_compact(header, payload, identity.signing_key)


def with_claims(**changes: Any) -> str:
    def change(_header: dict[str, Any], payload: dict[str, Any]) -> None:
        payload.update(changes)
        for name in [name for name, value in changes.items() if value is ...]:
            del payload[name]

    # `...` is not JSON: it stands for an absent claim.
    return resigned(change)


def test_a_request_tells_the_wallet_who_asks_for_what() -> None:
    verified = verify()
    assert verified.request == REQUEST
    assert verified.verifier_name == "Minato City Hall"
    assert verified.is_anchored
    assert verified.offer == parse_grant_offer(REQUEST.transaction_data[0])


def test_the_request_object_is_as_the_specification_says() -> None:
    parts = parse_compact(TOKEN)
    leaf = WORLD.identity.chain[0].public_bytes(Encoding.DER)
    assert parts.unverified_header == {
        "alg": "ES256",
        "typ": "oauth-authz-req+jwt",
        "x5c": [base64.b64encode(leaf).decode()],
    }
    payload = parts.unverified_payload
    assert payload["aud"] == "https://self-issued.me/v2"
    assert payload["response_type"] == "vp_token"
    assert payload["response_mode"] == "direct_post"
    assert str(payload["client_id"]).startswith("x509_hash:")
    assert "redirect_uri" not in payload
    assert "iss" not in payload
    formats = payload["client_metadata"]["vp_formats_supported"]["dc+sd-jwt"]  # type: ignore[index,call-overload]
    assert set(formats) == {"sd-jwt_alg_values", "kb-jwt_alg_values"}


def test_a_verifier_that_nobody_vouches_for_is_marked() -> None:
    other, _ = make_identity()
    assert not verify(trust_anchors=()).is_anchored
    assert not verify(trust_anchors=other.chain).is_anchored


def test_a_request_may_come_without_state_and_without_a_grant() -> None:
    plain = dataclasses.replace(REQUEST, state=None, transaction_data=())
    verified = verify(sign_request(plain, identity=WORLD.identity))
    assert verified.request == plain
    assert verified.offers == ()


def test_a_wallet_finds_its_nonce() -> None:
    token = sign_request(REQUEST, identity=WORLD.identity, wallet_nonce="abc")
    assert parse_compact(token).unverified_payload["wallet_nonce"] == "abc"
    assert verify(token).request == REQUEST
    with pytest.raises(RequestError, match="wallet_nonce"):
        sign_request(REQUEST, identity=WORLD.identity, wallet_nonce="not safe")


def test_unknown_parameters_and_iss_are_ignored() -> None:
    assert verify(with_claims(iss="https://elsewhere.example", future={"a": 1})).request == REQUEST


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"response_type": "code"}, "response_type"),
        ({"response_type": ...}, "response_type"),
        ({"response_mode": "fragment"}, "response_mode"),
        ({"response_mode": "direct_post.jwt"}, "client_metadata.jwks"),
        ({"response_mode": ["direct_post"]}, "response_mode"),
        ({"aud": "https://wallet.example"}, "aud"),
        ({"aud": ...}, "aud"),
        ({"redirect_uri": "https://verifier.example"}, "redirect_uri"),
        ({"request_uri": "https://verifier.example"}, "request_uri"),
        ({"scope": "resident"}, "scope"),
        ({"client_id": "x509_hash:other"}, "than its link"),
        ({"client_id": ...}, "client_id"),
        ({"client_metadata": ...}, "vp_formats_supported"),
        ({"client_metadata": {"vp_formats_supported": {"mso_mdoc": {}}}}, "dc\\+sd-jwt"),
        ({"nonce": ...}, "nonce"),
        ({"nonce": "short"}, "nonce"),
        ({"nonce": "a" * 513}, "nonce"),
        ({"nonce": "with space in its middle"}, "nonce"),
        ({"nonce": 12345678901234567890123}, "nonce"),
        ({"state": "ü"}, "state"),
        ({"state": 1}, "state"),
        ({"response_uri": ...}, "response_uri"),
        ({"response_uri": "http://verifier.example/"}, "https is required"),
        ({"response_uri": "ftp://verifier.example/"}, "https is required"),
        ({"response_uri": "https://user@verifier.example/"}, "user name"),
        ({"response_uri": "https://verifier.example/#part"}, "fragment"),
        ({"response_uri": "https://good.example\\@bad.example/"}, "whole URL"),
        ({"response_uri": "https://good.example\n.bad.example/"}, "whole URL"),
        ({"response_uri": "https://[::1/"}, "whole URL"),
        ({"response_uri": "/responses"}, "whole URL"),
        ({"response_uri": "https://a.example/" + "a" * 2048}, "response_uri"),
        ({"dcql_query": ...}, "dcql_query"),
        ({"dcql_query": {"credentials": []}}, "dcql_query"),
        ({"transaction_data": []}, "transaction_data"),
        ({"transaction_data": [1]}, "transaction_data"),
        ({"transaction_data": "text"}, "transaction_data"),
        ({"transaction_data": [encode_base64url(b'{"type":"payment"}')]}, "type"),
        ({"transaction_data": list(REQUEST.transaction_data) * 2}, "two grants"),
        ({"exp": "soon"}, "exp"),
        ({"iat": -1}, "iat"),
        ({"iat": 1.5}, "iat"),
        ({"exp": "soon"}, "request object: exp"),
    ],
)
def test_a_request_that_breaks_a_rule_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        verify(with_claims(**changes))


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:80", "127.1.2.3"])
def test_plain_http_is_for_this_machine_only(host: str) -> None:
    uri = f"http://{host}/responses/1"
    assert verify(with_claims(response_uri=uri)).request.response_uri == uri


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"verifier": "x509_hash:other"}, "another verifier"),
        ({"verifier_name": "Tax Office"}, "not the name of the one that asks"),
        ({"attributes": (("address",), ("name",))}, "others than"),
        ({"attributes": (("name",),)}, "others than"),
        ({"query_id": "passport"}, "no such credential"),
        ({"expires_at_ms": NOW_MS - 1000}, "end before it begins"),
    ],
)
def test_an_offer_that_says_other_than_the_request_is_refused(
    changes: dict[str, Any], words: str
) -> None:
    offer = parse_grant_offer(REQUEST.transaction_data[0])
    text = encode_grant_offer(dataclasses.replace(offer, **changes))
    with pytest.raises(RequestError, match=words):
        verify(with_claims(transaction_data=[text]))
    with pytest.raises(RequestError, match=words):
        sign_request(
            dataclasses.replace(REQUEST, transaction_data=(text,)), identity=WORLD.identity
        )


def test_a_request_counts_only_in_its_time() -> None:
    verify(now_s=NOW_S + 300)
    for now_s in (NOW_S - 120, NOW_S + 420):
        with pytest.raises(ExpiredError):
            verify(now_s=now_s)


def test_another_typ_is_refused() -> None:
    with pytest.raises(RequestError, match="typ"):
        verify(resigned(lambda header, _: header.update(typ="JWT")))


def test_a_signature_of_another_key_is_refused() -> None:
    parts = parse_compact(TOKEN)
    for key in (generate_key("ES256"), generate_key("EdDSA")):
        header = {n: v for n, v in parts.unverified_header.items() if n != "alg"}
        token = sign_compact(header, parts.unverified_payload, key)
        with pytest.raises(RequestError, match="request object"):
            verify(token)


def test_a_changed_claim_is_refused() -> None:
    header, payload, signature = TOKEN.split(".")
    changed = decode_base64url(payload).replace(b"Minato", b"Minami").replace(b"vp_", b"vq_", 1)
    with pytest.raises(RequestError, match="does not verify"):
        verify(".".join((header, encode_base64url(changed), signature)))


@pytest.mark.parametrize(
    "chain", [..., [], "text", [1], ["not base64"], ["AAAA"], ["é"], [""], ["AAAA"] * 5]
)
def test_certificates_that_cannot_be_read_are_refused(chain: Any) -> None:
    header = {"alg": "ES256", "typ": "oauth-authz-req+jwt"}
    if chain is not ...:
        header["x5c"] = chain
    _, _, signed = TOKEN.partition(".")
    with pytest.raises(RequestError):
        verify(f"{encode_base64url(json.dumps(header).encode())}.{signed}")


def test_another_certificate_is_refused() -> None:
    _, other = make_identity()
    der = base64.b64encode(other.chain[0].public_bytes(Encoding.DER)).decode()
    with pytest.raises(RequestError, match="hash"):
        verify(resigned(lambda header, _: header.update(x5c=[der])))
    with pytest.raises(RequestError, match="hash"):
        verify(expected_client_id=other.client_id)


def test_a_certificate_out_of_its_time_is_refused() -> None:
    now = datetime.fromtimestamp(NOW_S, tz=UTC) - timedelta(days=30)
    old = certify_verifier(
        WORLD.authority,
        name="Minato City Hall",
        url="https://minato.example",
        host="minato.example",
        now=now,
        days=1,
    )
    request = dataclasses.replace(REQUEST, client_id=old.client_id, transaction_data=())
    token = sign_request(request, identity=old)
    with pytest.raises(RequestError, match="not valid at this time"):
        verify(token, expected_client_id=old.client_id)


def test_a_request_of_another_verifier_is_not_signed() -> None:
    _, other = make_identity()
    with pytest.raises(RequestError, match="not of the identity"):
        sign_request(REQUEST, identity=other)


def test_a_query_that_wallets_read_otherwise_is_not_signed() -> None:
    (credential,) = REQUEST.query.credentials
    twice = dataclasses.replace(credential, claims=credential.claims * 2)
    query = dataclasses.replace(REQUEST.query, credentials=(twice,))
    with pytest.raises(RequestError, match="dcql_query"):
        sign_request(dataclasses.replace(REQUEST, query=query), identity=WORLD.identity)


def test_a_request_without_enough_randomness_is_not_signed() -> None:
    with pytest.raises(RequestError, match="nonce"):
        sign_request(dataclasses.replace(REQUEST, nonce="a" * 21), identity=WORLD.identity)


@given(st.text() | st.integers(0, len(TOKEN) - 1).map(lambda at: TOKEN[:at] + TOKEN[at + 1 :]))
def test_any_token_is_a_request_or_an_own_error(token: str) -> None:
    with pytest.raises(ClientError):
        verify(token)


# The link


LINK = RequestLink(client_id=WORLD.identity.client_id, request_uri="https://g.example/r/1?a=b&c")


def test_a_link_survives_its_encoding() -> None:
    text = build_link(LINK)
    assert text.startswith("openid4vp://?client_id=x509_hash%3A")
    assert parse_link(text) == LINK
    posted = dataclasses.replace(LINK, method="post")
    assert parse_link(build_link(posted)) == parse_link(text + "&request_uri_method=post") == posted
    assert parse_link(text.replace("openid4vp://", "haip-vp://")) == LINK


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://wallet.example?client_id=a&request_uri=https%3A%2F%2Fg.example",
        "openid4vp://",
        "openid4vp://?client_id=a",
        "openid4vp://?request_uri=https%3A%2F%2Fg.example",
        "openid4vp://?client_id=a&client_id=b&request_uri=https%3A%2F%2Fg.example",
        "openid4vp://?client_id=&request_uri=https%3A%2F%2Fg.example",
        "openid4vp://?client_id=a&request_uri=http%3A%2F%2Fg.example",
        "openid4vp://?client_id=a&request_uri=%FF",
        "openid4vp://?" + "&".join(f"a{n}=1" for n in range(40)),
        "openid4vp://[?client_id=a",
        "openid4vp://?client_id=a&request_uri=https%3A%2F%2Fg.example" + "a" * 4096,
    ],
)
def test_links_that_are_refused(text: str) -> None:
    with pytest.raises(RequestError):
        parse_link(text)


@given(st.text(), st.text())
def test_any_text_is_a_link_or_a_request_error(one: str, other: str) -> None:
    encoded = quote(other, errors="replace")
    for text in (one, f"openid4vp://?{one}", f"openid4vp://?client_id={encoded}&request_uri={one}"):
        with contextlib.suppress(RequestError):
            parse_link(text)


def test_a_query_for_two_credentials_can_be_asked() -> None:
    one = build_query(query_id="a", vct="urn:a", attributes=("x",)).credentials
    two = build_query(query_id="b", vct="urn:b", attributes=("y",)).credentials
    query = dataclasses.replace(REQUEST.query, credentials=(*one, *two))
    request = dataclasses.replace(REQUEST, query=query, transaction_data=())
    assert verify(sign_request(request, identity=WORLD.identity)).request.query == query
