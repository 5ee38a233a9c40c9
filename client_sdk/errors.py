"""Every error the SDK raises. `ClientError` is their root and is never raised itself.

The first line of a docstring can be shown to a person. No message holds a key, a password, a salt
or an attribute's value.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from client_sdk.checks import Check


class ClientError(Exception):
    """The root of this package's errors."""


class VaultError(ClientError):
    """The wallet's file cannot be used."""


class WrongPassphraseError(VaultError):
    """The passphrase does not open this wallet, or the file was changed."""


class VaultFormatError(VaultError):
    """The file is not a wallet of this version."""


class KeyFormatError(ClientError):
    """A key is not in a form that Tegata can use."""


class TransportError(ClientError):
    """The other side cannot be reached, or does not answer in the protocol's form."""


class HeaderUnavailableError(TransportError):
    """The node does not have this header yet, or not any more."""


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


class RecoveryError(ClientError):
    """The account cannot be recovered so."""


class UnknownPurposeError(ClientError):
    """A purpose is no term of the vocabulary. `tegata gateway purposes` lists them."""


class RegistrationError(ClientError):
    """A verifier's registration certificate cannot be relied on."""


class WebhookError(ClientError):
    """A webhook is not the gateway's, or comes too late."""


class OverAskingError(ClientError):
    """The verifier asks for more than it is registered for; the holder must say that it may."""


class GuardRefusedError(TransactionFailedError):
    """The guard of the account refused this for now; the message says what can be done."""


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


class CredentialFormatError(ClientError):
    """A credential or presentation is not well formed (RFC 9901, SD-JWT VC)."""


class DidError(ClientError):
    """A decentralized identifier does not lead to a usable key (DID Core 1.0)."""


class MessageFormatError(ClientError):
    """A DIDComm message is not well formed, or not for its reader (DIDComm Messaging 2.1)."""


class DidNotFoundError(DidError):
    """There is no such subject."""


class DidMethodError(DidError):
    """Identifiers of this method are not resolved here."""


class CardError(ClientError):
    """The My Number card, or its reader, does not do what is asked of it."""


class WrongPinError(CardError):
    """The PIN is another one.

    Attributes:
        remaining_tries: How often it may still be given wrongly.
    """

    def __init__(self, *, remaining_tries: int) -> None:
        super().__init__(f"the PIN is wrong; {remaining_tries} tries are left")
        self.remaining_tries = remaining_tries


class LastTryError(CardError):
    """One more wrong PIN would block the card."""


class PinBlockedError(CardError):
    """The card's PIN is blocked; the city office sets a new one."""


class CardFormatError(CardError):
    """The card holds something in another form than its profile says."""


class CardProofError(CardError):
    """A card's certificate or signature does not verify."""


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


class CredentialStateError(ClientError):
    """The state of the credential's record does not allow this change."""


class ServiceRefusedError(ClientError):
    """The issuer or gateway does not do what its operator or verifier asked of it.

    Attributes:
        code: The problem's stable word, such as `unknown_credential`.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


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


class NotRegisteredError(ClientError):
    """The wallet has no account on a ledger yet."""


class UnknownCredentialError(ClientError):
    """The wallet holds no such credential."""


class UnknownGrantError(ClientError):
    """The wallet made no such grant."""


class FrostError(ClientError):
    """A threshold key cannot be made or used."""


class FrostFormatError(FrostError):
    """A message, key or share of a threshold key is not well formed, or does not fit the others."""


class SecretWipedError(FrostError):
    """The secret was wiped from memory."""


class NonceUsedError(FrostError):
    """These nonces are used up or gone. Begin the signature again: they serve once only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerFault:
    """A signer that gave no good answer.

    Attributes:
        identifier: As it is known in the group.
        reason: What it answered, or that it did not.
    """

    identifier: int
    reason: str


class NotEnoughSignersError(FrostError):
    """Fewer signers than the threshold gave a good answer.

    Attributes:
        left_out: Who was asked and gave none, and why.
    """

    def __init__(self, message: str, *, left_out: tuple[SignerFault, ...]) -> None:
        super().__init__(message)
        self.left_out = left_out


class ParticipantFaultError(FrostError):
    """A participant of a threshold key did wrong or stayed silent; the rest can go on without it.

    Attributes:
        at_fault: The identifiers of those to blame, ascending; empty where nobody can be named.
        is_proof: Whether a third party can be convinced, by messages that those at fault signed.
            Otherwise the one who reports it, or who carried the messages, may be the liar.
    """

    def __init__(self, message: str, *, at_fault: tuple[int, ...], is_proof: bool = False) -> None:
        super().__init__(message)
        self.at_fault = at_fault
        self.is_proof = is_proof


class VerificationError(ClientError):
    """A presentation fails a check.

    Attributes:
        check: The name of the check that failed, as the verifier's result lists it.
        checks: Every check of the verifier in its order, where a `Verifier` raised the error.
    """

    check = "presentation"
    checks: "tuple[Check, ...]" = ()


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


class ReceiptError(ClientError):
    """A receipt of an access is not what it should be."""


class ConsentError(ClientError):
    """A record of a consent is not signed, or not of the consent that it should be of."""


class DepositError(ClientError):
    """A presentation that is left at a gateway is not what it should be."""


class SealError(ClientError):
    """What is sealed cannot be opened with this key."""


class ThresholdError(ClientError):
    """A key that several parties share cannot be used."""


class GroupFormatError(ThresholdError):
    """Bytes are no element or scalar of the group, or an input is too long."""


class ShareError(ThresholdError):
    """A share does not belong to the key, or a key cannot be split like this."""


class EvaluationProofError(ThresholdError):
    """A party evaluated with another key than the one it committed to."""


class TooFewEvaluationsError(ThresholdError):
    """Fewer parties than needed gave a right answer.

    Attributes:
        wrong: The indices of the parties whose answers did not verify.
    """

    def __init__(self, message: str, *, wrong: tuple[int, ...]) -> None:
        super().__init__(message)
        self.wrong = wrong


class AttestationError(ClientError):
    """The word of a face service or of an issuer's counter cannot be taken."""


class FaceTestRefusedError(ClientError):
    """The face test was not passed. The text says what to do better, never how near it was.

    Attributes:
        code: A stable word for programs, such as `another_person`.
        words: The same text by language.
    """

    def __init__(self, message: str, *, code: str, words: dict[str, str]) -> None:
        super().__init__(message)
        self.code = code
        self.words = words


class EscrowError(ClientError):
    """Protection by escrow agents cannot be set up or used."""


class EscrowFormatError(EscrowError):
    """A recovery card, or what an agent keeps, is not in the form that Tegata reads."""


class RequestProofError(EscrowError):
    """A request does not prove that its sender holds the key."""


class AccessLogError(EscrowError):
    """An agent's log was changed, or is not the one that it signed before."""


class WeakPasswordError(EscrowError):
    """The password is too easily guessed."""


class WrongPasswordError(EscrowError):
    """The password is not the one that the backup was protected with.

    Attributes:
        attempts_left: How many more attempts the strictest agent gives.
    """

    def __init__(self, message: str, *, attempts_left: int) -> None:
        super().__init__(message)
        self.attempts_left = attempts_left


class NotProtectedError(EscrowError):
    """The wallet is not protected against loss yet."""


class TooFewAgentsError(EscrowError):
    """Fewer agents than needed did their part; the text names each other one, and why.

    Attributes:
        may_pass: Whether there are enough with those that cannot be reached now, and asking again
            costs no attempt.
    """

    def __init__(self, message: str, *, may_pass: bool = False) -> None:
        super().__init__(message)
        self.may_pass = may_pass
