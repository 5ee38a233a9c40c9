"""Proofs that a wallet holds a key, for an issuer (OpenID4VCI 1.0 appendix F.1)."""

from dataclasses import dataclass, field
from typing import Final

from chaincode.encoding import JsonObject
from chaincode.ids import ACCOUNT_ID
from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    parse_compact,
    parse_public_jwk,
    sign_compact,
)
from client_sdk.errors import HolderBindingError, KeyFormatError

PROOF_TYP: Final = "openid4vci-proof+jwt"
ACCOUNT_CLAIM: Final = "tegata_account"
"""Our own claim: the ledger account that the wallet wants the credential to name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedKeyProof:
    """A key known to be in the hands of the one who asks for a credential.

    Attributes:
        holder_key: The public JWK.
        nonce: The nonce that the proof answers; the issuer has yet to check that it is its own.
        account: The ledger account that the wallet says is its own; None where it names none. The
            issuer has yet to ask the ledger.
        unverified_attestation: The key attestation that came with it; None where none did.
    """

    holder_key: JsonObject
    nonce: str
    account: str | None = None
    unverified_attestation: str | None = field(default=None, repr=False)


def sign_key_proof(
    *,
    holder_key: Key,
    issuer_url: str,
    nonce: str | None,
    issued_at: int,
    account: str | None = None,
    attestation: str | None = None,
) -> str:
    """Return the proof as a JWT.

    Args:
        holder_key: The private key that the credential is to be bound to.
        issuer_url: The issuer's identifier.
        nonce: The issuer's `c_nonce`; None where it has no nonce endpoint.
        issued_at: Seconds since 1970-01-01 UTC.
        account: The wallet's ledger account, of which the key is a signatory; None for none.
        attestation: A key attestation of this key, and of others for which credentials are wanted
            too; None for none.

    Raises:
        KeyFormatError: The key is of no allowed kind, or is only the public half.
    """
    payload: JsonObject = {"aud": issuer_url, "iat": issued_at}
    if nonce is not None:
        payload["nonce"] = nonce
    if account is not None:
        payload[ACCOUNT_CLAIM] = account
    header: JsonObject = {"typ": PROOF_TYP, "jwk": export_public_jwk(holder_key)}
    if attestation is not None:
        header["key_attestation"] = attestation
    return sign_compact(header, payload, holder_key)


def verify_key_proof(
    proof: str,
    *,
    expected_issuer: str,
    client_id: str | None = None,
    now_s: int,
    max_age_s: int,
    leeway_s: int,
) -> VerifiedKeyProof:
    """Return the key that a proof is of.

    Args:
        proof: The JWT.
        expected_issuer: This issuer's identifier.
        client_id: Who got the access token; None for a wallet that named itself by nothing.
        now_s: Seconds since 1970-01-01 UTC.
        max_age_s: How many seconds a proof may be old.
        leeway_s: How many seconds the two clocks may differ.

    Raises:
        CredentialFormatError: Not a signed JWT of this type.
        KeyFormatError: The header holds no public key of an allowed kind, or names more than one.
        SignatureError: Not signed under the key in its header.
        HolderBindingError: For another issuer, too old, from the future, without a nonce, or with
            an account that is none.
    """
    token = parse_compact(proof)
    header = token.unverified_header
    if "kid" in header or "x5c" in header:
        raise KeyFormatError("key proof: the key stands in jwk, and in no other header parameter")
    key = parse_public_jwk(header.get("jwk"))
    attestation = header.get("key_attestation")
    if not isinstance(attestation, str | None):
        raise HolderBindingError("key proof: key_attestation is a JWT")
    _, payload = token.verify(key=key, expected_typ=PROOF_TYP)
    if payload.get("aud") != expected_issuer:
        raise HolderBindingError("key proof: it is for another issuer (aud)")
    if "iss" in payload and (client_id is None or payload["iss"] != client_id):
        raise HolderBindingError("key proof: iss is not the client that got the access token")
    issued_at, nonce = payload.get("iat"), payload.get("nonce")
    if not isinstance(issued_at, int | float) or isinstance(issued_at, bool):
        raise HolderBindingError("key proof: iat is a number of seconds since 1970")
    if not now_s - max_age_s - leeway_s <= issued_at <= now_s + leeway_s:
        raise HolderBindingError("key proof: too old or from the future (iat); check the clock")
    if not isinstance(nonce, str) or not nonce:
        raise HolderBindingError("key proof: it holds no nonce of this issuer")
    return VerifiedKeyProof(
        holder_key=export_public_jwk(key),
        nonce=nonce,
        account=_account_of(payload),
        unverified_attestation=attestation,
    )


def _account_of(payload: JsonObject) -> str | None:
    if ACCOUNT_CLAIM not in payload:
        return None
    account = payload[ACCOUNT_CLAIM]
    if not isinstance(account, str) or not ACCOUNT_ID.fullmatch(account):
        raise HolderBindingError(f"key proof: {ACCOUNT_CLAIM} is no id of a ledger account")
    return account
