"""Ports for services that are told their address before they run."""

import socket

import pytest

from node.cli.demo import free_ports as module
from node.cli.demo.free_ports import free_addresses, free_ports
from node.errors import ConfigError


def test_ports_are_in_a_row_and_given_out_once() -> None:
    first, second = free_ports(5), free_ports(5)
    for row in (first, second):
        assert row == [*range(row[0], row[0] + 5)]
    assert not {*first} & {*second}
    assert len({*free_addresses(3)}) == 3


def test_what_is_taken_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setattr(module, "_places", iter(range(port - module._PORTS[0], len(module._PORTS))))
    with socket.create_server(("127.0.0.1", port)):
        assert port not in free_ports(2)


def test_none_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_is_free", lambda port: port % 2 == 0)
    assert free_ports(1)[0] % 2 == 0
    with pytest.raises(ConfigError, match="2 ports in a row are free nowhere"):
        free_ports(2)
