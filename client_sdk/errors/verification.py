"""Which check a presentation fails."""

from client_sdk.checks import Check
from client_sdk.errors.root import ClientError


class VerificationError(ClientError):
    """A presentation fails a check.

    Attributes:
        check: The name of the check that failed, as the verifier's result lists it.
        checks: Every check of the verifier in its order, where a `Verifier` raised the error.
    """

    check = "presentation"
    checks: tuple[Check, ...] = ()


class SignatureError(VerificationError):
    """A signature does not verify under the key that it must verify under."""

    check = "issuer_signature"


class DisclosureError(VerificationError):
    """A disclosure does not belong to the credential, or was changed."""

    check = "disclosures"


class IssuerNotTrustedError(VerificationError):
    """The issuer is not registered for this kind of credential."""

    check = "issuer_trusted"


class ExpiredError(VerificationError):
    """The credential, request or presentation is not valid at this time."""

    check = "validity"


class HolderBindingError(VerificationError):
    """The presentation is not signed by the holder for this verifier and request."""

    check = "holder_binding"


class NonceMismatchError(VerificationError):
    """The presentation answers another request, or this one was answered before."""

    check = "nonce"


class RequestMismatchError(VerificationError):
    """The presentation shows other attributes than the request asks for."""

    check = "request_match"


class AnchorError(VerificationError):
    """The ledger holds no record of this credential, or another one."""

    check = "anchor"


class RevokedError(VerificationError):
    """The issuer revoked or suspended the credential."""

    check = "status"


class StatusListError(VerificationError):
    """The status list of the credential's issuer cannot be used."""

    check = "status_list"


class HolderKeyError(VerificationError):
    """The holder's key is no longer a key of the holder's account."""

    check = "holder_key"


class RecoveryOpenError(VerificationError):
    """The holder's account is being recovered: nobody shows anything with it until that ends."""

    check = "recovery"


class FaceError(VerificationError):
    """The request asks for a face test, and none of this holder for this request is there."""

    check = "face"


class GrantError(VerificationError):
    """The holder made no such grant, or it was revoked, expired or used up."""

    check = "grant"


class ReceiptRefusedError(VerificationError):
    """The access cannot be put on the holder's record, so nothing is shown."""

    check = "receipt"
