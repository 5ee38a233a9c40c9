"""Making a verifier's question into a signed request (OpenID4VP 1.0)."""

from collections.abc import Callable, Mapping

from client_sdk.credentials.jose import export_private_jwk
from client_sdk.credentials.jwe import generate_encryption_key
from client_sdk.errors import RequestError
from client_sdk.face.demand import FaceDemand, FaceService
from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.ledger.grants import new_record_id, new_salt
from client_sdk.openid4vp.claims_path import sort_paths
from client_sdk.openid4vp.grant_offer import GrantOffer, encode_grant_offer
from client_sdk.openid4vp.haip import check_request
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.openid4vp.response_encryption import ResponseEncryption
from client_sdk.openid4vp.signed_request import sign_request
from client_sdk.openid4vp.verifier_identity import VerifierIdentity
from client_sdk.verifier import Verifier
from node.gateway.question import FacePolicy, Question
from node.gateway.store import StoredRequest
from node.gateway.verifier_profile import VerifierProfile


class RequestMaker:
    """Makes the requests of one gateway's verifiers."""

    def __init__(
        self,
        *,
        verifier: Verifier,
        profiles: Mapping[str, VerifierProfile],
        public_url: str,
        gateway: str,
        ledger_id: str,
        request_seconds: int,
        encrypt_responses: bool,
        haip: bool,
        face_services: tuple[FaceService, ...],
        now_ms: Callable[[], int],
    ) -> None:
        """Wire the parts.

        Args:
            verifier: What will check the presentations; it refuses what it could not check.
            profiles: Who each verifier is, by its id.
            public_url: Where wallets reach the gateway.
            gateway: The gateway's ledger account.
            ledger_id: The ledger's id.
            request_seconds: How long a wallet has to answer.
            encrypt_responses: Whether wallets encrypt their responses (`direct_post.jwt`).
            haip: Whether requests keep to the high assurance profile.
            face_services: The face services whose word is taken.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._verifier = verifier
        self._profiles = profiles
        self._public_url = public_url
        self._gateway = gateway
        self._ledger_id = ledger_id
        self._request_ms = request_seconds * 1000
        self._encrypt_responses = encrypt_responses
        self._haip = haip
        self._face_services = face_services
        self._now_ms = now_ms

    def make(self, verifier_id: str, question: Question) -> StoredRequest:
        """Return a new request of a verifier, signed; it is not kept yet.

        Raises:
            RequestError: The question cannot be asked; the text says which part of it.
            ApiError: The verifier is not registered to ask it.
        """
        profile = self._profiles[verifier_id]
        profile.check_registered(question.query, question.purpose_term)
        now_ms = self._now_ms()
        request_id = new_record_id()
        response_uri = f"{self._public_url}/oid4vp/responses/{request_id}"
        identity = profile.identify(response_uri)
        response_key = generate_encryption_key() if self._encrypt_responses else None
        redirect_uri = question.redirect_uri
        if redirect_uri is not None:
            parse_endpoint(redirect_uri, "redirect_uri")
        request = PresentationRequest(
            client_id=identity.client_id,
            response_uri=response_uri,
            nonce=new_salt(),
            state=new_salt(),
            query=question.query,
            transaction_data=self._offers(question, identity, now_ms),
            issued_at=now_ms // 1000,
            expires_at=(now_ms + self._request_ms) // 1000,
            encryption=ResponseEncryption.for_key(response_key) if response_key else None,
            registrations=profile.registration_tokens,
        )
        self._verifier.check_request(request)
        if self._haip:
            check_request(request)
        return StoredRequest(
            id=request_id,
            verifier=verifier_id,
            request_object=sign_request(request, identity=identity),
            response_key=export_private_jwk(response_key) if response_key else None,
            attributes=list(question.attributes),
            purpose=question.purpose,
            redirect_uri=redirect_uri,
            expires_at_ms=now_ms + self._request_ms,
            result_until_ms=now_ms + self._request_ms,
            state="pending",
        )

    def _offers(
        self, question: Question, identity: VerifierIdentity, now_ms: int
    ) -> tuple[str, ...]:
        """Return the grants to ask for: one for each credential whose holder is to be proved."""
        face = self._demand(question.face)
        if face is not None and not any(one.holder_binding for one in question.query.credentials):
            raise RequestError("face: a face test needs a credential whose holder is to be proved")
        return tuple(
            encode_grant_offer(
                GrantOffer(
                    query_id=query.id,
                    verifier=identity.client_id,
                    verifier_name=identity.name,
                    attributes=sort_paths({claim.path for claim in query.claims}),
                    purpose=question.purpose,
                    expires_at_ms=now_ms + question.grant_seconds * 1000,
                    uses=1,
                    gateway=self._gateway,
                    ledger=self._ledger_id,
                    purpose_term=question.purpose_term,
                    face=face,
                )
            )
            for query in question.query.credentials
            if query.holder_binding
        )

    def _demand(self, policy: FacePolicy | None) -> FaceDemand | None:
        if policy is None:
            return None
        if not self._face_services:
            raise RequestError("face: this gateway trusts no face service (face_services)")
        return FaceDemand(services=self._face_services, max_age_s=policy.max_age_s)
