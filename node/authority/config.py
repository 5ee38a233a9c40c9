"""The authority's configuration: one TOML file."""

from pydantic import Field

from chaincode.ids import ACCOUNT_ID, HASH
from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE
from node.config import ConfigPath, ProcessConfig
from node.database import DatabaseUrl


class AuthorityConfig(ProcessConfig):
    """`authority.toml`. Relative paths are taken from the file's folder.

    Attributes:
        listen: `host:port` to bind; port 0 takes any free one.
        database_url: SQLAlchemy's URL of the store.
        metrics: `host:port` where Prometheus finds `/metrics`; nowhere where it is left out.
        share_file: The authority's share of the issuer's key.
        issuer_token_sha256: SHA-256 of the token that the issuer's service signs its requests
            with, 64 hex digits.
        issuer_url: The `iss` of every credential.
        issuer_account: The issuer's ledger account.
        ledger_id: The ledger's id, 64 hex digits.
        credential_type: The `vct` of every credential.
        max_days: How long a credential may last.
    """

    environment_prefix = "TEGATA_AUTHORITY_"

    listen: str = "127.0.0.1:8091"
    database_url: DatabaseUrl = "sqlite:///authority.db"
    metrics: str | None = None
    share_file: ConfigPath
    issuer_token_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    issuer_url: str
    issuer_account: str = Field(pattern=f"^{ACCOUNT_ID.pattern}$")
    ledger_id: str = Field(pattern=f"^{HASH.pattern}$")
    credential_type: str = RESIDENT_CREDENTIAL_TYPE
    max_days: int = Field(default=366, ge=1, le=3660)
