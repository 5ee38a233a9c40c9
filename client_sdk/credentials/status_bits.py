"""One list of statuses in both published forms: two bits a status, and two lists of one bit.

The Bitstring Status List has a list for each purpose; together they say what the Token Status List
says at two bits. So one digest on the ledger, of the packed statuses, vouches for both forms.
"""

from typing import Final

from client_sdk.credentials.bitstring_status_list import Bitstring
from client_sdk.credentials.token_status_list import Status, StatusList
from client_sdk.errors import StatusListError

REVOCATION: Final = "revocation"
SUSPENSION: Final = "suspension"
STATUS_OF: Final = {REVOCATION: Status.INVALID, SUSPENSION: Status.SUSPENDED}
"""By `statusPurpose` (Bitstring Status List section 2.1)."""
BITS: Final = 2
_PLACES: Final = range(4)


def purpose_url(uri: str, purpose: str) -> str:
    """Return where an issuer publishes the list of one purpose, beside the list at `uri`."""
    return f"{uri}/{purpose}"


def select_bits(statuses: StatusList, purpose: str) -> Bitstring:
    """Return the list of one purpose: a set bit where a status is the purpose's own.

    Args:
        statuses: At two bits a status; a multiple of eight of them.
        purpose: One of `STATUS_OF`.
    """
    wanted = STATUS_OF[purpose]
    halves = bytes(
        sum(0x8 >> place for place in _PLACES if packed >> 2 * place & 3 == wanted)
        for packed in range(256)
    )
    halved = statuses.packed.translate(halves)
    left, right = halved[::2], halved[1::2]
    joined = int.from_bytes(left, "big") << 4 | int.from_bytes(right, "big")
    return Bitstring(joined.to_bytes(len(left), "big"))


def join_bits(revocation: Bitstring, suspension: Bitstring) -> StatusList:
    """Return the statuses that two lists stand for; a revoked credential is revoked in both forms.

    Raises:
        StatusListError: They are not of the same size.
    """
    if len(revocation) != len(suspension):
        raise StatusListError("the lists of the two purposes are not of the same size")
    statuses = bytearray()
    for revoked, suspended in zip(revocation.packed, suspension.packed, strict=True):
        for shift in (4, 0):
            statuses.append(_JOINED[revoked >> shift & 0xF][suspended >> shift & 0xF])
    return StatusList(bits=BITS, data=bytes(statuses))


def _join(revoked: int, suspended: int) -> int:
    packed = 0
    for place in _PLACES:
        if revoked & 0x8 >> place:
            packed |= Status.INVALID << 2 * place
        elif suspended & 0x8 >> place:
            packed |= Status.SUSPENDED << 2 * place
    return packed


_JOINED: Final = [[_join(revoked, suspended) for suspended in range(16)] for revoked in range(16)]
