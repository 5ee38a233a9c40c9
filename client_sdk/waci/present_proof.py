"""The wallet's side of present-proof 3.0: what `openid4vp.client` does over HTTP alone."""

from collections.abc import Callable, Mapping

from client_sdk.didcomm.message import Attachment
from client_sdk.didcomm.out_of_band import parse_invitation
from client_sdk.endpoint_url import parse_endpoint
from client_sdk.errors import DidError, MessageFormatError, RequestError
from client_sdk.http_client import HttpClient
from client_sdk.json_fields import JsonFields
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
        try:
            invitation = parse_invitation(link, goal_code=VERIFY_GOAL)
            self._thread = WaciThread(invitation, http=http, now_ms=now_ms)
        except (DidError, MessageFormatError) as error:
            raise RequestError(str(error)) from None

    def fetch_request(self) -> tuple[str, str]:
        """Return the client id under which the verifier asks, and its signed request object.

        Raises:
            RequestError: The verifier has no such request, or its answer breaks a rule.
            TransportError: The verifier cannot be reached.
        """
        reply = self._thread.send(PROPOSE_PRESENTATION, expected=REQUEST_PRESENTATION)
        try:
            attached = reply.attached(REQUEST_OBJECT)
        except MessageFormatError as error:
            raise RequestError(str(error)) from None
        fields = JsonFields(attached, what=REQUEST_OBJECT, error=RequestError)
        return fields.text("client_id"), fields.text("request")

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
