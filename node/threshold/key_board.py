"""Making a threshold key, or dealing one anew, by way of a shared folder: one operator's part.

The folder, the board, may be anything that carries files between the operators: a network share, a
USB stick, a mail folder. Whoever can write to it can disturb, but neither learns nor changes
anything: messages are signed, shares are in envelopes, and the operators compare one fingerprint by
telephone before anything is dealt. Each run goes as far as the files on the board allow.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from client_sdk.errors import FrostFormatError
from client_sdk.frost.ceremony_terms import CeremonyTerms
from client_sdk.frost.host_key import HostKey
from client_sdk.frost.keys import GroupKey
from node.errors import KeygenError
from node.threshold.ceremony_files import (
    SHARE_FILE,
    CeremonyFiles,
    load_or_make_secret,
    make_folder,
    read_all,
    write_whole,
)
from node.threshold.key_contacts import (
    Contact,
    KeyPlan,
    Part,
    encode_part,
    load_part,
    number_parties,
    read_contact,
    sign_contact,
)
from node.threshold.share_file import load_group, load_share

FINGERPRINT_DIGITS: Final = 32
_CONTACT_GLOB: Final = "contact-*.jwt"


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


class KeyBoard:
    """One operator's part in making a key: a private folder, and the board that all share."""

    def __init__(
        self, folder: Path, board: Path, plan: KeyPlan, *, part: Part | None = None
    ) -> None:
        """Join with a folder, which is made.

        Args:
            folder: This operator's own; the share is in it or ends up there.
            board: Where the files of all parties are put.
            plan: What this operator intends.
            part: This operator's part where a key is dealt anew; None for a new key.

        Raises:
            ConfigError: A folder cannot be made.
        """
        self._folder = folder
        self._own = folder / f"ceremony-{board.name}"
        self._board = board
        self._plan = plan
        self._part = part
        make_folder(self._own)
        make_folder(board)

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
        host_key = HostKey(load_or_make_secret(self._own / "host.key", HostKey.generate().seed))
        contacts = self._exchange_contacts(host_key, name)
        if len(contacts) < self._plan.parties:
            return KeygenStatus(parties=tuple(contact.name for contact in contacts))
        numbered = number_parties(contacts)
        names = tuple(contact.name for contact in numbered.values())
        terms = self._terms(numbered)
        fingerprint = _grouped(terms.session.hex()[:FINGERPRINT_DIGITS])
        if confirmed_fingerprint is None:
            return KeygenStatus(parties=names, fingerprint=fingerprint)
        if _grouped(confirmed_fingerprint.replace(" ", "").lower()) != fingerprint:
            raise KeygenError(
                f"the fingerprint here is {fingerprint}, another than the one that was confirmed. "
                "Somebody changed the board: begin on a new one"
            )
        ceremony = CeremonyFiles(self._own / terms.session.hex()[:16], self._board, self._folder)
        group, waiting = ceremony.take_part(terms, host_key)
        return KeygenStatus(
            parties=names,
            fingerprint=fingerprint,
            waiting_for=tuple(numbered[identifier].name for identifier in waiting),
            group=group,
        )

    def _exchange_contacts(self, host_key: HostKey, name: str) -> list[Contact]:
        own = self._own / f"contact-{host_key.public.hex()[:16]}.jwt"
        if not own.exists():
            contact = sign_contact(host_key, plan=self._plan, part=self._part, name=name)
            write_whole(own, contact)
        write_whole(self._board / own.name, own.read_text(encoding="ascii"))
        contacts = [
            read_contact(path, text, self._plan)
            for path, text in read_all(self._board, _CONTACT_GLOB)
        ]
        if len(contacts) > self._plan.parties:
            raise KeygenError(
                f"{self._board}: {len(contacts)} contacts, where {self._plan.parties} parties take "
                "part. Begin on a new board"
            )
        return sorted(contacts, key=lambda contact: contact.host_key)

    def _terms(self, numbered: Mapping[int, Contact]) -> CeremonyTerms:
        """Return the terms; each contact's nonce makes them new, whatever the others do."""
        texts = "\n".join(contact.text for contact in numbered.values())
        label = f"{self._plan.purpose} {hashlib.sha256(texts.encode()).hexdigest()}"
        hosts = {number: contact.host_key for number, contact in numbered.items()}
        if self._plan.previous is None:
            return CeremonyTerms.new_key(
                label=label,
                algorithm=self._plan.algorithm,
                threshold=self._plan.threshold,
                hosts=hosts,
            )
        parts = [contact.part for contact in numbered.values() if contact.part is not None]
        try:
            return CeremonyTerms.resharing(
                self._plan.previous,
                label=label,
                dealers=tuple(part.identifier for part in parts if part.deals),
                receivers=tuple(part.identifier for part in parts if part.receives),
                hosts=hosts,
                threshold=self._plan.threshold,
            )
        except FrostFormatError as error:
            raise KeygenError(f"{error}. Agree on parts, and begin on a new board") from None


def reshare_board(
    folder: Path,
    board: Path,
    *,
    purpose: str,
    threshold: int,
    parties: int,
    newcomer: tuple[int, Path] | None = None,
    leaves: bool = False,
) -> KeyBoard:
    """Return one operator's part in dealing a key anew: the public key stays, every share changes.

    Args:
        folder: The operator's own, with its share unless it is a newcomer or has lost it.
        board: Where the files of all parties are put.
        purpose: What the key is for.
        threshold: How many parties will sign.
        parties: How many take part, those who leave among them.
        newcomer: For one without a share: the identifier to have, and the key's group file.
        leaves: Whether this party deals, and will hold no share.

    Raises:
        ConfigError: A file cannot be read.
        FrostFormatError: The numbers fit no key.
    """
    kept = folder / f"ceremony-{board.name}" / "resharing.json"
    if kept.exists():
        # Of the first run: at the end the share in the folder is another, or gone.
        part, previous = load_part(kept)
    elif newcomer is not None:
        part = Part(identifier=newcomer[0], deals=False, receives=True)
        previous = load_group(newcomer[1])
    else:
        share = load_share(folder / SHARE_FILE)
        part = Part(identifier=share.identifier, deals=True, receives=not leaves)
        previous = share.group
        share.wipe()
    plan = KeyPlan(
        purpose=purpose,
        algorithm=previous.algorithm,
        threshold=threshold,
        parties=parties,
        previous=previous,
    )
    board_of_this = KeyBoard(folder, board, plan, part=part)
    write_whole(kept, encode_part(part, previous))
    return board_of_this


def _grouped(digits: str) -> str:
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))
