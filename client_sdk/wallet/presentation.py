"""How a wallet answers a verifier (OpenID4VP 1.0): read the request, prepare, grant, send.

Sending can break off anywhere and be done again: the answer that was prepared stays the same, with
the same grants, and nothing is written or noted twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from client_sdk.didcomm.out_of_band import is_invitation
from client_sdk.errors import OverAskingError, RequestError
from client_sdk.face.demand import FaceTester
from client_sdk.ledger.receipts import digest_shown
from client_sdk.openid4vp.access_certificate import load_certificates
from client_sdk.openid4vp.client import fetch_request, send_refusal, send_response
from client_sdk.openid4vp.response import build_error_response, build_response
from client_sdk.openid4vp.signed_request import VerifiedRequest
from client_sdk.tracing import traced
from client_sdk.waci.present_proof import WaciVerifier
from client_sdk.wallet.consent import PendingRequest, find_answer
from client_sdk.wallet.face_tests import have_faces_tested
from client_sdk.wallet.grants import write_grant
from client_sdk.wallet.parts import WalletParts
from client_sdk.wallet.records import StoredGrant, StoredPresentation
from client_sdk.wallet.request_answer import (
    GrantedCredential,
    build_grants,
    build_presentations,
    build_records,
    build_standing_deposit,
    is_standing,
    presentations_to_wire,
)
from client_sdk.wallet.session import WalletSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the holder sent.

    Attributes:
        grant_ids: The grants on the ledger that it was shown under, one for each credential; empty
            where none was asked for.
        redirect_uri: Where the verifier wants the holder's browser to go; None for nowhere.
    """

    grant_ids: tuple[str, ...]
    redirect_uri: str | None

    @property
    def grant_id(self) -> str | None:
        """The first of the grants; None where none was asked for."""
        return self.grant_ids[0] if self.grant_ids else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedAnswer:
    """An answer that the holder consented to; nothing of it is written or sent yet.

    Attributes:
        pending: What the holder was shown.
        grants: What is written to the ledger first.
        records: What the wallet notes of it.
        form: What is sent.
    """

    pending: PendingRequest
    grants: tuple[StoredGrant, ...]
    records: tuple[StoredPresentation, ...] = field(repr=False)
    form: Mapping[str, str] = field(repr=False)

    @property
    def verifier(self) -> str:
        """The client identifier of who asked."""
        return self.pending.verifier

    @property
    def used(self) -> set[str]:
        """The record ids of the credentials that are shown."""
        return {shown.credential.record_id for shown in self.pending.shown}


