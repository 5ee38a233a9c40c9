"""Peers of the network."""

from chaincode.protocol.primitive_pb2 import Peer, RolePermission
from chaincode.protocol.qry_responses_pb2 import PeersResponse, QueryResponse
from chaincode.protocol.queries_pb2 import GetPeers
from chaincode.queries.asker import Asker
from chaincode.world_state import get_peers


def answer_peers(asker: Asker, _query: GetPeers) -> QueryResponse:
    """Answer `GetPeers`: first those that vote. As in irohad, the answer does not say which do."""
    asker.require(RolePermission.can_get_peers)
    peers = sorted(get_peers(asker.view), key=lambda peer: peer.syncing_peer)
    return QueryResponse(peers_response=PeersResponse(peers=[_shown(peer) for peer in peers]))


def _shown(peer: Peer) -> Peer:
    shown = Peer()
    shown.CopyFrom(peer)
    shown.ClearField("syncing_peer")
    return shown
