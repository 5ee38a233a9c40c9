"""Nonces and proof ids that were used, until they expire by themselves."""

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from node.database import Database
from node.issuer.tables import SpentNonce


class NonceStore:
    """The table of nonces."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def spend(self, nonce_hash: str, expires_at_ms: int) -> bool:
        """Note that a proof used a nonce; False where one did before."""
        try:
            with self._database.transaction() as session:
                session.add(SpentNonce(nonce_hash=nonce_hash, expires_at_ms=expires_at_ms))
        except IntegrityError:
            return False
        return True

    def give_back(self, nonce_hash: str) -> None:
        """Let a nonce be used again, after a failure that was not the wallet's."""
        self._database.change(delete(SpentNonce).where(SpentNonce.nonce_hash == nonce_hash))

    def purge(self, now_ms: int) -> None:
        """Delete those that would be refused by their time."""
        self._database.change(delete(SpentNonce).where(SpentNonce.expires_at_ms <= now_ms))
