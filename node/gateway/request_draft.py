"""What all requests of a gateway's verifiers have in common, whatever their answers become."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from client_sdk.face.demand import FaceDemand
from client_sdk.ledger.grants import new_record_id, new_salt
from client_sdk.openid4vp.claims_path import sort_paths
from client_sdk.openid4vp.dcql_query import CredentialQuery
from client_sdk.openid4vp.grant_offer import GrantOffer, encode_grant_offer
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.openid4vp.response_encryption import ResponseEncryption
from client_sdk.openid4vp.signed_request import sign_request
from client_sdk.openid4vp.verifier_identity import VerifierIdentity
from node.gateway.question import Question
from node.gateway.verifier_profile import VerifierProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDraft:
    """A request that a registered verifier makes now.

    Attributes:
        id: Its random id.
        question: What is asked.
        profile: Who asks.
        identity: The same, as the wallet is told.
        response_uri: Where the wallet answers.
        gateway: The gateway's ledger account.
        ledger_id: The ledger's id.
        now_ms: When it is made: milliseconds since 1970, UTC.
        until_ms: Until when it is answered.
    """

    id: str
    question: Question
    profile: VerifierProfile
    identity: VerifierIdentity
    response_uri: str
    gateway: str
    ledger_id: str
    now_ms: int
    until_ms: int

    def offer(
        self,
        query: CredentialQuery,
        *,
        uses: int,
        face: FaceDemand | None = None,
        deposit_key: bytes | None = None,
    ) -> GrantOffer:
        """Return the grant to ask for with one credential."""
        return GrantOffer(
            query_id=query.id,
            verifier=self.identity.client_id,
            verifier_name=self.identity.name,
            attributes=sort_paths({claim.path for claim in query.claims}),
            purpose=self.question.purpose,
            expires_at_ms=self.now_ms + self.question.grant_seconds * 1000,
            uses=uses,
            gateway=self.gateway,
            ledger=self.ledger_id,
            purpose_term=self.question.purpose_term,
            face=face,
            deposit_key=deposit_key,
        )

    def request(
        self, *offers: GrantOffer, encryption: ResponseEncryption | None = None
    ) -> PresentationRequest:
        """Return the request for these grants."""
        return PresentationRequest(
            client_id=self.identity.client_id,
            response_uri=self.response_uri,
            nonce=new_salt(),
            state=new_salt(),
            query=self.question.query,
            transaction_data=tuple(map(encode_grant_offer, offers)),
            issued_at=self.now_ms // 1000,
            expires_at=self.until_ms // 1000,
            encryption=encryption,
            registrations=self.profile.registration_tokens,
        )

    def sign(self, request: PresentationRequest) -> str:
        """Return the request object, signed by the verifier."""
        return sign_request(request, identity=self.identity)


class RequestDrafts:
    """Begins the requests of one gateway's verifiers."""

    def __init__(
        self,
        *,
        profiles: Mapping[str, VerifierProfile],
        public_url: str,
        gateway: str,
        ledger_id: str,
        request_seconds: int,
        now_ms: Callable[[], int],
    ) -> None:
        """Wire the parts.

        Args:
            profiles: Who each verifier is, and what it may ask, by its id.
            public_url: Where wallets reach the gateway.
            gateway: The gateway's ledger account.
            ledger_id: The ledger's id.
            request_seconds: How long a wallet has to answer.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._profiles = profiles
        self._public_url = public_url
        self._gateway = gateway
        self._ledger_id = ledger_id
        self._request_ms = request_seconds * 1000
        self._now_ms = now_ms

    def begin(self, verifier_id: str, question: Question, *, answered_at: str) -> RequestDraft:
        """Begin a request of a verifier.

        Args:
            verifier_id: Who asks.
            question: What is asked.
            answered_at: The path, below the gateway's address, of the answers; the id follows.

        Raises:
            ApiError: The verifier is not registered to ask it.
        """
        profile, now_ms = self._profiles[verifier_id], self._now_ms()
        profile.check_registered(question.query, question.purpose_term)
        request_id = new_record_id()
        response_uri = f"{self._public_url}/{answered_at}/{request_id}"
        return RequestDraft(
            id=request_id,
            question=question,
            profile=profile,
            identity=profile.identify(response_uri),
            response_uri=response_uri,
            gateway=self._gateway,
            ledger_id=self._ledger_id,
            now_ms=now_ms,
            until_ms=now_ms + self._request_ms,
        )
