"""Receipts of accesses: who saw what, when and why, under which grant, for the holder's eyes.

A gateway writes `tg_seen_<grant>_<n>` to the holder's account before its verifier sees anything.
The ledger holds a salted hash, and the access sealed to a key that the holder has for this grant
alone: so nobody else can read it, and no two receipts have a key in common.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from chaincode.encoding import (
    JsonObject,
    decode_canonical_json,
    encode_base64url,
    encode_canonical_json,
)
from chaincode.errors import DecodeError
from chaincode.protocol.commands_pb2 import Command
from chaincode.records import SeenRecord, encode_record, seen_id
from client_sdk.errors import ReceiptError, SealError
from client_sdk.ledger.commands import compare_and_set_account_detail
from client_sdk.ledger.grants import ClaimPath, new_salt
from client_sdk.sealing.hpke import SealingKey, seal
from client_sdk.strict_json import JsonFields

_DOMAIN: Final = "tegata access receipt v1"
_BLOCK_BYTES: Final = 512
"""Sealed texts are filled up to whole blocks: their length tells no attribute's or purpose's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One use of a grant, as its gateway tells it to the holder.

    Attributes:
        grant: The grant's record id, 32 hex digits.
        use: Which use of it, from 1.
        verifier: The verifier's client identifier, with its prefix.
        verifier_name: Its name.
        attributes: Claim paths, sorted; never values.
        purpose: What for.
        seen_at_ms: When, by the gateway's clock: milliseconds since 1970, UTC.
        shown: What was shown, as `digest_shown` knows it: 32 bytes.
        salt: 16 random bytes in base64url.
    """

    grant: str
    use: int
    verifier: str
    verifier_name: str
    attributes: tuple[ClaimPath, ...]
    purpose: str
    seen_at_ms: int
    shown: bytes
    salt: str = field(default_factory=new_salt, repr=False)

    def to_fields(self) -> JsonObject:
        """Return the access as a JSON object."""
        return {
            "grant": self.grant,
            "use": self.use,
            "verifier": self.verifier,
            "verifier_name": self.verifier_name,
            "attributes": [list(path) for path in self.attributes],
            "purpose": self.purpose,
            "seen_at_ms": self.seen_at_ms,
            "shown": encode_base64url(self.shown),
            "salt": self.salt,
        }

    @classmethod
    def from_fields(cls, members: JsonObject) -> Self:
        """Return the access that a JSON object stands for.

        Raises:
            ReceiptError: Something is missing or of the wrong kind.
        """
        fields = JsonFields(members, what="the access", error=ReceiptError)
        return cls(
            grant=fields.text("grant"),
            use=fields.whole("use"),
            verifier=fields.text("verifier"),
            verifier_name=fields.text("verifier_name"),
            attributes=fields.paths("attributes"),
            purpose=fields.text("purpose"),
            seen_at_ms=fields.whole("seen_at_ms"),
            shown=fields.data("shown"),
            salt=fields.text("salt"),
        )

    @property
    def salted_hash(self) -> bytes:
        """The 32 bytes that the ledger holds of it.

        Raises:
            ReceiptError: The access has no canonical form.
        """
        return hashlib.sha256(_canonical(self)).digest()


def digest_shown(presentations: Mapping[str, Sequence[str]]) -> bytes:
    """Return by what receipts know the presentations of one answer: 32 bytes.

    Args:
        presentations: By the id of the credential query.
    """
    texts = [text for query_id in sorted(presentations) for text in presentations[query_id]]
    return hashlib.sha256("\n".join(texts).encode()).digest()


def receipt_key(secret: bytes, grant_id: str) -> SealingKey:
    """Return the key that the receipts of one grant are sealed to.

    Args:
        secret: The wallet's secret for receipts, 32 random bytes.
        grant_id: The grant's record id.
    """
    return SealingKey.derive(secret, f"{_DOMAIN}\n{grant_id}".encode())


def build_receipt(access: Access, public_key: bytes, *, ledger: str, account: str) -> SeenRecord:
    """Return the record of an access, sealed to the holder.

    Args:
        access: What is seen.
        public_key: The grant's receipt key, 32 bytes, as the holder signed it.
        ledger: The ledger's id.
        account: The holder's account.

    Raises:
        ReceiptError: The access has no canonical form.
        KeyFormatError: The public key is none.
    """
    content = _canonical(access)
    padded = content + b" " * (-len(content) % _BLOCK_BYTES)
    info = _place(ledger, account, access.grant, access.use)
    return SeenRecord(salted_hash=access.salted_hash, sealed=seal(padded, public_key, info=info))


def open_receipt(
    record: SeenRecord, key: SealingKey, *, ledger: str, account: str, grant: str, use: int
) -> Access:
    """Return the access that a receipt on the ledger tells of.

    Args:
        record: As the ledger holds it.
        key: The grant's `receipt_key`.
        ledger: The ledger's id.
        account: The holder's account.
        grant: The grant that the receipt's key on the ledger names.
        use: The use that it names.

    Raises:
        ReceiptError: It is not sealed for this place, or says something else than its hash.
    """
    try:
        content = key.open(record.sealed, info=_place(ledger, account, grant, use))
        access = Access.from_fields(decode_canonical_json(content.rstrip(b" ")))
    except (DecodeError, SealError) as error:
        raise ReceiptError(f"the receipt cannot be read: {error}") from None
    if not hmac.compare_digest(access.salted_hash, record.salted_hash):
        raise ReceiptError("the receipt says something else than its hash on the ledger")
    if (access.grant, access.use) != (grant, use):
        raise ReceiptError("the receipt tells of another use than the one that it is written for")
    return access


def write_receipt(account: str, grant: str, use: int, record: SeenRecord) -> Command:
    """Return the command by which the grant's gateway writes a receipt, where none is yet.

    Raises:
        DecodeError: A field of the record is not acceptable.
    """
    key = SeenRecord.key(seen_id(grant, use))
    return compare_and_set_account_detail(account, key, encode_record(record), old_value=None)


def _canonical(access: Access) -> bytes:
    try:
        return encode_canonical_json(access.to_fields())
    except DecodeError as error:
        raise ReceiptError(f"the access has no canonical form: {error}") from None


def _place(ledger: str, account: str, grant: str, use: int) -> bytes:
    return "\n".join([_DOMAIN, ledger, account, grant, str(use)]).encode()
