"""Refresh tokens, and the end of all that comes of one grant."""

from sqlalchemy import Select, delete, exists, select, update

from node.database import Database
from node.database.database import count_rows
from node.issuer.tables import StoredCredential, StoredOffer, StoredRefreshToken


class RefreshTokenStore:
    """The table of refresh tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, token: StoredRefreshToken) -> None:
        """Keep a new token."""
        with self._database.transaction() as session:
            session.add(token)

    def find(self, token_hash: str, now_ms: int) -> StoredRefreshToken | None:
        """Return a token that has not expired, used or not."""
        return self._database.find_one(
            select(StoredRefreshToken).where(
                StoredRefreshToken.token_hash == token_hash,
                StoredRefreshToken.expires_at_ms > now_ms,
            )
        )

    def rotate(self, token_hash: str, following: StoredRefreshToken) -> bool:
        """Put another token in the place of one; False where it was used before."""
        used = (
            update(StoredRefreshToken)
            .where(
                StoredRefreshToken.token_hash == token_hash, StoredRefreshToken.is_used.is_(False)
            )
            .values(is_used=True, attributes=b"")
        )
        with self._database.transaction() as session:
            if count_rows(session.execute(used)) != 1:
                return False
            session.add(following)
        return True

    def give(self, offer: StoredOffer, token_hash: str) -> bool:
        """Keep what an access token stands for; False where its grant has ended meanwhile."""
        with self._database.transaction() as session:
            if session.get(StoredRefreshToken, token_hash, with_for_update=True) is None:
                return False
            session.add(offer)
        return True

    def has_suspended(self, grant_id: str) -> bool:
        """Tell whether a credential that came of a grant is suspended."""
        suspended = exists().where(
            StoredCredential.grant_id == grant_id, StoredCredential.state == "suspended"
        )
        return bool(self._database.find_one(select(suspended)))

    def end(self, grant_id: str) -> None:
        """Delete the tokens of a grant: nothing more comes of it."""
        with self._database.transaction() as session:
            session.execute(
                delete(StoredRefreshToken).where(StoredRefreshToken.grant_id == grant_id)
            )
            # Access tokens too, but for those whose credentials are there to be asked for again.
            session.execute(
                delete(StoredOffer).where(
                    StoredOffer.grant_id == grant_id, StoredOffer.issued.is_(None)
                )
            )

    def end_of_token(self, token_hash: str) -> None:
        """End the grant that an access token came of, where there is one."""
        self._end_of(select(StoredOffer.grant_id).where(StoredOffer.token_hash == token_hash))

    def end_of_credential(self, record_id: str) -> None:
        """End the grant that a credential came of, where there is one."""
        self._end_of(
            select(StoredCredential.grant_id).where(StoredCredential.record_id == record_id)
        )

    def purge(self, now_ms: int) -> None:
        """Delete what has expired."""
        self._database.change(
            delete(StoredRefreshToken).where(StoredRefreshToken.expires_at_ms <= now_ms)
        )

    def _end_of(self, query: Select[str | None]) -> None:
        grant_id = self._database.find_one(query)
        if grant_id is not None:
            self.end(grant_id)
