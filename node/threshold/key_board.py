"""Making a threshold key by way of a shared folder, the board: one operator's part.

The board may be anything that carries files between the operators: a network share, a USB stick, a
mail folder. Whoever can write to it can disturb, but neither learns nor changes anything: messages
are signed, shares are in envelopes, and the operators compare one fingerprint by telephone before
the key is made. Each run goes as far as the files on the board allow.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nacl.utils import random as random_bytes

from chaincode.encoding import JsonObject, decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from chaincode.signatures import KeyAlgorithm
from client_sdk.credentials.jose import parse_compact
from client_sdk.errors import ClientError, FrostFormatError
from client_sdk.frost.ceremony_messages import verify_message
from client_sdk.frost.ceremony_terms import CeremonyTerms
from client_sdk.frost.host_key import HostKey, verification_key
from client_sdk.frost.key_ceremony import KeyCeremony, new_ceremony_seed
from client_sdk.frost.keys import GroupKey, validate_sizes
from node.config import save_secret
from node.errors import ConfigError, KeygenError
from node.threshold.share_file import load_group, save_share

CONTACT_TYP: Final = "tegata-key-contact+jwt"
SHARE_FILE: Final = "share.json"
GROUP_FILE: Final = "group.json"
FINGERPRINT_DIGITS: Final = 32
NAME: Final = re.compile(r"[\w.\- ]{1,64}")
_CONTACT_GLOB: Final = "contact-*.jwt"
_MESSAGE_GLOB: Final = "message-*.jwt"
_MAX_FILE_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPlan:
    """What one operator intends; the others must intend the same.

    Attributes:
        purpose: What the key is for, such as `issuer`.
        algorithm: How its signatures are made.
        threshold: How many parties sign.
        parties: How many parties there are.
    """

    purpose: str
    algorithm: KeyAlgorithm
    threshold: int
    parties: int

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
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class KeygenStatus:
    """How far the key is.

    Attributes:
        parties: The names of those who are there; once all are, in the order of identifiers.
        fingerprint: What the operators compare; None before all are there.
        waiting_for: The names of those whose files are needed next.
        group: The key, once every party has confirmed it.
    """

    parties: tuple[str, ...]
    fingerprint: str | None = None
    waiting_for: tuple[str, ...] = ()
    group: GroupKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contact:
    name: str
    host_key: bytes
    text: str


class KeyBoard:
    """One operator's part in making a key: a private folder, and the board that all share."""

    def __init__(self, folder: Path, board: Path, plan: KeyPlan) -> None:
        """Join with a folder, which is made.

        Args:
            folder: This operator's own; the share ends up in it.
            board: Where the files of all parties are put.
            plan: What this operator intends.

        Raises:
            ConfigError: A folder cannot be made.
        """
        self._folder = folder
        self._own = folder / "ceremony"
        self._said = self._own / "messages"
        self._board = board
        self._plan = plan
        try:
            self._said.mkdir(mode=0o700, parents=True, exist_ok=True)
            board.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{folder} or {board}: cannot be made: {error.strerror}") from None

    def advance(self, *, name: str, confirmed_fingerprint: str | None) -> KeygenStatus:
        """Go as far as the files on the board allow; run it again when more have come.

        Args:
            name: What the others shall call this party; of the first run.
            confirmed_fingerprint: The fingerprint, once the operators have compared it.

        Raises:
            KeygenError: A file of the board is of no use, or the fingerprint is another.
            ParticipantFaultError: The ceremony has failed; it says by whose fault.
            ConfigError: A file cannot be read or written.
        """
        host_key = HostKey(self._load_or_make_secret("host.key", HostKey.generate().seed))
        contacts = self._exchange_contacts(host_key, name)
        names = tuple(contact.name for contact in contacts)
        if len(contacts) < self._plan.parties:
            return KeygenStatus(parties=names)
        terms = self._terms(contacts)
        fingerprint = _grouped(terms.session.hex()[:FINGERPRINT_DIGITS])
        if confirmed_fingerprint is None:
            return KeygenStatus(parties=names, fingerprint=fingerprint)
        if _grouped(confirmed_fingerprint.replace(" ", "").lower()) != fingerprint:
            raise KeygenError(
                f"the fingerprint here is {fingerprint}, another than the one that was confirmed. "
                "Somebody changed the board: begin on a new one"
            )
        if (self._folder / GROUP_FILE).exists():
            group: GroupKey | None = load_group(self._folder / GROUP_FILE)
            waiting: tuple[int, ...] = ()
        else:
            group, waiting = self._take_part(terms, host_key)
        return KeygenStatus(
            parties=names,
            fingerprint=fingerprint,
            waiting_for=tuple(names[identifier - 1] for identifier in waiting),
            group=group,
        )

    def _take_part(
        self, terms: CeremonyTerms, host_key: HostKey
    ) -> tuple[GroupKey | None, tuple[int, ...]]:
        """Return the key, or those whose messages it needs."""
        seed = self._load_or_make_secret("seed", new_ceremony_seed())
        ceremony = KeyCeremony(terms, host_key=host_key, seed=seed)
        while True:
            texts = self._collect_messages(terms)
            progress = ceremony.advance(texts)
            new = [text for text in progress.messages if text not in texts]
            if not new:
                break
            for text in new:
                # Kept first: what was said once is said for good.
                _write(self._said / _message_name(text), text)
                _write(self._board / _message_name(text), text)
        if progress.group is not None and progress.share is not None:
            if not (self._folder / SHARE_FILE).exists():
                save_share(progress.share, self._folder / SHARE_FILE)
            progress.share.wipe()
            _write(self._folder / GROUP_FILE, json.dumps(progress.group.to_fields(), indent=2))
            (self._own / "seed").unlink()
        return progress.group, progress.waiting_for

    def _collect_messages(self, terms: CeremonyTerms) -> list[str]:
        """Return all messages that were ever seen; those new on the board are kept."""
        for path, text in _read_all(self._board, _MESSAGE_GLOB):
            try:
                verify_message(terms, text)
            except FrostFormatError as error:
                raise KeygenError(f"{path}: {error}. Remove the file") from None
            _write(self._said / _message_name(text), text)
        return [text for _, text in _read_all(self._said, _MESSAGE_GLOB)]

    def _exchange_contacts(self, host_key: HostKey, name: str) -> list[_Contact]:
        own = self._own / f"contact-{host_key.public.hex()[:16]}.jwt"
        if not own.exists():
            payload: JsonObject = {
                "plan": self._plan.to_fields(),
                "name": name,
                "host_key": encode_base64url(host_key.public),
                "nonce": encode_base64url(random_bytes(16)),
            }
            _write(own, host_key.sign(payload, CONTACT_TYP))
        _write(self._board / own.name, own.read_text(encoding="ascii"))
        contacts = [self._read_contact(*each) for each in _read_all(self._board, _CONTACT_GLOB)]
        if len(contacts) > self._plan.parties:
            raise KeygenError(
                f"{self._board}: {len(contacts)} contacts, where {self._plan.parties} parties make "
                "the key. Begin on a new board"
            )
        return sorted(contacts, key=lambda contact: contact.host_key)

    def _read_contact(self, path: Path, text: str) -> _Contact:
        try:
            token = parse_compact(text)
            match token.unverified_payload:
                case {
                    "plan": dict(plan),
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
        if plan != self._plan.to_fields():
            raise KeygenError(
                f"{path}: {name} intends another key ({plan}) than this party "
                f"({self._plan.to_fields()}). Agree, and begin on a new board"
            )
        return _Contact(name=name, host_key=host_key, text=text)

    def _terms(self, contacts: list[_Contact]) -> CeremonyTerms:
        """Return the terms; each contact's nonce makes them new, whatever the others do."""
        label = hashlib.sha256("\n".join(contact.text for contact in contacts).encode())
        return CeremonyTerms.new_key(
            label=f"{self._plan.purpose} {label.hexdigest()}",
            algorithm=self._plan.algorithm,
            threshold=self._plan.threshold,
            hosts={number: contact.host_key for number, contact in enumerate(contacts, 1)},
        )

    def _load_or_make_secret(self, name: str, new: bytes) -> bytes:
        path = self._own / name
        if not path.exists():
            save_secret(path, new.hex() + "\n")
        try:
            return bytes.fromhex(path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            raise ConfigError(f"{path}: cannot be read") from None


def _read_all(folder: Path, pattern: str) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.glob(pattern)):
        try:
            if path.stat().st_size > _MAX_FILE_BYTES:
                raise KeygenError(f"{path}: too long for a message. Remove the file")
            yield path, path.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            raise KeygenError(f"{path}: cannot be read as text. Remove the file") from None


def _write(path: Path, text: str) -> None:
    """Write a file as a whole, so that nobody reads half of it; one that is there stays."""
    if path.exists():
        return
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="ascii")
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None


def _message_name(text: str) -> str:
    return f"message-{hashlib.sha256(text.encode()).hexdigest()[:32]}.jwt"


def _grouped(digits: str) -> str:
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))
