"""irohad's configuration: every key, every form of the environment, and what is refused."""

import json
from pathlib import Path

import pytest

from client_sdk.ledger.account_key import AccountKey
from node.errors import ConfigError
from node.ledger.irohad_config import (
    Crypto,
    IrohadConfig,
    keys_without_effect,
    load_irohad_config,
    load_signer,
    metrics_address,
    node_config,
)

SEED = "cc5013e43918bd0e5c4d800416c88bed77892ff077929162bb03ead40a745e88"
# The second provider of irohad's documentation: libursa writes the public half behind the private.
URSA = (
    "7bab70e95cb585ea052c3aeb27de0afa9897ba5746276aa1c25310383216ceb8"
    "60eb82baacbc940e710a40f21f962a3651013b90c23ece31606752f298c38d90"
)
PROVIDER = {"type": "default", "crypto_type": "ed25519_sha3_256", "private_key": SEED}
# The sample configurations of irohad, with every key that it has ever had.
WHOLE = {
    "block_store_path": "/tmp/block_store/",
    "torii_port": 50051,
    "torii_tls_params": {"port": 55552, "key_pair_path": "/path/to/server"},
    "inter_peer_tls": {
        "key_pair_path": "/path/to/peer",
        "peer_certificates": {"type": "root_certificate", "path": "/path/to/ca.crt"},
    },
    "internal_port": 10001,
    "pg_opt": "host=localhost port=5432 user=postgres password=mysecretpassword",
    "database": {
        "type": "postgres",
        "host": "localhost",
        "port": 5432,
        "user": "postgres",
        "password": "mysecretpassword",
        "working database": "iroha_data",
        "maintenance database": "postgres",
    },
    "max_proposal_size": 10,
    "max_proposal_pack": 10,
    "vote_delay": 5000,
    "proposal_delay": 5000,
    "proposal_creation_timeout": 3000,
    "max_rounds_delay": 3000,
    "mst_enable": False,
    "mst_expiration_time": 1440,
    "stale_stream_max_rounds": 2,
    "max_past_created_hours": 24,
    "healthcheck_port": 50508,
    "metrics": "0.0.0.0:7001",
    "initial_peers": [{"address": "127.0.0.1:10001", "public_key": "bd" * 32}],
    "utility_service": {"ip": "127.0.0.1", "port": 11001},
    "crypto": {"providers": {"p1": PROVIDER}, "signer": "p1"},
    "log": {
        "level": "trace",
        "patterns": {"debug": "don't panic, it's %v.", "error": "MAMA MIA! %v!"},
        "children": {
            "KeysManager": {"level": "trace"},
            "Irohad": {"children": {"Storage": {"level": "trace", "patterns": {"debug": "%v."}}}},
        },
    },
}
# The same, from the environment, as irohad's documentation writes it.
ENVIRONMENT = {
    "IROHA_BLOCK_STORE_PATH": "/tmp/block_store/",
    "IROHA_TORII_PORT": "50051",
    "IROHA_TORII_TLS_PARAMS_PORT": "55552",
    "IROHA_TORII_TLS_PARAMS_KEY_PAIR_PATH": "/path/to/server",
    "IROHA_INTER_PEER_TLS_KEY_PAIR_PATH": "/path/to/peer",
    "IROHA_INTER_PEER_TLS_PEER_CERTIFICATES_TYPE": "root_certificate",
    "IROHA_INTER_PEER_TLS_PEER_CERTIFICATES_PATH": "/path/to/ca.crt",
    "IROHA_INTERNAL_PORT": "10001",
    "IROHA_PG_OPT": "host=localhost port=5432 user=postgres password=mysecretpassword",
    "IROHA_DATABASE_TYPE": "postgres",
    "IROHA_DATABASE_HOST": "localhost",
    "IROHA_DATABASE_PORT": "5432",
    "IROHA_DATABASE_USER": "postgres",
    "IROHA_DATABASE_PASSWORD": "mysecretpassword",
    "IROHA_DATABASE_WORKING DATABASE": "iroha_data",
    "IROHA_DATABASE_MAINTENANCE DATABASE": "postgres",
    "IROHA_MAX_PROPOSAL_SIZE": "10",
    "IROHA_MAX_PROPOSAL_PACK": "10",
    "IROHA_VOTE_DELAY": "5000",
    "IROHA_PROPOSAL_DELAY": "5000",
    "IROHA_PROPOSAL_CREATION_TIMEOUT": "3000",
    "IROHA_MAX_ROUNDS_DELAY": "3000",
    "IROHA_MST_ENABLE": "F",
    "IROHA_MST_EXPIRATION_TIME": "1440",
    "IROHA_STALE_STREAM_MAX_ROUNDS": "2",
    "IROHA_MAX_PAST_CREATED_HOURS": "24",
    "IROHA_HEALTHCHECK_PORT": "50508",
    "IROHA_METRICS": "0.0.0.0:7001",
    "IROHA_INITIAL_PEERS_0_ADDRESS": "127.0.0.1:10001",
    "IROHA_INITIAL_PEERS_0_PUBLIC_KEY": "bd" * 32,
    "IROHA_UTILITY_SERVICE_IP": "127.0.0.1",
    "IROHA_UTILITY_SERVICE_PORT": "11001",
    "IROHA_CRYPTO_PROVIDERS_0_KEY": "p1",
    "IROHA_CRYPTO_PROVIDERS_0_TYPE": "default",
    "IROHA_CRYPTO_PROVIDERS_0_CRYPTO_TYPE": "ed25519_sha3_256",
    "IROHA_CRYPTO_PROVIDERS_0_PRIVATE_KEY": SEED,
    "IROHA_CRYPTO_SIGNER": "p1",
    "IROHA_LOG_LEVEL": "trace",
    "IROHA_LOG_PATTERNS_0_KEY": "debug",
    "IROHA_LOG_PATTERNS_0": "don't panic, it's %v.",
    "IROHA_LOG_PATTERNS_1_KEY": "error",
    "IROHA_LOG_PATTERNS_1": "MAMA MIA! %v!",
    "IROHA_LOG_CHILDREN_0_KEY": "KeysManager",
    "IROHA_LOG_CHILDREN_0_LEVEL": "trace",
    "IROHA_LOG_CHILDREN_1_KEY": "Irohad",
    "IROHA_LOG_CHILDREN_1_CHILDREN_0_KEY": "Storage",
    "IROHA_LOG_CHILDREN_1_CHILDREN_0_LEVEL": "trace",
    "IROHA_LOG_CHILDREN_1_CHILDREN_0_PATTERNS_0_KEY": "debug",
    "IROHA_LOG_CHILDREN_1_CHILDREN_0_PATTERNS_0": "%v.",
}
SHORT = {"torii_port": 50051, "internal_port": 10001}


