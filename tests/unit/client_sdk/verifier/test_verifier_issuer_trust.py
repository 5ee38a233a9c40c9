"""Issuers known by certificates and by DIDs: the ledger's registry still decides."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.format_world import FormatWorld, refusal
from support.odd_issuer import served
from support.presentation_world import NOW_MS, World
from support.wallet_provider import Authority
from werkzeug import Request, Response

from client_sdk.checks import VerificationReport
from client_sdk.credentials.jose import ES256, Key, export_public_jwk, generate_key, thumbprint
from client_sdk.did.caching import CachedDidMethod
from client_sdk.did.document import DidDocument
from client_sdk.did.resolution import DidJwk, DidKey, DidResolver, DidWeb, did_jwk, did_key
from client_sdk.http.client import HttpClient
from client_sdk.openid4vci.certificate_chain import encode_x5c
from client_sdk.openid4vp.access_certificate import AccessIdentity, certify_verifier
from client_sdk.verification.issuer_trust import IssuerTrust

AUTHORITY = Authority(NOW_MS)
OTHER = Authority(NOW_MS)
CITY = AUTHORITY.certify("Aoba City")


def certified(
    identity: AccessIdentity = CITY,
    *,
    header: dict[str, Any] | None = None,
    signing_key: Key | None = None,
    **trust: Any,
) -> VerificationReport:
    """Verify a credential that carries an identity's certificates."""
    settings = {"anchors": (AUTHORITY.certificate,), **trust}
    world = World(
        issuer_key=signing_key or identity.signing_key, issuer_trust=IssuerTrust(**settings)
    )
    chain = encode_x5c(identity.chain[:1])
    world.credential = world.issue(header={"x5c": chain} if header is None else header)
    request = world.request()
    return world.verifier.report(world.present(request), request)


def test_haip_6_1_1_a_chain_to_a_trusted_authority_is_accepted() -> None:
    assert certified().accepted
    assert certified(certificates_required=True).accepted


def test_haip_6_1_1_a_chain_to_another_authority_is_refused() -> None:
    name, words = refusal(certified(OTHER.certify("Aoba City")))
    assert name == "issuer_trusted"
    assert "no trusted authority" in words


def test_haip_6_1_1_the_anchor_does_not_stand_in_the_chain() -> None:
    chain = encode_x5c([*CITY.chain[:1], AUTHORITY.certificate])
    assert "anchor" in refusal(certified(header={"x5c": chain}))[1]


def test_a_certificate_that_has_expired_is_refused() -> None:
    long_ago = datetime.fromtimestamp(NOW_MS / 1000, tz=UTC) - timedelta(days=30)
    identity = certify_verifier(
        AUTHORITY.identity,
        name="Aoba City",
        url="https://issuer.example",
        host="issuer.example",
        now=long_ago,
        days=10,
    )
    assert "no trusted authority" in refusal(certified(identity))[1]


def test_a_certified_key_that_is_not_registered_is_refused() -> None:
    """The authority vouches for a name, not for who may issue."""
    identity = AUTHORITY.certify("Another city")
    name, words = refusal(certified(identity, signing_key=generate_key(ES256)))
    assert name == "issuer_trusted"
    assert "not registered" in words


def test_a_malformed_chain_is_refused() -> None:
    for x5c in ([], ["AAAA"], [1], ["!"]):
        assert refusal(certified(header={"x5c": x5c}))[0] == "issuer_trusted"


def test_certificates_are_demanded_where_the_policy_says_so() -> None:
    kid = {"kid": thumbprint(CITY.signing_key)}
    assert certified(header=kid).accepted
    name, words = refusal(certified(header=kid, certificates_required=True))
    assert (name, "no certificates" in words) == ("issuer_trusted", True)


def test_where_no_authority_is_trusted_the_certificate_names_the_key() -> None:
    assert certified(anchors=()).accepted
    assert certified(OTHER.certify("Aoba City"), anchors=()).accepted
    strange = certified(signing_key=generate_key(ES256), anchors=())
    assert "not registered" in refusal(strange)[1]


