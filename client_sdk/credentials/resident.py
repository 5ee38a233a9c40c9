"""The resident credential: its attributes, their rules, and the claims made of them."""

import base64
import secrets
import unicodedata
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, Literal, cast, get_args

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.individual_number import has_individual_number
from client_sdk.credentials.selective_disclosure import Path
from client_sdk.errors import CredentialFormatError

RESIDENT_CREDENTIAL_TYPE: Final = "urn:tegata:credential:resident:1"
"""The credential's `vct`."""

RESIDENT_CLAIMS: Final = (
    "name",
    "address",
    "municipality",
    "birth_date",
    "age_over_18",
    "sex",
    "portrait",
    "credential_number",
)
"""All claims about a resident; the holder may keep back each one of them."""

MAX_NAME_CHARS: Final = 200
MAX_ADDRESS_CHARS: Final = 400
MAX_MUNICIPALITY_CHARS: Final = 100
MAX_PORTRAIT_BYTES: Final = 64 * 1024
MAX_AGE_YEARS: Final = 150

Sex = Literal["0", "1", "2", "9"]
"""ISO/IEC 5218: 0 not known, 1 male, 2 female, 9 not applicable."""

# Without I, L, O and U, which are misread (Crockford's base 32).
_NUMBER_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_NUMBER_CHARS: Final = 20
_GROUP_CHARS: Final = 5
_IDEOGRAPHIC_PLANES: Final = 0x20000
_ADULT_YEARS: Final = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentAttributes:
    """What a municipality attests of a resident. Its repr shows no value.

    Texts are in Unicode NFC and are never changed here: NFC would replace a compatibility
    ideograph by another character than the person's name is registered with, so text that is not
    NFC is refused, and its sender chooses (a variation sequence keeps the form).

    Attributes:
        name: 1 to 200 characters.
        address: 1 to 400 characters.
        municipality: City, ward, town or village, 1 to 100 characters.
        birth_date: In the Gregorian calendar.
        sex: ISO/IEC 5218.
        portrait: JPEG or JPEG 2000, at most 64 KiB; None where there is none.
    """

    name: str = field(repr=False)
    address: str = field(repr=False)
    municipality: str = field(repr=False)
    birth_date: date = field(repr=False)
    sex: Sex = field(repr=False)
    portrait: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _validate_text("name", self.name, MAX_NAME_CHARS)
        _validate_text("address", self.address, MAX_ADDRESS_CHARS)
        _validate_text("municipality", self.municipality, MAX_MUNICIPALITY_CHARS)
        if not isinstance(self.birth_date, date) or isinstance(self.birth_date, datetime):
            raise CredentialFormatError("birth_date: a date is expected")
        if self.sex not in get_args(Sex):
            raise CredentialFormatError(
                "sex: '0' not known, '1' male, '2' female or '9' not applicable (ISO/IEC 5218)"
            )
        if self.portrait is not None:
            _media_type_of(self.portrait)


def resident_claims(attributes: ResidentAttributes, *, on: date) -> JsonObject:
    """Return the claims of a new resident credential, with a new random credential number.

    Args:
        attributes: What is attested.
        on: The day of issuance, in Japan. The derived `age_over_18` is that day's.

    Raises:
        CredentialFormatError: The birth date lies after that day, or 150 years before it.
    """
    claims: JsonObject = {
        "name": attributes.name,
        "address": attributes.address,
        "municipality": attributes.municipality,
        "birth_date": attributes.birth_date.isoformat(),
        "age_over_18": age_on(attributes.birth_date, on) >= _ADULT_YEARS,
        "sex": attributes.sex,
        "credential_number": new_credential_number(),
    }
    if attributes.portrait is not None:
        claims["portrait"] = encode_portrait(attributes.portrait)
    return claims


def resident_attributes(claims: JsonObject) -> ResidentAttributes:
    """Return the attributes that the claims of a resident credential were made of.

    Args:
        claims: All claims, none kept back.

    Raises:
        CredentialFormatError: A claim is missing, or not one that `resident_claims` makes.
    """
    portrait = claims.get("portrait")
    try:
        return ResidentAttributes(
            name=cast(str, claims.get("name")),
            address=cast(str, claims.get("address")),
            municipality=cast(str, claims.get("municipality")),
            birth_date=date.fromisoformat(str(claims.get("birth_date"))),
            sex=cast(Sex, claims.get("sex")),
            portrait=None if portrait is None else decode_portrait(portrait),
        )
    except ValueError:
        raise CredentialFormatError("birth_date: not in the credential's form") from None


