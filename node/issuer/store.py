"""What the issuer keeps: offers until they are used, and which credentials it issued.

Codes and tokens are kept as hashes, attributes sealed and only until issuance. Each step is one
statement that names the state it starts from, so that of two requests at once only one takes it.
"""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import (
    BigInteger,
    CursorResult,
    Delete,
    LargeBinary,
    Select,
    String,
    Update,
    delete,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from node.database import open_database
from node.errors import StorageError


class _Base(DeclarativeBase):
    pass


_Row = TypeVar("_Row", bound=_Base)


class StoredOffer(_Base):
    """An offer that waits for its wallet; the row goes when it is used, locked or expired.

    Attributes:
        offer_hash: The hash of the offer's secret id.
        code_hash: The hash of its pre-authorized code.
        tx_code_hash: The hash of the transaction code, keyed by the code.
        tries_left: How often the transaction code may still be tried.
        token_hash: The hash of the access token; None until the code was redeemed.
        attributes: The resident's attributes, sealed under the code, then under the token.
        reference: The operator's own case number; None for none.
        expires_at_ms: When code or token expires.
        leased_until_ms: While a request issues the credential: until when no other may.
    """

    __tablename__ = "offer"

    offer_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    tx_code_hash: Mapped[str] = mapped_column(String(64))
    tries_left: Mapped[int]
    token_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    attributes: Mapped[bytes] = mapped_column(LargeBinary)
    reference: Mapped[str | None] = mapped_column(String(64))
    expires_at_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    leased_until_ms: Mapped[int | None] = mapped_column(BigInteger)

    def __repr__(self) -> str:
        return f"StoredOffer(expires_at_ms={self.expires_at_ms})"


class SpentNonce(_Base):
    """A nonce that a proof has used, until it expires by itself."""

    __tablename__ = "spent_nonce"

    nonce_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at_ms: Mapped[int] = mapped_column(BigInteger, index=True)


class StoredCredential(_Base):
    """A credential that was issued: where its record is, and nothing of what it says.

    Attributes:
        number: Ascending by issuance.
        record_id: The id of its record on the ledger.
        reference: The operator's own case number; None for none.
        state: As this service last wrote it to the ledger.
        issued_at_ms: Milliseconds since 1970, UTC.
        expires_at_ms: Milliseconds since 1970, UTC.
    """

    __tablename__ = "credential"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    record_id: Mapped[str] = mapped_column(String(32), unique=True)
    reference: Mapped[str | None] = mapped_column(String(64), index=True)
    state: Mapped[str] = mapped_column(String(16))
    issued_at_ms: Mapped[int] = mapped_column(BigInteger)
    expires_at_ms: Mapped[int] = mapped_column(BigInteger)


class StoredEnrolment(_Base):
    """A code that is good for one account.

    Attributes:
        code_hash: The hash of the code.
        tries_left: How often it may still come with a wrong proof.
        expires_at_ms: Milliseconds since 1970, UTC.
        account_id: The account that it was used for; None until then.
    """

    __tablename__ = "enrolment"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    tries_left: Mapped[int]
    expires_at_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    account_id: Mapped[str | None] = mapped_column(String(320))

    def __repr__(self) -> str:
        return f"StoredEnrolment(expires_at_ms={self.expires_at_ms})"


class StoredRenewal(_Base):
    """A credential that is being, or was, issued anew to another key of its account.

    Attributes:
        record_id: The record of the credential that is replaced.
        account_id: The holder's account, which both credentials name.
        token_hash: The hash of the access token that was given last.
        expires_at_ms: When the replaced credential expires, and so the new one.
        replaced_by: The record of the new credential; None until it was issued.
    """

    __tablename__ = "renewal"

    record_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    account_id: Mapped[str] = mapped_column(String(320))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at_ms: Mapped[int] = mapped_column(BigInteger)
    replaced_by: Mapped[str | None] = mapped_column(String(32))


class IssuerStore:
    """The tables. Safe to share between threads and processes."""

    def __init__(self, database_url: str) -> None:
        """Open the database and make the tables where there are none.

        Raises:
            ConfigError: The URL is not one of SQLAlchemy's.
            StorageError: The database cannot be used.
        """
        self._engine = open_database(database_url, _Base.metadata)

    def add(self, row: StoredOffer | StoredEnrolment) -> None:
        """Keep a new offer or enrolment code."""
        with Session(self._engine) as session, session.begin():
            session.add(row)

    def find_offer(self, offer_hash: str, now_ms: int) -> StoredOffer | None:
        """Return an offer that no wallet has redeemed yet."""
        return self._one(
            select(StoredOffer).where(
                StoredOffer.offer_hash == offer_hash,
                StoredOffer.token_hash.is_(None),
                StoredOffer.expires_at_ms > now_ms,
            )
        )

    def take_try(self, code_hash: str, now_ms: int) -> StoredOffer | None:
        """Use up one try of an offer's transaction code, before it is compared.

        Returns:
            The offer as it is after; None where the code is unknown, used, locked or expired.
        """
        open_offer = (
            StoredOffer.code_hash == code_hash,
            StoredOffer.token_hash.is_(None),
            StoredOffer.expires_at_ms > now_ms,
            StoredOffer.tries_left > 0,
        )
        tried = update(StoredOffer).where(*open_offer)
        if not self._change(tried.values(tries_left=StoredOffer.tries_left - 1)):
            return None
        return self._one(select(StoredOffer).where(StoredOffer.code_hash == code_hash))

    def lock_offer(self, code_hash: str) -> None:
        """Delete an offer whose tries are used up, with its attributes."""
        self._change(
            delete(StoredOffer).where(
                StoredOffer.code_hash == code_hash,
                StoredOffer.token_hash.is_(None),
                StoredOffer.tries_left <= 0,
            )
        )

    def redeem_offer(
        self, code_hash: str, *, token_hash: str, attributes: bytes, expires_at_ms: int
    ) -> bool:
        """Put a token in the code's place; False where another request was first."""
        return self._change(
            update(StoredOffer)
            .where(StoredOffer.code_hash == code_hash, StoredOffer.token_hash.is_(None))
            .values(token_hash=token_hash, attributes=attributes, expires_at_ms=expires_at_ms)
        )

    def find_token(self, token_hash: str, now_ms: int) -> StoredOffer | None:
        """Return the offer that a token stands for."""
        return self._one(
            select(StoredOffer).where(
                StoredOffer.token_hash == token_hash, StoredOffer.expires_at_ms > now_ms
            )
        )

    def lease_offer(self, token_hash: str, *, now_ms: int, until_ms: int) -> bool:
        """Keep other requests with this token away; False where one is at work."""
        return self._change(
            update(StoredOffer)
            .where(
                StoredOffer.token_hash == token_hash,
                or_(StoredOffer.leased_until_ms.is_(None), StoredOffer.leased_until_ms <= now_ms),
            )
            .values(leased_until_ms=until_ms)
        )

    def end_lease(self, token_hash: str, until_ms: int) -> None:
        """Let the token be used again, after a failure that was not the wallet's."""
        self._change(
            update(StoredOffer)
            .where(StoredOffer.token_hash == token_hash, StoredOffer.leased_until_ms == until_ms)
            .values(leased_until_ms=None)
        )

    def spend_nonce(self, nonce_hash: str, expires_at_ms: int) -> bool:
        """Note that a proof used a nonce; False where one did before."""
        try:
            with Session(self._engine) as session, session.begin():
                session.add(SpentNonce(nonce_hash=nonce_hash, expires_at_ms=expires_at_ms))
        except IntegrityError:
            return False
        return True

    def return_nonce(self, nonce_hash: str) -> None:
        """Let a nonce be used again, after a failure that was not the wallet's."""
        self._change(delete(SpentNonce).where(SpentNonce.nonce_hash == nonce_hash))

    def record_issuance(self, token_hash: str, until_ms: int, credential: StoredCredential) -> bool:
        """Write that a credential was issued, and delete its offer with the attributes, at once.

        Returns:
            Whether the lease still held; where not, nothing is written.
        """
        used = delete(StoredOffer).where(
            StoredOffer.token_hash == token_hash, StoredOffer.leased_until_ms == until_ms
        )
        renewed = update(StoredRenewal).where(StoredRenewal.token_hash == token_hash)
        with Session(self._engine) as session, session.begin():
            if not _is_one_row(session.execute(used)):
                return False
            session.add(credential)
            session.execute(renewed.values(replaced_by=credential.record_id))
        return True

    def begin_renewal(self, renewal: StoredRenewal, offer: StoredOffer) -> None:
        """Keep what a credential is to be issued anew with; an earlier attempt gives way."""
        with Session(self._engine) as session, session.begin():
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
        with Session(self._engine) as session, session.begin():
            for renewal in session.scalars(owed).all():
                # With its token, which would otherwise pass for an offer's.
                session.execute(
                    delete(StoredOffer).where(StoredOffer.token_hash == renewal.token_hash)
                )
                session.delete(renewal)

    def find_renewal(self, record_id: str) -> StoredRenewal | None:
        """Return how a credential is, or was, issued anew."""
        return self._one(select(StoredRenewal).where(StoredRenewal.record_id == record_id))

    def find_renewal_of(self, token_hash: str) -> StoredRenewal | None:
        """Return the renewal that a token was given for; None where it was given for an offer."""
        return self._one(select(StoredRenewal).where(StoredRenewal.token_hash == token_hash))

    def find_credential(self, record_id: str) -> StoredCredential | None:
        """Return a credential that was issued."""
        return self._one(select(StoredCredential).where(StoredCredential.record_id == record_id))

    def credentials(
        self, *, reference: str | None, after: int, limit: int
    ) -> Sequence[StoredCredential]:
        """Return issued credentials in the order of their numbers, from behind `after` on."""
        query = select(StoredCredential).where(StoredCredential.number > after)
        if reference is not None:
            query = query.where(StoredCredential.reference == reference)
        with Session(self._engine, expire_on_commit=False) as session:
            return session.scalars(query.order_by(StoredCredential.number).limit(limit)).all()

    def set_credential_state(self, record_id: str, state: str) -> None:
        """Note the state that was written to the ledger."""
        self._change(
            update(StoredCredential)
            .where(StoredCredential.record_id == record_id)
            .values(state=state)
        )

    def find_enrolment(self, code_hash: str, now_ms: int) -> StoredEnrolment | None:
        """Return an enrolment code that has not expired and was not tried too often."""
        return self._one(
            select(StoredEnrolment).where(
                StoredEnrolment.code_hash == code_hash,
                StoredEnrolment.expires_at_ms > now_ms,
                StoredEnrolment.tries_left > 0,
            )
        )

    def count_wrong_proof(self, code_hash: str) -> None:
        """Use up one try of an enrolment code."""
        self._change(
            update(StoredEnrolment)
            .where(StoredEnrolment.code_hash == code_hash)
            .values(tries_left=StoredEnrolment.tries_left - 1)
        )

    def bind_enrolment(self, code_hash: str, account_id: str) -> bool:
        """Bind a code to one account; False where it is bound to another."""
        return self._change(
            update(StoredEnrolment)
            .where(
                StoredEnrolment.code_hash == code_hash,
                or_(StoredEnrolment.account_id.is_(None), StoredEnrolment.account_id == account_id),
            )
            .values(account_id=account_id)
        )

    def unbind_enrolment(self, code_hash: str, account_id: str) -> None:
        """Let a code be used for another account, where the ledger refused this one."""
        self._change(
            update(StoredEnrolment)
            .where(StoredEnrolment.code_hash == code_hash, StoredEnrolment.account_id == account_id)
            .values(account_id=None)
        )

    def purge(self, now_ms: int) -> None:
        """Delete what has expired: offers with their attributes, nonces, enrolment codes.

        Raises:
            StorageError: The database cannot be written now.
        """
        is_free = or_(StoredOffer.leased_until_ms.is_(None), StoredOffer.leased_until_ms <= now_ms)
        try:
            self._change(delete(StoredOffer).where(StoredOffer.expires_at_ms <= now_ms, is_free))
            self._change(delete(SpentNonce).where(SpentNonce.expires_at_ms <= now_ms))
            self._change(delete(StoredEnrolment).where(StoredEnrolment.expires_at_ms <= now_ms))
        except SQLAlchemyError as error:
            raise StorageError(f"the store: {type(error).__name__}") from None

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _one(self, query: Select[_Row]) -> _Row | None:
        with Session(self._engine, expire_on_commit=False) as session:
            return session.scalars(query).one_or_none()

    def _change(self, statement: Update | Delete) -> bool:
        with Session(self._engine) as session, session.begin():
            return _is_one_row(session.execute(statement))


def _is_one_row(result: object) -> bool:
    return isinstance(result, CursorResult) and result.rowcount == 1
