"""The life of a request: made for a verifier, fetched by a wallet, answered once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, cast

import structlog
from joserfc.jwk import ECKey

from client_sdk.checks import Check, list_checks, receipt_check
from client_sdk.credentials.jose import parse_private_jwk
from client_sdk.errors import CredentialFormatError, ReceiptRefusedError, RequestError
from client_sdk.formats import find_format
from client_sdk.ledger.receipts import digest_shown
from client_sdk.openid4vp.grant_offer import parse_grant_offer
from client_sdk.openid4vp.request_link import RequestLink, build_link
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.openid4vp.response import (
    ErrorResponse,
    PresentationResponse,
    open_response,
    read_response,
)
from client_sdk.openid4vp.signed_request import read_own_request, sign_request
from client_sdk.verification.presentation_check import demands_face
from client_sdk.verifier import Verifier
from node.errors import ApiError
from node.gateway.question import Question
from node.gateway.receipts import Receipts
from node.gateway.releases import Releases, checks_fields
from node.gateway.request_maker import RequestMaker
from node.gateway.response_code import hash_code, new_code, redirect_with
from node.gateway.store import RequestState, RequestStore, StoredRequest
from node.gateway.verifier_profile import VerifierProfile

_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.gateway")


class ResponseRefusedError(ApiError):
    """A wallet's response is not taken. The text is the same whatever the reason."""

    def __init__(self) -> None:
        super().__init__(
            400,
            "invalid_request",
            "The response is not accepted",
            "The response is not accepted; ask the verifier for a new request.",
        )


