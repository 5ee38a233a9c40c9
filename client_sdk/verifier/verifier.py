"""A verifier: is this presentation genuine, current, and exactly what was asked for?"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from chaincode.encoding import JsonObject
from client_sdk.checks import (
    Check,
    VerificationReport,
    VerifiedAttributes,
    list_checks,
)
from client_sdk.credentials.jose import Key
from client_sdk.errors import (
    CredentialFormatError,
    KeyFormatError,
    RequestError,
    RequestMismatchError,
    VerificationError,
)
from client_sdk.formats import FORMATS
from client_sdk.http.client import HttpClient
from client_sdk.openid4vp.dcql_evaluation import check_answer
from client_sdk.openid4vp.dcql_query import CredentialQuery
from client_sdk.openid4vp.grant_offer import (
    GrantOffer,
    parse_grant_offer,
)
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.openid4vp.response import Presentation
from client_sdk.verification.face_check import SELECTIVE_FORMATS
from client_sdk.verification.issuer_trust import IssuerTrust
from client_sdk.verification.joint_reads import JointReads, Ledger
from client_sdk.verification.ledger_checks import LedgerChecks
from client_sdk.verification.presentation_check import PresentationCheck, demands_face
from client_sdk.verification.status_lists import StatusLists

MAX_AGE_S: Final = 300


class Verifier:
    """Verifies presentations against one ledger. Safe to share between threads."""

    def __init__(
        self,
        ledger: Ledger,
        ledger_id: str,
        *,
        gateway: str,
        status_lists: StatusLists | None = None,
        max_age_s: int = MAX_AGE_S,
        face_keys: Mapping[str, Key] | None = None,
        issuer_trust: IssuerTrust | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Make a verifier.

        Args:
            ledger: Where records and keys are read.
            ledger_id: The ledger's id, 64 hex digits.
            gateway: The ledger account that grants must name.
            status_lists: Where issuers' status lists are had; by default over HTTP.
            max_age_s: How many seconds a presentation may be old.
            face_keys: The keys of the face services that are trusted, by name.
            issuer_trust: Who must vouch for issuers' keys besides the registry; by default nobody.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._ledger = ledger
        self._ledger_id = ledger_id
        self._gateway = gateway
        self._status_lists = status_lists or StatusLists(HttpClient().get, now_ms=now_ms)
        self._max_age_s = max_age_s
        self._face_keys = face_keys or {}
        self._issuer_trust = issuer_trust or IssuerTrust()
        self._now_ms = now_ms
        self._registrations: dict[str, str] = {}

    def report(
        self, answer: str | Mapping[str, Sequence[Presentation]], request: PresentationRequest
    ) -> VerificationReport:
        """Verify an answer and tell the result, also where it is refused.

        Args:
            answer: As for `verify_answer`; or the one presentation, where the request is for one.
            request: The request that it answers.

        Raises:
            RequestError: The request is not one that this verifier can check answers to.
            TransportError: The ledger cannot be reached; nothing is known.
            QueryFailedError: The ledger does not answer this verifier's account.
        """
        try:
            verified = self.verify_answer(_by_query(answer, request), request)
        except VerificationError as error:
            return VerificationReport(accepted=False, checks=error.checks)
        attributes: JsonObject = {}
        for credential in reversed(verified):
            attributes |= credential.attributes
        return VerificationReport(
            accepted=True,
            checks=_merge_checks([credential.checks for credential in verified]),
            attributes=attributes,
            credentials=verified,
        )

    def verify(self, presentation: str, request: PresentationRequest) -> VerifiedAttributes:
        """Return what the one presentation proves that answers a request for one credential.

        Raises:
            VerificationError: A check failed; the subclass says which, `checks` tells of all.
            RequestError: The request is not one that this verifier can check answers to.
            TransportError: The ledger cannot be reached; nothing is known.
            QueryFailedError: The ledger does not answer this verifier's account.
        """
        (verified,) = self.verify_answer(_by_query(presentation, request), request)
        return verified

    def verify_answer(
        self, answer: Mapping[str, Sequence[Presentation]], request: PresentationRequest
    ) -> tuple[VerifiedAttributes, ...]:
        """Return what a whole answer proves, by credential (OpenID4VP 1.0 section 8.6).

        Args:
            answer: The presentations by the id of the credential query.
            request: The request that it answers, with a grant offer for each credential whose
                holder is to be proved.

        Raises:
            VerificationError: A check failed; the subclass says which, `checks` tells of all.
            RequestError: The request is not one that this verifier can check answers to.
            TransportError: The ledger cannot be reached; nothing is known.
            QueryFailedError: The ledger does not answer this verifier's account.
        """
        offers = self._offers_of(request)
        try:
            check_answer(request.query, answer)
        except RequestMismatchError as error:
            error.checks = list_checks(
                {"presentation"},
                failed=error.check,
                reason=str(error),
                with_face=demands_face(request),
            )
            raise
        return tuple(
            self._verify_one(presentation, query, request, offers, answer)
            for query in request.query.credentials
            for presentation in answer.get(query.id, ())
        )

    def check_request(self, request: PresentationRequest) -> None:
        """Check that this verifier can check the answers to a request.

        Raises:
            RequestError: It cannot; the text says why.
        """
        self._offers_of(request)

    def _offers_of(self, request: PresentationRequest) -> dict[str, GrantOffer]:
        offers = {
            offer.query_id: offer for offer in map(parse_grant_offer, request.transaction_data)
        }
        for query in request.query.credentials:
            if query.format not in FORMATS:
                raise RequestError(f"query {query.id}: the format {query.format} is not verified")
            if query.holder_binding is not (query.id in offers):
                raise RequestError(
                    f"query {query.id}: a grant offer is expected where the holder is to be "
                    "proved, and nowhere else"
                )
        for offer in offers.values():
            self._check_face_demand(offer, request)
        return offers

    def _check_face_demand(self, offer: GrantOffer, request: PresentationRequest) -> None:
        if offer.face is None:
            return
        query = request.query.find(offer.query_id)
        if query is None or query.format not in SELECTIVE_FORMATS:
            raise RequestError(
                f"query {offer.query_id}: a face test needs a credential whose issuer commits to "
                "the portrait by a digest (SD-JWT)"
            )
        if not self._face_keys.keys() & {service.name for service in offer.face.services}:
            raise RequestError(
                "the request demands a face test by nobody whom this verifier trusts"
            )

    def _verify_one(
        self,
        presentation: Presentation,
        query: CredentialQuery,
        request: PresentationRequest,
        offers: Mapping[str, GrantOffer],
        answer: Mapping[str, Sequence[Presentation]],
    ) -> VerifiedAttributes:
        on_ledger = LedgerChecks(
            ledger=JointReads(self._ledger),
            status_lists=self._status_lists,
            ledger_id=self._ledger_id,
            gateway=self._gateway,
            now_ms=self._now_ms(),
        )
        check = PresentationCheck(
            on_ledger=on_ledger,
            max_age_s=self._max_age_s,
            request=request,
            query=query,
            offer=offers.get(query.id),
            answer=answer,
            registrations=self._registrations,
            face_keys=self._face_keys,
            issuer_trust=self._issuer_trust,
        )
        try:
            return check.run(presentation)
        except (CredentialFormatError, KeyFormatError) as error:
            failure = VerificationError(str(error))
            failure.checks = check.checks_after(failure)
            raise failure from None
        except VerificationError as error:
            error.checks = check.checks_after(error)
            raise


def _by_query(
    answer: str | Mapping[str, Sequence[Presentation]], request: PresentationRequest
) -> Mapping[str, Sequence[Presentation]]:
    if not isinstance(answer, str):
        return answer
    if len(request.query.credentials) != 1:
        raise RequestError("the request: one credential is expected where one is presented")
    return {request.query.credentials[0].id: (answer,)}


def _merge_checks(of_each: Sequence[tuple[Check, ...]]) -> tuple[Check, ...]:
    """Return the checks of an accepted answer: passed where each credential passed them."""
    return tuple(
        next((check for check in checks if check.passed is not True), checks[0])
        for checks in zip(*of_each, strict=True)
    )
