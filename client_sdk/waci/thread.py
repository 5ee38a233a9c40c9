"""The wallet's side of a thread: it writes, and the answer comes over the same connection."""

from collections.abc import Callable
from typing import Final

from chaincode.encoding import JsonObject
from client_sdk.didcomm.envelope import ENCRYPTED_TYPE, decrypt_message, encrypt_message
from client_sdk.didcomm.message import PROBLEM_REPORT, Attachment, Message
from client_sdk.didcomm.out_of_band import Invitation
from client_sdk.didcomm.peer_did import PeerDid, PeerIdentity
from client_sdk.errors import DidError, MessageFormatError, RequestError, TransportError
from client_sdk.http.client import HttpAnswer, HttpClient
from client_sdk.openid4vp.plain_text import is_plain_text

_MAX_COMMENT_CHARS: Final = 500


class WaciThread:
    """One exchange with the sender of an invitation, under a DID that is used for nothing else."""

    def __init__(
        self, invitation: Invitation, *, http: HttpClient, now_ms: Callable[[], int]
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            invitation: From the scanned link.
            http: How the other side is reached.
            now_ms: The clock: milliseconds since 1970, UTC.

        Raises:
            DidError: The inviting DID cannot be written to.
        """
        self._peer = PeerDid.parse(invitation.sender)
        if self._peer.endpoint is None:
            raise DidError("the invitation's DID says not where messages are taken")
        self._endpoint = self._peer.endpoint
        self._invitation = invitation
        self._identity = PeerIdentity.create()
        self._thread_id: str | None = None
        self._http = http
        self._now_ms = now_ms

    @property
    def endpoint(self) -> str:
        """Where messages are sent."""
        return self._endpoint

    def send(
        self,
        message_type: str,
        *,
        expected: str,
        attachments: tuple[Attachment, ...] = (),
        body: JsonObject | None = None,
    ) -> Message:
        """Send a message and return the answer.

        Args:
            message_type: The message type URI.
            expected: That of the answer.
            attachments: What the message carries.
            body: What its protocol defines; empty by default.

        Raises:
            RequestError: The other side reports a problem, or its answer breaks a rule.
            TransportError: It cannot be reached.
        """
        answer = self._post(message_type, attachments, body)
        if answer.status != 200 or answer.media_type != ENCRYPTED_TYPE:
            raise TransportError(f"the inviting service does not answer (HTTP {answer.status})")
        try:
            reply = decrypt_message(answer.body, self._identity, now_s=self._now_ms() // 1000)
        except MessageFormatError as error:
            raise RequestError(str(error)) from None
        if reply.sender != self._peer.did:
            raise RequestError("the answer comes from another than the invitation")
        if reply.type == PROBLEM_REPORT and reply.parent_thread_id == self._thread_id:
            raise RequestError(f"the other side refused: {_comment(reply)}")
        if reply.type != expected or reply.thread_id != self._thread_id:
            raise RequestError(f"{expected} of this thread is expected as the answer")
        return reply

    def tell(self, message_type: str, *, body: JsonObject) -> None:
        """Send a message that nobody answers.

        Raises:
            TransportError: The other side cannot be reached.
        """
        self._post(message_type, (), body)

    def _post(
        self, message_type: str, attachments: tuple[Attachment, ...], body: JsonObject | None
    ) -> HttpAnswer:
        message = Message(
            type=message_type,
            sender=self._identity.did,
            recipient=self._peer.did,
            body=body or {},
            attachments=attachments,
            thread_id=self._thread_id or "",
            # The first message answers the invitation; the thread's own id names the others.
            parent_thread_id=None if self._thread_id else self._invitation.id,
            return_route="all",
        )
        self._thread_id = self._thread_id or message.id
        return self._http.send(
            "POST",
            self._endpoint,
            body=encrypt_message(message, self._peer),
            headers={"Content-Type": ENCRYPTED_TYPE, "Accept": ENCRYPTED_TYPE},
        )


def _comment(report: Message) -> str:
    comment = report.body.get("comment")
    if isinstance(comment, str) and len(comment) <= _MAX_COMMENT_CHARS and is_plain_text(comment):
        return comment
    return "it gives no reason"
