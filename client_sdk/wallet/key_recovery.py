"""A new key for the holder's account, by the escrow agents: opened, waited for, carried out.

The wallet on the new phone has drawn a new key; it came back with everything but the lost one. The
account cannot be read with a key that is none of its own, so the agents read it too. What is under
way stands on the ledger alone: this can be stopped and gone on with at any point.
"""

from collections.abc import Collection
from typing import Protocol

from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.transaction_pb2 import Transaction
from client_sdk.errors import RecoveryError, TransactionFailedError
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.grants import new_record_id
from client_sdk.ledger.guard_commands import finish_recovery, open_recovery
from client_sdk.ledger.guard_state import GuardState, SeenRecovery
from client_sdk.wallet.account_guard import explain_refusal


class RecoveryAgents(Protocol):
    """The escrow agents together, or whoever else acts for an escrow account."""

    def guard_state(self, account_id: str) -> GuardState:
        """Return what the ledger says of an account.

        Raises:
            ClientError: The agents refuse or cannot be reached; the message says why.
        """

    def sign_transaction(self, transaction: Transaction) -> None:
        """Add the escrow account's signature to a transaction.

        Raises:
            ClientError: The agents refuse or cannot be reached; the message says why.
        """


class KeyRecovery:
    """The recovery of one account for one new key."""

    def __init__(self, ledger: LedgerClient, agents: RecoveryAgents, *, new_key: str) -> None:
        """Prepare; nothing is sent yet.

        Args:
            ledger: A client of the account to recover; it only passes signed transactions on.
            agents: Sign for the escrow account that the account's guard names.
            new_key: The public key that comes, in the form that Iroha writes.
        """
        self._ledger = ledger
        self._agents = agents
        self._account_id = ledger.account_id
        self._new_key = new_key

    def open(
        self, *, known_keys: Collection[str] = (), record_id: str | None = None
    ) -> SeenRecovery:
        """Open a recovery that puts the new key in the lost one's place.

        One that this key has opened already, and that still stands, is returned as it is.

        Args:
            known_keys: Keys that the lost phone is known to have had, such as those of credentials;
                needed where the account has several.
            record_id: The recovery's id: the one that the issuer approved beforehand, or by default
                a random one.

        Raises:
            RecoveryError: No guard stands, the ledger does not enforce it, or it is not clear which
                key was lost.
            GuardRefusedError: Another recovery is open.
            TransactionFailedError: The ledger refused for another reason.
            TransportError: The node cannot be reached.
        """
        state = self._agents.guard_state(self._account_id)
        standing = state.recovery
        if standing is not None and (standing.new_key, standing.state) == (self._new_key, "open"):
            return standing
        lost_key = self._lost_key(state, known_keys)
        record_id = record_id or new_record_id()
        command = open_recovery(
            self._account_id, record_id, new_key=self._new_key, lost_key=lost_key
        )
        self._send(state, command)
        opened = self._agents.guard_state(self._account_id).recovery
        if opened is None or opened.record_id != record_id:
            raise RecoveryError("the ledger took the recovery, but another one stands there now")
        return opened

    def finish(self) -> None:
        """Carry the recovery out; from the next block on the lost key is refused.

        Raises:
            RecoveryError: This key has opened none.
            GuardRefusedError: The delay has not passed, or the recovery was vetoed or has lapsed.
            TransactionFailedError: The ledger refused for another reason.
            TransportError: The node cannot be reached.
        """
        state = self._agents.guard_state(self._account_id)
        if self._new_key in state.signatories:
            # An earlier answer was lost on its way.
            return
        recovery = state.recovery
        if recovery is None or recovery.new_key != self._new_key:
            raise RecoveryError("no recovery was opened for this wallet's key")
        commands = finish_recovery(
            self._account_id, new_key=self._new_key, lost_key=recovery.lost_key
        )
        self._send(state, *commands)

    def _lost_key(self, state: GuardState, known_keys: Collection[str]) -> str:
        if self._new_key in state.signatories:
            raise RecoveryError("the account has this wallet's key already")
        if len(state.signatories) == 1:
            return next(iter(state.signatories))
        lost = state.signatories & set(known_keys)
        if len(lost) != 1:
            raise RecoveryError(
                f"the account has {len(state.signatories)} keys; name the one that was lost"
            )
        return next(iter(lost))

    def _send(self, state: GuardState, *commands: Command) -> None:
        if state.guard is None:
            raise RecoveryError("no guard stands on the account: nobody may recover it")
        if not state.is_enforced:
            raise RecoveryError("this ledger does not enforce guards: a recovery would be unsafe")
        transaction = self._ledger.build_transaction(*commands, creator=state.guard.escrow)
        self._agents.sign_transaction(transaction)
        try:
            self._ledger.send(transaction)
        except TransactionFailedError as error:
            raise explain_refusal(error) from None
