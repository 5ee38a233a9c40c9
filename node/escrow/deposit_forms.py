"""What wallets leave with an agent, and what it tells them of it."""

from dataclasses import dataclass, field
from typing import Final

from node.escrow.errors import DepositRefusedError

MAX_BACKUP_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositedBackup:
    """A sealed backup.

    Attributes:
        version: From 1; a later one is larger.
        sealed: What only the right password opens.
    """

    version: int
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeposit:
    """What a wallet leaves.

    Attributes:
        statement: The statement that the recovery card's key signed.
        share: This agent's share of the OPRF key, 32 bytes.
        backup: The first backup.
    """

    statement: str
    share: bytes = field(repr=False)
    backup: DepositedBackup


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDeposit:
    """What a holder is told of one epoch.

    Attributes:
        epoch: Its epoch.
        is_active: Whether it was confirmed.
        is_usable: Whether the share was not erased yet.
        statement: The signed statement.
        backup_version: The newest backup's version.
    """

    epoch: int
    is_active: bool
    is_usable: bool
    statement: str
    backup_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderStatus:
    """What a holder is told of a handle.

    Attributes:
        handle: The handle.
        deposits: What is kept, the newest first.
        attempts_used: How often it was evaluated since the last success.
        attempts_left: How many more evaluations there are.
        next_attempt_ms: From when on, milliseconds since 1970, UTC; 0 for at once.
        withdraw_at_ms: When it is withdrawn; None where nobody asked for that.
        log_head: The log's end, signed by this agent.
    """

    handle: str
    deposits: tuple[KeptDeposit, ...]
    attempts_used: int
    attempts_left: int
    next_attempt_ms: int
    withdraw_at_ms: int | None
    log_head: str


def check_backup(backup: DepositedBackup) -> None:
    """Refuse a backup that is too large, empty, or of no version.

    Raises:
        DepositRefusedError: It is.
    """
    if backup.version < 1 or not 1 <= len(backup.sealed) <= MAX_BACKUP_BYTES:
        raise DepositRefusedError(
            f"A backup has a version from 1 and at most {MAX_BACKUP_BYTES} bytes."
        )