def load(tmp_path: Path, values: object, environment: dict[str, str] | None = None) -> IrohadConfig:
    path = tmp_path / "config.json"
    path.write_text(values if isinstance(values, str) else json.dumps(values), encoding="utf-8")
    return load_irohad_config(path, environment or {})


def test_every_key_is_taken(tmp_path: Path) -> None:
    assert load(tmp_path, WHOLE).model_fields_set == IrohadConfig.model_fields.keys()


def test_the_environment_says_all_that_the_file_can(tmp_path: Path) -> None:
    from_environment = load_irohad_config(None, ENVIRONMENT)
    assert from_environment == load(tmp_path, WHOLE)
    assert from_environment.model_fields_set == IrohadConfig.model_fields.keys()


def test_the_file_wins_key_by_key(tmp_path: Path) -> None:
    values = {"torii_port": 1, "database": {"type": "rocksdb"}, "initial_peers": []}
    config = load(tmp_path, values, ENVIRONMENT)
    assert (config.torii_port, config.internal_port) == (1, 10001)
    assert config.database is not None
    assert (config.database.type, config.database.host) == ("rocksdb", "localhost")
    # An array or a map of the file is taken as a whole.
    assert config.initial_peers == []


def test_the_defaults_are_those_of_irohad(tmp_path: Path) -> None:
    config = load(tmp_path, SHORT)
    assert (config.mst_expiration_time, config.max_past_created_hours) == (1440, 24)
    assert config.healthcheck_port == 50508


@pytest.mark.parametrize("name", ["mst_expiration_time", "max_past_created_hours"])
def test_times_are_as_long_as_the_operator_likes(tmp_path: Path, name: str) -> None:
    config = node_config(load(tmp_path, {**SHORT, name: 10**12}))
    assert 10**12 in (config.mst_expiration_minutes, config.max_past_created_hours)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ("", "no JSON"),
        ("[]", "a JSON object is expected"),
        ("{" * 100_000, "no JSON"),
        ({}, "torii_port: Field required"),
        ({**SHORT, "torii_prot": 1}, "torii_prot: Extra inputs"),
        ({**SHORT, "torii_port": "50051"}, "torii_port: .*valid integer"),
        ({**SHORT, "torii_port": 65536}, "torii_port: .*less than or equal to 65535"),
        ({**SHORT, "mst_enable": 1}, "mst_enable: .*valid boolean"),
        ({**SHORT, "database": "postgres"}, "database: "),
        ({**SHORT, "database": {"type": "mysql"}}, "database/type: .*'rocksdb' or 'postgres'"),
        ({**SHORT, "log": {"level": "loud"}}, "log/level: "),
        ({**SHORT, "crypto": {"providers": {}}}, "crypto/signer: Field required"),
        ({**SHORT, "max_past_created_hours": 0}, "max_past_created_hours: "),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, values: object, problem: str) -> None:
    with pytest.raises(ConfigError, match=f"config.json: {problem}"):
        load(tmp_path, values)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json: cannot be read: No such file"):
        load_irohad_config(tmp_path / "none.json", {})


