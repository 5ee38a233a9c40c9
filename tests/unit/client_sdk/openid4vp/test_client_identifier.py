"""Client identifier prefixes: who sends a request, and what is refused (OpenID4VP 1.0, 5.9)."""

import dataclasses
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from support.presentation_world import World, make_identity

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import generate_key, sign_compact
from client_sdk.did.document import DidDocument
from client_sdk.did.resolution import DidJwk, DidKey, DidResolver, did_jwk, did_key
from client_sdk.errors import RequestError
from client_sdk.openid4vp.client_identifier import parse_client_id
from client_sdk.openid4vp.grant_offer import GrantOffer, encode_grant_offer, parse_grant_offer
from client_sdk.openid4vp.request_link import RequestByValue, parse_link
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.openid4vp.signed_request import (
    REQUEST_TYP,
    VerifiedRequest,
    sign_request,
    verify_parameters,
    verify_request,
)
from client_sdk.openid4vp.unsecured_jwt import encode_unsecured
from client_sdk.openid4vp.verifier_identity import (
    DidIdentity,
    DnsIdentity,
    RedirectUriIdentity,
    VerifierIdentity,
)

WORLD = World()
NOW_S = WORLD.now_ms // 1000
RESPONSE_URI = "https://minato.example/oid4vp/responses/1"
DID_WEB = "did:web:minato.example"
KEY = generate_key("ES256")


class OneDocument:
    """A DID method that knows one document."""

    def __init__(self, document: DidDocument) -> None:
        self._document = document

    def resolve(self, did: str, identifier: str) -> DidDocument:
        del identifier
        assert did == self._document.did
        return self._document


RESOLVER = DidResolver(
    {
        "key": DidKey(),
        "jwk": DidJwk(),
        "web": OneDocument(DidDocument(did=DID_WEB, keys={f"{DID_WEB}#k1": KEY}, relationships={})),
    }
)
KINDS: dict[str, VerifierIdentity] = {
    "x509_hash": WORLD.identity,
    "x509_san_dns": DnsIdentity(access=WORLD.identity, host="minato.example"),
    "did:jwk": DidIdentity.by_did_jwk(KEY),
    "did:jwk, Ed25519": DidIdentity.by_did_jwk(generate_key()),
    "did:key": DidIdentity.by_key_of_did(f"{did_key(KEY)}#{did_key(KEY)[8:]}", KEY),
    "did:web": DidIdentity.by_key_of_did(f"{DID_WEB}#k1", KEY),
    "redirect_uri": RedirectUriIdentity(response_uri=RESPONSE_URI),
}


def ask(identity: VerifierIdentity, **changes: Any) -> PresentationRequest:
    plain = WORLD.request("address", response_uri=RESPONSE_URI)
    offer: GrantOffer = dataclasses.replace(
        parse_grant_offer(plain.transaction_data[0]),
        verifier=identity.client_id,
        verifier_name=identity.name,
    )
    return dataclasses.replace(
        plain,
        client_id=identity.client_id,
        transaction_data=(encode_grant_offer(offer),),
        **changes,
    )


def verify(token: str, client_id: str, **changes: Any) -> VerifiedRequest:
    return verify_request(
        token,
        expected_client_id=client_id,
        **{
            "trust_anchors": WORLD.authority.chain,
            "now_s": NOW_S,
            "resolver": RESOLVER,
            **changes,
        },
    )


def forge(identity: VerifierIdentity, key: Any, header: JsonObject, **claims: Any) -> str:
    """Sign whatever a test wants; `...` leaves a claim out."""
    payload = {**ask(identity).to_claims(), **claims}
    payload = {name: value for name, value in payload.items() if value != ...}
    return sign_compact({"typ": REQUEST_TYP, **header}, payload, key)


@pytest.mark.parametrize("kind", KINDS)
def test_section_5_9_3_each_prefix_is_signed_and_verified(kind: str) -> None:
    identity = KINDS[kind]
    request = ask(identity)
    verified = verify(sign_request(request, identity=identity), identity.client_id)
    assert verified.request == request
    assert verified.verifier_name == identity.name
    # Only a certificate makes a name more than the sender's own word.
    assert verified.is_anchored is kind.startswith("x509")


def test_names_that_no_certificate_gives() -> None:
    assert KINDS["redirect_uri"].name == "minato.example"
    assert KINDS["did:web"].name == DID_WEB
    assert KINDS["did:jwk"].name == did_jwk(KEY)[:77] + "..."


