"""The file of a wallet: its contents, typed, and changed only whole."""

from collections.abc import Callable
from pathlib import Path

from chaincode.encoding import JsonObject
from client_sdk.sealing.vault import Vault
from client_sdk.wallet.contents import WalletContents


class WalletFile:
    """The contents of a wallet, sealed in a vault."""

    def __init__(self, vault: Vault, *, part: str | None = None) -> None:
        """Take over an open vault that holds a wallet.

        Args:
            vault: The vault.
            part: The verifier whose part of the wallet is meant; None for the wallet itself.
        """
        self._vault = vault
        self._part = part

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
        contents = WalletContents.from_fields(self._vault.contents)
        return contents if self._part is None else contents.parts[self._part]

    def update(self, change: Callable[[WalletContents], WalletContents]) -> None:
        """Change the newest contents, and save them."""
        self._vault.update(lambda fields: self._change(fields, change).to_fields())

    def _change(
        self, fields: JsonObject, change: Callable[[WalletContents], WalletContents]
    ) -> WalletContents:
        contents = WalletContents.from_fields(fields)
        if self._part is None:
            return change(contents)
        return contents.with_part(self._part, change(contents.parts[self._part]))
