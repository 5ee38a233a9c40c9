"""The agent's part in signing for the escrow account: who may ask, for which account, and once.

An account is bound to one recovery card by the account's own key, before anything is lost. From
then on the agent signs for that account only for who proves that card's password, or comes with the
issuer's word and its approval on the ledger; the end of a recovery also for who holds the new key.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import select

from chaincode.encoding import JsonObject, encode_base64url
from chaincode.signatures import KeyAlgorithm, parse_public_key
from client_sdk.credentials.jose import parse_public_jwk, thumbprint
from client_sdk.errors import RequestProofError
from client_sdk.escrow.account_binding import verify_binding
from client_sdk.escrow.counter_token import CounterToken
from client_sdk.frost.keys import KeyShare
from client_sdk.frost.signing import SignatureShare, SigningCommitment
from node.errors import ApiError, PolicyRefusedError
from node.escrow.callers import Caller, CallerDesk, Role
from node.escrow.errors import CallerRefusedError, DepositRefusedError, TokenRefusedError
from node.escrow.recovery_ledger import (
    RecoveryLedger,
    read_account_view,
    read_approval,
    read_guard_details,
    read_signatories,
)
from node.escrow.recovery_policy import (
    FinishRecovery,
    OpenRecovery,
    RecoveryStep,
    check_finish,
    check_opening,
    parse_recovery_step,
)
from node.escrow.store import AccountBinding, EscrowStore, HolderTransaction
from node.threshold.signing_rounds import CommitmentFields, SigningRounds

NEW_KEY: Final = "new key"
"""As whom the holder of a recovery's new key is named in the log."""
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.escrow")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBinding:
    """What a wallet sends to bind its account.

    Attributes:
        account: The account.
        public_key: A signatory of it.
        signature: That key's signature of the binding.
    """

    account: str
    public_key: str
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundAccount:
    """What an agent reads on the ledger for one who recovers.

    Attributes:
        account: The account that is bound to the card.
        signatories: Its keys.
        details: Its records of guard and recovery, by writer and key.
    """

    account: str
    signatories: frozenset[str]
    details: dict[str, dict[str, str]]


