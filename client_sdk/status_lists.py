"""Issuers' status lists, as verifiers use them: fetched whole, kept, never trusted too long.

A copy counts only while the ledger names its version and its digest. So a revocation takes effect
with the block that tells of it, whatever the copy's age; and nobody but the list's own server
learns that somebody looks at it.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from chaincode.records import StatusListRecord
from client_sdk.credentials.jose import Key, parse_compact
from client_sdk.credentials.token_status_list import (
    STATUS_LIST_MEDIA_TYPE,
    StatusList,
    StatusReference,
    verify_status_list,
)
from client_sdk.errors import (
    CredentialFormatError,
    ExpiredError,
    SignatureError,
    StatusListError,
    TransportError,
)
from client_sdk.http_client import HttpAnswer

DEFAULT_TTL_S: Final = 300
"""How long a copy is kept whose issuer does not say."""
MAX_COPIES: Final = 64
LEEWAY_S: Final = 60

ReadRecord = Callable[[], StatusListRecord | None]
"""Reads the ledger's record of a list now."""


class Fetch(Protocol):
    """What fetches: `HttpClient.get`."""

    def __call__(self, url: str, *, accept: str) -> HttpAnswer:
        """Return the answer of a server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copy:
    statuses: StatusList
    version: int
    digest: bytes
    fresh_until_s: int

    def counts(self, record: StatusListRecord, now_s: int) -> bool:
        is_named = (self.version, self.digest) == (record.version, record.digest)
        return is_named and now_s < self.fresh_until_s


class StatusLists:
    """Copies of issuers' lists. Safe to share between threads."""

    def __init__(
        self,
        fetch: Fetch,
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Begin without any copy.

        Args:
            fetch: Gets a URI: `HttpClient.get`.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._fetch = fetch
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._copies: OrderedDict[str, _Copy] = OrderedDict()

    def status(
        self, reference: StatusReference, *, read_record: ReadRecord, keys: Mapping[str, Key]
    ) -> int:
        """Return the status of a credential (`token_status_list.Status`).

        Args:
            reference: Where the credential says that it stands.
            read_record: Reads the record of the list that the credential's issuer keeps.
            keys: The issuer's registered keys, by their thumbprint.

        Raises:
            StatusListError: The list cannot be had, is not the ledger's, or has no such index.
            TransportError: The ledger cannot be reached.
            QueryFailedError: The ledger does not answer.
        """
        record = read_record()
        if record is None:
            raise StatusListError("the ledger does not know the credential's status list")
        if reference.uri != record.uri:
            raise StatusListError("the credential names another status list than the ledger")
        now_s = self._now_ms() // 1000
        with self._lock:
            copy = self._copies.get(record.uri)
        if copy is None or not copy.counts(record, now_s):
            copy = self._fetch_copy(record, read_record, keys)
        return copy.statuses[reference.index]

    def _fetch_copy(
        self, record: StatusListRecord, read_record: ReadRecord, keys: Mapping[str, Key]
    ) -> _Copy:
        fetched = self._fetch_list(record.uri, keys)
        if fetched.digest != record.digest:
            # The issuer may have changed it between the two readings.
            record = read_record() or record
        if fetched.digest != record.digest or fetched.statuses.bits != record.bits:
            raise StatusListError("the list that is published is not the one that the ledger names")
        copy = _Copy(
            statuses=fetched.statuses,
            version=record.version,
            digest=record.digest,
            fresh_until_s=fetched.fresh_until_s,
        )
        with self._lock:
            self._copies[record.uri] = copy
            self._copies.move_to_end(record.uri)
            while len(self._copies) > MAX_COPIES:
                self._copies.popitem(last=False)
        return copy

    def _fetch_list(self, uri: str, keys: Mapping[str, Key]) -> _Copy:
        try:
            answer = self._fetch(uri, accept=STATUS_LIST_MEDIA_TYPE)
        except TransportError as error:
            raise StatusListError(f"the list cannot be fetched: {error}") from None
        if answer.status != 200:
            raise StatusListError(f"the list cannot be fetched: HTTP status {answer.status}")
        if answer.media_type != STATUS_LIST_MEDIA_TYPE:
            raise StatusListError(f"the list is not of the type {STATUS_LIST_MEDIA_TYPE}")
        now_s = self._now_ms() // 1000
        try:
            text = answer.body.decode("ascii")
            kid = parse_compact(text).unverified_header.get("kid")
            key = keys.get(kid) if isinstance(kid, str) else None
            if key is None:
                raise StatusListError("the list is signed with a key that is not registered")
            token = verify_status_list(
                text, issuer_key=key, expected_uri=uri, now_s=now_s, leeway_s=LEEWAY_S
            )
        except (CredentialFormatError, SignatureError, ExpiredError, UnicodeDecodeError) as error:
            raise StatusListError(f"the list cannot be used: {error}") from None
        fresh_until = token.fresh_until(now_s)
        return _Copy(
            statuses=token.statuses,
            version=0,
            digest=token.statuses.digest(),
            fresh_until_s=now_s + DEFAULT_TTL_S if fresh_until is None else fresh_until,
        )