@pytest.mark.parametrize(
    ("client_id", "words"),
    [
        ("origin:https://minato.example", "reserved"),
        ("did:web:minato.example", "decentralized_identifier:did"),
        ("verifier2", "no prefix"),
        ("https://minato.example/cb", "only the prefixes"),
        ("openid_federation:https://minato.example", "only the prefixes"),
        ("verifier_attestation:minato.example", "only the prefixes"),
        ("X509_HASH:" + "A" * 43, "only the prefixes"),
        ("x509_hash:" + "A" * 42, "of the kind"),
        ("x509_san_dns:", "of the kind"),
        ("x509_san_dns:minato example", "of the kind"),
        ("x509_san_dns:-a.example", "of the kind"),
        ("x509_san_dns:https://minato.example", "of the kind"),
        ("decentralized_identifier:minato.example", "of the kind"),
        ("redirect_uri:", "of the kind"),
        ("redirect_uri:http://minato.example/cb", "https is required"),
        ("redirect_uri:minato", "client_id"),
        ("", "no prefix"),
    ],
)
def test_section_5_9_1_other_client_identifiers(client_id: str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        parse_client_id(client_id)
    with pytest.raises(RequestError, match=words):
        verify("a.b.c", client_id)


class TestX509SanDns:
    IDENTITY = DnsIdentity(access=WORLD.identity, host="minato.example")

    def test_a_name_that_the_certificate_has_not(self) -> None:
        other = DnsIdentity(access=WORLD.identity, host="bank.example")
        request = dataclasses.replace(ask(other), response_uri="https://bank.example/1")
        token = sign_request(request, identity=other)
        with pytest.raises(RequestError, match="not a DNS name"):
            verify(token, other.client_id)

    def test_section_5_9_3_the_response_goes_to_that_host(self) -> None:
        for elsewhere in ("https://bank.example/1", "https://minato.example.evil.example/1"):
            request = ask(self.IDENTITY)
            with pytest.raises(RequestError, match="another host"):
                sign_request(
                    dataclasses.replace(request, response_uri=elsewhere), identity=self.IDENTITY
                )
            token = forge(
                self.IDENTITY,
                WORLD.identity.signing_key,
                WORLD.identity.request_header(),
                response_uri=elsewhere,
            )
            with pytest.raises(RequestError, match="another host"):
                verify(token, self.IDENTITY.client_id)

    def test_an_authority_that_nobody_trusts_is_told(self) -> None:
        token = sign_request(ask(self.IDENTITY), identity=self.IDENTITY)
        assert not verify(token, self.IDENTITY.client_id, trust_anchors=()).is_anchored

    def test_another_certificate(self) -> None:
        _, other = make_identity("Minato Bank")
        token = forge(self.IDENTITY, other.signing_key, WORLD.identity.request_header())
        with pytest.raises(RequestError, match="signature"):
            verify(token, self.IDENTITY.client_id)


class TestDecentralizedIdentifier:
    IDENTITY = KINDS["did:web"]

    @pytest.mark.parametrize(
        ("header", "words"),
        [
            ({}, "kid"),
            ({"kid": "#k1"}, "kid"),
            ({"kid": DID_WEB}, "kid"),
            ({"kid": f"{DID_WEB}#k2"}, "no such verification method"),
            ({"kid": "did:web:bank.example#k1"}, "kid"),
            ({"kid": f"{DID_WEB}.evil#k1"}, "kid"),
        ],
    )
    def test_section_5_9_3_kid_names_a_key_of_the_did(self, header: JsonObject, words: str) -> None:
        with pytest.raises(RequestError, match=words):
            verify(forge(self.IDENTITY, KEY, header), self.IDENTITY.client_id)

    def test_another_key(self) -> None:
        token = forge(self.IDENTITY, generate_key("ES256"), {"kid": f"{DID_WEB}#k1"})
        with pytest.raises(RequestError, match="signature"):
            verify(token, self.IDENTITY.client_id)

    def test_a_method_that_is_not_resolved(self) -> None:
        identity = DidIdentity.by_key_of_did("did:example:123#1", KEY)
        with pytest.raises(RequestError, match="did:example is not resolved"):
            verify(sign_request(ask(identity), identity=identity), identity.client_id)
        with pytest.raises(RequestError, match="not resolved here"):
            verify(
                sign_request(ask(identity), identity=identity), identity.client_id, resolver=None
            )

    def test_it_is_signed(self) -> None:
        token = encode_unsecured(
            {"typ": REQUEST_TYP, "kid": f"{DID_WEB}#k1"}, ask(self.IDENTITY).to_claims()
        )
        with pytest.raises(RequestError):
            verify(token, self.IDENTITY.client_id)


class TestRedirectUri:
    IDENTITY = KINDS["redirect_uri"]

    def test_section_5_9_3_it_cannot_be_signed(self) -> None:
        token = forge(self.IDENTITY, KEY, {})
        with pytest.raises(RequestError, match="no signature"):
            verify(token, self.IDENTITY.client_id)

    def test_alg_none_with_another_name(self) -> None:
        payload = self.request().to_claims()
        for header in ({"typ": REQUEST_TYP, "alg": "ES256"}, {"typ": "JWT"}, {}):
            with pytest.raises(RequestError):
                verify(encode_unsecured(header, payload), self.IDENTITY.client_id)

    def test_the_response_goes_to_the_client_identifier(self) -> None:
        payload = {**self.request().to_claims(), "response_uri": RESPONSE_URI + "2"}
        token = encode_unsecured({"typ": REQUEST_TYP}, payload)
        with pytest.raises(RequestError, match="response_uri"):
            verify(token, self.IDENTITY.client_id)

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "redirect_uri"])
    def test_no_other_kind_may_be_unsigned(self, kind: str) -> None:
        identity = KINDS[kind]
        header = {"typ": REQUEST_TYP, **identity.request_header()}
        token = encode_unsecured(header, ask(identity).to_claims())
        with pytest.raises(RequestError):
            verify(token, identity.client_id)
        with pytest.raises(RequestError, match="are signed"):
            verify_parameters(ask(identity).to_claims())

    def test_section_5_by_value_in_the_link(self) -> None:
        request = dataclasses.replace(self.request(), issued_at=None, expires_at=None)
        verified = verify_parameters(self.read(self.link(request)))
        assert verified.request == request
        assert not verified.is_anchored
        assert verified.verifier_name == "minato.example"

    @pytest.mark.parametrize(
        "changes",
        [
            {"dcql_query": "{"},
            {"dcql_query": '{"credentials":[]}'},
            {"client_metadata": "[]"},
            {"nonce": ...},
            {"response_type": ...},
            {"client_id": "redirect_uri:https://other.example/"},
            {"redirect_uri": RESPONSE_URI},
            {"request_uri_method": "post"},
        ],
    )
    def test_by_value_everything_is_checked_as_well(self, changes: JsonObject) -> None:
        with pytest.raises(RequestError):
            verify_parameters(self.read(self.link(self.request(), **changes)))

    def request(self) -> PresentationRequest:
        return ask(self.IDENTITY)

    def link(self, request: PresentationRequest, **changes: Any) -> str:
        claims: dict[str, Any] = {**request.to_claims(), **changes}
        del claims["aud"]
        return "openid4vp://?" + urlencode(
            {
                name: value if isinstance(value, str) else json.dumps(value)
                for name, value in claims.items()
                if value != ... and name not in ("iat", "exp")
            }
        )

    def read(self, link: str) -> JsonObject:
        found = parse_link(link)
        assert isinstance(found, RequestByValue)
        assert found.request_object is None
        return found.parameters


