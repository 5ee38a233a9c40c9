"""The world state: keys and values, overlays that are merged or dropped whole, and their layout.

A key is a kind and its parts, joined by NUL, so that a scan yields parts in ascending order. No
name of Iroha's grammar can hold a NUL.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, Protocol

from chaincode.amounts import ZERO, Amount, parse_amount
from chaincode.permissions import decode_permissions, encode_permissions
from chaincode.protocol.primitive_pb2 import Peer
from chaincode.protocol.world_state_pb2 import AccountRecord, PeersRecord

_PEERS: Final = b"peers"


class ReadableState(Protocol):
    """What readers need: a view or an overlay."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value at a key, or None."""
        ...

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries whose keys begin with `prefix`, ascending, from `start` on."""
        ...


class StateView(ReadableState, Protocol):
    """The committed state. It does not change while a block is applied to it."""

    def has_transaction(self, tx_hash: bytes) -> bool:
        """Tell whether a block has already committed or rejected this transaction."""
        ...


class StateOverlay:
    """Changes above a view or above another overlay, kept apart until they are merged."""

    __slots__ = ("_base", "_changes")

    def __init__(self, base: ReadableState) -> None:
        self._base = base
        self._changes: dict[bytes, bytes | None] = {}

    @property
    def changes(self) -> Mapping[bytes, bytes | None]:
        """The new value of each key that was written; None where the key goes."""
        return MappingProxyType(self._changes)

    def get(self, key: bytes) -> bytes | None:
        """Return the value at a key, or None."""
        if key in self._changes:
            return self._changes[key]
        return self._base.get(key)

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries whose keys begin with `prefix`, ascending, from `start` on.

        The overlay must not change meanwhile.
        """
        below = self._base.scan(prefix, start)
        entries = ((key, value) for key, value in below if key not in self._changes)
        changed = (
            (key, value)
            for key, value in sorted(self._changes.items())
            if value is not None and key >= start and key.startswith(prefix)
        )
        return heapq.merge(entries, changed)

    def put(self, key: bytes, value: bytes) -> None:
        """Write the value at a key."""
        self._changes[key] = value

    def delete(self, key: bytes) -> None:
        """Remove a key."""
        self._changes[key] = None

    def begin(self) -> "StateOverlay":
        """Return an overlay above this one."""
        return StateOverlay(self)

    def merge(self, upper: "StateOverlay") -> None:
        """Take over the changes of an overlay that `begin` returned."""
        self._changes.update(upper._changes)  # noqa: SLF001 - another object of this class


class JournaledOverlay(StateOverlay):
    """An overlay that can go back to how it was, however often it is asked to remember."""

    __slots__ = ("_replaced",)

    def __init__(self, base: ReadableState) -> None:
        super().__init__(base)
        self._replaced: list[tuple[bytes, dict[bytes, bytes | None]]] = []

    def put(self, key: bytes, value: bytes) -> None:
        """Write the value at a key."""
        self._remember(key)
        super().put(key, value)

    def delete(self, key: bytes) -> None:
        """Remove a key."""
        self._remember(key)
        super().delete(key)

    def mark(self) -> int:
        """Return this moment, for `rewind`."""
        return len(self._replaced)

    def rewind(self, mark: int) -> None:
        """Undo everything since the moment that `mark` returned."""
        while len(self._replaced) > mark:
            key, previous = self._replaced.pop()
            del self._changes[key]
            self._changes.update(previous)

    def _remember(self, key: bytes) -> None:
        previous = {key: self._changes[key]} if key in self._changes else {}
        self._replaced.append((key, previous))


def state_key(kind: bytes, *parts: str) -> bytes:
    """Return the key of an entry: the kind and its parts, of which there is one at least."""
    return kind + b"\x00" + "\x00".join(parts).encode()


DOMAIN_KEYS: Final = state_key(b"domain", "")
"""What the keys of all domains begin with."""


