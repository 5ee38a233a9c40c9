"""`eddsa-jcs-2022`, byte for byte with the W3C's test vector, and its refusals."""

import json
from pathlib import Path

import pytest
from joserfc.jwk import OKPKey

from chaincode.encoding import JsonObject, encode_base64url
from client_sdk.credentials.data_integrity import VerifiedDocument, sign_document, verify_document
from client_sdk.credentials.jose import Key, generate_key
from client_sdk.credentials.multikey import decode_base58btc, decode_multikey
from client_sdk.did.resolution import DidKey, DidResolver, did_key
from client_sdk.errors import (
    CredentialFormatError,
    ExpiredError,
    HolderBindingError,
    KeyFormatError,
    NonceMismatchError,
    SignatureError,
)

VECTOR = json.loads(
    (Path(__file__).parents[3] / "vectors/data_integrity/eddsa_jcs_2022.json").read_text()
)
RESOLVER = DidResolver({"key": DidKey()})
KEY = generate_key("EdDSA")
METHOD = f"{did_key(KEY)}#{did_key(KEY).removeprefix('did:key:')}"
DOCUMENT: JsonObject = {
    "@context": ["https://www.w3.org/ns/credentials/v2"],
    "type": ["VerifiableCredential"],
    "credentialSubject": {"address": "Sendai"},
}


def find_key(url: str) -> Key:
    return RESOLVER.key(url, "assertionMethod")


def verify(secured: JsonObject, **changes: object) -> VerifiedDocument:
    arguments: dict[str, object] = {
        "find_key": find_key,
        "expected_purpose": "assertionMethod",
        "now_s": 1_800_000_000,
        "leeway_s": 0,
        **changes,
    }
    return verify_document(secured, **arguments)  # type: ignore[arg-type]


def sign(document: JsonObject = DOCUMENT, **changes: object) -> JsonObject:
    arguments: dict[str, object] = {
        "key": KEY,
        "verification_method": METHOD,
        "purpose": "assertionMethod",
        **changes,
    }
    return sign_document(document, **arguments)  # type: ignore[arg-type]


def vector_key() -> OKPKey:
    seed = decode_base58btc(VECTOR["private_key_multibase"]).removeprefix(b"\x80\x26")
    public = decode_multikey(VECTOR["public_key_multibase"])
    jwk = {"kty": "OKP", "crv": "Ed25519", "d": encode_base64url(seed), "x": str(public["x"])}
    return OKPKey.import_key(jwk)


def test_the_published_document_is_signed_alike() -> None:
    expected = VECTOR["secured_document"]
    proof = expected["proof"]
    document = {name: value for name, value in expected.items() if name != "proof"}
    signed = sign_document(
        document,
        key=vector_key(),
        verification_method=proof["verificationMethod"],
        purpose=proof["proofPurpose"],
        created=proof["created"],
    )
    assert signed == expected


def test_the_published_document_verifies() -> None:
    found = verify(VECTOR["secured_document"])
    assert found.verification_method == VECTOR["secured_document"]["proof"]["verificationMethod"]
    assert "proof" not in found.document
    assert found.document["name"] == "Alumni Credential"


def test_a_proof_may_stand_in_a_list_of_one() -> None:
    secured = sign()
    assert verify({**secured, "proof": [secured["proof"]]}).document == DOCUMENT


def test_a_context_may_be_added_behind_the_signed_ones_but_is_not_signed() -> None:
    secured = sign()
    secured["@context"] = ["https://www.w3.org/ns/credentials/v2", "https://more.example"]
    assert verify(secured).document == DOCUMENT
    secured["@context"] = ["https://more.example"]
    with pytest.raises(SignatureError, match="context"):
        verify(secured)


def test_a_presentation_is_bound_to_verifier_and_nonce() -> None:
    secured = sign(challenge="n-1", domain="x509_hash:abc")
    bound = {"expected_challenge": "n-1", "expected_domain": "x509_hash:abc"}
    assert verify(secured, **bound).document == DOCUMENT
    with pytest.raises(NonceMismatchError):
        verify(secured, **{**bound, "expected_challenge": "n-2"})
    with pytest.raises(HolderBindingError):
        verify(secured, **{**bound, "expected_domain": "x509_hash:other"})
    with pytest.raises(NonceMismatchError):
        verify(secured)


@pytest.mark.parametrize("name", ["created", "expires", "proofPurpose", "verificationMethod"])
def test_every_part_of_the_proof_is_signed(name: str) -> None:
    secured = sign(created="2026-01-01T00:00:00Z", expires="2030-01-01T00:00:00Z")
    other = {
        "created": "2026-01-02T00:00:00Z",
        "expires": "2031-01-01T00:00:00Z",
        "proofPurpose": "authentication",
        "verificationMethod": f"{did_key(generate_key())}#x",
    }
    changed = {**secured, "proof": {**secured["proof"], name: other[name]}}  # type: ignore[dict-item]
    with pytest.raises(SignatureError):
        verify(changed, find_key=lambda _url: KEY)


def test_the_document_is_signed() -> None:
    with pytest.raises(SignatureError, match="does not verify"):
        verify({**sign(), "credentialSubject": {"address": "Osaka"}})


def test_times_are_held_to() -> None:
    with pytest.raises(ExpiredError, match="future"):
        verify(sign(created="2030-01-01T00:00:00Z"))
    with pytest.raises(ExpiredError, match="expired"):
        verify(sign(expires="2020-01-01T00:00:00+09:00"))


@pytest.mark.parametrize(
    ("proof", "words"),
    [
        (None, "exactly one"),
        ([], "exactly one"),
        ([{}, {}], "exactly one"),
        ({"type": "Other"}, "DataIntegrityProof"),
        ({"cryptosuite": "eddsa-rdfc-2022"}, "eddsa-jcs-2022"),
        ({"proofValue": 1}, "proofValue"),
        ({"verificationMethod": None}, "verificationMethod"),
        ({"previousProof": "urn:1"}, "chains"),
        ({"created": "2026-01-01"}, "created"),
        ({"created": "2026-13-01T00:00:00Z"}, "created"),
        ({"expires": 5}, "expires"),
    ],
)
def test_a_malformed_proof_is_refused(proof: object, words: str) -> None:
    secured = sign()
    changed = {**secured["proof"], **proof} if isinstance(proof, dict) else proof  # type: ignore[dict-item]
    with pytest.raises(CredentialFormatError, match=words):
        verify({**secured, "proof": changed})  # type: ignore[dict-item]


@pytest.mark.parametrize("value", ["z1", "not multibase", "z" + "1" * 64])
def test_a_malformed_signature_is_refused(value: str) -> None:
    secured = sign()
    with pytest.raises(SignatureError):
        verify({**secured, "proof": {**secured["proof"], "proofValue": value}})  # type: ignore[dict-item]


def test_only_ed25519_signs_and_verifies() -> None:
    with pytest.raises(KeyFormatError):
        sign(key=generate_key("ES256"))
    with pytest.raises(KeyFormatError):
        sign(key=find_key(METHOD))
    with pytest.raises(SignatureError, match="Ed25519"):
        verify(sign(), find_key=lambda _url: generate_key("ES256"))


def test_what_cannot_be_signed_is_refused() -> None:
    with pytest.raises(CredentialFormatError, match="already"):
        sign(sign())
    with pytest.raises(CredentialFormatError, match="cannot be signed"):
        sign({"number": 2**60})
    with pytest.raises(CredentialFormatError, match="created"):
        sign(created="yesterday")


def test_a_document_without_context_is_signed_as_it_is() -> None:
    assert verify(sign({"type": "Note"})).document == {"type": "Note"}
