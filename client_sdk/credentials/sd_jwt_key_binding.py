"""The key-binding JWT: the holder's proof for one verifier and request (RFC 9901 section 4.3)."""

from dataclasses import replace
from typing import Final

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import Key, sign_compact, validate_times, verify_compact
from client_sdk.credentials.sd_jwt import SdJwt, digest_of
from client_sdk.errors import (
    ClientError,
    CredentialFormatError,
    ExpiredError,
    HolderBindingError,
    NonceMismatchError,
)

KEY_BINDING_TYP: Final = "kb+jwt"
EXTRA_CLAIMS: Final = frozenset(
    {"transaction_data_hashes", "transaction_data_hashes_alg", "tegata"}
)
"""What the holder may sign beside RFC 9901's claims: OpenID4VP section 8.4, and our own claim."""


def sign_key_binding(
    sd_jwt: SdJwt,
    *,
    hash_algorithm: str,
    holder_key: Key,
    audience: str,
    nonce: str,
    issued_at: int,
    extra_claims: JsonObject | None = None,
) -> SdJwt:
    """Return the SD-JWT+KB that answers one request.

    Args:
        sd_jwt: With exactly the disclosures to show.
        hash_algorithm: That of the credential's `_sd_alg`.
        holder_key: The private key that the credential's `cnf` names.
        audience: The verifier, for OpenID4VP its full `client_id`.
        nonce: The request's.
        issued_at: Seconds since 1970-01-01 UTC.
        extra_claims: Any of `EXTRA_CLAIMS`.

    Raises:
        CredentialFormatError: `sd_jwt` is bound already, an extra claim is not one of
            `EXTRA_CLAIMS`, or is not JSON.
        KeyFormatError: The key is not a private key of an allowed kind.
    """
    if sd_jwt.key_binding_jwt is not None:
        raise CredentialFormatError("this SD-JWT already has a key binding")
    extra = extra_claims or {}
    require_known_claims(extra)
    claims: JsonObject = {
        "iat": issued_at,
        "aud": audience,
        "nonce": nonce,
        "sd_hash": digest_of(sd_jwt.hashed_part, hash_algorithm),
        **extra,
    }
    return replace(
        sd_jwt, key_binding_jwt=sign_compact({"typ": KEY_BINDING_TYP}, claims, holder_key)
    )


def verify_key_binding(
    sd_jwt: SdJwt,
    *,
    hash_algorithm: str,
    holder_key: Key,
    expected_audience: str,
    expected_nonce: str,
    now_s: int,
    max_age_s: int,
    leeway_s: int,
) -> JsonObject:
    """Return the claims of the key binding, now known to be the holder's for this request.

    Args:
        sd_jwt: The SD-JWT+KB.
        hash_algorithm: That of the credential's `_sd_alg`.
        holder_key: The key that the verified credential's `cnf` names.
        expected_audience: This verifier, as its request named it.
        expected_nonce: The request's.
        now_s: Seconds since 1970-01-01 UTC.
        max_age_s: How many seconds a key binding may be old.
        leeway_s: How many seconds the two clocks may differ.

    Raises:
        HolderBindingError: No key binding; malformed; another key, audience or SD-JWT.
        NonceMismatchError: The nonce of another request.
        ExpiredError: Too old, or from the future.
    """
    if sd_jwt.key_binding_jwt is None:
        raise HolderBindingError("a key binding is required, and the presentation has none")
    try:
        _, claims = verify_compact(sd_jwt.key_binding_jwt, holder_key, KEY_BINDING_TYP)
    except ClientError as error:
        raise HolderBindingError(f"key binding: {error}") from None
    if claims.get("sd_hash") != digest_of(sd_jwt.hashed_part, hash_algorithm):
        raise HolderBindingError("key binding: made for other disclosures (sd_hash)")
    check_binding_claims(
        claims,
        expected_audience=expected_audience,
        expected_nonce=expected_nonce,
        now_s=now_s,
        max_age_s=max_age_s,
        leeway_s=leeway_s,
    )
    return claims


def require_known_claims(extra: JsonObject) -> None:
    """Refuse what a holder does not sign beside a standard's claims.

    Raises:
        CredentialFormatError: A claim is none of `EXTRA_CLAIMS`.
    """
    if not extra.keys() <= EXTRA_CLAIMS:
        raise CredentialFormatError(
            f"a key binding may carry {', '.join(sorted(EXTRA_CLAIMS))} and no other extra claim"
        )


def check_binding_claims(
    claims: JsonObject,
    *,
    expected_audience: str,
    expected_nonce: str,
    now_s: int,
    max_age_s: int,
    leeway_s: int,
) -> None:
    """Refuse what a holder signed for another verifier, request or time.

    Raises:
        HolderBindingError: Of another audience, or malformed.
        NonceMismatchError: The nonce of another request.
        ExpiredError: Too old, or from the future.
    """
    if claims.get("aud") != expected_audience:
        raise HolderBindingError("key binding: made for another verifier (aud)")
    if claims.get("nonce") != expected_nonce:
        raise NonceMismatchError("key binding: answers another request (nonce)")
    issued = claims.get("iat")
    if isinstance(issued, bool) or not isinstance(issued, int | float):
        raise HolderBindingError("key binding: iat must be a number of seconds since 1970")
    if now_s - leeway_s - max_age_s > issued:
        raise ExpiredError(f"key binding: older than {max_age_s} seconds (iat)")
    try:
        validate_times(claims, now_s=now_s, leeway_s=leeway_s)
    except CredentialFormatError as error:
        raise HolderBindingError(f"key binding: {error}") from None