def key_parts(key: bytes) -> list[str]:
    """Return the parts of a key, without its kind."""
    return key.decode().split("\x00")[1:]


def account_key(account_id: str) -> bytes:
    """Return the state key of an account."""
    return state_key(b"account", account_id)


def get_account(state: ReadableState, account_id: str) -> AccountRecord | None:
    """Return an account's quorum, signatories and roles, or None; the caller owns the record."""
    value = state.get(account_key(account_id))
    return None if value is None else AccountRecord.FromString(value)


def put_account(
    state: StateOverlay,
    account_id: str,
    *,
    quorum: int,
    signatories: Iterable[str],
    roles: Iterable[str],
) -> None:
    """Write an account."""
    record = AccountRecord(
        quorum=quorum, signatories=sorted(set(signatories)), roles=sorted(set(roles))
    )
    state.put(account_key(account_id), record.SerializeToString())


def get_default_role(state: ReadableState, domain_id: str) -> str | None:
    """Return the default role of a domain, or None where there is no such domain."""
    value = state.get(state_key(b"domain", domain_id))
    return None if value is None else value.decode()


def put_domain(state: StateOverlay, domain_id: str, default_role: str) -> None:
    """Write a domain."""
    state.put(state_key(b"domain", domain_id), default_role.encode())


def get_role(state: ReadableState, role_name: str) -> frozenset[int] | None:
    """Return a role's permissions (numbers of `RolePermission`), or None."""
    value = state.get(state_key(b"role", role_name))
    return None if value is None else decode_permissions(value)


def put_role(state: StateOverlay, role_name: str, permissions: frozenset[int]) -> None:
    """Write a new role."""
    state.put(state_key(b"role", role_name), encode_permissions(permissions))
    number = _count_one_more(state, "role")
    state.put(state_key(b"role_order", f"{number:010}"), role_name.encode())


def scan_roles(view: StateView) -> Iterator[str]:
    """Yield the names of the roles, in the order in which they were created."""
    for _, name in view.scan(state_key(b"role_order", "")):
        yield name.decode()


def get_grants(state: ReadableState, account_id: str, grantee: str) -> frozenset[int]:
    """Return what `grantee` may do to the account (numbers of `GrantablePermission`)."""
    value = state.get(state_key(b"grant", account_id, grantee))
    return frozenset() if value is None else decode_permissions(value)


def put_grants(
    state: StateOverlay, account_id: str, grantee: str, permissions: frozenset[int]
) -> None:
    """Write what `grantee` may do to the account; nothing at all removes the entry."""
    key = state_key(b"grant", account_id, grantee)
    if permissions:
        state.put(key, encode_permissions(permissions))
    else:
        state.delete(key)


def detail_key(account_id: str, writer: str, key: str) -> bytes:
    """Return the state key of an account detail."""
    return state_key(b"detail", account_id, writer, key)


def detail_prefix(account_id: str, *writer: str) -> bytes:
    """Return how the state keys of all details of an account begin, or of those by one writer."""
    return state_key(b"detail", account_id, *writer, "")


def get_detail(state: ReadableState, account_id: str, writer: str, key: str) -> str | None:
    """Return the value of an account detail, or None."""
    value = state.get(detail_key(account_id, writer, key))
    return None if value is None else value.decode()


def put_detail(state: StateOverlay, account_id: str, writer: str, key: str, value: str) -> None:
    """Write an account detail."""
    entry = detail_key(account_id, writer, key)
    if state.get(entry) is None:
        _count_one_more(state, "detail", account_id, writer)
    state.put(entry, value.encode())


def detail_count_key(account_id: str, writer: str) -> bytes:
    """Return the state key of the number of details of an account by one writer."""
    return _count_key("detail", account_id, writer)


def count_details(state: ReadableState, account_id: str, writer: str) -> int:
    """Return how many details of an account a writer has written."""
    return _count(state, "detail", account_id, writer)


