"""Every error the rules raise. `ChaincodeError` is their root and is never raised itself."""

from enum import IntEnum


class ChaincodeError(Exception):
    """The root of this package's errors."""


class DecodeError(ChaincodeError):
    """The bytes or text are not in the form that they claim."""


class SignatureInvalidError(ChaincodeError):
    """A signature does not verify, or its key or form is not acceptable."""


class ProofInvalidError(ChaincodeError):
    """A proof does not lead to the root that it must lead to."""


class InvalidTransactionError(ChaincodeError):
    """Stateless: the transaction is refused before it enters a block. Its sender must mend it.

    Attributes:
        place: Where it is wrong. The text may quote what its sender wrote; this does not, and is
            fit for a log.
    """

    def __init__(self, text: str, place: str = "") -> None:
        super().__init__(text)
        self.place = place or text


class InvalidQueryError(ChaincodeError):
    """Stateless: the query is refused before any state is read. Its sender must mend it."""


class InvalidBlockError(ChaincodeError):
    """A block does not follow from the chain below it: the store that gave it is broken."""


class RejectedError(ChaincodeError):
    """Stateful: the command may not be applied to this state; the transaction changes nothing.

    Attributes:
        code: The number that Iroha documents for the command, or one of `RecordCode`. It is part of
            the ledger's interface; the text is not.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = int(code)
        self.reason = reason


class UnknownSignatoryError(ChaincodeError):
    """None of the signatures is by a signatory of a creator. The sender must use another key."""


class PendingFullError(ChaincodeError):
    """Too much waits for signatures. The sender should try again when some of it is decided."""


class EvmFailedError(ChaincodeError):
    """The virtual machine gave up a call: reverted, out of gas, or not to be run at all."""


class EvmMissingError(ChaincodeError):
    """The ledger runs contracts by rules that this node has not: it can decide nothing more."""


class QueryRejectedError(ChaincodeError):
    """Stateful: the query is well formed, but has no answer for this creator or in this state.

    Attributes:
        reason: A number of `ErrorResponse.Reason`.
        code: The number that Iroha documents for the query, or one of `QueryCode`; 0 where a
            `NO_...` reason says all.
    """

    def __init__(self, reason: int, code: int, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.code = code


class RecordCode(IntEnum):
    """Result codes of the identity rules (`docs/result-codes.md`). A number is never given anew."""

    MALFORMED = 101
    UNKNOWN_KIND = 102
    NOT_THE_OWNER = 103
    NOT_AN_ISSUER = 104
    FIELD_CHANGED = 105
    STATE_REFUSED = 106
    EXPIRED = 107
    GUARDED = 108
    WINDOW_OPEN = 109
    RECOVERY_OPEN = 110
    LAPSED = 111
    VETO_REFUSED = 112
    NO_GUARD = 113
    NOT_GRANTED = 114
    NO_STATUS_LIST = 115
    OLD_VERSION = 116
    NO_GRANT = 121
    OUT_OF_TURN = 122
    USED_UP = 123


class QueryCode(IntEnum):
    """Codes of query errors that irohad does not have (`docs/result-codes.md`)."""

    TOO_LARGE = 201
