"""Reviews: credentials that wait until somebody at the counter approves them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from client_sdk.credentials.resident import ResidentAttributes
from node.errors import ApiError
from node.issuer.attributes import decode_attributes
from node.issuer.one_time_secret import hash_secret, unseal
from node.issuer.store import IssuerStore
from node.issuer.tables import ReviewState

_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What is reviewed. Its repr says nothing of the person.

    Attributes:
        state: What it has come to.
        reference: The operator's own case number; None for none.
        attributes: What is to be attested.
    """

    state: str
    reference: str | None
    attributes: ResidentAttributes = field(repr=False)


class Reviews:
    """The reviews of one issuer. A review's code opens what is sealed for it."""

    def __init__(self, store: IssuerStore, *, now_ms: Callable[[], int]) -> None:
        """Make the reviews' desk.

        Args:
            store: Where offers are kept.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._now_ms = now_ms

    def find(self, code: str) -> Review:
        """Return what is reviewed under a code.

        Raises:
            ApiError: There is no such review, or its credential was issued.
        """
        offer = self._store.offers.find_review(hash_secret(code), self._now_ms())
        if offer is None or offer.review is None or offer.review_attributes is None:
            raise _unknown()
        return Review(
            state=offer.review,
            reference=offer.reference,
            attributes=decode_attributes(unseal(offer.review_attributes, code)),
        )

    def decide(self, code: str, *, approved: bool) -> ReviewState:
        """Approve or refuse; doing the same again does nothing more.

        Raises:
            ApiError: There is no such review, or it was decided otherwise.
        """
        state: ReviewState = "approved" if approved else "refused"
        if not self._store.offers.decide_review(hash_secret(code), state):
            offer = self._store.offers.find_review(hash_secret(code), self._now_ms())
            if offer is None:
                raise _unknown()
            if offer.review != state:
                raise ApiError(
                    409,
                    "wrong_state",
                    "The review was decided before",
                    "A decision stands. Revoke the credential, or make a new offer.",
                )
        _log.info("review_decided", state=state)
        return state


def _unknown() -> ApiError:
    return ApiError(
        404,
        "unknown_review",
        "There is no such review",
        "The code is wrong, or the offer has expired or was issued. Look at the wallet again.",
    )