class RecoverySigning:
    """Signs for the escrow account with this agent's share."""

    def __init__(
        self,
        store: EscrowStore,
        desk: CallerDesk,
        ledger: RecoveryLedger,
        share: KeyShare,
        *,
        escrow_account: str,
        now_ms: Callable[[], int],
    ) -> None:
        """Wire the parts.

        Args:
            store: Where deposits and bindings are kept.
            desk: Reads the words of issuers' counters.
            ledger: A client that may read accounts.
            share: This agent's share of the escrow account's key.
            escrow_account: The account whose key that is.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._desk = desk
        self._ledger = ledger
        self._rounds = SigningRounds(share)
        self._escrow_account = escrow_account
        self._now_ms = now_ms

    def bind(self, caller: Caller, handle: str, new: NewBinding) -> None:
        """Let a recovery card recover an account, while no other card does.

        Raises:
            ApiError: The sender may not, the key is none of the account's, or another card does.
        """
        try:
            key = verify_binding(
                public_key=new.public_key,
                signature=new.signature,
                account=new.account,
                handle=handle,
            )
        except RequestProofError as error:
            raise DepositRefusedError(str(error)) from None
        if key not in read_signatories(self._ledger, new.account):
            raise DepositRefusedError("the binding's key is no signatory of the account")

        def work(transaction: HolderTransaction) -> None:
            # READ
            terms = [deposit.terms for deposit in transaction.deposits()]
            bound = transaction.session.get(AccountBinding, new.account)
            # CHECK
            role = caller.require(handle, terms, Role.OWNER)
            caller.spend_nonce(transaction)
            if all(each.account != new.account for each in terms):
                raise DepositRefusedError("the deposit's statement names another account")
            if bound is not None and bound.handle != handle and _is_kept(transaction, bound.handle):
                raise DepositRefusedError(
                    "Another recovery card recovers this account; withdraw its deposit first.",
                    status=409,
                    code="account_bound",
                )
            # WRITE
            if bound is None:
                bound = AccountBinding(account=new.account)
                transaction.session.add(bound)
            bound.handle, bound.bound_at_ms = handle, self._now_ms()
            transaction.append_log("bound to account", caller=role, now_ms=self._now_ms())

        self._store.change(handle, work)

    def read_account(
        self, caller: Caller, handle: str, *, counter_token: str | None
    ) -> BoundAccount:
        """Return what the ledger says of the account that a card may recover.

        Its holder has no key any more with which the ledger would answer.

        Raises:
            ApiError: The sender is none of the deposit's, or no account is bound to the card.
        """
        word = self._read_word(counter_token, caller)

        def work(transaction: HolderTransaction) -> str:
            query = select(AccountBinding.account).where(AccountBinding.handle == handle)
            account = transaction.session.scalar(query)
            if account is None:
                raise CallerRefusedError("No account is bound to this recovery card.")
            if word is None or word.account != account:
                terms = [deposit.terms for deposit in transaction.deposits()]
                caller.require(handle, terms, Role.CARD, Role.OWNER, Role.SUCCESS)
            caller.spend_nonce(transaction)
            return account

        account = self._store.change(handle, work)
        return BoundAccount(
            account=account,
            signatories=read_signatories(self._ledger, account),
            details=read_guard_details(self._ledger, account, escrow_account=self._escrow_account),
        )

    def begin(
        self, caller: Caller, handle: str, payload: bytes, *, counter_token: str | None
    ) -> tuple[str, SigningCommitment]:
        """Begin a signature for who may have it.

        Raises:
            ApiError: The sender may not, or this agent does not sign that; it says why.
        """
        word = self._read_word(counter_token, caller)
        step = self._check(payload, word)

        def work(transaction: HolderTransaction) -> None:
            self._role_of(transaction, caller, step, word)
            caller.spend_nonce(transaction)

        self._store.change(handle, work)
        return self._rounds.begin()

    def sign(
        self,
        caller: Caller,
        handle: str,
        payload: bytes,
        *,
        session: str,
        commitments: Sequence[CommitmentFields],
        counter_token: str | None,
    ) -> SignatureShare:
        """Return this agent's part of the signature. What it signs is in the holder's log before.

        Raises:
            ApiError: The sender may not, or this agent does not sign that; it says why.
        """
        word = self._read_word(counter_token, caller)
        step = self._check(payload, word)
        event = f"signed: {'open' if isinstance(step, OpenRecovery) else 'finish'} recovery"

        def work(transaction: HolderTransaction) -> None:
            role = self._role_of(transaction, caller, step, word)
            caller.spend_nonce(transaction)
            transaction.append_log(event, caller=role, now_ms=self._now_ms())

        self._store.change(handle, work)
        part = self._rounds.finish(session, payload, commitments)
        _log.info("recovery_signed", handle=handle, step=type(step).__name__)
        return part

    def _check(self, payload: bytes, word: CounterToken | None) -> RecoveryStep:
        """Return what a payload does, which this agent agrees to."""
        now_ms = self._now_ms()
        try:
            step = parse_recovery_step(payload, escrow_account=self._escrow_account, now_ms=now_ms)
            view = read_account_view(
                self._ledger, step.account, escrow_account=self._escrow_account
            )
            if isinstance(step, FinishRecovery):
                check_finish(step, view, escrow_account=self._escrow_account, now_ms=now_ms)
            else:
                check_opening(
                    step,
                    view,
                    escrow_account=self._escrow_account,
                    approval=read_approval(self._ledger, step.record_id, view.guard),
                    is_approval_needed=word is not None,
                )
        except PolicyRefusedError as error:
            _log.warning("recovery_refused", reason=str(error))
            raise ApiError(
                403, "recovery_refused", "This agent does not sign that", f"{error}."
            ) from None
        if word is not None and (view.guard is None or word.issuer != view.guard.issuer):
            raise TokenRefusedError("the account's guard names another issuer than the token's")
        return step

    def _role_of(
        self,
        transaction: HolderTransaction,
        caller: Caller,
        step: RecoveryStep,
        word: CounterToken | None,
    ) -> str:
        """Return as whom the sender asks for a step.

        Raises:
            CallerRefusedError: The account is not bound to this card, or the sender may not.
        """
        bound = transaction.session.get(AccountBinding, step.account)
        if bound is None or bound.handle != transaction.handle:
            raise CallerRefusedError("This recovery card is not bound to that account.")
        if isinstance(step, FinishRecovery) and caller.key == _thumbprint_of(step.new_key):
            return NEW_KEY
        if word is not None:
            if word.account != step.account:
                raise TokenRefusedError("the counter's token is for another account")
            return Role.COUNTER
        terms = [d.terms for d in transaction.deposits() if d.is_active]
        return caller.require(transaction.handle, terms, Role.SUCCESS)

    def _read_word(self, token: str | None, caller: Caller) -> CounterToken | None:
        return None if token is None else self._desk.read_counter_token(token, caller)


def _is_kept(transaction: HolderTransaction, handle: str) -> bool:
    return bool(HolderTransaction(transaction.session, handle).deposits())


def _thumbprint_of(key: str) -> str | None:
    """Return how a proof of possession names an account's key; None for Iroha's own scheme."""
    public = parse_public_key(key)
    if public.algorithm is not KeyAlgorithm.ED25519_SHA2:
        return None
    jwk: JsonObject = {"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(public.raw)}
    return thumbprint(parse_public_jwk(jwk))
