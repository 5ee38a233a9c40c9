"""What a wallet found out about each agent that did not do its part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from client_sdk.errors import (
    ClientError,
    ServiceRefusedError,
    TooFewAgentsError,
    TransportError,
)
from client_sdk.escrow.agent_client import AgentClient

Fault = Literal["unreachable", "refused", "wrong", "outdated"]
_Result = TypeVar("_Result")
_WORDS: Final = {
    "unreachable": "cannot be reached",
    "refused": "refused",
    "wrong": "answered WRONGLY",
    "outdated": "has an old state",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFinding:
    """One agent's fault.

    Attributes:
        url: The agent.
        fault: `unreachable`, `refused`, `wrong` (it lies, or its store is damaged), or `outdated`
            (it missed a change, or hides it).
        detail: What exactly.
    """

    url: str
    fault: Fault
    detail: str

    def __str__(self) -> str:
        return f"{self.url} {_WORDS[self.fault]}: {self.detail}"


class Findings:
    """Collects faults while the other agents go on."""

    def __init__(self) -> None:
        """Begin without any."""
        self._found: dict[tuple[str, Fault], AgentFinding] = {}

    def add(self, url: str, fault: Fault, detail: str) -> None:
        """Note a fault; the first one of a kind and agent counts."""
        finding = AgentFinding(url=url, fault=fault, detail=detail)
        self._found.setdefault((url, fault), finding)

    def is_unreachable(self, url: str) -> bool:
        """Tell whether an agent could not be reached."""
        return (url, "unreachable") in self._found

    def forget_unreachable(self) -> None:
        """Forget who could not be reached: they are asked again."""
        self._found = {
            place: finding for place, finding in self._found.items() if place[1] != "unreachable"
        }

    def ask(self, agent: AgentClient, question: Callable[[AgentClient], _Result]) -> _Result | None:
        """Return an agent's answer; None, with a finding, where there is none to use."""
        try:
            return question(agent)
        except TransportError as error:
            self.add(agent.url, "unreachable", str(error))
        except ServiceRefusedError as error:
            self.add(agent.url, "refused", str(error))
        except ClientError as error:
            self.add(agent.url, "wrong", str(error))
        return None

    @property
    def all(self) -> tuple[AgentFinding, ...]:
        """All findings."""
        return tuple(self._found.values())

    def require(
        self, done: Sequence[object], *, needed: int, what: str, costs_attempt: bool = False
    ) -> None:
        """Refuse to go on with fewer agents than needed.

        Args:
            done: What agents did.
            needed: How many of them are needed.
            what: What for.
            costs_attempt: Whether asking again costs an attempt.

        Raises:
            TooFewAgentsError: It names each agent that did not do its part, and why.
        """
        if len(done) < needed:
            reasons = "; ".join(str(finding) for finding in self.all) or "no agent knows this card"
            unreachable = sum(fault == "unreachable" for _, fault in self._found)
            raise TooFewAgentsError(
                f"{what}: {needed} agents are needed and {len(done)} did their part. {reasons}",
                may_pass=not costs_attempt and len(done) + unreachable >= needed,
            )
