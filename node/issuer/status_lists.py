"""The issuer's status lists: places given out, statuses changed, versions anchored, forms made.

The database says what is meant; the ledger follows. What was changed and not anchored before a
crash is anchored at the next start or change, and until then verifiers refuse, since the published
list is not the ledger's.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from client_sdk.credentials.bitstring_status_list import MIN_ENTRIES, build_list_credential
from client_sdk.credentials.jose import Key, thumbprint
from client_sdk.credentials.sd_jwt_vc import CredentialSigner, public_key_of
from client_sdk.credentials.status_bits import BITS, purpose_url, select_bits
from client_sdk.credentials.token_status_list import (
    Status,
    StatusList,
    StatusReference,
    sign_status_list,
)
from client_sdk.credentials.vc_jose import sign_vc_jwt
from client_sdk.errors import FrostError
from client_sdk.issuer.anchor import IssuerAnchor, ListPlace
from client_sdk.ledger.grants import new_record_id
from node.errors import StorageError
from node.issuer.status_list_store import StatusListStore
from node.issuer.tables import StoredStatusList

_LIFE_IN_TTLS: Final = 3
"""A token is served for one ttl and kept for another; then it is still valid for a slow clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedList:
    """A list as it is served.

    Attributes:
        version: The list's version.
        made_at_s: When it was signed; seconds since 1970, UTC.
        body: The JWT.
    """

    version: int
    made_at_s: int
    body: str = field(repr=False)

    @property
    def etag(self) -> str:
        """What tells this signing from every other (RFC 9110 section 8.8.3)."""
        return f"{self.version}-{self.made_at_s}"


