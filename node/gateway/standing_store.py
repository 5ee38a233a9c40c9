"""Standing grants at the gateway: requests for them, sealed deposits, and the accesses to each."""

from typing import Final, Literal

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    LargeBinary,
    String,
    UniqueConstraint,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from node.database import Database
from node.gateway.tables import Base

StandingState = Literal["pending", "fetched", "declined", "expired", "live", "ended"]
KEPT_MS: Final = 86_400_000
"""How long a request or grant that is over stays readable."""
_OPEN: Final = ("pending", "fetched", "declined")


class StandingGrant(Base):
    """One verifier's request for a standing grant, and the deposit that answers it.

    Attributes:
        id: 128 random bits, 32 hex digits: whoever knows it can fetch the request.
        verifier: The verifier's id in the configuration.
        request_object: The signed request object.
        attributes: The names that are asked for, one a line.
        purpose: What for.
        uses: How often the verifier may look.
        answer_until_ms: Until when a wallet may answer.
        grant_until_ms: When the grant ends.
        state: `expired` is never stored: it follows from the time.
        grant: The grant's record id, once there is a deposit.
        account: The holder's account.
        receipt_key: What receipts are sealed to, 32 bytes.
        consent: The holder's signed record of the consent, a JWT.
        sealed: The presentation, sealed to the verifier; gone once the grant is over.
    """

    __tablename__ = "standing_grant"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    verifier: Mapped[str] = mapped_column(String(64), index=True)
    request_object: Mapped[str]
    attributes: Mapped[str]
    purpose: Mapped[str]
    uses: Mapped[int]
    answer_until_ms: Mapped[int] = mapped_column(BigInteger)
    grant_until_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    state: Mapped[str] = mapped_column(String(16), default="pending")
    grant: Mapped[str | None] = mapped_column(String(32), unique=True)
    account: Mapped[str | None]
    receipt_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    consent: Mapped[str | None]
    sealed: Mapped[str | None]

    def state_at(self, now_ms: int) -> StandingState:
        """Return the state at a time, in milliseconds since 1970, UTC."""
        if self.state in _OPEN and self.answer_until_ms <= now_ms:
            return "expired"
        if self.state == "live" and self.grant_until_ms <= now_ms:
            return "ended"
        state: StandingState = self.state  # type: ignore[assignment]  # what this module writes
        return state

    def __repr__(self) -> str:
        return f"StandingGrant(id={self.id!r}, state={self.state!r})"


