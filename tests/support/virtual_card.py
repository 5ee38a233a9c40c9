"""A My Number card in memory: applications, files, PINs with counters, a signing key.

It answers APDUs as the card of ISO/IEC 7816-4 does; the person on it is invented.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 25, tzinfo=UTC)
LATER = NOW + timedelta(days=1000)
PERSONAL_DATA = "1.2.392.200149.8.5.5"
PIN, NUMBER_B, PASSWORD = "1234", "19800131" + "2031" + "55", "ABC123"
NAME, ADDRESS, BIRTH_DATE, SEX = (
    "手形　花子",
    "宮城県仙台市青葉区国分町三丁目７番１号",
    "19800131",
    "2",
)
PORTRAIT = b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(range(256)) * 20

TEXT, VISUAL, JPKI = "D3921000310001010408", "D3921000310001010402", "D392F000260100000001"
DIGEST_INFO_HEAD = bytes.fromhex("3031300D060960864801650304020105000420")


def tlv(tag: int, value: bytes) -> bytes:
    head = tag.to_bytes(2 if tag > 0xFF else 1, "big")
    size = len(value)
    if size < 0x80:
        return head + bytes([size]) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return head + bytes([0x80 | len(length)]) + length + value


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Authority:
    """An authority like J-LIS: it issues signing certificates and revokes them."""

    def __init__(self, *, is_ca: bool = True, starts: datetime = NOW - timedelta(days=1)) -> None:
        self.key = new_key()
        self.name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test JPKI")])
        self.certificate = (
            self._builder(self.name, self.key.public_key(), starts=starts)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(usage(key_cert_sign=True, crl_sign=True), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def issue(
        self,
        key: rsa.RSAPrivateKey,
        *,
        attributes: dict[int, str] | None = None,
        key_usage: x509.KeyUsage | None = None,
        starts: datetime = NOW - timedelta(days=1),
    ) -> x509.Certificate:
        if attributes is None:
            attributes = {1: NAME, 3: SEX, 4: "3" + BIRTH_DATE, 5: ADDRESS}
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "20261125TEST")])
        builder = self._builder(subject, key.public_key(), starts=starts)
        if attributes:
            names = [
                x509.OtherName(
                    x509.ObjectIdentifier(f"{PERSONAL_DATA}.{number}"), tlv(0x0C, text.encode())
                )
                for number, text in attributes.items()
            ]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(key_usage or usage(digital_signature=True), critical=True)
        return builder.sign(self.key, hashes.SHA256())

    def revocation_list(
        self,
        *revoked: x509.Certificate,
        last_update: datetime = NOW - timedelta(days=1),
        next_update: datetime = NOW + timedelta(days=1),
    ) -> x509.CertificateRevocationList:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(last_update)
            .next_update(next_update)
        )
        for certificate in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(certificate.serial_number)
                .revocation_date(NOW - timedelta(hours=1))
                .build()
            )
        return builder.sign(self.key, hashes.SHA256())

    def _builder(
        self, subject: x509.Name, key: rsa.RSAPublicKey, *, starts: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(starts)
            .not_valid_after(starts + timedelta(days=1800))
        )


def usage(**purposes: bool) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: purposes.get(name, False) for name in names})


@dataclass
class Pin:
    """A PIN and its counter."""

    value: str
    most_tries: int
    tries: int = field(init=False)
    is_verified: bool = False

    def __post_init__(self) -> None:
        self.tries = self.most_tries

    def give(self, value: str) -> int:
        if self.tries == 0:
            return 0x6984
        if value == self.value:
            self.tries, self.is_verified = self.most_tries, True
            return 0x9000
        self.tries, self.is_verified = self.tries - 1, False
        return 0x63C0 | self.tries


class VirtualCard:
    """A card's side of APDUs; `commands` keeps what it was asked."""

    def __init__(
        self,
        authority: Authority,
        *,
        key: rsa.RSAPrivateKey | None = None,
        certificate: x509.Certificate | None = None,
    ) -> None:
        self.key = key or new_key()
        self.certificate = certificate or authority.issue(self.key)
        self.pins = {
            (TEXT, 0x0011): Pin(PIN, 3),
            (VISUAL, 0x0012): Pin(NUMBER_B, 10),
            (JPKI, 0x001B): Pin(PASSWORD, 5),
        }
        attributes = {0xDF21: b"head", 0xDF22: NAME.encode(), 0xDF23: ADDRESS.encode()}
        attributes |= {0xDF24: BIRTH_DATE.encode(), 0xDF25: SEX.encode()}
        face = {0xDF21: b"head", 0xDF22: BIRTH_DATE.encode(), 0xDF27: PORTRAIT}
        self.files = {
            (TEXT, 0x0002): objects(attributes) + bytes(40),
            (VISUAL, 0x0002): objects(face) + bytes(40),
            (JPKI, 0x0001): self.certificate.public_bytes(Encoding.DER) + bytes(40),
        }
        self.commands: list[bytes] = []
        self._application = ""
        self._file = 0

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command)
        status, data = self._answer(command)
        return data + status.to_bytes(2, "big")

    def _answer(self, command: bytes) -> tuple[int, bytes]:
        match command[:4].hex():
            case "00a4040c":
                return self._select(command[5:].hex().upper()), b""
            case "00a4020c":
                self._file = int.from_bytes(command[5:7], "big")
                return 0x9000, b""
            case "00200080":
                return self._verify(command[5:].decode() if len(command) > 4 else None), b""
            case "802a0080":
                return self._sign(command[5:-1])
            case head if head.startswith("00b0"):
                return self._read(int.from_bytes(command[2:4], "big"), command[4] or 256)
            case _:
                return 0x6D00, b""

    def _select(self, name: str) -> int:
        if name not in (TEXT, VISUAL, JPKI):
            return 0x6A82
        self._application, self._file = name, 0
        for pin in self.pins.values():
            pin.is_verified = False
        return 0x9000

    def _pin(self) -> Pin | None:
        # One PIN an application is all that these have.
        for (application, _), pin in self.pins.items():
            if application == self._application:
                return pin
        return None

    def _verify(self, value: str | None) -> int:
        pin = self.pins.get((self._application, self._file))
        if pin is None:
            return 0x6986
        return 0x63C0 | pin.tries if value is None else pin.give(value)

    def _read(self, place: int, length: int) -> tuple[int, bytes]:
        data = self.files.get((self._application, self._file))
        pin = self._pin()
        if data is None:
            return 0x6A82, b""
        if pin is None or not pin.is_verified:
            return 0x6982, b""
        return 0x9000, data[place : place + length]

    def _sign(self, digest_info: bytes) -> tuple[int, bytes]:
        pin = self._pin()
        if (self._application, self._file) != (JPKI, 0x001A) or pin is None:
            return 0x6A86, b""
        if not pin.is_verified:
            return 0x6982, b""
        digest = digest_info.removeprefix(DIGEST_INFO_HEAD)
        prehashed = utils.Prehashed(hashes.SHA256())
        return 0x9000, self.key.sign(digest, padding.PKCS1v15(), prehashed)


def objects(values: dict[int, bytes]) -> bytes:
    return tlv(0xFF20, b"".join(tlv(tag, value) for tag, value in values.items()))
