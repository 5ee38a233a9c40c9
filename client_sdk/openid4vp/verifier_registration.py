"""What a verifier may ask: registration certificates that an access authority signs.

An access certificate says who asks; a registration certificate says what that one registered to
ask, for which purpose. A request carries them in `verifier_info` (OpenID4VP 1.0 section 5.1) as
`registration_cert`. They are JWTs after ETSI TS 119 475 (`typ` `rc-wrp+jwt`), one for each intended
use; credentials are written as DCQL writes them. Two members are ours: `sub` is the client
identifier, so that nobody can show another's, and `intended_use` is the purpose's term.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from joserfc.jwk import ECKey

from chaincode.encoding import JsonObject, JsonValue, encode_base64url
from client_sdk.credentials.jose import parse_compact, sign_compact, validate_times
from client_sdk.errors import (
    CredentialFormatError,
    ExpiredError,
    KeyFormatError,
    RegistrationError,
    SignatureError,
    UnknownPurposeError,
)
from client_sdk.formats.interface import GENERAL_TYPES
from client_sdk.openid4vp.access_certificate import AccessIdentity, organization_of, public_key_of
from client_sdk.openid4vp.claims_path import ClaimsPath, name_path
from client_sdk.openid4vp.dcql_query import SD_JWT_VC, CredentialQuery, DcqlQuery
from client_sdk.openid4vp.plain_text import is_plain_text
from client_sdk.purposes import PurposeTerm, parse_identifier
from client_sdk.strict_json import JsonFields, text_list

FORMAT: Final = "registration_cert"
TYP: Final = "rc-wrp+jwt"
MAX_REGISTRATIONS: Final = 8
_LEEWAY_S: Final = 60
_THUMBPRINT: Final = "x5t#S256"
_MAX_WORDS_CHARS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredCredential:
    """What may be asked of credentials of some types.

    Attributes:
        types: The credential types: `vct`, or a type of a W3C credential.
        paths: The claims; what lies below one of them is meant too.
        format: The identifier of their format.
    """

    types: tuple[str, ...]
    paths: tuple[ClaimsPath, ...]
    format: str = SD_JWT_VC

    def to_fields(self) -> JsonObject:
        """Return it as DCQL writes it."""
        meta: JsonObject = (
            {"vct_values": list(self.types)}
            if self.format == SD_JWT_VC
            else {"type_values": [[name] for name in self.types]}
        )
        return {
            "format": self.format,
            "meta": meta,
            "claims": [{"path": list(path)} for path in self.paths],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One intended use of a verifier.

    Attributes:
        client_id: The verifier's client identifier.
        name: The verifier's name.
        purpose: What attributes may be asked for.
        words: The same in the verifier's words.
        credentials: What may be asked.
        issued_at: Seconds since 1970-01-01 UTC.
        expires_at: The same.
        authority: Who registered it; empty before it is signed.
    """

    client_id: str
    name: str
    purpose: PurposeTerm
    words: str
    credentials: tuple[RegisteredCredential, ...]
    issued_at: int
    expires_at: int
    authority: str = ""

    def covers(self, credential_type: str, path: ClaimsPath, credential_format: str) -> bool:
        """Tell whether a claim of a credential type, in a format, may be asked under it.

        The empty path stands for the credential without a claim: its type is enough.
        """
        return any(
            credential_type in registered.types
            and registered.format == credential_format
            and (not path or any(path[: len(wide)] == wide for wide in registered.paths))
            for registered in self.credentials
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedClaim:
    """One claim that a request asks for.

    Attributes:
        credential_type: Of which type of credential.
        path: Where it is in the credential; empty where the credential is asked for without claims.
        format: The identifier of the credential's format.
    """

    credential_type: str
    path: ClaimsPath
    format: str = SD_JWT_VC

    @property
    def name(self) -> str:
        """The claim as people read it; the credential's type where no claim is asked for."""
        return name_path(self.path) or self.credential_type


def asked_claims(query: DcqlQuery) -> tuple[AskedClaim, ...]:
    """Return the claims that a query asks for, of each credential type that would answer it."""
    return tuple(
        AskedClaim(credential_type=credential_type, path=path, format=credential.format)
        for credential in query.credentials
        for credential_type in _types_of(credential)
        for path in [claim.path for claim in credential.claims] or [()]
    )


def _types_of(query: CredentialQuery) -> tuple[str, ...]:
    """Return the credential types that would answer.

    What every W3C credential is says nothing beside another type; alone it asks for any credential.
    """
    w3c = {name for names in query.type_values for name in set(names) - GENERAL_TYPES or names}
    return (*query.vct_values, *sorted(w3c))


def find_exceeding(
    asked: Iterable[AskedClaim],
    registrations: Iterable[Registration],
    *,
    purpose: PurposeTerm | None,
) -> tuple[AskedClaim, ...]:
    """Return the claims that no registration covers, in the order of the request.

    Args:
        asked: What is asked.
        registrations: The verifier's registrations, verified.
        purpose: What it is asked for; None where the request does not say, and any will do.
    """
    fitting = [
        registration
        for registration in registrations
        if purpose is None or purpose.is_within(registration.purpose)
    ]
    return tuple(
        claim
        for claim in asked
        if not any(
            found.covers(claim.credential_type, claim.path, claim.format) for found in fitting
        )
    )


def registrations_to_fields(tokens: tuple[str, ...]) -> JsonValue:
    """Return the parameter `verifier_info` (OpenID4VP 1.0 section 5.1)."""
    return [{"format": FORMAT, "data": token} for token in tokens]


def registrations_from_fields(value: JsonValue) -> tuple[str, ...]:
    """Return the registration certificates in a parameter `verifier_info`.

    What is of another format, or malformed, is passed over, as the specification wants it.
    """
    entries = value if isinstance(value, list) else []
    tokens = [
        entry.get("data")
        for entry in entries
        if isinstance(entry, dict) and entry.get("format") == FORMAT
    ]
    return tuple(token for token in tokens if isinstance(token, str))[:MAX_REGISTRATIONS]


def sign_registration(registration: Registration, authority: AccessIdentity) -> str:
    """Return the registration certificate.

    Raises:
        RegistrationError: A member is not acceptable.
        KeyFormatError: The authority's certificate is not for signing statements.
    """
    _check_signs_statements(authority.chain[0])
    payload: JsonObject = {
        "iss": authority.name,
        "sub": registration.client_id,
        "name": registration.name,
        "iat": registration.issued_at,
        "exp": registration.expires_at,
        "intended_use": registration.purpose.iri,
        "purpose": [{"lang": "und", "value": registration.words}],
        "credentials": [credential.to_fields() for credential in registration.credentials],
    }
    _parse_claims(payload)
    header: JsonObject = {"typ": TYP, _THUMBPRINT: _thumbprint(authority.chain[0])}
    return sign_compact(header, payload, authority.signing_key)


def read_registration(token: str) -> Registration:
    """Return what a registration certificate says, unverified: for the verifier's own side.

    Raises:
        RegistrationError: It is malformed.
    """
    try:
        return _parse_claims(parse_compact(token).unverified_payload)
    except CredentialFormatError as error:
        raise RegistrationError(f"the registration: {error}") from None


def verify_registrations(
    tokens: Iterable[str],
    *,
    client_id: str,
    trust_anchors: tuple[x509.Certificate, ...],
    now_s: int,
) -> tuple[Registration, ...]:
    """Return the registration certificates that `verify_registration` takes, and no others."""
    found: list[Registration] = []
    for token in tokens:
        with suppress(RegistrationError):
            found.append(
                verify_registration(
                    token, client_id=client_id, trust_anchors=trust_anchors, now_s=now_s
                )
            )
    return tuple(found)


def verify_registration(
    token: str, *, client_id: str, trust_anchors: tuple[x509.Certificate, ...], now_s: int
) -> Registration:
    """Return a registration certificate, verified.

    Args:
        token: The JWT.
        client_id: The verifier that shows it.
        trust_anchors: The authorities that register verifiers.
        now_s: Seconds since 1970-01-01 UTC.

    Raises:
        RegistrationError: It is malformed, expired, another verifier's, or signed by nobody who is
            trusted; the text says which.
    """
    try:
        unverified = parse_compact(token)
        signer = unverified.unverified_header.get(_THUMBPRINT)
        for anchor in trust_anchors:
            if signer == _thumbprint(anchor):
                break
        else:
            raise RegistrationError("the registration is signed by no authority that is trusted")
        _check_signs_statements(anchor)
        _check_validity(anchor, now_s)
        key = ECKey.import_key(public_key_of(anchor))
        _, payload = unverified.verify(key=key, expected_typ=TYP)
        validate_times(payload, now_s=now_s, leeway_s=_LEEWAY_S)
        authority = organization_of(anchor)
    except (CredentialFormatError, ExpiredError, KeyFormatError, SignatureError) as error:
        raise RegistrationError(f"the registration: {error}") from None
    registration = _parse_claims(payload, authority=authority)
    if registration.client_id != client_id:
        raise RegistrationError("the registration is another verifier's")
    return registration


def _parse_claims(payload: JsonObject, *, authority: str = "") -> Registration:
    fields = JsonFields(payload, what="the registration", error=RegistrationError)
    words = fields.objects("purpose")
    text, name = words[0].text("value") if words else "", fields.text("name")
    if len(text) > _MAX_WORDS_CHARS or not is_plain_text(text) or not is_plain_text(name):
        raise RegistrationError("the registration: name or purpose is no text to be shown")
    try:
        purpose = parse_identifier(fields.text("intended_use"))
    except UnknownPurposeError as error:
        raise RegistrationError(f"the registration: {error}") from None
    return Registration(
        client_id=fields.text("sub"),
        name=name,
        purpose=purpose,
        words=text,
        credentials=tuple(_parse_credential(item) for item in fields.objects("credentials")),
        issued_at=fields.whole("iat"),
        expires_at=fields.whole("exp"),
        authority=authority,
    )


def _parse_credential(fields: JsonFields) -> RegisteredCredential:
    meta, name = fields.member("meta"), fields.text("format")
    return RegisteredCredential(
        types=meta.texts("vct_values") if name == SD_JWT_VC else _parse_types(meta),
        format=name,
        paths=tuple(_parse_path(claim) for claim in fields.objects("claims")),
    )


def _parse_types(meta: JsonFields) -> tuple[str, ...]:
    """Return the types of `type_values`.

    A list that asks for several types at once registers none of them by itself.
    """
    lists = [set(text_list(names)) - GENERAL_TYPES for names in meta.items("type_values")]
    return tuple(name for names in lists if len(names) == 1 for name in names)


def _parse_path(claim: JsonFields) -> ClaimsPath:
    path = claim.items("path")
    elements = tuple(
        element
        for element in path
        if element is None
        or isinstance(element, str)
        or (isinstance(element, int) and not isinstance(element, bool))
    )
    if not elements or len(elements) != len(path):
        raise RegistrationError("the registration: a claims path is expected")
    return elements


def _thumbprint(certificate: x509.Certificate) -> str:
    """Return `x5t#S256` (RFC 7515 section 4.1.8)."""
    return encode_base64url(certificate.fingerprint(hashes.SHA256()))


def _check_signs_statements(certificate: x509.Certificate) -> None:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, x509.ExtensionNotFound):
        raise KeyFormatError("certificate: it does not say what its key is for") from None
    if not constraints.ca or not usage.digital_signature:
        raise KeyFormatError("certificate: it is not an authority's that registers verifiers")


def _check_validity(certificate: x509.Certificate, now_s: int) -> None:
    now = datetime.fromtimestamp(now_s, tz=UTC)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise RegistrationError("the registration: the authority's certificate is not valid now")
