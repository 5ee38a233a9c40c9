"""A resident's attributes as the service seals them, and the day that they are attested on."""

import base64
import binascii
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final, cast

from chaincode.encoding import JsonObject
from client_sdk.credentials.resident import ResidentAttributes, Sex
from client_sdk.errors import CredentialFormatError
from client_sdk.strict_json import encode_json, parse_strict_json_object

_JAPAN: Final = timezone(timedelta(hours=9), "JST")


def encode_attributes(attributes: ResidentAttributes) -> bytes:
    """Return attributes as bytes, for sealing."""
    portrait = attributes.portrait
    fields: JsonObject = {
        "name": attributes.name,
        "address": attributes.address,
        "municipality": attributes.municipality,
        "birth_date": attributes.birth_date.isoformat(),
        "sex": attributes.sex,
        "portrait": None if portrait is None else base64.b64encode(portrait).decode("ascii"),
    }
    return encode_json(fields)


def decode_attributes(plain: bytes) -> ResidentAttributes:
    """Return what `encode_attributes` wrote."""
    fields = parse_strict_json_object(plain)
    portrait = fields["portrait"]
    return ResidentAttributes(
        name=str(fields["name"]),
        address=str(fields["address"]),
        municipality=str(fields["municipality"]),
        birth_date=date.fromisoformat(str(fields["birth_date"])),
        sex=cast(Sex, fields["sex"]),
        portrait=None if portrait is None else parse_portrait(str(portrait)),
    )


def day_in_japan(time_ms: int) -> date:
    """Return the day that it is in Japan (UTC+9, without summer time)."""
    return datetime.fromtimestamp(time_ms // 1000, tz=UTC).astimezone(_JAPAN).date()


def parse_portrait(text: str) -> bytes:
    """Return the bytes of an image in base64 (RFC 4648 section 4).

    Raises:
        CredentialFormatError: Not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise CredentialFormatError("portrait: base64 is expected") from None
