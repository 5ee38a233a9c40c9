"""The sealed backup, and the keys that only the right password with t agents gives.

    rwd  = OPRF(handle | agent-set id | secret)          64 bytes, by t agents
    root = Argon2id(rwd, salt = handle | agent-set id)   what a guess costs t colluding agents
    wallet secret = HKDF(root)     kept in the wallet and on paper: reads and updates the backup
    success seed = HKDF(root)      kept nowhere: proves that the password is known

The contents are padded, so that agents see their size in steps only.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from nacl import pwhash
from nacl.exceptions import CryptoError
from nacl.secret import Aead

from chaincode.encoding import JsonObject, encode_canonical_json
from client_sdk.credentials.jose import Key, key_from_seed
from client_sdk.errors import CredentialFormatError, EscrowError, EscrowFormatError
from client_sdk.escrow.recovery_secret import RecoverySecret, encode_secret
from client_sdk.sealing.vault import KdfProfile
from client_sdk.strict_json import encode_json, parse_strict_json_object

STEP_BYTES: Final = 4096
MAX_PLAIN_BYTES: Final = (1 << 20) - STEP_BYTES
_INPUT: Final = b"tegata rwd v1"
_KIB: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletSecret:
    """What a protected wallet keeps, so that it can update its backup without the password.

    Attributes:
        value: 32 bytes; paper shares hold the same.
    """

    value: bytes = field(repr=False)

    @property
    def backup_key(self) -> bytes:
        """The key that seals the backup."""
        return _expand(self.value, "backup key")

    @property
    def owner_key(self) -> Key:
        """The private key that reads, updates and withdraws the backup."""
        return key_from_seed(_expand(self.value, "owner key"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryKeys:
    """What the right password gives.

    Attributes:
        wallet_secret: What the wallet keeps.
        success_seed: Of the key that proves that the password is known.
    """

    wallet_secret: WalletSecret
    success_seed: bytes = field(repr=False)

    @property
    def success_key(self) -> Key:
        """The private key that proves that the password is known."""
        return key_from_seed(self.success_seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupPlace:
    """What a sealed backup is bound to.

    Attributes:
        handle: The recovery card's name.
        agent_set: The agents' digest.
        epoch: The deposit's epoch.
        version: The backup's version.
    """

    handle: str
    agent_set: str
    epoch: int
    version: int

    @property
    def associated_data(self) -> bytes:
        """The bytes that are authenticated with the backup."""
        fields: JsonObject = {
            "handle": self.handle,
            "agent_set": self.agent_set,
            "epoch": self.epoch,
            "version": self.version,
        }
        return encode_canonical_json(fields)


def oprf_input(*, handle: str, agent_set: str, secret: RecoverySecret) -> bytes:
    """Return the input of the OPRF; handle and agent set have a fixed length.

    Raises:
        WeakPasswordError: The password is too long, or no Unicode text.
    """
    return _INPUT + handle.encode() + agent_set.encode() + encode_secret(secret)


def derive_keys(rwd: bytes, *, handle: str, agent_set: str, kdf: KdfProfile) -> RecoveryKeys:
    """Return the keys that belong to an output of the OPRF.

    Raises:
        EscrowError: This machine has too little memory free for Argon2id.
    """
    salt = hashlib.sha256(f"tegata backup salt v1:{handle}:{agent_set}".encode()).digest()
    try:
        root = pwhash.argon2id.kdf(
            Aead.KEY_SIZE,
            rwd,
            salt[: pwhash.argon2id.SALTBYTES],
            opslimit=kdf.passes,
            memlimit=kdf.memory_kib * _KIB,
        )
    except (CryptoError, MemoryError):
        raise EscrowError(
            f"this machine has no {kdf.memory_kib // _KIB} MiB of memory free for Argon2id"
        ) from None
    return RecoveryKeys(
        wallet_secret=WalletSecret(value=_expand(root, "wallet secret")),
        success_seed=_expand(root, "success key"),
    )


def seal_backup(contents: JsonObject, *, secret: WalletSecret, place: BackupPlace) -> bytes:
    """Return the contents sealed (XChaCha20-Poly1305).

    Raises:
        EscrowFormatError: They are larger than 1 MiB.
    """
    plain = encode_json(contents)
    if len(plain) > MAX_PLAIN_BYTES:
        raise EscrowFormatError(f"a backup holds at most {MAX_PLAIN_BYTES} bytes")
    # White space after JSON is JSON: the padding needs no form of its own.
    padded = plain + b" " * (-len(plain) % STEP_BYTES)
    return bytes(Aead(secret.backup_key).encrypt(padded, aad=place.associated_data))


def open_backup(sealed: bytes, *, secret: WalletSecret, place: BackupPlace) -> JsonObject:
    """Return the contents of a backup.

    Raises:
        EscrowFormatError: It was changed, or belongs to another place.
    """
    try:
        plain = Aead(secret.backup_key).decrypt(sealed, aad=place.associated_data)
        return parse_strict_json_object(plain)
    except (CryptoError, ValueError, CredentialFormatError):
        raise EscrowFormatError(
            f"the backup that is said to be version {place.version} does not open: it was changed"
        ) from None


def _expand(root: bytes, purpose: str) -> bytes:
    info = f"tegata {purpose} v1".encode()
    return HKDFExpand(algorithm=SHA256(), length=32, info=info).derive(root)
