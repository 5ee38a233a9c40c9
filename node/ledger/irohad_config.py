"""irohad's `config.json` and its `IROHA_...` environment, read as irohad reads them.

A key of the file wins over its environment form. The name of a variable is the path to the key,
upper case, joined by `_`, after `IROHA`; an element of an array has its index in the name, and an
entry of a map of freely named keys has an index too, with its key in `..._KEY`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from chaincode.signatures import KeyAlgorithm
from client_sdk.errors import KeyFormatError
from client_sdk.ledger.account_key import SEED_BYTES, AccountKey
from node.errors import ConfigError
from node.ledger.config import NodeConfig

_PREFIX: Final = "IROHA"
_DATA_NAME: Final = "tegata"
# One node orders by itself and without rounds; signatures are always collected; the log is one.
_WITHOUT_EFFECT: Final = frozenset(
    {
        "max_proposal_pack",
        "max_rounds_delay",
        "mst_enable",
        "pg_opt",
        "proposal_creation_timeout",
        "proposal_delay",
        "stale_stream_max_rounds",
        "utility_service",
        "vote_delay",
    }
)
_ABSENT: Final = object()
# irohad's own words; any other text leaves a key unset there.
_TRUTHS: Final = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}

Port = Annotated[int, Field(ge=0, le=65535)]
LogLevel = Literal["trace", "debug", "info", "warning", "error", "critical"]


class _Section(BaseModel):
    """A JSON object; other types than the declared ones are refused, as irohad does."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ToriiTlsParams(_Section):
    """The TLS port; `.crt` and `.key` are appended to the path."""

    port: Port
    key_pair_path: str


class PeerCertificates(_Section):
    """How the certificates of other peers are known."""

    type: Literal["root_certificate", "from_ledger", "none"]
    path: str | None = None


class InterPeerTls(_Section):
    """TLS between peers."""

    key_pair_path: str | None = None
    peer_certificates: PeerCertificates | None = None


class Database(_Section):
    """Where irohad keeps its state."""

    type: Literal["rocksdb", "postgres"]
    path: str | None = None
    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: SecretStr | None = None
    working_database: str | None = Field(default=None, alias="working database")
    maintenance_database: str | None = Field(default=None, alias="maintenance database")


class InitialPeer(_Section):
    """A peer that is used instead of those of the genesis block."""

    address: str
    public_key: str
    tls_certificate_path: str | None = None


class CryptoProvider(_Section):
    """A key of the peer."""

    type: Literal["default"]
    crypto_type: Literal["ed25519_sha3_256", "ed25519_sha2_256"]
    private_key: SecretStr


class Crypto(_Section):
    """The keys of the peer, and which of them signs."""

    providers: dict[str, CryptoProvider]
    signer: str


class UtilityService(_Section):
    """The endpoint of irohad's shepherd."""

    ip: str
    port: Port


class LogConfig(_Section):
    """How much irohad's components log, and in what form."""

    level: LogLevel | None = None
    patterns: dict[LogLevel, str] | None = None
    children: dict[str, "LogConfig"] | None = None


class IrohadConfig(_Section):
    """`config.json`. The names and the defaults are irohad's."""

    block_store_path: str | None = None
    torii_port: Port
    torii_tls_params: ToriiTlsParams | None = None
    inter_peer_tls: InterPeerTls | None = None
    internal_port: Port
    pg_opt: SecretStr | None = None
    database: Database | None = None
    max_proposal_size: int = Field(default=1000, ge=1)
    max_proposal_pack: int | None = None
    vote_delay: int | None = None
    proposal_delay: int | None = None
    proposal_creation_timeout: int | None = None
    max_rounds_delay: int | None = None
    mst_enable: bool | None = None
    mst_expiration_time: int = Field(default=24 * 60, ge=1)
    stale_stream_max_rounds: int | None = None
    max_past_created_hours: int = Field(default=24, ge=1)
    healthcheck_port: Port = 50508
    metrics: str | None = None
    initial_peers: list[InitialPeer] | None = None
    utility_service: UtilityService | None = None
    crypto: Crypto | None = None
    log: LogConfig | None = None


