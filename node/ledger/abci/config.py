"""Where CometBFT is: the table `cometbft` of `node.toml`."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from node.config import ConfigPath
from node.ledger.addresses import Address


class CometBftConfig(BaseModel):
    """How a replicated node and its CometBFT find each other.

    Attributes:
        home: CometBFT's own folder, with `config` and `data`.
        program: CometBFT's program, or its path: the node starts and stops it.
        rpc: Where CometBFT answers JSON-RPC.
        socket: Where the node answers CometBFT.
        abci: The same as `host:port`, for a CometBFT that the node does not start. Whoever reaches
            this port decides what is on the ledger: it belongs in a private network.
        snapshot_interval: After how many blocks of CometBFT a snapshot is written, from which a new
            peer can join; 0 writes none. All peers should have the same.
        halt_height: The height of CometBFT behind which the node stops itself, and will not go on
            with the same rules: all peers have the same one when a version with other rules is to
            be installed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: ConfigPath = Path("cometbft")
    program: str = "cometbft"
    rpc: Address = "127.0.0.1:26657"
    socket: ConfigPath = Path("abci.sock")
    abci: Address | None = None
    snapshot_interval: int = Field(default=1000, ge=0)
    halt_height: int | None = Field(default=None, ge=1)
