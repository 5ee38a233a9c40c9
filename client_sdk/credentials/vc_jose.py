"""W3C credentials secured as a JWT, `vc+jwt`, and as an SD-JWT, `vc+sd-jwt` (VC-JOSE-COSE).

The payload is the credential itself: the claims `vc` and `vp` of older drafts are refused.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import (
    Key,
    UnverifiedToken,
    parse_compact,
    sign_compact,
    validate_times,
)
from client_sdk.credentials.sd_jwt import (
    DEFAULT_HASH,
    MAX_SD_JWT_CHARS,
    SdJwt,
    hash_algorithm_of,
    parse_sd_jwt,
)
from client_sdk.credentials.selective_disclosure import Path, conceal, reveal
from client_sdk.credentials.w3c_vc import issuer_of, validate_credential, validate_period
from client_sdk.errors import CredentialFormatError, DisclosureError, SignatureError

JWT_TYP: Final = "vc+jwt"
SD_JWT_TYP: Final = "vc+sd-jwt"
_CONTENT_TYPE: Final = "vc"
_NEVER_CONCEALED: Final = frozenset({"@context", "type", "issuer", "credentialStatus", "cnf"})
"""What a verifier reads before anything else: with these kept back, nothing could be checked."""

FindIssuerKey: TypeAlias = Callable[[JsonObject, JsonObject], Key]
"""Gives the issuer's key for an unverified header and credential, or raises a `ClientError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedW3cCredential:
    """A credential known to be signed by its issuer and valid now.

    Attributes:
        credential: The credential, with the claims that were disclosed.
        header: The header of the issuer-signed JWT.
        issuer_jwt: The issuer-signed JWT, whose hash the ledger anchors.
        disclosed_paths: The claims that could have been kept back, parents first.
        hash_algorithm: What digests and a key binding's `sd_hash` are made with.
    """

    credential: JsonObject = field(repr=False)
    header: JsonObject
    issuer_jwt: str = field(repr=False)
    disclosed_paths: tuple[Path, ...] = ()
    hash_algorithm: str = DEFAULT_HASH


def sign_vc_jwt(
    credential: JsonObject, *, issuer_key: Key, header: JsonObject | None = None
) -> str:
    """Return the credential as a JWT (section 3.1.1).

    Args:
        credential: A credential of the data model 2.0.
        issuer_key: The private key that signs.
        header: More header parameters, such as `kid`.

    Raises:
        CredentialFormatError: It is no such credential, or would be too long.
        KeyFormatError: `issuer_key` is only a public half.
    """
    _validate_payload(credential)
    return sign_compact(_header(JWT_TYP, header), credential, issuer_key)


def sign_vc_sd_jwt(
    credential: JsonObject,
    *,
    concealed: Collection[Path],
    issuer_key: Key,
    header: JsonObject | None = None,
    decoy_count: int = 0,
) -> str:
    """Return the credential as an SD-JWT with all its disclosures (section 3.2.1).

    Args:
        credential: A credential of the data model 2.0.
        concealed: The claims that the holder may keep back, such as
            `("credentialSubject", "address")`.
        issuer_key: The private key that signs.
        header: More header parameters, such as `kid`.
        decoy_count: How many digests of nothing stand wherever something is concealed.

    Raises:
        CredentialFormatError: It is no such credential, a claim that must stay open is to be
            concealed, or it would be too long.
        KeyFormatError: `issuer_key` is only a public half.
    """
    _validate_payload(credential)
    if _reaches_open_claim(concealed):
        raise CredentialFormatError(f"never concealed: {', '.join(sorted(_NEVER_CONCEALED))}")
    result = conceal(credential, concealed, decoy_count=decoy_count)
    issuer_jwt = sign_compact(_header(SD_JWT_TYP, header), result.payload, issuer_key)
    text = SdJwt(issuer_jwt=issuer_jwt, disclosures=result.disclosures).encode()
    if len(text) > MAX_SD_JWT_CHARS:
        raise CredentialFormatError(f"a credential may have {MAX_SD_JWT_CHARS} characters at most")
    return text


