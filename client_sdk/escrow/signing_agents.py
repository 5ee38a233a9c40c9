"""The agents together, for one who recovers an account: they read the ledger, and they sign."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from chaincode.errors import DecodeError
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.records import IdentityRecord, decode_record
from client_sdk.credentials.jose import Key
from client_sdk.errors import ClientError, SignerFault, TooFewAgentsError, TransportError
from client_sdk.escrow.agent_client import AccountState, AgentClient
from client_sdk.frost.coordinator import sign_together
from client_sdk.frost.keys import GroupKey
from client_sdk.frost.signing import SignatureShare, SigningCommitment, SigningPackage
from client_sdk.ledger.guard_state import GuardState, read_guard_state

_Answer = TypeVar("_Answer")
_Record = TypeVar("_Record", bound=IdentityRecord)


class SigningAgents:
    """Agents that share the key of an escrow account, asked by one who may have it used.

    Attributes:
        left_out: The agents that refused or lied at the last signature, and how.
    """

    def __init__(
        self,
        agents: Sequence[AgentClient],
        *,
        threshold: int,
        handle: str,
        reading_key: Key,
        key: Key,
        counter_token: str | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Prepare; nobody is asked yet.

        Args:
            agents: The agents.
            threshold: How many must agree on what they tell.
            handle: The recovery card's name.
            reading_key: The private key that asks what the ledger says: the wallet's owner key, the
                card's, or the one that a counter's token names.
            key: The private key that asks for signatures: the password's success key, the one that
                a counter's token names, or to end a recovery the account's new key.
            counter_token: The word of an issuer's counter; None for none.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._agents = tuple(agents)
        self._threshold = threshold
        self._handle = handle
        self._reading_key = reading_key
        self._key = key
        self._counter_token = counter_token
        self._now_ms = now_ms
        self.left_out: tuple[SignerFault, ...] = ()

    def guard_state(self, account_id: str) -> GuardState:
        """Return what the ledger says of the account that the card may recover.

        Raises:
            TooFewAgentsError: Too few agents tell the same, or they tell of another account.
        """
        _, state = self._ask_all(
            lambda agent: agent.account_state(
                self._reading_key, self._handle, counter_token=self._counter_token
            )
        )
        if state.account != account_id:
            raise TooFewAgentsError(f"the agents know this card for {state.account} only")
        return read_guard_state(_Told(state), account_id, now_ms=self._now_ms())

    def sign_transaction(self, transaction: Transaction) -> None:
        """Add the escrow account's signature to a transaction.

        Raises:
            NotEnoughSignersError: Too few agents signed; it says what each of them answered.
            TooFewAgentsError: Too few agents tell the same key.
        """
        identifiers: dict[AgentClient, int] = {}

        def ask(agent: AgentClient) -> tuple[str, GroupKey]:
            account, identifiers[agent], group = agent.group_key()
            return account, group

        agents, (_, group) = self._ask_all(ask)
        payload = transaction.payload.SerializeToString(deterministic=True)
        sessions = [
            _Session(
                identifier=identifiers[agent],
                agent=agent,
                payload=payload,
                handle=self._handle,
                key=self._key,
                counter_token=self._counter_token,
            )
            for agent in agents
        ]
        made = sign_together(group, payload, sessions)
        self.left_out = made.left_out
        transaction.signatures.append(
            Signature(public_key=group.ledger_key, signature=made.signature.hex())
        )

    def _ask_all(
        self, question: Callable[[AgentClient], _Answer]
    ) -> tuple[list[AgentClient], _Answer]:
        """Return the answer that enough agents give alike, and those agents."""
        answers: list[tuple[AgentClient, _Answer]] = []
        reasons: list[str] = []
        unreachable = 0
        for agent in self._agents:
            try:
                answers.append((agent, question(agent)))
            except ClientError as error:
                reasons.append(f"{agent.url}: {error}")
                unreachable += isinstance(error, TransportError)
        for _, answer in answers:
            same = [agent for agent, other in answers if other == answer]
            if len(same) >= self._threshold:
                return same, answer
        told = "; ".join(reasons) or "they contradict each other"
        raise TooFewAgentsError(
            f"{self._threshold} agents must tell the same. {told}", may_pass=unreachable > 0
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """One agent, asked for one transaction."""

    identifier: int
    agent: AgentClient
    payload: bytes
    handle: str
    key: Key
    counter_token: str | None

    def commit(self) -> tuple[str, SigningCommitment]:
        return self.agent.begin_signature(
            self.key, self.handle, payload=self.payload, counter_token=self.counter_token
        )

    def sign(self, session: str, package: SigningPackage) -> SignatureShare:
        return self.agent.sign(
            self.key,
            self.handle,
            session=session,
            package=package,
            counter_token=self.counter_token,
        )


class _Told:
    """What agents told of an account, as `read_guard_state` reads a ledger."""

    def __init__(self, state: AccountState) -> None:
        self._state = state

    def record(
        self, account_id: str, record_id: str, kind: type[_Record], *, writer: str | None = None
    ) -> _Record | None:
        value = self.details(account_id, writer=writer or account_id).get(kind.key(record_id))
        try:
            return None if value is None else decode_record(value, kind)
        except DecodeError:
            return None

    def details(self, account_id: str, *, writer: str) -> Mapping[str, str]:
        return self._state.details.get(writer, {}) if account_id == self._state.account else {}

    def signatories(self, account_id: str) -> frozenset[str]:
        return self._state.signatories if account_id == self._state.account else frozenset()
