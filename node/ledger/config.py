"""The configuration of a ledger node: `node.toml` in the node's folder."""

import re
from pathlib import Path
from typing import Final

from pydantic import Field, field_validator

from node.config import ConfigPath, ProcessConfig

FILE_NAME: Final = "node.toml"
_MAX_PORT: Final = 65535


class NodeConfig(ProcessConfig):
    """`node.toml`. Relative paths are taken from the file's folder.

    Attributes:
        torii: `host:port` where clients connect; port 0 lets the system choose.
        genesis: The genesis block, in irohad's JSON form.
        private_key: The peer's key, `NAME.priv`, with `NAME.pub` beside it.
        data: The folder of the block file and the world state.
        max_past_created_hours: How old a transaction may be when it arrives.
        max_proposal_size: How many transactions a batch may have.
    """

    torii: str = "127.0.0.1:50051"
    genesis: ConfigPath = Path("genesis.block")
    private_key: ConfigPath = Path("keys/node.priv")
    data: ConfigPath = Path("data")
    max_past_created_hours: int = Field(default=24, ge=1)
    max_proposal_size: int = Field(default=1000, ge=1)

    @field_validator("torii")
    @classmethod
    def _validate_address(cls, address: str) -> str:
        # gRPC would take port 99999 for 34463.
        host, _, port = address.rpartition(":")
        if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > _MAX_PORT:
            raise ValueError("host:port is expected, with a port from 0 to 65535")
        return address
