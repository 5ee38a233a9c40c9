"""What the gateway keeps: requests with their events, standing grants, keys of verifiers."""

from pathlib import Path
from typing import Final

from node.database import Schema, open_database
from node.gateway.api_keys import ApiKeyStore
from node.gateway.event_store import EventStore
from node.gateway.standing_store import StandingStore
from node.gateway.store import RequestStore
from node.gateway.tables import RATE_COUNT, Base
from node.web.shared_counts import SharedCounts

SCHEMA: Final = Schema(
    service="gateway",
    tables=Base.metadata,
    revision="0002",
    revisions=Path(__file__).with_name("revisions"),
)


class GatewayStore:
    """The tables. Safe to share between threads and processes.

    Requests and events outlive the process and not always the machine's power (ADR 0040): a wallet
    answers again. Deposits, their accesses and keys are on the disk before anybody is told.

    Attributes:
        requests: Requests and, for a short while, their results.
        events: What verifiers are told of them, and where.
        standing: Standing grants, their deposits and accesses.
        keys: The verifiers' API keys.
        counts: How often each caller called.
    """

    def __init__(self, database_url: str) -> None:
        """Open the database and make the tables where there are none.

        Raises:
            ConfigError: The URL is not one of SQLAlchemy's.
            StorageError: The database cannot be used.
        """
        self._database = open_database(database_url, SCHEMA)
        quick = self._database.quick()
        self.requests = RequestStore(quick)
        self.events = EventStore(quick)
        self.standing = StandingStore(self._database)
        self.keys = ApiKeyStore(self._database)
        self.counts = SharedCounts(quick, RATE_COUNT)

    def close(self) -> None:
        """Close the connections."""
        self._database.close()
