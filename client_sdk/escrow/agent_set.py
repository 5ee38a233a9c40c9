"""The agents that one backup is shared among."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chaincode.encoding import JsonObject, encode_base64url, encode_canonical_json
from client_sdk.errors import EscrowFormatError

MAX_AGENTS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSet:
    """Who the agents are, whatever their addresses.

    Attributes:
        threshold: How many of them are needed.
        keys: The thumbprints (RFC 7638) of their verification keys; agent i's is at place i - 1.
    """

    threshold: int
    keys: tuple[str, ...]

    def __post_init__(self) -> None:
        is_possible = 1 <= self.threshold <= len(self.keys) <= MAX_AGENTS
        if not is_possible or len(set(self.keys)) != len(self.keys):
            raise EscrowFormatError(
                f"1 to {MAX_AGENTS} different agents are expected, and a threshold that is not more"
            )

    @property
    def id(self) -> str:
        """The SHA-256 of threshold and keys, base64url: what a recovery card pins."""
        fields: JsonObject = {"keys": list(self.keys), "threshold": self.threshold}
        return encode_base64url(hashlib.sha256(encode_canonical_json(fields)).digest())

    def index_of(self, key: str) -> int:
        """Return the index of the agent with a verification key, from 1.

        Raises:
            EscrowFormatError: There is none in this set.
        """
        if key not in self.keys:
            raise EscrowFormatError("the agent's key is none of this agent set")
        return self.keys.index(key) + 1


def guesses_bound(*, agents: int, threshold: int, budget: int) -> int:
    """Return how often a password can be guessed in all, however a thief spreads the attempts.

    Each guess takes `threshold` evaluations, and each agent gives `budget` of them.
    """
    return agents * budget // threshold


def agent_set(threshold: int, keys: Sequence[str]) -> AgentSet:
    """Return the set of agents with these keys, in the order of their indices."""
    return AgentSet(threshold=threshold, keys=tuple(keys))
