"""The wallet's side of issue-credential 3.0: a credential by messages instead of endpoints."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import Key
from client_sdk.didcomm.message import Attachment
from client_sdk.didcomm.out_of_band import parse_invitation
from client_sdk.errors import (
    DidError,
    MessageFormatError,
    OfferError,
    RequestError,
    TransportError,
)
from client_sdk.http.client import HttpClient
from client_sdk.openid4vci.client import read_issued
from client_sdk.openid4vci.credential_offer import CredentialOffer
from client_sdk.openid4vci.issuer_answers import fetch_metadata
from client_sdk.openid4vci.key_proof import sign_key_proof
from client_sdk.openid4vci.received_credential import ReceivedCredential
from client_sdk.openid4vci.token_client import (
    AcceptedOffer,
    choose_configuration,
    fetch_issuer_keys,
)
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
from client_sdk.waci.thread import WaciThread


@dataclass(frozen=True, slots=True, kw_only=True)
class WaciReceiver:
    """What a wallet needs to receive a credential by messages.

    Attributes:
        holder_key: The private key that the credential is to be bound to.
        account: The ledger account that it is to name, of which the key is a signatory.
        http: How the issuer is reached.
        now_ms: The clock: milliseconds since 1970, UTC.
        check_offerer: Raises `OfferError` where nothing is wanted of this issuer.
    """

    holder_key: Key
    account: str
    http: HttpClient
    now_ms: Callable[[], int]
    check_offerer: Callable[[str], None] = lambda _issuer_url: None

    def receive(
        self, link: str, *, tx_code: str | None, credential_format: str | None = None
    ) -> ReceivedCredential:
        """Accept the offer of an invitation and return its credential, checked.

        The issuer's metadata and published keys are fetched over HTTP: a message could not vouch
        for itself.

        Args:
            link: A link with an invitation, as scanned or pasted.
            tx_code: What the person typed; None where the offer asks for nothing.
            credential_format: The format that is wanted; None for the first that is offered.

        Raises:
            OfferError: No invitation of an issuer, or the issuer refused.
            VerificationError: The credential is not signed by the issuer, or not for this key.
            CredentialFormatError: The credential is not well formed.
            TransportError: The issuer cannot be reached.
        """
        try:
            return self._receive(link, tx_code, credential_format)
        except (DidError, MessageFormatError, RequestError) as error:
            raise OfferError(f"invitation: {error}") from None

    def _receive(
        self, link: str, tx_code: str | None, credential_format: str | None
    ) -> ReceivedCredential:
        invitation = parse_invitation(link, goal_code=ISSUE_GOAL)
        thread = WaciThread(invitation, http=self.http, now_ms=self.now_ms)
        proposal = thread.send(PROPOSE_CREDENTIAL, expected=OFFER_CREDENTIAL)
        offered = JsonFields(
            proposal.attached(CREDENTIAL_OFFER), what=CREDENTIAL_OFFER, error=OfferError
        )
        offer = CredentialOffer.from_fields(offered.object("credential_offer"))
        if not thread.endpoint.startswith(f"{offer.credential_issuer}/"):
            # Whoever invites is told the transaction code: nobody else may be told another's.
            raise OfferError("invitation: it offers what another issuer than its sender issues")
        self.check_offerer(offer.credential_issuer)
        if offer.pre_authorized_code is None:
            raise OfferError("offer: without a pre-authorized code; take it as a link instead")
        if offer.transaction_code is not None and not tx_code:
            raise OfferError("offer: a transaction code is needed; type the one that came with it")
        metadata = fetch_metadata(offer.credential_issuer, http=self.http)
        name, configuration = choose_configuration(
            offer.configuration_ids, metadata, credential_format
        )
        issuer_keys = fetch_issuer_keys(metadata.credential_issuer, self.http)
        now_s = self.now_ms() // 1000
        proof = sign_key_proof(
            holder_key=self.holder_key,
            issuer_url=metadata.credential_issuer,
            nonce=offered.text("c_nonce"),
            issued_at=now_s,
            account=self.account,
        )
        wanted: JsonObject = {
            "pre-authorized_code": offer.pre_authorized_code,
            "credential_request": {
                "credential_configuration_id": name,
                "proofs": {"jwt": [proof]},
            },
        }
        if offer.transaction_code is not None:
            wanted["tx_code"] = tx_code
        issued = thread.send(
            REQUEST_CREDENTIAL,
            expected=ISSUE_CREDENTIAL,
            attachments=(Attachment(format=CREDENTIAL_REQUEST, value=wanted),),
        )
        accepted = AcceptedOffer(
            metadata=metadata,
            credential_format=configuration.format,
            credential_type=configuration.credential_type,
            issuer_keys=issuer_keys,
            token="",
            wanted={},
        )
        response = issued.attached(CREDENTIAL_RESPONSE)
        (received,) = read_issued(accepted, response, (self.holder_key,), now_s).credentials
        # The credential is here, whether its issuer hears of it or not.
        with suppress(TransportError):
            thread.tell(CREDENTIAL_ACK, body={"status": "OK"})
        return received
