"""Callers known by a bearer token (RFC 6750), of which only the hash is kept."""

import hashlib
import hmac
from collections.abc import Mapping

from flask import request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized


def bearer_token() -> str | None:
    """Return the token that came with the current request; None where none did."""
    credentials = request.authorization
    token = credentials.token if credentials and credentials.type == "bearer" else None
    return token or None


def unauthorized(needed: str) -> Unauthorized:
    """Return the error that asks for a token.

    Args:
        needed: What to say, such as `An API key is needed`.
    """
    return Unauthorized(
        f"{needed}: Authorization: Bearer <token>.",
        www_authenticate=WWWAuthenticate("bearer", {"realm": "tegata"}),
    )


def authenticate(token_hashes: Mapping[str, str], *, needed: str) -> str:
    """Return the id of the caller whose token came with the current request.

    Args:
        token_hashes: SHA-256 of each caller's token, 64 hex digits, by the caller's id. Tokens are
            random, with at least 128 bits: a plain hash cannot be searched back.
        needed: What to say where none of them came, such as `An API key is needed`.

    Raises:
        Unauthorized: The token is missing or nobody's.
    """
    token = bearer_token()
    digest = hashlib.sha256((token or "").encode("utf-8", "surrogateescape")).hexdigest()
    found = [caller for caller, known in token_hashes.items() if hmac.compare_digest(known, digest)]
    if not token or not found:
        raise unauthorized(needed)
    return found[0]
