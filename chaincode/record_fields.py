"""The fields of an identity record: each is read from its JSON object, or refused by its name.

Each function raises `DecodeError` where the field is missing or not acceptable.
"""

from typing import Final, TypeVar

from chaincode.encoding import JsonObject, JsonValue, decode_base64url
from chaincode.errors import DecodeError
from chaincode.ids import ACCOUNT_ID, RECORD_ID, SIGNATORY

_Choice = TypeVar("_Choice", bound=str)
_PRIVATE_JWK_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def parse_account(fields: JsonObject, name: str) -> str:
    """Return an account id."""
    value = fields.get(name)
    if not isinstance(value, str) or not ACCOUNT_ID.fullmatch(value):
        raise DecodeError(f"{name}: an account id is expected")
    return value


def parse_record_id(fields: JsonObject, name: str) -> str:
    """Return a record id."""
    value = fields.get(name)
    if not isinstance(value, str) or not RECORD_ID.fullmatch(value):
        raise DecodeError(f"{name}: 32 lower-case hex digits are expected")
    return value


def parse_signatory(fields: JsonObject, name: str) -> str:
    """Return a signatory's public key, as the world state holds it."""
    value = fields.get(name)
    if not isinstance(value, str) or not SIGNATORY.fullmatch(value):
        raise DecodeError(f"{name}: a public key in lower-case hex is expected")
    return value


def parse_digest(fields: JsonObject, name: str) -> bytes:
    """Return 32 bytes."""
    value = fields.get(name)
    digest = decode_base64url(value) if isinstance(value, str) else b""
    if len(digest) != 32:
        raise DecodeError(f"{name}: 32 bytes in base64url are expected")
    return digest


def parse_whole(fields: JsonObject, name: str, highest: int) -> int:
    """Return a whole number from 1 to `highest`."""
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= highest:
        raise DecodeError(f"{name}: a whole number from 1 to {highest} is expected")
    return value


def parse_choice(fields: JsonObject, name: str, choices: tuple[_Choice, ...]) -> _Choice:
    """Return one of the choices."""
    value = fields.get(name)
    for choice in choices:
        if value == choice:
            return choice
    raise DecodeError(f"{name}: one of {', '.join(choices)} is expected")


def parse_public_jwk(value: JsonValue) -> JsonObject:
    """Return a public JWK (RFC 7517) of flat members."""
    if not isinstance(value, dict) or value.get("kty") not in ("OKP", "EC"):
        raise DecodeError("keys: a JWK of type OKP or EC is expected")
    if value.keys() & _PRIVATE_JWK_MEMBERS:
        raise DecodeError("keys: a JWK holds private members; publish the public key only")
    # Flat: how deep JSON may nest depends on the interpreter, so no rule may hang on it.
    if not all(_is_text(member) or _is_text_list(member) for member in value.values()):
        raise DecodeError("keys: the members of a JWK are texts or lists of texts")
    return value


def _is_text(value: JsonValue) -> bool:
    return isinstance(value, str)


def _is_text_list(value: JsonValue) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
