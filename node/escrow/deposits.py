"""The life of a deposit: left by a wallet, replaced, updated, withdrawn, and read by its holder."""

from collections.abc import Callable
from typing import Final

import structlog

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import Key, thumbprint
from client_sdk.errors import EscrowFormatError, GroupFormatError, ShareError
from client_sdk.escrow.deposit_statement import DepositStatement, verify_statement
from client_sdk.threshold_oprf import KeyShare, verify_share
from client_sdk.threshold_oprf.ristretto255 import decode_scalar
from node.escrow.callers import Caller, CallerDesk, Role
from node.escrow.deposit_forms import DepositedBackup, HolderStatus, NewDeposit, check_backup
from node.escrow.errors import DepositRefusedError, UnknownHandleError
from node.escrow.holder_status import StatusTeller, attempts_of, holder_of
from node.escrow.policy import GuessPolicy, is_to_be_erased
from node.escrow.sealing import StoreSealer, share_place
from node.escrow.store import EscrowStore, HolderTransaction, StoredDeposit

AGENT: Final = "agent"
"""Who is named in the log where the agent acts by itself."""
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.escrow")


class Deposits:
    """Keeps deposits. Each request that its sender may make is one entry of the handle's log."""

    def __init__(
        self,
        store: EscrowStore,
        *,
        signing_key: Key,
        desk: CallerDesk,
        sealer: StoreSealer,
        policy: GuessPolicy,
        withdrawal_delay_ms: int,
        max_deposits: int,
        now_ms: Callable[[], int],
    ) -> None:
        """Wire the parts.

        Args:
            store: Where deposits are kept.
            signing_key: The agent's private key.
            desk: Reads the words of issuers' counters.
            sealer: Seals shares at rest.
            policy: How often a password may be tried.
            withdrawal_delay_ms: How long a withdrawal waits where the password was not proven.
            max_deposits: How many are kept at most.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._key = thumbprint(signing_key)
        self._teller = StatusTeller(signing_key, policy)
        self._desk = desk
        self._sealer = sealer
        self._policy = policy
        self._withdrawal_delay_ms = withdrawal_delay_ms
        self._max_deposits = max_deposits
        self._now_ms = now_ms
        # Counting takes time that grows: done now and then, and added to meanwhile.
        self._kept = store.count_deposits()

    def deposit(self, caller: Caller, handle: str, new: NewDeposit) -> HolderStatus:
        """Keep a share and a backup; beside what is there, until `confirm` replaces that.

        Raises:
            ApiError: The sender may not, or the parts do not belong together.
        """
        terms, index = self._check_parts(handle, new)
        place = share_place(handle, terms.epoch, index)

        def work(transaction: HolderTransaction) -> HolderStatus:
            kept = transaction.deposits()
            active = [deposit.terms for deposit in kept if deposit.is_active]
            # The card alone may leave the first one. To replace it takes the wallet as well: a
            # thief with the card must not put a deposit of his own in its place.
            role = caller.require(handle, active, Role.OWNER if active else Role.CARD)
            caller.spend_nonce(transaction)
            if any(deposit.epoch >= terms.epoch for deposit in kept):
                raise DepositRefusedError(
                    "A deposit of this epoch or a later one is here already.",
                    status=409,
                    code="not_newer",
                )
            self._check_room()
            for pending in kept:
                if not pending.is_active:
                    transaction.delete(pending)
            transaction.append_log("deposited", caller=role, now_ms=self._now_ms())
            holder = holder_of(transaction)
            holder.account = terms.account
            transaction.session.add(
                StoredDeposit(
                    handle=handle,
                    epoch=terms.epoch,
                    is_active=not active,
                    statement=new.statement,
                    sealed_share=self._sealer.seal(new.share, place=place),
                    backup_version=new.backup.version,
                    backup=new.backup.sealed,
                    backup_stored_ms=self._now_ms(),
                )
            )
            transaction.session.flush()
            return self._teller.status(transaction)

        status = self._store.change(handle, work)
        self._kept += 1
        return status

    def confirm(self, caller: Caller, handle: str, epoch: int) -> HolderStatus:
        """Take a proof that the password is known: attempts start anew, this epoch holds alone.

        Raises:
            ApiError: There is no such deposit, or the sender does not prove the password.
        """

        def work(transaction: HolderTransaction) -> HolderStatus:
            deposit = transaction.deposit(epoch)
            if deposit is None:
                raise UnknownHandleError
            role = caller.require(handle, [deposit.terms], Role.SUCCESS)
            caller.spend_nonce(transaction)
            deposit.is_active = True
            for other in transaction.deposits():
                if other.epoch < epoch:
                    transaction.delete(other)
            holder = holder_of(transaction)
            holder.attempts, holder.last_attempt_ms = 0, 0
            holder.withdraw_at_ms = None
            transaction.append_log("confirmed", caller=role, now_ms=self._now_ms())
            transaction.session.flush()
            return self._teller.status(transaction)

        return self._store.change(handle, work)

    def withdraw(self, caller: Caller, handle: str) -> HolderStatus:
        """Delete all that is kept: at once for one who proves the password, else after the delay.

        Raises:
            ApiError: There is no such deposit, or the sender may not.
        """

        def work(transaction: HolderTransaction) -> HolderStatus:
            kept = _kept(transaction)
            statements = [deposit.terms for deposit in kept]
            role = caller.require(handle, statements, Role.OWNER, Role.SUCCESS)
            caller.spend_nonce(transaction)
            holder = holder_of(transaction)
            now_ms = self._now_ms()
            if role is Role.SUCCESS or self._withdrawal_delay_ms == 0:
                _delete_all(transaction)
                transaction.append_log("withdrawn", caller=role, now_ms=now_ms)
            else:
                holder.withdraw_at_ms = now_ms + self._withdrawal_delay_ms
                transaction.append_log("withdrawal asked for", caller=role, now_ms=now_ms)
            transaction.session.flush()
            return self._teller.status(transaction)

        return self._store.change(handle, work)

    def veto_withdrawal(self, caller: Caller, handle: str) -> HolderStatus:
        """Stop a withdrawal that waits.

        Raises:
            ApiError: There is no such deposit, or the sender holds not even the card.
        """

        def work(transaction: HolderTransaction) -> HolderStatus:
            statements = [deposit.terms for deposit in _kept(transaction)]
            role = caller.require(handle, statements, Role.CARD, Role.SUCCESS)
            caller.spend_nonce(transaction)
            holder_of(transaction).withdraw_at_ms = None
            transaction.append_log("withdrawal vetoed", caller=role, now_ms=self._now_ms())
            transaction.session.flush()
            return self._teller.status(transaction)

        return self._store.change(handle, work)

    def read_status(self, caller: Caller, handle: str) -> HolderStatus:
        """Return what is kept of a handle.

        Raises:
            ApiError: The handle is unknown, or the sender is a stranger to it.
        """

        def work(transaction: HolderTransaction) -> HolderStatus:
            self._note_reading(transaction, caller, "status read")
            return self._teller.status(transaction)

        return self._store.change(handle, work)

    def find(self, caller: Caller, counter_token: str) -> tuple[HolderStatus, ...]:
        """Return what is kept for a holder who has no card, on the word of an issuer's counter.

        Raises:
            ApiError: The token is not to be taken.
        """
        word = self._desk.read_counter_token(counter_token, caller)

        def work(transaction: HolderTransaction) -> HolderStatus | None:
            approved = [deposit.terms.approving_issuer for deposit in transaction.deposits()]
            if word.issuer not in approved:
                return None
            event = "found by the counter's word"
            transaction.append_log(event, caller=Role.COUNTER, now_ms=self._now_ms())
            transaction.session.flush()
            return self._teller.status(transaction)

        handles = self._store.handles_of_account(word.account)
        found = [self._store.change(handle, work) for handle in handles]
        return tuple(status for status in found if status is not None)

    def read_backups(self, caller: Caller, handle: str, epoch: int) -> tuple[DepositedBackup, ...]:
        """Return the newest backup, and where there is one an older one.

        Raises:
            ApiError: There is no such deposit, or the sender may not.
        """

        def work(transaction: HolderTransaction) -> tuple[DepositedBackup, ...]:
            deposit = transaction.deposit(epoch)
            if deposit is None:
                raise UnknownHandleError
            role = caller.require(handle, [deposit.terms], Role.OWNER)
            caller.spend_nonce(transaction)
            transaction.append_log("backup read", caller=role, now_ms=self._now_ms())
            backups = [DepositedBackup(version=deposit.backup_version, sealed=deposit.backup)]
            if deposit.previous_version is not None and deposit.previous_backup is not None:
                backups.append(
                    DepositedBackup(
                        version=deposit.previous_version, sealed=deposit.previous_backup
                    )
                )
            return tuple(backups)

        return self._store.change(handle, work)

    def store_backup(
        self, caller: Caller, handle: str, epoch: int, backup: DepositedBackup
    ) -> HolderStatus:
        """Keep a newer backup. The one before stays for as long as a withdrawal would wait.

        Raises:
            ApiError: There is no such deposit, the sender may not, or the backup is not newer.
        """
        check_backup(backup)

        def work(transaction: HolderTransaction) -> HolderStatus:
            deposit = transaction.deposit(epoch)
            if deposit is None:
                raise UnknownHandleError
            role = caller.require(handle, [deposit.terms], Role.OWNER)
            caller.spend_nonce(transaction)
            if backup.version <= deposit.backup_version:
                raise DepositRefusedError(
                    f"Version {deposit.backup_version} is here already; send a later one.",
                    status=409,
                    code="not_newer",
                )
            now_ms = self._now_ms()
            stood_ms = now_ms - deposit.backup_stored_ms
            if deposit.previous_version is None or stood_ms >= self._withdrawal_delay_ms:
                deposit.previous_version = deposit.backup_version
                deposit.previous_backup = deposit.backup
            deposit.backup_version = backup.version
            deposit.backup = backup.sealed
            deposit.backup_stored_ms = now_ms
            transaction.append_log("backup stored", caller=role, now_ms=now_ms)
            transaction.session.flush()
            return self._teller.status(transaction)

        return self._store.change(handle, work)

    def read_log(self, caller: Caller, handle: str) -> tuple[list[JsonObject], str]:
        """Return the handle's log, with the reading as its last entry, and its signed head.

        Raises:
            ApiError: The handle is unknown, or the sender is a stranger to it.
        """

        def work(transaction: HolderTransaction) -> tuple[list[JsonObject], str]:
            self._note_reading(transaction, caller, "log read")
            entries = [entry.to_fields() for entry in transaction.log()]
            return entries, self._teller.head(transaction)

        return self._store.change(handle, work)

    def purge(self) -> None:
        """Do the withdrawals that are due, and erase shares whose attempts are used up."""
        now_ms = self._now_ms()
        self._store.forget_spent(now_ms)
        self._kept = self._store.count_deposits()

        def work(transaction: HolderTransaction) -> None:
            holder = holder_of(transaction)
            if holder.withdraw_at_ms is not None and holder.withdraw_at_ms <= now_ms:
                _delete_all(transaction)
                transaction.append_log("withdrawn", caller=AGENT, now_ms=now_ms)
            elif is_to_be_erased(self._policy, attempts_of(holder), now_ms):
                erase_shares(transaction, now_ms=now_ms)

        for handle in self._store.handles_to_purge(now_ms=now_ms, budget=self._policy.budget):
            self._store.change(handle, work)

    def _check_parts(self, handle: str, new: NewDeposit) -> tuple[DepositStatement, int]:
        """Return statement and index, once statement, share and backup are known to fit."""
        check_backup(new.backup)
        try:
            terms = verify_statement(new.statement, expected_handle=handle)
            index = terms.agents.index_of(self._key)
            share = KeyShare(index=index, secret=decode_scalar(new.share))
            verify_share(share, terms.commitments)
        except (EscrowFormatError, GroupFormatError, ShareError) as error:
            raise DepositRefusedError(str(error)) from None
        return terms, index

    def _check_room(self) -> None:
        if self._kept >= self._max_deposits:
            raise DepositRefusedError(
                "This agent keeps as many deposits as it can; choose another one.",
                status=507,
                code="agent_full",
            )

    def _note_reading(self, transaction: HolderTransaction, caller: Caller, event: str) -> None:
        holder_of(transaction)
        statements = [deposit.terms for deposit in transaction.deposits()]
        role = caller.require(transaction.handle, statements, Role.CARD, Role.OWNER, Role.SUCCESS)
        caller.spend_nonce(transaction)
        transaction.append_log(event, caller=role, now_ms=self._now_ms())
        transaction.session.flush()


def erase_shares(transaction: HolderTransaction, *, now_ms: int) -> None:
    """Erase what could be guessed with: from now on no theft of the store helps any more."""
    usable = [item for item in transaction.deposits() if item.sealed_share is not None]
    for deposit in usable:
        transaction.erase_share(deposit)
    if usable:
        transaction.append_log("share erased", caller=AGENT, now_ms=now_ms)
        _log.warning("share_erased", handle=transaction.handle)


def _delete_all(transaction: HolderTransaction) -> None:
    for deposit in transaction.deposits():
        transaction.delete(deposit)
    holder = holder_of(transaction)
    holder.account = None
    holder.withdraw_at_ms = None


def _kept(transaction: HolderTransaction) -> list[StoredDeposit]:
    kept = transaction.deposits()
    if not kept:
        raise UnknownHandleError
    return kept