def test_a_request_object_by_value() -> None:
    token = sign_request(ask(WORLD.identity), identity=WORLD.identity)
    query = urlencode({"client_id": WORLD.identity.client_id, "request": token, "nonce": "other"})
    found = parse_link(f"openid4vp://?{query}")
    assert found == RequestByValue(
        client_id=WORLD.identity.client_id, request_object=token, parameters={}
    )
    with pytest.raises(RequestError, match="either"):
        parse_link(f"openid4vp://?{query}&request_uri=https%3A%2F%2Fa.example")


def test_section_5_10_1_the_wallets_nonce_is_repeated() -> None:
    token = sign_request(ask(WORLD.identity), identity=WORLD.identity, wallet_nonce="abc")
    verify(token, WORLD.identity.client_id, expected_wallet_nonce="abc")
    plain = sign_request(ask(WORLD.identity), identity=WORLD.identity)
    for answer in (token, plain):
        with pytest.raises(RequestError, match="wallet_nonce"):
            verify(answer, WORLD.identity.client_id, expected_wallet_nonce="other")


def test_section_5_8_aud_of_a_signed_request() -> None:
    header = WORLD.identity.request_header()
    key = WORLD.identity.signing_key
    for aud in (..., "https://other.example"):
        with pytest.raises(RequestError, match="aud"):
            verify(forge(WORLD.identity, key, header, aud=aud), WORLD.identity.client_id)


def test_section_5_iss_is_ignored_and_times_may_be_missing() -> None:
    header = WORLD.identity.request_header()
    key = WORLD.identity.signing_key
    token = forge(WORLD.identity, key, header, iss="https://x.example", iat=..., exp=...)
    assert verify(token, WORLD.identity.client_id).request.expires_at is None


def test_two_certificates_do_not_make_one_verifier() -> None:
    _, other = make_identity("Minato Bank")
    token = forge(WORLD.identity, other.signing_key, other.request_header())
    with pytest.raises(RequestError, match="not the hash"):
        verify(token, WORLD.identity.client_id)
