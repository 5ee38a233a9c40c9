"""The peers of the network: part of the world state like any other."""

from chaincode.errors import RejectedError
from chaincode.protocol.commands_pb2 import AddPeer, RemovePeer
from chaincode.protocol.primitive_pb2 import Peer, RolePermission
from chaincode.rules.scope import INTERNAL, Scope, reject_no_permission
from chaincode.world_state import get_peers, put_peers


def add_peer(scope: Scope, command: AddPeer) -> None:
    """Apply `AddPeer`. Codes: 1 the key or the address is there, 2 no permission.

    Syncing peers are apart, as in irohad: one may have the key or the address of a peer that votes.
    """
    # READ
    peers = get_peers(scope.state)
    added = Peer()
    added.CopyFrom(command.peer)
    added.peer_key = added.peer_key.lower()
    alike = [peer for peer in peers if peer.syncing_peer == added.syncing_peer]
    # CHECK
    if not scope.has_permission(RolePermission.can_add_peer):
        reject_no_permission("add a peer")
    if any(peer.peer_key == added.peer_key or peer.address == added.address for peer in alike):
        raise RejectedError(INTERNAL, "a peer with this key or address exists")
    # WRITE
    put_peers(scope.state, [*peers, added])


def remove_peer(scope: Scope, command: RemovePeer) -> None:
    """Apply `RemovePeer`. Codes: 2 no permission, 3 no such peer, 4 it is the last that votes."""
    # READ
    peers = get_peers(scope.state)
    key = command.public_key.lower()
    remaining = [peer for peer in peers if peer.peer_key != key]
    # CHECK
    if len(remaining) == len(peers):
        raise RejectedError(3, "there is no such peer")
    if all(peer.syncing_peer for peer in remaining):
        raise RejectedError(4, "the last peer that votes cannot be removed")
    if not scope.has_permission(RolePermission.can_add_peer, RolePermission.can_remove_peer):
        reject_no_permission("remove a peer")
    # WRITE
    put_peers(scope.state, remaining)
