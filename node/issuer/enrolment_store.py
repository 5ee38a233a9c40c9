"""Enrolment codes: each good for one account."""

from sqlalchemy import Engine, delete, or_, select, update
from sqlalchemy.orm import Session

from node.issuer.statements import change, find_one
from node.issuer.tables import StoredEnrolment


class EnrolmentStore:
    """The table of enrolment codes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, enrolment: StoredEnrolment) -> None:
        """Keep a new code."""
        with Session(self._engine) as session, session.begin():
            session.add(enrolment)

    def find(self, code_hash: str, now_ms: int) -> StoredEnrolment | None:
        """Return a code that has not expired and was not tried too often."""
        return find_one(
            self._engine,
            select(StoredEnrolment).where(
                StoredEnrolment.code_hash == code_hash,
                StoredEnrolment.expires_at_ms > now_ms,
                StoredEnrolment.tries_left > 0,
            ),
        )

    def count_wrong_proof(self, code_hash: str) -> None:
        """Use up one try of a code."""
        change(
            self._engine,
            update(StoredEnrolment)
            .where(StoredEnrolment.code_hash == code_hash)
            .values(tries_left=StoredEnrolment.tries_left - 1),
        )

    def bind(self, code_hash: str, account_id: str) -> bool:
        """Bind a code to one account; False where it is bound to another."""
        return change(
            self._engine,
            update(StoredEnrolment)
            .where(
                StoredEnrolment.code_hash == code_hash,
                or_(StoredEnrolment.account_id.is_(None), StoredEnrolment.account_id == account_id),
            )
            .values(account_id=account_id),
        )

    def unbind(self, code_hash: str, account_id: str) -> None:
        """Let a code be used for another account, where the ledger refused this one."""
        change(
            self._engine,
            update(StoredEnrolment)
            .where(StoredEnrolment.code_hash == code_hash, StoredEnrolment.account_id == account_id)
            .values(account_id=None),
        )

    def purge(self, now_ms: int) -> None:
        """Delete codes that have expired."""
        change(self._engine, delete(StoredEnrolment).where(StoredEnrolment.expires_at_ms <= now_ms))
