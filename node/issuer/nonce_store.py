"""Nonces and proof ids that were used, until they expire by themselves."""

from sqlalchemy import Engine, delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from node.issuer.statements import change
from node.issuer.tables import SpentNonce


class NonceStore:
    """The table of nonces."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def spend(self, nonce_hash: str, expires_at_ms: int) -> bool:
        """Note that a proof used a nonce; False where one did before."""
        try:
            with Session(self._engine) as session, session.begin():
                session.add(SpentNonce(nonce_hash=nonce_hash, expires_at_ms=expires_at_ms))
        except IntegrityError:
            return False
        return True

    def give_back(self, nonce_hash: str) -> None:
        """Let a nonce be used again, after a failure that was not the wallet's."""
        change(self._engine, delete(SpentNonce).where(SpentNonce.nonce_hash == nonce_hash))

    def purge(self, now_ms: int) -> None:
        """Delete those that would be refused by their time."""
        change(self._engine, delete(SpentNonce).where(SpentNonce.expires_at_ms <= now_ms))
