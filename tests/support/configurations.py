"""Each service that has a configuration, by the name of its file."""

from typing import Final

from node.authority.config import AuthorityConfig
from node.config import ProcessConfig
from node.escrow.config import EscrowConfig
from node.face.config import FaceConfig
from node.gateway.config import GatewayConfig
from node.issuer.config import IssuerConfig
from node.ledger.config import NodeConfig
from node.observer.config import ObserverConfig

SERVICES: Final[dict[str, type[ProcessConfig]]] = {
    "node": NodeConfig,
    "issuer": IssuerConfig,
    "gateway": GatewayConfig,
    "escrow": EscrowConfig,
    "authority": AuthorityConfig,
    "face": FaceConfig,
    "observer": ObserverConfig,
}