class StandingAccess(Base):
    """One use of a standing grant.

    Attributes:
        id: The verifier's own random id of it, 32 hex digits: asking again is the same access.
        standing_grant: The grant's row.
        use: Which use it is, from 1.
        receipt: The signed transaction that writes its receipt.
        is_written: Whether the ledger has committed that.
    """

    __tablename__ = "standing_access"
    __table_args__ = (UniqueConstraint("standing_grant", "use"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    standing_grant: Mapped[str] = mapped_column(
        ForeignKey(StandingGrant.id, ondelete="CASCADE"), index=True
    )
    use: Mapped[int]
    receipt: Mapped[bytes] = mapped_column(LargeBinary)
    is_written: Mapped[bool] = mapped_column(default=False)


class StandingStore:
    """The two tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, grant: StandingGrant) -> None:
        """Keep a new request; its object stays readable, detached from the database."""
        with self._database.transaction() as session:
            session.add(grant)

    def find(self, request_id: str) -> StandingGrant | None:
        """Return a request, detached from the database."""
        return self._database.find_one(select(StandingGrant).where(StandingGrant.id == request_id))

    def find_grant(self, verifier: str, grant_id: str) -> StandingGrant | None:
        """Return a verifier's grant, detached from the database."""
        return self._database.find_one(
            select(StandingGrant).where(
                StandingGrant.grant == grant_id, StandingGrant.verifier == verifier
            )
        )

    def grants_of(self, verifier: str) -> list[tuple[StandingGrant, int]]:
        """Return a verifier's grants that wallets have answered, each with its number of uses."""
        used = (
            select(func.count())
            .where(StandingAccess.standing_grant == StandingGrant.id, StandingAccess.is_written)
            .scalar_subquery()
        )
        statement = (
            select(StandingGrant, used)
            .where(StandingGrant.verifier == verifier, StandingGrant.grant.is_not(None))
            .order_by(StandingGrant.grant_until_ms)
        )
        with self._database.reading() as session:
            return [(grant, uses) for grant, uses in session.execute(statement)]

    def mark_fetched(self, request_id: str) -> None:
        """Note that a wallet has fetched a request that was pending."""
        self._change(request_id, ("pending",), state="fetched")

    def decline(self, request_id: str) -> bool:
        """Note that the holder declined; tell whether the request still took answers."""
        return self._change(request_id, _OPEN, state="declined")

    def deposit(
        self,
        request_id: str,
        *,
        grant: str,
        account: str,
        receipt_key: bytes,
        consent: str,
        sealed: str,
    ) -> bool:
        """Keep the one deposit that answers a request.

        Returns:
            Whether it was kept; False where there is one, or this grant has one.
        """
        try:
            return self._change(
                request_id,
                _OPEN,
                state="live",
                grant=grant,
                account=account,
                receipt_key=receipt_key,
                consent=consent,
                sealed=sealed,
            )
        except IntegrityError:
            return False

    def end(self, request_id: str) -> None:
        """Forget a deposit: its grant is over."""
        self._change(request_id, ("live", "ended"), state="ended", sealed=None)

    def find_access(self, access_id: str) -> StandingAccess | None:
        """Return an access, detached from the database."""
        return self._database.find_one(select(StandingAccess).where(StandingAccess.id == access_id))

    def unwritten(self, request_id: str) -> StandingAccess | None:
        """Return the access whose receipt may or may not be on the ledger yet."""
        return self._database.find_one(
            select(StandingAccess)
            .where(
                StandingAccess.standing_grant == request_id, StandingAccess.is_written.is_(False)
            )
            .order_by(StandingAccess.use)
            .limit(1)
        )

    def last_use(self, request_id: str) -> int:
        """Return the highest number of a use that is known; 0 where there is none."""
        uses = select(func.max(StandingAccess.use))
        return self._database.find_one(uses.where(StandingAccess.standing_grant == request_id)) or 0

    def add_access(self, access: StandingAccess) -> bool:
        """Keep an access before its receipt is sent; False where another one has its number."""
        try:
            with self._database.transaction() as session:
                session.add(access)
        except IntegrityError:
            return False
        return True

    def mark_written(self, access_id: str) -> None:
        """Note that the ledger has committed the receipt of an access."""
        self._database.change(
            update(StandingAccess).where(StandingAccess.id == access_id).values(is_written=True)
        )

    def drop_access(self, access_id: str) -> None:
        """Forget an access whose receipt the ledger refused."""
        self._database.change(delete(StandingAccess).where(StandingAccess.id == access_id))

    def purge(self, now_ms: int) -> None:
        """Delete the deposits of grants that have ended, and what is long over."""
        is_over = StandingGrant.grant_until_ms <= now_ms
        unanswered = StandingGrant.state.in_(_OPEN)
        forget = update(StandingGrant).where(is_over, StandingGrant.sealed.is_not(None))
        old = StandingGrant.grant_until_ms <= now_ms - KEPT_MS
        never = unanswered & (StandingGrant.answer_until_ms <= now_ms - KEPT_MS)
        gone = select(StandingGrant.id).where(old | never)
        with self._database.connection() as connection:
            connection.execute(forget.values(sealed=None, state="ended"))
            connection.execute(
                delete(StandingAccess).where(StandingAccess.standing_grant.in_(gone))
            )
            connection.execute(delete(StandingGrant).where(old | never))

    def _change(self, request_id: str, states: tuple[str, ...], **values: object) -> bool:
        # One statement that names the states it starts from: two answers cannot both be written.
        statement = update(StandingGrant).where(
            StandingGrant.id == request_id, StandingGrant.state.in_(states)
        )
        return self._database.change(statement.values(**values))
