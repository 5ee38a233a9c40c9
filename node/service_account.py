"""A service's account on the ledger: its key, and how the node is reached."""

from typing import Final

import structlog

from client_sdk.errors import KeyFormatError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.torii_channel import is_exposed
from node.config import LedgerAccess
from node.errors import ConfigError

_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.ledger_access")


class ServiceAccount:
    """What a service signs its transactions and queries with, and its way to the ledger.

    Attributes:
        key: The account's key.
    """

    def __init__(self, access: LedgerAccess, *, table: str = "ledger") -> None:
        """Read the files that the configuration names; nothing is connected yet.

        Args:
            access: Which ledger, and as whom.
            table: What `access` is called in the service's configuration.

        Raises:
            ConfigError: The key or the certificates cannot be read.
        """
        try:
            self.key = AccountKey.load(access.private_key_file)
        except KeyFormatError as error:
            raise ConfigError(f"{table}.private_key_file: {error}") from None
        self._access = access
        self._root_certificates = access.load_root_certificates()
        if is_exposed(access.address, self._root_certificates):
            _log.warning(
                "ledger_without_tls",
                address=access.address,
                mend=f"set {table}.root_certificates_file, or keep this network private",
            )

    def connect(self, *, timeout_s: float = 30) -> LedgerClient:
        """Return a new connection, made at its first use; its caller closes it.

        Args:
            timeout_s: How long one call may last, in seconds.
        """
        return LedgerClient(
            self._access.address,
            self._access.account,
            self.key,
            timeout_s=timeout_s,
            root_certificates=self._root_certificates,
        )
