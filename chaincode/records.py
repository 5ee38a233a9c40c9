"""The identity records: account details whose keys begin with `tg_`.

A value is base64url of canonical JSON, since Iroha 1 puts values between quotes without escaping.
The ledger calls these checks when a record is written, the SDK when it reads one: on a daemon that
does not know the rules, a record that breaks them counts for nothing.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, Self, TypeVar, get_args

from chaincode.encoding import (
    JsonObject,
    decode_base64url,
    decode_canonical_json,
    encode_base64url,
    encode_canonical_json,
)
from chaincode.errors import DecodeError
from chaincode.record_fields import (
    parse_account,
    parse_choice,
    parse_digest,
    parse_public_jwk,
    parse_record_id,
    parse_whole,
)

NO_ID: Final = ""
MAX_RECORD_CHARS: Final = 16_384
MAX_TIME_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999."""

IssuerState = Literal["active", "withdrawn"]
CredentialState = Literal["active", "suspended", "revoked"]
GrantState = Literal["live", "revoked"]


class IdentityRecord(ABC):
    """One kind of record: the prefix of its detail key, and its JSON form.

    Of a kind that is `single` an account has one record: its key is the prefix alone, and its
    record id is `NO_ID`.
    """

    prefix: ClassVar[str]
    single: ClassVar[bool] = False

    @classmethod
    def key(cls, record_id: str) -> str:
        """Return the detail key of this kind's record.

        Args:
            record_id: 32 lower-case hex digits, or `NO_ID` for a single kind.
        """
        return cls.prefix + record_id

    @abstractmethod
    def to_fields(self) -> JsonObject:
        """Return the record as a JSON object."""

    @classmethod
    @abstractmethod
    def from_fields(cls, fields: JsonObject) -> Self:
        """Return the record that a JSON object stands for.

        Raises:
            DecodeError: A field is missing or not acceptable.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerRecord(IdentityRecord):
    """`tg_issuer_<id>` on the registry account: who may issue which credentials, with which keys.

    Attributes:
        issuer: The issuer's account.
        credential_types: The `vct` values that it may issue, sorted.
        keys: Public JWKs (RFC 7517), as JSON objects.
        state: A withdrawn issuer anchors nothing new, and its credentials are no longer trusted.
    """

    prefix: ClassVar[str] = "tg_issuer_"

    issuer: str
    credential_types: tuple[str, ...]
    keys: tuple[JsonObject, ...]
    state: IssuerState

    def to_fields(self) -> JsonObject:
        """Return the record as a JSON object."""
        return {
            "issuer": self.issuer,
            "credential_types": list(self.credential_types),
            "keys": list(self.keys),
            "state": self.state,
        }

    @classmethod
    def from_fields(cls, fields: JsonObject) -> Self:
        """Return the record that a JSON object stands for."""
        types = fields.get("credential_types")
        if not isinstance(types, list) or not types:
            raise DecodeError("credential_types: a list of at least one text is expected")
        names = tuple(name for name in types if isinstance(name, str) and name)
        if list(names) != types or types != sorted(set(names)):
            raise DecodeError("credential_types: texts are expected, sorted, each once")
        keys = fields.get("keys")
        if not isinstance(keys, list) or not keys:
            raise DecodeError("keys: a list of at least one JWK is expected")
        return cls(
            issuer=parse_account(fields, "issuer"),
            credential_types=names,
            keys=tuple(parse_public_jwk(key) for key in keys),
            state=parse_choice(fields, "state", get_args(IssuerState)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRecord(IdentityRecord):
    """`tg_cred_<id>` on the issuer's account: one anchored credential.

    Attributes:
        salted_hash: 32 bytes, SHA-256 of the issuer-signed JWT, whose payload holds a salt.
        issuer_record: The id of the `tg_issuer_` record that this issuer acts under.
        expires_at_ms: Milliseconds since 1970, UTC.
        state: `active` and `suspended` change into each other; `revoked` is final.
    """

    prefix: ClassVar[str] = "tg_cred_"

    salted_hash: bytes
    issuer_record: str
    expires_at_ms: int
    state: CredentialState

    def to_fields(self) -> JsonObject:
        """Return the record as a JSON object."""
        return {
            "salted_hash": encode_base64url(self.salted_hash),
            "issuer_record": self.issuer_record,
            "expires_at_ms": self.expires_at_ms,
            "state": self.state,
        }

    @classmethod
    def from_fields(cls, fields: JsonObject) -> Self:
        """Return the record that a JSON object stands for."""
        return cls(
            salted_hash=parse_digest(fields, "salted_hash"),
            issuer_record=parse_record_id(fields, "issuer_record"),
            expires_at_ms=parse_whole(fields, "expires_at_ms", MAX_TIME_MS),
            state=parse_choice(fields, "state", get_args(CredentialState)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRecord(IdentityRecord):
    """`tg_grant_<id>` on the holder's account: one verifier may see attributes for one purpose.

    Attributes:
        commitment: 32 bytes, the salted hash of verifier, credential, attributes and purpose.
        gateway: The account of the gateway that may serve it.
        expires_at_ms: Milliseconds since 1970, UTC.
        uses: How often it may be used, at least 1.
        state: `revoked` is final.
    """

    prefix: ClassVar[str] = "tg_grant_"

    commitment: bytes
    gateway: str
    expires_at_ms: int
    uses: int
    state: GrantState

    def to_fields(self) -> JsonObject:
        """Return the record as a JSON object."""
        return {
            "commitment": encode_base64url(self.commitment),
            "gateway": self.gateway,
            "expires_at_ms": self.expires_at_ms,
            "uses": self.uses,
            "state": self.state,
        }

    @classmethod
    def from_fields(cls, fields: JsonObject) -> Self:
        """Return the record that a JSON object stands for."""
        return cls(
            commitment=parse_digest(fields, "commitment"),
            gateway=parse_account(fields, "gateway"),
            expires_at_ms=parse_whole(fields, "expires_at_ms", MAX_TIME_MS),
            uses=parse_whole(fields, "uses", 1_000_000),
            state=parse_choice(fields, "state", get_args(GrantState)),
        )


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
    fields = decode_canonical_json(decode_base64url(value))
    record = kind.from_fields(fields)
    if fields.keys() != record.to_fields().keys():
        raise DecodeError(f"the record has fields that a {kind.__name__} does not have")
    return record
