"""What goes wrong with the ledger: transactions, queries, and proofs of what it holds."""

from client_sdk.errors.root import ClientError, TransportError


class TransactionFailedError(ClientError):
    """The ledger refused the transaction.

    Attributes:
        tx_hash: The transaction's hash, 64 hex digits.
        status: The name of the `TxStatus` that ended it.
        code: The ledger's result code (`docs/result-codes.md`); 0 where the status says all.
        command_index: The place of the failed command in the transaction, from 0.
    """

    def __init__(
        self, message: str, *, tx_hash: str, status: str, code: int = 0, command_index: int = 0
    ) -> None:
        super().__init__(message)
        self.tx_hash = tx_hash
        self.status = status
        self.code = code
        self.command_index = command_index


class GuardRefusedError(TransactionFailedError):
    """The guard of the account refused this for now; the message says what can be done."""


class RecoveryError(ClientError):
    """The account cannot be recovered so."""


class QueryFailedError(ClientError):
    """The ledger refused the query.

    Attributes:
        reason: The name of the `ErrorResponse.Reason`.
        code: The ledger's error code.
    """

    def __init__(self, message: str, *, reason: str, code: int) -> None:
        super().__init__(message)
        self.reason = reason
        self.code = code

    @property
    def is_absence(self) -> bool:
        """Whether the ledger says that there is no such thing: it may be asked, and has none."""
        return self.reason.startswith("NO_")


class CredentialStateError(ClientError):
    """The state of the credential's record does not allow this change."""


class HeaderUnavailableError(TransportError):
    """The node does not have this header yet, or not any more."""


class ProofError(ClientError):
    """A proof of what the ledger holds does not prove it."""


class StaleProofError(ProofError):
    """The proof is older than is accepted. Ask for a new one."""


class LightBlockError(ProofError):
    """A signed header of a replicated ledger is none that its validators decided."""


class TrustExpiredError(ProofError):
    """The newest header that is known is too old to trust others by it. Give a new one."""


class LedgerForkError(ProofError):
    """The ledger's peers have signed two histories, or took one back. Keep both proofs of it.

    Attributes:
        known: The signed checkpoint that was seen before, or one of two signed headers, as JSON.
        found: The one that cannot stand beside it.
    """

    def __init__(self, message: str, *, known: bytes, found: bytes) -> None:
        super().__init__(message)
        self.known = known
        self.found = found
