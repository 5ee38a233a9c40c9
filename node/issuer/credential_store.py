"""Which credentials were issued, what their wallets said of them, and which are owed anew."""

from collections.abc import Sequence

from sqlalchemy import delete, or_, select, update

from node.database import Database
from node.issuer.tables import NotificationEvent, StoredCredential, StoredOffer, StoredRenewal


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

    def begin_renewal(self, renewal: StoredRenewal, offer: StoredOffer) -> None:
        """Keep what a credential is to be issued anew with; an earlier attempt gives way."""
        with self._database.transaction() as session:
            earlier = session.get(StoredRenewal, renewal.record_id, with_for_update=True)
            if earlier is not None:
                session.execute(
                    delete(StoredOffer).where(StoredOffer.token_hash == earlier.token_hash)
                )
                renewal.replaced_by = earlier.replaced_by
            session.merge(renewal)
            session.add(offer)

    def cancel_renewal(self, record_id: str) -> None:
        """Forget that a new credential is owed in the place of this one: it was revoked by hand."""
        owed = select(StoredRenewal).where(
            or_(StoredRenewal.record_id == record_id, StoredRenewal.replaced_by == record_id)
        )
        with self._database.transaction() as session:
            for renewal in session.scalars(owed).all():
                # With its token, which would otherwise pass for an offer's.
                session.execute(
                    delete(StoredOffer).where(StoredOffer.token_hash == renewal.token_hash)
                )
                session.delete(renewal)

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
