"""The verifier's side of SD-JWT VC (RFC 9901 section 7.3, SD-JWT VC section 2.4)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TypeAlias

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import Key, export_public_jwk, validate_times
from client_sdk.credentials.sd_jwt import hash_algorithm_of
from client_sdk.credentials.sd_jwt_key_binding import verify_key_binding
from client_sdk.credentials.sd_jwt_vc.parsing import (
    CREDENTIAL_TYP,
    parse_unverified,
    reveal_claims,
)
from client_sdk.credentials.sd_jwt_vc_claims import holder_key_of, validate_type
from client_sdk.credentials.selective_disclosure import Path
from client_sdk.errors import HolderBindingError

FindIssuerKey: TypeAlias = Callable[[JsonObject, JsonObject], Key]
"""Gives the issuer's key for an unverified header and payload, or raises a `ClientError`."""


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
    sd_jwt, token = parse_unverified(text)
    if (sd_jwt.key_binding_jwt is not None) is not key_binding_required:
        raise HolderBindingError(
            "a key binding is required, and the presentation has none"
            if key_binding_required
            else "no key binding was asked for, and the presentation has one"
        )
    issuer_key = find_issuer_key(token.unverified_header, token.unverified_payload)
    header, payload = token.verify(key=issuer_key, expected_typ=CREDENTIAL_TYP)
    revealed = reveal_claims(token, sd_jwt)
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
