"""Certificates of the card's signing key: who vouches for them, and whom they name (JPKI).

The holder's attributes stand in the subject's alternative names, one object identifier each
(J-LIS, certificate profile of the signing certificate).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from client_sdk.card.ber import parse_tlv
from client_sdk.card.my_number_card import CardAttributes, parse_birth_date
from client_sdk.errors import CardFormatError, CardProofError

MIN_KEY_BITS: Final = 2048
_PERSONAL_DATA: Final = "1.2.392.200149.8.5.5"
_NAME: Final = x509.ObjectIdentifier(f"{_PERSONAL_DATA}.1")
_SEX: Final = x509.ObjectIdentifier(f"{_PERSONAL_DATA}.3")
_BIRTH_DATE: Final = x509.ObjectIdentifier(f"{_PERSONAL_DATA}.4")
_ADDRESS: Final = x509.ObjectIdentifier(f"{_PERSONAL_DATA}.5")
_UTF8_STRING: Final = 0x0C
_PRINTABLE_STRING: Final = 0x13


def verify_certificate(
    certificate: x509.Certificate,
    *,
    trust_anchors: Sequence[x509.Certificate],
    revocation_lists: Sequence[x509.CertificateRevocationList],
    now: datetime,
) -> RSAPublicKey:
    """Return the key of a signing certificate that one of the anchors issued and did not revoke.

    The hierarchy has two steps: the authority, which is the anchor, and the card.

    Args:
        certificate: The card's.
        trust_anchors: The authority's certificates, one for each of its generations.
        revocation_lists: Its current revocation lists, one for each anchor.
        now: The time, with its zone.

    Raises:
        CardProofError: No anchor issued it, it is out of its time, for another use, revoked, or
            there is no current revocation list; the text says which.
    """
    anchor = _find_issuer(certificate, trust_anchors, now)
    _check_time(certificate, now)
    _check_usage(certificate)
    _check_revocation(certificate, anchor, revocation_lists, now)
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise CardProofError("the certificate's key cannot be read") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < MIN_KEY_BITS:
        raise CardProofError(f"the certificate's key is not RSA of {MIN_KEY_BITS} bits or more")
    return key


def attributes_of(certificate: x509.Certificate) -> CardAttributes:
    """Return the attributes that a signing certificate names.

    Raises:
        CardFormatError: One is missing or not in the form of the profile.
    """
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        raise CardFormatError("the certificate names no attributes") from None
    texts = {
        name.type_id: _read_string(name.value)
        for name in extension.value.get_values_for_type(x509.OtherName)
    }
    try:
        # One digit for the era stands before the eight of the Gregorian date.
        return CardAttributes(
            name=texts[_NAME],
            address=texts[_ADDRESS],
            birth_date=parse_birth_date(texts[_BIRTH_DATE][1:]),
            sex=texts[_SEX],
        )
    except KeyError:
        raise CardFormatError("the certificate does not name all four attributes") from None


def _find_issuer(
    certificate: x509.Certificate, anchors: Sequence[x509.Certificate], now: datetime
) -> x509.Certificate:
    for anchor in anchors:
        if certificate.issuer == anchor.subject and _is_signed_by(certificate, anchor):
            _check_authority(anchor)
            _check_time(anchor, now)
            return anchor
    raise CardProofError("none of the trusted authorities issued the card's certificate")


def _is_signed_by(certificate: x509.Certificate, anchor: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(anchor)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return isinstance(certificate.signature_hash_algorithm, SHA256)


def _check_authority(anchor: x509.Certificate) -> None:
    try:
        constraints = anchor.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = anchor.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        raise CardProofError("the authority's certificate does not say what it may do") from None
    if not constraints.ca or not usage.key_cert_sign:
        raise CardProofError("the authority's certificate may not issue certificates")


def _check_usage(certificate: x509.Certificate) -> None:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        constraints = [
            extension.value
            for extension in certificate.extensions
            if isinstance(extension.value, x509.BasicConstraints)
        ]
    except (x509.ExtensionNotFound, ValueError):
        raise CardProofError("the certificate does not say what its key is for") from None
    if not (usage.digital_signature or usage.content_commitment):
        raise CardProofError("the certificate's key is not for signatures")
    if any(constraint.ca for constraint in constraints):
        raise CardProofError("the certificate is an authority's, not a card's")


def _check_time(certificate: x509.Certificate, now: datetime) -> None:
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise CardProofError("the certificate is not valid at this time")


def _check_revocation(
    certificate: x509.Certificate,
    anchor: x509.Certificate,
    lists: Sequence[x509.CertificateRevocationList],
    now: datetime,
) -> None:
    key = anchor.public_key()
    for revocations in lists:
        if revocations.issuer != anchor.subject or not isinstance(key, RSAPublicKey):
            continue
        ends = revocations.next_update_utc or datetime.min.replace(tzinfo=UTC)
        if not revocations.last_update_utc <= now <= ends:
            continue
        if not revocations.is_signature_valid(key):
            continue
        if revocations.get_revoked_certificate_by_serial_number(certificate.serial_number):
            raise CardProofError("the card's certificate was revoked")
        return
    raise CardProofError(
        "there is no current revocation list of the authority; the operator must fetch one"
    )


def _read_string(der: bytes) -> str:
    item, behind = parse_tlv(der)
    if item.tag not in (_UTF8_STRING, _PRINTABLE_STRING) or behind:
        raise CardFormatError("the certificate names an attribute in another form than text")
    try:
        return item.value.decode("utf-8")
    except UnicodeDecodeError:
        raise CardFormatError("the certificate names an attribute that is not UTF-8") from None


def verify_signature(key: RSAPublicKey, signature: bytes, message: bytes) -> None:
    """Check a card's signature, RSA with PKCS #1 v1.5 and SHA-256.

    Raises:
        CardProofError: It does not verify.
    """
    try:
        key.verify(signature, message, PKCS1v15(), SHA256())
    except InvalidSignature:
        raise CardProofError("the card's signature does not verify") from None
