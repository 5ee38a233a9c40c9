"""The gateway's requests, and for a short while their results. It never logs what it holds."""

import time
from functools import cache
from typing import Any, Final, Literal, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    String,
    Table,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql.dml import ReturningUpdate

from chaincode.encoding import JsonObject
from node.database import Database
from node.database.database import count_rows
from node.gateway.event_store import ANSWERED, EVENTS_KEPT_MS, RequestEvent, Webhook
from node.gateway.tables import Base

RequestState = Literal[
    "pending", "fetched", "recording", "accepted", "refused", "declined", "expired"
]
OPEN: Final = ("pending", "fetched", "refused", "declined")
"""The states in which a wallet's answer is still taken: whoever sees a request's link can send
nonsense to it, and that must not shut the holder out."""
MAX_TRIES: Final = 5
"""How many answers that are genuine, and not accepted, a request takes."""
KEPT_MS: Final = 86_400_000
"""How long a request stays readable, without values, after its result's time."""


class StoredRequest(Base):
    """One request of one verifier.

    Attributes:
        id: 128 random bits, 32 hex digits: whoever knows it can fetch the request.
        verifier: The verifier's id in the configuration.
        request_object: The signed request object.
        response_key: The private JWK that decrypts its response; gone once the request has ended.
        attributes: The names that are asked for.
        purpose: What for.
        redirect_uri: Where the holder's browser goes after the answer; None across devices.
        response_code_sha256: The hash of what that browser brings; None before an answer.
        expires_at_ms: Until when a wallet may answer.
        result_until_ms: Until when the verifier can read the values.
        state: `expired` is never stored: it follows from the time.
        checks: The checks of the answer, once there is one.
        shown: The attributes' values of all credentials, from acceptance to `result_until_ms`.
        held: The same while `recording`: verified, and not shown before the receipt is written.
        credentials: What each credential proves; nobody is told while `recording`.
        receipt: The signed transaction that writes the receipts, while `recording`; None where no
            grant is asked for.
        tries: How many answers were genuine, and not accepted.
    """

    __tablename__ = "presentation_request"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    verifier: Mapped[str] = mapped_column(String(64), index=True)
    request_object: Mapped[str]
    response_key: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    attributes: Mapped[list[str]] = mapped_column(JSON)
    purpose: Mapped[str]
    redirect_uri: Mapped[str | None]
    response_code_sha256: Mapped[str | None] = mapped_column(String(64))
    expires_at_ms: Mapped[int] = mapped_column(BigInteger)
    result_until_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    state: Mapped[str] = mapped_column(String(16), default="pending")
    checks: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    shown: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    held: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    credentials: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    receipt: Mapped[bytes | None]
    tries: Mapped[int] = mapped_column(default=0)

    def state_at(self, now_ms: int) -> str:
        """Return the state at a time, in milliseconds since 1970, UTC."""
        if self.state in ("pending", "fetched") and self.expires_at_ms <= now_ms:
            return "expired"
        return self.state

    def is_answerable(self, now_ms: int) -> bool:
        """Tell whether a wallet's answer is still taken."""
        in_time = self.expires_at_ms > now_ms
        return in_time and self.state in OPEN and self.tries < MAX_TRIES

    def is_overdue(self, now_ms: int) -> bool:
        """Tell whether `RequestStore.purge` has something to delete of it."""
        holds_values = self.shown is not None and self.result_until_ms <= now_ms
        holds_key = self.response_key is not None and self.expires_at_ms <= now_ms
        return holds_values or holds_key or self.result_until_ms <= now_ms - KEPT_MS

    def __repr__(self) -> str:
        return f"StoredRequest(id={self.id!r}, state={self.state!r})"


_REQUESTS: Final = cast(Table, StoredRequest.__table__)
_FIND: Final = select(_REQUESTS).where(_REQUESTS.c.id == bindparam("which"))
# Of a verifier without webhook nobody is told: the time at which an event is due stays empty.
_ADD_EVENT: Final = insert(cast(Table, RequestEvent.__table__)).values(
    due_ms=select(Webhook.since_ms).where(Webhook.verifier == bindparam("whose")).scalar_subquery(),
    tries=0,
)
_DERIVED: Final[dict[str, Any]] = {
    "tries": StoredRequest.tries + 1,
    "shown": StoredRequest.held,
}
"""What some columns are set to, where that comes from the row itself."""


@cache
def _change(
    states: tuple[str, ...],
    derived: tuple[str, ...],
    names: tuple[str, ...],
    *,
    takes_answer: bool,
) -> ReturningUpdate[str, str | None]:
    """Return the statement that changes a request: there are few, and building one takes long.

    It names the states that it starts from: two answers cannot both be written.
    """
    table = _REQUESTS.c
    values = {name: bindparam(f"new_{name}", type_=table[name].type) for name in names}
    statement = (
        update(_REQUESTS)
        # IN would be spelled out anew each time.
        .where(table.id == bindparam("which"), or_(*(table.state == state for state in states)))
        .values(**values, **{name: _DERIVED[name] for name in derived})
    )
    if takes_answer:
        statement = statement.where(
            table.expires_at_ms > bindparam("answered_ms"), table.tries < MAX_TRIES
        )
    return statement.returning(table.verifier, table.redirect_uri)