def encode_portrait(portrait: bytes) -> str:
    """Return a portrait as its claim holds it: a `data:` URI.

    Raises:
        CredentialFormatError: It is no JPEG or JPEG 2000 of at most `MAX_PORTRAIT_BYTES`.
    """
    media_type = _media_type_of(portrait)
    return f"data:{media_type};base64,{base64.b64encode(portrait).decode('ascii')}"


def decode_portrait(claim: JsonValue) -> bytes:
    """Return the portrait that a claim holds.

    Raises:
        CredentialFormatError: The claim is not one that `encode_portrait` makes.
    """
    try:
        portrait = base64.b64decode(str(claim).partition(";base64,")[2], validate=True)
    except ValueError:
        raise CredentialFormatError("portrait: not in the credential's form") from None
    _media_type_of(portrait)
    return portrait


def concealed_paths(claims: JsonObject) -> tuple[Path, ...]:
    """Return which claims of a resident credential the holder may keep back: all of them."""
    return tuple((name,) for name in RESIDENT_CLAIMS if name in claims)


def age_on(birth_date: date, on: date) -> int:
    """Return the age in whole years on a day, by Japanese law.

    A person attains an age when the day before the birthday ends (Act on Calculation of Ages,
    Act No. 50 of 1902, with Civil Code article 143), so the new age holds from the birthday on.
    For one born on 29 February the period ends, in a common year, with 28 February, so the new age
    holds from 1 March. Statutes that count the day before as the day of attainment come one day
    earlier; no day here says more than the person's age.

    Raises:
        CredentialFormatError: The birth date lies after `on`, or more than 150 years before it.
    """
    # Comparing month and day puts 29 February of a common year behind 28 February by itself.
    has_birthday_come = (on.month, on.day) >= (birth_date.month, birth_date.day)
    age = on.year - birth_date.year - (0 if has_birthday_come else 1)
    if not 0 <= age <= MAX_AGE_YEARS:
        raise CredentialFormatError(
            f"birth_date: after the day of issuance, or more than {MAX_AGE_YEARS} years before it"
        )
    return age


def new_credential_number() -> str:
    """Return a random number of our own format: 100 bits, such as `T-7XK2M-...`; never 12 digits.

    It says nothing of the person and is not an individual number.
    """
    # The alphabet has 32 letters: five bits of a byte choose one, none more often than another.
    letters = [_NUMBER_ALPHABET[byte & 31] for byte in secrets.token_bytes(_NUMBER_CHARS)]
    groups = (
        "".join(letters[at : at + _GROUP_CHARS]) for at in range(0, _NUMBER_CHARS, _GROUP_CHARS)
    )
    return "-".join(["T", *groups])


def _validate_text(name: str, value: str, most: int) -> None:
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        raise CredentialFormatError(f"{name}: a text of 1 to {most} characters is expected")
    if value != value.strip():
        raise CredentialFormatError(f"{name}: spaces stand at its beginning or end")
    if any(not _is_readable(char) for char in value):
        raise CredentialFormatError(
            f"{name}: it holds a control, format or private-use character; use Unicode characters "
            "that others can read"
        )
    if not unicodedata.is_normalized("NFC", value):
        raise CredentialFormatError(
            f"{name}: it is not in Unicode NFC; write a compatibility ideograph as a variation "
            "sequence"
        )
    if has_individual_number(value):
        raise CredentialFormatError(f"{name}: 12 digits that read as an individual number")


def _is_readable(char: str) -> bool:
    category = unicodedata.category(char)
    if category == "Cn":
        # An ideograph may be newer than this Python's tables.
        return ord(char) >= _IDEOGRAPHIC_PLANES
    return category not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def _media_type_of(portrait: bytes) -> str:
    if not isinstance(portrait, bytes) or len(portrait) > MAX_PORTRAIT_BYTES:
        raise CredentialFormatError(f"portrait: at most {MAX_PORTRAIT_BYTES} bytes are expected")
    if portrait.startswith(b"\xff\xd8\xff") and portrait.endswith(b"\xff\xd9"):
        return "image/jpeg"
    if portrait.startswith(b"\x00\x00\x00\x0cjP  \r\n\x87\n"):
        return "image/jp2"
    if portrait.startswith(b"\xff\x4f\xff\x51"):
        return "image/j2c"
    raise CredentialFormatError("portrait: a JPEG or JPEG 2000 image is expected")
