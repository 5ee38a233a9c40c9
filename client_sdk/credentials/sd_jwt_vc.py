"""SD-JWT VC: credentials issued, received, presented, verified (draft-ietf-oauth-sd-jwt-vc-18)."""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, TypeAlias

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import (
    Key,
    UnverifiedToken,
    export_public_jwk,
    parse_compact,
    parse_public_jwk,
    sign_compact,
    sign_compact_elsewhere,
    validate_times,
)
from client_sdk.credentials.sd_jwt import MAX_SD_JWT_CHARS, SdJwt, hash_algorithm_of, parse_sd_jwt
from client_sdk.credentials.sd_jwt_key_binding import sign_key_binding, verify_key_binding
from client_sdk.credentials.sd_jwt_vc_claims import (
    NEVER_CONCEALED,
    has_open_claim,
    holder_key_of,
    validate_claims,
    validate_type,
)
from client_sdk.credentials.selective_disclosure import (
    Concealed,
    Path,
    PathPattern,
    Revealed,
    conceal,
    reveal,
    select_disclosures,
)
from client_sdk.errors import (
    CredentialFormatError,
    DisclosureError,
    HolderBindingError,
)

CREDENTIAL_TYP: Final = "dc+sd-jwt"
_SET_BY_ARGUMENTS: Final = frozenset({"iss", "iat", "exp", "cnf", "vct"})

FindIssuerKey: TypeAlias = Callable[[JsonObject, JsonObject], Key]
"""Gives the issuer's key for an unverified header and payload, or raises a `ClientError`."""


