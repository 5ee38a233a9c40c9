"""The wallet's side of present-proof 3.0: what `openid4vp.client` does over HTTP alone."""

from collections.abc import Callable, Mapping

from cryptography import x509

from client_sdk.didcomm.message import Attachment
from client_sdk.didcomm.out_of_band import parse_invitation
from client_sdk.errors import DidError, MessageFormatError, RequestError
from client_sdk.http.client import HttpClient
from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.openid4vp.client import verifier_resolver
from client_sdk.openid4vp.signed_request import VerifiedRequest, verify_request
from client_sdk.strict_json import JsonFields
from client_sdk.waci.messages import (
    AUTHORIZATION_RESPONSE,
    PRESENTATION,
    PRESENTATION_ACK,
    PROPOSE_PRESENTATION,
    REQUEST_OBJECT,
    REQUEST_PRESENTATION,
    VERIFY_GOAL,
)
from client_sdk.waci.thread import WaciThread


class WaciVerifier:
    """A verifier that is spoken to by messages."""

    def __init__(self, link: str, *, http: HttpClient, now_ms: Callable[[], int]) -> None:
        """Read an invitation; nothing is sent yet.

        Args:
            link: A link with an invitation, as scanned or pasted.
            http: How the verifier is reached.
            now_ms: The clock: milliseconds since 1970, UTC.

        Raises:
            RequestError: No invitation of a verifier that can be written to.
        """
        self._http = http
        self._now_ms = now_ms
        try:
            invitation = parse_invitation(link, goal_code=VERIFY_GOAL)
            self._thread = WaciThread(invitation, http=http, now_ms=now_ms)
        except (DidError, MessageFormatError) as error:
            raise RequestError(str(error)) from None

    def fetch_request(self, *, trust_anchors: tuple[x509.Certificate, ...]) -> VerifiedRequest:
        """Return the verifier's request, verified as one that was fetched over HTTP.

        Args:
            trust_anchors: The authorities that certify verifiers.

        Raises:
            RequestError: The verifier has no such request, or it breaks a rule.
            ExpiredError: It is not valid at this time.
            TransportError: The verifier, or what holds its DID's document, cannot be reached.
        """
        reply = self._thread.send(PROPOSE_PRESENTATION, expected=REQUEST_PRESENTATION)
        try:
            attached = reply.attached(REQUEST_OBJECT)
        except MessageFormatError as error:
            raise RequestError(str(error)) from None
        fields = JsonFields(attached, what=REQUEST_OBJECT, error=RequestError)
        return verify_request(
            fields.text("request"),
            expected_client_id=fields.text("client_id"),
            trust_anchors=trust_anchors,
            now_s=self._now_ms() // 1000,
            resolver=verifier_resolver(self._http),
        )

    def send_response(self, form: Mapping[str, str]) -> str | None:
        """Send a response; return where the verifier wants the browser to go.

        Args:
            form: As `build_response` or `build_error_response` made it.

        Raises:
            RequestError: The verifier refused it.
            TransportError: The verifier cannot be reached.
        """
        answer = Attachment(format=AUTHORIZATION_RESPONSE, value={**form})
        ack = self._thread.send(PRESENTATION, expected=PRESENTATION_ACK, attachments=(answer,))
        redirect = ack.web_redirect or {}
        try:
            return parse_endpoint(redirect.get("redirectUrl"), "redirectUrl")
        except RequestError:
            return None
