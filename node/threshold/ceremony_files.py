"""A key ceremony on an operator's disk: its secrets, every message that was seen, and its end."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from client_sdk.errors import FrostFormatError
from client_sdk.frost.ceremony_messages import verify_message
from client_sdk.frost.ceremony_secrets import new_ceremony_seed
from client_sdk.frost.ceremony_terms import CeremonyTerms
from client_sdk.frost.host_key import HostKey
from client_sdk.frost.key_ceremony import KeyCeremony
from client_sdk.frost.keys import GroupKey
from node.config import save_secret
from node.errors import ConfigError, KeygenError
from node.threshold.share_file import load_group, load_share, save_share

SHARE_FILE: Final = "share.json"
GROUP_FILE: Final = "group.json"
_MESSAGE_GLOB: Final = "message-*.jwt"
_MAX_FILE_BYTES: Final = 1 << 18


class CeremonyFiles:
    """One ceremony's private files: the seed, all messages that were seen, and what came of it."""

    def __init__(self, own: Path, board: Path, folder: Path) -> None:
        """Use a folder of this ceremony alone, which is made.

        Args:
            own: That folder.
            board: Where the messages of all parties are put.
            folder: Where share and group key end up.

        Raises:
            ConfigError: The folder cannot be made.
        """
        self._own = own
        self._said = own / "messages"
        self._board = board
        self._folder = folder
        make_folder(self._said)

    def take_part(
        self, terms: CeremonyTerms, host_key: HostKey
    ) -> tuple[GroupKey | None, tuple[int, ...]]:
        """Go as far as the messages allow; return the key, or those whose messages it needs.

        Raises:
            KeygenError: A file of the board is of no use.
            ParticipantFaultError: The ceremony has failed; it says by whose fault.
            ConfigError: A file cannot be read or written.
        """
        if not (self._own / GROUP_FILE).exists():
            waiting = self._go_on(terms, host_key)
            if waiting:
                return None, waiting
        # From here on the ceremony is over; what a crash left undone is done again.
        group = load_group(self._own / GROUP_FILE)
        if all(terms.hosts[receiver] != host_key.public for receiver in terms.receivers):
            (self._folder / SHARE_FILE).unlink(missing_ok=True)
        elif (self._own / SHARE_FILE).exists():
            (self._own / SHARE_FILE).replace(self._folder / SHARE_FILE)
        write_whole(self._folder / GROUP_FILE, encode_group(group), replaces=True)
        (self._own / "seed").unlink(missing_ok=True)
        return group, ()

    def _go_on(self, terms: CeremonyTerms, host_key: HostKey) -> tuple[int, ...]:
        """Say what can be said; return those who are waited for, or nobody at the end."""
        has_share = terms.previous is not None and (self._folder / SHARE_FILE).exists()
        ceremony = KeyCeremony(
            terms,
            host_key=host_key,
            seed=load_or_make_secret(self._own / "seed", new_ceremony_seed()),
            previous_share=load_share(self._folder / SHARE_FILE) if has_share else None,
        )
        while True:
            texts = self._collect_messages(terms)
            progress = ceremony.advance(texts)
            new = [text for text in progress.messages if text not in texts]
            if not new:
                break
            for text in new:
                # Kept first: what was said once is said for good.
                write_whole(self._said / _message_name(text), text)
                write_whole(self._board / _message_name(text), text)
        if progress.group is not None:
            if progress.share is not None:
                if not (self._own / SHARE_FILE).exists():
                    save_share(progress.share, self._own / SHARE_FILE)
                progress.share.wipe()
            write_whole(self._own / GROUP_FILE, encode_group(progress.group))
        return progress.waiting_for

    def _collect_messages(self, terms: CeremonyTerms) -> list[str]:
        """Return all messages that were ever seen; those new on the board are kept."""
        for path, text in read_all(self._board, _MESSAGE_GLOB):
            try:
                verify_message(terms, text)
            except FrostFormatError as error:
                raise KeygenError(f"{path}: {error}. Remove the file") from None
            write_whole(self._said / _message_name(text), text)
        return [text for _, text in read_all(self._said, _MESSAGE_GLOB)]


def read_all(folder: Path, pattern: str) -> Iterator[tuple[Path, str]]:
    """Yield each file of a pattern with its text.

    Raises:
        KeygenError: One is too long, or no text.
    """
    for path in sorted(folder.glob(pattern)):
        try:
            if path.stat().st_size > _MAX_FILE_BYTES:
                raise KeygenError(f"{path}: too long for a message. Remove the file")
            yield path, path.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            raise KeygenError(f"{path}: cannot be read as text. Remove the file") from None


def write_whole(path: Path, text: str, *, replaces: bool = False) -> None:
    """Write a file at once, so that nobody reads half of it; one that is there stays by default.

    Raises:
        ConfigError: It cannot be written.
    """
    if path.exists() and not replaces:
        return
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="ascii")
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None


def encode_group(group: GroupKey) -> str:
    """Return the text of a group key's file."""
    return json.dumps(group.to_fields(), indent=2) + "\n"


def make_folder(path: Path) -> None:
    """Make a private folder where there is none.

    Raises:
        ConfigError: It cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be made: {error.strerror}") from None


def load_or_make_secret(path: Path, new: bytes) -> bytes:
    """Return the secret in a file; where there is none, write the new one.

    Raises:
        ConfigError: It cannot be read or written.
    """
    if not path.exists():
        save_secret(path, new.hex() + "\n")
    try:
        return bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        raise ConfigError(f"{path}: cannot be read") from None


def _message_name(text: str) -> str:
    return f"message-{hashlib.sha256(text.encode()).hexdigest()[:32]}.jwt"
