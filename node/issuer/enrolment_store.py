"""Enrolment codes: each good for one account."""

from sqlalchemy import delete, or_, select, update

from node.database import Database
from node.issuer.tables import StoredEnrolment


class EnrolmentStore:
    """The table of enrolment codes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, enrolment: StoredEnrolment) -> None:
        """Keep a new code."""
        with self._database.transaction() as session:
            session.add(enrolment)

    def find(self, code_hash: str, now_ms: int) -> StoredEnrolment | None:
        """Return a code that has not expired and was not tried too often."""
        return self._database.find_one(
            select(StoredEnrolment).where(
                StoredEnrolment.code_hash == code_hash,
                StoredEnrolment.expires_at_ms > now_ms,
                StoredEnrolment.tries_left > 0,
            ),
        )

    def count_wrong_proof(self, code_hash: str) -> None:
        """Use up one try of a code."""
        self._database.change(
            update(StoredEnrolment)
            .where(StoredEnrolment.code_hash == code_hash)
            .values(tries_left=StoredEnrolment.tries_left - 1),
        )

    def bind(self, code_hash: str, account_id: str) -> bool:
        """Bind a code to one account; False where it is bound to another."""
        return self._database.change(
            update(StoredEnrolment)
            .where(
                StoredEnrolment.code_hash == code_hash,
                or_(StoredEnrolment.account_id.is_(None), StoredEnrolment.account_id == account_id),
            )
            .values(account_id=account_id),
        )

    def unbind(self, code_hash: str, account_id: str) -> None:
        """Let a code be used for another account, where the ledger refused this one."""
        self._database.change(
            update(StoredEnrolment)
            .where(StoredEnrolment.code_hash == code_hash, StoredEnrolment.account_id == account_id)
            .values(account_id=None),
        )

    def purge(self, now_ms: int) -> None:
        """Delete codes that have expired."""
        self._database.change(
            delete(StoredEnrolment).where(StoredEnrolment.expires_at_ms <= now_ms)
        )
