"""The escrow account's signature, by the agents together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.transaction_pb2 import Transaction
from client_sdk.credentials.jose import Key
from client_sdk.errors import ClientError, SignerFault, TooFewAgentsError
from client_sdk.escrow.agent_client import AgentClient
from client_sdk.frost.coordinator import sign_together
from client_sdk.frost.keys import GroupKey
from client_sdk.frost.signing import SignatureShare, SigningCommitment, SigningPackage


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningAgents:
    """The agents that share an escrow account's key.

    Attributes:
        escrow_account: The account.
        group: Its key.
        agents: Each agent with the identifier that it goes by; those that told another key are
            left out.
    """

    escrow_account: str
    group: GroupKey
    agents: tuple[tuple[int, AgentClient], ...]


def find_signing_agents(
    agents: Sequence[AgentClient],
    *,
    escrow_account: str,
    read_signatories: Callable[[str], frozenset[str]],
) -> SigningAgents:
    """Ask the agents for their key, and take the one that the ledger knows and enough agents tell.

    Args:
        agents: The agents.
        escrow_account: The account that the holder's guard names.
        read_signatories: Returns an account's keys, from the ledger.

    Raises:
        TooFewAgentsError: Fewer agents than the key's threshold tell the same key of the account.
        QueryFailedError: The account cannot be read.
        TransportError: The ledger cannot be reached.
    """
    known, told = read_signatories(escrow_account), list[tuple[int, AgentClient, GroupKey]]()
    for agent in agents:
        try:
            account, identifier, group = agent.group_key()
        except ClientError:
            continue
        if account == escrow_account and group.ledger_key in known:
            told.append((identifier, agent, group))
    for _, _, group in told:
        same = tuple((i, agent) for i, agent, other in told if other == group)
        if len(same) >= group.threshold:
            return SigningAgents(escrow_account=escrow_account, group=group, agents=same)
    raise TooFewAgentsError(
        f"too few agents can be reached that tell the same key of {escrow_account}"
    )


@dataclass(slots=True, kw_only=True)
class AgentSigners:
    """Signs a recovery's transactions by the agents, for one who may have them signed.

    Attributes:
        signing: The agents and their key.
        handle: The recovery card's name.
        key: The private key that requests are signed with: the password's, the one that a
            counter's token names, or for the end of a recovery the account's new key.
        counter_token: The word of an issuer's counter; None for none.
        left_out: The agents that refused or lied at the last signature, and how.
    """

    signing: SigningAgents
    handle: str
    key: Key = field(repr=False)
    counter_token: str | None = field(default=None, repr=False)
    left_out: tuple[SignerFault, ...] = ()

    def sign_transaction(self, transaction: Transaction) -> None:
        """Add the escrow account's signature to a transaction.

        Raises:
            NotEnoughSignersError: Too few agents signed; it says what each of them answered.
        """
        payload = transaction.payload.SerializeToString(deterministic=True)
        sessions = [
            _AgentSession(identifier=identifier, agent=agent, asking=self, payload=payload)
            for identifier, agent in self.signing.agents
        ]
        made = sign_together(self.signing.group, payload, sessions)
        self.left_out = made.left_out
        transaction.signatures.append(
            Signature(public_key=self.signing.group.ledger_key, signature=made.signature.hex())
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _AgentSession:
    """One agent, asked for one transaction."""

    identifier: int
    agent: AgentClient
    asking: AgentSigners
    payload: bytes

    def commit(self) -> tuple[str, SigningCommitment]:
        return self.agent.begin_signature(
            self.asking.key,
            self.asking.handle,
            payload=self.payload,
            counter_token=self.asking.counter_token,
        )

    def sign(self, session: str, package: SigningPackage) -> SignatureShare:
        return self.agent.sign(
            self.asking.key,
            self.asking.handle,
            session=session,
            package=package,
            counter_token=self.asking.counter_token,
        )