class Presentations:
    """Makes requests and takes their answers, for the verifiers of one gateway."""

    def __init__(
        self,
        *,
        store: RequestStore,
        maker: RequestMaker,
        verifier: Verifier,
        receipts: Receipts,
        profiles: Mapping[str, VerifierProfile],
        public_url: str,
        result_seconds: int,
        now_ms: Callable[[], int],
    ) -> None:
        """Wire the parts.

        Args:
            store: Where requests are kept.
            maker: What makes requests.
            verifier: What checks presentations.
            receipts: What writes the receipts of accesses.
            profiles: Who each verifier is, by its id.
            public_url: Where wallets reach the gateway.
            result_seconds: How long a verifier can read values.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._verifier = verifier
        self._profiles = profiles
        self._public_url = public_url
        self._maker = maker
        self._result_ms = result_seconds * 1000
        self._releases = Releases(store, receipts, result_ms=self._result_ms, now_ms=now_ms)
        self._now_ms = now_ms

    def create(self, verifier_id: str, question: Question) -> StoredRequest:
        """Make a request of a verifier.

        Raises:
            RequestError: The question cannot be asked; the text says which part of it.
            ApiError: The verifier is not registered to ask it.
        """
        stored = self._maker.make(verifier_id, question)
        self._store.add(stored)
        _log.info("request_created", request=stored.id, verifier=verifier_id)
        return stored

    def find(self, verifier_id: str, request_id: str) -> StoredRequest:
        """Return a verifier's own request, with the values while they may be read.

        Raises:
            ApiError: This verifier has no such request.
        """
        stored = self._store.find(request_id)
        if stored is not None and stored.is_overdue(self._now_ms()):
            self.purge()
            stored = self._store.find(request_id)
        if stored is None or stored.verifier != verifier_id:
            raise _unknown_request()
        return stored

    def page(self, verifier_id: str, *, skip: int, limit: int) -> list[StoredRequest]:
        """Return a verifier's requests, the newest first, without values whose time is over."""
        found = self._store.page(verifier_id, skip=skip, limit=limit)
        now_ms = self._now_ms()
        if any(stored.is_overdue(now_ms) for stored in found):
            self.purge()
            found = self._store.page(verifier_id, skip=skip, limit=limit)
        return found

    def is_registered(self, verifier_id: str, question: Question) -> bool:
        """Tell whether a verifier may ask this."""
        try:
            self._profiles[verifier_id].check_registered(question.query, question.purpose_term)
        except ApiError:
            return False
        return True

    def verifier_name(self, verifier_id: str) -> str:
        """Return what holders are told that a verifier is called."""
        return self._profiles[verifier_id].identify(self._public_url).name

    def asked_at_ms(self, stored: StoredRequest) -> int:
        """Return when a request was made: milliseconds since 1970, UTC."""
        return (_request_of(stored).issued_at or 0) * 1000

    def state_of(self, stored: StoredRequest) -> str:
        """Return a request's state now."""
        return stored.state_at(self._now_ms())

    def request_uri(self, request_id: str) -> str:
        """Return where wallets fetch a request."""
        return f"{self._public_url}/oid4vp/requests/{request_id}"

    def link(self, stored: StoredRequest) -> str:
        """Return the link that opens a wallet with a request."""
        client_id = _request_of(stored).client_id
        request_uri = self.request_uri(stored.id)
        return build_link(RequestLink(client_id=client_id, request_uri=request_uri, method="post"))

    def request_object(self, request_id: str, *, wallet_nonce: str | None = None) -> str:
        """Return the signed request object for a wallet; the same one as often as it is fetched.

        Args:
            request_id: The request.
            wallet_nonce: What the wallet wants to find in it, where it sent something.

        Raises:
            ApiError: There is no such request, or it can no longer be answered.
        """
        stored = self._store.find(request_id)
        if (
            stored is None
            or stored.verifier not in self._profiles
            or not stored.is_answerable(self._now_ms())
        ):
            raise _unknown_request()
        self._store.mark_fetched(request_id)
        if wallet_nonce is None:
            return stored.request_object
        request = _request_of(stored)
        try:
            return sign_request(
                request,
                identity=self._profiles[stored.verifier].identify(request.response_uri),
                wallet_nonce=wallet_nonce,
            )
        except RequestError as error:
            raise ApiError(
                400, "invalid_request", "The request object cannot be given", str(error)
            ) from None

    def answer(self, request_id: str, form: Iterable[tuple[str, str]]) -> str | None:
        """Take a wallet's response.

        Returns:
            Where the wallet sends the holder's browser, with a fresh response code; None for
            nowhere.

        Raises:
            ResponseRefusedError: It is not taken; the log and the verifier's result say why.
            TransportError: The ledger cannot be reached; the wallet may send it again.
            QueryFailedError: The ledger does not answer the gateway's account.
        """
        stored = self._store.find(request_id)
        if stored is None or stored.verifier not in self._profiles:
            raise ResponseRefusedError
        request = _request_of(stored)
        try:
            parameters = open_response(form, response_key=_response_key(stored))
        except CredentialFormatError as error:
            # Anybody can send what cannot be read: it costs the holder no try.
            _log.warning("response_refused", request=request_id, reason=str(error))
            raise ResponseRefusedError from None
        if parameters.get("state") != request.state:
            _log.warning("response_refused", request=request_id, reason="state")
            raise ResponseRefusedError
        try:
            response = read_response(parameters)
            if isinstance(response, ErrorResponse):
                code = new_code(stored)
                self._note_refusal(stored, "declined", (), error=response.error, code=code)
                return redirect_with(stored, code)
        except CredentialFormatError as error:
            checks = list_checks(
                (), failed="presentation", reason=str(error), with_face=demands_face(request)
            )
            self._note_refusal(stored, "refused", checks)
            raise ResponseRefusedError from None
        if not stored.is_answerable(self._now_ms()):
            _log.warning("response_refused", request=request_id, reason="not open")
            raise ResponseRefusedError
        report = self._verifier.report(response.presentations, request)
        if not report.accepted:
            is_genuine = _is_genuine(report.checks, request)
            self._note_refusal(stored, "refused", report.checks, costs_try=is_genuine)
            raise ResponseRefusedError
        code = new_code(stored)
        try:
            is_taken = self._releases.accept(
                stored,
                report,
                offers=tuple(map(parse_grant_offer, request.transaction_data)),
                shown=_digest(response, request),
                response_code_sha256=hash_code(code),
            )
        except ReceiptRefusedError as error:
            refused = (*report.checks, receipt_check(str(error)))
            self._note_refusal(stored, "refused", refused, costs_try=True)
            raise ResponseRefusedError from None
        if not is_taken:
            raise ResponseRefusedError
        return redirect_with(stored, code)

    def tend(self) -> None:
        """Delete what is over, and go on with answers whose receipts are not written yet."""
        self.purge()
        self._releases.settle()

    def purge(self) -> int:
        """Delete the values whose time is over; return how many results had any."""
        return self._store.purge(self._now_ms())

    def _note_refusal(
        self,
        stored: StoredRequest,
        state: RequestState,
        checks: Sequence[Check],
        *,
        error: str | None = None,
        code: str | None = None,
        costs_try: bool = False,
    ) -> None:
        now_ms = self._now_ms()
        is_written = self._store.note_refusal(
            stored.id,
            state=state,
            now_ms=now_ms,
            result_until_ms=now_ms + self._result_ms,
            checks=checks_fields(checks) or None,
            response_code_sha256=hash_code(code),
            costs_try=costs_try,
            # Whoever reads the link can say the same again and again.
            is_news=costs_try or stored.state != state,
        )
        _log.info(
            "response",
            request=stored.id,
            state=state if is_written else "too late",
            failed=[check.name for check in checks if check.passed is False],
            error=error,
        )
        if not is_written:
            raise ResponseRefusedError


def _request_of(stored: StoredRequest) -> PresentationRequest:
    return read_own_request(stored.request_object)


def _response_key(stored: StoredRequest) -> ECKey | None:
    if stored.response_key is None:
        return None
    return cast(ECKey, parse_private_jwk(stored.response_key))


def _is_genuine(checks: Sequence[Check], request: PresentationRequest) -> bool:
    """Tell whether an answer that is refused is that of a holder, to this request.

    Anybody who reads the link can send any other, as often as he likes: that must not shut the
    holder out. Where no proof of the holder is asked for, the issuer's signature has to do.
    """
    passed = {check.name for check in checks if check.passed}
    is_proof_asked = all(query.holder_binding for query in request.query.credentials)
    return "nonce" in passed or (not is_proof_asked and "issuer_signature" in passed)


def _digest(response: PresentationResponse, request: PresentationRequest) -> bytes:
    """Return by what receipts know an answer that was verified: of each presentation its text."""
    return digest_shown(
        {
            query.id: [
                find_format(query.format).from_wire(presentation)
                for presentation in response.presentations.get(query.id, ())
            ]
            for query in request.query.credentials
        }
    )


def _unknown_request() -> ApiError:
    return ApiError(
        404,
        "unknown_request",
        "There is no such request",
        "There is no such request, or it can no longer be answered. Make a new one.",
    )