def verify_vc_jwt(
    text: str, *, find_issuer_key: FindIssuerKey, now_s: int, leeway_s: int
) -> VerifiedW3cCredential:
    """Return the credential of a `vc+jwt` (section 5.1).

    Args:
        text: The JWT.
        find_issuer_key: Gives the issuer's key, from a trusted source.
        now_s: Seconds since 1970-01-01 UTC.
        leeway_s: How many seconds the two clocks may differ.

    Raises:
        CredentialFormatError: Not such a JWT, or not a credential of the data model 2.0.
        SignatureError: Not signed under the issuer's key, or `iss` is not its issuer.
        ExpiredError: Not valid now.
    """
    token = parse_compact(text)
    header, credential = _verify(token, JWT_TYP, find_issuer_key)
    _validate_revealed(credential, now_s=now_s, leeway_s=leeway_s)
    return VerifiedW3cCredential(credential=credential, header=header, issuer_jwt=text)


def verify_vc_sd_jwt(
    text: str, *, find_issuer_key: FindIssuerKey, now_s: int, leeway_s: int
) -> VerifiedW3cCredential:
    """Return the credential of a `vc+sd-jwt` without key binding (section 5.2).

    Args:
        text: The SD-JWT, with the disclosures that its holder chose.
        find_issuer_key: Gives the issuer's key, from a trusted source.
        now_s: Seconds since 1970-01-01 UTC.
        leeway_s: How many seconds the two clocks may differ.

    Raises:
        CredentialFormatError: Not such an SD-JWT, or not a credential of the data model 2.0.
        SignatureError: Not signed under the issuer's key, or `iss` is not its issuer.
        DisclosureError: A disclosure does not belong to it.
        ExpiredError: Not valid now.
    """
    sd_jwt = parse_sd_jwt(text)
    if sd_jwt.key_binding_jwt is not None:
        raise CredentialFormatError("a credential without key binding is expected")
    token = parse_compact(sd_jwt.issuer_jwt)
    header, payload = _verify(token, SD_JWT_TYP, find_issuer_key)
    revealed = reveal(payload, sd_jwt.disclosures)
    if _reaches_open_claim(revealed.paths):
        raise DisclosureError(f"never disclosed apart: {', '.join(sorted(_NEVER_CONCEALED))}")
    _validate_revealed(revealed.claims, now_s=now_s, leeway_s=leeway_s)
    return VerifiedW3cCredential(
        credential=revealed.claims,
        header=header,
        issuer_jwt=sd_jwt.issuer_jwt,
        disclosed_paths=revealed.paths,
        hash_algorithm=hash_algorithm_of(payload),
    )


def _header(typ: str, more: JsonObject | None) -> JsonObject:
    if more and ("typ" in more or "cty" in more):
        raise CredentialFormatError(f"header: typ is always {typ}, cty always {_CONTENT_TYPE}")
    return {**(more or {}), "typ": typ, "cty": _CONTENT_TYPE}


def _verify(
    token: UnverifiedToken, typ: str, find_issuer_key: FindIssuerKey
) -> tuple[JsonObject, JsonObject]:
    key = find_issuer_key(token.unverified_header, token.unverified_payload)
    header, payload = token.verify(key=key, expected_typ=typ)
    if header.get("cty", _CONTENT_TYPE) != _CONTENT_TYPE:
        raise CredentialFormatError(f"JWT header: cty {_CONTENT_TYPE!r} is expected")
    return header, payload


def _validate_revealed(credential: JsonObject, *, now_s: int, leeway_s: int) -> None:
    _validate_payload(credential)
    if credential.get("iss", issuer_of(credential)) != issuer_of(credential):
        raise SignatureError("iss names another issuer than the credential (section 4.1.2)")
    validate_times(credential, now_s=now_s, leeway_s=leeway_s)
    validate_period(credential, now_s=now_s, leeway_s=leeway_s)


def _validate_payload(credential: JsonObject) -> None:
    if "vc" in credential or "vp" in credential:
        raise CredentialFormatError("the payload is the credential: vc and vp may not stand there")
    validate_credential(credential)


def _reaches_open_claim(paths: Collection[Path]) -> bool:
    return any(path[:1] and path[0] in _NEVER_CONCEALED for path in paths)
