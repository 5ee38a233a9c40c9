"""W3C credentials secured by JOSE, `jwt_vc_json` and `vc+sd-jwt` (VC-JOSE-COSE)."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import (
    Key,
    UnverifiedToken,
    export_public_jwk,
    parse_compact,
    parse_public_jwk,
)
from client_sdk.credentials.sd_jwt import SdJwt, hash_algorithm_of, parse_sd_jwt
from client_sdk.credentials.sd_jwt_key_binding import sign_key_binding, verify_key_binding
from client_sdk.credentials.sd_jwt_vc import CredentialSigner, anchor_hash
from client_sdk.credentials.sd_jwt_vc_claims import holder_key_of as cnf_key_of
from client_sdk.credentials.selective_disclosure import (
    Path,
    PathPattern,
    Revealed,
    has_claim,
    reveal,
    select_disclosures,
)
from client_sdk.credentials.vc_jose import (
    SD_JWT_TYP,
    sign_vc_jwt,
    sign_vc_sd_jwt,
    verify_vc_jwt,
    verify_vc_sd_jwt,
)
from client_sdk.credentials.vp_jose import VP_JWT_TYP, parse_vp_jwt, sign_vp_jwt, verify_vp_jwt
from client_sdk.credentials.w3c_vc import issuer_of, validate_credential
from client_sdk.did.resolution import did_jwk
from client_sdk.errors import (
    CredentialFormatError,
    HolderBindingError,
    KeyFormatError,
    RequestError,
)
from client_sdk.formats.interface import (
    CredentialTerms,
    ExpectedBinding,
    FindIssuerKey,
    HolderBinding,
    ReadCredential,
    VerifiedPresentation,
)
from client_sdk.formats.text_format import SdJwtFormat, TextFormat
from client_sdk.formats.w3c_document import (
    OWN_CLAIMS,
    SUBJECT,
    build_document,
    check_types,
    expanded_types,
    expiry_of,
    holder_key_of,
    own_type,
    require_holder,
)


class JwtVcJson(TextFormat):
    """The format `jwt_vc_json`: the credential is shown whole, in a presentation signed as JWT."""

    identifier: Final = "jwt_vc_json"
    attribute_prefix: Final[Path] = SUBJECT
    own_claims: Final = OWN_CLAIMS

    def issue(self, terms: CredentialTerms, issuer_key: Key | CredentialSigner) -> str:
        """Return a `vc+jwt`."""
        return sign_vc_jwt(
            build_document(terms), issuer_key=_own_key(issuer_key), header=_header(terms)
        )

    def is_bound(self, presentation: str) -> bool:
        """Tell whether it is a `vp+jwt`."""
        return parse_compact(presentation).unverified_header.get("typ") == VP_JWT_TYP

    def claimed_binding(self, presentation: str) -> JsonObject:
        """Return the claims of the `vp+jwt`."""
        return parse_compact(presentation).unverified_payload

    def anchored_hash(self, shown: str) -> bytes:
        """Return the hash of the issuer-signed JWT."""
        return anchor_hash(parse_vp_jwt(shown)[1] if self.is_bound(shown) else shown)

    def read(self, credential: str) -> ReadCredential:
        """Return what a `vc+jwt` says."""
        token = parse_compact(credential)
        validate_credential(token.unverified_payload)
        return _read(self.identifier, token.unverified_header, token.unverified_payload, credential)

    def disclose(self, credential: str, *, paths: Collection[PathPattern]) -> str:
        """Return the credential, which cannot be shown in part."""
        _require_claims(self.read(credential).claims, paths)
        return credential

    def present(
        self,
        credential: str,
        *,
        paths: Collection[PathPattern],
        holder_key: Key,
        binding: HolderBinding,
    ) -> str:
        """Return a `vp+jwt` with the credential."""
        document = self.read(credential).claims
        _require_claims(document, paths)
        require_holder(document, holder_key)
        return sign_vp_jwt(
            credential,
            holder=did_jwk(holder_key),
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
        """Return the credential of a `vp+jwt`; a `vc+jwt`, where no binding is expected."""
        token, credential = (None, presentation) if binding is None else parse_vp_jwt(presentation)
        verified = verify_vc_jwt(
            credential,
            find_issuer_key=lambda header, document: find_issuer_key(
                _read(self.identifier, header, document, credential)
            ),
            now_s=now_s,
            leeway_s=leeway_s,
        )
        check_types(verified.credential, expected_types)
        read = _read(self.identifier, verified.header, verified.credential, credential)
        if token is None or binding is None:
            return read.bound_by({})
        signed = verify_vp_jwt(
            token,
            holder_key=_holder_key(read),
            expected_audience=binding.audience,
            expected_nonce=binding.nonce,
            now_s=now_s,
            max_age_s=binding.max_age_s,
            leeway_s=leeway_s,
        )
        return read.bound_by(signed)


class VcSdJwt(SdJwtFormat):
    """The format `vc+sd-jwt`: each attribute can be kept back, and a key binding proves the holder.

    OpenID4VCI 1.0 names no format for it, and recommends the media type then.
    """

    identifier: Final = SD_JWT_TYP
    attribute_prefix: Final[Path] = SUBJECT
    own_claims: Final = OWN_CLAIMS

    def issue(self, terms: CredentialTerms, issuer_key: Key | CredentialSigner) -> str:
        """Return a `vc+sd-jwt` with all its disclosures."""
        document = build_document(terms)
        document["cnf"] = {"jwk": export_public_jwk(parse_public_jwk(terms.holder_key))}
        return sign_vc_sd_jwt(
            document,
            concealed=[(*SUBJECT, *path) for path in terms.concealed],
            issuer_key=_own_key(issuer_key),
            header=_header(terms),
        )

    def read(self, credential: str) -> ReadCredential:
        """Return what a `vc+sd-jwt` says."""
        sd_jwt, token, revealed = _open(credential)
        return _read(
            self.identifier,
            token.unverified_header,
            revealed.claims,
            sd_jwt.issuer_jwt,
            revealed.paths,
        )

    def disclose(self, credential: str, *, paths: Collection[PathPattern]) -> str:
        """Return a presentation without key binding."""
        sd_jwt, _, revealed = _open(credential)
        return replace(sd_jwt, disclosures=select_disclosures(revealed, paths)).encode()

    def present(
        self,
        credential: str,
        *,
        paths: Collection[PathPattern],
        holder_key: Key,
        binding: HolderBinding,
    ) -> str:
        """Return an SD-JWT+KB."""
        sd_jwt, token, revealed = _open(credential)
        require_holder(revealed.claims, holder_key)
        bound = sign_key_binding(
            replace(sd_jwt, disclosures=select_disclosures(revealed, paths)),
            hash_algorithm=hash_algorithm_of(token.unverified_payload),
            holder_key=holder_key,
            audience=binding.audience,
            nonce=binding.nonce,
            issued_at=binding.issued_at,
            extra_claims=binding.extra_claims,
        )
        return bound.encode()

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
        sd_jwt = parse_sd_jwt(presentation)
        if (sd_jwt.key_binding_jwt is None) is not (binding is None):
            raise HolderBindingError("a key binding is there, or missing, against the request")
        verified = verify_vc_sd_jwt(
            replace(sd_jwt, key_binding_jwt=None).encode(),
            find_issuer_key=lambda header, document: find_issuer_key(
                _read(self.identifier, header, document, sd_jwt.issuer_jwt)
            ),
            now_s=now_s,
            leeway_s=leeway_s,
        )
        check_types(verified.credential, expected_types)
        read = _read(
            self.identifier,
            verified.header,
            verified.credential,
            sd_jwt.issuer_jwt,
            verified.disclosed_paths,
        )
        if binding is None:
            return read.bound_by({})
        signed = verify_key_binding(
            sd_jwt,
            hash_algorithm=verified.hash_algorithm,
            holder_key=_holder_key(read),
            expected_audience=binding.audience,
            expected_nonce=binding.nonce,
            now_s=now_s,
            max_age_s=binding.max_age_s,
            leeway_s=leeway_s,
        )
        return read.bound_by(signed)


def _open(credential: str) -> tuple[SdJwt, UnverifiedToken, Revealed]:
    sd_jwt = parse_sd_jwt(credential)
    if sd_jwt.key_binding_jwt is not None:
        raise CredentialFormatError("a credential, not one with a key binding, is needed")
    token = parse_compact(sd_jwt.issuer_jwt)
    revealed = reveal(token.unverified_payload, sd_jwt.disclosures, counts_concealed=False)
    validate_credential(revealed.claims)
    return sd_jwt, token, revealed


def _header(terms: CredentialTerms) -> JsonObject:
    return {"kid": f"{terms.issuer_did}#{terms.key_id}"}


def _own_key(issuer_key: Key | CredentialSigner) -> Key:
    if not isinstance(issuer_key, Key):
        raise KeyFormatError("authorities that share a key sign dc+sd-jwt and no other format")
    return issuer_key


def _holder_key(read: ReadCredential) -> Key:
    if read.holder_key is None:
        raise HolderBindingError("the credential is bound to no key")
    return parse_public_jwk(read.holder_key)


def _require_claims(document: JsonObject, paths: Collection[PathPattern]) -> None:
    for path in paths:
        if not path or not has_claim(document, path):
            raise RequestError(f"the credential has no claim at {list(path)}")


def _read(
    identifier: str,
    header: JsonObject,
    document: JsonObject,
    issuer_jwt: str,
    paths: tuple[Path, ...] = (),
) -> ReadCredential:
    kid = header.get("kid")
    bound_key = cnf_key_of(document)
    return ReadCredential(
        format=identifier,
        credential_type=own_type(document),
        types=expanded_types(document),
        claims=document,
        disclosed_paths=paths,
        header=header,
        key_id=kid.partition("#")[2] if isinstance(kid, str) else "",
        issuer=issuer_of(document),
        holder_key=holder_key_of(document) if bound_key is None else export_public_jwk(bound_key),
        expires_at=expiry_of(document),
        anchored_hash=anchor_hash(issuer_jwt),
    )
