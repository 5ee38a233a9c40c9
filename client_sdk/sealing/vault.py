"""One sealed file for a wallet's keys and credentials.

    header | nonce (24 bytes) | XChaCha20-Poly1305 of the contents, a JSON object in UTF-8

The key comes from the passphrase by Argon2id (RFC 9106). The header (magic, version, Argon2id's
parameters, salt) is bound as associated data. Unix only: it relies on `flock`, and on a rename that
replaces a file as a whole.
"""

import fcntl
import os
import stat
import struct
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from nacl import pwhash
from nacl.exceptions import CryptoError
from nacl.secret import Aead
from nacl.utils import random as random_bytes

from chaincode.encoding import JsonObject
from client_sdk.errors import (
    CredentialFormatError,
    VaultError,
    VaultFormatError,
    WrongPassphraseError,
)
from client_sdk.strict_json import encode_json, parse_strict_json_object

MAX_VAULT_BYTES: Final = 64 * 1024 * 1024
MAX_PASSPHRASE_BYTES: Final = 4096

_MAGIC: Final = b"tegata vault"
_VERSION: Final = 1
# magic, version, passes, memory in KiB, salt
_HEADER: Final = struct.Struct(">12sBBI16s")
_KIB: Final = 1024
_MAX_PASSES: Final = 16
_MAX_MEMORY_KIB: Final = 1024 * 1024
_MIN_MEMORY_KIB: Final = 8
_FILE_MODE: Final = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class KdfProfile:
    """What one guess of the passphrase costs (Argon2id, RFC 9106 section 3.1; one lane).

    Attributes:
        passes: How often the memory is gone over, 1 to 16.
        memory_kib: The memory in KiB, 8 to 1,048,576.
    """

    passes: int
    memory_kib: int

    def __post_init__(self) -> None:
        if not (
            1 <= self.passes <= _MAX_PASSES
            and _MIN_MEMORY_KIB <= self.memory_kib <= _MAX_MEMORY_KIB
        ):
            raise VaultFormatError(
                f"Argon2id takes 1 to {_MAX_PASSES} passes over {_MIN_MEMORY_KIB} to "
                f"{_MAX_MEMORY_KIB} KiB of memory; these parameters lie outside"
            )


INTERACTIVE: Final = KdfProfile(passes=3, memory_kib=64 * _KIB)
"""Memory and passes of RFC 9106's second recommendation, in libsodium's one lane."""

SENSITIVE: Final = KdfProfile(passes=4, memory_kib=256 * _KIB)
"""For a wallet that lies where others can copy it: about a second on a desktop."""

CHEAPEST: Final = KdfProfile(passes=1, memory_kib=_MIN_MEMORY_KIB)
"""For tests only: it protects nothing."""


