"""Offers: their codes, their tokens, and what was issued under them."""

from collections.abc import Sequence

from sqlalchemy import delete, or_, select, update

from node.database import Database
from node.database.database import count_rows
from node.issuer.tables import (
    ReviewState,
    StoredCredential,
    StoredOffer,
    StoredOfferKey,
    StoredRenewal,
)


class OfferStore:
    """The table of offers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, offer: StoredOffer, *keys: StoredOfferKey) -> None:
        """Keep a new offer, and the other secrets that lead to it."""
        with self._database.transaction() as session:
            session.add_all([offer, *keys])

    def find_key(self, key_hash: str, now_ms: int) -> StoredOfferKey | None:
        """Return the secret that leads to an offer."""
        return self._database.find_one(
            select(StoredOfferKey).where(
                StoredOfferKey.key_hash == key_hash, StoredOfferKey.expires_at_ms > now_ms
            ),
        )

    def find_code(self, code_hash: str, now_ms: int) -> StoredOffer | None:
        """Return an offer that no wallet has redeemed yet, by its pre-authorized code."""
        return self._database.find_one(
            select(StoredOffer).where(
                StoredOffer.code_hash == code_hash,
                StoredOffer.token_hash.is_(None),
                StoredOffer.expires_at_ms > now_ms,
            ),
        )

    def find(self, offer_hash: str, now_ms: int) -> StoredOffer | None:
        """Return an offer that no wallet has redeemed yet."""
        return self._database.find_one(
            select(StoredOffer).where(
                StoredOffer.offer_hash == offer_hash,
                StoredOffer.token_hash.is_(None),
                StoredOffer.expires_at_ms > now_ms,
            ),
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
        # Read by the same statement: another request may redeem the offer right after it.
        tried = (
            update(StoredOffer)
            .where(*open_offer)
            .values(tries_left=StoredOffer.tries_left - 1)
            .returning(StoredOffer)
        )
        with self._database.transaction() as session:
            return session.scalars(tried).one_or_none()

    def return_try(self, code_hash: str) -> None:
        """Give back what `take_try` took, where the transaction code was right."""
        self._database.change(
            update(StoredOffer)
            .where(StoredOffer.code_hash == code_hash, StoredOffer.token_hash.is_(None))
            .values(tries_left=StoredOffer.tries_left + 1),
        )

    def lock(self, code_hash: str) -> None:
        """Delete an offer whose tries are used up, with its attributes."""
        self._database.change(
            delete(StoredOffer).where(
                StoredOffer.code_hash == code_hash,
                StoredOffer.token_hash.is_(None),
                StoredOffer.tries_left <= 0,
            ),
        )

    def redeem(
        self,
        code_hash: str,
        *,
        token_hash: str,
        attributes: bytes,
        expires_at_ms: int,
        dpop_jkt: str | None = None,
        client_id: str | None = None,
        identifier: str | None = None,
        grant_id: str | None = None,
    ) -> bool:
        """Put a token in the code's place; False where another request was first."""
        return self._database.change(
            update(StoredOffer)
            .where(StoredOffer.code_hash == code_hash, StoredOffer.token_hash.is_(None))
            .values(
                token_hash=token_hash,
                attributes=attributes,
                expires_at_ms=expires_at_ms,
                dpop_jkt=dpop_jkt,
                client_id=client_id,
                identifier=identifier,
                grant_id=grant_id,
            ),
        )

    def give_back(self, token_hash: str, *, attributes: bytes, expires_at_ms: int) -> None:
        """Put the code, and the try that it took, back in the token's place."""
        self._database.change(
            update(StoredOffer)
            .where(StoredOffer.token_hash == token_hash, StoredOffer.issued.is_(None))
            .values(
                token_hash=None,
                tries_left=StoredOffer.tries_left + 1,
                attributes=attributes,
                expires_at_ms=expires_at_ms,
            ),
        )

    def find_token(self, token_hash: str, now_ms: int) -> StoredOffer | None:
        """Return the offer that a token stands for."""
        return self._database.find_one(
            select(StoredOffer).where(
                StoredOffer.token_hash == token_hash, StoredOffer.expires_at_ms > now_ms
            ),
        )

    def lease(self, token_hash: str, *, now_ms: int, until_ms: int) -> bool:
        """Keep other requests with this token away; False where one is at work or is done."""
        return self._database.change(
            update(StoredOffer)
            .where(
                StoredOffer.token_hash == token_hash,
                StoredOffer.issued.is_(None),
                or_(StoredOffer.leased_until_ms.is_(None), StoredOffer.leased_until_ms <= now_ms),
            )
            .values(leased_until_ms=until_ms),
        )

    def end_lease(self, token_hash: str, until_ms: int) -> None:
        """Let the token be used again, after a failure that was not the wallet's."""
        self._database.change(
            update(StoredOffer)
            .where(StoredOffer.token_hash == token_hash, StoredOffer.leased_until_ms == until_ms)
            .values(leased_until_ms=None),
        )

    def record_issuance(
        self,
        token_hash: str,
        until_ms: int,
        *,
        credentials: Sequence[StoredCredential],
        issued: bytes,
        expires_at_ms: int,
    ) -> bool:
        """Write that credentials were issued, and delete the offer's attributes, at once.

        Args:
            token_hash: The token's.
            until_ms: The lease's.
            credentials: Those that were not made beforehand.
            issued: The sealed answer, to be given again to who asks again.
            expires_at_ms: Until when it may be.

        Returns:
            Whether the lease still held; where not, nothing is written.
        """
        used = (
            update(StoredOffer)
            .where(StoredOffer.token_hash == token_hash, StoredOffer.leased_until_ms == until_ms)
            .values(
                attributes=b"",
                review_attributes=None,
                requested=None,
                issued=issued,
                leased_until_ms=None,
                expires_at_ms=expires_at_ms,
            )
        )
        renewed = update(StoredRenewal).where(StoredRenewal.token_hash == token_hash)
        with self._database.transaction() as session:
            if count_rows(session.execute(used)) != 1:
                return False
            session.add_all(credentials)
            if credentials:
                session.execute(renewed.values(replaced_by=credentials[0].record_id))
        return True

    def defer(self, token_hash: str, *, transaction_hash: str, requested: bytes) -> None:
        """Keep a request until its review is over, in the place of an earlier one."""
        self._database.change(
            update(StoredOffer)
            .where(StoredOffer.token_hash == token_hash, StoredOffer.issued.is_(None))
            .values(transaction_hash=transaction_hash, requested=requested),
        )

    def find_review(self, review_hash: str, now_ms: int) -> StoredOffer | None:
        """Return the offer that a review's code stands for."""
        return self._database.find_one(
            select(StoredOffer).where(
                StoredOffer.review_hash == review_hash, StoredOffer.expires_at_ms > now_ms
            ),
        )

    def decide_review(self, review_hash: str, state: ReviewState) -> bool:
        """Note what a review came to; False where it was decided before."""
        return self._database.change(
            update(StoredOffer)
            .where(StoredOffer.review_hash == review_hash, StoredOffer.review == "waiting")
            .values(review=state),
        )

    def purge(self, now_ms: int) -> None:
        """Delete what has expired, unless a request is at work on it."""
        is_free = or_(StoredOffer.leased_until_ms.is_(None), StoredOffer.leased_until_ms <= now_ms)
        self._database.change(
            delete(StoredOffer).where(StoredOffer.expires_at_ms <= now_ms, is_free)
        )
        self._database.change(delete(StoredOfferKey).where(StoredOfferKey.expires_at_ms <= now_ms))
