"""What a wallet's file does not hold or allow."""

from client_sdk.errors.root import ClientError


class VaultError(ClientError):
    """The wallet's file cannot be used."""


class WrongPassphraseError(VaultError):
    """The passphrase does not open this wallet, or the file was changed."""


class VaultFormatError(VaultError):
    """The file is not a wallet of this version."""


class NotRegisteredError(ClientError):
    """The wallet has no account on a ledger yet."""


class UnknownCredentialError(ClientError):
    """The wallet holds no such credential."""


class UnknownGrantError(ClientError):
    """The wallet made no such grant."""
