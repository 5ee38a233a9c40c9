"""What bytes and a clock alone can decide: the form of transactions and queries, and signatures.

Raises only `InvalidTransactionError` and `InvalidQueryError`; their text goes to the client, and is
irohad's word for word (ADR 0015).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from google.protobuf.message import Message

from chaincode.broken_rules import BrokenRule, Finding, gather
from chaincode.errors import InvalidQueryError, InvalidTransactionError, SignatureInvalidError
from chaincode.field_rules import account_id, detail_key, public_key, quorum, signature_hex
from chaincode.message_rules import (
    command_form_problem,
    command_problem,
    query_form_problem,
    query_problem,
)
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.proofs_pb2 import ProofRequest, StateEntry
from chaincode.protocol.queries_pb2 import BlocksQuery, Query, QueryPayloadMeta
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.records import RESERVED_PREFIX
from chaincode.signatures import PublicKey, SignatureClaim, verify_signatures
from chaincode.state_root import MAX_PROVEN_ENTRIES
from chaincode.transactions import ValidTransaction, hash_bytes, hash_payload

MAX_FUTURE_MS: Final = 5 * 60 * 1000
MAX_COMMANDS: Final = 10_000
"""Far above any client's need; a request could hold millions of empty ones. It does not bound the
genesis block."""
MAX_SIGNATURES: Final = 256
"""Twice the highest quorum. irohad has no limit, and would verify as many as fit in 128 MiB."""
_VERIFIED_TOGETHER: Final = 512
_BATCH_TYPES: Final = frozenset(Transaction.Payload.BatchMeta.BatchType.values())
Verdicts: TypeAlias = Mapping[SignatureClaim, PublicKey | SignatureInvalidError]
"""Of signatures: the key, which is known to have signed, or why it does not count."""
_PAGED_QUERIES: Final = ("get_account_transactions", "get_account_asset_transactions")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeWindow:
    """When a transaction or query may have been made, to be accepted now.

    Attributes:
        now_ms: Milliseconds since 1970, UTC. It may lie up to 5 minutes behind the creator's clock.
        max_past_ms: How old it may be; irohad's `max_past_created_hours` is 24 by default.
    """

    now_ms: int
    max_past_ms: int = 24 * 60 * 60 * 1000

    def findings(self, created_time_ms: int) -> Iterable[BrokenRule]:
        """Return what is wrong with a creation time: nothing, or one broken rule."""
        if created_time_ms > self.now_ms + MAX_FUTURE_MS:
            fault = "sent from future"
        elif created_time_ms < self.now_ms - self.max_past_ms:
            fault = "too old"
        else:
            return ()
        reason = f"{fault}, timestamp: {created_time_ms}, now: {self.now_ms}"
        return (BrokenRule("CreatedTime", (reason,)),)


def validate_transactions(
    messages: Sequence[Transaction], window: TimeWindow | None, verdicts: Verdicts | None = None
) -> list[ValidTransaction]:
    """Return the transactions of a list, as `validate_transaction` does each.

    Args:
        messages: The decoded transactions.
        window: When they may have been made; None where their block has settled that.
        verdicts: Of their signatures; where there are none, they are verified together, some
            hundreds at a time.

    Raises:
        InvalidTransactionError: A rule is broken; the text names the field.
    """
    valid = []
    for start in range(0, len(messages), _VERIFIED_TOGETHER):
        chunk = messages[start : start + _VERIFIED_TOGETHER]
        known = verify_together(chunk) if verdicts is None else verdicts
        valid += [validate_transaction(message, window, known) for message in chunk]
    return valid


def verify_together(messages: Iterable[Transaction]) -> Verdicts:
    """Return the verdicts on all signatures of transactions, which may be malformed."""
    claims = [
        SignatureClaim(signature.public_key, signature.signature, payload)
        for message in messages
        if len(message.signatures) <= MAX_SIGNATURES
        for payload in [message.payload.SerializeToString()]
        for signature in message.signatures
    ]
    return dict(zip(claims, verify_signatures(claims), strict=True))


def validate_transaction(
    message: Transaction,
    window: TimeWindow | None,
    verdicts: Verdicts = MappingProxyType({}),
) -> ValidTransaction:
    """Return the transaction, now known to be well formed and signed by the keys that it names.

    There may be none or fewer than its quorum: that is for its batch to decide.

    Args:
        message: The decoded transaction.
        window: When it may have been made; None where its block has settled that.
        verdicts: Of signatures that were verified before.

    Raises:
        InvalidTransactionError: A rule is broken; the text names the field.
    """
    if problem := gather("Protobuf Transaction", _transaction_form_findings(message)):
        raise _refusal(problem, hash_payload(message.payload))
    payload = message.payload.SerializeToString()
    signatures = _SignatureCheck(payload, message.signatures, verdicts=verdicts)
    findings = [gather("Transaction", _transaction_findings(message, window)), signatures.problem]
    if problem := gather("SignedData", filter(None, findings)):
        raise _refusal(problem, hash_payload(_completed(message.payload)))
    return ValidTransaction(message, hash_bytes(payload), frozenset(signatures.signatories))


def validate_commands(commands: Iterable[Command]) -> None:
    """Check the commands of a genesis block, which nobody has signed.

    Raises:
        InvalidTransactionError: A rule is broken; the text names the command and the field.
    """
    for index, command in enumerate(commands):
        if problem := command_form_problem(command) or command_problem(command):
            raise InvalidTransactionError(f"command {index}, {problem}", problem.place)


def validate_query(query: Query, window: TimeWindow) -> str:
    """Return the key, lower-case hex, that is now known to have signed a well-formed query.

    Raises:
        InvalidQueryError: A rule is broken; the text names the field.
    """
    if problem := query_form_problem(query.payload):
        raise InvalidQueryError(str(problem))
    findings = _query_findings(query.payload, window)
    return _validate_signed(gather("Query", findings), _signed_payload(query), query)


def validate_blocks_query(query: BlocksQuery, window: TimeWindow) -> str:
    """Return the key, lower-case hex, that is now known to have signed a well-formed query.

    Raises:
        InvalidQueryError: A rule is broken; the text names the field.
    """
    problem = gather("Blocks query", _meta_findings(query.meta, window))
    return _validate_signed(problem, query.meta, query)


def validate_proof_request(request: ProofRequest, window: TimeWindow) -> str:
    """Return the key, lower-case hex, that is now known to have signed a well-formed request.

    Raises:
        InvalidQueryError: A rule is broken; the text names the field.
    """
    findings = _proof_findings(request.payload, window)
    return _validate_signed(gather("Proof request", findings), request.payload, request)


def _refusal(problem: BrokenRule, tx_hash: bytes) -> InvalidTransactionError:
    return InvalidTransactionError(
        f"Transaction deserialization failed: hash Hash: [{tx_hash.hex()}], {problem}",
        problem.place,
    )


def _completed(payload: Transaction.Payload) -> Transaction.Payload:
    """Return a payload as irohad reads one that lacks its inner part: with an empty one."""
    if payload.HasField("reduced_payload"):
        return payload
    completed = Transaction.Payload()
    completed.CopyFrom(payload)
    completed.reduced_payload.SetInParent()
    return completed


def _transaction_form_findings(message: Transaction) -> Iterator[Finding]:
    payload = message.payload
    if payload.batch.type not in _BATCH_TYPES:
        yield "Invalid batch type."
    if len(payload.reduced_payload.commands) <= MAX_COMMANDS:
        yield from filter(None, map(command_form_problem, payload.reduced_payload.commands))


def _transaction_findings(message: Transaction, window: TimeWindow | None) -> Iterator[Finding]:
    reduced = message.payload.reduced_payload
    if not reduced.commands:
        yield "Transaction must contain at least one command."
    yield from account_id(reduced.creator_account_id)
    if window:
        yield from window.findings(reduced.created_time)
    yield from quorum(reduced.quorum)
    if len(reduced.commands) > MAX_COMMANDS:
        yield f"Transaction must contain at most {MAX_COMMANDS} commands."
        return
    for number, command in enumerate(reduced.commands, start=1):
        if problem := command_problem(command):
            yield BrokenRule(f"Command #{number}", parts=(problem,))


def _query_findings(payload: Query.Payload, window: TimeWindow) -> Iterator[Finding]:
    yield from _meta_findings(payload.meta, window)
    if problem := query_problem(payload):
        yield problem


def _meta_findings(meta: QueryPayloadMeta, window: TimeWindow) -> Iterator[Finding]:
    yield from account_id(meta.creator_account_id)
    yield from window.findings(meta.created_time)
    if meta.query_counter < 1:
        reason = f"Counter should be > 0, passed value: {meta.query_counter}"
        yield BrokenRule("Counter", (reason,))


def _proof_findings(payload: ProofRequest.Payload, window: TimeWindow) -> Iterator[Finding]:
    yield from _meta_findings(payload.meta, window)
    if len(payload.entries) > MAX_PROVEN_ENTRIES:
        yield f"At most {MAX_PROVEN_ENTRIES} entries are proven at once."
        return
    for number, entry in enumerate(payload.entries, start=1):
        if problem := gather(f"Entry #{number}", _entry_findings(entry)):
            yield problem


def _entry_findings(entry: StateEntry) -> Iterator[Finding]:
    yield from account_id(entry.account_id)
    if entry.writer:
        yield from account_id(entry.writer)
    if entry.key:
        yield from detail_key(entry.key)
        if not entry.key.startswith(RESERVED_PREFIX):
            yield f"Only accounts and {RESERVED_PREFIX} records can be proven."
    elif entry.writer:
        yield "An account has no writer: the key of a record is expected."


def _validate_signed(
    problem: BrokenRule | None, payload: Message, query: Query | BlocksQuery | ProofRequest
) -> str:
    signed = [query.signature] if query.HasField("signature") else []
    signatures = _SignatureCheck(payload.SerializeToString(), signed, is_needed=True)
    if refusal := gather("SignedData", filter(None, (problem, signatures.problem))):
        raise InvalidQueryError(str(refusal))
    return signatures.signatories[0]


def _signed_payload(query: Query) -> Message:
    """Return what irohad checks a query's signature over.

    It adds an empty page to the queries that need one, and then tells of a bad signature too.
    """
    name = query.payload.WhichOneof("query") or ""
    if name not in _PAGED_QUERIES or getattr(query.payload, name).HasField("pagination_meta"):
        return query.payload
    paged = Query.Payload()
    paged.CopyFrom(query.payload)
    getattr(paged, name).pagination_meta.SetInParent()
    return paged


class _SignatureCheck:
    """Checks each signature of a message.

    Attributes:
        signatories: The keys whose signatures verify, lower-case hex.
        problem: What is wrong with the others, or None.
    """

    def __init__(
        self,
        payload: bytes,
        signatures: Sequence[Signature],
        *,
        is_needed: bool = False,
        verdicts: Verdicts = MappingProxyType({}),
    ) -> None:
        self._payload = payload
        self._verdicts = verdicts
        self.signatories: list[str] = []
        self.problem = gather("Signatures list", self._findings(signatures, is_needed=is_needed))

    def _findings(self, signatures: Sequence[Signature], *, is_needed: bool) -> Iterator[Finding]:
        if is_needed and not signatures:
            yield "Signatures are empty."
        if len(signatures) > MAX_SIGNATURES:
            yield f"At most {MAX_SIGNATURES} signatures are taken."
            return
        # irohad keeps them in a set, of which the newest mostly comes first.
        unique = dict.fromkeys((each.public_key, each.signature) for each in reversed(signatures))
        for number, (key, signature) in enumerate(unique, start=1):
            name = f"Signature #{number} (Signature: [publicKey={key}, signedData={signature}])"
            if problem := gather(name, self._signature_findings(key, signature)):
                yield problem

    def _signature_findings(self, key_hex: str, signature: str) -> Iterator[Finding]:
        if problem := gather("Signature", (*signature_hex(signature), *public_key(key_hex))):
            yield problem
            return
        claim = SignatureClaim(key_hex, signature, self._payload)
        verdict = self._verdicts.get(claim) or verify_signatures([claim])[0]
        if isinstance(verdict, SignatureInvalidError):
            yield str(verdict)
        else:
            self.signatories.append(verdict.encode())
