"""The gateway's configuration: one TOML file."""

from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from client_sdk.endpoint_url import parse_endpoint
from client_sdk.errors import RequestError
from client_sdk.openid4vp.verifier_registration import MAX_REGISTRATIONS
from node.config import ConfigPath, LedgerAccess, ProcessConfig, in_folder
from node.database import DatabaseUrl
from node.web.rate_limit import Rate

FILE_NAME: Final = "gateway.toml"


def _endpoint(text: str) -> str:
    try:
        return parse_endpoint(text.rstrip("/"), "public_url")
    except RequestError as error:
        raise ValueError(str(error)) from None


class VerifierConfig(BaseModel):
    """One verifier that this gateway serves.

    Attributes:
        id: A short name for logs and configuration.
        certificate_chain_file: PEM; the verifier's certificate first.
        private_key_file: PEM; the key of that certificate.
        registration_files: Registration certificates: what it may ask, for which purpose.
        may_exceed_registration: Whether requests for more are made all the same; wallets warn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9_-]{1,64}$")
    certificate_chain_file: ConfigPath
    private_key_file: ConfigPath
    registration_files: tuple[Annotated[Path, AfterValidator(in_folder)], ...] = Field(
        default=(), max_length=MAX_REGISTRATIONS
    )
    may_exceed_registration: bool = False


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
        waci: Whether each request is also an invitation of WACI-DIDComm 1.0.
        verifier_rate: How often one API key may call, such as `600/minute`.
        wallet_rate: How often one address may call what is for wallets.
        trusted_proxy: The address of the proxy whose `X-Forwarded-For` tells who calls; None where
            callers reach this service themselves.
        ledger: The ledger.
        verifiers: Who may ask.
    """

    public_url: Annotated[str, AfterValidator(_endpoint)]
    listen: str = "127.0.0.1:8080"
    database_url: DatabaseUrl = "sqlite:///gateway.db"
    request_seconds: int = Field(default=300, ge=30, le=3600)
    result_seconds: int = Field(default=600, ge=10, le=86_400)
    encrypt_responses: bool = True
    waci: bool = False
    verifier_rate: Rate = "600/minute"
    wallet_rate: Rate = "300/minute"
    trusted_proxy: str | None = None
    ledger: LedgerAccess
    verifiers: tuple[VerifierConfig, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_verifier_once(self) -> Self:
        if len({verifier.id for verifier in self.verifiers}) != len(self.verifiers):
            raise ValueError("verifiers: two have the same id")
        return self
