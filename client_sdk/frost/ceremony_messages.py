"""The signed messages of a key ceremony. Whoever carries them can drop them, and nothing else."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from chaincode.encoding import (
    JsonObject,
    encode_base64url,
    encode_canonical_json,
)
from chaincode.errors import DecodeError
from client_sdk.credentials.jose import parse_compact
from client_sdk.errors import (
    CredentialFormatError,
    FrostFormatError,
    ParticipantFaultError,
    SignatureError,
)
from client_sdk.frost.ceremony_terms import CeremonyTerms
from client_sdk.frost.host_key import HostKey, verification_key

MESSAGE_TYP: Final = "tegata-key-ceremony+jwt"

MessageKind = Literal["commitments", "shares", "verdict", "opening"]
Slot: TypeAlias = tuple[MessageKind, int, int]
"""Kind, sender and (of an opening) receiver: each slot holds one message for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CeremonyMessage:
    """What a participant said, in a signed message.

    Attributes:
        kind: What it is.
        sender: Who said it.
        receiver: Of an opening, whose envelope it opens; 0 otherwise.
        body: The rest; nobody has checked it yet.
        content: The canonical form of all of it.
        text: The signed message.
    """

    kind: MessageKind
    sender: int
    receiver: int
    body: JsonObject = field(repr=False)
    content: bytes = field(repr=False)
    text: str = field(repr=False)


def sign_message(
    terms: CeremonyTerms,
    host_key: HostKey,
    *,
    sender: int,
    kind: MessageKind,
    body: JsonObject,
    receiver: int = 0,
) -> CeremonyMessage:
    """Return a message of this participant."""
    payload: JsonObject = {
        "session": encode_base64url(terms.session),
        "kind": kind,
        "sender": sender,
        "receiver": receiver,
        "body": body,
    }
    return CeremonyMessage(
        kind=kind,
        sender=sender,
        receiver=receiver,
        body=body,
        content=encode_canonical_json(payload),
        text=host_key.sign(payload, MESSAGE_TYP),
    )


def verify_message(terms: CeremonyTerms, text: str) -> CeremonyMessage:
    """Return a message, now known to be its sender's word in this ceremony.

    Raises:
        FrostFormatError: Not a message of this ceremony, signed by the participant that it names.
            That is nobody's fault but the carrier's.
    """
    try:
        token = parse_compact(text)
        match token.unverified_payload:
            case {
                "session": str(session),
                "kind": ("commitments" | "shares" | "verdict" | "opening") as kind,
                "sender": int(sender),
                "receiver": int(receiver),
                "body": dict(body),
                **others,
            } if (
                not others and sender in terms.hosts and session == encode_base64url(terms.session)
            ):
                pass
            case _:
                raise FrostFormatError("not a message of this ceremony")
        if receiver not in (terms.receivers if kind == "opening" else (0,)):
            raise FrostFormatError("a ceremony message of no use to its receiver")
        token.verify(key=verification_key(terms.hosts[sender]), expected_typ=MESSAGE_TYP)
        content = encode_canonical_json(token.unverified_payload)
    except (CredentialFormatError, SignatureError, DecodeError) as error:
        raise FrostFormatError(f"not a message of this ceremony: {error}") from None
    return CeremonyMessage(
        kind=kind, sender=sender, receiver=receiver, body=body, content=content, text=text
    )


def collect_messages(terms: CeremonyTerms, texts: Iterable[str]) -> dict[Slot, CeremonyMessage]:
    """Return all messages by their slot.

    Raises:
        FrostFormatError: One is not a message of this ceremony.
        ParticipantFaultError: A participant signed two messages where it has only one.
    """
    said: dict[Slot, CeremonyMessage] = {}
    for text in texts:
        message = verify_message(terms, text)
        slot = (message.kind, message.sender, message.receiver)
        if said.setdefault(slot, message).content != message.content:
            raise ParticipantFaultError(
                f"participant {message.sender} signed two different messages ({message.kind})",
                at_fault=(message.sender,),
                is_proof=True,
            )
    return said


def digest_of_messages(messages: Collection[CeremonyMessage]) -> str:
    """Return a hash of what was said, in any order."""
    digest = hashlib.sha256()
    for content in sorted(message.content for message in messages):
        digest.update(hashlib.sha256(content).digest())
    return encode_base64url(digest.digest())