def scan_detail_counts(view: StateView, account_id: str) -> Iterator[tuple[str, int]]:
    """Yield who has written details of an account, ascending, and how many."""
    for key, value in view.scan(_count_key("detail", account_id, "")):
        yield key_parts(key)[-1], int(value)


def get_precision(state: ReadableState, asset_id: str) -> int | None:
    """Return how many decimals an asset has, or None where there is no such asset."""
    value = state.get(state_key(b"asset", asset_id))
    return None if value is None else int(value)


def put_asset(state: StateOverlay, asset_id: str, precision: int) -> None:
    """Write an asset."""
    state.put(state_key(b"asset", asset_id), b"%d" % precision)


def balance_key(account_id: str, asset_id: str) -> bytes:
    """Return the state key of how much of an asset an account has."""
    return state_key(b"balance", account_id, asset_id)


def get_balance(state: ReadableState, account_id: str, asset_id: str) -> Amount:
    """Return how much of an asset an account has."""
    value = state.get(balance_key(account_id, asset_id))
    return ZERO if value is None else parse_amount(value.decode())


def put_balance(state: StateOverlay, account_id: str, asset_id: str, balance: Amount) -> None:
    """Write how much of an asset an account has; none at all is an entry too."""
    entry = balance_key(account_id, asset_id)
    if state.get(entry) is None:
        _count_one_more(state, "balance", account_id)
    state.put(entry, str(balance).encode())


def count_balances(state: ReadableState, account_id: str) -> int:
    """Return how many assets an account has, or had."""
    return _count(state, "balance", account_id)


def scan_balances(
    view: StateView, account_id: str, first_asset_id: str = ""
) -> Iterator[tuple[str, Amount]]:
    """Yield the assets that an account has or had, ascending, and how much of each."""
    prefix = state_key(b"balance", account_id, "")
    for key, value in view.scan(prefix, prefix + first_asset_id.encode()):
        yield key_parts(key)[-1], parse_amount(value.decode())


def get_setting(state: ReadableState, key: str) -> str | None:
    """Return the value of a setting, or None."""
    value = state.get(state_key(b"setting", key))
    return None if value is None else value.decode()


def put_setting(state: StateOverlay, key: str, value: str) -> None:
    """Write a setting."""
    state.put(state_key(b"setting", key), value.encode())


def get_peers(state: ReadableState) -> list[Peer]:
    """Return the peers, sorted by key."""
    value = state.get(_PEERS)
    return [] if value is None else list(PeersRecord.FromString(value).peers)


def get_voters(state: ReadableState) -> frozenset[str]:
    """Return the keys of the peers that sign blocks; a syncing peer only follows."""
    return _voters(get_peers(state))


def voters_among(changes: Mapping[bytes, bytes | None], before: frozenset[str]) -> frozenset[str]:
    """Return the keys of the peers that vote after changes to a state in which `before` did."""
    value = changes.get(_PEERS)
    return before if value is None else _voters(PeersRecord.FromString(value).peers)


def _voters(peers: Iterable[Peer]) -> frozenset[str]:
    return frozenset(peer.peer_key for peer in peers if not peer.syncing_peer)


def are_peers_changed(state: StateOverlay) -> bool:
    """Tell whether the list of peers was written in an overlay itself."""
    return _PEERS in state.changes


def put_peers(state: StateOverlay, peers: Iterable[Peer]) -> None:
    """Write the list of peers."""
    ordered = sorted(peers, key=lambda peer: peer.peer_key)
    state.put(_PEERS, PeersRecord(peers=ordered).SerializeToString())


def _count_key(*parts: str) -> bytes:
    return state_key(b"count", *parts)


def _count(state: ReadableState, *parts: str) -> int:
    value = state.get(_count_key(*parts))
    return 0 if value is None else int(value)


def _count_one_more(state: StateOverlay, *parts: str) -> int:
    """Count an entry that is new, so that no query need count them; return how many there are."""
    count = _count(state, *parts) + 1
    state.put(_count_key(*parts), b"%d" % count)
    return count
