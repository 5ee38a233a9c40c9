"""Reading a process's TOML file and environment, and writing files that hold secrets."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Final, TypeVar

from cryptography import x509
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    create_model,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsError

from chaincode.ids import ACCOUNT_ID, HASH
from node.errors import ConfigError

_Config = TypeVar("_Config", bound="ProcessConfig")


def in_folder(path: Path, info: ValidationInfo) -> Path:
    """Return a path, taken from the folder of the configuration file where it is relative."""
    folder = (info.context or {}).get("folder", Path())
    return Path(folder) / path


ConfigPath = Annotated[Path, AfterValidator(in_folder), Field(validate_default=True)]
"""A path, taken from the folder of the configuration file where it is relative."""


NESTED: Final = "__"
"""Between the names of a table and of a key in it, in the name of an environment variable."""


class ProcessConfig(BaseModel):
    """The base of each process's configuration: frozen, and strict about unknown keys.

    Attributes:
        environment_prefix: How the names of the environment variables begin that stand for its
            keys, such as `TEGATA_GATEWAY_`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment_prefix: ClassVar[str]


class LedgerAccess(BaseModel):
    """Which ledger a service uses, and as whom.

    Attributes:
        address: `host:port` of a node's Torii.
        account: The service's account.
        private_key_file: The account's key, `NAME.priv`, with `NAME.pub` beside it.
        ledger_id: The ledger's id, 64 hex digits.
        root_certificates_file: The certificates, PEM, that the node's own must lead to: its Torii
            is spoken to over TLS then, else in plain.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str
    account: str = Field(pattern=f"^{ACCOUNT_ID.pattern}$")
    private_key_file: ConfigPath
    ledger_id: str = Field(pattern=f"^{HASH.pattern}$")
    root_certificates_file: Annotated[Path, AfterValidator(in_folder)] | None = None

    def load_root_certificates(self) -> bytes | None:
        """Read the certificates, or return None where the connection is plain.

        Raises:
            ConfigError: The file cannot be read.
        """
        if self.root_certificates_file is None:
            return None
        return load_certificates(self.root_certificates_file)


def load_config(path: Path, kind: type[_Config]) -> _Config:
    """Read a TOML file and the environment into a configuration.

    `TEGATA_GATEWAY_LISTEN` stands before `listen` of a gateway's file, and
    `TEGATA_GATEWAY_LEDGER__ADDRESS` before `address` in its table `ledger`; what is no text or
    number is JSON. Relative paths are taken from the file's own folder.

    Raises:
        ConfigError: The file cannot be read, is not TOML, or a key is missing, unknown or wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as TOML: {error}") from None
    return parse_config(text, kind, path=path, environment=_read_environment(kind))


def parse_config(
    text: str, kind: type[_Config], *, path: Path, environment: Mapping[str, object] = {}
) -> _Config:
    """Return the configuration that the text of a file stands for; `path` need not exist yet.

    Args:
        text: The file's.
        kind: Whose configuration it is.
        path: Where the file is, or will be.
        environment: Keys and values that stand before those of the file.

    Raises:
        ConfigError: It is not TOML, or a key is missing, unknown or wrong.
    """
    try:
        values = _merge(tomllib.loads(text), environment)
    except (ValueError, RecursionError) as error:
        # Besides its own error, the parser lets those of a number too long and too deep through.
        raise ConfigError(f"{path}: cannot be read as TOML: {error}") from None
    try:
        return kind.model_validate(values, context={"folder": path.parent})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "(top level)"
        raise ConfigError(f"{path}: {where}: {first['msg']}") from None


def _read_environment(kind: type[_Config]) -> dict[str, object]:
    prefix = kind.environment_prefix
    for name in os.environ:
        key = name.removeprefix(prefix).partition(NESTED)[0].lower()
        if name.startswith(prefix) and key not in kind.model_fields:
            raise ConfigError(f"{name}: the environment names no key of this configuration")
    settings = create_model(kind.__name__, __base__=(kind, BaseSettings))
    assert issubclass(settings, BaseSettings)
    source = EnvSettingsSource(settings, env_prefix=prefix, env_nested_delimiter=NESTED)
    try:
        return source()
    except SettingsError as error:
        raise ConfigError(f"{prefix}*: {error}: JSON is expected") from None


def _merge(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    merged = dict(below)
    for name, value in above.items():
        match merged.get(name), value:
            case dict() as under, dict() as over:
                merged[name] = _merge(under, over)
            case _:
                merged[name] = value
    return merged


def load_certificates(path: Path) -> bytes:
    """Read a file of PEM certificates.

    Raises:
        ConfigError: The file cannot be read, or holds something else.
    """
    try:
        data = path.read_bytes()
        x509.load_pem_x509_certificates(data)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{path}: no PEM certificate is in it") from None
    return data


def save_secret(path: Path, text: str) -> None:
    """Write a new file that only its owner can read; never through a wider mode.

    Raises:
        ConfigError: The file exists already, or the folder cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be created: {error.strerror}") from None
