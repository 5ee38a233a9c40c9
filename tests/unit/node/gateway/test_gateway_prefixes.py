"""The gateway's requests under each client identifier prefix (OpenID4VP 1.0 section 5.9.3)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.gateway_world import GatewayWorld, write_config
from support.presentation_world import World

from node.config import load_config
from node.errors import ConfigError
from node.gateway.app import build_presentations
from node.gateway.config import GatewayConfig
from node.gateway.gateway_store import GatewayStore

KINDS = {
    "x509_hash": "Minato City Hall",
    "x509_san_dns": "Minato City Hall",
    "decentralized_identifier": "did:jwk:",
    "redirect_uri": "minato.example",
}


@pytest.mark.parametrize("prefix", KINDS)
def test_a_request_is_made_fetched_and_answered(tmp_path: Path, prefix: str) -> None:
    changes = {"prefix": prefix, "public_url": "https://minato.example"}
    gateway = GatewayWorld(tmp_path, changes=changes)
    created = gateway.create()
    verified = gateway.fetch(created)
    assert verified.request.client_id.startswith(f"{prefix}:")
    assert verified.verifier_name.startswith(KINDS[prefix])
    assert verified.is_anchored is prefix.startswith("x509")
    response = gateway.client.post(
        f"/oid4vp/responses/{created['id']}", data=gateway.answer(created)
    )
    assert response.status_code == 200, response.text
    assert gateway.read(created["id"])["status"] == "accepted"
    gateway.close()


def test_a_nonce_of_the_wallet_under_a_prefix_that_is_not_signed(tmp_path: Path) -> None:
    gateway = GatewayWorld(tmp_path, changes={"prefix": "redirect_uri"})
    created = gateway.create()
    token = gateway.client.post(
        f"/oid4vp/requests/{created['id']}", data={"wallet_nonce": "abc"}
    ).text
    assert token.endswith(".")
    gateway.close()


def test_a_dns_name_that_wallets_do_not_reach(tmp_path: Path) -> None:
    path = write_config(
        tmp_path, World(), prefix="x509_san_dns", public_url="https://other.example"
    )
    config = load_config(path, GatewayConfig)
    store = GatewayStore(config.database_url)
    with pytest.raises(ConfigError, match="does not name other"):
        build_presentations(config, store=store.requests, ledger=World().ledger)
    store.close()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('client_id_prefix = "x509_hash"', 'client_id_prefix = "origin"'),
        ('client_id_prefix = "x509_hash"', 'client_id_prefix = "redirect_uri"'),
        ('client_id_prefix = "x509_hash"', 'client_id_prefix = "decentralized_identifier"'),
        ('certificate_chain_file = "city.crt"', ""),
        ('private_key_file = "city.key"', ""),
        ('private_key_file = "city.key"', 'private_key_file = "city.key"\ndid_key = "did:x:y#1"'),
    ],
)
def test_a_configuration_that_does_not_fit_its_prefix(tmp_path: Path, old: str, new: str) -> None:
    path = write_config(tmp_path, World())
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError):
        load_config(path, GatewayConfig)


class TestHaip:
    """HAIP 1.0 is a switch of the gateway."""

    def test_its_requests_keep_to_the_profile(self, tmp_path: Path) -> None:
        gateway = GatewayWorld(tmp_path, changes={"haip": True})
        created = gateway.create()
        request = gateway.fetch(created, haip=True).request
        assert request.encryption is not None
        assert set(request.encryption.content_algorithms) == {"A128GCM", "A256GCM"}
        other = gateway.fetch(gateway.create(), haip=True).request
        assert other.encryption is not None
        assert other.encryption.key != request.encryption.key
        response = gateway.client.post(
            f"/oid4vp/responses/{created['id']}", data=gateway.answer(created)
        )
        assert response.status_code == 200
        gateway.close()

    @pytest.mark.parametrize("changes", [{"encrypt_responses": False}, {"prefix": "redirect_uri"}])
    def test_a_configuration_that_does_not_fit(
        self, tmp_path: Path, changes: dict[str, Any]
    ) -> None:
        path = write_config(tmp_path, World(), haip=True, **changes)
        with pytest.raises(ConfigError, match="haip"):
            load_config(path, GatewayConfig)

    def test_a_chain_with_its_anchor(self, tmp_path: Path) -> None:
        world = World()
        world.identity = replace(
            world.identity, chain=(*world.identity.chain, *world.authority.chain)
        )
        config = load_config(write_config(tmp_path, world, haip=True), GatewayConfig)
        store = GatewayStore(config.database_url)
        with pytest.raises(ConfigError, match="trust anchor"):
            build_presentations(config, store=store.requests, ledger=world.ledger)
        store.close()
