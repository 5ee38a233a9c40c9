"""What a holder grants: the terms, their commitment on the ledger, their form in a request.

The ledger holds only the commitment. The opening (the salt) goes to the gateway inside the
key-binding JWT, so that a presentation and its grant cannot be parted.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from nacl.utils import random as random_bytes

from chaincode.encoding import (
    JsonObject,
    decode_base64url,
    encode_base64url,
    encode_canonical_json,
)
from chaincode.errors import DecodeError
from client_sdk.errors import GrantError
from client_sdk.purposes import DEFAULT_TERM

SALT_BYTES: Final = 16
TRANSACTION_DATA_TYPE: Final = "tegata_grant"

ClaimPath = tuple[str | int | None, ...]
"""Where a claim is: names, positions in arrays, None for all elements of one."""


def new_record_id() -> str:
    """Return a random record id: 32 lower-case hex digits."""
    return random_bytes(16).hex()


def new_salt() -> str:
    """Return 128 random bits in base64url."""
    return encode_base64url(random_bytes(SALT_BYTES))


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantTerms:
    """Who may see what, of which credential, for what.

    Attributes:
        verifier: The verifier's OpenID4VP client identifier, with its prefix.
        credential: The credential's record id, 32 hex digits.
        attributes: Claim paths, in any order.
        purpose: Plain words that the holder was shown.
        purpose_term: The identifier of the purpose's term (`client_sdk.purposes`).
    """

    verifier: str
    credential: str
    attributes: tuple[ClaimPath, ...]
    purpose: str
    purpose_term: str = DEFAULT_TERM.iri

    def commitment(self, salt: str) -> bytes:
        """Return the 32 bytes that the ledger holds for these terms.

        Args:
            salt: 16 random bytes in base64url.

        Raises:
            GrantError: The salt is not 16 bytes in base64url, or a term has no canonical form.
        """
        fields: JsonObject = {
            # Their order says nothing, and must not tell two requests for the same apart.
            "attributes": sorted([list(path) for path in self.attributes], key=json.dumps),
            "credential": self.credential,
            "purpose": self.purpose,
            "purpose_term": self.purpose_term,
            "salt": salt,
            "verifier": self.verifier,
        }
        try:
            opening = decode_base64url(salt)
            canonical = encode_canonical_json(fields)
        except DecodeError as error:
            raise GrantError(f"the grant's terms have no commitment: {error}") from None
        if len(opening) != SALT_BYTES:
            raise GrantError(f"the grant's opening is not {SALT_BYTES} bytes long")
        return hashlib.sha256(canonical).digest()
