"""Configuration files that cannot be used say why, and where; secrets are never readable wider."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from node.config import ConfigPath, ProcessConfig, load_config, parse_config, save_secret
from node.errors import ConfigError


class ExampleTable(BaseModel):
    model_config = ConfigDict(extra="forbid")

    address: str
    ports: tuple[int, ...] = ()


class ExampleConfig(ProcessConfig):
    environment_prefix = "TEGATA_EXAMPLE_"

    name: str
    count: int = Field(default=1, ge=1)
    file: ConfigPath = Path("example.db")
    table: ExampleTable = ExampleTable(address="a")


PATH = Path("/etc/example/example.toml")


@pytest.fixture
def open_umask() -> Iterator[None]:
    """Let new files be readable by everybody, unless the code says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_paths_are_taken_from_the_files_folder(tmp_path: Path) -> None:
    file = tmp_path / "example.toml"
    file.write_text('name = "手形"\n', encoding="utf-8")
    config = load_config(file, ExampleConfig)
    assert (config.name, config.count, config.file) == ("手形", 1, tmp_path / "example.db")
    absolute = parse_config('name = "a"\nfile = "/var/x"', ExampleConfig, path=PATH)
    assert absolute.file == Path("/var/x")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "name: Field required"),
        ("name = 5", "name: Input should be a valid string"),
        ('name = "a"\ncount = 0', "count: "),
        ('name = "a"\nnmae = "b"', "nmae: Extra inputs are not permitted"),
        ('name = "a"\nname = "b"', "cannot be read as TOML"),
        ("name = [[/]]", "cannot be read as TOML"),
        (f"name = {'9' * 5000}", "cannot be read as TOML"),
        (f"name = {'[' * 5000}", "cannot be read as TOML"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_used(text: str, what: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(text, ExampleConfig, path=PATH)
    assert str(raised.value).startswith(f"{PATH}: ")
    assert what in str(raised.value)


def test_a_value_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config('name = "a"\ncount = "a-secret-in-the-wrong-place"', ExampleConfig, path=PATH)
    assert "secret" not in str(raised.value)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ConfigError):
        parse_config(text, ExampleConfig, path=PATH)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "example.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(file, ExampleConfig)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path, ExampleConfig)


def test_the_environment_stands_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "example.toml"
    file.write_text('name = "file"\ncount = 3\n[table]\naddress = "f"\nports = [1]\n')
    monkeypatch.setenv("TEGATA_EXAMPLE_NAME", "environment")
    monkeypatch.setenv("TEGATA_EXAMPLE_FILE", "other.db")
    monkeypatch.setenv("TEGATA_EXAMPLE_TABLE__PORTS", "[2, 3]")
    config = load_config(file, ExampleConfig)
    assert (config.name, config.count, config.file) == ("environment", 3, tmp_path / "other.db")
    assert config.table == ExampleTable(address="f", ports=(2, 3))


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("TEGATA_EXAMPLE_NMAE", "a-secret", "TEGATA_EXAMPLE_NMAE"),
        ("TEGATA_EXAMPLE_COUNT", "a-secret", "count: "),
        ("TEGATA_EXAMPLE_TABLE", "a-secret", "table"),
        ("TEGATA_EXAMPLE_TABLE__PORTS", "a-secret", "table"),
        ("TEGATA_EXAMPLE_TABLE__PROTS", "a-secret", "table"),
    ],
)
def test_an_environment_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, what: str
) -> None:
    file = tmp_path / "example.toml"
    file.write_text('name = "file"\n')
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as raised:
        load_config(file, ExampleConfig)
    assert what in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.usefixtures("open_umask")
def test_a_secret_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    save_secret(file, "秘密")
    assert file.read_text(encoding="utf-8") == "秘密"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_secret_is_not_written_over_another(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    save_secret(file, "first")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for path in (file, tmp_path / "link", tmp_path / "no" / "folder"):
        with pytest.raises(ConfigError, match="cannot be created") as raised:
            save_secret(path, "second")
        assert "second" not in str(raised.value)
    assert file.read_text(encoding="utf-8") == "first"
    assert not (tmp_path / "elsewhere").exists()
