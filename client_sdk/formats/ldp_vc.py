"""W3C credentials with a Data Integrity proof, `ldp_vc`, by the suite `eddsa-jcs-2022`.

OpenID4VCI 1.0 gives `ldp_vc` to suites that need JSON-LD, and leaves the others to later versions;
wallets and verifiers use the same identifier for both, and tell them by `cryptosuite`.
"""

import hashlib
from collections.abc import Collection, Sequence
from typing import Final

from chaincode.encoding import JsonObject, JsonValue, encode_canonical_json
from chaincode.errors import DecodeError
from client_sdk.credentials.data_integrity import sign_document, verify_document
from client_sdk.credentials.jose import Key, export_public_jwk
from client_sdk.credentials.sd_jwt_key_binding import require_known_claims
from client_sdk.credentials.sd_jwt_vc import CredentialSigner
from client_sdk.credentials.selective_disclosure import Path, PathPattern, has_claim
from client_sdk.credentials.w3c_vc import (
    CONTEXT,
    PRESENTATION_TYPE,
    issuer_of,
    only_credential,
    types_of,
    validate_credential,
    validate_period,
)
from client_sdk.did.resolution import did_jwk
from client_sdk.errors import (
    CredentialFormatError,
    ExpiredError,
    HolderBindingError,
    KeyFormatError,
    RequestError,
    SignatureError,
)
from client_sdk.formats.interface import (
    CredentialTerms,
    ExpectedBinding,
    FindIssuerKey,
    HolderBinding,
    ReadCredential,
    VerifiedPresentation,
)
from client_sdk.formats.w3c_document import (
    OWN_CLAIMS,
    SUBJECT,
    build_document,
    check_types,
    date_time_stamp,
    expanded_types,
    expiry_of,
    find_holder_key,
    holder_key_of,
    holder_method,
    own_type,
    require_holder,
)
from client_sdk.strict_json import parse_strict_json_object

MAX_CHARS: Final = 1 << 20


