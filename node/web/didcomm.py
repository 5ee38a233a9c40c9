"""A service's side of DIDComm over HTTP: decrypt, let somebody answer, encrypt the answer.

The answer comes over the connection of the message (`return_route`), since a wallet has no address
of its own.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

import structlog
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import Response
from joserfc.jwk import OKPKey

from client_sdk.didcomm.envelope import ENCRYPTED_TYPE, decrypt_message, encrypt_message
from client_sdk.didcomm.message import PROBLEM_REPORT, Message, problem_report
from client_sdk.didcomm.out_of_band import Invitation
from client_sdk.didcomm.peer_did import PeerDid, PeerIdentity
from client_sdk.errors import DidError, MessageFormatError
from node.errors import ApiError

Handler: TypeAlias = Callable[[Message], Message | None]
"""Answers a message, or takes it without an answer. Raises `MessageFormatError`, `ApiError`."""

_PAGE: Final = """<!doctype html>
<html lang="ja">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Tegata</title>
<p>このリンクはウォレットで読み取ってください。
<p lang="en">Scan this link with your wallet.
</html>
"""
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.didcomm")


def agreement_key(seed: bytes) -> OKPKey:
    """Return a service's private key on X25519 for messages, derived from its account's seed."""
    secret = HKDF(SHA256(), 32, salt=None, info=b"tegata DIDComm key agreement v1").derive(seed)
    return OKPKey.import_key(X25519PrivateKey.from_private_bytes(secret))


class InvitingService:
    """A service's offers or requests as invitations, each under a DID of its own.

    The DID spells out where the messages about it are taken.
    """

    def __init__(self, page: str, *, goal_code: str, key: OKPKey) -> None:
        """Prepare.

        Args:
            page: Where messages are taken, without the id of what they are about.
            goal_code: What the exchange is for.
            key: The private key on X25519 that messages are encrypted to.
        """
        self._page = page
        self._goal_code = goal_code
        self._key = key

    def identity(self, item_id: str) -> PeerIdentity:
        """Return the DID that is written to about an offer or request."""
        return PeerIdentity.create(endpoint=f"{self._page}/{item_id}", key=self._key)

    def link(self, item_id: str) -> str:
        """Return the invitation to answer it, for a QR code."""
        sender = self.identity(item_id).did
        invitation = Invitation(id=item_id, sender=sender, goal_code=self._goal_code)
        return invitation.to_link(f"{self._page}/{item_id}")


def answer_envelope(
    envelope: bytes, identity: PeerIdentity, handler: Handler, *, now_s: int
) -> Response:
    """Return the HTTP answer to an envelope.

    Args:
        envelope: The body of the request.
        identity: The DID that was written to, and its key.
        handler: Answers the message.
        now_s: Seconds since 1970-01-01 UTC.

    Raises:
        ApiError: The envelope cannot be read, or nobody can be answered.
    """
    try:
        message = decrypt_message(envelope, identity, now_s=now_s)
        sender = PeerDid.parse(message.sender or "")
        # Before anything is done that its sender could not be told of.
        encrypt_message(Message(type=PROBLEM_REPORT), sender)
    except (DidError, MessageFormatError) as error:
        raise ApiError(
            400, "unreadable_message", "The message cannot be read", str(error)
        ) from None
    if message.return_route != "all":
        raise ApiError(
            400,
            "no_return_route",
            "The message asks for no answer",
            "Answers come over the same connection only: send it with return_route: all.",
        )
    answer = _answer(message, handler)
    if answer is None:
        return Response(status=202)
    answer = replace(answer, sender=identity.did, recipient=sender.did)
    return Response(encrypt_message(answer, sender), content_type=ENCRYPTED_TYPE)


def no_wallet_page() -> Response:
    """Return what a browser shows of an invitation that a wallet should have read."""
    return Response(_PAGE, content_type="text/html; charset=utf-8")


def _answer(message: Message, handler: Handler) -> Message | None:
    try:
        answer = handler(message)
        return None if answer is None else replace(answer, thread_id=message.thread_id)
    except MessageFormatError as error:
        return problem_report("e.p.msg", str(error), parent_thread_id=message.thread_id)
    except ApiError as error:
        _log.info("message_refused", type=message.type, code=error.code)
        comment = f"{error.title}. {error.detail}"
        return problem_report(f"e.p.req.{error.code}", comment, parent_thread_id=message.thread_id)
