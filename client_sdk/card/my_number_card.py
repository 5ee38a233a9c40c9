"""The applications of the My Number card that Tegata reads, and those of its keys that it uses."""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from cryptography import x509

from client_sdk.card.ber import parse_all, parse_tlv
from client_sdk.card.smart_card import CardTransport, SmartCard
from client_sdk.errors import CardError, CardFormatError, LastTryError

# 券面事項入力補助アプリケーション: the attributes as text.
_TEXT_APPLICATION: Final = bytes.fromhex("D3921000310001010408")
_TEXT_PIN: Final = 0x0011
_TEXT_ATTRIBUTES: Final = 0x0002
# 券面事項確認アプリケーション: the face of the card as pictures.
_VISUAL_APPLICATION: Final = bytes.fromhex("D3921000310001010402")
_VISUAL_NUMBER_B: Final = 0x0012
_VISUAL_FACE: Final = 0x0002
# 公的個人認証アプリケーション: certificates and keys (JPKI).
_JPKI_APPLICATION: Final = bytes.fromhex("D392F000260100000001")
_SIGNING_CERTIFICATE: Final = 0x0001
_SIGNING_KEY: Final = 0x001A
_SIGNING_PASSWORD: Final = 0x001B

_FILE_TAG: Final = 0xFF20
_NAME, _ADDRESS, _BIRTH_DATE, _SEX = 0xDF22, 0xDF23, 0xDF24, 0xDF25
_PORTRAIT: Final = 0xDF27
_PIN: Final = re.compile(r"[0-9]{4}")
_NUMBER_B: Final = re.compile(r"[0-9]{14}")
_PASSWORD: Final = re.compile(r"[A-Z0-9]{6,16}")
_EIGHT_DIGITS: Final = re.compile(r"[0-9]{8}")
# DER of DigestInfo with SHA-256, up to the digest (RFC 8017 section 9.2, note 1).
_SHA256_DIGEST_INFO: Final = bytes.fromhex("3031300D060960864801650304020105000420")


@dataclass(frozen=True, slots=True, kw_only=True)
class CardAttributes:
    """The four attributes on the card. Its repr shows no value.

    Attributes:
        name: As the card has it.
        address: The same.
        birth_date: In the Gregorian calendar.
        sex: `1` male, `2` female, another digit as the card has it.
    """

    name: str = field(repr=False)
    address: str = field(repr=False)
    birth_date: date = field(repr=False)
    sex: str = field(repr=False)


class MyNumberCard:
    """A My Number card on a reader.

    Each call selects its application anew: another program may have used the card in between. A
    PIN's last try is never used, since a blocked card means a walk to the city office.
    """

    def __init__(self, transport: CardTransport) -> None:
        """Use the card behind `transport`."""
        self._card = SmartCard(transport)

    def read_attributes(self, pin: str) -> CardAttributes:
        """Return the four attributes.

        Args:
            pin: Of the input-support application, 4 digits.

        Raises:
            CardError: The PIN is wrong, blocked or at its last try, the card holds another form, or
                the reader failed; the subclass says which.
        """
        self._open(_TEXT_APPLICATION, _TEXT_PIN, pin, _PIN, "the PIN has 4 digits")
        values = self._read_file(_TEXT_ATTRIBUTES)
        return CardAttributes(
            name=_text(values, _NAME, "name"),
            address=_text(values, _ADDRESS, "address"),
            birth_date=parse_birth_date(_text(values, _BIRTH_DATE, "birth date")),
            sex=_text(values, _SEX, "sex"),
        )

    def read_portrait(self, number_b: str) -> bytes:
        """Return the portrait, JPEG 2000.

        Args:
            number_b: What the card's face says (照合番号 B), 14 digits: birth date, year of expiry,
                security code. The other way, by the individual number, is never used.

        Raises:
            CardError: As `read_attributes`.
        """
        self._open(
            _VISUAL_APPLICATION, _VISUAL_NUMBER_B, number_b, _NUMBER_B, "the number B has 14 digits"
        )
        portrait = self._read_file(_VISUAL_FACE).get(_PORTRAIT)
        if not portrait:
            raise CardFormatError("the card's face holds no portrait")
        return portrait

    def read_signing_certificate(self, password: str) -> x509.Certificate:
        """Return the certificate of the signing key; it names the holder's four attributes.

        Args:
            password: Of the signing key, 6 to 16 letters and digits.

        Raises:
            CardError: As `read_attributes`.
        """
        self._open_signing(password)
        self._card.select_file(_SIGNING_CERTIFICATE)
        try:
            return x509.load_der_x509_certificate(self._card.read_object())
        except (ValueError, x509.InvalidVersion):
            raise CardFormatError("the card's certificate is not X.509") from None

    def sign(self, message: bytes, password: str) -> bytes:
        """Return the signing key's signature of a message, RSA with PKCS #1 v1.5 and SHA-256.

        Raises:
            CardError: As `read_attributes`.
        """
        self._open_signing(password)
        self._card.select_file(_SIGNING_KEY)
        return self._card.sign(_SHA256_DIGEST_INFO + hashlib.sha256(message).digest())

    def _open_signing(self, password: str) -> None:
        self._open(
            _JPKI_APPLICATION,
            _SIGNING_PASSWORD,
            password.upper(),
            _PASSWORD,
            "the signing password has 6 to 16 letters and digits",
        )

    def _open(
        self, application: bytes, pin_file: int, pin: str, form: re.Pattern[str], words: str
    ) -> None:
        """Select an application and verify its PIN, unless this is the last try."""
        if not form.fullmatch(pin):
            # Before the card sees it: a slip of the finger costs no try.
            raise CardError(words)
        self._card.select_application(application)
        self._card.select_file(pin_file)
        if self._card.remaining_tries() == 1:
            raise LastTryError(
                "one try is left before the card blocks this PIN; the city office can reset it"
            )
        self._card.verify_pin(pin)

    def _read_file(self, file_id: int) -> dict[int, bytes]:
        self._card.select_file(file_id)
        outer, _ = parse_tlv(self._card.read_object())
        if outer.tag != _FILE_TAG:
            raise CardFormatError(f"the card's file {file_id:04X} begins with another tag")
        return parse_all(outer.value)


def parse_birth_date(digits: str) -> date:
    """Return the date of eight digits, `YYYYMMDD`.

    Raises:
        CardFormatError: Not a whole date. Some people's is registered without month or day: they
            need the counter.
    """
    try:
        # It takes other forms of ISO 8601 as well, but none with eight digits only.
        return date.fromisoformat(digits if _EIGHT_DIGITS.fullmatch(digits) else "")
    except ValueError:
        raise CardFormatError("the card's birth date is not a whole date") from None


def _text(values: dict[int, bytes], tag: int, name: str) -> str:
    try:
        text = values.get(tag, b"").decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise CardFormatError(f"the card holds no readable {name}")
    return text
