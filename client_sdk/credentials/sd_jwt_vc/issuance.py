"""The issuer's side of SD-JWT VC: claims and keys into a credential."""

from collections.abc import Collection
from typing import Final, Protocol

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    parse_public_jwk,
    sign_compact,
    sign_compact_elsewhere,
)
from client_sdk.credentials.sd_jwt import MAX_SD_JWT_CHARS, SdJwt
from client_sdk.credentials.sd_jwt_vc.parsing import CREDENTIAL_TYP
from client_sdk.credentials.sd_jwt_vc_claims import NEVER_CONCEALED, has_open_claim, validate_claims
from client_sdk.credentials.selective_disclosure import Concealed, Path, conceal
from client_sdk.errors import CredentialFormatError

_SET_BY_ARGUMENTS: Final = frozenset({"iss", "iat", "exp", "cnf", "vct"})


class CredentialSigner(Protocol):
    """Whoever has the private key of credentials and status lists, where it is not at hand."""

    @property
    def public_key(self) -> Key:
        """The public half."""

    def sign(self, signing_input: bytes, disclosures: tuple[str, ...]) -> bytes:
        """Return the signature of what a signer may want to read first.

        Args:
            signing_input: Header and payload (RFC 7515 section 5.1).
            disclosures: All that a credential's digests stand for; none for a status list.
        """


def issue_credential(
    *,
    claims: JsonObject,
    concealed: Collection[Path],
    vct: str,
    issuer: str,
    issuer_key: Key | CredentialSigner,
    issued_at: int,
    expires_at: int | None = None,
    holder_key: JsonObject | None = None,
    header: JsonObject | None = None,
    decoy_count: int = 0,
) -> str:
    """Return a new credential with all its disclosures.

    Args:
        claims: The subject's attributes, and `nbf`, `status`, `aka_vcts` or `vct#integrity` if any.
        concealed: The claims that the holder may keep back.
        vct: The credential's type.
        issuer: The `iss` claim.
        issuer_key: The private key that signs, or whoever has it.
        issued_at: Seconds since 1970-01-01 UTC.
        expires_at: Seconds since 1970-01-01 UTC.
        holder_key: The holder's public JWK, from a checked proof of possession.
        header: More header parameters, such as `kid` or `x5c`.
        decoy_count: How many digests of nothing stand wherever something is concealed.

    Raises:
        CredentialFormatError: A claim that must stay open is to be concealed, a claim is given that
            an argument sets, `header` names `typ`, or as `conceal` and `sign_compact`.
        KeyFormatError: A key is not of an allowed kind, or `issuer_key` is only a public half.
    """
    if not _SET_BY_ARGUMENTS.isdisjoint(claims):
        raise CredentialFormatError(f"set by arguments: {', '.join(sorted(_SET_BY_ARGUMENTS))}")
    if has_open_claim(concealed):
        raise CredentialFormatError(f"never concealed: {', '.join(sorted(NEVER_CONCEALED))}")
    if header and "typ" in header:
        raise CredentialFormatError(f"header: typ is always {CREDENTIAL_TYP}")
    payload: JsonObject = {"iss": issuer, "iat": issued_at, "vct": vct}
    if expires_at is not None:
        payload["exp"] = expires_at
    if holder_key is not None:
        payload["cnf"] = {"jwk": export_public_jwk(parse_public_jwk(holder_key))}
    payload.update(claims)
    validate_claims(payload)
    result = conceal(payload, concealed, decoy_count=decoy_count)
    issuer_jwt = _sign(result, {**(header or {}), "typ": CREDENTIAL_TYP}, issuer_key)
    credential = SdJwt(issuer_jwt=issuer_jwt, disclosures=result.disclosures).encode()
    if len(credential) > MAX_SD_JWT_CHARS:
        raise CredentialFormatError(f"a credential may have {MAX_SD_JWT_CHARS} characters at most")
    return credential


def public_key_of(issuer_key: Key | CredentialSigner) -> Key:
    """Return the key that an issuer's credentials are verified with."""
    return issuer_key if isinstance(issuer_key, Key) else issuer_key.public_key


def _sign(result: Concealed, header: JsonObject, issuer_key: Key | CredentialSigner) -> str:
    if isinstance(issuer_key, Key):
        return sign_compact(header, result.payload, issuer_key)
    disclosures = tuple(disclosure.encoded for disclosure in result.disclosures)
    return sign_compact_elsewhere(
        header,
        result.payload,
        issuer_key.public_key,
        lambda signing_input: issuer_key.sign(signing_input, disclosures),
    )
