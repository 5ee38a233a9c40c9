"""The account that a wallet has on a ledger."""

from dataclasses import asdict, dataclass
from typing import Self

from chaincode.encoding import JsonObject
from client_sdk.ledger.torii_channel import is_exposed
from client_sdk.strict_json import JsonFields


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerAccount:
    """The wallet's account on a ledger.

    Attributes:
        account_id: The holder's account.
        ledger_id: The hash of the ledger's genesis block, 64 hex digits.
        torii: `host:port` of the node that the wallet uses.
        registered_by: The account of the issuer that made it: whose credentials the wallet takes.
        issuer_url: Where that issuer's service is, as its credentials name it (`iss`).
        root_certificates: The certificates, PEM text, that the node's own must lead to; None for a
            node that is spoken to in plain.
    """

    account_id: str
    ledger_id: str
    torii: str
    registered_by: str
    issuer_url: str
    root_certificates: str | None = None

    @property
    def tls_roots(self) -> bytes | None:
        """The root certificates, as clients take them; None for a node without TLS."""
        return self.root_certificates.encode() if self.root_certificates else None

    @property
    def is_exposed(self) -> bool:
        """Whether others can read and change what the wallet says to its node."""
        return is_exposed(self.torii, self.tls_roots)

    def to_fields(self) -> JsonObject:
        """Return the account as a JSON object."""
        return asdict(self)

    @classmethod
    def from_fields(cls, fields: JsonFields) -> Self:
        """Return the account that a JSON object stands for.

        Raises:
            VaultFormatError: Something is missing or of the wrong kind.
        """
        return cls(
            account_id=fields.text("account_id"),
            ledger_id=fields.text("ledger_id"),
            torii=fields.text("torii"),
            registered_by=fields.text("registered_by"),
            issuer_url=fields.text("issuer_url"),
            root_certificates=fields.optional_text("root_certificates"),
        )