class LdpVc:
    """The format `ldp_vc`: the credential is shown whole, in a presentation with its own proof."""

    identifier: Final = "ldp_vc"
    attribute_prefix: Final[Path] = SUBJECT
    own_claims: Final = OWN_CLAIMS

    def to_wire(self, credential: str) -> str | JsonObject:
        """Return the JSON object."""
        return _parse(credential)

    def from_wire(self, value: JsonValue) -> str:
        """Return the canonical text of an object."""
        if not isinstance(value, dict):
            raise CredentialFormatError("a credential or presentation of this format is an object")
        return _encode(value)

    def issue(self, terms: CredentialTerms, issuer_key: Key | CredentialSigner) -> str:
        """Return a credential with a proof."""
        if not isinstance(issuer_key, Key):
            raise KeyFormatError("authorities that share a key sign dc+sd-jwt and no other format")
        return _encode(
            sign_document(
                build_document(terms),
                key=issuer_key,
                verification_method=f"{terms.issuer_did}#{terms.key_id}",
                purpose="assertionMethod",
                created=date_time_stamp(terms.issued_at),
            )
        )

    def is_bound(self, presentation: str) -> bool:
        """Tell whether it is a presentation."""
        return PRESENTATION_TYPE in types_of(_parse(presentation))

    def claimed_binding(self, presentation: str) -> JsonObject:
        """Return the presentation itself."""
        return _parse(presentation)

    def anchored_hash(self, shown: str) -> bytes:
        """Return the hash of the canonical form of the secured document."""
        document = _parse(shown)
        if PRESENTATION_TYPE in types_of(document):
            document = _credential_of(document)
        return hashlib.sha256(_encode(document).encode()).digest()

    def read(self, credential: str) -> ReadCredential:
        """Return what a credential says."""
        document = _parse(credential)
        validate_credential(document)
        return _read(document)

    def disclose(self, credential: str, *, paths: Collection[PathPattern]) -> str:
        """Return the credential, which cannot be shown in part."""
        document = self.read(credential).claims
        for path in paths:
            if not path or not has_claim(document, path):
                raise RequestError(f"the credential has no claim at {list(path)}")
        return credential

    def present(
        self,
        credential: str,
        *,
        paths: Collection[PathPattern],
        holder_key: Key,
        binding: HolderBinding,
    ) -> str:
        """Return a presentation with a proof over challenge and domain."""
        document = _parse(self.disclose(credential, paths=paths))
        require_holder(document, holder_key)
        require_known_claims(binding.extra_claims)
        presentation: JsonObject = {
            "@context": [CONTEXT],
            "type": [PRESENTATION_TYPE],
            "holder": did_jwk(holder_key),
            "verifiableCredential": [document],
            **binding.extra_claims,
        }
        return _encode(
            sign_document(
                presentation,
                key=holder_key,
                verification_method=holder_method(holder_key),
                purpose="authentication",
                created=date_time_stamp(binding.issued_at),
                challenge=binding.nonce,
                domain=binding.audience,
            )
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
        """Return the credential of a presentation; a credential, where no binding is expected."""
        shown = _parse(presentation)
        document = shown if binding is None else _credential_of(shown)
        validate_credential(document)
        read = _read(document)

        def find_key(url: str) -> Key:
            if url.partition("#")[0] != read.issuer:
                raise SignatureError("proof: the key is not one of the credential's issuer")
            return find_issuer_key(read)

        verify_document(
            document,
            find_key=find_key,
            expected_purpose="assertionMethod",
            now_s=now_s,
            leeway_s=leeway_s,
        )
        check_types(document, expected_types)
        validate_period(document, now_s=now_s, leeway_s=leeway_s)
        if binding is None:
            return read.bound_by({})
        return read.bound_by(
            _verify_holder(shown, read, binding=binding, now_s=now_s, leeway_s=leeway_s)
        )


def _verify_holder(
    shown: JsonObject, read: ReadCredential, *, binding: ExpectedBinding, now_s: int, leeway_s: int
) -> JsonObject:
    """Return the presentation without proof and credential, known to be the holder's."""

    def find_key(url: str) -> Key:
        key = find_holder_key(url)
        if export_public_jwk(key) != read.holder_key:
            raise HolderBindingError("the presentation is signed by another than the holder")
        return key

    try:
        verified = verify_document(
            shown,
            find_key=find_key,
            expected_purpose="authentication",
            now_s=now_s,
            leeway_s=leeway_s,
            expected_challenge=binding.nonce,
            expected_domain=binding.audience,
        )
    except (SignatureError, CredentialFormatError) as error:
        raise HolderBindingError(f"presentation: {error}") from None
    if verified.created is None:
        raise HolderBindingError("presentation: the proof does not say when it was made (created)")
    if verified.created < now_s - leeway_s - binding.max_age_s:
        raise ExpiredError(f"the presentation is older than {binding.max_age_s} seconds (created)")
    return {
        name: value for name, value in verified.document.items() if name != "verifiableCredential"
    }


def _credential_of(presentation: JsonObject) -> JsonObject:
    credential = only_credential(presentation)
    if not isinstance(credential, dict):
        raise CredentialFormatError("presentation: a credential with a proof is expected")
    return credential


def _parse(text: str) -> JsonObject:
    if not isinstance(text, str) or len(text) > MAX_CHARS:
        raise CredentialFormatError(f"a credential is text of at most {MAX_CHARS} characters")
    try:
        return parse_strict_json_object(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise CredentialFormatError("a credential is UTF-8") from None


def _encode(document: JsonObject) -> str:
    """Return the canonical form, whose hash is anchored (RFC 8785)."""
    try:
        text = encode_canonical_json(document).decode("utf-8")
    except DecodeError as error:
        raise CredentialFormatError(f"the credential has no canonical form: {error}") from None
    if len(text) > MAX_CHARS:
        raise CredentialFormatError(f"a credential may have {MAX_CHARS} characters at most")
    return text


def _read(document: JsonObject) -> ReadCredential:
    proof = document.get("proof")
    if isinstance(proof, list) and len(proof) == 1:
        proof = proof[0]
    method = proof.get("verificationMethod") if isinstance(proof, dict) else None
    return ReadCredential(
        format=LdpVc.identifier,
        credential_type=own_type(document),
        types=expanded_types(document),
        claims={name: value for name, value in document.items() if name != "proof"},
        disclosed_paths=(),
        header={},
        key_id=method.partition("#")[2] if isinstance(method, str) else "",
        issuer=issuer_of(document),
        holder_key=holder_key_of(document),
        expires_at=expiry_of(document),
        anchored_hash=hashlib.sha256(_encode(document).encode()).digest(),
    )
