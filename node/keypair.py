"""Keypairs on an operator's disk, as Iroha keeps them: `NAME.priv` and `NAME.pub`."""

from pathlib import Path

from client_sdk.account_key import AccountKey
from node.config import save_secret


def save_keypair(key: AccountKey, private_key_file: Path) -> None:
    """Write both halves; the private one readable by its owner only.

    Raises:
        ConfigError: A file exists already, or the folder cannot be written.
    """
    private_key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    save_secret(private_key_file, key.seed.hex() + "\n")
    private_key_file.with_suffix(".pub").write_text(key.public_key + "\n", encoding="ascii")
