"""Data Integrity (`eddsa-jcs-2022`) to and from `@digitalbazaar/vc`.

`npm ci --prefix tests/interop/js` installs it; the Makefile does so before the tests.
"""

import time
from typing import Any

import pytest
from support.node_scripts import run_script

from chaincode.encoding import JsonObject
from client_sdk.credentials import jose
from client_sdk.did.resolution import DidJwk, DidKey, DidResolver, did_jwk, did_key
from client_sdk.errors import SignatureError
from client_sdk.formats import CredentialTerms, ExpectedBinding, HolderBinding, find_format

RESOLVER = DidResolver({"jwk": DidJwk(), "key": DidKey()})
CONTEXT = "https://www.w3.org/ns/credentials/v2"
TYPE = "urn:tegata:credential:resident:1"
AUDIENCE, NONCE = "x509_san_dns:bank.example", "vGAmmyQwxTJV2LlEIvFIxQ"
NOW_S, NOW = 1_800_000_000, "2027-01-15T08:00:00Z"
ISSUER_KEY, HOLDER_KEY = jose.generate_key("EdDSA"), jose.generate_key("EdDSA")
LDP = find_format("ldp_vc")


def run_node(**task: Any) -> Any:
    return run_script("data_integrity.mjs", task)


def documents(*dids: str) -> JsonObject:
    """Return the DID documents as our resolver knows them, and each key by its URL."""
    found: JsonObject = {}
    for did in dids:
        document = RESOLVER.resolve(did).to_json()
        found[did] = document
        for method in document["verificationMethod"]:  # type: ignore[union-attr]
            found[method["id"]] = {"@context": CONTEXT, **method}  # type: ignore[index,call-overload,dict-item]
    return found


@pytest.fixture(scope="module")
def their_key() -> dict[str, str]:
    key: dict[str, str] = run_node(action="generate")
    return key


@pytest.fixture(scope="module")
def our_credential() -> str:
    did = did_key(ISSUER_KEY)
    terms = CredentialTerms(
        credential_type=TYPE,
        attributes={"name": "手形 花子", "age_over_18": True, "ratio": 0.1},
        concealed=[],
        more={"tegata": {"record": "00" * 16}},
        issuer_url="https://city.example",
        issuer_did=did,
        key_id=did.removeprefix("did:key:"),
        holder_key=jose.export_public_jwk(HOLDER_KEY),
        issued_at=NOW_S - 100,
        expires_at=NOW_S + 1000,
    )
    return LDP.issue(terms, ISSUER_KEY)


def test_they_accept_our_credential(our_credential: str) -> None:
    result = run_node(
        action="verify",
        credential=LDP.to_wire(our_credential),
        now=NOW,
        documents=documents(did_key(ISSUER_KEY)),
    )
    assert result == {"verified": True, "error": ""}


def test_they_refuse_our_credential_changed(our_credential: str) -> None:
    changed: Any = LDP.to_wire(our_credential)
    changed["credentialSubject"]["age_over_18"] = False
    result = run_node(
        action="verify",
        credential=changed,
        now=NOW,
        documents=documents(did_key(ISSUER_KEY)),
    )
    assert not result["verified"]
    assert "signature" in result["error"].lower()


def test_they_accept_our_presentation_for_its_request_alone(our_credential: str) -> None:
    presentation = LDP.present(
        our_credential,
        paths=[("credentialSubject", "name")],
        holder_key=HOLDER_KEY,
        binding=HolderBinding(audience=AUDIENCE, nonce=NONCE, issued_at=NOW_S),
    )
    task = {
        "action": "verifyPresentation",
        "presentation": LDP.to_wire(presentation),
        "domain": AUDIENCE,
        "now": NOW,
        "documents": documents(did_key(ISSUER_KEY), did_jwk(HOLDER_KEY)),
    }
    assert run_node(challenge=NONCE, **task) == {"verified": True, "error": ""}
    assert not run_node(challenge="another", **task)["verified"]


def test_we_accept_their_credential_and_presentation(their_key: dict[str, str]) -> None:
    did = their_key["controller"]
    credential = run_node(
        action="issue",
        key=their_key,
        documents=documents(did),
        credential={
            "@context": [CONTEXT, "https://www.w3.org/ns/credentials/undefined-terms/v2"],
            "type": ["VerifiableCredential", TYPE],
            "issuer": did,
            "validFrom": "2026-01-01T00:00:00Z",
            "credentialSubject": {"id": did, "name": "手形 花子"},
        },
    )
    assert "error" not in credential, credential["error"]
    presentation = run_node(
        action="present",
        key=their_key,
        documents=documents(did),
        credentials=[credential],
        holder=did,
        challenge=NONCE,
        domain=AUDIENCE,
    )
    assert "error" not in presentation, presentation["error"]
    verified = LDP.verify(
        LDP.from_wire(presentation),
        find_issuer_key=lambda read: RESOLVER.key(
            f"{read.issuer}#{read.key_id}", "assertionMethod"
        ),
        expected_types=[[TYPE]],
        binding=ExpectedBinding(audience=AUDIENCE, nonce=NONCE, max_age_s=300),
        now_s=int(time.time()),
        leeway_s=60,
    )
    assert verified.claims["credentialSubject"] == {"id": did, "name": "手形 花子"}
    credential["credentialSubject"]["name"] = "別人"
    with pytest.raises(SignatureError):
        LDP.verify(
            LDP.from_wire(credential),
            find_issuer_key=lambda read: RESOLVER.key(
                f"{read.issuer}#{read.key_id}", "assertionMethod"
            ),
            expected_types=[[TYPE]],
            binding=None,
            now_s=int(time.time()),
            leeway_s=60,
        )
