"""One evaluation for one counted attempt. The count is on disk before the answer is computed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from client_sdk.credentials.jose import Key
from client_sdk.errors import AttestationError, GroupFormatError
from client_sdk.escrow.counter_token import CounterToken
from client_sdk.escrow.deposit_statement import DepositStatement
from client_sdk.escrow.evaluation_request import RECOVERY_PURPOSE, evaluation_hash
from client_sdk.face.attestation import FaceAttestation, verify_attestation
from client_sdk.threshold_oprf import Evaluation, KeyShare, evaluate, public_share
from client_sdk.threshold_oprf.ristretto255 import Element, Scalar, decode_element
from node.errors import ApiError
from node.escrow.callers import Caller, CallerDesk, Role
from node.escrow.deposits import erase_shares
from node.escrow.errors import (
    CallerRefusedError,
    GuessDeniedError,
    TokenRefusedError,
    UnknownHandleError,
)
from node.escrow.holder_status import attempts_of
from node.escrow.policy import GuessPolicy, GuessRefusedError, count_attempt, is_to_be_erased
from node.escrow.sealing import StoreSealer, share_place
from node.escrow.store import EscrowStore, HolderTransaction, StoredDeposit

_MS: Final = 1000
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.escrow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What one who recovers asks.

    Attributes:
        epoch: The deposit's epoch.
        blinded_element: 32 bytes; they tell nothing about the password.
        counter_token: The word of an issuer's counter; None for none.
        face_attestation: The word of a face service; None for none.
    """

    epoch: int
    blinded_element: bytes
    counter_token: str | None
    face_attestation: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one who recovers is told.

    Attributes:
        evaluation: The evaluated element, with its proof.
        attempts_left: How many more evaluations there are.
    """

    evaluation: Evaluation
    attempts_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Granted:
    """An attempt that was counted."""

    sealed_share: bytes
    terms: DepositStatement
    attempts_left: int


class Evaluations:
    """Evaluates with the shares that `Deposits` keeps."""

    def __init__(
        self,
        store: EscrowStore,
        *,
        agent_key: str,
        desk: CallerDesk,
        sealer: StoreSealer,
        policy: GuessPolicy,
        face_required: bool,
        face_keys: Mapping[str, Key],
        now_ms: Callable[[], int],
    ) -> None:
        """Wire the parts.

        Args:
            store: Where deposits and attempts are kept.
            agent_key: The thumbprint of the agent's key.
            desk: Reads the words of issuers' counters.
            sealer: Opens shares at rest.
            policy: How often a password may be tried.
            face_required: Whether each evaluation needs a face attestation.
            face_keys: The keys of the face services that are trusted, by name.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._agent_key = agent_key
        self._desk = desk
        self._sealer = sealer
        self._policy = policy
        self._face_required = face_required
        self._face_keys = face_keys
        self._now_ms = now_ms

    def evaluate(self, caller: Caller, handle: str, question: Question) -> Answer:
        """Count an attempt, and evaluate.

        Raises:
            ApiError: The sender may not, or no attempt is given now. Where the sender may, the
                refusal is in the handle's log.
        """
        blinded = _decode(question.blinded_element)
        granted = self._store.change(
            handle, lambda transaction: self._count(transaction, caller, question)
        )
        if isinstance(granted, ApiError):
            raise granted
        # From here on a crash costs the holder an attempt, and never gives a thief one.
        index = granted.terms.agents.index_of(self._agent_key)
        place = share_place(handle, question.epoch, index)
        secret = Scalar(self._sealer.open(granted.sealed_share, place=place))
        evaluation = evaluate(
            KeyShare(index=index, secret=secret),
            public_share(granted.terms.commitments, index),
            blinded,
        )
        _log.info("evaluated", handle=handle, attempts_left=granted.attempts_left)
        return Answer(evaluation=evaluation, attempts_left=granted.attempts_left)

    def _count(
        self, transaction: HolderTransaction, caller: Caller, question: Question
    ) -> "_Granted | ApiError":
        # READ
        holder, deposit = transaction.holder, transaction.deposit(question.epoch)
        if holder is None or deposit is None:
            raise UnknownHandleError
        terms, now_ms = deposit.terms, self._now_ms()
        word = self._read_word(question, caller, terms)
        role = _role_of(caller, terms, word)

        # CHECK
        caller.spend_nonce(transaction)
        try:
            sealed_share = _usable(deposit)
            attempts = count_attempt(
                self._policy, attempts_of(holder), now_ms=now_ms, is_vouched_for=word is not None
            )
            face = self._check_face(question, terms)
            for token in (word, face):
                if token is not None:
                    _spend(transaction, token)
        except (GuessRefusedError, TokenRefusedError) as error:
            return self._refuse(transaction, role, error)

        # WRITE
        holder.attempts, holder.last_attempt_ms = attempts.used, attempts.last_ms
        transaction.append_log("evaluated", caller=role, now_ms=now_ms)
        return _Granted(
            sealed_share=sealed_share,
            terms=terms,
            attempts_left=self._policy.budget - attempts.used,
        )

    def _read_word(
        self, question: Question, caller: Caller, terms: DepositStatement
    ) -> CounterToken | None:
        if question.counter_token is None:
            return None
        word = self._desk.read_counter_token(question.counter_token, caller)
        if terms.account is None or word.account != terms.account:
            raise TokenRefusedError("the counter's token is for another account")
        if word.issuer != terms.approving_issuer:
            raise TokenRefusedError("the holder named another issuer than the token's")
        return word

    def _check_face(self, question: Question, terms: DepositStatement) -> FaceAttestation | None:
        if not self._face_required:
            return None
        if question.face_attestation is None:
            raise TokenRefusedError("a face attestation is needed for each attempt")
        if terms.account is None or terms.portrait_commitment is None:
            raise TokenRefusedError("this deposit names no account and portrait to compare with")
        try:
            return verify_attestation(
                question.face_attestation,
                keys=self._face_keys,
                expected_audience=terms.agents.id,
                expected_purpose=RECOVERY_PURPOSE,
                expected_account=terms.account,
                expected_request_hash=evaluation_hash(
                    handle=terms.handle,
                    epoch=terms.epoch,
                    blinded_element=question.blinded_element,
                ),
                expected_portraits=(terms.portrait_commitment,),
                now_s=self._now_ms() // _MS,
            )
        except AttestationError as error:
            raise TokenRefusedError(str(error)) from None

    def _refuse(
        self,
        transaction: HolderTransaction,
        role: Role,
        error: GuessRefusedError | TokenRefusedError,
    ) -> ApiError:
        now_ms = self._now_ms()
        event = f"refused: {error.code}"
        # A run of the same refusal is one entry: a thief must not fill the store.
        if transaction.last_event() != event:
            transaction.append_log(event, caller=role, now_ms=now_ms)
        if isinstance(error, TokenRefusedError):
            return error
        holder = transaction.holder
        if holder is not None and is_to_be_erased(self._policy, attempts_of(holder), now_ms):
            erase_shares(transaction, now_ms=now_ms)
        wait_s = max(0, -(-(error.next_at_ms - now_ms) // _MS)) if error.next_at_ms else 0
        return GuessDeniedError(error.code, wait_s=wait_s)


def _decode(blinded_element: bytes) -> Element:
    try:
        return decode_element(blinded_element)
    except GroupFormatError as error:
        raise ApiError(
            422, "invalid_fields", "The request's fields are not acceptable", str(error)
        ) from None


def _usable(deposit: StoredDeposit) -> bytes:
    if deposit.sealed_share is None:
        raise GuessRefusedError("exhausted")
    return deposit.sealed_share


def _role_of(caller: Caller, terms: DepositStatement, word: CounterToken | None) -> Role:
    if word is not None:
        return Role.COUNTER
    if caller.role(terms.handle, ()) is Role.CARD:
        return Role.CARD
    raise CallerRefusedError("It takes the recovery card, or the word of the issuer's counter.")


def _spend(transaction: HolderTransaction, token: CounterToken | FaceAttestation) -> None:
    name = f"{type(token).__name__}/{token.issuer}/{token.id}"
    if not transaction.spend(name, expires_at_ms=(token.expires_at + 60) * _MS):
        raise TokenRefusedError("the token was used before; ask for a new one")
