"""Setting up authorities: what is written, and what is refused before anything is."""

import hashlib
import json
import stat
from pathlib import Path

import pytest
from click.testing import Result
from support.command_line import run_inside
from support.threshold import deal

from client_sdk.credentials.jose import export_private_jwk, generate_key
from client_sdk.errors import FrostFormatError
from client_sdk.issuer.authority_client import ThresholdSigner
from node.authority.config import AuthorityConfig
from node.config import load_config
from node.errors import ConfigError
from node.issuer.config import Authorities, AuthorityAccess, IssuerConfig, load_signer
from node.threshold.ceremony_files import SHARE_FILE
from node.threshold.share_file import save_share

LEDGER_ID = "ab" * 32
TERMS = ("--issuer-url", "https://issuer.example/", "--issuer-account", "aoba_city@issuer")


def init(folder: Path, *arguments: str) -> Result:
    return run_inside("authority", "init", folder, *TERMS, *arguments)


def test_what_is_made(tmp_path: Path) -> None:
    share = deal(2, 3)[2]
    save_share(share, tmp_path / SHARE_FILE)
    result = init(tmp_path, "--ledger-id", LEDGER_ID, "--json")
    assert result.exit_code == 0, result.exception
    config = load_config(tmp_path / "authority.toml", AuthorityConfig)
    assert config.issuer_url == "https://issuer.example"
    assert config.share_file == tmp_path / SHARE_FILE
    assert stat.S_IMODE((tmp_path / "authority.toml").stat().st_mode) == 0o600
    printed = json.loads(result.stdout)
    assert printed["identifier"] == "2"
    assert printed["signs_under"] == share.group.ledger_key
    token = printed["issuer_token"].encode()
    assert hashlib.sha256(token).hexdigest() == config.issuer_token_sha256
    assert token not in (tmp_path / "authority.toml").read_bytes()

    again = init(tmp_path, "--ledger-id", LEDGER_ID)
    assert isinstance(again.exception, ConfigError)
    assert "not made twice" in str(again.exception)


def test_without_a_share(tmp_path: Path) -> None:
    result = init(tmp_path, "--ledger-id", LEDGER_ID)
    assert isinstance(result.exception, ConfigError)
    assert "share.json" in str(result.exception)


def test_with_wrong_terms(tmp_path: Path) -> None:
    save_share(deal(2, 2)[1], tmp_path / SHARE_FILE)
    result = init(tmp_path, "--ledger-id", "nonsense")
    assert isinstance(result.exception, ConfigError)
    assert "ledger_id" in str(result.exception)
    assert not (tmp_path / "authority.toml").exists()


class TestIssuerOfAuthorities:
    @pytest.fixture
    def group_file(self, tmp_path: Path) -> Path:
        save_share(deal(2, 2)[1], tmp_path / "share.json")
        path = tmp_path / "group.json"
        path.write_text(json.dumps(json.loads((tmp_path / "share.json").read_text())["group"]))
        return path

    def test_authorities_need_a_group_key_and_it_needs_them(
        self, tmp_path: Path, group_file: Path
    ) -> None:
        token = tmp_path / "token"
        token.write_text("secret")
        start = (*("init", str(tmp_path / "i"), "--network", str(tmp_path)), "--account", "a@b")
        one = ("--authority", "1", "http://127.0.0.1:1", str(token))
        for arguments, text in (
            (one, "needs --group-key"),
            (("--group-key", str(group_file), *one), "needed 2 times"),
        ):
            result = run_inside("issuer", *start, *arguments)
            assert result.exit_code == 2
            assert text in result.output
            assert not (tmp_path / "i").exists()

    def config(self, tmp_path: Path, **changes: object) -> IssuerConfig:
        fields = {
            "public_url": "https://issuer.example",
            "operator_token_sha256": "0" * 64,
            "issuer_record": "0" * 32,
            "ledger": {
                "address": "127.0.0.1:1",
                "account": "a@b",
                "private_key_file": "keys/account.priv",
                "ledger_id": LEDGER_ID,
            },
            **changes,
        }
        return IssuerConfig.model_validate(fields, context={"folder": tmp_path})

    def test_the_signer_is_what_the_configuration_names(
        self, tmp_path: Path, group_file: Path
    ) -> None:
        (tmp_path / "token").write_text("secret\n")

        def authorities(*identifiers: int) -> Authorities:
            return Authorities(
                group_key_file=group_file,
                signers=tuple(
                    AuthorityAccess(
                        identifier=i, url="http://127.0.0.1:1", token_file=tmp_path / "token"
                    )
                    for i in identifiers
                ),
            )

        config = self.config(tmp_path, authorities=authorities(1, 2))
        assert isinstance(load_signer(config), ThresholdSigner)
        with pytest.raises(ConfigError, match=r"group\.json.*no share"):
            load_signer(self.config(tmp_path, authorities=authorities(1, 3)))
        for changes in ({}, {"authorities": authorities(1, 2), "signing_key_file": "x"}):
            with pytest.raises(ConfigError, match="either signing_key_file or"):
                load_signer(self.config(tmp_path, **changes))
        (tmp_path / "token").unlink()
        with pytest.raises(ConfigError, match="cannot be read as a token"):
            load_signer(config)

        key = generate_key()
        (tmp_path / "k.jwk").write_text(json.dumps(export_private_jwk(key)))
        assert load_signer(self.config(tmp_path, signing_key_file="k.jwk")) == key


def test_a_plan_that_cannot_be_is_refused(tmp_path: Path) -> None:
    result = run_inside(
        *("issuer", "keygen", tmp_path / "a", "--threshold", "3", "--parties", "2"),
        *("--board", tmp_path / "board", "--name", "aoba"),
    )
    assert isinstance(result.exception, FrostFormatError)
