"""The URLs of services and other identifiers that a wallet is told, before it follows them."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from chaincode.encoding import JsonValue
from client_sdk.errors import RequestError

MAX_URI_CHARS: Final = 2048
# Without the characters that URL parsers disagree on.
_URL: Final = re.compile(r"[!#-;=?-\[\]_a-z~]+")
# A name or an address, and nothing that means something where a host is written into a header.
_PLACE: Final = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{0,5})?", re.IGNORECASE)


def parse_endpoint(value: JsonValue, name: str) -> str:
    """Return a URL of https, or of http on this machine, where nothing crosses a network.

    Raises:
        RequestError: Another scheme, or not a whole URL that every client reads the same way.
    """
    text, parts = _parse_whole(value, name)
    if parts.scheme != "https" and not (
        parts.scheme == "http" and is_loopback(parts.hostname or "")
    ):
        raise RequestError(f"{name}: https is required, except on this machine")
    return text


def parse_private_endpoint(value: JsonValue, name: str) -> str:
    """Return a URL of https or http: of what an operator reaches inside its own network.

    Never for what somebody else named, or where anything secret is sent or believed.

    Raises:
        RequestError: Another scheme, or not a whole URL that every client reads the same way.
    """
    text, parts = _parse_whole(value, name)
    if parts.scheme not in ("https", "http"):
        raise RequestError(f"{name}: http or https is expected")
    return text


def _parse_whole(value: JsonValue, name: str) -> tuple[str, SplitResult]:
    text = parse_identifier(value, name)
    try:
        parts = urlsplit(text)
        is_whole = (
            bool(parts.hostname)
            and parts.port != 0
            and _PLACE.fullmatch(parts.netloc) is not None
            and not parts.fragment
            and parts.username is None
            and _URL.fullmatch(text) is not None
        )
    except ValueError:
        is_whole = False
    if not is_whole:
        raise RequestError(f"{name}: a whole URL without user name and fragment is expected")
    return text, parts


def parse_identifier(value: JsonValue, name: str) -> str:
    """Return a text without spaces and of bounded length.

    Raises:
        RequestError: Not such a text.
    """
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_URI_CHARS or " " in value:
        raise RequestError(f"{name}: a text of 1 to {MAX_URI_CHARS} characters is expected")
    return value


def is_loopback(host: str) -> bool:
    """Return whether a host, a name or an address without brackets, is this machine itself."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
