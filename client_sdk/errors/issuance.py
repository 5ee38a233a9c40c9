"""Why a credential is not issued (OpenID4VCI 1.0)."""

from client_sdk.errors.root import ClientError


class OfferError(ClientError):
    """A credential offer cannot be used, or its issuer refused it (OpenID4VCI)."""


class IssuerRefusedError(OfferError):
    """The issuer answered with an error.

    Attributes:
        code: The error code of OAuth 2.0 or OpenID4VCI, such as `invalid_grant`.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class IssuanceDeferredError(OfferError):
    """The issuer issues later. The wallet keeps what it needs to ask again.

    Attributes:
        transaction_id: What the issuer knows it by.
        interval_s: How long to wait before that, in seconds.
        face_page: Where the holder's face is to be tested before; None where it is not.
    """

    def __init__(
        self,
        message: str,
        *,
        transaction_id: str,
        interval_s: int,
        face_page: str | None = None,
    ) -> None:
        super().__init__(message)
        self.transaction_id = transaction_id
        self.interval_s = interval_s
        self.face_page = face_page


class DpopError(ClientError):
    """A proof of possession is for another request or another access token (RFC 9449)."""


class ClientAttestationError(ClientError):
    """A wallet's attestation, or its proof, is not acceptable (HAIP 1.0)."""


class KeyAttestationError(ClientError):
    """What a wallet's provider says of its keys is not acceptable (OpenID4VCI 1.0 appendix D)."""
