"""What the issuer keeps: offers until they are over, codes, and which credentials it issued.

Each step is one statement that names the state it starts from, so that of two requests at once only
one takes it.
"""

from sqlalchemy.exc import SQLAlchemyError

from node.database import open_database
from node.errors import StorageError
from node.issuer.authorization_store import AuthorizationStore
from node.issuer.batch_store import BatchStore
from node.issuer.credential_store import CredentialStore
from node.issuer.enrolment_store import EnrolmentStore
from node.issuer.nonce_store import NonceStore
from node.issuer.offer_store import OfferStore
from node.issuer.refresh_token_store import RefreshTokenStore
from node.issuer.service_keys import ServiceKeys
from node.issuer.status_list_store import StatusListStore
from node.issuer.tables import RATE_COUNT, SCHEMA
from node.web.shared_counts import SharedCounts


class IssuerStore:
    """The tables. Safe to share between threads and processes.

    Attributes:
        offers: Offers, and what becomes of them until a wallet has its credential.
        authorizations: Authorization requests and their codes.
        refresh_tokens: Leave to ask for the same credentials again.
        credentials: Which credentials were issued, and which are owed anew.
        enrolments: Codes for accounts.
        nonces: Those that were used.
        keys: Keys that all instances share.
        batches: Credentials that are made beforehand.
        status_lists: The lists that are published, and which of their places are used.
        counts: How often each person tried to log in.
    """

    def __init__(self, database_url: str) -> None:
        """Open the database and make the tables where there are none.

        Raises:
            ConfigError: The URL is not one of SQLAlchemy's.
            StorageError: The database cannot be used.
        """
        self._database = open_database(database_url, SCHEMA)
        self.offers = OfferStore(self._database)
        self.authorizations = AuthorizationStore(self._database)
        self.refresh_tokens = RefreshTokenStore(self._database)
        self.credentials = CredentialStore(self._database)
        self.enrolments = EnrolmentStore(self._database)
        self.nonces = NonceStore(self._database)
        self.keys = ServiceKeys(self._database)
        self.batches = BatchStore(self._database)
        self.status_lists = StatusListStore(self._database)
        self.counts = SharedCounts(self._database, RATE_COUNT)

    def purge(self, now_ms: int) -> None:
        """Delete what has expired: offers with their attributes, nonces, enrolment codes.

        Raises:
            StorageError: The database cannot be written now.
        """
        try:
            self.offers.purge(now_ms)
            self.authorizations.purge(now_ms)
            self.refresh_tokens.purge(now_ms)
            self.nonces.purge(now_ms)
            self.enrolments.purge(now_ms)
            self.counts.purge(now_ms // 1000)
            self._database.empty_log()
        except SQLAlchemyError as error:
            raise StorageError(f"the store: {type(error).__name__}") from None

    def close(self) -> None:
        """Close the connections."""
        self._database.close()
