"""Where a credential stands on the ledger: the claim `tegata` that its issuer signs."""

from dataclasses import dataclass, field
from typing import Self

from chaincode.encoding import JsonObject, JsonValue
from chaincode.ids import ACCOUNT_ID, HASH, RECORD_ID
from client_sdk.errors import AnchorError


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialPlace:
    """What a credential says of its anchor.

    Attributes:
        ledger: The ledger's id, 64 hex digits.
        issuer: The issuer's account.
        record: The credential's id: that of its `tg_cred_` record, where it is anchored alone.
        account: The holder's account, of which the holder's key is a signatory; None for none.
        status_list: The id of the `tg_status_` record of its status list; None for none.
        salt: 16 bytes in base64url, so that nobody guesses what the salted hash is of.
    """

    ledger: str
    issuer: str
    record: str
    account: str | None = None
    status_list: str | None = None
    salt: str = field(repr=False)

    def to_claim(self) -> JsonObject:
        """Return the claim's value."""
        claim: JsonObject = {
            "ledger": self.ledger,
            "issuer": self.issuer,
            "record": self.record,
            "salt": self.salt,
        }
        if self.account is not None:
            claim["account"] = self.account
        if self.status_list is not None:
            claim["status"] = self.status_list
        return claim

    @classmethod
    def from_claim(cls, claim: JsonValue) -> Self:
        """Return what the claim says; an account that is none counts as none.

        Raises:
            AnchorError: The claim is missing, or does not say where the credential is anchored.
        """
        if not isinstance(claim, dict):
            raise AnchorError("the credential does not say where its record is")
        ledger, issuer, record = claim.get("ledger"), claim.get("issuer"), claim.get("record")
        if not isinstance(ledger, str) or not HASH.fullmatch(ledger):
            raise AnchorError("the credential does not name its ledger")
        if not isinstance(issuer, str) or not ACCOUNT_ID.fullmatch(issuer):
            raise AnchorError("the credential does not name its issuer's account")
        if not isinstance(record, str) or not RECORD_ID.fullmatch(record):
            raise AnchorError("the credential does not name its record")
        status_list: JsonValue = claim.get("status")
        if not isinstance(status_list, str) or not RECORD_ID.fullmatch(status_list):
            if "status" in claim:
                raise AnchorError("the credential does not name its status list")
            status_list = None
        account, salt = claim.get("account"), claim.get("salt")
        if not isinstance(account, str) or not ACCOUNT_ID.fullmatch(account):
            account = None
        return cls(
            ledger=ledger,
            issuer=issuer,
            record=record,
            account=account,
            status_list=status_list,
            salt=salt if isinstance(salt, str) else "",
        )
