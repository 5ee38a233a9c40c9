"""A plaintext message of DIDComm Messaging 2.1: headers, threading, attachments."""

import re
from dataclasses import dataclass, field
from typing import Final, Self
from uuid import uuid4

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.errors import MessageFormatError
from client_sdk.strict_json import JsonFields

PLAIN_TYPE: Final = "application/didcomm-plain+json"
PROBLEM_REPORT: Final = "https://didcomm.org/report-problem/2.0/problem-report"
_ID: Final = re.compile(r"[A-Za-z0-9._~:-]{1,128}")
_MAX_ATTACHMENTS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A JSON value of a format that the protocol above names.

    Attributes:
        format: The format's name and version.
        value: The attached object.
    """

    format: str
    value: JsonObject = field(repr=False)

    def to_json(self) -> JsonObject:
        """Return the attachment as it stands in a message."""
        return {
            "id": str(uuid4()),
            "media_type": "application/json",
            "format": self.format,
            "data": {"json": self.value},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message.

    Attributes:
        type: The message type URI: protocol, version and name.
        sender: The DID to answer to; None for a sender that does not say.
        recipient: The DID that it is for; None for whoever reads it.
        body: What the protocol defines.
        attachments: In their order.
        id: Unique among the sender's messages.
        thread_id: The id of the thread's first message; that of this one if it is the first.
        parent_thread_id: What the thread answers, such as an invitation.
        expires_at_s: Seconds since 1970 after which it is void; None for never.
        return_route: `all` where answers are to come over the same connection.
        web_redirect: Where the recipient's browser is to go in the end.
    """

    type: str
    sender: str | None = None
    recipient: str | None = None
    body: JsonObject = field(default_factory=dict, repr=False)
    attachments: tuple[Attachment, ...] = ()
    id: str = field(default_factory=lambda: str(uuid4()))
    thread_id: str = ""
    parent_thread_id: str | None = None
    expires_at_s: int | None = None
    return_route: str | None = None
    web_redirect: JsonObject | None = None

    def __post_init__(self) -> None:
        """Begin a thread, where none is named."""
        if not self.thread_id:
            object.__setattr__(self, "thread_id", self.id)

    def attached(self, attachment_format: str) -> JsonObject:
        """Return the value of the one attachment of a format.

        Raises:
            MessageFormatError: There is none, or more than one.
        """
        found = [item.value for item in self.attachments if item.format == attachment_format]
        if len(found) != 1:
            raise MessageFormatError(f"{self.type}: one attachment {attachment_format} is expected")
        return found[0]

    def to_json(self) -> JsonObject:
        """Return the message as it is encrypted."""
        message: JsonObject = {"id": self.id, "typ": PLAIN_TYPE, "type": self.type}
        optional: dict[str, JsonValue] = {
            "from": self.sender,
            "to": None if self.recipient is None else [self.recipient],
            "thid": None if self.thread_id == self.id else self.thread_id,
            "pthid": self.parent_thread_id,
            "expires_time": self.expires_at_s,
            "return_route": self.return_route,
            "web_redirect": self.web_redirect,
        }
        message |= {name: value for name, value in optional.items() if value is not None}
        message["body"] = self.body
        if self.attachments:
            message["attachments"] = [item.to_json() for item in self.attachments]
        return message

    @classmethod
    def from_json(cls, message: JsonValue) -> Self:
        """Return a message that came. Headers that we do not know are passed over, as demanded.

        Raises:
            MessageFormatError: A header or an attachment is missing or malformed.
        """
        fields = JsonFields(message, what="DIDComm message", error=MessageFormatError)
        if fields.optional_text("typ") not in (None, PLAIN_TYPE):
            raise MessageFormatError(f"DIDComm message: typ is not {PLAIN_TYPE}")
        message_id = _read_id(fields.text("id"), "id")
        thread_id = fields.optional_text("thid")
        parent = fields.optional_text("pthid")
        return cls(
            type=fields.text("type"),
            sender=fields.optional_text("from"),
            recipient=_read_recipient(fields),
            body=fields.object("body") if "body" in fields.names else {},
            attachments=_read_attachments(fields),
            id=message_id,
            thread_id=message_id if thread_id is None else _read_id(thread_id, "thid"),
            parent_thread_id=None if parent is None else _read_id(parent, "pthid"),
            expires_at_s=fields.whole("expires_time") if "expires_time" in fields.names else None,
            return_route=fields.optional_text("return_route"),
            web_redirect=fields.object("web_redirect") if "web_redirect" in fields.names else None,
        )


def problem_report(code: str, comment: str, *, parent_thread_id: str) -> Message:
    """Return the message that says what was wrong with another (section Problem Reports).

    Args:
        code: Such as `e.p.msg`: an error (`e`) that ends the protocol (`p`).
        comment: For a person.
        parent_thread_id: The thread in which it went wrong.
    """
    return Message(
        type=PROBLEM_REPORT,
        body={"code": code, "comment": comment},
        parent_thread_id=parent_thread_id,
    )


def _read_id(text: str, name: str) -> str:
    if _ID.fullmatch(text) is None:
        raise MessageFormatError(f"DIDComm message: {name} is no id of 1 to 128 characters")
    return text


def _read_recipient(fields: JsonFields) -> str | None:
    if "to" not in fields.names:
        return None
    recipients = fields.texts("to")
    if len(recipients) != 1:
        raise MessageFormatError("DIDComm message: to has one recipient here")
    return recipients[0]


def _read_attachments(fields: JsonFields) -> tuple[Attachment, ...]:
    if "attachments" not in fields.names:
        return ()
    attachments = fields.objects("attachments")
    if len(attachments) > _MAX_ATTACHMENTS:
        raise MessageFormatError(f"DIDComm message: more than {_MAX_ATTACHMENTS} attachments")
    return tuple(
        Attachment(
            format=item.optional_text("format") or "", value=item.member("data").object("json")
        )
        for item in attachments
    )
