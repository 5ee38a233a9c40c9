"""Out-of-band invitations: what a QR code holds (DIDComm Messaging 2.1, Out Of Band Messages)."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

from chaincode.encoding import decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from client_sdk.didcomm.message import Message
from client_sdk.errors import CredentialFormatError, MessageFormatError
from client_sdk.strict_json import JsonFields, encode_json, parse_strict_json

INVITATION: Final = "https://didcomm.org/out-of-band/2.0/invitation"
_PARAMETER: Final = "_oob"
_MEDIA_TYPE: Final = "didcomm/v2"
_MAX_LINK_CHARS: Final = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """An invitation to write to somebody.

    Attributes:
        id: What answers name as their parent thread.
        sender: The DID to write to.
        goal_code: What the exchange is for, such as `streamlined-vp`.
    """

    id: str
    sender: str
    goal_code: str

    def to_link(self, page: str) -> str:
        """Return the link, for a QR code.

        Args:
            page: The page that a browser shows of it: how to get a wallet.
        """
        message = Message(
            type=INVITATION,
            id=self.id,
            sender=self.sender,
            body={"goal_code": self.goal_code, "accept": [_MEDIA_TYPE]},
        )
        return f"{page}?{_PARAMETER}={quote(encode_base64url(encode_json(message.to_json())))}"


def is_invitation(link: str) -> bool:
    """Whether a link that was scanned holds an invitation."""
    return f"{_PARAMETER}=" in link.partition("?")[2]


def parse_invitation(link: str, *, goal_code: str) -> Invitation:
    """Return the invitation of a link. The link itself is not followed.

    Args:
        link: As scanned or pasted.
        goal_code: What the exchange must be for.

    Raises:
        MessageFormatError: No invitation, for another goal, or not to DIDComm v2.
    """
    if len(link) > _MAX_LINK_CHARS:
        raise MessageFormatError(f"invitation: a link has at most {_MAX_LINK_CHARS} characters")
    try:
        (encoded,) = parse_qs(urlsplit(link).query).get(_PARAMETER, [])
        # WACI-DIDComm 1.0 prints it with padding, DIDComm without.
        message = Message.from_json(parse_strict_json(decode_base64url(encoded.rstrip("="))))
    except (ValueError, DecodeError, CredentialFormatError):
        raise MessageFormatError(f"invitation: the link has no message in {_PARAMETER}") from None
    body = JsonFields(message.body, what="invitation", error=MessageFormatError)
    if message.type != INVITATION or message.sender is None:
        raise MessageFormatError(f"invitation: a message {INVITATION} with its sender is expected")
    if "accept" in body.names and _MEDIA_TYPE not in body.texts("accept"):
        raise MessageFormatError(f"invitation: its sender does not accept {_MEDIA_TYPE}")
    if body.text("goal_code") != goal_code:
        raise MessageFormatError(f"invitation: its goal is not {goal_code}")
    return Invitation(id=message.id, sender=message.sender, goal_code=goal_code)
