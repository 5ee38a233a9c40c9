"""The hash of what is asked of the agents, to which a face attestation is bound."""

import hashlib
from typing import Final

from chaincode.encoding import JsonObject, encode_base64url, encode_canonical_json

RECOVERY_PURPOSE: Final = "tegata-recovery"


def evaluation_hash(*, handle: str, epoch: int, blinded_element: bytes) -> str:
    """Return the SHA-256 of one recovery's request, base64url; it is the same at every agent."""
    fields: JsonObject = {
        "purpose": RECOVERY_PURPOSE,
        "handle": handle,
        "epoch": epoch,
        "blinded_element": encode_base64url(blinded_element),
    }
    return encode_base64url(hashlib.sha256(encode_canonical_json(fields)).digest())
