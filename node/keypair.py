"""Keypairs on an operator's disk, as Iroha keeps them: `NAME.priv` and `NAME.pub`."""

from pathlib import Path

from client_sdk.ledger.account_key import AccountKey
from node.config import save_secret
from node.errors import ConfigError


def load_or_make_keypair(private_key_file: Path) -> AccountKey:
    """Return the key in a file; where there is none, make one and write both halves.

    So a command that was refused after it made its key can be given again.

    Raises:
        ConfigError: The folder cannot be written.
        KeyFormatError: The files are there, and are no keypair.
    """
    if private_key_file.exists():
        return AccountKey.load(private_key_file)
    key = AccountKey.generate()
    save_keypair(key, private_key_file)
    return key


def save_keypair(key: AccountKey, private_key_file: Path) -> None:
    """Write both halves; the private one readable by its owner only.

    Raises:
        ConfigError: A file exists already, or the folder cannot be written.
    """
    try:
        private_key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        save_secret(private_key_file, key.seed.hex() + "\n")
        with private_key_file.with_suffix(".pub").open("x", encoding="ascii") as file:
            file.write(key.public_key + "\n")
    except OSError as error:
        raise ConfigError(f"{private_key_file}: cannot be created: {error.strerror}") from None
