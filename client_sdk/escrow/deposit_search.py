"""Which deposit comes back: the newest that enough agents keep, with the card or without it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

from client_sdk.credentials.jose import Key
from client_sdk.errors import EscrowFormatError
from client_sdk.escrow.access_log import verify_head
from client_sdk.escrow.agent_client import AgentClient, DepositState
from client_sdk.escrow.deposit_statement import DepositStatement, verify_statement
from client_sdk.escrow.findings import Findings
from client_sdk.http.client import HttpClient


class Pinned(Protocol):
    """What a recovery card and a sheet of a paper backup pin."""

    @property
    def handle(self) -> str:
        """The recovery card's name."""

    @property
    def agent_set(self) -> str:
        """The digest of the agents' verification keys."""

    @property
    def urls(self) -> tuple[str, ...]:
        """Where the agents are reached, in the order of their indices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDeposit:
    """A deposit that enough agents keep.

    Attributes:
        terms: What the card signed.
        agents: Those that keep it.
        attempts_left: How many attempts each has left, by its address; empty where no card asked.
    """

    terms: DepositStatement
    agents: tuple[AgentClient, ...]
    attempts_left: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What the agents themselves say of a holder who has no card."""

    handle: str
    agent_set: str
    urls: tuple[str, ...]


def choose_deposit(
    pinned: Pinned, key: Key, *, http: HttpClient, findings: Findings
) -> FoundDeposit:
    """Return the newest deposit that a threshold of agents keeps, as the card signed it.

    Raises:
        TooFewAgentsError: There is none; it names each agent that did not do its part.
    """
    keepers: dict[str, list[AgentClient]] = {}
    terms_of: dict[str, DepositStatement] = {}
    confirmed: set[str] = set()
    attempts_left: dict[str, int] = {}
    for url in pinned.urls:
        agent = AgentClient(url, http)
        read = findings.ask(agent, lambda asked: _read_deposits(asked, pinned, key))
        if read is None:
            continue
        attempts_left[agent.url] = read[0]
        for kept, terms in read[1]:
            terms_of[kept.statement] = terms
            keepers.setdefault(kept.statement, []).append(agent)
            if kept.is_active:
                confirmed.add(kept.statement)
    # A wallet confirms a deposit once every agent has it: one that no agent saw confirmed was
    # broken off, and the one before it holds.
    found = {token: agents for token, agents in keepers.items() if token in confirmed}
    newest = _newest_whole(found, terms_of, findings)
    _note_outdated(chain.from_iterable(keepers.values()), keepers[newest], findings)
    return FoundDeposit(
        terms=terms_of[newest], agents=tuple(keepers[newest]), attempts_left=attempts_left
    )


def find_deposit(
    urls: Sequence[str], key: Key, counter_token: str, *, http: HttpClient, findings: Findings
) -> tuple[FoundDeposit, Pinned]:
    """Return the newest deposit that a threshold of agents finds for a holder without a card.

    Args:
        urls: The agents, in any order.
        key: The private key that the token names.
        counter_token: The word of an issuer's counter.
        http: How agents are reached.
        findings: Where faults are noted.

    Returns:
        The deposit, and what the agents say that its card pins.

    Raises:
        TooFewAgentsError: There is none; it names each agent that did not do its part.
    """
    keepers: dict[str, dict[int, AgentClient]] = {}
    terms_of: dict[str, DepositStatement] = {}
    for url in urls:
        agent = AgentClient(url, http)
        for token, terms, index in (
            findings.ask(agent, lambda asked: _find(asked, key, counter_token)) or ()
        ):
            terms_of[token] = terms
            # Whoever answers under several keys is one agent all the same.
            if agent not in keepers.setdefault(token, {}).values():
                keepers[token][index] = agent
    newest = _newest_whole(_credible(keepers, terms_of), terms_of, findings)
    terms, agents = terms_of[newest], keepers[newest]
    showing = chain.from_iterable(each.values() for each in keepers.values())
    _note_outdated(showing, agents.values(), findings)
    known = {agent.url for agent in agents.values()}
    others = iter([url for url in urls if url.rstrip("/") not in known])
    found = _Found(
        handle=terms.handle,
        agent_set=terms.agents.id,
        urls=tuple(
            agents[index].url if index in agents else next(others, "")
            for index in range(1, len(terms.agents.keys) + 1)
        ),
    )
    return FoundDeposit(terms=terms, agents=tuple(agents.values())), found


