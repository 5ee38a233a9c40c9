"""What all identity records share: a value is base64url of canonical JSON.

Iroha 1 puts values between quotes without escaping. The ledger calls these checks when a record is
written, the SDK when it reads one: on a daemon that does not know the rules, a record that breaks
them counts for nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final, Self, TypeVar, get_args

from chaincode.encoding import (
    JsonObject,
    decode_base64url,
    decode_canonical_json,
    encode_base64url,
    encode_canonical_json,
)
from chaincode.errors import DecodeError
from chaincode.ids import RECORD_ID
from chaincode.records.fields import Form

NO_ID: Final = ""
MAX_RECORD_CHARS: Final = 16_384


@dataclass(frozen=True, slots=True)
class IdentityRecord:
    """One kind of record, a dataclass whose fields are annotated with their `Form`.

    Of a kind that is `single` an account has one record: its key is the prefix alone, and its
    record id is `NO_ID`. A record is written by the account that it stands on, unless its kind is
    `by_another`: then its own rule says by whom.

    Attributes:
        prefix: How its detail keys begin.
        guessable: Whether its ids follow from what they stand for; else they are random.
        id_form: What follows.
        id_words: The same, for people.
    """

    prefix: ClassVar[str]
    single: ClassVar[bool] = False
    by_another: ClassVar[bool] = False
    guessable: ClassVar[bool] = False
    id_form: ClassVar[re.Pattern[str]] = RECORD_ID
    id_words: ClassVar[str] = "32 lower-case hex digits"

    @classmethod
    def key(cls, record_id: str) -> str:
        """Return the detail key of this kind's record.

        Args:
            record_id: In the kind's `id_form`, or `NO_ID` for a single kind.
        """
        return cls.prefix + record_id

    def to_fields(self) -> JsonObject:
        """Return the record as a JSON object."""
        members: JsonObject = {}
        for name, form in _forms(type(self)):
            members |= form.write(name, getattr(self, name))
        return members

    @classmethod
    def from_fields(cls, members: JsonObject) -> Self:
        """Return the record that a JSON object stands for.

        Raises:
            DecodeError: A field is missing or not acceptable.
        """
        return cls(**{name: form.read(members, name) for name, form in _forms(cls)})


def _forms(kind: type[IdentityRecord]) -> Iterator[tuple[str, Form[Any]]]:
    """Yield name and form of each field of a kind, in the order of its class."""
    for field in fields(kind):
        yield field.name, get_args(field.type)[1]


_Record = TypeVar("_Record", bound=IdentityRecord)


def encode_record(record: IdentityRecord) -> str:
    """Return the detail value that stands for `record`.

    Raises:
        DecodeError: A field of the record is not acceptable; the text says which.
    """
    value = encode_base64url(encode_canonical_json(record.to_fields()))
    decode_record(value, type(record))
    return value


def decode_record(value: str, kind: type[_Record]) -> _Record:
    """Return the record of this kind that a detail value stands for.

    Raises:
        DecodeError: Not a canonical record of this kind; the text names the field, never its value.
    """
    if len(value) > MAX_RECORD_CHARS:
        raise DecodeError(f"the record is longer than {MAX_RECORD_CHARS} characters")
    members = decode_canonical_json(decode_base64url(value))
    record = kind.from_fields(members)
    if members.keys() != record.to_fields().keys():
        raise DecodeError(f"the record has fields that a {kind.__name__} does not have")
    return record