class RequestStore:
    """The table of requests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, request: StoredRequest) -> None:
        """Keep a new request; its object stays readable, detached from the database."""
        with self._database.transaction() as session:
            session.add(request)

    def find(self, request_id: str) -> StoredRequest | None:
        """Return a request, detached from the database."""
        found = self._database.find_row(_FIND, {"which": request_id})
        return None if found is None else StoredRequest(**found)

    def page(self, verifier: str, *, skip: int, limit: int) -> list[StoredRequest]:
        """Return requests of a verifier, the newest first, detached from the database."""
        table = StoredRequest
        query = select(table).where(table.verifier == verifier)
        newest_first = query.order_by(table.expires_at_ms.desc(), table.id)
        with self._database.reading() as session:
            return [*session.scalars(newest_first.offset(skip).limit(limit))]

    def mark_fetched(self, request_id: str) -> None:
        """Note that a wallet has fetched a request that was pending."""
        self._update(request_id, ("pending",), None, state="fetched")

    def note_refusal(
        self,
        request_id: str,
        *,
        state: RequestState,
        now_ms: int,
        result_until_ms: int,
        checks: list[JsonObject] | None,
        response_code_sha256: str | None = None,
        costs_try: bool,
        is_news: bool,
    ) -> bool:
        """Write that an answer was not accepted; another one may still be.

        Args:
            request_id: The request.
            state: What it comes to.
            now_ms: Milliseconds since 1970, UTC.
            result_until_ms: As `StoredRequest` has it, and so the others.
            checks: As `StoredRequest` has them.
            response_code_sha256: None where the browser is sent nowhere.
            costs_try: Whether it counts against `MAX_TRIES`.
            is_news: Whether the verifier is told of it.

        Returns:
            Whether it was written; False where the request takes no answer any more.
        """
        # Who was given a code by an earlier answer reads on with it, and nobody else does.
        code = (
            {} if response_code_sha256 is None else {"response_code_sha256": response_code_sha256}
        )
        return self._update(
            request_id,
            OPEN,
            now_ms,
            state=state,
            checks=checks,
            result_until_ms=result_until_ms,
            derived=("tries",) if costs_try else (),
            is_news=is_news,
            **code,
        )

    def hold(
        self,
        request_id: str,
        *,
        now_ms: int,
        result_until_ms: int,
        checks: list[JsonObject],
        held: JsonObject | None,
        credentials: list[JsonObject],
        receipt: bytes | None,
        response_code_sha256: str | None = None,
    ) -> bool:
        """Write the one answer that passed; nobody is shown it before its receipt is written.

        Returns:
            Whether it was written; False where the request takes no answer any more.
        """
        return self._update(
            request_id,
            OPEN,
            now_ms,
            state="recording",
            checks=checks,
            held=held,
            credentials=credentials,
            receipt=receipt,
            response_key=None,
            response_code_sha256=response_code_sha256,
            result_until_ms=result_until_ms,
        )

    def held(self) -> list[StoredRequest]:
        """Return the requests whose receipts are being written."""
        held = select(StoredRequest).where(StoredRequest.state == "recording")
        with self._database.reading() as session:
            return [*session.scalars(held)]

    def release(self, request_id: str, *, result_until_ms: int, checks: list[JsonObject]) -> bool:
        """Show the verifier what was held: its receipt is on the ledger.

        Returns:
            Whether this call did; False where another one has.
        """
        return self._update(
            request_id,
            ("recording",),
            None,
            state="accepted",
            checks=checks,
            derived=("shown",),
            held=None,
            receipt=None,
            result_until_ms=result_until_ms,
        )

    def drop(self, request_id: str, *, result_until_ms: int, checks: list[JsonObject]) -> bool:
        """Forget what was held: the ledger refuses its receipt.

        Returns:
            Whether this call did; False where another one has.
        """
        return self._update(
            request_id,
            ("recording",),
            None,
            state="refused",
            checks=checks,
            held=None,
            credentials=None,
            receipt=None,
            result_until_ms=result_until_ms,
        )

    def purge(self, now_ms: int) -> int:
        """Delete the values of results whose time is over, and requests of days past.

        Returns:
            How many results lost their values.
        """
        erase = (
            update(StoredRequest)
            .where(StoredRequest.result_until_ms <= now_ms, StoredRequest.shown.is_not(None))
            .values(shown=None, credentials=None)
        )
        forget_keys = (
            update(StoredRequest)
            .where(StoredRequest.expires_at_ms <= now_ms, StoredRequest.response_key.is_not(None))
            .values(response_key=None)
        )
        forget = delete(StoredRequest).where(StoredRequest.result_until_ms <= now_ms - KEPT_MS)
        forget_events = delete(RequestEvent).where(
            RequestEvent.at_ms <= time.time_ns() // 1_000_000 - EVENTS_KEPT_MS
        )
        with self._database.connection() as connection:
            statements = (erase, forget_keys, forget, forget_events)
            counts = [count_rows(connection.execute(statement)) for statement in statements]
        if any(counts):
            self._database.empty_log()
        return counts[0]

    def _update(
        self,
        request_id: str,
        states: tuple[str, ...],
        now_ms: int | None,
        *,
        derived: tuple[str, ...] = (),
        is_news: bool = True,
        **values: object,
    ) -> bool:
        statement = _change(states, derived, tuple(values), takes_answer=now_ms is not None)
        parameters = {f"new_{name}": value for name, value in values.items()}
        parameters["which"] = request_id
        if now_ms is not None:
            parameters["answered_ms"] = now_ms
        status = str(values["state"])

        def write(connection: Connection) -> bool:
            written = connection.execute(statement, parameters).one_or_none()
            if written is None or not is_news:
                return written is not None
            verifier, redirect_uri = written
            is_on_one_device = redirect_uri is not None and status != "fetched"
            event = {
                "request_id": request_id,
                "verifier": verifier,
                # On one device only who brings the response code may know more.
                "status": ANSWERED if is_on_one_device else status,
                "at_ms": time.time_ns() // 1_000_000,
            }
            connection.execute(_ADD_EVENT, {**event, "whose": verifier})
            return True

        return self._database.write(write)
