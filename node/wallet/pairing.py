"""How a phone reaches the wallet: TLS with a certificate that the wallet made for itself.

No authority certifies an address inside a home. The QR code therefore carries the certificate's
fingerprint, and the computer's screen shows it: what the phone's browser says of the certificate
must be the same.
"""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from node.config import save_secret
from node.errors import ConfigError

_VALID: Final = timedelta(days=397)
"""Browsers take no server certificate that lasts longer than 398 days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneAccess:
    """Where a phone reaches the wallet, and by what it knows it.

    Attributes:
        origin: `https://host:port`.
        certificate: The certificate's file, PEM.
        private_key: Its key's file.
        fingerprint: SHA-256 of the certificate, as browsers show it.
    """

    origin: str
    certificate: Path
    private_key: Path
    fingerprint: str


def prepare_phone(wallet_file: Path, host: str, port: int) -> PhoneAccess:
    """Return how a phone reaches the wallet; the certificate is made where none is good.

    Args:
        wallet_file: The certificate stands beside it, as `WALLET.crt`, its key as `WALLET.key`.
        host: An address of this machine, or a name that leads to it.
        port: The port.

    Raises:
        ConfigError: A file cannot be read or written.
    """
    certificate_file = wallet_file.with_name(f"{wallet_file.name}.crt")
    key_file = wallet_file.with_name(f"{wallet_file.name}.key")
    certificate = _load(certificate_file, host) if key_file.exists() else None
    if certificate is None:
        certificate = _make(certificate_file, key_file, host)
    shown_host = f"[{host}]" if ":" in host else host
    return PhoneAccess(
        origin=f"https://{shown_host}:{port}",
        certificate=certificate_file,
        private_key=key_file,
        fingerprint=certificate.fingerprint(SHA256()).hex(":").upper(),
    )


def pairing_link(phone: PhoneAccess, code: str) -> str:
    """Return the link that a phone's camera opens: it pairs that browser, once.

    The fragment is for people and apps that compare it; it is never sent.
    """
    return f"{phone.origin}/pair?{urlencode({'code': code})}#sha256={phone.fingerprint}"


def _load(path: Path, host: str) -> x509.Certificate | None:
    """Return the certificate of a file; None where there is none for this host and some time."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return None
    is_lasting = certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=30)
    return certificate if is_lasting and _general_name(host) in list(names) else None


def _make(certificate_file: Path, key_file: Path, host: str) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tegata wallet")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .sign(key, SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    key_file.unlink(missing_ok=True)
    save_secret(key_file, pem.decode("ascii"))
    try:
        certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    except OSError as error:
        raise ConfigError(f"{certificate_file}: cannot be written: {error.strerror}") from None
    return certificate


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