class Vault:
    """An opened vault. It never shows its contents in a repr.

    Other processes may open the same file: `save` refuses to overwrite what it has not seen.

    Attributes:
        path: The file.
    """

    __slots__ = ("_contents", "_header", "_key", "_seen", "path")

    def __init__(self, path: Path, key: bytes, header: bytes, contents: bytes, seen: bytes) -> None:
        """Use `create` or `open` instead."""
        self.path = path
        self._key = key
        self._header = header
        self._contents = contents
        self._seen = seen

    @classmethod
    def create(
        cls,
        path: Path,
        passphrase: str,
        contents: "JsonObject | None" = None,
        *,
        profile: KdfProfile = INTERACTIVE,
    ) -> Self:
        """Make a new file that only its owner can read.

        Args:
            path: Where; the folder must exist.
            passphrase: At least one character; compared in Unicode NFC.
            contents: What to seal; by default an empty object.
            profile: What one guess of the passphrase shall cost.

        Raises:
            VaultError: The file exists, cannot be written, or the passphrase is empty or too long.
            VaultFormatError: The contents are not a JSON object, or too large.
        """
        path = path.resolve()
        plain = _encode_contents(contents or {})
        key, header = _new_key(passphrase, profile)
        with _locked(path):
            if path.exists():
                raise VaultError(f"{path}: exists already; open it, or choose another name")
            seen = _write(path, _seal(key, header, plain))
        return cls(path, key, header, plain, seen)

    @classmethod
    def open(cls, path: Path, passphrase: str) -> Self:
        """Open an existing file.

        Raises:
            VaultError: The file cannot be read.
            VaultFormatError: Not a vault of this version, or its parameters are out of bounds.
            WrongPassphraseError: The passphrase does not open it, or the file was changed.
        """
        path = path.resolve()
        sealed = _read(path)
        header, profile, salt = _parse_header(path, sealed)
        key = _derive(passphrase, profile, salt)
        plain = _unseal(path, key, sealed)
        return cls(path, key, header, plain, _version_of(sealed))

    @property
    def contents(self) -> JsonObject:
        """A copy of the contents, as they were last opened or saved here."""
        return parse_strict_json_object(self._contents)

    def save(self, contents: JsonObject) -> None:
        """Replace the contents: after a crash at any instant the file holds the old or the new.

        Raises:
            VaultError: Another process saved meanwhile (call `reload`, or use `update`), or the
                file cannot be written. Nothing was changed.
            VaultFormatError: The contents are not a JSON object, or too large.
        """
        plain = _encode_contents(contents)
        with _locked(self.path):
            if _version_of(_read(self.path)) != self._seen:
                raise VaultError(
                    f"{self.path}: another process saved this wallet meanwhile; read it again first"
                )
            self._replace(plain)

    def update(self, change: Callable[[JsonObject], JsonObject]) -> JsonObject:
        """Read the newest contents, change and save them, while no other process can save.

        Args:
            change: Gives the new contents; called once. Where it raises, nothing is saved.

        Returns:
            The contents that were saved.

        Raises:
            VaultError: The file cannot be read or written.
            VaultFormatError: The contents are not a JSON object, or too large.
            WrongPassphraseError: The passphrase was changed by another process.
        """
        with _locked(self.path):
            self.reload()
            contents = change(self.contents)
            self._replace(_encode_contents(contents))
        return contents

    def reload(self) -> None:
        """Read what another process saved.

        Raises:
            VaultError: The file cannot be read.
            WrongPassphraseError: The passphrase was changed, so the file must be opened anew.
        """
        sealed = _read(self.path)
        if _version_of(sealed) != self._seen:
            self._contents = _unseal(self.path, self._key, sealed)
            self._seen = _version_of(sealed)

    def change_passphrase(self, passphrase: str, profile: KdfProfile = INTERACTIVE) -> None:
        """Seal the newest contents under a new passphrase and salt; the old one opens it no more.

        A copy of the old file, such as a backup, still opens with the old passphrase.

        Raises:
            VaultError: The file cannot be written, or the passphrase is empty or too long.
            WrongPassphraseError: Another process changed the passphrase first.
        """
        key, header = _new_key(passphrase, profile)
        with _locked(self.path):
            self.reload()
            seen = _write(self.path, _seal(key, header, self._contents))
        self._key, self._header, self._seen = key, header, seen

    def close(self) -> None:
        """Forget key and contents; the vault is of no use after it."""
        self._key, self._contents = b"", b"{}"

    def _replace(self, plain: bytes) -> None:
        self._seen = _write(self.path, _seal(self._key, self._header, plain))
        self._contents = plain

    def __repr__(self) -> str:
        return f"Vault(path={str(self.path)!r})"


def _encode_contents(contents: JsonObject) -> bytes:
    try:
        plain = encode_json(contents)
        parse_strict_json_object(plain)
    except CredentialFormatError as error:
        raise VaultFormatError(f"contents: {error}") from None
    if len(plain) > MAX_VAULT_BYTES - _HEADER.size - Aead.NONCE_SIZE - Aead.MACBYTES:
        raise VaultFormatError(f"contents: a vault holds at most {MAX_VAULT_BYTES} bytes")
    return plain


