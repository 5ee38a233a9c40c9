"""Checkpoints: what a peer signs of its chain, as a log whose entries are the blocks.

A checkpoint is a C2SP tlog-checkpoint (c2sp.org/tlog-checkpoint): the log's name, its size, which
is the height of the chain, and the root of the Merkle tree over its entries. Entry `height - 1`
says of a block its height, time and hash, and the root of the state above it. There are no
extension lines: whatever a checkpoint leads to stands in the log, where two people who compare
checkpoints find every difference.

A peer signs it as a timestamped cosignature (c2sp.org/tlog-cosignature, Ed25519): at this time, no
larger log is known. A ledger at rest makes no blocks, so a block's time would not show that a state
is current. For a SHA-3 key, which only Iroha knows, the type is 0xff with a name of ours.
"""

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from chaincode.errors import DecodeError, SignatureInvalidError
from chaincode.signatures import KeyAlgorithm, PublicKey, parse_public_key, verify_signature

MAX_NOTE_BYTES: Final = 16 * 1024
_ENTRY: Final = struct.Struct(">QQ32s32s")
_HASH_BYTES: Final = 32
_KEY_ID_BYTES: Final = 4
_SIGNATURE: Final = struct.Struct(">4sQ64s")
_MARK: Final = "\u2014 "
_BODY: Final = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/=]+)\n")
_TYPES: Final = {
    KeyAlgorithm.ED25519_SHA2: b"\x04",
    KeyAlgorithm.ED25519_SHA3: b"\xfftegata ed25519-sha3-256\n",
}


class CheckpointSigner(Protocol):
    """The key of a peer."""

    @property
    def public_key(self) -> str:
        """The public half, in the form that Iroha writes."""
        ...

    def sign(self, payload: bytes) -> str:
        """Return the signature of payload bytes, 128 hex digits."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """What the log says of one block.

    Attributes:
        height: From 1, the genesis block.
        time_ms: The block's time, milliseconds since 1970, UTC.
        block_hash: 32 bytes.
        root: The hash of the whole state above the block, 32 bytes.
    """

    height: int
    time_ms: int
    block_hash: bytes
    root: bytes

    def encode(self) -> bytes:
        """Return the entry as it stands in the log: numbers of 8 bytes, big-endian, and hashes."""
        return _ENTRY.pack(self.height, self.time_ms, self.block_hash, self.root)

    @classmethod
    def decode(cls, data: bytes) -> "LogEntry":
        """Return the entry that `encode` wrote.

        Raises:
            DecodeError: The bytes are not as many as an entry has.
        """
        if len(data) != _ENTRY.size:
            raise DecodeError(f"log entry: {_ENTRY.size} bytes are expected, not {len(data)}")
        height, time_ms, block_hash, root = _ENTRY.unpack(data)
        return cls(height=height, time_ms=time_ms, block_hash=block_hash, root=root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A state of the log.

    Attributes:
        origin: The name of the log (`log_origin`).
        size: How many entries it has: the height of the chain.
        root: The root of the tree over them, 32 bytes.
        time_s: When it was signed as the largest, seconds since 1970, UTC.
    """

    origin: str
    size: int
    root: bytes
    time_s: int

    def body(self) -> bytes:
        """Return the text of the note."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n".encode()

    def message(self) -> bytes:
        """Return what a cosignature signs."""
        return b"cosignature/v1\ntime %d\n" % self.time_s + self.body()


def log_origin(ledger_id: str) -> str:
    """Return the name of a ledger's log.

    Args:
        ledger_id: The hash of the genesis block, 64 hex digits.
    """
    return f"ledger.tegata/{ledger_id}"


def sign_checkpoint(checkpoint: Checkpoint, signer: CheckpointSigner) -> bytes:
    """Return the signed note."""
    key_id = _key_id(checkpoint.origin, parse_public_key(signer.public_key))
    signature = bytes.fromhex(signer.sign(checkpoint.message()))
    line = _base64(_SIGNATURE.pack(key_id, checkpoint.time_s, signature))
    return checkpoint.body() + f"\n{_MARK}{checkpoint.origin} {line}\n".encode()


def verify_checkpoint(note: bytes, origin: str, public_keys: Iterable[str]) -> Checkpoint:
    """Return what a signed note says, signed by one of the keys at least.

    Args:
        note: The note.
        origin: The name of the log that it must be of.
        public_keys: Those whose word counts, in the form that Iroha writes.

    Raises:
        DecodeError: It is no signed checkpoint.
        SignatureInvalidError: It is of another log, no such key has signed it, or a signature that
            should be by one of them does not verify.
    """
    origin_found, size, root, signatures = _parse_note(note)
    if origin_found != origin:
        raise SignatureInvalidError("the checkpoint is of another ledger")
    newest: Checkpoint | None = None
    for public_key in public_keys:
        own_id = _key_id(origin, parse_public_key(public_key))
        for key_id, time_s, signature in signatures:
            if key_id != own_id:
                continue
            # A key id is short: as the specification says, one under a known id must verify.
            found = Checkpoint(origin=origin, size=size, root=root, time_s=time_s)
            verify_signature(
                public_key=public_key, signature=signature.hex(), payload=found.message()
            )
            if newest is None or newest.time_s < time_s:
                newest = found
    if newest is None:
        raise SignatureInvalidError("no known peer of the ledger has signed the checkpoint")
    return newest


def read_checkpoint(note: bytes, origin: str) -> tuple[int, bytes]:
    """Return size and root of the log that a note is of, whoever signed it.

    Raises:
        DecodeError: It is no signed checkpoint.
        SignatureInvalidError: It is of another log.
    """
    origin_found, size, root, _ = _parse_note(note)
    if origin_found != origin:
        raise SignatureInvalidError("the checkpoint is of another ledger")
    return size, root


def verifier_key(origin: str, public_key: str) -> str:
    """Return a peer's key as tools for signed notes take it: a `vkey`."""
    key = parse_public_key(public_key)
    encoded = _base64(_TYPES[key.algorithm] + key.raw)
    return f"{origin}+{_key_id(origin, key).hex()}+{encoded}"


