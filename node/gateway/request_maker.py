"""Making a verifier's question into a signed request (OpenID4VP 1.0)."""

from client_sdk.credentials.jose import export_private_jwk
from client_sdk.credentials.jwe import generate_encryption_key
from client_sdk.errors import RequestError
from client_sdk.face.demand import FaceDemand, FaceService
from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.openid4vp.grant_offer import GrantOffer
from client_sdk.openid4vp.haip import check_request
from client_sdk.openid4vp.response_encryption import ResponseEncryption
from client_sdk.verifier import Verifier
from node.gateway.question import FacePolicy, Question
from node.gateway.request_draft import RequestDraft, RequestDrafts
from node.gateway.store import StoredRequest


class RequestMaker:
    """Makes the requests of one gateway's verifiers."""

    def __init__(
        self,
        drafts: RequestDrafts,
        *,
        verifier: Verifier,
        encrypt_responses: bool,
        haip: bool,
        face_services: tuple[FaceService, ...],
    ) -> None:
        """Wire the parts.

        Args:
            drafts: Begins requests.
            verifier: What will check the presentations; it refuses what it could not check.
            encrypt_responses: Whether wallets encrypt their responses (`direct_post.jwt`).
            haip: Whether requests keep to the high assurance profile.
            face_services: The face services whose word is taken.
        """
        self._drafts = drafts
        self._verifier = verifier
        self._encrypt_responses = encrypt_responses
        self._haip = haip
        self._face_services = face_services

    def make(self, verifier_id: str, question: Question) -> StoredRequest:
        """Return a new request of a verifier, signed; it is not kept yet.

        Raises:
            RequestError: The question cannot be asked; the text says which part of it.
            ApiError: The verifier is not registered to ask it.
        """
        draft = self._drafts.begin(verifier_id, question, answered_at="oid4vp/responses")
        response_key = generate_encryption_key() if self._encrypt_responses else None
        redirect_uri = question.redirect_uri
        if redirect_uri is not None:
            parse_endpoint(redirect_uri, "redirect_uri")
        request = draft.request(
            *self._offers(draft),
            encryption=ResponseEncryption.for_key(response_key) if response_key else None,
        )
        self._verifier.check_request(request)
        if self._haip:
            check_request(request)
        return StoredRequest(
            id=draft.id,
            verifier=verifier_id,
            request_object=draft.sign(request),
            response_key=export_private_jwk(response_key) if response_key else None,
            attributes=list(question.attributes),
            purpose=question.purpose,
            redirect_uri=redirect_uri,
            expires_at_ms=draft.until_ms,
            result_until_ms=draft.until_ms,
            state="pending",
        )

    def _offers(self, draft: RequestDraft) -> list[GrantOffer]:
        """Return the grants to ask for: one for each credential whose holder is to be proved."""
        face = self._demand(draft.question.face)
        proved = [query for query in draft.question.query.credentials if query.holder_binding]
        if face is not None and not proved:
            raise RequestError("face: a face test needs a credential whose holder is to be proved")
        return [draft.offer(query, uses=1, face=face) for query in proved]

    def _demand(self, policy: FacePolicy | None) -> FaceDemand | None:
        if policy is None:
            return None
        if not self._face_services:
            raise RequestError("face: this gateway trusts no face service (face_services)")
        return FaceDemand(services=self._face_services, max_age_s=policy.max_age_s)
