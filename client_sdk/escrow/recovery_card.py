"""The recovery card: what the holder keeps on paper, and what tells the agents that it is theirs.

    tegata-recovery:v1?secret=...&agents=...&url=...&url=...

Whoever finds it can ask the agents, as often as their policy allows, and learns nothing without the
password.
"""

from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import parse_qsl, urlencode

from nacl.utils import random as random_bytes

from chaincode.encoding import decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from client_sdk.credentials.jose import Key, key_from_seed, thumbprint
from client_sdk.errors import EscrowFormatError, RequestError
from client_sdk.escrow.agent_set import MAX_AGENTS
from client_sdk.escrow.deposit_statement import handle_of
from client_sdk.http.endpoint_url import parse_endpoint

SCHEME: Final = "tegata-recovery:v1?"
SECRET_BYTES: Final = 32
_DIGEST_BYTES: Final = 32
_MAX_CHARS: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCard:
    """A recovery card.

    Attributes:
        secret: 32 random bytes: the seed of the card's key.
        agent_set: The digest of the agents' verification keys (`AgentSet.id`).
        urls: Where the agents are reached, in the order of their indices.
    """

    secret: bytes = field(repr=False)
    agent_set: str
    urls: tuple[str, ...]

    @classmethod
    def draw(cls, *, agent_set: str, urls: tuple[str, ...]) -> Self:
        """Return a new card."""
        return cls(secret=random_bytes(SECRET_BYTES), agent_set=agent_set, urls=urls)

    @property
    def key(self) -> Key:
        """The card's private key."""
        return key_from_seed(self.secret)

    @property
    def handle(self) -> str:
        """The card's name, which only its key can claim; 32 hex digits."""
        return handle_of(thumbprint(self.key))

    def encode(self) -> str:
        """Return the text that the card's QR code holds."""
        fields = [("secret", encode_base64url(self.secret)), ("agents", self.agent_set)]
        return SCHEME + urlencode([*fields, *(("url", url) for url in self.urls)], safe=":/")


def parse_recovery_card(text: str) -> RecoveryCard:
    """Return the card that a text, as scanned or typed, stands for.

    Raises:
        EscrowFormatError: It is no recovery card of this version.
    """
    text = "".join(text.split())
    if not text.startswith(SCHEME) or len(text) > _MAX_CHARS:
        raise EscrowFormatError(f"a recovery card begins with {SCHEME}")
    try:
        fields = parse_qsl(text.removeprefix(SCHEME), strict_parsing=True)
        values = dict(fields[:2])
        urls = tuple(parse_endpoint(value.rstrip("/"), name) for name, value in fields[2:])
        secret, digest = decode_base64url(values["secret"]), decode_base64url(values["agents"])
    except (ValueError, KeyError, DecodeError, RequestError):
        raise EscrowFormatError("the recovery card cannot be read; scan it again") from None
    is_whole = len(secret) == SECRET_BYTES and len(digest) == _DIGEST_BYTES
    if not is_whole or not 1 <= len(urls) <= MAX_AGENTS or {n for n, _ in fields[2:]} != {"url"}:
        raise EscrowFormatError("the recovery card is not whole; scan it again")
    return RecoveryCard(secret=secret, agent_set=values["agents"], urls=urls)
