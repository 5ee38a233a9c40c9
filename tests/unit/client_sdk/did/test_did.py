"""DID documents and the methods `did:key`, `did:jwk` and `did:web`."""

import json

import pytest

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import export_public_jwk, generate_key, thumbprint
from client_sdk.credentials.multikey import encode_multikey
from client_sdk.did.document import DidDocument
from client_sdk.did.resolution import DidJwk, DidKey, DidResolver, DidWeb, did_jwk, did_key
from client_sdk.errors import DidError
from client_sdk.http.client import HttpAnswer

KEY = generate_key("EdDSA")
OTHER = generate_key("ES256")
# The example of the did:jwk method's own text.
DID_JWK = (
    "did:jwk:eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6ImFjYklRaXVNczNpOF91c3pFakoydHBUdFJNNEVVM3l6OTFQ"
    "SDZDZEgyVjAiLCJ5IjoiX0tjeUxqOXZXTXB0bm1LdG00NkdxRHo4d2Y3NEk1TEtncmwyR3pIM25TRSJ9"
)
WEB = "did:web:city.example"


class Site:
    """A web server with one answer, and what was asked of it."""

    def __init__(self, document: JsonObject, status: int = 200) -> None:
        self._answer = HttpAnswer(
            status=status, media_type="application/json", body=json.dumps(document).encode()
        )
        self.asked: list[str] = []

    def get(self, url: str, *, accept: str = "application/json") -> HttpAnswer:
        assert "application/did+json" in accept
        self.asked.append(url)
        return self._answer


def resolver(site: Site | None = None) -> DidResolver:
    web = DidWeb(site or Site({}))
    return DidResolver({"key": DidKey(), "jwk": DidJwk(), "web": web})


def test_a_published_did_jwk_is_resolved() -> None:
    key = resolver().key(f"{DID_JWK}#0", "assertionMethod")
    assert export_public_jwk(key) == {
        "kty": "EC",
        "crv": "P-256",
        "x": "acbIQiuMs3i8_uszEjJ2tpTtRM4EU3yz91PH6CdH2V0",
        "y": "_KcyLj9vWMptnmKtm46GqDz8wf74I5LKgrl2GzH3nSE",
    }


@pytest.mark.parametrize("key", [KEY, OTHER])
def test_our_own_dids_lead_back_to_the_key(key) -> None:  # type: ignore[no-untyped-def]
    for did in (did_key(key), did_jwk(key)):
        document = resolver().resolve(did)
        (url,) = document.keys
        assert thumbprint(document.key(url, "authentication")) == thumbprint(key)
        assert thumbprint(document.key("#" + url.partition("#")[2], "assertionMethod")) == (
            thumbprint(key)
        )


@pytest.mark.parametrize(
    ("did", "url"),
    [
        ("did:web:city.example", "https://city.example/.well-known/did.json"),
        ("did:web:city.example:dept:residents", "https://city.example/dept/residents/did.json"),
        ("did:web:city.example%3A8443", "https://city.example:8443/.well-known/did.json"),
        ("did:web:localhost%3A5000", "http://localhost:5000/.well-known/did.json"),
    ],
)
def test_did_web_is_fetched_from_where_it_says(did: str, url: str) -> None:
    site = Site({"id": did})
    assert resolver(site).resolve(did).keys == {}
    assert site.asked == [url]


def test_a_document_is_read_from_what_it_writes() -> None:
    document = DidDocument(
        did=WEB,
        keys={f"{WEB}#a": KEY, f"{WEB}#b": OTHER},
        relationships={
            "assertionMethod": frozenset({f"{WEB}#a"}),
            "authentication": frozenset({f"{WEB}#b"}),
        },
    )
    found = resolver(Site(document.to_json())).resolve(WEB)
    assert found.relationships == document.relationships
    assert thumbprint(found.key("#a", "assertionMethod")) == thumbprint(KEY)
    with pytest.raises(DidError, match="for assertionMethod"):
        found.key("#b", "assertionMethod")


def test_methods_of_other_kinds_and_of_others_are_passed_over() -> None:
    document: JsonObject = {
        "id": WEB,
        "verificationMethod": [
            {"id": "#a", "controller": WEB, "publicKeyMultibase": encode_multikey(KEY)},
            {"id": "#rsa", "controller": WEB, "publicKeyJwk": {"kty": "RSA"}},
            {"id": "#none", "controller": WEB},
            {"id": "#guest", "controller": "did:web:other", "publicKeyMultibase": "z6Mk"},
            {
                "id": "did:web:other#x",
                "controller": WEB,
                "publicKeyMultibase": encode_multikey(KEY),
            },
        ],
        "assertionMethod": ["#a", "#rsa", "#none", "#guest", "did:web:other#x", "#absent"],
        "authentication": [
            {"id": "#own", "controller": WEB, "publicKeyMultibase": encode_multikey(OTHER)}
        ],
    }
    found = resolver(Site(document)).resolve(WEB)
    assert found.relationships == {
        "assertionMethod": frozenset({f"{WEB}#a"}),
        "authentication": frozenset({f"{WEB}#own"}),
    }


@pytest.mark.parametrize(
    "document",
    [
        {"id": "did:web:other"},
        {"id": WEB, "verificationMethod": {}},
        {"id": WEB, "verificationMethod": [{}]},
        {"id": WEB, "verificationMethod": ["text"]},
        {"id": WEB, "assertionMethod": {}},
        {"id": WEB, "assertionMethod": [5]},
    ],
)
def test_a_malformed_document_is_refused(document: JsonObject) -> None:
    with pytest.raises(DidError):
        resolver(Site(document)).resolve(WEB)


def test_a_server_without_the_document_is_refused() -> None:
    with pytest.raises(DidError, match="404"):
        resolver(Site({"id": WEB}, status=404)).resolve(WEB)


@pytest.mark.parametrize(
    "did",
    [
        "",
        "did:key",
        "did:key:",
        "did:KEY:z6Mk",
        "did:key:z6Mk",
        "did:example:1",
        "did:jwk:%",
        "did:jwk:e30",
        "did:jwk:AAAA",
        "did:web:a:b:",
        "did:web:a::b",
        "did:web:a%2Fb",
        "did:web:a%3Fb",
        "did:web:localhost%3A5000:switch%3Foff%3D1%26x%3D",
        "did:web:a:.:b",
        "did:web:a:%23b",
        "did:web:a:..:b",
        "did:web:user%40host",
        "did:key:" + "z" * 5000,
    ],
)
def test_what_is_no_usable_did_is_refused(did: str) -> None:
    with pytest.raises(DidError):
        resolver().resolve(did)


def test_a_key_is_asked_for_by_its_name() -> None:
    with pytest.raises(DidError, match="name of a key"):
        resolver().key(did_key(KEY), "assertionMethod")
    with pytest.raises(DidError, match="no key of this name"):
        resolver().key(did_key(KEY) + "#other", "assertionMethod")
