"""The records of guard and recovery: who may change an account's keys, and what is under way.

The ledger adds block times to some of them when they are written: a sender leaves those out.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Literal, Self, TypeAlias, get_args

from google.protobuf.message import DecodeError as ProtobufDecodeError

from chaincode.encoding import (
    JsonObject,
    decode_base64url,
    encode_base64url,
    encode_canonical_json,
)
from chaincode.errors import DecodeError
from chaincode.protocol.commands_pb2 import Command
from chaincode.record_fields import (
    parse_account,
    parse_choice,
    parse_digest,
    parse_signatory,
    parse_whole,
)
from chaincode.records import IdentityRecord

MAX_DELAY_MS: Final = 30 * 24 * 60 * 60 * 1000
"""A longer delay would lock an owner out who needs the account."""
FINISH_WITHIN_MS: Final = 7 * 24 * 60 * 60 * 1000
"""How long a recovery or change that has matured can be carried out."""
MAX_COMMAND_BYTES: Final = 8_192
"""Far above what a guard holds back; the record has room for the times that the ledger adds."""
_LAST_MS: Final = 2**53 - 1
"""The last time that JSON can tell for certain (RFC 8785)."""

GuardState = Literal["standing", "lifted"]
ChangeState = Literal["pending", "withdrawn", "done"]
RecoveryState = Literal["open", "finished", "vetoed", "withdrawn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRecord(IdentityRecord):
    """`tg_guard` on the holder's account: what its keys are guarded by.

    Attributes:
        escrow: The account that may replace a lost key.
        issuer: The account that can approve a recovery or a change, in person.
        delay_ms: How long everybody can see a recovery or a change before it takes effect.
        state: Only a `standing` guard guards.
    """

    prefix: ClassVar[str] = "tg_guard"
    single: ClassVar[bool] = True

    escrow: str
    issuer: str
    delay_ms: int
    state: GuardState

    def to_fields(self) -> JsonObject:
        """Return the record as a JSON object."""
        return {
            "escrow": self.escrow,
            "issuer": self.issuer,
            "delay_ms": self.delay_ms,
            "state": self.state,
        }

    @classmethod
    def from_fields(cls, fields: JsonObject) -> Self:
        """Return the record that a JSON object stands for."""
        return cls(
            escrow=parse_account(fields, "escrow"),
            issuer=parse_account(fields, "issuer"),
            delay_ms=parse_whole(fields, "delay_ms", MAX_DELAY_MS),
            state=parse_choice(fields, "state", get_args(GuardState)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The times of a recovery or a change; the ledger adds them.

    Attributes:
        opened_at_ms: The time of the block that took it in.
        matures_at_ms: When it may be carried out: the guard's delay later.
    """

    opened_at_ms: int
    matures_at_ms: int

    @property
    def lapses_at_ms(self) -> int:
        """From when on it can no longer be carried out."""
        return self.matures_at_ms + FINISH_WITHIN_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverRecord(IdentityRecord):
    """`tg_recover_<id>` on the holder's account, by the escrow account: one key for another.

    Attributes:
        new_key: The signatory that comes, as the world state holds keys.
        lost_key: The signatory that goes.
        window: Its times; None where it is sent.
    """

    prefix: ClassVar[str] = "tg_recover_"

    new_key: str
    lost_key: str
    window: Window | None = None

    def to_fields(self) -> JsonObject:
        """Return the record as a JSON object."""
        fields: JsonObject = {"new_key": self.new_key, "lost_key": self.lost_key}
        return fields | _window_fields(self.window)

    @classmethod
    def from_fields(cls, fields: JsonObject) -> Self:
        """Return the record that a JSON object stands for."""
        return cls(
            new_key=parse_signatory(fields, "new_key"),
            lost_key=parse_signatory(fields, "lost_key"),
            window=_parse_window(fields),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRecord(IdentityRecord):
    """`tg_change_<id>` on the holder's account: a command that is announced before it is sent.

    Its id is `change_id(command)`, so that a command leads to its announcement.

    Attributes:
        command: Exactly the Iroha command, as `encode_command` writes it.
        state: `pending` until the holder takes it back or it is carried out.
        window: Its times; None where it is sent.
    """

    prefix: ClassVar[str] = "tg_change_"

    command: bytes
    state: ChangeState
    window: Window | None = None

    def to_fields(self) -> JsonObject:
        """Return the record as a JSON object."""
        fields: JsonObject = {"command": encode_base64url(self.command), "state": self.state}
        return fields | _window_fields(self.window)

    @classmethod
    def from_fields(cls, fields: JsonObject) -> Self:
        """Return the record that a JSON object stands for."""
        value = fields.get("command")
        data = decode_base64url(value) if isinstance(value, str) else b""
        try:
            known = encode_command(Command.FromString(data))
        except ProtobufDecodeError:
            known = b""
        if not data or known != data:
            raise DecodeError("command: an Iroha command in base64url is expected")
        if len(data) > MAX_COMMAND_BYTES:
            raise DecodeError(f"command: longer than {MAX_COMMAND_BYTES} bytes")
        return cls(
            command=data,
            state=parse_choice(fields, "state", get_args(ChangeState)),
            window=_parse_window(fields),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VetoRecord(IdentityRecord):
    """`tg_veto_<id>` on the holder's account: the recovery of this id is stopped.

    Attributes:
        vetoed_at_ms: The time of the block; None where it is sent.
    """

    prefix: ClassVar[str] = "tg_veto_"

    vetoed_at_ms: int | None = None

    def to_fields(self) -> JsonObject:
        """Return the record as a JSON object."""
        return {} if self.vetoed_at_ms is None else {"vetoed_at_ms": self.vetoed_at_ms}

    @classmethod
    def from_fields(cls, fields: JsonObject) -> Self:
        """Return the record that a JSON object stands for."""
        return cls(vetoed_at_ms=_parse_block_time(fields, "vetoed_at_ms"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRecord(IdentityRecord):
    """`tg_approve_<id>` on the issuer's account: it saw the holder, who asked for exactly this.

    The id is that of the recovery or change.

    Attributes:
        account: The holder's account.
        digest: `approval_digest` of the recovery or change.
        approved_at_ms: The time of the block; None where it is sent.
    """

    prefix: ClassVar[str] = "tg_approve_"

    account: str
    digest: bytes
    approved_at_ms: int | None = None

    def to_fields(self) -> JsonObject:
        """Return the record as a JSON object."""
        fields: JsonObject = {"account": self.account, "digest": encode_base64url(self.digest)}
        if self.approved_at_ms is not None:
            fields["approved_at_ms"] = self.approved_at_ms
        return fields

    @classmethod
    def from_fields(cls, fields: JsonObject) -> Self:
        """Return the record that a JSON object stands for."""
        return cls(
            account=parse_account(fields, "account"),
            digest=parse_digest(fields, "digest"),
            approved_at_ms=_parse_block_time(fields, "approved_at_ms"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryStatus(IdentityRecord):
    """`tg_recovery` on the holder's account: what stands or stood last. The ledger itself keeps it.

    Under one fixed key, so that one read, or one proof, tells whether a recovery is open.

    Attributes:
        item: The detail key of the recovery, of the approved change, or `tg_guard` for none yet.
        state: What became of it.
        until_ms: When it lapses if it is open; else when it ended.
        firm: A veto cannot stop it: it was approved, or it comes again after a veto.
    """

    prefix: ClassVar[str] = "tg_recovery"
    single: ClassVar[bool] = True

    item: str
    state: RecoveryState
    until_ms: int
    firm: bool = False

    def is_open(self, now_ms: int) -> bool:
        """Tell whether the item can still be carried out."""
        return self.state == "open" and now_ms < self.until_ms

    def is_open_recovery(self, now_ms: int) -> bool:
        """Tell whether the item is a recovery that can still be carried out."""
        return self.is_open(now_ms) and self.item.startswith(RecoverRecord.prefix)

    def to_fields(self) -> JsonObject:
        """Return the record as a JSON object."""
        return {
            "item": self.item,
            "state": self.state,
            "until_ms": self.until_ms,
            "firm": self.firm,
        }

    @classmethod
    def from_fields(cls, fields: JsonObject) -> Self:
        """Return the record that a JSON object stands for."""
        item, firm = fields.get("item"), fields.get("firm")
        if not isinstance(item, str) or not isinstance(firm, bool):
            raise DecodeError("item and firm: a text and a boolean are expected")
        return cls(
            item=item,
            state=parse_choice(fields, "state", get_args(RecoveryState)),
            until_ms=parse_whole(fields, "until_ms", _LAST_MS),
            firm=firm,
        )


RecoveryRecord: TypeAlias = (
    GuardRecord | RecoverRecord | ChangeRecord | VetoRecord | ApprovalRecord | RecoveryStatus
)


def encode_command(command: Command) -> bytes:
    """Return the one text form of a command that is announced: keys in lower case."""
    same = Command()
    same.CopyFrom(command)
    for name in ("add_signatory", "remove_signatory"):
        if same.HasField(name):
            body = getattr(same, name)
            body.public_key = body.public_key.lower()
    return same.SerializeToString(deterministic=True)


def change_id(command: bytes) -> str:
    """Return the record id of the announcement of an encoded command."""
    return hashlib.sha256(command).hexdigest()[:32]


def approval_digest(account_id: str, key: str, record: RecoverRecord | ChangeRecord) -> bytes:
    """Return the 32 bytes that stand for a recovery or change in its approval.

    Args:
        account_id: The holder's account.
        key: The record's detail key.
        record: The record, with or without its times.
    """
    sent = replace(record, window=None).to_fields()
    canonical = encode_canonical_json({"account": account_id, "key": key, "record": sent})
    return hashlib.sha256(canonical).digest()


def _window_fields(window: Window | None) -> JsonObject:
    if window is None:
        return {}
    return {"opened_at_ms": window.opened_at_ms, "matures_at_ms": window.matures_at_ms}


def _parse_window(fields: JsonObject) -> Window | None:
    if "opened_at_ms" not in fields:
        return None
    return Window(
        opened_at_ms=parse_whole(fields, "opened_at_ms", _LAST_MS),
        matures_at_ms=parse_whole(fields, "matures_at_ms", _LAST_MS),
    )


def _parse_block_time(fields: JsonObject, name: str) -> int | None:
    return parse_whole(fields, name, _LAST_MS) if name in fields else None