class WalletPresentation:
    """The answers of one wallet, each by the part that its verifier meets."""

    def __init__(self, parts: WalletParts) -> None:
        """Work on an open wallet."""
        self._parts = parts

    @traced("wallet.read_request")
    def read_request(self, link: str) -> PendingRequest:
        """Fetch and verify a verifier's request, and find what would answer it. Nothing is shown.

        Args:
            link: `openid4vp://...`, or an invitation of WACI-DIDComm, as scanned or pasted.

        Raises:
            RequestError: The request breaks a rule, asks for a grant on another ledger, or no
                credential answers it.
            ExpiredError: It is not valid at this time.
            TransportError: It cannot be fetched.
        """
        request, waci = self._fetch(link)
        return replace(self.find_answer(request), waci=waci)

    def find_answer(self, request: VerifiedRequest) -> PendingRequest:
        """Return what answers a verified request, of the part that its verifier meets.

        Raises:
            RequestError: As `read_request`.
        """
        session = self._parts.meeting(request.request.client_id)
        if any(offer.ledger != session.account.ledger_id for offer in request.offers):
            raise RequestError("the verifier asks for a grant on another ledger than the wallet's")
        # The newest first: an older credential of the same kind was replaced. One-time credentials
        # before all others, and none of them twice.
        held = reversed(session.contents.credentials.values())
        usable = [one for one in held if not one.is_used]
        usable.sort(key=lambda one: not one.is_one_time)
        return find_answer(request, usable, now_ms=session.now_ms())

    @traced("wallet.present")
    def answer(
        self,
        pending: PendingRequest,
        *,
        beyond_registration: bool = False,
        face_tester: FaceTester | None = None,
    ) -> Answer:
        """Answer a request: the holder has consented to exactly what it lists.

        The grant is written to the ledger first; only then are the attributes sent. Where the
        verifier asks for a standing grant, what is shown is sealed to the verifier and left at its
        gateway, which can read none of it.

        Args:
            pending: What the holder was shown.
            beyond_registration: That the holder consents, although the verifier asks for more than
                it is registered for (`pending.exceeding`).
            face_tester: Has the holder's face tested, where the verifier demands it
                (`pending.face`). The portrait of the credential goes to the face service.

        Raises:
            FaceTestRefusedError: The face test was not passed; nothing was sent.
            OverAskingError: It does, and the holder has not consented to that; nothing was sent.
            TransactionFailedError: The ledger refused the grant; nothing was sent.
            RequestError: A one-time credential was shown meanwhile, and nothing was sent; or the
                verifier refused the answer. The grant stays then: revoke it or ask anew.
            TransportError: Ledger or verifier cannot be reached.
        """
        return self.send(
            self.prepare(pending, beyond_registration=beyond_registration, face_tester=face_tester)
        )

    def prepare(
        self,
        pending: PendingRequest,
        *,
        beyond_registration: bool = False,
        face_tester: FaceTester | None = None,
    ) -> PreparedAnswer:
        """Return the answer that `answer` would send; nothing is written or sent yet.

        Args:
            pending: As for `answer`.
            beyond_registration: As for `answer`.
            face_tester: As for `answer`.

        Raises:
            OverAskingError: As `answer`.
            FaceTestRefusedError: As `answer`.
            RequestError: A one-time credential was shown meanwhile, or the verifier meets another
                part of the wallet by now.
            NotRegisteredError: A grant is asked for, and there is no account.
        """
        if pending.exceeding and not beyond_registration:
            names = ", ".join(claim.name for claim in pending.exceeding)
            raise OverAskingError(
                f"{pending.verifier_name} is not registered to ask for: {names}; decline, or "
                "consent to just that"
            )
        session = self._parts.meeting(pending.verifier)
        # It takes a while: what comes after is of the moment at which it was passed.
        face_tests = have_faces_tested(session, pending, face_tester)
        contents, now_ms = session.contents, session.now_ms()
        # Another answer may have shown a one-time credential since this one was chosen.
        chosen = {shown.credential.record_id for shown in pending.shown}
        contents.with_used(chosen)
        if not chosen <= contents.credentials.keys():
            raise RequestError("the wallet answers with other credentials now; read it again")
        granted = build_grants(
            pending,
            account=contents.account,
            holder_key=session.holder_key,
            now_ms=now_ms,
            face_tests=face_tests,
        )
        presentations = build_presentations(
            pending,
            granted,
            account=contents.account,
            holder_key=session.holder_key,
            receipt_secret=contents.receipt_secret,
            now_ms=now_ms,
        )
        form, digest = _to_form(session, pending, granted, presentations, now_ms=now_ms)
        return PreparedAnswer(
            pending=pending,
            grants=tuple(one.grant for one in granted if one.grant is not None),
            records=build_records(pending, granted, digest=digest, now_ms=now_ms),
            form=form,
        )

    def send(self, prepared: PreparedAnswer) -> Answer:
        """Grant and send what was prepared; where it broke off, the same call goes on.

        Raises:
            TransactionFailedError: The ledger refused the grant; nothing was sent.
            RequestError: The verifier refused the answer. The grant stays then: revoke it.
            TransportError: Ledger or verifier cannot be reached: send the same again.
        """
        session = self._parts.meeting(prepared.verifier)
        records, used = prepared.records, prepared.used
        if not _is_noted(session, prepared):
            # Before a grant is written: nothing is granted for what is not shown.
            session.contents.with_used(used)
        for grant in prepared.grants:
            write_grant(session, grant)
        if not _is_noted(session, prepared):
            # Before it is sent: what may have been seen is not shown again.
            session.update(lambda contents: contents.with_presentations(records).with_used(used))
        redirect_uri = _post(session, prepared.pending, prepared.form)
        session.update(lambda contents: contents.with_taken(records))
        return Answer(
            grant_ids=tuple(grant.grant_id for grant in prepared.grants), redirect_uri=redirect_uri
        )

    def decline(self, pending: PendingRequest) -> None:
        """Tell the verifier that the holder does not consent. Nothing is shown.

        Raises:
            RequestError: The verifier does not take the answer.
            TransportError: The verifier cannot be reached.
        """
        request = pending.request.request
        session = self._parts.meeting(request.client_id)
        _post(session, pending, build_error_response("access_denied", state=request.state))

    def refuse(self, error: RequestError) -> None:
        """Tell a verifier that its request is not answered, and by which code; nothing is shown.

        Of `access_denied` it learns that the wallet has not what it asked for: the holder decides.

        Args:
            error: What `read_request` raised.

        Raises:
            RequestError: The verifier does not take the answer.
            TransportError: The verifier cannot be reached.
        """
        send_refusal(error, http=self._parts.whole.http)

    def _fetch(self, link: str) -> tuple[VerifiedRequest, WaciVerifier | None]:
        """Return a verified request; with it the verifier, where it is answered by messages."""
        session = self._parts.whole
        pem = session.contents.trust_anchors
        anchors = load_certificates(pem.encode()) if pem else ()
        if not is_invitation(link):
            now_s = session.now_ms() // 1000
            request = fetch_request(
                link, trust_anchors=anchors, now_s=now_s, http=session.http, haip=session.haip
            )
            return request, None
        if session.haip:
            raise RequestError("HAIP: requests come by OpenID4VP alone")
        verifier = WaciVerifier(link, http=session.http, now_ms=session.now_ms)
        return verifier.fetch_request(trust_anchors=anchors), verifier


def _to_form(
    session: WalletSession,
    pending: PendingRequest,
    granted: Sequence[GrantedCredential],
    presentations: Mapping[str, Sequence[str]],
    *,
    now_ms: int,
) -> tuple[Mapping[str, str], bytes]:
    """Return what is sent, and by what receipts know it."""
    request = pending.request.request
    if not is_standing(pending):
        form = build_response(presentations_to_wire(presentations, request), request=request)
        return form, digest_shown(presentations)
    deposit = build_standing_deposit(
        pending,
        granted,
        presentations,
        account=session.account,
        holder_key=session.holder_key,
        receipt_secret=session.contents.receipt_secret,
        now_ms=now_ms,
    )
    return deposit.to_form(state=request.state), deposit.digest


def _is_noted(session: WalletSession, prepared: PreparedAnswer) -> bool:
    known = {(shown.shown, shown.grant) for shown in session.contents.presentations}
    return known.issuperset((record.shown, record.grant) for record in prepared.records)


def _post(session: WalletSession, pending: PendingRequest, form: Mapping[str, str]) -> str | None:
    if pending.waci is not None:
        return pending.waci.send_response(form)
    return send_response(pending.request.request.response_uri, form, http=session.http)