def _new_key(passphrase: str, profile: KdfProfile) -> tuple[bytes, bytes]:
    if not passphrase:
        raise VaultError("the passphrase is empty; choose one")
    salt = random_bytes(pwhash.argon2id.SALTBYTES)
    header = _HEADER.pack(_MAGIC, _VERSION, profile.passes, profile.memory_kib, salt)
    return _derive(passphrase, profile, salt), header


def _derive(passphrase: str, profile: KdfProfile, salt: bytes) -> bytes:
    try:
        secret = unicodedata.normalize("NFC", passphrase).encode("utf-8")
    except UnicodeEncodeError:
        raise VaultError("the passphrase is not Unicode text") from None
    if len(secret) > MAX_PASSPHRASE_BYTES:
        raise VaultError(f"a passphrase has at most {MAX_PASSPHRASE_BYTES} bytes in UTF-8")
    try:
        return pwhash.argon2id.kdf(
            Aead.KEY_SIZE,
            secret,
            salt,
            opslimit=profile.passes,
            memlimit=profile.memory_kib * _KIB,
        )
    except (CryptoError, MemoryError):
        raise VaultError(
            f"this machine has no {profile.memory_kib // _KIB} MiB of memory free for Argon2id"
        ) from None


def _seal(key: bytes, header: bytes, plain: bytes) -> bytes:
    if not key:
        raise VaultError("the wallet's file was closed here; open it again")
    nonce = random_bytes(Aead.NONCE_SIZE)
    return header + bytes(Aead(key).encrypt(plain, aad=header, nonce=nonce))


def _unseal(path: Path, key: bytes, sealed: bytes) -> bytes:
    header, box = sealed[: _HEADER.size], sealed[_HEADER.size :]
    try:
        plain = Aead(key).decrypt(box, aad=header)
    except CryptoError:
        raise WrongPassphraseError(
            f"{path}: the passphrase does not open this wallet, or the file was changed"
        ) from None
    try:
        parse_strict_json_object(plain)
    except CredentialFormatError:
        raise VaultFormatError(f"{path}: opened, but its contents are not a JSON object") from None
    return plain


def _parse_header(path: Path, sealed: bytes) -> tuple[bytes, KdfProfile, bytes]:
    if len(sealed) < _HEADER.size + Aead.NONCE_SIZE + Aead.MACBYTES:
        raise VaultFormatError(f"{path}: too short for a wallet; is it the right file?")
    header = sealed[: _HEADER.size]
    magic, version, passes, memory_kib, salt = _HEADER.unpack(header)
    if magic != _MAGIC:
        raise VaultFormatError(f"{path}: not a wallet of Tegata")
    if version != _VERSION:
        raise VaultFormatError(f"{path}: a wallet of version {version}; this software reads 1")
    try:
        return header, KdfProfile(passes=passes, memory_kib=memory_kib), salt
    except VaultFormatError as error:
        # Before any memory is taken: a planted file must not exhaust the machine.
        raise VaultFormatError(f"{path}: {error}") from None


def _version_of(sealed: bytes) -> bytes:
    """Return what is never the same in two saves: salt and nonce."""
    return sealed[: _HEADER.size + Aead.NONCE_SIZE]


def _read(path: Path) -> bytes:
    try:
        # Not blocking, so that a named pipe in the file's place cannot hold us up.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise VaultFormatError(f"{path}: not a file")
            sealed = file.read(MAX_VAULT_BYTES + 1)
    except OSError as error:
        raise VaultError(f"{path}: cannot be read: {error.strerror}") from None
    if len(sealed) > MAX_VAULT_BYTES:
        raise VaultFormatError(f"{path}: larger than a wallet can be ({MAX_VAULT_BYTES} bytes)")
    return sealed


def _write(path: Path, sealed: bytes) -> bytes:
    """Replace the file as a whole; the caller holds the lock."""
    # One fixed name: what a crash left behind is overwritten by the next save.
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(descriptor)
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise VaultError(f"{path}: cannot be written: {error.strerror}") from None
    return _version_of(sealed)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes from saving; the lock ends with its process."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
    except OSError as error:
        raise VaultError(f"{lock}: cannot be created: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
