"""The configuration of a ledger node: `node.toml` in the node's folder."""

import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from node.config import ConfigPath, ProcessConfig

FILE_NAME: Final = "node.toml"
_MAX_PORT: Final = 65535


def _validate_address(address: str) -> str:
    # gRPC would take port 99999 for 34463.
    host, _, port = address.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > _MAX_PORT:
        raise ValueError("host:port is expected, with a port from 0 to 65535")
    return address


Address = Annotated[str, AfterValidator(_validate_address)]
"""`host:port`; port 0 lets the system choose."""


class TlsPort(BaseModel):
    """An address that is spoken to over TLS. No certificate is asked of a client.

    Attributes:
        address: Where clients connect.
        certificate: The server's certificate chain, PEM.
        private_key: Its key, PEM.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: Address
    certificate: ConfigPath
    private_key: ConfigPath


class NodeConfig(ProcessConfig):
    """`node.toml`. Relative paths are taken from the file's folder.

    Attributes:
        torii: Where clients connect.
        torii_tls: Where they connect over TLS; nowhere when it is left out.
        internal: Where other peers load blocks; nowhere when it is left out.
        health: Where HTTP GET `/healthcheck` is answered; nowhere when it is left out.
        metrics: Where Prometheus finds `/metrics`; nowhere when it is left out.
        genesis: The genesis block, in irohad's JSON form.
        private_key: The peer's key, `NAME.priv`, with `NAME.pub` beside it.
        data: The folder of the block file and the world state.
        max_past_created_hours: How old a transaction may be when it arrives.
        max_proposal_size: How many transactions a batch may have.
        mst_expiration_minutes: How long a transaction may wait for signatures, from its creation.
        follow: The `internal` addresses of the peers that this node, a read replica, follows; an
            empty list stands for the ledger's own peers. Left out, the node orders by itself.
    """

    torii: Address = "127.0.0.1:50051"
    torii_tls: TlsPort | None = None
    internal: Address | None = None
    health: Address | None = None
    metrics: Address | None = None
    genesis: ConfigPath = Path("genesis.block")
    private_key: ConfigPath = Path("keys/node.priv")
    data: ConfigPath = Path("data")
    max_past_created_hours: int = Field(default=24, ge=1)
    max_proposal_size: int = Field(default=1000, ge=1)
    mst_expiration_minutes: int = Field(default=24 * 60, ge=1)
    follow: tuple[Address, ...] | None = None
