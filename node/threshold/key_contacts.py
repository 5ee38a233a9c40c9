"""The parties of a key ceremony: what each intends, and how the others know it."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nacl.utils import random as random_bytes

from chaincode.encoding import JsonObject, JsonValue, decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from chaincode.signatures import KeyAlgorithm
from client_sdk.credentials.jose import parse_compact
from client_sdk.errors import ClientError
from client_sdk.frost.host_key import HostKey, verification_key
from client_sdk.frost.keys import MAX_PARTICIPANTS, GroupKey, validate_sizes
from client_sdk.strict_json import parse_strict_json_object
from node.errors import ConfigError, KeygenError

CONTACT_TYP: Final = "tegata-key-contact+jwt"
NAME: Final = re.compile(r"[\w.\- ]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPlan:
    """What one operator intends; the others must intend the same.

    Attributes:
        purpose: What the key is for, such as `issuer`.
        algorithm: How its signatures are made.
        threshold: How many parties will sign.
        parties: How many parties there are.
        previous: The key that is dealt anew; None where a new one is made.
    """

    purpose: str
    algorithm: KeyAlgorithm
    threshold: int
    parties: int
    previous: GroupKey | None = None

    def __post_init__(self) -> None:
        """Refuse a plan for a key that cannot be.

        Raises:
            FrostFormatError: Fewer than two sign, or more than there are, or there are too many.
        """
        validate_sizes(threshold=self.threshold, identifiers=tuple(range(1, self.parties + 1)))

    def to_fields(self) -> JsonObject:
        """Return the plan as a JSON object."""
        return {
            "purpose": self.purpose,
            "algorithm": self.algorithm.value,
            "threshold": self.threshold,
            "parties": self.parties,
            "previous": None if self.previous is None else self.previous.to_fields(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One party's part in dealing a key anew.

    Attributes:
        identifier: Its identifier in the key; of a newcomer, one that nobody else has.
        deals: Whether it has a share to deal from.
        receives: Whether it will hold a share.
    """

    identifier: int
    deals: bool
    receives: bool

    def to_fields(self) -> JsonObject:
        """Return the part as a JSON object."""
        return {
            "identifier": self.identifier,
            "deals": self.deals,
            "receives": self.receives,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A party of a ceremony.

    Attributes:
        name: What the others call it.
        host_key: Its public host key.
        part: Its part where a key is dealt anew.
        text: What it signed.
    """

    name: str
    host_key: bytes
    part: Part | None
    text: str


def encode_part(part: Part, previous: GroupKey) -> str:
    """Return the text of a file that tells a party's part in dealing a key anew."""
    fields = {"part": part.to_fields(), "previous": previous.to_fields()}
    return json.dumps(fields, indent=2) + "\n"


def load_part(path: Path) -> tuple[Part, GroupKey]:
    """Read a part, and the key that is dealt anew.

    Raises:
        ConfigError: The file cannot be read.
    """
    try:
        fields = parse_strict_json_object(path.read_bytes())
        part, previous = _parse_part(path, fields.get("part")), fields.get("previous")
        if part is not None and isinstance(previous, dict):
            return part, GroupKey.from_fields(previous)
    except (OSError, ClientError, KeygenError):
        pass
    raise ConfigError(f"{path}: cannot be read; begin on a new board")


def sign_contact(host_key: HostKey, *, plan: KeyPlan, part: Part | None, name: str) -> str:
    """Return what a party puts on the board first; its nonce makes every ceremony another."""
    payload: JsonObject = {
        "plan": plan.to_fields(),
        "part": None if part is None else part.to_fields(),
        "name": name,
        "host_key": encode_base64url(host_key.public),
        "nonce": encode_base64url(random_bytes(16)),
    }
    return host_key.sign(payload, CONTACT_TYP)


def read_contact(path: Path, text: str, plan: KeyPlan) -> Contact:
    """Return a party, now known to have the host key that it names.

    Raises:
        KeygenError: The file is none of a party with the same plan; it says what to do.
    """
    try:
        token = parse_compact(text)
        match token.unverified_payload:
            case {
                "plan": dict(intended),
                "part": (dict() | None) as part,
                "name": str(name),
                "host_key": str(encoded),
                "nonce": str(),
            }:
                host_key = decode_base64url(encoded)
            case _:
                raise KeygenError(f"{path}: not a contact of a key ceremony. Remove the file")
        token.verify(key=verification_key(host_key), expected_typ=CONTACT_TYP)
    except (ClientError, DecodeError) as error:
        raise KeygenError(f"{path}: {error}. Remove the file") from None
    if not NAME.fullmatch(name):
        raise KeygenError(f"{path}: the party's name is not acceptable")
    if intended != plan.to_fields():
        raise KeygenError(
            f"{path}: {name} intends another key ({intended}) than this party "
            f"({plan.to_fields()}). Agree, and begin on a new board"
        )
    return Contact(name=name, host_key=host_key, part=_parse_part(path, part), text=text)


def number_parties(contacts: list[Contact]) -> dict[int, Contact]:
    """Return the parties by identifier: in the order given for a new key, else as they say.

    Raises:
        KeygenError: Two go by one identifier.
    """
    numbered: dict[int, Contact] = {}
    for place, contact in enumerate(contacts, 1):
        identifier = place if contact.part is None else contact.part.identifier
        if identifier in numbered:
            raise KeygenError(
                f"{contact.name} and {numbered[identifier].name} go by one identifier, "
                f"{identifier}. Agree, and begin on a new board"
            )
        numbered[identifier] = contact
    return dict(sorted(numbered.items()))


def _parse_part(path: Path, fields: JsonValue) -> Part | None:
    match fields:
        case None:
            return None
        case {
            "identifier": int(identifier),
            "deals": bool(deals),
            "receives": bool(receives),
            **others,
        } if not others and 1 <= identifier <= MAX_PARTICIPANTS:
            return Part(identifier=identifier, deals=deals, receives=receives)
        case _:
            raise KeygenError(f"{path}: the part in the ceremony is not acceptable")
