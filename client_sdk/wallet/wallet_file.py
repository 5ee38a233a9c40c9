"""The file of a wallet: its contents, typed, and changed only whole."""

from collections.abc import Callable
from pathlib import Path

from client_sdk.vault import Vault
from client_sdk.wallet.wallet_records import WalletContents


class WalletFile:
    """The contents of a wallet, sealed in a vault."""

    def __init__(self, vault: Vault) -> None:
        """Take over an open vault that holds a wallet."""
        self._vault = vault

    @property
    def path(self) -> Path:
        """Where the wallet's file is."""
        return self._vault.path

    @property
    def contents(self) -> WalletContents:
        """The newest contents: another process may have saved this wallet meanwhile.

        Raises:
            VaultFormatError: The vault holds something else than a wallet.
        """
        self._vault.reload()
        return WalletContents.from_fields(self._vault.contents)

    def update(self, change: Callable[[WalletContents], WalletContents]) -> None:
        """Change the newest contents, and save them."""
        self._vault.update(lambda fields: change(WalletContents.from_fields(fields)).to_fields())
