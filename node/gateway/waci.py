"""The gateway's requests as WACI invitations: present-proof 3.0 in front of the same code."""

from joserfc.jwk import OKPKey

from chaincode.encoding import JsonObject
from client_sdk.didcomm.message import Attachment, Message
from client_sdk.errors import MessageFormatError
from client_sdk.openid4vp.signed_request import read_own_request
from client_sdk.waci.messages import (
    AUTHORIZATION_RESPONSE,
    PRESENTATION,
    PRESENTATION_ACK,
    PROPOSE_PRESENTATION,
    REQUEST_OBJECT,
    REQUEST_PRESENTATION,
    VERIFY_GOAL,
)
from node.gateway.presentations import Presentations
from node.web.didcomm import InvitingService


class WaciVerification(InvitingService):
    """A gateway's requests as invitations, and the messages that answer them."""

    def __init__(self, presentations: Presentations, *, public_url: str, key: OKPKey) -> None:
        """Stand in front of a gateway's requests.

        Args:
            presentations: The requests and their answers.
            public_url: Where wallets reach the gateway.
            key: The private key on X25519 that messages are encrypted to.
        """
        super().__init__(f"{public_url}/waci/requests", goal_code=VERIFY_GOAL, key=key)
        self._presentations = presentations

    def answer(self, request_id: str, message: Message) -> Message:
        """Answer a wallet's message about a request.

        Raises:
            MessageFormatError: The message breaks a rule.
            ApiError: There is no such request, or the answer is not taken.
        """
        match message.type:
            case t if t == PROPOSE_PRESENTATION:
                if message.parent_thread_id != request_id:
                    raise MessageFormatError(f"{t}: pthid is not the invitation's id")
                token = self._presentations.request_object(request_id)
                client_id = read_own_request(token).client_id
                attachment = Attachment(
                    format=REQUEST_OBJECT, value={"client_id": client_id, "request": token}
                )
                return Message(type=REQUEST_PRESENTATION, attachments=(attachment,))
            case t if t == PRESENTATION:
                form = message.attached(AUTHORIZATION_RESPONSE)
                fields = [(name, value) for name, value in form.items() if isinstance(value, str)]
                redirect_uri = self._presentations.answer(request_id, fields)
                redirect: JsonObject | None = (
                    None if redirect_uri is None else {"status": "OK", "redirectUrl": redirect_uri}
                )
                return Message(type=PRESENTATION_ACK, body={"status": "OK"}, web_redirect=redirect)
            case t:
                raise MessageFormatError(f"{t}: not a message of present-proof 3.0 to a verifier")
