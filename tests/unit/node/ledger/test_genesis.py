"""The genesis block: irohad's JSON form, and files that are not it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.commands_pb2 import Command, CreateDomain
from chaincode.protocol.primitive_pb2 import Peer, RolePermission
from chaincode.transactions import block_hash
from client_sdk.ledger.account_key import AccountKey
from node.errors import ConfigError
from node.ledger.genesis import (
    ADMIN_ACCOUNT,
    DOMAINS,
    ROLES,
    build_genesis,
    load_genesis,
    save_genesis,
)

KEYS = [AccountKey(bytes([n]) * 32).public_key for n in range(3)]


def genesis(*, created_time_ms: int = 1_800_000_000_000) -> Block:
    return build_genesis(
        peers=[Peer(address="127.0.0.1:10001", peer_key=KEYS[0])],
        admin_key=KEYS[1],
        registry_key=KEYS[2],
        created_time_ms=created_time_ms,
    )


def commands_of(block: Block) -> list[Command]:
    return list(block.block_v1.payload.transactions[0].payload.reduced_payload.commands)


def test_a_genesis_block_survives_its_file(tmp_path: Path) -> None:
    save_genesis(genesis(), tmp_path / "genesis.block")
    assert load_genesis(tmp_path / "genesis.block") == genesis()


@given(created_time_ms=st.integers(min_value=0, max_value=253_402_300_799_999))
def test_the_time_makes_the_ledgers_id_its_own(created_time_ms: int) -> None:
    assert block_hash(genesis(created_time_ms=created_time_ms)) != block_hash(
        genesis(created_time_ms=created_time_ms + 1)
    )


def test_the_file_is_in_irohads_form(tmp_path: Path) -> None:
    save_genesis(genesis(), tmp_path / "genesis.block")
    payload = json.loads((tmp_path / "genesis.block").read_text())["blockV1"]["payload"]
    assert (payload["height"], payload["txNumber"]) == ("1", 1)
    assert payload["prevBlockHash"] == "0" * 64
    commands = payload["transactions"][0]["payload"]["reducedPayload"]["commands"]
    assert commands[0] == {"addPeer": {"peer": {"address": "127.0.0.1:10001", "peerKey": KEYS[0]}}}
    roles = {c["createRole"]["roleName"] for c in commands if "createRole" in c}
    assert roles == set(ROLES)
    assert "can_add_signatory" in commands[1]["createRole"]["permissions"]


def test_the_first_accounts_and_domains_are_there() -> None:
    commands = commands_of(genesis())
    domains = {
        c.create_domain.domain_id: c.create_domain.default_role
        for c in commands
        if c.HasField("create_domain")
    }
    accounts = {
        f"{c.create_account.account_name}@{c.create_account.domain_id}": c.create_account.public_key
        for c in commands
        if c.HasField("create_account")
    }
    assert domains == DOMAINS
    assert accounts == {ADMIN_ACCOUNT: KEYS[1], REGISTRY_ACCOUNT: KEYS[2]}


def test_no_role_may_write_on_others_or_holds_root() -> None:
    for permissions in ROLES.values():
        assert not {RolePermission.root, RolePermission.can_set_detail} & set(permissions)


@pytest.mark.parametrize("role", sorted(ROLES))
def test_each_role_covers_what_the_accounts_that_it_makes_may_do(role: str) -> None:
    if RolePermission.can_create_account in ROLES[role]:
        assert set(ROLES["holder"]) <= set(ROLES[role])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"3",
        b'"text"',
        b"\xff\xfe",
        b"NaN",
        b'{"blockV1": 3}',
        b'{"blockV1": {"payload": []}}',
        b'{"blockV1": {"payload": {"height": "one"}}}',
        b'{"blockV1": {"payload": {"height": "-1"}}}',
        b'{"blockV1": {"payload": {"height": 1e99}}}',
        b'{"unknown": 1}',
        b'{"blockV1": {"payload": {"height": "1"}}, "blockV1": {}}',
        b"[" * 100_000,
        b'{"blockV1":' * 100_000,
    ],
)
def test_a_file_that_is_no_block_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "genesis.block").write_bytes(content)
    with pytest.raises(ConfigError, match=r"genesis\.block: no genesis block"):
        load_genesis(tmp_path / "genesis.block")


@given(content=st.binary() | st.text().map(str.encode) | st.from_regex(rb'\{"blockV1": .*\}'))
def test_any_file_is_a_block_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.block"
    path.write_bytes(content)
    with pytest.raises(ConfigError):
        load_genesis(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_genesis(tmp_path / "genesis.block")


@pytest.mark.parametrize("height", [0, 2, 2**64 - 1])
def test_another_height_is_refused(tmp_path: Path, height: int) -> None:
    block = genesis()
    block.block_v1.payload.height = height
    save_genesis(block, tmp_path / "genesis.block")
    with pytest.raises(ConfigError, match="its height is not 1"):
        load_genesis(tmp_path / "genesis.block")


def test_a_time_that_no_store_can_hold_is_refused(tmp_path: Path) -> None:
    save_genesis(genesis(created_time_ms=2**64 - 1), tmp_path / "genesis.block")
    with pytest.raises(ConfigError, match="created_time"):
        load_genesis(tmp_path / "genesis.block")


def test_a_command_with_a_field_that_breaks_its_rule_is_named(tmp_path: Path) -> None:
    """A name with a NUL would be taken apart wrongly in the state's keys."""
    block = genesis()
    reduced = block.block_v1.payload.transactions[0].payload.reduced_payload
    bad = CreateDomain(domain_id="a\x00b", default_role="holder")
    reduced.commands.append(Command(create_domain=bad))
    place = len(reduced.commands) - 1
    save_genesis(block, tmp_path / "genesis.block")
    with pytest.raises(ConfigError, match=f"command {place}, CreateDomain: .*Domain: "):
        load_genesis(tmp_path / "genesis.block")
