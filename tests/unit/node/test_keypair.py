"""Keypairs on disk: both halves, private, and never written over."""

import os
import stat
from pathlib import Path

import pytest

from client_sdk.errors import KeyFormatError
from client_sdk.ledger.account_key import AccountKey
from node.errors import ConfigError
from node.keypair import load_or_make_keypair, save_keypair


def test_both_halves(tmp_path: Path) -> None:
    key = AccountKey.generate()
    file = tmp_path / "new" / "keys" / "account.priv"
    before = os.umask(0)
    try:
        save_keypair(key, file)
    finally:
        os.umask(before)
    assert AccountKey.load(file).public_key == key.public_key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["account.priv", "account.pub"])
def test_neither_half_is_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("here before")
    with pytest.raises(ConfigError, match="cannot be created"):
        save_keypair(AccountKey.generate(), tmp_path / "account.priv")
    assert (tmp_path / name).read_text() == "here before"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be created"):
        save_keypair(AccountKey.generate(), tmp_path / "file" / "account.priv")


def test_a_key_is_made_once(tmp_path: Path) -> None:
    file = tmp_path / "account.priv"
    made = load_or_make_keypair(file)
    assert load_or_make_keypair(file).public_key == made.public_key
    file.with_suffix(".pub").unlink()
    with pytest.raises(KeyFormatError):
        load_or_make_keypair(file)
