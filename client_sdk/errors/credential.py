"""What is wrong with a credential, an identifier or a message."""

from client_sdk.errors.root import ClientError


class CredentialFormatError(ClientError):
    """A credential or presentation is not well formed (RFC 9901, SD-JWT VC)."""


class DidError(ClientError):
    """A decentralized identifier does not lead to a usable key (DID Core 1.0)."""


class DidNotFoundError(DidError):
    """There is no such subject."""


class DidMethodError(DidError):
    """Identifiers of this method are not resolved here."""


class MessageFormatError(ClientError):
    """A DIDComm message is not well formed, or not for its reader (DIDComm Messaging 2.1)."""