class CredentialSigner(Protocol):
    """Whoever has the private key that credentials are signed with, where it is not at hand."""

    @property
    def public_key(self) -> Key:
        """The public half."""

    def sign(self, signing_input: bytes, disclosures: tuple[str, ...]) -> bytes:
        """Return the signature of a credential, which a signer may want to read first.

        Args:
            signing_input: Header and payload (RFC 7515 section 5.1).
            disclosures: All that the payload's digests stand for.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCredential:
    """A credential as its holder sees it; nothing of it is verified.

    Attributes:
        sd_jwt: Its parts.
        unverified_header: The issuer-signed JWT's header.
        unverified_claims: All claims, with every disclosure put back.
        concealed_paths: The claims that can be kept back, parents first.
    """

    sd_jwt: SdJwt
    unverified_header: JsonObject
    unverified_claims: JsonObject = field(repr=False)
    concealed_paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedCredential:
    """A credential known to be signed by its issuer, for this holder to keep.

    Attributes:
        claims: All claims.
        concealed_paths: The claims that can be kept back, parents first.
        holder_key: The public JWK it is bound to; `None` when it is bound to none.
        issuer_jwt: The issuer-signed JWT, whose hash the ledger anchors.
        header: That JWT's header.
    """

    claims: JsonObject = field(repr=False)
    concealed_paths: tuple[Path, ...]
    holder_key: JsonObject | None
    issuer_jwt: str = field(repr=False)
    header: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedPresentation:
    """A presentation known to be of its issuer's credential and, where required, by its holder.

    Attributes:
        claims: What was shown.
        disclosed_paths: The shown claims that the holder could have kept back, parents first.
            Positions count the undisclosed elements of an array too.
        holder_key: The public JWK in `cnf`; `None` when the credential is bound to none.
        key_binding: The claims of the key binding; empty when none was required.
        issuer_jwt: The issuer-signed JWT, whose hash the ledger anchors.
        header: That JWT's header.
    """

    claims: JsonObject = field(repr=False)
    disclosed_paths: tuple[Path, ...]
    holder_key: JsonObject | None
    key_binding: JsonObject = field(repr=False)
    issuer_jwt: str = field(repr=False)
    header: JsonObject


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


def parse_credential(text: str) -> HeldCredential:
    """Return the parts and claims of a credential in a wallet, without verifying them.

    Raises:
        CredentialFormatError: Not a well-formed SD-JWT VC, or one with a key binding.
        DisclosureError: A disclosure does not belong to it.
    """
    sd_jwt, token = _parse(text)
    _refuse_key_binding(sd_jwt)
    revealed = _reveal(token, sd_jwt)
    return HeldCredential(
        sd_jwt=sd_jwt,
        unverified_header=token.unverified_header,
        unverified_claims=revealed.claims,
        concealed_paths=revealed.paths,
    )


def verify_credential(
    text: str, *, issuer_key: Key, expected_vct: str, now_s: int, leeway_s: int
) -> VerifiedCredential:
    """Return a credential that its holder just received, verified (RFC 9901 section 7.2).

    Args:
        text: The credential, with all disclosures.
        issuer_key: The key that the issuer is known to sign with.
        expected_vct: The type that was asked for.
        now_s: Seconds since 1970-01-01 UTC.
        leeway_s: How many seconds the two clocks may differ.

    Raises:
        CredentialFormatError: Not a well-formed SD-JWT VC, or one with a key binding.
        SignatureError: Not signed under `issuer_key`.
        DisclosureError: A disclosure does not belong to it.
        RequestMismatchError: A credential of another type.
        ExpiredError: Not valid now.
        HolderBindingError: It is bound to something that is no key (`cnf`).
        KeyFormatError: `issuer_key` is not of an allowed kind.
    """
    sd_jwt, token = _parse(text)
    _refuse_key_binding(sd_jwt)
    header, _ = token.verify(key=issuer_key, expected_typ=CREDENTIAL_TYP)
    revealed = _reveal(token, sd_jwt)
    validate_type(revealed.claims, (expected_vct,))
    validate_times(revealed.claims, now_s=now_s, leeway_s=leeway_s)
    holder_key = holder_key_of(revealed.claims)
    return VerifiedCredential(
        claims=revealed.claims,
        concealed_paths=revealed.paths,
        holder_key=export_public_jwk(holder_key) if holder_key else None,
        issuer_jwt=sd_jwt.issuer_jwt,
        header=header,
    )


def disclose_credential(text: str, *, paths: Collection[PathPattern]) -> str:
    """Return a presentation without key binding, for a verifier that requires none.

    Args:
        text: The credential, with all disclosures.
        paths: The claims to show; `None` in a path stands for every element of an array.

    Raises:
        CredentialFormatError: Not a well-formed SD-JWT VC, or one with a key binding.
        DisclosureError: A disclosure does not belong to it.
        RequestError: There is no claim at a path.
    """
    sd_jwt, token = _parse(text)
    return _select(sd_jwt, token, paths).encode()


def present_credential(
    text: str,
    *,
    paths: Collection[PathPattern],
    holder_key: Key,
    audience: str,
    nonce: str,
    issued_at: int,
    extra_claims: JsonObject | None = None,
) -> str:
    """Return a presentation that shows the claims at `paths`, bound to one request.

    Args:
        text: The credential, with all disclosures.
        paths: The claims to show; `None` in a path stands for every element of an array.
        holder_key: The private key that the credential is bound to.
        audience: The verifier, for OpenID4VP its full `client_id`.
        nonce: The request's.
        issued_at: Seconds since 1970-01-01 UTC.
        extra_claims: More for the holder to sign: see `sd_jwt_key_binding.EXTRA_CLAIMS`.

    Raises:
        CredentialFormatError: Not a well-formed SD-JWT VC, or one with a key binding.
        DisclosureError: A disclosure does not belong to it.
        RequestError: There is no claim at a path.
        HolderBindingError: The credential is bound to another key or to none.
        KeyFormatError: `holder_key` is only a public half.
    """
    sd_jwt, token = _parse(text)
    bound_key = holder_key_of(token.unverified_payload)
    if bound_key is None or export_public_jwk(bound_key) != export_public_jwk(holder_key):
        raise HolderBindingError("the credential is not bound to the wallet's key")
    bound = sign_key_binding(
        _select(sd_jwt, token, paths),
        hash_algorithm=hash_algorithm_of(token.unverified_payload),
        holder_key=holder_key,
        audience=audience,
        nonce=nonce,
        issued_at=issued_at,
        extra_claims=extra_claims,
    )
    return bound.encode()


def verify_presentation(
    text: str,
    *,
    find_issuer_key: FindIssuerKey,
    expected_vcts: Collection[str],
    expected_audience: str,
    expected_nonce: str,
    now_s: int,
    max_age_s: int,
    leeway_s: int,
    key_binding_required: bool = True,
) -> VerifiedPresentation:
    """Return a presentation, verified (RFC 9901 section 7.3, SD-JWT VC section 2.4).

    Args:
        text: The presentation.
        find_issuer_key: Gives the key of the issuer that header and payload name, from a trusted
            source, or raises.
        expected_vcts: The types that were asked for; one must match `vct` or `aka_vcts`.
        expected_audience: This verifier, as its request named it.
        expected_nonce: The request's.
        now_s: Seconds since 1970-01-01 UTC.
        max_age_s: How many seconds a key binding may be old.
        leeway_s: How many seconds the two clocks may differ.
        key_binding_required: The verifier's policy. When false, a key binding is refused rather
            than ignored, and audience, nonce and age are not looked at.

    Raises:
        CredentialFormatError: Not a well-formed SD-JWT VC.
        SignatureError: Not signed under the issuer's key.
        DisclosureError: A disclosure does not belong to it, or was changed.
        RequestMismatchError: A credential of another type.
        ExpiredError: Credential or key binding is not valid now.
        HolderBindingError: The key binding is absent, or of another key, verifier or SD-JWT.
        NonceMismatchError: The key binding answers another request.
        KeyFormatError: The issuer's key is not of an allowed kind.
    """
    sd_jwt, token = _parse(text)
    if (sd_jwt.key_binding_jwt is not None) is not key_binding_required:
        raise HolderBindingError(
            "a key binding is required, and the presentation has none"
            if key_binding_required
            else "no key binding was asked for, and the presentation has one"
        )
    issuer_key = find_issuer_key(token.unverified_header, token.unverified_payload)
    header, payload = token.verify(key=issuer_key, expected_typ=CREDENTIAL_TYP)
    revealed = _reveal(token, sd_jwt)
    validate_type(revealed.claims, expected_vcts)
    validate_times(revealed.claims, now_s=now_s, leeway_s=leeway_s)
    holder_key = holder_key_of(revealed.claims)
    key_binding: JsonObject = {}
    if key_binding_required:
        if holder_key is None:
            raise HolderBindingError("the credential is bound to no key (cnf)")
        key_binding = verify_key_binding(
            sd_jwt,
            hash_algorithm=hash_algorithm_of(payload),
            holder_key=holder_key,
            expected_audience=expected_audience,
            expected_nonce=expected_nonce,
            now_s=now_s,
            max_age_s=max_age_s,
            leeway_s=leeway_s,
        )
    return VerifiedPresentation(
        claims=revealed.claims,
        disclosed_paths=revealed.paths,
        holder_key=export_public_jwk(holder_key) if holder_key else None,
        key_binding=key_binding,
        issuer_jwt=sd_jwt.issuer_jwt,
        header=header,
    )


def anchor_hash(issuer_jwt: str) -> bytes:
    """Return the 32-byte SHA-256 of an issuer-signed JWT: what the ledger anchors.

    Raises:
        CredentialFormatError: Not ASCII, so not a JWT.
    """
    try:
        return hashlib.sha256(issuer_jwt.encode("ascii")).digest()
    except UnicodeEncodeError:
        raise CredentialFormatError("a JWT is ASCII text") from None


def _parse(text: str) -> tuple[SdJwt, UnverifiedToken]:
    sd_jwt = parse_sd_jwt(text)
    return sd_jwt, parse_compact(sd_jwt.issuer_jwt)


def _refuse_key_binding(sd_jwt: SdJwt) -> None:
    if sd_jwt.key_binding_jwt is not None:
        raise CredentialFormatError(
            "a credential, not a presentation with a key binding, is needed"
        )


def _select(sd_jwt: SdJwt, token: UnverifiedToken, paths: Collection[PathPattern]) -> SdJwt:
    _refuse_key_binding(sd_jwt)
    chosen = select_disclosures(token.unverified_payload, sd_jwt.disclosures, paths)
    return replace(sd_jwt, disclosures=chosen)


def _reveal(token: UnverifiedToken, sd_jwt: SdJwt) -> Revealed:
    revealed = reveal(token.unverified_payload, sd_jwt.disclosures)
    if has_open_claim(revealed.paths):
        raise DisclosureError(f"never disclosed apart: {', '.join(sorted(NEVER_CONCEALED))}")
    validate_claims(revealed.claims)
    return revealed
