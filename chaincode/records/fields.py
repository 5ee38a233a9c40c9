"""How each kind of field stands in the JSON object of an identity record.

`read` raises `DecodeError` where the field is missing or not acceptable; the text names the field,
never its value.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar, get_args

from chaincode.encoding import JsonObject, JsonValue, decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from chaincode.ids import ACCOUNT_ID, RECORD_ID, SIGNATORY

MAX_TIME_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999."""
_LAST_MS: Final = 2**53 - 1
"""The last time that JSON can tell for certain (RFC 8785)."""

_Value = TypeVar("_Value")
_PRIVATE_JWK_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True, slots=True)
class Form(Generic[_Value]):
    """The form of a field: `Annotated[bytes, DIGEST]` says it of a field of a record.

    Attributes:
        read: Returns the value from the JSON object, given the field's name.
        write: Returns the members of the JSON object that stand for the value.
    """

    read: Callable[[JsonObject, str], _Value]
    write: Callable[[str, _Value], JsonObject]


def whole(highest: int, lowest: int = 1) -> Form[int]:
    """Return the form of a whole number from `lowest` to `highest`."""

    def read(fields: JsonObject, name: str) -> int:
        value = fields.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise DecodeError(f"{name}: a whole number from {lowest} to {highest} is expected")
        return value

    return Form(read, _write_plain)


def choice(literal: object) -> Form[str]:
    """Return the form of one of the texts of a `Literal` type."""
    choices: tuple[str, ...] = get_args(literal)

    def read(fields: JsonObject, name: str) -> str:
        value = fields.get(name)
        for known in choices:
            if value == known:
                return known
        raise DecodeError(f"{name}: one of {', '.join(choices)} is expected")

    return Form(read, _write_plain)


def data(most: int) -> Form[bytes]:
    """Return the form of 1 to `most` bytes."""

    def read(fields: JsonObject, name: str) -> bytes:
        value = fields.get(name)
        found = decode_base64url(value) if isinstance(value, str) else b""
        if not 1 <= len(found) <= most:
            raise DecodeError(f"{name}: 1 to {most} bytes in base64url are expected")
        return found

    return Form(read, write_bytes)


def _read_account(fields: JsonObject, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not ACCOUNT_ID.fullmatch(value):
        raise DecodeError(f"{name}: an account id is expected")
    return value


def _read_record_id(fields: JsonObject, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not RECORD_ID.fullmatch(value):
        raise DecodeError(f"{name}: 32 lower-case hex digits are expected")
    return value


def _read_signatory(fields: JsonObject, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not SIGNATORY.fullmatch(value):
        raise DecodeError(f"{name}: a public key in lower-case hex is expected")
    return value


def _read_text(fields: JsonObject, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise DecodeError(f"{name}: a text is expected")
    return value


def _read_flag(fields: JsonObject, name: str) -> bool:
    value = fields.get(name)
    if not isinstance(value, bool):
        raise DecodeError(f"{name}: a boolean is expected")
    return value


def _read_names(fields: JsonObject, name: str) -> tuple[str, ...]:
    value = fields.get(name)
    if not isinstance(value, list) or not value:
        raise DecodeError(f"{name}: a list of at least one text is expected")
    names = tuple(text for text in value if isinstance(text, str) and text)
    if list(names) != value or value != sorted(set(names)):
        raise DecodeError(f"{name}: texts are expected, sorted, each once")
    return names


def _read_digest(fields: JsonObject, name: str) -> bytes:
    value = fields.get(name)
    digest = decode_base64url(value) if isinstance(value, str) else b""
    if len(digest) != 32:
        raise DecodeError(f"{name}: 32 bytes in base64url are expected")
    return digest


def _read_public_keys(fields: JsonObject, name: str) -> tuple[JsonObject, ...]:
    value = fields.get(name)
    if not isinstance(value, list) or not value:
        raise DecodeError(f"{name}: a list of at least one JWK is expected")
    return tuple(_public_jwk(key, name) for key in value)


def _public_jwk(value: JsonValue, name: str) -> JsonObject:
    if not isinstance(value, dict) or value.get("kty") not in ("OKP", "EC"):
        raise DecodeError(f"{name}: a JWK of type OKP or EC is expected")
    if value.keys() & _PRIVATE_JWK_MEMBERS:
        raise DecodeError(f"{name}: a JWK holds private members; publish the public key only")
    # Flat: how deep JSON may nest depends on the interpreter, so no rule may hang on it.
    if not all(_is_text(member) or _is_text_list(member) for member in value.values()):
        raise DecodeError(f"{name}: the members of a JWK are texts or lists of texts")
    return value


def _is_text(value: JsonValue) -> bool:
    return isinstance(value, str)


def _is_text_list(value: JsonValue) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _read_block_time(fields: JsonObject, name: str) -> int | None:
    return TIME_OF_LEDGER.read(fields, name) if name in fields else None


def _write_plain(name: str, value: str | int) -> JsonObject:
    return {name: value}


def write_bytes(name: str, value: bytes) -> JsonObject:
    """Return the member that holds bytes, in base64url."""
    return {name: encode_base64url(value)}


def _write_names(name: str, value: tuple[str, ...]) -> JsonObject:
    return {name: list(value)}


def _write_keys(name: str, value: tuple[JsonObject, ...]) -> JsonObject:
    return {name: list(value)}


def _write_block_time(name: str, value: int | None) -> JsonObject:
    return {} if value is None else {name: value}


ACCOUNT: Final = Form(_read_account, _write_plain)
RECORD: Final = Form(_read_record_id, _write_plain)
"""The id of another record."""
SIGNATORY_KEY: Final = Form(_read_signatory, _write_plain)
"""A signatory's public key, as the world state holds it."""
TEXT: Final = Form(_read_text, _write_plain)
FLAG: Final = Form(_read_flag, _write_plain)
NAMES: Final = Form(_read_names, _write_names)
"""At least one text, sorted, each once."""
DIGEST: Final = Form(_read_digest, write_bytes)
"""32 bytes."""
PUBLIC_KEYS: Final = Form(_read_public_keys, _write_keys)
"""At least one public JWK (RFC 7517) of flat members."""
EXPIRY: Final = whole(MAX_TIME_MS)
"""Milliseconds since 1970, UTC."""
TIME_OF_LEDGER: Final = whole(_LAST_MS)
"""A time that the ledger itself writes: milliseconds since 1970, UTC."""
BLOCK_TIME: Final = Form(_read_block_time, _write_block_time)
"""The time of the block that took the record in; None, and no member, where it is sent."""
