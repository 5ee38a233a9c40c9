"""Checkpoints: what a peer signs of its chain, as a log whose entries are the blocks.

A checkpoint is a C2SP tlog-checkpoint in a signed note (c2sp.org/tlog-checkpoint, c2sp.org/
signed-note): the log's name, its size, which is the height of the chain, and the root of the Merkle
tree over its entries. Entry number `height - 1` says of a block its height, its time, its hash, and
the root of the state above it; the checkpoint has no extension lines, so that whatever it leads to
stands in the log, where two people who compare checkpoints find every difference.

A peer with an `ed0120` key signs as the specification says (type 0x01). For a SHA-3 key, which only
Iroha knows, the type is 0xff with a name of ours.
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
_MARK: Final = "\u2014 "
_BODY: Final = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/=]+)\n")
_TYPES: Final = {
    KeyAlgorithm.ED25519_SHA2: b"\x01",
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
    """

    origin: str
    size: int
    root: bytes

    def text(self) -> bytes:
        """Return the text that is signed."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n".encode()


def log_origin(ledger_id: str) -> str:
    """Return the name of a ledger's log.

    Args:
        ledger_id: The hash of the genesis block, 64 hex digits.
    """
    return f"ledger.tegata/{ledger_id}"


def sign_checkpoint(checkpoint: Checkpoint, signer: CheckpointSigner) -> bytes:
    """Return the signed note."""
    text = checkpoint.text()
    key = parse_public_key(signer.public_key)
    signature = _key_id(checkpoint.origin, key) + bytes.fromhex(signer.sign(text))
    return text + f"\n{_MARK}{checkpoint.origin} {_base64(signature)}\n".encode()


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
    checkpoint, signatures = _parse_note(note)
    if checkpoint.origin != origin:
        raise SignatureInvalidError("the checkpoint is of another ledger")
    is_signed = False
    for text in public_keys:
        prefix = _key_id(origin, parse_public_key(text))
        for signature in signatures:
            # A key id is short: as the specification says, a known one must verify.
            if signature.startswith(prefix):
                signed = signature[_KEY_ID_BYTES:].hex()
                verify_signature(public_key=text, signature=signed, payload=checkpoint.text())
                is_signed = True
    if not is_signed:
        raise SignatureInvalidError("no known peer of the ledger has signed the checkpoint")
    return checkpoint


def verifier_key(origin: str, public_key: str) -> str:
    """Return a peer's key as tools for signed notes take it: a `vkey`."""
    key = parse_public_key(public_key)
    encoded = _base64(_TYPES[key.algorithm] + key.raw)
    return f"{origin}+{_key_id(origin, key).hex()}+{encoded}"


def _key_id(name: str, key: PublicKey) -> bytes:
    data = name.encode() + b"\n" + _TYPES[key.algorithm] + key.raw
    return hashlib.sha256(data).digest()[:_KEY_ID_BYTES]


def _parse_note(note: bytes) -> tuple[Checkpoint, list[bytes]]:
    """Return the checkpoint, and the signatures under the log's own name, each after its key id."""
    if len(note) > MAX_NOTE_BYTES:
        raise DecodeError(f"checkpoint: more than {MAX_NOTE_BYTES} bytes")
    try:
        body, _, tail = note.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise DecodeError("checkpoint: not UTF-8") from None
    found = _BODY.fullmatch(body + "\n")
    if found is None or not tail.endswith("\n"):
        raise DecodeError("checkpoint: three lines, an empty one and signatures are expected")
    origin, size, root = found.groups()
    checkpoint = Checkpoint(origin=origin, size=int(size), root=_from_base64(root))
    if len(checkpoint.root) != _HASH_BYTES:
        raise DecodeError("checkpoint: its root is no SHA-256 hash")
    signatures = []
    for line in tail.removesuffix("\n").split("\n"):
        name, _, encoded = line.removeprefix(_MARK).partition(" ")
        if not line.startswith(_MARK) or not name or not encoded:
            raise DecodeError("checkpoint: a line is no signature")
        # Those of others, such as witnesses, are passed over whatever their form.
        if name == origin:
            signatures.append(_from_base64(encoded))
    return checkpoint, signatures


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise DecodeError("checkpoint: base64 is expected") from None
