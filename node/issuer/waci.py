"""The issuer's offers as WACI invitations: issue-credential 3.0 in front of the same code."""

from joserfc.jwk import OKPKey

from chaincode.encoding import JsonObject
from client_sdk.didcomm.message import Attachment, Message
from client_sdk.errors import MessageFormatError
from client_sdk.strict_json import JsonFields
from client_sdk.waci.messages import (
    CREDENTIAL_ACK,
    CREDENTIAL_OFFER,
    CREDENTIAL_REQUEST,
    CREDENTIAL_RESPONSE,
    ISSUE_CREDENTIAL,
    ISSUE_GOAL,
    OFFER_CREDENTIAL,
    PROPOSE_CREDENTIAL,
    REQUEST_CREDENTIAL,
)
from node.errors import ApiError
from node.issuer.access_tokens import AccessToken, TokenTerms
from node.issuer.credential_answers import CredentialAnswer
from node.issuer.errors import ProtocolError, log_refusal, words_of
from node.issuer.issuance import Issuance
from node.issuer.offers import Offers
from node.web.didcomm import InvitingService


class WaciIssuing(InvitingService):
    """An issuer's offers as invitations, and the messages that answer them."""

    def __init__(self, offers: Offers, issuance: Issuance, *, issuer_url: str, key: OKPKey) -> None:
        """Stand in front of an issuer's offers.

        Args:
            offers: The offers.
            issuance: Issues what was offered.
            issuer_url: The issuer's identifier, where wallets reach it.
            key: The private key on X25519 that messages are encrypted to.
        """
        super().__init__(f"{issuer_url}/waci/offers", goal_code=ISSUE_GOAL, key=key)
        self._offers = offers
        self._issuance = issuance

    def answer(self, offer_id: str, message: Message) -> Message | None:
        """Answer a wallet's message about an offer.

        Raises:
            MessageFormatError: The message breaks a rule.
            ApiError: There is no such offer, or it is refused.
        """
        match message.type:
            case t if t == PROPOSE_CREDENTIAL:
                if message.parent_thread_id != offer_id:
                    raise MessageFormatError(f"{t}: pthid is not the invitation's id")
                return self._offer(offer_id)
            case t if t == REQUEST_CREDENTIAL:
                return self._issue(message.attached(CREDENTIAL_REQUEST))
            case t if t == CREDENTIAL_ACK:
                return None
            case t:
                raise MessageFormatError(f"{t}: not a message of issue-credential 3.0 to an issuer")

    def _offer(self, offer_id: str) -> Message:
        offer = self._offers.find(offer_id)
        if offer is None:
            raise ApiError(
                404,
                "no_such_offer",
                "There is no such offer",
                "It was used or locked, or has expired. Ask the issuer for a new one.",
            )
        attached: JsonObject = {
            "credential_offer": offer.to_fields(),
            "c_nonce": self._issuance.new_nonce(),
        }
        return Message(
            type=OFFER_CREDENTIAL,
            attachments=(Attachment(format=CREDENTIAL_OFFER, value=attached),),
        )

    def _issue(self, attached: JsonObject) -> Message:
        fields = JsonFields(attached, what=CREDENTIAL_REQUEST, error=MessageFormatError)
        code, tx_code = fields.text("pre-authorized_code"), fields.text("tx_code")
        wanted = fields.object("credential_request")
        try:
            token = self._offers.redeem(code, tx_code, TokenTerms())
            answer = self._issue_under(token, code, wanted)
        except ProtocolError as error:
            log_refusal(error)
            raise ApiError(error.status, error.code, "Refused", words_of(error)) from None
        issued = Attachment(format=CREDENTIAL_RESPONSE, value=answer.fields)
        return Message(type=ISSUE_CREDENTIAL, attachments=(issued,))

    def _issue_under(self, token: AccessToken, code: str, wanted: JsonObject) -> CredentialAnswer:
        """Issue at once, or leave the code as good as it was: the wallet is not told the token."""
        answer = None
        try:
            answer = self._issuance.issue(token.token, wanted)
        finally:
            if answer is None or answer.is_deferred:
                self._offers.give_back(code, token)
        if answer.is_deferred:
            raise ProtocolError("invalid_request", "a reviewed offer is taken by its link")
        return answer
