"""Certificates that say who a verifier is: an access authority, and keys that sign requests.

A verifier's client identifier is `x509_hash:` and the hash of its certificate (OpenID4VP 1.0
section 5.9.3). Keys are on P-256, signatures ES256.
"""

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)
from joserfc.jwk import ECKey, OKPKey

from chaincode.encoding import JsonObject, JsonValue, encode_base64url
from client_sdk.credentials.jose import Key
from client_sdk.errors import KeyFormatError
from client_sdk.openid4vp.plain_text import is_plain_text

CLIENT_ID_PREFIX: Final = "x509_hash"
MAX_CHAIN: Final = 4
_CA_DAYS: Final = 3650
_MAX_NAME_CHARS: Final = 64
# Clocks differ: a new certificate is valid a little before now.
_BACKDATE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessIdentity:
    """A key with the certificates that say whose it is.

    Attributes:
        chain: The key's own certificate, then the one that signed it, and so on; without an anchor,
            unless the anchor is the identity itself.
    """

    chain: tuple[x509.Certificate, ...]
    _key: EllipticCurvePrivateKey = field(repr=False)

    @property
    def client_id(self) -> str:
        """The client identifier of a verifier with this certificate."""
        return client_id_of(self.chain[0])

    @property
    def name(self) -> str:
        """Who it is, as a holder sees it."""
        return organization_of(self.chain[0])

    @property
    def signing_key(self) -> ECKey:
        """The private key, for JWS."""
        return ECKey.import_key(self._key)

    def request_header(self) -> JsonObject:
        """Return the certificates as a request object's header has them (RFC 7515, 4.1.6)."""
        chain: list[JsonValue] = [
            base64.b64encode(certificate.public_bytes(Encoding.DER)).decode("ascii")
            for certificate in self.chain
        ]
        return {"x5c": chain}

    def encode_chain(self) -> bytes:
        """Return the certificates in PEM."""
        return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in self.chain)

    def encode_key(self) -> bytes:
        """Return the private key in PEM, not encrypted: for a file that only its owner reads."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def create_access_authority(*, name: str, now: datetime) -> AccessIdentity:
    """Return a new authority that certifies verifiers for ten years.

    Args:
        name: Its organization's name.
        now: The time, with its zone.

    Raises:
        KeyFormatError: The name cannot stand in a certificate.
    """
    key = generate_private_key(SECP256R1())
    subject = _subject(name)
    builder = _builder(subject, subject, key, now, _CA_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(certificates=True), critical=True)
    return AccessIdentity(chain=(builder.sign(key, hashes.SHA256()),), _key=key)


def certify_verifier(
    authority: AccessIdentity, *, name: str, url: str, host: str, now: datetime, days: int
) -> AccessIdentity:
    """Return a new key for a verifier, certified by the authority.

    Args:
        authority: Who certifies.
        name: The organization's name, as holders will see it.
        url: The verifier's address.
        host: Its DNS name.
        now: The time, with its zone.
        days: How long the certificate is valid.

    Raises:
        KeyFormatError: The name, address or host cannot stand in a certificate.
    """
    key = generate_private_key(SECP256R1())
    issuer = authority.chain[0]
    try:
        names = x509.SubjectAlternativeName(
            [x509.DNSName(host), x509.UniformResourceIdentifier(url)]
        )
    except ValueError as error:
        raise KeyFormatError(f"certificate: host or url is not acceptable: {error}") from None
    authority_key = authority._key  # noqa: SLF001 - of the same class
    builder = _builder(_subject(name), issuer.subject, key, now, days)
    builder = builder.add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True
    )
    builder = builder.add_extension(_key_usage(certificates=False), critical=True)
    builder = builder.add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
    )
    builder = builder.add_extension(names, critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
        critical=False,
    )
    return AccessIdentity(chain=(builder.sign(authority_key, hashes.SHA256()),), _key=key)


def load_identity(*, chain_pem: bytes, key_pem: bytes) -> AccessIdentity:
    """Return the identity in two PEM texts.

    Raises:
        KeyFormatError: Not PEM, not a key on P-256, or the key is not the first certificate's.
    """
    chain = load_certificates(chain_pem)
    key = _on_p256(_load_key(key_pem))
    if public_key_of(chain[0]) != key.public_key():
        raise KeyFormatError("private key: it does not belong to the first certificate")
    organization_of(chain[0])
    return AccessIdentity(chain=chain, _key=key)


def load_signing_key(pem: bytes) -> Key:
    """Return the private key in a PEM text, for JWS.

    Raises:
        KeyFormatError: Not PEM, or not a key on P-256 or Ed25519.
    """
    key = _load_key(pem)
    if isinstance(key, Ed25519PrivateKey):
        return OKPKey.import_key(key)
    return ECKey.import_key(_on_p256(key))


def load_certificates(pem: bytes) -> tuple[x509.Certificate, ...]:
    """Return the certificates of a PEM text, at least one.

    Raises:
        KeyFormatError: Not PEM, or a certificate in it cannot be read.
    """
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except (ValueError, x509.InvalidVersion):
        raise KeyFormatError("certificates: not PEM, or not X.509") from None


def load_der_certificate(der: bytes) -> x509.Certificate:
    """Return a certificate.

    Raises:
        KeyFormatError: It is not DER of X.509.
    """
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion):
        raise KeyFormatError("certificate: not DER of X.509") from None


def client_id_of(certificate: x509.Certificate) -> str:
    """Return the client identifier that belongs to a verifier's certificate."""
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    return f"{CLIENT_ID_PREFIX}:{encode_base64url(digest)}"


