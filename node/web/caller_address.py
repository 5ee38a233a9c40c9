"""By what callers are counted that are known by nothing else: the address that they call from."""

import ipaddress
from typing import Final

from flask import request

_OWN_BITS: Final = 64
"""Of an IPv6 address: what one connection to the network has at least for itself (RFC 6177)."""


def caller_address() -> str:
    """Return who sends the current request, as far as its address tells.

    Of IPv6 it is the network: whoever has one has as many addresses as he likes.
    """
    text = request.remote_addr or ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv4Address):
        return text
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), _OWN_BITS), strict=False))