def load_irohad_config(path: Path | None, environment: Mapping[str, str]) -> IrohadConfig:
    """Read the configuration from a file, from the environment, or from both.

    Raises:
        ConfigError: The file cannot be read, or a key is missing, unknown or wrong.
    """
    where = "the environment" if path is None else str(path)
    given = _ABSENT if path is None else _read_json(path)
    if given is not _ABSENT and not isinstance(given, dict):
        raise ConfigError(f"{where}: a JSON object is expected")
    values = _merge(IrohadConfig, given, _PREFIX, environment)
    try:
        return IrohadConfig.model_validate({} if values is _ABSENT else values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = "/".join(str(part) for part in first["loc"])
        raise ConfigError(f"{where}: {key}: {first['msg']}") from None


def node_config(config: IrohadConfig) -> NodeConfig:
    """Return the same configuration in our node's terms; relative paths are the process's.

    irohad listens on all addresses of the machine, but for its metrics.

    Raises:
        ConfigError: An address is not of irohad's form.
    """
    values: dict[str, object] = {
        "torii": f"0.0.0.0:{config.torii_port}",
        "internal": f"0.0.0.0:{config.internal_port}",
        "health": f"0.0.0.0:{config.healthcheck_port}",
        "data": data_folder(config),
        "max_past_created_hours": config.max_past_created_hours,
        "max_proposal_size": config.max_proposal_size,
        "mst_expiration_minutes": config.mst_expiration_time,
    }
    if config.metrics is not None:
        values["metrics"] = metrics_address(config.metrics)
    if (tls := config.torii_tls_params) is not None:
        values["torii_tls"] = {
            "address": f"0.0.0.0:{tls.port}",
            "certificate": f"{tls.key_pair_path}.crt",
            "private_key": f"{tls.key_pair_path}.key",
        }
    try:
        return NodeConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ConfigError(f"{first['loc'][0]}: {first['msg']}") from None


def data_folder(config: IrohadConfig) -> Path:
    """Return where our stores are kept: a folder `tegata` in irohad's own.

    irohad's files stay as they are. Where it keeps all in PostgreSQL, the folder is in the working
    directory.
    """
    if config.block_store_path is not None:
        return Path(config.block_store_path) / _DATA_NAME
    if config.database is not None and config.database.path is not None:
        return Path(config.database.path) / _DATA_NAME
    return Path(_DATA_NAME)


def metrics_address(text: str) -> str:
    """Return the address of the metrics: irohad writes `host:port`, `:port` or `port`."""
    host, _, port = text.rpartition(":")
    return f"{host or '127.0.0.1'}:{port}"


def load_signer(crypto: Crypto) -> AccountKey:
    """Return the key of the provider that signs.

    Raises:
        ConfigError: There is no such provider, or its key cannot be used.
    """
    provider = crypto.providers.get(crypto.signer)
    if provider is None:
        raise ConfigError(f"crypto/signer: there is no provider {crypto.signer}")
    where = f"crypto/providers/{crypto.signer}/private_key"
    try:
        data = bytes.fromhex(provider.private_key.get_secret_value())
    except ValueError:
        raise ConfigError(f"{where}: hex digits are expected") from None
    seed, public_key = data[:SEED_BYTES], data[SEED_BYTES:]
    try:
        key = AccountKey(seed, KeyAlgorithm(provider.crypto_type))
    except KeyFormatError as error:
        raise ConfigError(f"{where}: {error}") from None
    # The library behind irohad's second scheme writes the public half behind the private one.
    if public_key not in (b"", key.raw_public_key):
        raise ConfigError(f"{where}: its second half is not the public key of the first")
    return key


def keys_without_effect(config: IrohadConfig) -> list[str]:
    """Return the given keys that mean nothing here."""
    keys = config.model_fields_set & _WITHOUT_EFFECT
    if config.database is not None and config.database.type == "postgres":
        keys |= {"database"}
    return sorted(keys)


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: no JSON: {error}") from None


def _merge(kind: Any, given: Any, name: str, environment: Mapping[str, str]) -> Any:
    """Return the value of one key: what the file gives, completed from the environment.

    Args:
        kind: The key's declared type.
        given: Its value in the file, or `_ABSENT`.
        name: The variable that stands for it.
        environment: The variables of the process.
    """
    kinds = [part for part in get_args(kind) if part is not NoneType]
    if NoneType in get_args(kind):
        (kind,) = kinds
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _merge_section(kind, given, name, environment)
    if given is not _ABSENT:
        return given
    if get_origin(kind) is list:
        return _read_list(get_args(kind)[0], name, environment)
    if get_origin(kind) is dict:
        return _read_map(get_args(kind)[1], name, environment)
    return _read_scalar(kind, name, environment)


def _merge_section(
    kind: type[BaseModel], given: Any, name: str, environment: Mapping[str, str]
) -> Any:
    if given is not _ABSENT and not isinstance(given, dict):
        return given
    values: dict[str, Any] = dict(given) if isinstance(given, dict) else {}
    for field_name, field in kind.model_fields.items():
        key = field.alias or field_name
        variable = f"{name}_{key.upper()}"
        value = _merge(field.annotation, values.get(key, _ABSENT), variable, environment)
        if value is not _ABSENT:
            values[key] = value
    return values if values or given is not _ABSENT else _ABSENT


def _read_list(kind: Any, name: str, environment: Mapping[str, str]) -> Any:
    values: list[Any] = []
    while (value := _merge(kind, _ABSENT, f"{name}_{len(values)}", environment)) is not _ABSENT:
        values.append(value)
    return values or _ABSENT


def _read_map(kind: Any, name: str, environment: Mapping[str, str]) -> Any:
    values: dict[str, Any] = {}
    for number in range(len(environment)):
        key = environment.get(f"{name}_{number}_KEY")
        if key is None:
            break
        value = _merge(kind, _ABSENT, f"{name}_{number}", environment)
        values[key] = {} if value is _ABSENT else value
    return values or _ABSENT


def _read_scalar(kind: Any, name: str, environment: Mapping[str, str]) -> Any:
    text = environment.get(name)
    if text is None:
        return _ABSENT
    if kind is int:
        return int(text) if text.isascii() and text.isdigit() else text
    if kind is bool:
        return _TRUTHS.get(text.lower(), text)
    return text
