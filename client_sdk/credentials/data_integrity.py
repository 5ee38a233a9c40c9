"""Data Integrity proofs with `eddsa-jcs-2022` (Data Integrity EdDSA Cryptosuites 1.0 section 3.3).

The signature covers SHA-256 of the canonical proof options, then SHA-256 of the canonical document
(RFC 8785). No JSON-LD is processed: a context is compared, not fetched.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from joserfc.jwk import OKPKey
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from chaincode.encoding import JsonObject, JsonValue, encode_canonical_json
from chaincode.errors import DecodeError
from client_sdk.credentials.jose import EDDSA, Key, algorithm_of
from client_sdk.credentials.multikey import decode_base58btc, encode_base58btc
from client_sdk.credentials.w3c_vc import parse_date_time_stamp
from client_sdk.errors import (
    CredentialFormatError,
    ExpiredError,
    HolderBindingError,
    KeyFormatError,
    NonceMismatchError,
    SignatureError,
)

CRYPTOSUITE: Final = "eddsa-jcs-2022"
PROOF_TYPE: Final = "DataIntegrityProof"
ProofPurpose: TypeAlias = Literal["assertionMethod", "authentication"]
"""`assertionMethod` for what an issuer says, `authentication` for what a holder presents."""

FindKey: TypeAlias = Callable[[str], Key]
"""Gives the key of a verification method's URL, from a trusted source, or raises a `ClientError`.
It must be a key that serves the proof's purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedDocument:
    """A document known to be signed by the key that its proof names.

    Attributes:
        document: The document without its proof.
        verification_method: The URL of the key.
        purpose: What the proof was made for.
        created: When, in seconds since 1970-01-01 UTC; None where the proof does not say.
    """

    document: JsonObject = field(repr=False)
    verification_method: str
    purpose: ProofPurpose
    created: float | None = None


def sign_document(
    document: JsonObject,
    *,
    key: Key,
    verification_method: str,
    purpose: ProofPurpose,
    created: str | None = None,
    expires: str | None = None,
    challenge: str | None = None,
    domain: str | None = None,
) -> JsonObject:
    """Return the document with a proof (section 3.3.1).

    Args:
        document: The document, without a proof.
        key: The private key on Ed25519.
        verification_method: The URL of its public half.
        purpose: What the proof is made for.
        created: When, as `dateTimeStamp`.
        expires: Until when the proof counts, as `dateTimeStamp`.
        challenge: The verifier's nonce, for a presentation.
        domain: The verifier, for a presentation.

    Raises:
        CredentialFormatError: The document has a proof or no canonical form, or a time is
            malformed.
        KeyFormatError: `key` is not on Ed25519, or only a public half.
    """
    if "proof" in document:
        raise CredentialFormatError("proof: the document has one already")
    if algorithm_of(key) != EDDSA or not key.is_private or not isinstance(key, OKPKey):
        raise KeyFormatError(f"{CRYPTOSUITE}: a private key on Ed25519 is needed")
    proof: JsonObject = {"type": PROOF_TYPE, "cryptosuite": CRYPTOSUITE}
    for name, time in (("created", created), ("expires", expires)):
        if time is not None:
            parse_date_time_stamp(time, name)
            proof[name] = time
    proof |= {"verificationMethod": verification_method, "proofPurpose": purpose}
    proof |= {
        name: text
        for name, text in (("challenge", challenge), ("domain", domain))
        if text is not None
    }
    if "@context" in document:
        proof["@context"] = document["@context"]
    seed = key.private_key.private_bytes_raw()  # type: ignore[union-attr]
    signature = SigningKey(seed).sign(_hash_data(document, proof)).signature
    return {**document, "proof": {**proof, "proofValue": encode_base58btc(signature)}}


