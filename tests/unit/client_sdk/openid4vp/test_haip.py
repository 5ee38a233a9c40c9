"""What HAIP 1.0 demands of a presentation request beyond OpenID4VP 1.0 (sections 5 and 5.1)."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest
from support.presentation_world import NOW_MS, World
from support.verifier_stand import VerifierStand

from client_sdk.credentials.jwe import generate_encryption_key
from client_sdk.errors import RequestError
from client_sdk.http.client import HttpClient
from client_sdk.openid4vp.access_certificate import AccessIdentity, create_access_authority
from client_sdk.openid4vp.client import fetch_request
from client_sdk.openid4vp.client_identifier import ClientIdentifier, RequestAuthor
from client_sdk.openid4vp.dcql import parse_query
from client_sdk.openid4vp.haip import check_author, check_request
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.openid4vp.response_encryption import ResponseEncryption
from client_sdk.openid4vp.signed_request import VerifiedRequest, sign_request, verify_request
from client_sdk.openid4vp.verifier_identity import DidIdentity, DnsIdentity

WORLD = World()
NOW_S = WORLD.now_ms // 1000
ENCRYPTION = ResponseEncryption.for_key(generate_encryption_key())


def verify(
    request: PresentationRequest, identity: AccessIdentity = WORLD.identity, **changes: Any
) -> VerifiedRequest:
    return verify_request(
        sign_request(request, identity=identity),
        expected_client_id=identity.client_id,
        **{
            "trust_anchors": WORLD.authority.chain,
            "now_s": NOW_S,
            "haip": True,
            **changes,
        },
    )


def test_a_request_of_the_profile() -> None:
    assert verify(WORLD.request(encryption=ENCRYPTION)).is_anchored


def test_the_response_is_encrypted() -> None:
    with pytest.raises(RequestError, match=r"direct_post\.jwt"):
        verify(WORLD.request())


@pytest.mark.parametrize("algorithms", [("A128GCM",), ("A256GCM",)])
def test_both_content_encryptions_are_offered(algorithms: tuple[str, ...]) -> None:
    encryption = dataclasses.replace(ENCRYPTION, content_algorithms=algorithms)
    with pytest.raises(RequestError, match="A256GCM and A128GCM"):
        verify(WORLD.request(encryption=encryption))


def test_an_authority_that_the_wallet_trusts() -> None:
    request = WORLD.request(encryption=ENCRYPTION)
    for anchors in ((), create_authority().chain):
        with pytest.raises(RequestError, match="no authority"):
            verify(request, trust_anchors=anchors)


def test_the_anchor_is_not_in_x5c() -> None:
    identity = dataclasses.replace(
        WORLD.identity, chain=(*WORLD.identity.chain, *WORLD.authority.chain)
    )
    with pytest.raises(RequestError, match="trust anchor"):
        verify(WORLD.request(encryption=ENCRYPTION), identity)


def test_the_certificate_is_not_self_signed() -> None:
    author = RequestAuthor(
        client_id=ClientIdentifier(prefix="x509_hash", value="A" * 43),
        name="x",
        key=None,
        is_anchored=True,
        chain=create_authority().chain,
    )
    with pytest.raises(RequestError, match="self-signed"):
        check_author(author, WORLD.authority.chain)


@pytest.mark.parametrize(
    "identity",
    [
        DnsIdentity(access=WORLD.identity, host="minato.example"),
        DidIdentity.by_did_jwk(WORLD.identity.signing_key),
    ],
)
def test_no_other_client_identifier(identity: Any) -> None:
    prefix, _, value = identity.client_id.partition(":")
    author = RequestAuthor(
        client_id=ClientIdentifier(prefix=prefix, value=value),
        name="x",
        key=None,
        is_anchored=True,
        chain=WORLD.identity.chain,
    )
    with pytest.raises(RequestError, match="x509_hash"):
        check_author(author, WORLD.authority.chain)


def test_no_other_format() -> None:
    query = parse_query(
        {"credentials": [{"id": "a", "format": "ldp_vc", "meta": {"type_values": [["urn:a"]]}}]}
    )
    request = WORLD.request(encryption=ENCRYPTION, query=query, transaction_data=())
    with pytest.raises(RequestError, match="ldp_vc"):
        check_request(request)


def test_the_link_names_a_request_uri() -> None:
    http = HttpClient()
    with VerifierStand(ledger="ab" * 32, now_ms=NOW_MS) as stand:
        link = stand.ask("address", with_grant=False, encryption=ENCRYPTION)
        fetch_request(link, trust_anchors=(), now_s=NOW_S, http=http)
        with pytest.raises(RequestError, match="no authority"):
            fetch_request(link, trust_anchors=(), now_s=NOW_S, http=http, haip=True)
    by_value = (
        "openid4vp://?client_id=redirect_uri%3Ahttps%3A%2F%2Fa.example&response_type=vp_token"
    )
    with pytest.raises(RequestError, match="request_uri"):
        fetch_request(by_value, trust_anchors=(), now_s=NOW_S, http=http, haip=True)
    http.close()


def create_authority() -> AccessIdentity:
    return create_access_authority(
        name="Another authority", now=datetime.fromtimestamp(NOW_S, tz=UTC)
    )
