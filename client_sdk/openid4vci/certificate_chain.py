"""Keys vouched for by certificates in a JOSE header (`x5c`, RFC 7515 section 4.1.6), by HAIP 1.0.

The chain leads to a trust anchor that is not in it; the certificate that signs is not the anchor
itself. Keys are on P-256.
"""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)
from joserfc.jwk import ECKey

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.jose import Key
from client_sdk.errors import SignatureError
from client_sdk.strict_json import text_list

MAX_CHAIN: Final = 4


def encode_x5c(chain: Sequence[x509.Certificate]) -> list[JsonValue]:
    """Return certificates as a header's `x5c` holds them."""
    return [
        base64.b64encode(certificate.public_bytes(Encoding.DER)).decode("ascii")
        for certificate in chain
    ]


def verify_x5c(header: JsonObject, *, anchors: Sequence[x509.Certificate], now_s: int) -> Key:
    """Return the key of the certificate that a header begins with, now known to be trusted.

    Args:
        header: The protected header.
        anchors: Certificates of the authorities that are trusted.
        now_s: Seconds since 1970-01-01 UTC.

    Raises:
        SignatureError: No chain, no way from it to an anchor, an anchor in it, or another kind of
            key; the text says which.
    """
    chain = _parse_chain(header)
    if any(certificate in chain for certificate in anchors):
        raise SignatureError("x5c: the trust anchor does not stand in it")
    if chain[0].issuer == chain[0].subject:
        raise SignatureError("x5c: the signing certificate is self-signed")
    if not anchors:
        raise SignatureError("x5c: no authority is trusted here")
    verifier = (
        PolicyBuilder()
        .store(Store(list(anchors)))
        .time(datetime.fromtimestamp(now_s, tz=UTC))
        .extension_policies(
            ca_policy=ExtensionPolicy.webpki_defaults_ca(),
            ee_policy=ExtensionPolicy.permit_all().require_present(
                x509.KeyUsage, Criticality.AGNOSTIC, _check_usage
            ),
        )
        .build_client_verifier()
    )
    try:
        verifier.verify(chain[0], list(chain[1:]))
    except (VerificationError, ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
        raise SignatureError("x5c: no trusted authority vouches for it now") from None
    return _key_of(chain[0])


def claimed_x5c_key(header: JsonObject) -> Key:
    """Return the key of the certificate that a header begins with; nobody vouches for it yet.

    Raises:
        SignatureError: No certificate, or another kind of key.
    """
    return _key_of(_parse_chain(header)[0])


def _key_of(certificate: x509.Certificate) -> Key:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise SignatureError("x5c: the certificate's key cannot be read") from None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise SignatureError("x5c: a key on P-256 is expected")
    return ECKey.import_key(key)


def _parse_chain(header: JsonObject) -> tuple[x509.Certificate, ...]:
    texts = text_list(header.get("x5c"))
    if not 1 <= len(texts) <= MAX_CHAIN:
        raise SignatureError(f"x5c: 1 to {MAX_CHAIN} certificates are expected")
    try:
        return tuple(
            x509.load_der_x509_certificate(base64.b64decode(text, validate=True)) for text in texts
        )
    except (ValueError, binascii.Error, x509.InvalidVersion):
        raise SignatureError("x5c: a certificate cannot be read") from None


def _check_usage(_policy: object, _certificate: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not usage.digital_signature:
        raise ValueError("the certificate is not for digital signatures")