@pytest.mark.parametrize(("name", "text"), [("TORII_PORT", "x"), ("MST_ENABLE", "maybe")])
def test_an_environment_that_cannot_be_used_is_named(name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"the environment: {name.lower()}: "):
        load_irohad_config(None, {**ENVIRONMENT, f"IROHA_{name}": text})


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    config = load(tmp_path, WHOLE)
    for secret in (SEED, "mysecretpassword"):
        assert secret not in repr(config)
    wrong = {**SHORT, "crypto": {"providers": {"p1": {**PROVIDER, "private_key": 7}}}}
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, wrong)
    assert SEED not in str(caught.value)


# what the node makes of it


def test_the_addresses_and_paths_are_irohads(tmp_path: Path) -> None:
    config = node_config(load(tmp_path, WHOLE))
    assert (config.torii, config.internal) == ("0.0.0.0:50051", "0.0.0.0:10001")
    assert (config.health, config.metrics) == ("0.0.0.0:50508", "0.0.0.0:7001")
    assert config.data == Path("/tmp/block_store/tegata")
    assert config.max_proposal_size == 10
    assert config.torii_tls is not None
    assert config.torii_tls.address == "0.0.0.0:55552"
    assert config.torii_tls.certificate == Path("/path/to/server.crt")
    assert config.torii_tls.private_key == Path("/path/to/server.key")


@pytest.mark.parametrize(
    ("values", "folder"),
    [
        ({"block_store_path": "b", "database": {"type": "rocksdb", "path": "w"}}, "b/tegata"),
        ({"database": {"type": "rocksdb", "path": "w"}}, "w/tegata"),
        ({"database": {"type": "postgres", "host": "h"}}, "tegata"),
    ],
)
def test_the_ledger_is_kept_beside_irohads(
    tmp_path: Path, values: dict[str, object], folder: str
) -> None:
    assert node_config(load(tmp_path, {**SHORT, **values})).data == Path(folder)


@pytest.mark.parametrize(
    ("text", "address"),
    [("7001", "127.0.0.1:7001"), (":7001", "127.0.0.1:7001"), ("0.0.0.0:7001", "0.0.0.0:7001")],
)
def test_the_forms_of_the_metrics_address(text: str, address: str) -> None:
    assert metrics_address(text) == address


def test_a_wrong_metrics_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"metrics: .*host:port is expected"):
        node_config(load(tmp_path, {**SHORT, "metrics": "here"}))


def test_keys_that_mean_nothing_are_listed(tmp_path: Path) -> None:
    values = {**SHORT, "vote_delay": 1, "mst_enable": True, "database": {"type": "rocksdb"}}
    assert keys_without_effect(load(tmp_path, values)) == ["mst_enable", "vote_delay"]
    values["database"] = {"type": "postgres"}
    assert "database" in keys_without_effect(load(tmp_path, values))


def signer(**changed: str) -> AccountKey:
    provider = {**PROVIDER, **changed}
    crypto = {"providers": {"p1": provider}, "signer": "p1"}
    return load_signer(Crypto.model_validate(crypto))


def test_both_schemes_of_a_provider() -> None:
    assert signer().public_key == (
        "bddd58404d1315e0eb27902c5d7c8eb0602c16238f005773df406bc191308929"
    )
    key = signer(crypto_type="ed25519_sha2_256", private_key=URSA)
    assert key.public_key == "ed0120" + URSA[64:]
    assert signer(crypto_type="ed25519_sha2_256", private_key=URSA[:64]).public_key == (
        key.public_key
    )


@pytest.mark.parametrize(
    ("private_key", "problem"),
    [
        ("zz", "hex digits are expected"),
        (SEED[:-2], "32 bytes"),
        (SEED + SEED, "its second half is not the public key"),
    ],
)
def test_a_provider_whose_key_cannot_be_used(private_key: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=f"crypto/providers/p1/private_key: .*{problem}") as error:
        signer(private_key=private_key)
    assert private_key not in str(error.value)


def test_a_signer_without_provider() -> None:
    with pytest.raises(ConfigError, match="there is no provider p2"):
        load_signer(Crypto.model_validate({"providers": {"p1": PROVIDER}, "signer": "p2"}))
