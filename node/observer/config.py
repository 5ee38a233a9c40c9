"""The configuration of the operator's page: one TOML file."""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from chaincode.ids import DOMAIN_ID
from client_sdk.errors import RequestError
from client_sdk.http.endpoint_url import parse_endpoint, parse_private_endpoint
from node.config import LedgerAccess, ProcessConfig
from node.database import DatabaseUrl
from node.web.logins import LoginConfig, check_logins

FILE_NAME: Final = "page.toml"


def _endpoint(text: str) -> str:
    try:
        return parse_endpoint(text.rstrip("/"), "url")
    except RequestError as error:
        raise ValueError(str(error)) from None


def _private_endpoint(text: str) -> str:
    try:
        return parse_private_endpoint(text.rstrip("/"), "url")
    except RequestError as error:
        raise ValueError(str(error)) from None


class ObserverConfig(ProcessConfig):
    """`page.toml`. Relative paths are taken from the file's folder.

    Attributes:
        public_url: Where the operator's browser reaches the page; https, or http on this machine.
        listen: `host:port` to bind; port 0 takes any free one.
        database_url: SQLAlchemy's URL of what was read of the blocks; it can be deleted, and is
            then read again.
        holder_domain: The domain of holders' accounts, for the curve of adoption.
        metrics: `host:port` where Prometheus finds the page's own `/metrics`; nowhere where it is
            left out.
        metrics_url: The node's `/metrics`; None where it has none. It may be plain http, as
            Prometheus reads it: nothing secret is sent, and four gauges are shown.
        ledger: The ledger, and the account that reads it.
        logins: Who may see the page.
    """

    environment_prefix = "TEGATA_OBSERVER_"

    public_url: Annotated[str, AfterValidator(_endpoint)]
    listen: str = "127.0.0.1:8084"
    database_url: DatabaseUrl = "sqlite:///page.db"
    holder_domain: str = Field(default="holder", pattern=f"^{DOMAIN_ID.pattern}$")
    metrics: str | None = None
    metrics_url: Annotated[str, AfterValidator(_private_endpoint)] | None = None
    ledger: LedgerAccess
    logins: tuple[LoginConfig, ...] = ()

    @model_validator(mode="after")
    def _each_login_once(self) -> Self:
        check_logins(self.logins)
        return self
