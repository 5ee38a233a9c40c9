"""The agent's configuration: what it takes, and what it says of what it does not."""

import json
from pathlib import Path

import pytest

from client_sdk.credentials.jose import (
    export_private_jwk,
    export_public_jwk,
    generate_key,
    thumbprint,
)
from node.config import parse_config
from node.errors import ConfigError, StorageError
from node.escrow.config import EscrowConfig
from node.escrow.sealing import StoreSealer
from node.jwk_files import TrustedSigner, load_signing_key, load_trusted_keys

WHOLE = """
name = "Agent"
public_url = "https://agent.example"
signing_key_file = "keys/signing.jwk"
"""


def _parse(extra: str, folder: Path = Path("/nowhere")) -> EscrowConfig:
    return parse_config(WHOLE + extra, EscrowConfig, path=folder / "escrow.toml")


def test_the_defaults_are_the_documented_ones() -> None:
    config = _parse("")
    policy = config.guessing.policy
    assert (policy.budget, policy.unaided, policy.prompt) == (10, 6, 2)
    assert (policy.first_delay_ms, policy.longest_delay_ms) == (30_000, 86_400_000)
    assert config.withdrawal_delay_seconds == 3 * 86_400
    assert config.signing_key_file == Path("/nowhere/keys/signing.jwk")


@pytest.mark.parametrize(
    ("extra", "word"),
    [
        ("[guessing]\nbudget = 3", "prompt <= unaided <= budget"),
        ("[guessing]\nunaided = 1", "prompt <= unaided <= budget"),
        ("[guessing]\nbudget = 101", "guessing.budget"),
        ("face_required = true", "without face_services nobody could pass"),
        ("unknown = 1", "unknown"),
        ("max_deposits = 0", "max_deposits"),
    ],
)
def test_what_cannot_be(extra: str, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        _parse(extra)


def test_the_keys_are_read(tmp_path: Path) -> None:
    key, file = generate_key(), tmp_path / "key.jwk"
    with pytest.raises(ConfigError, match="cannot be read"):
        load_signing_key(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_trusted_keys((TrustedSigner(name="a", key_file=file),))
    file.write_text("{}")
    with pytest.raises(ConfigError, match="no private JWK"):
        load_signing_key(file)
    with pytest.raises(ConfigError, match="no public JWK"):
        load_trusted_keys((TrustedSigner(name="a", key_file=file),))
    file.write_text(json.dumps(export_private_jwk(key)))
    assert thumbprint(load_signing_key(file)) == thumbprint(key)
    with pytest.raises(ConfigError, match="no public JWK"):
        load_trusted_keys((TrustedSigner(name="a", key_file=file),))
    file.write_text(json.dumps(export_public_jwk(key)))
    trusted = load_trusted_keys((TrustedSigner(name="a", key_file=file),))
    assert thumbprint(trusted["a"]) == thumbprint(key)


def test_a_share_opens_with_its_key_at_its_place_only() -> None:
    sealer = StoreSealer(generate_key())
    sealed = sealer.seal(b"share", place="a/1/1")
    assert sealer.open(sealed, place="a/1/1") == b"share"
    for other, place, data in (
        (sealer, "a/1/2", sealed),
        (StoreSealer(generate_key()), "a/1/1", sealed),
        (sealer, "a/1/1", sealed[:-1]),
        (sealer, "a/1/1", b""),
    ):
        with pytest.raises(StorageError, match="does not open"):
            other.open(data, place=place)