def _key_id(name: str, key: PublicKey) -> bytes:
    data = name.encode() + b"\n" + _TYPES[key.algorithm] + key.raw
    return hashlib.sha256(data).digest()[:_KEY_ID_BYTES]


def _parse_note(note: bytes) -> tuple[str, int, bytes, list[tuple[bytes, int, bytes]]]:
    """Return origin, size, root, and the key id, time and bytes of the log's own signatures."""
    if len(note) > MAX_NOTE_BYTES:
        raise DecodeError(f"checkpoint: more than {MAX_NOTE_BYTES} bytes")
    try:
        body, _, tail = note.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise DecodeError("checkpoint: not UTF-8") from None
    found = _BODY.fullmatch(body + "\n")
    if found is None or not tail.endswith("\n"):
        raise DecodeError("checkpoint: three lines, an empty one and signatures are expected")
    origin, size, encoded_root = found.groups()
    root = _from_base64(encoded_root)
    if len(root) != _HASH_BYTES:
        raise DecodeError("checkpoint: its root is no SHA-256 hash")
    signatures = []
    for line in tail.removesuffix("\n").split("\n"):
        name, _, encoded = line.removeprefix(_MARK).partition(" ")
        if not line.startswith(_MARK) or not name or not encoded:
            raise DecodeError("checkpoint: a line is no signature")
        # Those under other names, such as of witnesses, and of other types are passed over.
        if name == origin and len(data := _from_base64(encoded)) == _SIGNATURE.size:
            signatures.append(_SIGNATURE.unpack(data))
    return origin, int(size), root, signatures


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise DecodeError("checkpoint: base64 is expected") from None
