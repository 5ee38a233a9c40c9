"""The records of guard and recovery: who may change an account's keys, and what is under way.

The ledger adds block times to some of them when they are written: a sender leaves those out.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Final, Literal, TypeAlias

from google.protobuf.message import DecodeError as ProtobufDecodeError

from chaincode.encoding import (
    JsonObject,
    decode_base64url,
    encode_canonical_json,
)
from chaincode.errors import DecodeError
from chaincode.protocol.commands_pb2 import Command
from chaincode.records.fields import (
    ACCOUNT,
    BLOCK_TIME,
    DIGEST,
    FLAG,
    SIGNATORY_KEY,
    TEXT,
    TIME_OF_LEDGER,
    Form,
    choice,
    whole,
    write_bytes,
)
from chaincode.records.record import IdentityRecord

MAX_DELAY_MS: Final = 30 * 24 * 60 * 60 * 1000
"""A longer delay would lock an owner out who needs the account."""
FINISH_WITHIN_MS: Final = 7 * 24 * 60 * 60 * 1000
"""How long a recovery or change that has matured can be carried out."""
MAX_COMMAND_BYTES: Final = 8_192
"""Far above what a guard holds back; the record has room for the times that the ledger adds."""

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

    escrow: Annotated[str, ACCOUNT]
    issuer: Annotated[str, ACCOUNT]
    delay_ms: Annotated[int, whole(MAX_DELAY_MS)]
    state: Annotated[GuardState, choice(GuardState)]


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


def encode_command(command: Command) -> bytes:
    """Return the one text form of a command that is announced: keys in lower case."""
    same = Command()
    same.CopyFrom(command)
    for name in ("add_signatory", "remove_signatory"):
        if same.HasField(name):
            body = getattr(same, name)
            body.public_key = body.public_key.lower()
    return same.SerializeToString(deterministic=True)


def _read_window(fields: JsonObject, _name: str) -> Window | None:
    if "opened_at_ms" not in fields:
        return None
    return Window(
        opened_at_ms=TIME_OF_LEDGER.read(fields, "opened_at_ms"),
        matures_at_ms=TIME_OF_LEDGER.read(fields, "matures_at_ms"),
    )


def _write_window(_name: str, window: Window | None) -> JsonObject:
    if window is None:
        return {}
    return {"opened_at_ms": window.opened_at_ms, "matures_at_ms": window.matures_at_ms}


def _read_command(fields: JsonObject, name: str) -> bytes:
    value = fields.get(name)
    data = decode_base64url(value) if isinstance(value, str) else b""
    try:
        known = encode_command(Command.FromString(data))
    except ProtobufDecodeError:
        known = b""
    if not data or known != data:
        raise DecodeError(f"{name}: an Iroha command in base64url is expected")
    if len(data) > MAX_COMMAND_BYTES:
        raise DecodeError(f"{name}: longer than {MAX_COMMAND_BYTES} bytes")
    return data


_WINDOW: Final = Form(_read_window, _write_window)
_COMMAND: Final = Form(_read_command, write_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverRecord(IdentityRecord):
    """`tg_recover_<id>` on the holder's account, by the escrow account: one key for another.

    Attributes:
        new_key: The signatory that comes, as the world state holds keys.
        lost_key: The signatory that goes.
        window: Its times; None where it is sent.
    """

    prefix: ClassVar[str] = "tg_recover_"
    by_another: ClassVar[bool] = True

    new_key: Annotated[str, SIGNATORY_KEY]
    lost_key: Annotated[str, SIGNATORY_KEY]
    window: Annotated[Window | None, _WINDOW] = None


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
    guessable: ClassVar[bool] = True

    command: Annotated[bytes, _COMMAND]
    state: Annotated[ChangeState, choice(ChangeState)]
    window: Annotated[Window | None, _WINDOW] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VetoRecord(IdentityRecord):
    """`tg_veto_<id>` on the holder's account: the recovery of this id is stopped.

    Attributes:
        vetoed_at_ms: The time of the block; None where it is sent.
    """

    prefix: ClassVar[str] = "tg_veto_"

    vetoed_at_ms: Annotated[int | None, BLOCK_TIME] = None


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
    guessable: ClassVar[bool] = True

    account: Annotated[str, ACCOUNT]
    digest: Annotated[bytes, DIGEST]
    approved_at_ms: Annotated[int | None, BLOCK_TIME] = None


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

    item: Annotated[str, TEXT]
    state: Annotated[RecoveryState, choice(RecoveryState)]
    until_ms: Annotated[int, TIME_OF_LEDGER]
    firm: Annotated[bool, FLAG] = False

    def is_open(self, now_ms: int) -> bool:
        """Tell whether the item can still be carried out."""
        return self.state == "open" and now_ms < self.until_ms

    def is_open_recovery(self, now_ms: int) -> bool:
        """Tell whether the item is a recovery that can still be carried out."""
        return self.is_open(now_ms) and self.item.startswith(RecoverRecord.prefix)


RecoveryRecord: TypeAlias = (
    GuardRecord | RecoverRecord | ChangeRecord | VetoRecord | ApprovalRecord | RecoveryStatus
)


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
