"""Making nodes, issuers and gateways: what is written, with which mode, and what is refused."""

import hashlib
import json
import stat
import time
import tomllib
from pathlib import Path

import pytest
from support.command_line import run, run_inside, run_json

from client_sdk.errors import KeyFormatError, RequestError, TransactionFailedError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.openid4vp.access_certificate import load_certificates
from client_sdk.openid4vp.verifier_registration import verify_registration
from node.cli.demo.town import Town
from node.config import load_config
from node.errors import ConfigError
from node.gateway.config import GatewayConfig
from node.gateway.verifier_profile import VerifierProfile
from node.issuer.config import IssuerConfig

pytestmark = pytest.mark.xdist_group("town")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def files_in(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestNode:
    def test_what_is_made(self, tmp_path: Path) -> None:
        folder = tmp_path / "𠮷野 [node]"
        made = run_json("node", "init", folder, "--torii", "127.0.0.1:50099")
        assert made.keys() == {"folder", "torii", "keys", "next"}
        assert made["torii"] == "127.0.0.1:50099"
        for name in made["keys"]:
            AccountKey.load(Path(name))
            assert mode_of(Path(name)) == 0o600
        assert mode_of(folder / "keys") == 0o700
        assert tomllib.loads((folder / "node.toml").read_text())["torii"] == "127.0.0.1:50099"
        assert json.loads((folder / "genesis.block").read_text())

    def test_a_ledger_is_not_made_twice(self, tmp_path: Path) -> None:
        assert run_inside("node", "init", tmp_path / "n").exit_code == 0
        before = files_in(tmp_path)
        again = run("node", "init", tmp_path / "n")
        assert again.returncode == 5
        assert "a ledger is not made twice" in again.stderr
        (tmp_path / "n" / "node.toml").unlink()
        result = run_inside("node", "init", tmp_path / "n")
        assert isinstance(result.exception, ConfigError)
        assert "File exists" in str(result.exception)
        assert before.items() >= files_in(tmp_path).items()

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--torii", "nonsense"),
            ("--torii", "127.0.0.1:99999"),
            ("--peer-address", "nonsense"),
            ("--peer-address", "two words:1"),
        ],
    )
    def test_nothing_is_half_made(self, tmp_path: Path, arguments: tuple[str, str]) -> None:
        result = run_inside("node", "init", tmp_path / "n", *arguments)
        assert isinstance(result.exception, ConfigError)
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("not a folder")
        result = run_inside("node", "init", tmp_path / "file" / "n")
        assert isinstance(result.exception, ConfigError)


class TestIssuer:
    def test_the_token_is_shown_once_and_kept_nowhere(self, town: Town) -> None:
        folder = town.folder / "issuer"
        for path, data in files_in(town.folder).items():
            assert town.operator_token.encode() not in data, path
            assert town.api_key.encode() not in data, path
        config = tomllib.loads((folder / "issuer.toml").read_text())
        digest = hashlib.sha256(town.operator_token.encode()).hexdigest()
        assert config["operator_token_sha256"] == digest

    def test_secrets_are_readable_by_their_owner_only(self, town: Town) -> None:
        for name in ("issuer/issuer.toml", "gateway/gateway.toml", "ledger/node.toml"):
            assert mode_of(town.folder / name) == 0o600
        for service in ("issuer", "gateway", "ledger"):
            keys = town.folder / service / "keys"
            assert mode_of(keys) == 0o700
            for path in keys.iterdir():
                assert path.suffix == ".pub" or mode_of(path) == 0o600, path

    def test_an_issuer_is_not_made_twice(self, town: Town) -> None:
        result = run_inside(
            *("issuer", "init", town.folder / "issuer", "--network", town.ledger_folder),
            *("--account", "other@issuer"),
        )
        assert isinstance(result.exception, ConfigError)
        assert "not made twice" in str(result.exception)

    def test_a_name_that_is_taken_can_be_tried_again(self, town: Town, tmp_path: Path) -> None:
        folder = tmp_path / "issuer"
        start = ("issuer", "init", folder, "--network", town.ledger_folder, "--account")
        result = run_inside(*start, "aoba_city@issuer")
        assert isinstance(result.exception, TransactionFailedError)
        made = run_json(*start, "midori_city@issuer", "--listen", "127.0.0.1:8099")
        assert made.keys() == {
            "folder",
            "account",
            "registered_as",
            "public_url",
            "operator_token",
            "next",
        }
        assert made["public_url"] == "http://127.0.0.1:8099"
        assert made["registered_as"].startswith("tg_issuer_")
        config = load_config(folder / "issuer.toml", IssuerConfig)
        assert config.ledger.account == "midori_city@issuer"
        assert config.database_url.endswith(f"{folder}/issuer.db")

    @pytest.mark.parametrize(
        "arguments",
        [("--public-url", "http://issuer.example"), ("--public-url", "nonsense")],
    )
    def test_nothing_is_half_made(
        self, town: Town, tmp_path: Path, arguments: tuple[str, str]
    ) -> None:
        result = run_inside(
            *("issuer", "init", tmp_path / "i", "--network", town.ledger_folder),
            *("--account", "unused@issuer", *arguments),
        )
        assert isinstance(result.exception, ConfigError)
        assert list(tmp_path.iterdir()) == []


