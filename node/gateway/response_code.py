"""The response code of an answer on one device (OpenID4VP 1.0 sections 13.3 and 14.2).

The answer is then for the browser that the wallet sent back, and for no other: who began the
request may have lured somebody else into answering it.
"""

import hashlib
import hmac
from urllib.parse import urlencode, urlsplit, urlunsplit

from client_sdk.ledger.grants import new_salt
from node.errors import ApiError
from node.gateway.store import StoredRequest


def new_code(stored: StoredRequest) -> str | None:
    """Return a fresh code for the browser that answers a request; None where none is sent back."""
    return None if stored.redirect_uri is None else new_salt()


def hash_code(code: str | None) -> str | None:
    """Return what is kept of a code."""
    return None if code is None else hashlib.sha256(code.encode()).hexdigest()


def redirect_with(stored: StoredRequest, code: str | None) -> str | None:
    """Return where the wallet sends the browser, with the code as one more parameter."""
    if stored.redirect_uri is None or code is None:
        return None
    parts = urlsplit(stored.redirect_uri)
    parameter = urlencode({"response_code": code})
    query = f"{parts.query}&{parameter}" if parts.query else parameter
    return urlunsplit(parts._replace(query=query))


def is_readable(stored: StoredRequest, response_code: str | None) -> bool:
    """Tell whether a caller may learn how a request was answered.

    Args:
        stored: The request.
        response_code: What the browser brought; None where it brought nothing.

    Raises:
        ApiError: The code is another one.
    """
    expected = stored.response_code_sha256
    if expected is None:
        return True
    found = hash_code(response_code)
    if found is None:
        return False
    if not hmac.compare_digest(expected, found):
        raise ApiError(
            403,
            "wrong_response_code",
            "The response code is another one",
            "Pass on the response_code with which the wallet sent the holder's browser back.",
        )
    return True
