"""What went wrong, in words that a resident can act on, by the kind of error."""

from typing import Final

from client_sdk.errors import (
    CardError,
    ClientError,
    EscrowError,
    ExpiredError,
    FaceTestRefusedError,
    GuardRefusedError,
    IssuerRefusedError,
    KeyFormatError,
    LastTryError,
    LedgerForkError,
    NotProtectedError,
    NotRegisteredError,
    OfferError,
    OverAskingError,
    PinBlockedError,
    RecoveryError,
    RequestError,
    TooFewAgentsError,
    TransactionFailedError,
    TransportError,
    UnknownCredentialError,
    UnknownGrantError,
    VaultError,
    VerificationError,
    WeakPasswordError,
    WrongPassphraseError,
    WrongPasswordError,
    WrongPinError,
)
from node.errors import FaceWantedError, NodeError
from node.web.languages import gettext, gettext_noop, language, ngettext

# The first kind that an error is of counts: the narrow ones stand before the broad ones.
_WORDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (WrongPassphraseError, gettext_noop("The passphrase does not open this wallet.")),
    (VaultError, gettext_noop("The wallet's file cannot be used.")),
    (
        WeakPasswordError,
        gettext_noop(
            "This password is too easily guessed, or lacks a capital, a small letter or a digit."
        ),
    ),
    (
        TooFewAgentsError,
        gettext_noop("Too few of the agents that keep your backup did their part."),
    ),
    (
        FaceWantedError,
        gettext_noop(
            "Your agents want to see your face: add the portrait file that was saved with the card."
        ),
    ),
    (FaceTestRefusedError, gettext_noop("The face test was not passed.")),
    (NotProtectedError, gettext_noop("The wallet is not protected against loss yet.")),
    (EscrowError, gettext_noop("The agents that keep your backup could not do this.")),
    (
        OverAskingError,
        gettext_noop(
            "They ask for more than they are registered for. Consent to that, or decline."
        ),
    ),
    (
        IssuerRefusedError,
        gettext_noop("The issuer refused: the code or the offer is wrong, used or expired."),
    ),
    (
        LastTryError,
        gettext_noop(
            "One try is left before the card blocks its password. It is not used here: the city "
            "office sets a new password."
        ),
    ),
    (
        PinBlockedError,
        gettext_noop("The card has blocked its password. The city office sets a new one."),
    ),
    (CardError, gettext_noop("The card was not read. Lay it on the reader, and try again.")),
    (KeyFormatError, gettext_noop("These are no certificates in PEM.")),
    (OfferError, gettext_noop("This cannot be used.")),
    (ExpiredError, gettext_noop("This has expired. Ask for a new one.")),
    (RequestError, gettext_noop("This request cannot be answered.")),
    (VerificationError, gettext_noop("What came failed a check, and was not kept.")),
    (GuardRefusedError, gettext_noop("The guard of your account does not let this happen now.")),
    (TransactionFailedError, gettext_noop("The ledger refused this.")),
    (RecoveryError, gettext_noop("The account cannot be recovered so.")),
    (NotRegisteredError, gettext_noop("Your wallet has no account yet. Get one first.")),
    (UnknownGrantError, gettext_noop("This wallet gave no such permission.")),
    (UnknownCredentialError, gettext_noop("This wallet holds no such credential.")),
    (
        LedgerForkError,
        gettext_noop("THE LEDGER'S HISTORY WAS CHANGED since this wallet last looked."),
    ),
    (TransportError, gettext_noop("A service cannot be reached just now.")),
)
_FAILURE: Final = gettext_noop("Something went wrong in the wallet itself.")


def explain(error: Exception) -> str:
    """Return what went wrong, in the language of the current request."""
    if isinstance(error, WrongPasswordError):
        left = error.attempts_left
        return ngettext(
            "The recovery password is wrong. One try is left.",
            "The recovery password is wrong. %(num)d tries are left.",
            left,
        ) % {"num": left}
    if isinstance(error, WrongPinError):
        left = error.remaining_tries
        return ngettext(
            "The card's password is wrong. One try is left.",
            "The card's password is wrong. %(num)d tries are left.",
            left,
        ) % {"num": left}
    words = next((text for kind, text in _WORDS if isinstance(error, kind)), _FAILURE)
    return gettext(words)


def detail_of(error: Exception | None) -> str | None:
    """Return an error's own words; None where they may not be shown."""
    if isinstance(error, FaceTestRefusedError) and language() in error.words:
        return error.words[language()]
    return str(error) if isinstance(error, ClientError | NodeError) else None
