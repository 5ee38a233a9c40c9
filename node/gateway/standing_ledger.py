"""What verifiers without a ledger account of their own read of the ledger, through the gateway."""

from typing import Protocol

from client_sdk.errors import QueryFailedError


class DetailLedger(Protocol):
    """What is needed of a ledger: `client_sdk.ledger.client.LedgerClient` has it."""

    def account_detail(self, account_id: str, key: str, *, writer: str) -> str | None:
        """Return one detail's value, or None where it does not exist."""

    def signatories(self, account_id: str) -> frozenset[str]:
        """Return the public keys of an account."""


class RecordReader:
    """Reads records and keys; what does not exist is told as such, never as an error."""

    def __init__(self, ledger: DetailLedger) -> None:
        """Take over a client of the gateway's account."""
        self._ledger = ledger

    def value(self, account_id: str, key: str, *, writer: str) -> str | None:
        """Return the value of a record, or None where there is none.

        Raises:
            TransportError: The ledger cannot be reached.
        """
        try:
            return self._ledger.account_detail(account_id, key, writer=writer)
        except QueryFailedError as error:
            if not error.is_absence:
                raise
            return None

    def signatories(self, account_id: str) -> frozenset[str]:
        """Return the keys of an account; none where there is no such account.

        Raises:
            TransportError: The ledger cannot be reached.
        """
        try:
            return self._ledger.signatories(account_id)
        except QueryFailedError as error:
            if not error.is_absence:
                raise
            return frozenset()
