"""W3C presentations secured as a JWT, `vp+jwt`, with one enveloped credential (VC-JOSE-COSE)."""

from typing import Final

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import Key, UnverifiedToken, parse_compact, sign_compact
from client_sdk.credentials.sd_jwt_key_binding import check_binding_claims, require_known_claims
from client_sdk.credentials.w3c_vc import CONTEXT, only_credential
from client_sdk.errors import ClientError, CredentialFormatError, HolderBindingError

VP_JWT_TYP: Final = "vp+jwt"
_CONTENT_TYPE: Final = "vp"
_ENVELOPE: Final = "EnvelopedVerifiableCredential"
_DATA_URL: Final = "data:application/vc+jwt,"


def sign_vp_jwt(
    credential: str,
    *,
    holder: str,
    holder_key: Key,
    audience: str,
    nonce: str,
    issued_at: int,
    extra_claims: JsonObject | None = None,
) -> str:
    """Return a presentation of a `vc+jwt` (VC-JOSE-COSE section 3.1.2, OpenID4VP Appendix B.1.3.1).

    Args:
        credential: The credential.
        holder: The holder's DID.
        holder_key: The private key that the credential is bound to.
        audience: The verifier, for OpenID4VP its full `client_id`.
        nonce: The request's.
        issued_at: Seconds since 1970-01-01 UTC.
        extra_claims: Any of `sd_jwt_key_binding.EXTRA_CLAIMS`.

    Raises:
        CredentialFormatError: An extra claim is none of them, or it would be too long.
        KeyFormatError: The key is not a private key of an allowed kind.
    """
    extra = extra_claims or {}
    require_known_claims(extra)
    presentation: JsonObject = {
        "@context": [CONTEXT],
        "type": ["VerifiablePresentation"],
        "holder": holder,
        "verifiableCredential": [
            {"@context": CONTEXT, "type": _ENVELOPE, "id": f"{_DATA_URL}{credential}"}
        ],
        "iat": issued_at,
        "aud": audience,
        "nonce": nonce,
        **extra,
    }
    return sign_compact({"typ": VP_JWT_TYP, "cty": _CONTENT_TYPE}, presentation, holder_key)


def parse_vp_jwt(text: str) -> tuple[UnverifiedToken, str]:
    """Return a presentation, unverified, and the `vc+jwt` in it.

    Raises:
        CredentialFormatError: Not a `vp+jwt` of exactly one enveloped `vc+jwt`, or it has the
            claims `vc` or `vp` of older drafts.
    """
    token = parse_compact(text)
    payload = token.unverified_payload
    if "vc" in payload or "vp" in payload:
        raise CredentialFormatError(
            "the payload is the presentation: vc and vp may not stand there"
        )
    match only_credential(payload):
        case {
            "type": ("EnvelopedVerifiableCredential" | ["EnvelopedVerifiableCredential"]),
            **more,
        }:
            url = more.get("id")
        case _:
            raise CredentialFormatError("presentation: an enveloped credential is expected")
    if not isinstance(url, str) or not url.startswith(_DATA_URL):
        raise CredentialFormatError(f"presentation: a credential as {_DATA_URL}... is expected")
    return token, url.removeprefix(_DATA_URL)


def verify_vp_jwt(
    token: UnverifiedToken,
    *,
    holder_key: Key,
    expected_audience: str,
    expected_nonce: str,
    now_s: int,
    max_age_s: int,
    leeway_s: int,
) -> JsonObject:
    """Return the presentation, now known to be the holder's for this request.

    Args:
        token: From `parse_vp_jwt`.
        holder_key: The key that the verified credential is bound to.
        expected_audience: This verifier, as its request named it.
        expected_nonce: The request's.
        now_s: Seconds since 1970-01-01 UTC.
        max_age_s: How many seconds it may be old.
        leeway_s: How many seconds the two clocks may differ.

    Raises:
        HolderBindingError: Of another key or audience, or malformed.
        NonceMismatchError: The nonce of another request.
        ExpiredError: Too old, or from the future.
    """
    try:
        header, claims = token.verify(key=holder_key, expected_typ=VP_JWT_TYP)
    except ClientError as error:
        raise HolderBindingError(f"presentation: {error}") from None
    if header.get("cty", _CONTENT_TYPE) != _CONTENT_TYPE:
        raise HolderBindingError(f"presentation: cty {_CONTENT_TYPE!r} is expected")
    check_binding_claims(
        claims,
        expected_audience=expected_audience,
        expected_nonce=expected_nonce,
        now_s=now_s,
        max_age_s=max_age_s,
        leeway_s=leeway_s,
    )
    return claims
