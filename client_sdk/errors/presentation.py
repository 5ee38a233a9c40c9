"""Why a request is not answered, or an answer not taken (OpenID4VP 1.0)."""

from dataclasses import dataclass

from client_sdk.errors.root import ClientError


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyAddress:
    """Where a verifier may be told that its request cannot be answered.

    Attributes:
        response_uri: The verified request's.
        state: The verified request's.
    """

    response_uri: str
    state: str | None


class RequestError(ClientError):
    """A presentation request cannot be answered (OpenID4VP).

    Attributes:
        code: The error code that says so to its verifier (OpenID4VP 1.0 section 8.5).
        reply_to: Where to say so; None where it is not known who asks.
    """

    reply_to: ReplyAddress | None = None

    def __init__(self, message: str, *, code: str = "invalid_request") -> None:
        super().__init__(message)
        self.code = code


class OverAskingError(ClientError):
    """The verifier asks for more than it is registered for; the holder must say that it may."""


class RegistrationError(ClientError):
    """A verifier's registration certificate cannot be relied on."""


class UnknownPurposeError(ClientError):
    """A purpose is no term of the vocabulary. `tegata gateway purposes` lists them."""


class ReceiptError(ClientError):
    """A receipt of an access is not what it should be."""


class ConsentError(ClientError):
    """A record of a consent is not signed, or not of the consent that it should be of."""


class DepositError(ClientError):
    """A presentation that is left at a gateway is not what it should be."""


class WebhookError(ClientError):
    """A webhook is not the gateway's, or comes too late."""
