"""Peers: every result code, the order of the checks, and the list that is kept."""

from collections.abc import Mapping
from typing import Any

import pytest
from support.small_ledger import (
    ROOT,
    add_peer,
    case,
    check_case,
    committed,
    key_of,
    remove_peer,
    small_ledger,
)

from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import Peer
from chaincode.protocol.primitive_pb2 import RolePermission as P
from chaincode.world_state import get_peers

NEW_KEY, FIRST_KEY = key_of("new"), key_of("peer")
TWO_PEERS = (add_peer(NEW_KEY),)


def add_syncing_peer(key: str, address: str = "10.0.0.2:10001") -> Command:
    command = add_peer(key, address)
    command.add_peer.peer.syncing_peer = True
    return command


SYNCING = (add_syncing_peer(NEW_KEY),)

CASES = [
    case("add", add_peer(NEW_KEY), 0, held=[P.can_add_peer]),
    case("add as root", add_peer(NEW_KEY), 0, held=[P.root]),
    case("add without permission, it is there", add_peer(FIRST_KEY), 2, held=[P.can_remove_peer]),
    case("add the same key", add_peer(FIRST_KEY.upper()), 1, held=[P.can_add_peer]),
    case("add the same address", add_peer(NEW_KEY, "10.0.0.1:10001"), 1, held=[P.can_add_peer]),
    case(
        "a syncing peer beside a voting one",
        add_syncing_peer(FIRST_KEY, "10.0.0.1:10001"),
        0,
        held=[P.can_add_peer],
    ),
    case("the same syncing key", SYNCING[0], 1, held=[P.can_add_peer], before=SYNCING),
    case(
        "the same syncing address",
        add_syncing_peer(FIRST_KEY),
        1,
        held=[P.can_add_peer],
        before=SYNCING,
    ),
    case("remove what is no peer", remove_peer(NEW_KEY), 3),
    case("remove the last peer", remove_peer(FIRST_KEY), 4),
    case("remove the last that votes", remove_peer(FIRST_KEY), 4, before=SYNCING),
    case("remove a syncing peer", remove_peer(NEW_KEY), 0, held=[P.root], before=SYNCING),
    case("remove a syncing peer without permission", remove_peer(NEW_KEY), 2, before=SYNCING),
    case("remove without permission", remove_peer(NEW_KEY), 2, before=TWO_PEERS),
    case("remove", remove_peer(NEW_KEY.upper()), 0, held=[P.can_remove_peer], before=TWO_PEERS),
    case("remove by who may add", remove_peer(NEW_KEY), 0, held=[P.can_add_peer], before=TWO_PEERS),
]


@pytest.mark.parametrize(("command", "code", "setup"), CASES)
def test_result_code(command: Command, code: int, setup: Mapping[str, Any]) -> None:
    check_case(command, code, setup)


def test_peers_are_kept_whole_and_in_the_order_of_their_keys() -> None:
    ledger = small_ledger()
    added = add_peer(NEW_KEY.upper())
    added.add_peer.peer.tls_certificate = "certificate"
    added.add_peer.peer.syncing_peer = True
    committed(ledger.submit(ROOT, added))
    expected = [
        Peer(peer_key=FIRST_KEY, address="10.0.0.1:10001"),
        Peer(
            peer_key=NEW_KEY,
            address="10.0.0.2:10001",
            tls_certificate="certificate",
            syncing_peer=True,
        ),
    ]
    assert get_peers(ledger) == sorted(expected, key=lambda peer: peer.peer_key)


def test_a_removal_takes_a_key_from_both_sorts() -> None:
    ledger = small_ledger()
    committed(
        ledger.submit(ROOT, add_peer(NEW_KEY), add_syncing_peer(FIRST_KEY), remove_peer(FIRST_KEY))
    )
    assert [peer.peer_key for peer in get_peers(ledger)] == [NEW_KEY]
