"""SD-JWT VC, `dc+sd-jwt`, as one of the formats (OpenID4VCI 1.0 Appendix A.3)."""

from collections.abc import Collection, Sequence
from typing import Final

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import Key
from client_sdk.credentials.sd_jwt_vc import (
    CredentialSigner,
    anchor_hash,
    issue_credential,
    parse_credential,
    verify_presentation,
)
from client_sdk.credentials.sd_jwt_vc_claims import NEVER_CONCEALED, PLACE_CLAIM, types_of
from client_sdk.credentials.selective_disclosure import Path, PathPattern
from client_sdk.formats.interface import (
    CredentialTerms,
    ExpectedBinding,
    FindIssuerKey,
    HolderBinding,
    ReadCredential,
    VerifiedPresentation,
)
from client_sdk.formats.text_format import SdJwtFormat


class DcSdJwt(SdJwtFormat):
    """The format `dc+sd-jwt`."""

    identifier: Final = "dc+sd-jwt"
    attribute_prefix: Final[Path] = ()
    own_claims: Final = NEVER_CONCEALED | {"iat", PLACE_CLAIM}

    def issue(self, terms: CredentialTerms, issuer_key: Key | CredentialSigner) -> str:
        """Return a new credential with all its disclosures."""
        header: JsonObject = {"kid": terms.key_id}
        if terms.certificates:
            header["x5c"] = [*terms.certificates]
        return issue_credential(
            claims={**terms.attributes, **terms.more},
            concealed=terms.concealed,
            vct=terms.credential_type,
            issuer=terms.issuer_url,
            issuer_key=issuer_key,
            issued_at=terms.issued_at,
            expires_at=terms.expires_at,
            holder_key=terms.holder_key,
            header=header,
        )

    def read(self, credential: str) -> ReadCredential:
        """Return what a credential says."""
        held = parse_credential(credential)
        return _read(
            held.unverified_header,
            held.unverified_claims,
            held.sd_jwt.issuer_jwt,
            held.concealed_paths,
            held.holder_key,
        )

    def disclose(self, credential: str, *, paths: Collection[PathPattern]) -> str:
        """Return a presentation without key binding."""
        return parse_credential(credential).disclose(paths=paths)

    def present(
        self,
        credential: str,
        *,
        paths: Collection[PathPattern],
        holder_key: Key,
        binding: HolderBinding,
    ) -> str:
        """Return an SD-JWT+KB."""
        return parse_credential(credential).present(
            paths=paths,
            holder_key=holder_key,
            audience=binding.audience,
            nonce=binding.nonce,
            issued_at=binding.issued_at,
            extra_claims=binding.extra_claims,
        )

    def verify(
        self,
        presentation: str,
        *,
        find_issuer_key: FindIssuerKey,
        expected_types: Sequence[Collection[str]],
        binding: ExpectedBinding | None,
        now_s: int,
        leeway_s: int,
    ) -> VerifiedPresentation:
        """Return an SD-JWT+KB, verified; an SD-JWT, where no binding is expected."""
        issuer_jwt = presentation.partition("~")[0]
        verified = verify_presentation(
            presentation,
            find_issuer_key=lambda header, payload: find_issuer_key(
                _read(header, payload, issuer_jwt, (), None)
            ),
            expected_vcts=[vct for types in expected_types for vct in types],
            expected_audience="" if binding is None else binding.audience,
            expected_nonce="" if binding is None else binding.nonce,
            now_s=now_s,
            max_age_s=0 if binding is None else binding.max_age_s,
            leeway_s=leeway_s,
            key_binding_required=binding is not None,
        )
        read = _read(
            verified.header,
            verified.claims,
            issuer_jwt,
            verified.disclosed_paths,
            verified.holder_key,
        )
        return read.bound_by(verified.key_binding)


def _read(
    header: JsonObject,
    claims: JsonObject,
    issuer_jwt: str,
    paths: tuple[Path, ...],
    holder_key: JsonObject | None,
) -> ReadCredential:
    issuer, key_id, expires = claims.get("iss"), header.get("kid"), claims.get("exp")
    return ReadCredential(
        format=DcSdJwt.identifier,
        credential_type=types_of(claims)[0],
        types=frozenset(types_of(claims)),
        claims=claims,
        disclosed_paths=paths,
        header=header,
        key_id=key_id if isinstance(key_id, str) else "",
        issuer=issuer if isinstance(issuer, str) else None,
        holder_key=holder_key,
        expires_at=int(expires) if isinstance(expires, int | float) else None,
        anchored_hash=anchor_hash(issuer_jwt),
    )
