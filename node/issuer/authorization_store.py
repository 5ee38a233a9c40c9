"""Authorization requests, their codes, and what became of them."""

from sqlalchemy import delete, select, update

from node.database import Database
from node.issuer.tables import StoredAuthorization, StoredOffer


class AuthorizationStore:
    """The table of authorization requests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, authorization: StoredAuthorization) -> None:
        """Keep a new request."""
        with self._database.transaction() as session:
            session.add(authorization)

    def find(self, request_hash: str, now_ms: int) -> StoredAuthorization | None:
        """Return a request that was not decided yet."""
        return self._database.find_one(
            select(StoredAuthorization).where(
                StoredAuthorization.request_hash == request_hash,
                StoredAuthorization.code_hash.is_(None),
                StoredAuthorization.expires_at_ms > now_ms,
            ),
        )

    def remove(self, request_hash: str) -> bool:
        """Delete a request that was not decided yet; False where another was first."""
        return self._database.change(
            delete(StoredAuthorization).where(
                StoredAuthorization.request_hash == request_hash,
                StoredAuthorization.code_hash.is_(None),
            ),
        )

    def approve(
        self,
        request_hash: str,
        *,
        code_hash: str,
        parameters: bytes,
        expires_at_ms: int,
        forgotten_at_ms: int,
    ) -> bool:
        """Put a code in the request's place; False where another was first."""
        return self._database.change(
            update(StoredAuthorization)
            .where(
                StoredAuthorization.request_hash == request_hash,
                StoredAuthorization.code_hash.is_(None),
            )
            .values(
                code_hash=code_hash,
                parameters=parameters,
                expires_at_ms=expires_at_ms,
                forgotten_at_ms=forgotten_at_ms,
            ),
        )

    def find_code(self, code_hash: str) -> StoredAuthorization | None:
        """Return the request that a code was given for, used or not."""
        return self._database.find_one(
            select(StoredAuthorization).where(StoredAuthorization.code_hash == code_hash),
        )

    def use_code(self, code_hash: str, token_hash: str) -> bool:
        """Note the token that a code was redeemed for; False where another was first."""
        return self._database.change(
            update(StoredAuthorization)
            .where(
                StoredAuthorization.code_hash == code_hash,
                StoredAuthorization.token_hash.is_(None),
            )
            .values(token_hash=token_hash),
        )

    def revoke_token(self, token_hash: str) -> None:
        """Delete the offer that a token stands for: its code was used twice."""
        self._database.change(delete(StoredOffer).where(StoredOffer.token_hash == token_hash))

    def purge(self, now_ms: int) -> None:
        """Delete what is no longer needed."""
        self._database.change(
            delete(StoredAuthorization).where(StoredAuthorization.forgotten_at_ms <= now_ms),
        )
