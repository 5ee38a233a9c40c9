"""Passwords of those who work at the pages: kept as Argon2id hashes (RFC 9106)."""

import secrets
import threading
from functools import cache
from typing import Annotated, Final

from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from pydantic import StringConstraints
from zxcvbn_rs_py import zxcvbn

MAX_PASSWORD_BYTES: Final = 1024
MIN_GUESSES_LOG10: Final = 10.0
"""How many guesses a password must take at least: the login is the only door."""
PasswordHash = Annotated[
    str,
    StringConstraints(
        max_length=127,
        pattern=r"^\$argon2id\$v=19\$m=[0-9]+,t=[0-9]+,p=[0-9]+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+$",
    ),
]
"""An Argon2id hash in its encoded form, as `hash_password` makes it."""

# Each takes 64 MiB while it runs.
_AT_ONCE: Final = threading.BoundedSemaphore(2)


def hash_password(password: str) -> str:
    """Return the Argon2id hash of a password, with a fresh salt: two passes over 64 MiB.

    Raises:
        ValueError: It is too easily guessed, or too long; the text says so.
    """
    if len(password.encode()) > MAX_PASSWORD_BYTES:
        raise ValueError(f"the password is longer than {MAX_PASSWORD_BYTES} bytes")
    if zxcvbn(password[:100]).guesses_log10 < MIN_GUESSES_LOG10:
        raise ValueError("the password is too easily guessed; take four random words or more")
    return _hash(password.encode())


def matches_password(password: str, password_hash: str | None) -> bool:
    """Tell whether a password is the one that was hashed; None takes as long, and never matches."""
    given = password.encode("utf-8", "surrogatepass")
    known = password_hash or _nobodys_hash()
    with _AT_ONCE:
        try:
            is_same = argon2id.verify(known.encode(), given[:MAX_PASSWORD_BYTES])
        except CryptoError:
            is_same = False
    return is_same and len(given) <= MAX_PASSWORD_BYTES and password_hash is not None


def _hash(password: bytes) -> str:
    return argon2id.str(
        password, opslimit=argon2id.OPSLIMIT_INTERACTIVE, memlimit=argon2id.MEMLIMIT_INTERACTIVE
    ).decode()


@cache
def _nobodys_hash() -> str:
    return _hash(secrets.token_bytes(16))
