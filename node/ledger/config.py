"""The configuration of a ledger node: `node.toml` in the node's folder."""

from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from node.config import ConfigPath, ProcessConfig
from node.ledger.abci.config import CometBftConfig
from node.ledger.addresses import Address

FILE_NAME: Final = "node.toml"


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
        cometbft: Where the node's CometBFT is, which orders on all peers alike. Left out, the node
            is not replicated.
    """

    environment_prefix = "TEGATA_NODE_"

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
    cometbft: CometBftConfig | None = None

    @model_validator(mode="after")
    def _check_one_orderer(self) -> Self:
        if self.follow is not None and self.cometbft is not None:
            raise ValueError(
                "`follow` and `cometbft` do not go together: a full node is no replica"
            )
        return self
