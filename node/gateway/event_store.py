"""What verifiers are told of their requests: events, and the webhooks that they are posted to.

An event is written in the transaction that makes it true (`RequestStore`); whoever tells it reads
it here. So it is told also after the process died in between.
"""

from collections.abc import Collection
from typing import Final

from sqlalchemy import BigInteger, Integer, String, delete, func, select, update
from sqlalchemy.orm import Mapped, mapped_column

from node.database import Database
from node.database.database import count_rows
from node.gateway.tables import Base

ANSWERED: Final = "answered"
"""What is told of an answered same-device request to who does not bring its response code."""
EVENTS_KEPT_MS: Final = 2 * 86_400_000
"""How long events are kept, and with them the tries to tell a webhook."""
_EVENT_NAMES: Final = {
    "fetched": "fetched",
    "recording": "answered",
    ANSWERED: "answered",
    "accepted": "verified",
    "refused": "verified",
    "declined": "declined",
}


class RequestEvent(Base):
    """One step of a request, written together with it: what is told of it survives any crash.

    Attributes:
        seq: Counts all events of the gateway.
        request_id: The request.
        verifier: Whose it is.
        status: What the request came to, as its verifier may know it.
        at_ms: When; milliseconds since 1970, UTC.
        due_ms: When the verifier's webhook is to be told next; None where it is not, or was told.
        tries: How often it was tried.
    """

    __tablename__ = "request_event"
    # Without it SQLite gives the number of a deleted event to the next one.
    __table_args__ = ({"sqlite_autoincrement": True},)

    seq: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    request_id: Mapped[str] = mapped_column(String(32), index=True)
    verifier: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16))
    at_ms: Mapped[int] = mapped_column(BigInteger)
    due_ms: Mapped[int | None] = mapped_column(BigInteger, index=True)
    tries: Mapped[int] = mapped_column(default=0)

    @property
    def name(self) -> str:
        """What happened: `fetched`, `answered`, `verified` or `declined`."""
        return _EVENT_NAMES[self.status]


class Webhook(Base):
    """Where a verifier wants to be told of its requests' events.

    Attributes:
        verifier: The verifier's id.
        url: Where events are posted.
        since_ms: Since when; milliseconds since 1970, UTC.
    """

    __tablename__ = "webhook"

    verifier: Mapped[str] = mapped_column(String(64), primary_key=True)
    url: Mapped[str]
    since_ms: Mapped[int] = mapped_column(BigInteger)


class EventStore:
    """The tables of events and webhooks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def last_event(self) -> int:
        """Return the number of the newest event; 0 where there is none."""
        return self._database.find_one(select(func.max(RequestEvent.seq))) or 0

    def events(self, *, after: int, request_id: str | None = None) -> list[RequestEvent]:
        """Return the events after a number, in order; of one request, or of all."""
        statement = select(RequestEvent).where(RequestEvent.seq > after)
        if request_id is not None:
            statement = statement.where(RequestEvent.request_id == request_id)
        with self._database.reading() as session:
            return [*session.scalars(statement.order_by(RequestEvent.seq))]

    def webhook(self, verifier: str) -> Webhook | None:
        """Return a verifier's webhook; None where it has none."""
        return self._database.find_one(select(Webhook).where(Webhook.verifier == verifier))

    def set_webhook(self, verifier: str, url: str, *, now_ms: int) -> None:
        """Tell a verifier's events to this address from now on, and to no other."""
        with self._database.transaction() as session:
            session.merge(Webhook(verifier=verifier, url=url, since_ms=now_ms))

    def remove_webhook(self, verifier: str) -> bool:
        """Tell a verifier's events to nobody; return whether somebody was told."""
        with self._database.transaction() as session:
            removed = session.execute(delete(Webhook).where(Webhook.verifier == verifier))
            session.execute(
                update(RequestEvent).where(RequestEvent.verifier == verifier).values(due_ms=None)
            )
            return count_rows(removed) == 1

    def claim_event(
        self, *, now_ms: int, lease_ms: int, without: Collection[str] = ()
    ) -> tuple[RequestEvent, str] | None:
        """Take an event that is due to a webhook, so that no other process takes it for a while.

        Args:
            now_ms: Milliseconds since 1970, UTC.
            lease_ms: For how long.
            without: Verifiers that are not told now.

        Returns:
            The event, as it was before, and where to post it; None where none is due.
        """
        due = (
            select(RequestEvent, Webhook.url)
            .join(Webhook, Webhook.verifier == RequestEvent.verifier)
            .where(RequestEvent.due_ms <= now_ms, RequestEvent.verifier.not_in(without))
            .order_by(RequestEvent.due_ms, RequestEvent.seq)
            .limit(1)
        )
        with self._database.reading() as session:
            if session.execute(due).first() is None:
                return None
        with self._database.transaction() as session:
            # Another process takes the next one meanwhile.
            locked = due.with_for_update(skip_locked=True, of=RequestEvent)
            found = session.execute(locked).one_or_none()
            if found is None:
                return None
            event, url = found
            session.execute(
                update(RequestEvent)
                .where(RequestEvent.seq == event.seq)
                .values(due_ms=now_ms + lease_ms, tries=RequestEvent.tries + 1)
                .execution_options(synchronize_session=False)
            )
            return event, url

    def finish_event(self, seq: int, *, due_ms: int | None) -> None:
        """Note when an event is to be told again; None where it was told, or never will be."""
        self._database.change(
            update(RequestEvent).where(RequestEvent.seq == seq).values(due_ms=due_ms)
        )
