"""Which status lists an authority signs: its issuer's own, and none that takes a revocation back.

Pure: the caller brings the time, and keeps what was signed before.
"""

from dataclasses import dataclass
from typing import Final

from chaincode.encoding import JsonObject
from chaincode.ids import RECORD_ID
from client_sdk.credentials.bitstring_status_list import MIN_ENTRIES
from client_sdk.credentials.jose import EDDSA, UnverifiedToken, parse_compact
from client_sdk.credentials.status_bits import BITS
from client_sdk.credentials.token_status_list import STATUS_LIST_TYP, StatusList
from client_sdk.errors import ClientError
from node.authority.policy import MAX_CLOCK_DIFFERENCE_S, NO_SIGNATURE, CredentialTerms
from node.errors import PolicyRefusedError

MAX_LIST_SECONDS: Final = 3 * 86_400
"""How long a list may be good: so long nobody need hear of a revocation."""
_MEMBERS: Final = {"sub", "iat", "exp", "ttl", "status_list"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListToSign:
    """A status list that is within the terms.

    Attributes:
        list_id: The id of its record on the ledger.
        packed: Its statuses, two bits each.
    """

    list_id: str
    packed: bytes


def is_status_list(signing_input: str) -> bool:
    """Tell whether what is to be signed calls itself a status list."""
    try:
        return _parse(signing_input).unverified_header.get("typ") == STATUS_LIST_TYP
    except ClientError:
        return False


def check_status_list(signing_input: str, terms: CredentialTerms, *, now_s: int) -> ListToSign:
    """Return a status list that this authority may sign, if it takes no revocation back.

    Args:
        signing_input: The header and payload that would be signed (RFC 7515 section 5.1).
        terms: What the authority agreed to.
        now_s: Seconds since 1970-01-01 UTC.

    Raises:
        PolicyRefusedError: It may not; the text says why.
    """
    try:
        token = _parse(signing_input)
        claims = token.unverified_payload
        packed = _statuses(claims).packed
    except ClientError as error:
        raise PolicyRefusedError(f"not a status list that can be read: {error}") from None
    if token.unverified_header != {"alg": EDDSA, "typ": STATUS_LIST_TYP, "kid": terms.key_id}:
        raise PolicyRefusedError("its header is not that of this issuer's status lists")
    folder, _, list_id = str(claims.get("sub")).rpartition("/")
    if folder != f"{terms.issuer_url}/status-lists" or not RECORD_ID.fullmatch(list_id):
        raise PolicyRefusedError("it is published elsewhere than this issuer's lists (sub)")
    issued_at, expires_at = claims.get("iat"), claims.get("exp")
    if not isinstance(issued_at, int) or abs(issued_at - now_s) > MAX_CLOCK_DIFFERENCE_S:
        raise PolicyRefusedError("it is not issued now (iat); check the clocks")
    if not isinstance(expires_at, int) or not 0 < expires_at - issued_at <= MAX_LIST_SECONDS:
        raise PolicyRefusedError(f"it is good for longer than {MAX_LIST_SECONDS} s (exp)")
    if claims.keys() != _MEMBERS:
        raise PolicyRefusedError("it says more than a status list says")
    return ListToSign(list_id=list_id, packed=packed)


def keeps_revocations(before: bytes, after: bytes) -> bool:
    """Tell whether all that was revoked still is, in a list of the same size.

    Args:
        before: Packed statuses, two bits each.
        after: The same.
    """
    return len(before) == len(after) and not _revoked(before) & ~_revoked(after)


def _statuses(claims: JsonObject) -> StatusList:
    match claims.get("status_list"):
        case {"bits": 2, "lst": str(text)}:
            statuses = StatusList.decode(text, bits=BITS)
        case _:
            raise PolicyRefusedError("a list of two bits a status is expected (status_list)")
    if len(statuses) < MIN_ENTRIES:
        raise PolicyRefusedError(f"it hides a holder among fewer than {MIN_ENTRIES}")
    return statuses


def _parse(signing_input: str) -> UnverifiedToken:
    return parse_compact(f"{signing_input}.{NO_SIGNATURE}")


def _revoked(packed: bytes) -> int:
    """Return one bit for each status that is `INVALID`: the lower of its two, and not the upper."""
    statuses, lower = int.from_bytes(packed, "big"), int.from_bytes(b"\x55" * len(packed), "big")
    return statuses & lower & ~(statuses >> 1)