def index_of(agent: AgentClient, pinned: Pinned) -> int:
    """Return the index that an agent is known under."""
    return pinned.urls.index(agent.url) + 1


def _credible(
    keepers: Mapping[str, Mapping[int, AgentClient]], terms_of: Mapping[str, DepositStatement]
) -> Mapping[str, Collection[AgentClient]]:
    """Return the statements that no card has to vouch for, with the agents that show each.

    A statement names its own threshold, so that one agent could make up a newer one of which it
    alone is all. What as many agents show as another needs, fewer of them do not supersede.
    """
    whole = [
        terms_of[token].agents.threshold
        for token, agents in keepers.items()
        if len(agents) >= terms_of[token].agents.threshold
    ]
    needed = max(whole, default=0)
    return {
        token: tuple(agents.values()) for token, agents in keepers.items() if len(agents) >= needed
    }


def _note_outdated(
    agents: Iterable[AgentClient], keepers: Collection[AgentClient], findings: Findings
) -> None:
    """Note which agents have not the deposit that is taken."""
    for agent in agents:
        if agent not in keepers:
            findings.add(agent.url, "outdated", "it has not the deposit that the others have")


def _newest_whole(
    keepers: Mapping[str, Collection[object]],
    terms_of: Mapping[str, DepositStatement],
    findings: Findings,
) -> str:
    """Return the newest statement that as many agents keep as it needs.

    Raises:
        TooFewAgentsError: There is none; it tells of the one that lacks the fewest.
    """
    lacking = {
        token: terms_of[token].agents.threshold - len(agents) for token, agents in keepers.items()
    }
    nearest = min(lacking, key=lambda token: lacking[token], default=None)
    findings.require(
        () if nearest is None else tuple(keepers[nearest]),
        needed=1 if nearest is None else terms_of[nearest].agents.threshold,
        what="recovery",
    )
    whole = [token for token, lack in lacking.items() if lack <= 0]
    return max(whole, key=lambda token: terms_of[token].epoch)


def _read_deposits(
    agent: AgentClient, pinned: Pinned, key: Key
) -> tuple[int, list[tuple[DepositState, DepositStatement]]]:
    """Return the attempts that an agent has left, and its deposits.

    The deposits are known to be the card's, and the agent to be the right one.

    Raises:
        EscrowFormatError: They are not, or another agent answers at this address.
        AccessLogError: The agent signs its log wrongly.
        TransportError: The agent cannot be reached.
        ServiceRefusedError: The agent refuses.
    """
    status = agent.status(key, pinned.handle)
    head = verify_head(status.log_head, expected_handle=pinned.handle)
    deposits: list[tuple[DepositState, DepositStatement]] = []
    for kept in status.deposits:
        terms = verify_statement(kept.statement, expected_handle=pinned.handle)
        if terms.agents.id != pinned.agent_set:
            raise EscrowFormatError("its statement names other agents than the recovery card")
        if terms.agents.index_of(head.agent_key) != index_of(agent, pinned):
            raise EscrowFormatError("another agent answers at this address")
        if kept.is_usable:
            deposits.append((kept, terms))
    return status.attempts_left, deposits


def _find(
    agent: AgentClient, key: Key, counter_token: str
) -> list[tuple[str, DepositStatement, int]]:
    """Return the statements that an agent finds for a holder, and the agent's index in each."""
    found: list[tuple[str, DepositStatement, int]] = []
    for status in agent.find(key, counter_token):
        head = verify_head(status.log_head, expected_handle=status.handle)
        for kept in status.deposits:
            terms = verify_statement(kept.statement, expected_handle=status.handle)
            if kept.is_active and kept.is_usable:
                found.append((kept.statement, terms, terms.agents.index_of(head.agent_key)))
    return found
