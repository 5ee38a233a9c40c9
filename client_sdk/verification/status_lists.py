"""Issuers' status lists, as verifiers use them: fetched whole, kept, never trusted too long.

A copy counts only while the ledger names its version and its digest. So a revocation takes effect
with the block that tells of it, whatever the copy's age; and nobody but the list's own server
learns that somebody looks at it.

A list is had in the form that the credential names: as a Token Status List, or as Bitstring Status
Lists. The ledger's digest is of the packed statuses: of a list of one bit as it is published, and
of two bits where one list of each purpose is published beside the other (`status_bits`).
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeAlias

from chaincode.records import StatusListRecord
from client_sdk.credentials.bitstring_status_list import Bitstring, StatusEntry
from client_sdk.credentials.jose import Key, parse_compact
from client_sdk.credentials.status_bits import (
    BITS,
    REVOCATION,
    SUSPENSION,
    join_bits,
    purpose_url,
)
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
from client_sdk.http.client import HttpAnswer
from client_sdk.verification.bitstring_reading import BITSTRING_MEDIA_TYPES, FetchedBits, read_bits

DEFAULT_TTL_S: Final = 300
"""How long a copy is kept whose issuer does not say."""
MAX_COPIES: Final = 64
LEEWAY_S: Final = 60

ReadRecord: TypeAlias = Callable[[], StatusListRecord | None]
"""Reads the ledger's record of a list now."""


class Fetch(Protocol):
    """What fetches: `HttpClient.get`."""

    def __call__(self, url: str, *, accept: str) -> HttpAnswer:
        """Return the answer of a server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copy:
    statuses: StatusList
    bits: int
    version: int = 0
    digest: bytes
    fresh_until_s: int

    def counts(self, record: StatusListRecord, now_s: int) -> bool:
        is_named = (self.version, self.digest) == (record.version, record.digest)
        return is_named and now_s < self.fresh_until_s


_FetchCopy: TypeAlias = Callable[[StatusListRecord], _Copy]


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
        self._copies: OrderedDict[tuple[str, ...], _Copy] = OrderedDict()

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
        record = _require(read_record())
        if reference.uri != record.uri:
            raise StatusListError("the credential names another status list than the ledger")
        copy = self._current(
            (record.uri,), record, read_record, lambda named: self._fetch_token(named.uri, keys)
        )
        return copy.statuses[reference.index]

    def bitstring_status(
        self,
        entries: Sequence[StatusEntry],
        *,
        read_record: ReadRecord,
        keys: Mapping[str, Key],
    ) -> int:
        """Return the status of a credential that names Bitstring Status Lists.

        Args:
            entries: Where the credential says that it stands: its `credentialStatus`, as far as it
                is about revocation and suspension.
            read_record: As for `status`.
            keys: As for `status`.

        Raises:
            StatusListError: As for `status`, or the credential stands in two places.
            TransportError: The ledger cannot be reached.
            QueryFailedError: The ledger does not answer.
        """
        record = _require(read_record())
        if len({entry.index for entry in entries}) != 1:
            raise StatusListError("the credential stands in no list, or in two places")
        published = (
            {entries[0].purpose: record.uri}
            if record.bits == 1
            else {purpose: purpose_url(record.uri, purpose) for purpose in (REVOCATION, SUSPENSION)}
        )
        if any(published.get(entry.purpose) != entry.list_url for entry in entries):
            raise StatusListError("the credential names another status list than the ledger")
        copy = self._current(
            (record.uri, *published),
            record,
            read_record,
            lambda named: self._fetch_bits(named, published, keys),
        )
        return copy.statuses[entries[0].index]

    def _current(
        self,
        key: tuple[str, ...],
        record: StatusListRecord,
        read_record: ReadRecord,
        fetch: _FetchCopy,
    ) -> _Copy:
        """Return a copy that the ledger names: the one that is kept, or a new one."""
        with self._lock:
            copy = self._copies.get(key)
        if copy is not None and copy.counts(record, self._now_s()):
            return copy
        fetched = fetch(record)
        if fetched.digest != record.digest:
            # The issuer may have changed it between the two readings.
            record = read_record() or record
        if fetched.digest != record.digest or fetched.bits != record.bits:
            raise StatusListError("the list that is published is not the one that the ledger names")
        copy = replace(fetched, version=record.version)
        with self._lock:
            self._copies[key] = copy
            self._copies.move_to_end(key)
            while len(self._copies) > MAX_COPIES:
                self._copies.popitem(last=False)
        return copy

    def _fetch_token(self, uri: str, keys: Mapping[str, Key]) -> _Copy:
        answer = self._get(uri, (STATUS_LIST_MEDIA_TYPE,))
        now_s = self._now_s()
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
            bits=token.statuses.bits,
            digest=token.statuses.digest(),
            fresh_until_s=now_s + DEFAULT_TTL_S if fresh_until is None else fresh_until,
        )

    def _fetch_bits(
        self, record: StatusListRecord, published: Mapping[str, str], keys: Mapping[str, Key]
    ) -> _Copy:
        if record.bits not in (1, BITS):
            raise StatusListError(f"the ledger's list has {record.bits} bits a status")
        fetched = {
            purpose: self._fetch_purpose(url, purpose, keys) for purpose, url in published.items()
        }
        some = next(iter(fetched.values()))
        none = Bitstring(bytes(len(some.bits.packed)))
        statuses = join_bits(
            *(fetched[name].bits if name in fetched else none for name in (REVOCATION, SUSPENSION))
        )
        return _Copy(
            statuses=statuses,
            bits=record.bits,
            digest=some.bits.digest() if record.bits == 1 else statuses.digest(),
            fresh_until_s=min(one.fresh_until_s for one in fetched.values()),
        )

    def _fetch_purpose(self, url: str, purpose: str, keys: Mapping[str, Key]) -> FetchedBits:
        answer = self._get(url, BITSTRING_MEDIA_TYPES)
        now_s = self._now_s()
        try:
            return read_bits(
                answer,
                entry=StatusEntry(purpose=purpose, index=0, list_url=url),
                keys=keys,
                now_s=now_s,
                leeway_s=LEEWAY_S,
                default_ttl_s=DEFAULT_TTL_S,
            )
        except (CredentialFormatError, SignatureError, ExpiredError) as error:
            raise StatusListError(f"the list cannot be used: {error}") from None

    def _get(self, uri: str, media_types: Sequence[str]) -> HttpAnswer:
        try:
            answer = self._fetch(uri, accept=", ".join(media_types))
        except TransportError as error:
            raise StatusListError(f"the list cannot be fetched: {error}") from None
        if answer.status != 200:
            raise StatusListError(f"the list cannot be fetched: HTTP status {answer.status}")
        if answer.media_type not in media_types:
            raise StatusListError(f"the list is not of the type {' or '.join(media_types)}")
        return answer

    def _now_s(self) -> int:
        return self._now_ms() // 1000


def _require(record: StatusListRecord | None) -> StatusListRecord:
    if record is None:
        raise StatusListError("the ledger does not know the credential's status list")
    return record
