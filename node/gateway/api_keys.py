"""API keys of verifiers: made by the operator, shown once, kept as hashes, ended by time or hand.

They live in the gateway's database, so that a key that is made or revoked counts at once, in every
process that shares it.
"""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import JSON, BigInteger, String, select, update
from sqlalchemy.orm import Mapped, mapped_column

from node.database import Database
from node.gateway.tables import Base

PREFIX: Final = "tegata_"
"""What each key begins with: a scanner for leaked secrets knows it by that."""


class Scope(StrEnum):
    """What a key opens."""

    REQUESTS_WRITE = "requests:write"
    RESULTS_READ = "results:read"
    WEBHOOKS_WRITE = "webhooks:write"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who called, as its key says.

    Attributes:
        key_id: The key's id: no secret.
        verifier: The verifier that it belongs to.
        scopes: What it opens.
    """

    key_id: str
    verifier: str
    scopes: frozenset[str]


class ApiKey(Base):
    """One key.

    Attributes:
        id: 12 hex digits, by which the operator names it.
        verifier: The verifier's id in the configuration.
        sha256: SHA-256 of the key. It has 256 random bits: a plain hash cannot be searched back.
        scopes: What it opens.
        note: What the operator wrote beside it.
        created_at_ms: When it was made; milliseconds since 1970, UTC.
        expires_at_ms: When it ends; None for never.
        revoked_at_ms: When the operator ended it; None where it was not.
    """

    __tablename__ = "api_key"

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    verifier: Mapped[str] = mapped_column(String(64), index=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    note: Mapped[str]
    created_at_ms: Mapped[int] = mapped_column(BigInteger)
    expires_at_ms: Mapped[int | None] = mapped_column(BigInteger)
    revoked_at_ms: Mapped[int | None] = mapped_column(BigInteger)

    def state_at(self, now_ms: int) -> str:
        """Return `live`, `expired` or `revoked`."""
        if self.revoked_at_ms is not None:
            return "revoked"
        if self.expires_at_ms is not None and self.expires_at_ms <= now_ms:
            return "expired"
        return "live"

    def __repr__(self) -> str:
        return f"ApiKey(id={self.id!r}, verifier={self.verifier!r})"


class ApiKeyStore:
    """The table of keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        verifier: str,
        *,
        scopes: Collection[Scope],
        now_ms: int,
        expires_at_ms: int | None = None,
        note: str = "",
    ) -> tuple[ApiKey, str]:
        """Make a key for a verifier.

        Returns:
            What is kept of it, and the key: nobody can read it again.
        """
        token = PREFIX + secrets.token_urlsafe(32)
        key = ApiKey(
            id=secrets.token_hex(6),
            verifier=verifier,
            sha256=_hash(token),
            scopes=sorted(scopes),
            note=note,
            created_at_ms=now_ms,
            expires_at_ms=expires_at_ms,
        )
        with self._database.transaction() as session:
            session.add(key)
        return key, token

    def find_caller(self, token: str, *, now_ms: int) -> Caller | None:
        """Return whose key this is; None where it is nobody's, or has ended."""
        key = self._database.find_one(select(ApiKey).where(ApiKey.sha256 == _hash(token)))
        if key is None or key.state_at(now_ms) != "live":
            return None
        return Caller(key_id=key.id, verifier=key.verifier, scopes=frozenset(key.scopes))

    def all(self) -> Sequence[ApiKey]:
        """Return all keys, also those that have ended, the oldest first."""
        with self._database.reading() as session:
            return session.scalars(select(ApiKey).order_by(ApiKey.created_at_ms, ApiKey.id)).all()

    def of_verifier(self, verifier: str) -> Sequence[ApiKey]:
        """Return a verifier's keys, also those that have ended, the newest first."""
        query = select(ApiKey).where(ApiKey.verifier == verifier)
        with self._database.reading() as session:
            return session.scalars(query.order_by(ApiKey.created_at_ms.desc(), ApiKey.id)).all()

    def revoke(self, key_id: str, *, now_ms: int) -> bool:
        """End a key for good; return whether there was one that had not been revoked."""
        statement = (
            update(ApiKey)
            .where(ApiKey.id == key_id, ApiKey.revoked_at_ms.is_(None))
            .values(revoked_at_ms=now_ms)
        )
        return self._database.change(statement)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