PREFIXES = {
    "dc+sd-jwt": (),
    "vc+sd-jwt": ("credentialSubject",),
    "jwt_vc_json": ("credentialSubject",),
    "ldp_vc": ("credentialSubject",),
}
"""Where a credential of each format says what it says of its holder."""


class TestGateway:
    @pytest.fixture
    def folder(self, town: Town, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
        """A gateway without verifiers, on an account of its own."""
        name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
        folder = tmp_path / "𠮷"
        result = run_inside(
            *("gateway", "init", folder, "--network", town.ledger_folder),
            *("--account", f"gw_{name}@gateway", "--listen", "127.0.0.1:8098", "--json"),
        )
        assert result.exit_code == 0, result.exception
        made = json.loads(result.stdout)
        assert made.keys() == {"folder", "account", "public_url", "access_authority", "next"}
        return folder

    def test_a_verifier(self, folder: Path) -> None:
        added = run_json(
            *("gateway", "add-verifier", folder, "ward", "--name", '青葉区 "𠮷" Office')
        )
        assert added.keys() == {"verifier", "name", "client_id", "api_key", "next"}
        config = load_config(folder / "gateway.toml", GatewayConfig)
        (verifier,) = config.verifiers
        assert verifier.id == "ward"
        assert verifier.private_key_file is not None
        assert mode_of(verifier.private_key_file) == 0o600
        assert mode_of(folder / "gateway.toml") == 0o600
        assert all(added["api_key"].encode() not in data for data in files_in(folder).values())

    def test_what_a_verifier_may_ask(self, folder: Path) -> None:
        add = ("gateway", "add-verifier", folder, "shop", "--name", "Sake Shop")
        uses = (
            "--may-ask",
            "AgeVerification=birth_date",
            "--may-ask",
            "ServiceProvision=name, sex",
        )
        assert run_inside(*add, *uses).exit_code == 0
        (verifier,) = load_config(folder / "gateway.toml", GatewayConfig).verifiers
        profile = VerifierProfile.load(verifier, public_url="https://gateway.example")
        assert [
            (found.purpose.name, {item.format: item.paths for item in found.credentials})
            for found in profile.registrations
        ] == [
            (
                purpose,
                {
                    name: tuple((*prefix, attribute) for attribute in attributes)
                    for name, prefix in PREFIXES.items()
                },
            )
            for purpose, attributes in (
                ("AgeVerification", ["birth_date"]),
                ("ServiceProvision", ["name", "sex"]),
            )
        ]
        anchors = load_certificates((folder / "access_authority.crt").read_bytes())
        for token in profile.registration_tokens:
            verify_registration(
                token,
                client_id=profile.identify("https://gateway.example/1").client_id,
                trust_anchors=anchors,
                now_s=int(time.time()),
            )

    @pytest.mark.parametrize("text", ["AgeVerification", "=name", "Curiosity=name", "Marketing= ,"])
    def test_uses_that_are_refused(self, folder: Path, text: str) -> None:
        before = files_in(folder.parent)
        add = ("gateway", "add-verifier", folder, "shop", "--name", "Sake Shop", "--may-ask", text)
        result = run_inside(*add)
        assert result.exit_code == 2
        assert "--may-ask" in result.output
        assert files_in(folder.parent) == before

    def test_keys_of_a_verifier(self, folder: Path) -> None:
        add = ("gateway", "add-verifier", folder, "ward", "--name", "Ward Office")
        assert run_inside(*add).exit_code == 0
        create = ("gateway", "key", "create", folder, "ward", "--days", "30", "--note", "till 3")
        made = json.loads(run_inside(*create, "--scope", "results:read", "--json").stdout)
        assert made["api_key"].startswith("tegata_")
        assert made["scopes"] == ["results:read"]

        def listed() -> dict[str, str]:
            rows = json.loads(run_inside("gateway", "key", "list", folder, "--json").stdout)
            assert all("api_key" not in row for row in rows)
            return {row["note"]: row["state"] for row in rows}

        assert listed() == {"": "live", "till 3": "live"}
        revoke = ("gateway", "key", "revoke", folder, made["key"])
        assert run_inside(*revoke).exit_code == 0
        assert listed() == {"": "live", "till 3": "revoked"}
        assert isinstance(run_inside(*revoke).exception, ConfigError)
        unknown = run_inside("gateway", "key", "create", folder, "nobody").exception
        assert isinstance(unknown, ConfigError)
        assert "nobody" in str(unknown)

    def test_the_same_id_twice(self, folder: Path) -> None:
        add = ("gateway", "add-verifier", folder, "ward", "--name", "Ward Office")
        assert run_inside(*add).exit_code == 0
        before = files_in(folder)
        again = run(*add)
        assert again.returncode == 5
        assert "two have the same id" in again.stderr
        assert files_in(folder) == before
        assert run_inside("gateway", "add-verifier", folder, "other", "--name", "O").exit_code == 0
        assert len(load_config(folder / "gateway.toml", GatewayConfig).verifiers) == 2

    @pytest.mark.parametrize(
        ("verifier_id", "name"),
        [
            ("Ward Office", "Ward Office"),
            ("../ward", "Ward Office"),
            ("a/b", "Ward Office"),
            ("", "Ward Office"),
            ("x" * 65, "Ward Office"),
            ("ward", ""),
            ("ward", "two\nlines"),
            ("ward", "n" * 65),
        ],
    )
    def test_what_is_refused_leaves_the_gateway_as_it_was(
        self, folder: Path, verifier_id: str, name: str
    ) -> None:
        before = files_in(folder.parent)
        result = run_inside("gateway", "add-verifier", folder, verifier_id, "--name", name)
        assert isinstance(result.exception, ConfigError | KeyFormatError)
        assert files_in(folder.parent) == before

    def test_without_a_gateway_or_its_authority(self, folder: Path, tmp_path: Path) -> None:
        add = ("ward", "--name", "Ward Office")
        result = run_inside("gateway", "add-verifier", tmp_path, *add)
        assert isinstance(result.exception, ConfigError)
        assert "make it first" in str(result.exception)
        (folder / "keys" / "access_authority.key").unlink()
        result = run_inside("gateway", "add-verifier", folder, *add)
        assert isinstance(result.exception, ConfigError)
        assert "access_authority.key" in str(result.exception)
        (folder / "gateway.toml").write_bytes(b"\xff")
        assert isinstance(
            run_inside("gateway", "add-verifier", folder, *add).exception, ConfigError
        )

    def test_a_gateway_is_not_made_twice(self, town: Town, folder: Path) -> None:
        result = run_inside("gateway", "init", folder, "--network", town.ledger_folder)
        assert isinstance(result.exception, ConfigError)
        assert "not made twice" in str(result.exception)

    def test_an_address_that_no_wallet_would_use(self, town: Town, tmp_path: Path) -> None:
        result = run_inside(
            *("gateway", "init", tmp_path / "g", "--network", town.ledger_folder),
            *("--account", "unused@gateway", "--public-url", "http://gateway.example"),
        )
        assert isinstance(result.exception, RequestError)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "damage", ["keys/admin@tegata.priv", "keys/registry@tegata.pub", "node.toml"]
)
def test_a_network_without_what_is_needed(tmp_path: Path, damage: str) -> None:
    assert run_inside("node", "init", tmp_path / "n").exit_code == 0
    (tmp_path / "n" / damage).unlink()
    for init in (
        ("issuer", "init", tmp_path / "s", "--network", tmp_path / "n", "--account", "a@issuer"),
        ("gateway", "init", tmp_path / "s", "--network", tmp_path / "n"),
    ):
        result = run_inside(*init)
        assert isinstance(result.exception, ConfigError | KeyFormatError)
        # The same command does it once the network is there.
        assert not (tmp_path / "s").exists()
