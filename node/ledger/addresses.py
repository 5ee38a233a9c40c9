"""The addresses that configurations name."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator

_MAX_PORT: Final = 65535


def _validate_address(address: str) -> str:
    # gRPC would take port 99999 for 34463.
    host, _, port = address.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > _MAX_PORT:
        raise ValueError("host:port is expected, with a port from 0 to 65535")
    return address


Address = Annotated[str, AfterValidator(_validate_address)]
"""`host:port`; port 0 lets the system choose."""