class Site:
    """A web server whose documents a test sets, by path."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}
        self.asked: list[str] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        path = Request(environ).path
        self.asked.append(path)
        found = self.documents.get(path)
        status = 404 if found is None else 200
        return Response(json.dumps(found), status=status, mimetype="application/json")(
            environ, start
        )


@pytest.fixture(scope="module")
def site() -> Site:
    return Site()


@pytest.fixture(scope="module")
def did(site: Site) -> Iterator[str]:
    with served(site) as url:
        host = url.removeprefix("http://")
        yield f"did:web:{host.replace(':', '%3A')}:issuers:city"


PATH = "/issuers/city/did.json"


def document(did: str, *keys: Key) -> Any:
    methods = {f"{did}#{thumbprint(key)}": key for key in keys}
    return DidDocument.for_every_purpose(did, methods).to_json()


def world_of(did: str, name: str, *, trusted: bool = True, key: Key | None = None) -> FormatWorld:
    """Return an issuer that is known by a DID, at a verifier that resolves it."""
    resolver = DidResolver(
        {"web": CachedDidMethod(DidWeb(HttpClient(timeout_s=5, retries=0))), "key": DidKey()}
    )
    trust = IssuerTrust(dids=(did,) if trusted else (), resolver=resolver)
    world = World(issuer_trust=trust, **({} if key is None else {"issuer_key": key}))
    return FormatWorld(name, world=world, changes={"issuer_did": did, "issuer_url": did})


EVERY_FORMAT = ["dc+sd-jwt", "vc+sd-jwt", "jwt_vc_json", "ldp_vc"]


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_an_issuer_that_its_did_web_and_the_registry_vouch_for(
    site: Site, did: str, name: str
) -> None:
    made = world_of(did, name)
    site.documents[PATH] = document(did, made.world.issuer_key)
    site.asked.clear()
    assert made.report().accepted
    assert made.report().accepted
    # The document is kept for a while.
    assert site.asked == [PATH]


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_a_key_that_only_the_registry_knows_is_refused(site: Site, did: str, name: str) -> None:
    made = world_of(did, name)
    site.documents[PATH] = document(did, generate_key())
    assert refusal(made.report())[0] == "issuer_trusted"


def test_a_key_that_only_the_did_knows_is_refused(site: Site, did: str) -> None:
    made = world_of(did, "jwt_vc_json")
    site.documents[PATH] = document(did, made.world.issuer_key)
    made.world.register(keys=(export_public_jwk(generate_key()),))
    name, words = refusal(made.report())
    assert (name, "not registered" in words) == ("issuer_trusted", True)


def test_a_document_that_cannot_be_had_is_a_refusal(site: Site, did: str) -> None:
    site.documents.clear()
    assert "404" in refusal(world_of(did, "jwt_vc_json").report())[1]
    nobody = "did:web:127.0.0.1%3A9"
    name, words = refusal(world_of(nobody, "dc+sd-jwt").report())
    assert (name, "the issuer's key" in words) == ("issuer_trusted", True)


def test_a_did_that_nobody_named_is_not_asked_for(site: Site, did: str) -> None:
    made = world_of(did, "jwt_vc_json", trusted=False)
    site.documents[PATH] = document(did, made.world.issuer_key)
    site.asked.clear()
    assert "another issuer" in refusal(made.report())[1]
    assert site.asked == []


def test_a_did_key_spells_its_key_out() -> None:
    key = generate_key()
    made = world_of(did_key(key), "jwt_vc_json", key=key)
    made.changes["key_id"] = did_key(key).removeprefix("did:key:")
    made.credential = made.kind.issue(made.world.terms(**made.changes), key)
    made.anchor()
    assert made.report().accepted


def test_a_key_of_another_did_is_refused(site: Site, did: str) -> None:
    made = world_of(did, "dc+sd-jwt")
    site.documents[PATH] = document(did, made.world.issuer_key)
    for method, is_good in ((did, True), ("did:web:other.example", False)):
        made.changes["key_id"] = f"{method}#{thumbprint(made.world.issuer_key)}"
        made.credential = made.kind.issue(made.world.terms(**made.changes), made.world.issuer_key)
        made.anchor()
        assert made.report().accepted is is_good


def test_a_document_is_kept_no_longer_than_its_time() -> None:
    now = [0.0]

    class Counted:
        calls = 0

        def resolve(self, did: str, identifier: str) -> DidDocument:
            self.calls += 1
            return DidJwk().resolve(did, identifier)

    method = Counted()
    cached = CachedDidMethod(method, ttl_s=10, clock=lambda: now[0])
    did = did_jwk(generate_key())
    jwk = did.removeprefix("did:jwk:")
    for _ in range(2):
        cached.resolve(did, jwk)
    assert method.calls == 1
    now[0] = 10.0
    cached.resolve(did, jwk)
    assert method.calls == 2
