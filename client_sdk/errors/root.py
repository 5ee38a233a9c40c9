"""The root of the SDK's errors, and what any part of it may raise."""


class ClientError(Exception):
    """The root of this package's errors."""


class KeyFormatError(ClientError):
    """A key is not in a form that Tegata can use."""


class SealError(ClientError):
    """What is sealed cannot be opened with this key."""


class TransportError(ClientError):
    """The other side cannot be reached, or does not answer in the protocol's form."""


class ServiceRefusedError(ClientError):
    """The issuer or gateway does not do what its operator or verifier asked of it.

    Attributes:
        code: The problem's stable word, such as `unknown_credential`.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code