def verify_document(
    secured: JsonObject,
    *,
    find_key: FindKey,
    expected_purpose: ProofPurpose,
    now_s: int,
    leeway_s: int,
    expected_challenge: str | None = None,
    expected_domain: str | None = None,
) -> VerifiedDocument:
    """Return a document whose proof verifies (section 3.3.2, VC Data Integrity section 4.2).

    Args:
        secured: The document with one proof.
        find_key: Gives the key of the proof's verification method.
        expected_purpose: What the proof must be made for.
        now_s: Seconds since 1970-01-01 UTC.
        leeway_s: How many seconds the two clocks may differ.
        expected_challenge: The nonce of this verifier's request; None where it asked for none.
        expected_domain: This verifier, as its request named it; None where it asked for none.

    Raises:
        CredentialFormatError: There is not exactly one proof of this suite and form.
        SignatureError: The proof is for another purpose or key, or does not verify.
        ExpiredError: The proof was made in the future, or has expired.
        NonceMismatchError: The proof answers another request.
        HolderBindingError: The proof was made for another verifier.
    """
    document = {name: value for name, value in secured.items() if name != "proof"}
    proof = _read_proof(secured.get("proof"))
    if proof["proofPurpose"] != expected_purpose:
        raise SignatureError(f"proof: made for another purpose than {expected_purpose}")
    _validate_times(proof, now_s=now_s, leeway_s=leeway_s)
    if proof.get("challenge") != expected_challenge:
        raise NonceMismatchError("proof: the challenge is not that of this request")
    if proof.get("domain") != expected_domain:
        raise HolderBindingError("proof: made for another verifier (domain)")
    method = str(proof["verificationMethod"])
    document = _align_context(document, proof)
    key = find_key(method)
    if algorithm_of(key) != EDDSA or not isinstance(key, OKPKey):
        raise SignatureError("proof: the verification method is no key on Ed25519")
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    _verify(key, _hash_data(document, options), str(proof["proofValue"]))
    return VerifiedDocument(
        document=document,
        verification_method=method,
        purpose=expected_purpose,
        created=parse_date_time_stamp(proof["created"], "created") if "created" in proof else None,
    )


def _read_proof(proof: JsonValue) -> JsonObject:
    if isinstance(proof, list) and len(proof) == 1:
        proof = proof[0]
    if not isinstance(proof, dict):
        raise CredentialFormatError("proof: exactly one is expected")
    if (proof.get("type"), proof.get("cryptosuite")) != (PROOF_TYPE, CRYPTOSUITE):
        raise CredentialFormatError(f"proof: a {PROOF_TYPE} with {CRYPTOSUITE} is expected")
    for name in ("verificationMethod", "proofPurpose", "proofValue"):
        if not isinstance(proof.get(name), str):
            raise CredentialFormatError(f"proof: {name} is required, as text")
    if "previousProof" in proof:
        raise CredentialFormatError("proof: chains of proofs are not accepted")
    return proof


def _validate_times(proof: JsonObject, *, now_s: int, leeway_s: int) -> None:
    if "created" in proof and parse_date_time_stamp(proof["created"], "created") > now_s + leeway_s:
        raise ExpiredError("the proof was made in the future (created)")
    if "expires" in proof and parse_date_time_stamp(proof["expires"], "expires") <= (
        now_s - leeway_s
    ):
        raise ExpiredError("the proof has expired (expires)")


def _align_context(document: JsonObject, proof: JsonObject) -> JsonObject:
    """Return the document with the context that was signed (section 3.3.2 step 4)."""
    if "@context" not in proof:
        return document
    signed, found = (_as_list(part.get("@context")) for part in (proof, document))
    if found[: len(signed)] != signed:
        raise SignatureError("proof: made over another @context")
    return {**document, "@context": proof["@context"]}


def _as_list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else [value]


def _hash_data(document: JsonObject, options: JsonObject) -> bytes:
    try:
        parts = (encode_canonical_json(options), encode_canonical_json(document))
    except DecodeError as error:
        raise CredentialFormatError(f"the document cannot be signed: {error}") from None
    return b"".join(hashlib.sha256(part).digest() for part in parts)


def _verify(key: OKPKey, data: bytes, proof_value: str) -> None:
    try:
        signature = decode_base58btc(proof_value)
        VerifyKey(key.public_key.public_bytes_raw()).verify(data, signature)
    except (KeyFormatError, BadSignatureError, ValueError):
        raise SignatureError("proof: the signature does not verify") from None