class StatusLists:
    """The lists of one issuer. Safe to share between threads."""

    def __init__(
        self,
        store: StatusListStore,
        anchor: IssuerAnchor,
        *,
        public_url: str,
        signing_key: Key | CredentialSigner,
        entries: int,
        ttl_s: int,
        now_ms: Callable[[], int],
    ) -> None:
        """Take over the lists of the store.

        Args:
            store: Where they are kept.
            anchor: Writes to the ledger.
            public_url: The issuer's identifier.
            signing_key: The private key that credentials and lists are signed with, or whoever has
                it: then there are no lists in the form of credentials.
            entries: How many places a new list has.
            ttl_s: How long a verifier may keep a copy, in seconds.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._anchor = anchor
        self._public_url = public_url
        self._signing_key = signing_key
        self._header = {"kid": thumbprint(public_key_of(signing_key))}
        self._entries = entries
        self._ttl_s = ttl_s
        self._now_ms = now_ms
        self._making = threading.Lock()
        self._published: dict[tuple[str, str | None], PublishedList] = {}

    def uri(self, list_id: str) -> str:
        """Return where a list is published as a Token Status List."""
        return f"{self._public_url}/status-lists/{list_id}"

    def prepare(self, count: int) -> str:
        """Return the id of a list on the ledger that has this many free places.

        Raises:
            TransactionFailedError: The ledger refused a new list.
            TransportError: The ledger cannot be reached.
        """
        with self._making:
            list_id = self._store.with_room(count)
            if list_id is None:
                list_id = new_record_id()
                self._store.add(list_id, max(self._entries, _round_up(count)))
            self.anchor(list_id)
        return list_id

    def take(self, count: int) -> list[ListPlace]:
        """Give out places in one list, each for one credential.

        Raises:
            TransactionFailedError: The ledger refused a new list.
            TransportError: The ledger cannot be reached.
        """
        while True:
            list_id = self.prepare(count)
            places = self._store.take(list_id, count)
            if places is not None:
                return [self.place(list_id, index) for index in places]

    def place(self, list_id: str, index: int) -> ListPlace:
        """Return what a credential says of its place."""
        reference = StatusReference(index=index, uri=self.uri(list_id))
        return ListPlace(list_id=list_id, reference=reference)

    def status(self, list_id: str, index: int) -> Status:
        """Return what stands in a place."""
        row = self._find(list_id)
        return Status(StatusList(bits=BITS, data=row.statuses)[index])

    def set_statuses(self, list_id: str, statuses: Mapping[int, Status]) -> None:
        """Write statuses by their places, and anchor the new version.

        Raises:
            CredentialStateError: A credential was revoked: that is for good.
            TransactionFailedError: The ledger refused it. The list is changed all the same.
            TransportError: The ledger cannot be reached. The list is changed all the same.
        """
        self._store.set_statuses(list_id, statuses)
        self.anchor(list_id)

    def anchor(self, list_id: str) -> None:
        """Write a list's version to the ledger, unless it is there.

        Raises:
            TransactionFailedError: The ledger refused it.
            TransportError: The ledger cannot be reached.
        """
        row = self._find(list_id)
        if row.anchored_version < row.version:
            statuses = StatusList(bits=BITS, data=row.statuses)
            self._anchor.anchor_status_list(
                list_id, statuses, uri=self.uri(list_id), version=row.version
            )
            self._store.note_anchored(list_id, row.version)

    def anchor_all(self) -> None:
        """Write to the ledger what was changed and not anchored.

        Raises:
            TransactionFailedError: The ledger refused it.
            TransportError: The ledger cannot be reached.
        """
        for list_id in self._store.unanchored():
            self.anchor(list_id)

    def publish(self, list_id: str, purpose: str | None = None) -> PublishedList | None:
        """Return a list as it is served, or None where there is none of this id.

        Args:
            list_id: The list.
            purpose: `revocation` or `suspension` for a Bitstring Status List, as a credential in
                the form `vc+jwt`; None for the Token Status List.

        Raises:
            FrostError: The issuer's authorities did not sign it, and no signature is still good.
        """
        row = self._store.find(list_id)
        if row is None or (purpose is not None and not isinstance(self._signing_key, Key)):
            return None
        now_s = self._now_ms() // 1000
        kept = self._published.get((list_id, purpose))
        if kept is None or kept.version != row.version or now_s - kept.made_at_s >= self._ttl_s:
            try:
                body = self._make(row, purpose, now_s)
            except FrostError:
                if not self._is_still_good(kept, row, now_s):
                    raise
                # Perhaps they answer next time.
                return kept
            kept = PublishedList(version=row.version, made_at_s=now_s, body=body)
            self._published[list_id, purpose] = kept
        return kept

    def _is_still_good(self, kept: PublishedList | None, row: StoredStatusList, now_s: int) -> bool:
        """Tell whether a verifier that is given it may still keep it for a ttl."""
        if kept is None or kept.version != row.version:
            return False
        return now_s < kept.made_at_s + (_LIFE_IN_TTLS - 1) * self._ttl_s

    def _make(self, row: StoredStatusList, purpose: str | None, now_s: int) -> str:
        key = self._signing_key
        if purpose is not None and isinstance(key, Key):
            return self._certify(row, purpose, now_s, key)
        return sign_status_list(
            StatusList(bits=BITS, data=row.statuses),
            uri=self.uri(row.list_id),
            issuer_key=key,
            issued_at=now_s,
            expires_at=now_s + _LIFE_IN_TTLS * self._ttl_s,
            ttl_s=self._ttl_s,
            header={**self._header},
        )

    def _certify(self, row: StoredStatusList, purpose: str, now_s: int, key: Key) -> str:
        credential = build_list_credential(
            select_bits(StatusList(bits=BITS, data=row.statuses), purpose),
            url=purpose_url(self.uri(row.list_id), purpose),
            issuer=self._public_url,
            purpose=purpose,
            valid_from=_date_time(now_s),
            valid_until=_date_time(now_s + _LIFE_IN_TTLS * self._ttl_s),
        )
        return sign_vc_jwt(credential, issuer_key=key, header={**self._header})

    def _find(self, list_id: str) -> StoredStatusList:
        row = self._store.find(list_id)
        if row is None:
            raise StorageError(f"the store has no status list {list_id}: was it replaced?")
        return row


def _round_up(count: int) -> int:
    """Return the least power of two that is at least `count` and hides one among many."""
    return max(MIN_ENTRIES, 1 << (count - 1).bit_length())


def _date_time(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
