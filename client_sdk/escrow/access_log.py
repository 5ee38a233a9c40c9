"""An agent's log of one handle: each entry binds the one before it, and the agent signs the last.

A holder who keeps the last signed head sees whether entries were changed or dropped since, and two
heads that do not lie on one chain prove that the agent lied.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chaincode.encoding import JsonObject, encode_canonical_json
from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    parse_compact,
    parse_public_jwk,
    sign_compact,
    thumbprint,
)
from client_sdk.errors import AccessLogError, ClientError
from client_sdk.strict_json import JsonFields

HEAD_TYP: Final = "tegata-log-head+jwt"
START: Final = "0" * 64
"""What the first entry binds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One request.

    Attributes:
        sequence: Its place, from 1.
        time_ms: When, milliseconds since 1970, UTC, by the agent's clock.
        event: What was asked, such as `evaluated`, or `refused: too_early`.
        caller: As whom: `card`, `owner`, `success` or `counter`.
        previous: The hash of the entry before it.
    """

    sequence: int
    time_ms: int
    event: str
    caller: str
    previous: str

    def to_fields(self) -> JsonObject:
        """Return the entry as a JSON object."""
        return {
            "sequence": self.sequence,
            "time_ms": self.time_ms,
            "event": self.event,
            "caller": self.caller,
            "previous": self.previous,
        }

    @property
    def hash(self) -> str:
        """The SHA-256 of the entry's canonical JSON, 64 hex digits."""
        return hashlib.sha256(encode_canonical_json(self.to_fields())).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogHead:
    """The last entry of a handle's log, as an agent signed it.

    Attributes:
        handle: Whose log.
        sequence: The place of the last entry; 0 where there is none.
        hash: The hash of the last entry.
        agent_key: Thumbprint of the agent's verification key.
    """

    handle: str
    sequence: int
    hash: str
    agent_key: str


def sign_head(agent_key: Key, *, handle: str, sequence: int, entry_hash: str) -> str:
    """Return a head as a JWT."""
    header: JsonObject = {"typ": HEAD_TYP, "jwk": export_public_jwk(agent_key)}
    claims: JsonObject = {"handle": handle, "sequence": sequence, "hash": entry_hash}
    return sign_compact(header, claims, agent_key)


def verify_head(token: str, *, expected_handle: str) -> LogHead:
    """Return a head, now known to be signed by the agent that it names.

    Raises:
        AccessLogError: It is not well formed, of another handle, or not signed.
    """
    try:
        unverified = parse_compact(token)
        key = parse_public_jwk(unverified.unverified_header.get("jwk"))
        _, claims = unverified.verify(key=key, expected_typ=HEAD_TYP)
        fields = JsonFields(claims, what="the log's head", error=AccessLogError)
        head = LogHead(
            handle=fields.text("handle"),
            sequence=fields.whole("sequence"),
            hash=fields.text("hash"),
            agent_key=thumbprint(key),
        )
    except ClientError as error:
        raise AccessLogError(f"the log's head: {error}") from None
    if head.handle != expected_handle:
        raise AccessLogError("the log's head is of another handle")
    return head


def verify_log(
    entries: Sequence[LogEntry], head: LogHead, *, known_head: LogHead | None = None
) -> None:
    """Check that entries are a whole log up to its head, and that it goes on from a known head.

    Raises:
        AccessLogError: Entries are missing, changed or not in order, or what the agent signed
            before is not part of this log.
    """
    previous = START
    hashes = [START]
    for place, entry in enumerate(entries, start=1):
        if entry.sequence != place or entry.previous != previous:
            raise AccessLogError(f"entry {place} does not follow the one before it")
        previous = entry.hash
        hashes.append(previous)
    if (head.sequence, head.hash) != (len(entries), previous):
        raise AccessLogError("the entries do not end at the head that the agent signed")
    if known_head is not None and (
        known_head.sequence > len(entries) or hashes[known_head.sequence] != known_head.hash
    ):
        raise AccessLogError("what the agent signed earlier is not part of the log that it shows")
