import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from client_sdk.credentials.jose import (
    export_private_jwk,
    export_public_jwk,
    generate_key,
    thumbprint,
)
from node.config import load_config
from node.errors import ConfigError, StorageError
from node.issuer.config import IssuerConfig
from node.issuer.store import IssuerStore
from node.jwk_files import load_signing_key

VALUES = {
    "public_url": "https://issuer.example/",
    "operator_token_sha256": "ab" * 32,
    "signing_key_file": "keys/signing.jwk",
    "issuer_record": "cd" * 16,
}
LEDGER = {
    "address": "127.0.0.1:50051",
    "account": "city@issuer",
    "private_key_file": "keys/account.priv",
    "ledger_id": "ef" * 32,
}


def load(folder: Path, values: dict[str, object], ledger: dict[str, str]) -> IssuerConfig:
    path = folder / "issuer.toml"
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    lines += ["[ledger]", *(f"{name} = {json.dumps(value)}" for name, value in ledger.items())]
    path.write_text("\n".join(lines))
    return load_config(path, IssuerConfig)


def test_paths_are_taken_from_the_files_folder(tmp_path: Path) -> None:
    config = load(tmp_path, VALUES, LEDGER)
    assert config.signing_key_file == tmp_path / "keys" / "signing.jwk"
    assert config.ledger.private_key_file == tmp_path / "keys" / "account.priv"
    assert config.public_url == "https://issuer.example"
    assert config.holder_domain == "holder"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("public_url", "http://issuer.example"),
        ("public_url", "https://issuer.example/path"),
        ("public_url", "https://issuer.example?x=1"),
        ("operator_token_sha256", "the token itself"),
        ("issuer_record", "x"),
        ("holder_domain", "a b"),
        ("credential_days", 0),
        ("offer_seconds", 5),
        ("enrolment_seconds", "soon"),
        ("surprise", 1),
    ],
)
def test_wrong_value_is_refused_by_its_name(tmp_path: Path, name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name) as caught:
        load(tmp_path, {**VALUES, name: value}, LEDGER)
    assert "the token itself" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("card.reader", {"reader": "http://desk.example:8085"}),
        ("card.reader", {"reader": "http://127.0.0.1:8085/cards"}),
        ("card.municipality", {"municipality": ""}),
    ],
)
def test_wrong_card_is_refused_by_its_name(
    tmp_path: Path, name: str, changes: dict[str, object]
) -> None:
    card = {
        "authority_file": "cards.pem",
        "revocation_list_files": ["cards.crl"],
        "municipality": "仙台市",
        "addresses": ["宮城県仙台市"],
        "reader": "http://127.0.0.1:8085",
    }
    assert IssuerConfig.model_validate(
        {**VALUES, "ledger": LEDGER, "card": card}, context={"folder": tmp_path}
    ).card
    with pytest.raises(ValidationError) as refused:
        IssuerConfig.model_validate(
            {**VALUES, "ledger": LEDGER, "card": {**card, **changes}}, context={"folder": tmp_path}
        )
    assert [".".join(map(str, error["loc"])) for error in refused.value.errors()] == [name]


@pytest.mark.parametrize("name", ["account", "ledger_id"])
def test_wrong_ledger_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"ledger.{name}"):
        load(tmp_path, VALUES, {**LEDGER, name: "x"})


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256"])
def test_signing_key_is_read(tmp_path: Path, algorithm: str) -> None:
    key, path = generate_key(algorithm), tmp_path / "signing.jwk"
    path.write_text(json.dumps(export_private_jwk(key)))
    assert thumbprint(load_signing_key(path)) == thumbprint(key)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", "{", '{"d": "s3cr3t"}'),
        pytest.param(json.dumps(export_public_jwk(generate_key())), id="public half only"),
    ],
)
def test_other_files_are_no_signing_key(tmp_path: Path, text: str) -> None:
    path = tmp_path / "signing.jwk"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"signing\.jwk") as caught:
        load_signing_key(path)
    assert "s3cr3t" not in str(caught.value)


def test_missing_signing_key_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_signing_key(tmp_path / "none")


def test_database_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="database_url"):
        IssuerStore("no url")
    with pytest.raises(ConfigError, match="database_url"):
        IssuerStore("nosuchdialect:///x")
    with pytest.raises(StorageError, match="database_url"):
        IssuerStore(f"sqlite:///{tmp_path}/none/issuer.db")
