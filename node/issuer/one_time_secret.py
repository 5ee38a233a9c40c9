"""One-time secrets of the service: how they are made, kept as hashes, and used as keys.

The store holds neither a code nor a token, and attributes only sealed under a key that follows
from the code or token which its holder has. A copy of the database therefore tells nothing.
"""

import hashlib
import secrets
from typing import Final

from nacl.exceptions import CryptoError
from nacl.secret import Aead

from node.errors import StorageError

_SECRET_BYTES: Final = 32
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ENROLMENT_GROUPS: Final = 4
_GROUP_CHARS: Final = 5
_TX_CODE_DIGITS: Final = 6


def new_secret() -> str:
    """Return 256 random bits in base64url."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def new_transaction_code() -> str:
    """Return six random digits, for a person to type."""
    return f"{secrets.randbelow(10**_TX_CODE_DIGITS):0{_TX_CODE_DIGITS}}"


def new_enrolment_code() -> str:
    """Return 100 random bits in letters and digits that are not misread, in four groups."""
    return "-".join(
        "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_CHARS))
        for _ in range(_ENROLMENT_GROUPS)
    )


def code_of_offer(offer_id: str) -> str:
    """Return the pre-authorized code of an offer, which follows from the offer's secret id."""
    return _derive(b"preauth code", offer_id).hex()


def issuer_state_of_offer(offer_id: str) -> str:
    """Return the `issuer_state` of an offer, which follows from the offer's secret id."""
    return _derive(b"issuer state", offer_id).hex()


def hash_secret(secret: str) -> str:
    """Return what the store knows a secret by, 64 hex digits."""
    return _derive(b"stored hash", secret).hex()


def hash_transaction_code(tx_code: str, code: str) -> str:
    """Return the hash of a transaction code; without the offer's code nobody can guess it."""
    return hashlib.blake2b(
        tx_code.encode("utf-8", "surrogatepass"), key=_derive(b"tx code", code), digest_size=32
    ).hexdigest()


def seal(plain: bytes, secret: str) -> bytes:
    """Seal bytes so that only one who has the secret can open them (XChaCha20-Poly1305)."""
    return bytes(Aead(_derive(b"attributes", secret)).encrypt(plain))


def unseal(sealed: bytes, secret: str) -> bytes:
    """Open sealed bytes.

    Raises:
        StorageError: They were changed, or sealed under another secret.
    """
    try:
        return Aead(_derive(b"attributes", secret)).decrypt(sealed)
    except CryptoError:
        raise StorageError(
            "the store's sealed attributes do not open; the row is damaged"
        ) from None


def _derive(purpose: bytes, secret: str) -> bytes:
    # The secrets have 100 bits or more, so that no slow hash is needed.
    text = secret.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, person=purpose, digest_size=32).digest()