def organization_of(certificate: x509.Certificate) -> str:
    """Return the organization that a certificate names.

    Raises:
        KeyFormatError: It names none, or more than one.
    """
    try:
        names = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    except ValueError:
        raise KeyFormatError("certificate: its subject cannot be read") from None
    value = names[0].value if len(names) == 1 else None
    if not isinstance(value, str) or len(value) > _MAX_NAME_CHARS or not is_plain_text(value):
        raise KeyFormatError("certificate: its subject names no organization")
    return value


def public_key_of(certificate: x509.Certificate) -> EllipticCurvePublicKey:
    """Return a certificate's public key.

    Raises:
        KeyFormatError: It is not on P-256.
    """
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise KeyFormatError("certificate: its public key cannot be read") from None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise KeyFormatError("certificate: a public key on P-256 is expected")
    return key


def dns_names_of(certificate: x509.Certificate) -> frozenset[str]:
    """Return the DNS names of a certificate's subject (SAN), in lower case."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return frozenset()
    return frozenset(name.lower() for name in names.get_values_for_type(x509.DNSName))


def find_anchor(
    chain: tuple[x509.Certificate, ...], *, trust_anchors: tuple[x509.Certificate, ...], now_s: int
) -> x509.Certificate | None:
    """Return the anchor that a chain leads to (RFC 5280 section 6), or None where there is none.

    The leaf must be marked for digital signatures and name its subject (SAN); any extended key
    usage will do, since registries of verifiers use several.

    Args:
        chain: The leaf first.
        trust_anchors: Certificates of the authorities that are trusted.
        now_s: Seconds since 1970-01-01 UTC.
    """
    if not trust_anchors:
        return None
    leaf_policy = (
        ExtensionPolicy.permit_all()
        .require_present(x509.KeyUsage, Criticality.AGNOSTIC, _check_leaf_usage)
        .require_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
    )
    verifier = (
        PolicyBuilder()
        .store(Store(list(trust_anchors)))
        .time(datetime.fromtimestamp(now_s, tz=UTC))
        .extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=leaf_policy)
        .build_client_verifier()
    )
    try:
        return verifier.verify(chain[0], list(chain[1:])).chain[-1]
    except (VerificationError, ValueError, x509.InvalidVersion):
        # The library raises ValueError for a certificate whose DER it cannot follow.
        return None


def _load_key(pem: bytes) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFormatError(
            f"private key: not PEM without password: {type(error).__name__}"
        ) from None


def _on_p256(key: PrivateKeyTypes) -> EllipticCurvePrivateKey:
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise KeyFormatError("private key: a key on P-256 is expected")
    return key


def _check_leaf_usage(
    _policy: object, _certificate: x509.Certificate, usage: x509.KeyUsage
) -> None:
    if not usage.digital_signature:
        raise ValueError("the certificate is not for digital signatures")


def _subject(name: str) -> x509.Name:
    # X.520 bounds an organization's name.
    if len(name) > _MAX_NAME_CHARS or not is_plain_text(name):
        raise KeyFormatError(
            f"certificate: the organization's name has 1 to {_MAX_NAME_CHARS} printable characters"
        )
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        # An authority signs registrations too, not only certificates.
        digital_signature=True,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
