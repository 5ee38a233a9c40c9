"""Which credentials were issued, what their wallets said of them, and which are owed anew."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from node.database import Database
from node.issuer.one_time_secret import hash_secret, new_secret
from node.issuer.tables import NotificationEvent, StoredCredential, StoredOffer, StoredRenewal

NOBODY: Final = ""
"""The account to which a credential is owed that was revoked by hand."""
_Result = TypeVar("_Result")


class CredentialStore:
    """The tables of credentials and of their renewals."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, record_id: str) -> StoredCredential | None:
        """Return a credential that was issued."""
        return self._database.find_one(
            select(StoredCredential).where(StoredCredential.record_id == record_id)
        )

    def page(self, *, reference: str | None, after: int, limit: int) -> Sequence[StoredCredential]:
        """Return issued credentials in the order of their numbers, from behind `after` on."""
        query = select(StoredCredential).where(StoredCredential.number > after)
        if reference is not None:
            query = query.where(StoredCredential.reference == reference)
        with self._database.reading() as session:
            return session.scalars(query.order_by(StoredCredential.number).limit(limit)).all()

    def set_state(self, record_id: str, state: str) -> None:
        """Note the state that was written to the ledger."""
        self._database.change(
            update(StoredCredential)
            .where(StoredCredential.record_id == record_id)
            .values(state=state),
        )

    def set_notification(self, record_id: str, notification_hash: str) -> None:
        """Note what a credential that was made beforehand is handed out with."""
        self._database.change(
            update(StoredCredential)
            .where(StoredCredential.record_id == record_id)
            .values(notification_hash=notification_hash),
        )

    def set_event(self, notification_hash: str, event: NotificationEvent) -> None:
        """Note what a wallet said has become of the credentials of one answer."""
        self._database.change(
            update(StoredCredential)
            .where(StoredCredential.notification_hash == notification_hash)
            .values(event=event),
        )

    def begin_renewal(self, renewal: StoredRenewal, offer: StoredOffer) -> bool:
        """Keep what a credential is to be issued anew with; an earlier attempt gives way.

        Returns:
            Whether it is kept; False where it is owed to another account, or to nobody.
        """

        def begin(session: Session) -> bool:
            earlier = session.get(StoredRenewal, renewal.record_id, with_for_update=True)
            replaced_by = None
            if earlier is not None:
                if earlier.account_id != renewal.account_id:
                    return False
                session.execute(
                    delete(StoredOffer).where(StoredOffer.token_hash == earlier.token_hash)
                )
                replaced_by = earlier.replaced_by
            session.merge(renewal).replaced_by = replaced_by
            session.merge(offer)
            return True

        return self._change_renewal(begin)

    def cancel_renewal(self, record_id: str) -> None:
        """Note that no new credential is owed in the place of this one: it is revoked by hand.

        It is owed no more from here on, also where the revocation is not on the ledger yet.
        """
        owed = (
            select(StoredRenewal)
            .where(
                or_(StoredRenewal.record_id == record_id, StoredRenewal.replaced_by == record_id)
            )
            .with_for_update()
        )

        def cancel(session: Session) -> None:
            renewals = session.scalars(owed).all()
            for renewal in renewals:
                # With its token, which would otherwise pass for an offer's.
                session.execute(
                    delete(StoredOffer).where(StoredOffer.token_hash == renewal.token_hash)
                )
                renewal.account_id = NOBODY
            if all(renewal.record_id != record_id for renewal in renewals):
                session.add(
                    StoredRenewal(
                        record_id=record_id,
                        account_id=NOBODY,
                        token_hash=hash_secret(new_secret()),
                        expires_at_ms=0,
                    )
                )

        self._change_renewal(cancel)

    def _change_renewal(self, work: Callable[[Session], _Result]) -> _Result:
        """Change a credential's renewal; anew where another wrote the first one meanwhile."""
        try:
            with self._database.transaction() as session:
                return work(session)
        except IntegrityError:
            with self._database.transaction() as session:
                return work(session)

    def find_renewal(self, record_id: str) -> StoredRenewal | None:
        """Return how a credential is, or was, issued anew."""
        return self._database.find_one(
            select(StoredRenewal).where(StoredRenewal.record_id == record_id)
        )

    def find_renewal_of(self, token_hash: str) -> StoredRenewal | None:
        """Return the renewal that a token was given for; None where it was given for an offer."""
        return self._database.find_one(
            select(StoredRenewal).where(StoredRenewal.token_hash == token_hash)
        )
