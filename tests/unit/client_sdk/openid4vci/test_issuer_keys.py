"""Issuers known by certificate, by their metadata and by DID: the right key, or a refusal."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey
from support.odd_issuer import served
from werkzeug import Request, Response

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    generate_key,
    parse_private_jwk,
    thumbprint,
)
from client_sdk.credentials.sd_jwt_vc import issue_credential
from client_sdk.did.resolution import DidJwk, DidKey, DidResolver, DidWeb, did_jwk, did_key
from client_sdk.errors import IssuerNotTrustedError, SignatureError
from client_sdk.formats import CredentialTerms, find_format
from client_sdk.http.client import HttpClient
from client_sdk.openid4vci.issuer_keys import IssuerKeys
from client_sdk.openid4vp.access_certificate import certify_verifier, create_access_authority

NOW_S = 1_800_000_000
TYPE = "urn:tegata:credential:resident:1"


class Site:
    """A web server whose documents a test sets, by path."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        found = self.documents.get(Request(environ).path)
        status = 404 if found is None else 200
        body = json.dumps(found)
        return Response(body, status=status, mimetype="application/json")(environ, start)


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def url(site: Site) -> Iterator[str]:
    with served(site) as address:
        yield address


@pytest.fixture
def http() -> Iterator[HttpClient]:
    client = HttpClient(timeout_s=5)
    yield client
    client.close()


def find_and_verify(
    keys: IssuerKeys, issuer: str, issuer_key: Key, *, header: JsonObject | None = None
) -> None:
    """Issue a credential, and verify it with the key that is found."""
    name = "jwt_vc_json" if issuer.startswith("did:") else "dc+sd-jwt"
    terms = CredentialTerms(
        credential_type=TYPE,
        attributes={"name": "花子"},
        concealed=[],
        more={},
        issuer_url=issuer,
        issuer_did=issuer,
        key_id=fragment(issuer, issuer_key),
        holder_key=export_public_jwk(generate_key()),
        issued_at=NOW_S,
        expires_at=NOW_S + 100,
    )
    if header is None:
        credential = find_format(name).issue(terms, issuer_key)
    else:
        credential = issue_credential(
            claims={},
            concealed=[],
            vct=TYPE,
            issuer=issuer,
            issuer_key=issuer_key,
            issued_at=NOW_S,
            header=header,
        )
    find_format(name).verify(
        credential,
        find_issuer_key=lambda read: keys.find(read, now_s=NOW_S),
        expected_types=[[TYPE]],
        binding=None,
        now_s=NOW_S,
        leeway_s=0,
    )


def fragment(issuer: str, key: Key) -> str:
    if issuer.startswith("did:key:"):
        return issuer.removeprefix("did:key:")
    return "0" if issuer.startswith("did:jwk:") else thumbprint(key)


def metadata(issuer: str, key: Key, **changes: Any) -> dict[str, Any]:
    jwk = {**export_public_jwk(key), "kid": thumbprint(key)}
    return {"issuer": issuer, "jwks": {"keys": [jwk]}, **changes}


def test_metadata_by_value(site: Site, url: str, http: HttpClient) -> None:
    key, issuer = generate_key("ES256"), f"{url}/tenant"
    site.documents["/.well-known/jwt-vc-issuer/tenant"] = metadata(issuer, key)
    find_and_verify(IssuerKeys(http, issuers=[issuer]), issuer, key)


def test_metadata_by_reference(site: Site, url: str, http: HttpClient) -> None:
    key = generate_key()
    made = metadata(url, key)
    site.documents["/keys"] = made.pop("jwks")
    site.documents["/.well-known/jwt-vc-issuer"] = {**made, "jwks_uri": f"{url}/keys"}
    find_and_verify(IssuerKeys(http, issuers=[url]), url, key)


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://other.example"},
        {"jwks": {"keys": []}},
        {"jwks": None},
        {"jwks_uri": "https://city.example/both"},
    ],
)
def test_metadata_that_does_not_name_the_key_is_refused(
    site: Site, url: str, http: HttpClient, changes: dict[str, Any]
) -> None:
    key = generate_key()
    site.documents["/.well-known/jwt-vc-issuer"] = {**metadata(url, key), **changes}
    with pytest.raises(IssuerNotTrustedError):
        find_and_verify(IssuerKeys(http, issuers=[url]), url, key)


def test_vc_2_5_an_issuer_that_nobody_named_is_not_asked(url: str, http: HttpClient) -> None:
    with pytest.raises(IssuerNotTrustedError, match="trusted"):
        find_and_verify(IssuerKeys(http), url, generate_key())


def test_absent_metadata_is_refused(url: str, http: HttpClient) -> None:
    with pytest.raises(IssuerNotTrustedError, match="404"):
        find_and_verify(IssuerKeys(http, issuers=[url]), url, generate_key())


@pytest.mark.parametrize("method", [did_key, did_jwk])
@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256"])
def test_a_did_that_spells_out_its_key(
    http: HttpClient, method: Callable[[Key], str], algorithm: str
) -> None:
    key = generate_key(algorithm)
    issuer = method(key)
    resolver = DidResolver({"key": DidKey(), "jwk": DidJwk()})
    find_and_verify(IssuerKeys(http, issuers=[issuer], resolver=resolver), issuer, key)
    with pytest.raises(IssuerNotTrustedError):
        find_and_verify(IssuerKeys(http, issuers=[issuer]), issuer, key)
    with pytest.raises(SignatureError):
        find_and_verify(
            IssuerKeys(http, issuers=[issuer], resolver=resolver), issuer, generate_key(algorithm)
        )


def test_did_web(site: Site, url: str, http: HttpClient) -> None:
    key = generate_key()
    issuer = "did:web:" + url.removeprefix("http://").replace(":", "%3A")
    method = f"{issuer}#{thumbprint(key)}"
    site.documents["/.well-known/did.json"] = {
        "id": issuer,
        "verificationMethod": [
            {
                "id": method,
                "type": "JsonWebKey",
                "controller": issuer,
                "publicKeyJwk": export_public_jwk(key),
            }
        ],
        "assertionMethod": [method],
    }
    keys = IssuerKeys(http, issuers=[issuer], resolver=DidResolver({"web": DidWeb(http)}))
    find_and_verify(keys, issuer, key)
    site.documents["/.well-known/did.json"]["assertionMethod"] = []
    with pytest.raises(IssuerNotTrustedError):
        find_and_verify(keys, issuer, key)


def test_x5c(http: HttpClient) -> None:
    now = datetime.fromtimestamp(NOW_S, tz=UTC)
    authority = create_access_authority(name="Authority", now=now)
    identity = certify_verifier(
        authority, name="City", url="https://city.example", host="city.example", now=now, days=9
    )
    chain = [
        base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
        for certificate in identity.chain
        if certificate not in authority.chain
    ]
    key = parse_private_jwk(jwk_of(identity))
    header: JsonObject = {"x5c": [*chain]}
    keys = IssuerKeys(http, anchors=authority.chain)
    find_and_verify(keys, "https://city.example", key, header=header)
    with pytest.raises(SignatureError):
        find_and_verify(IssuerKeys(http), "https://city.example", key, header=header)
    with pytest.raises(SignatureError):
        find_and_verify(keys, "https://city.example", generate_key("ES256"), header=header)


def jwk_of(identity: Any) -> JsonObject:
    value: Any = ECKey.import_key(identity.encode_key()).as_dict(private=True)
    return {name: value[name] for name in ("kty", "crv", "x", "y", "d")}
