"""An HTTP message as its signature covers it (RFC 9421)."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class SignedMessage:
    """An HTTP request that is signed, or whose signature is checked.

    Attributes:
        method: Such as `POST`.
        url: The whole address.
        headers: By name; signing adds some.
        body: The bytes.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = field(repr=False)
