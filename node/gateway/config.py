"""The gateway's configuration: one TOML file."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from client_sdk.endpoint_url import parse_endpoint
from client_sdk.errors import KeyFormatError, RequestError
from client_sdk.openid4vp.access_certificate import AccessIdentity, load_identity
from node.config import ConfigPath, LedgerAccess, ProcessConfig
from node.database import DatabaseUrl
from node.errors import ConfigError


def _endpoint(text: str) -> str:
    try:
        return parse_endpoint(text.rstrip("/"), "public_url")
    except RequestError as error:
        raise ValueError(str(error)) from None


class VerifierConfig(BaseModel):
    """One verifier that this gateway serves.

    Attributes:
        id: A short name for logs and configuration.
        api_key_sha256: SHA-256 of its API key, 64 hex digits; the key has at least 128 random bits.
        certificate_chain_file: PEM; the verifier's certificate first.
        private_key_file: PEM; the key of that certificate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9_-]{1,64}$")
    api_key_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    certificate_chain_file: ConfigPath
    private_key_file: ConfigPath


class GatewayConfig(ProcessConfig):
    """`gateway.toml`. Relative paths are taken from the file's folder.

    Attributes:
        public_url: Where wallets reach this service; https, or http on this machine.
        listen: `host:port` to bind; port 0 takes any free one.
        database_url: SQLAlchemy's URL of the store of requests.
        request_seconds: How long a wallet has to answer.
        result_seconds: How long a verifier can read a result before its values are deleted.
        encrypt_responses: Whether wallets must encrypt their responses to a key of each request
            (`direct_post.jwt`); without it they travel under TLS alone.
        ledger: The ledger.
        verifiers: Who may ask.
    """

    public_url: Annotated[str, AfterValidator(_endpoint)]
    listen: str = "127.0.0.1:8080"
    database_url: DatabaseUrl = "sqlite:///gateway.db"
    request_seconds: int = Field(default=300, ge=30, le=3600)
    result_seconds: int = Field(default=600, ge=10, le=86_400)
    encrypt_responses: bool = True
    ledger: LedgerAccess
    verifiers: tuple[VerifierConfig, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_verifier_once(self) -> Self:
        for values in (
            [verifier.id for verifier in self.verifiers],
            [verifier.api_key_sha256 for verifier in self.verifiers],
        ):
            if len(set(values)) != len(values):
                raise ValueError("verifiers: two have the same id or the same API key")
        return self


def load_verifier_identity(verifier: VerifierConfig) -> AccessIdentity:
    """Read a verifier's certificates and key.

    Raises:
        ConfigError: A file cannot be read, or is not what it should be.
    """
    try:
        return load_identity(
            chain_pem=verifier.certificate_chain_file.read_bytes(),
            key_pem=verifier.private_key_file.read_bytes(),
        )
    except (OSError, KeyFormatError) as error:
        raise ConfigError(f"verifier {verifier.id}: {error}") from None
