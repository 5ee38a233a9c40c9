"""How a wallet answers a verifier: read the request, prepare the answer, grant, send.

Sending can break off anywhere and be done again: the answer that was prepared stays the same, with
the same grants, and nothing is written or noted twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from client_sdk.didcomm.out_of_band import is_invitation
from client_sdk.errors import OverAskingError, RequestError
from client_sdk.face.demand import FaceTester
from client_sdk.ledger.receipts import digest_shown
from client_sdk.openid4vp.access_certificate import load_certificates
from client_sdk.openid4vp.client import fetch_request, send_response
from client_sdk.openid4vp.response import build_error_response, build_response
from client_sdk.openid4vp.signed_request import VerifiedRequest
from client_sdk.waci.present_proof import WaciVerifier
from client_sdk.wallet.consent import PendingRequest, find_answer
from client_sdk.wallet.face_tests import have_faces_tested
from client_sdk.wallet.granting import write_grant
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
from client_sdk.wallet.wallet_records import StoredGrant, StoredPresentation


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
        return self.pending.request.request.client_id

    @property
    def used(self) -> set[str]:
        """The record ids of the credentials that are shown."""
        return {shown.credential.record_id for shown in self.pending.shown}


def fetch_verified(
    session: WalletSession, link: str, *, haip: bool
) -> tuple[VerifiedRequest, WaciVerifier | None]:
    """Return the verified request of a link; with it the verifier, where it is told by messages.

    Raises:
        ClientError: As `Wallet.read_request`.
    """
    pem = session.contents.trust_anchors
    anchors = load_certificates(pem.encode()) if pem else ()
    if not is_invitation(link):
        now_s = session.now_ms() // 1000
        request = fetch_request(
            link, trust_anchors=anchors, now_s=now_s, http=session.http, haip=haip
        )
        return request, None
    if haip:
        raise RequestError("HAIP: requests come by OpenID4VP alone")
    verifier = WaciVerifier(link, http=session.http, now_ms=session.now_ms)
    return verifier.fetch_request(trust_anchors=anchors), verifier


class Presenting:
    """The answers of one wallet, or of one of its parts."""

    def __init__(self, session: WalletSession) -> None:
        """Work on an open wallet."""
        self._session = session

    def find_answer(self, request: VerifiedRequest) -> PendingRequest:
        """Return what of the wallet answers a verified request.

        Raises:
            RequestError: It asks for a grant on another ledger, or nothing answers it.
        """
        session = self._session
        if any(offer.ledger != session.account.ledger_id for offer in request.offers):
            raise RequestError("the verifier asks for a grant on another ledger than the wallet's")
        # The newest first: an older credential of the same kind was replaced. One-time credentials
        # before all others, and none of them twice.
        held = reversed(session.contents.credentials.values())
        usable = [one for one in held if not one.is_used]
        usable.sort(key=lambda one: not one.is_one_time)
        return find_answer(request, usable, now_ms=session.now_ms())

    def prepare(
        self,
        pending: PendingRequest,
        *,
        beyond_registration: bool,
        face_tester: FaceTester | None = None,
    ) -> PreparedAnswer:
        """Build the answer that the holder consented to.

        Raises:
            ClientError: As `Wallet.prepare_answer`.
        """
        if pending.exceeding and not beyond_registration:
            names = ", ".join(claim.name for claim in pending.exceeding)
            raise OverAskingError(
                f"{pending.verifier_name} is not registered to ask for: {names}; decline, or "
                "consent to just that"
            )
        # It takes a while: what comes after is of the moment at which it was passed.
        face_tests = have_faces_tested(self._session, pending, face_tester)
        contents, now_ms = self._session.contents, self._session.now_ms()
        # Another answer may have shown a one-time credential since this one was chosen.
        contents.with_used({shown.credential.record_id for shown in pending.shown})
        granted = build_grants(
            pending,
            account=contents.account,
            holder_key=self._session.holder_key,
            now_ms=now_ms,
            face_tests=face_tests,
        )
        presentations = build_presentations(
            pending,
            granted,
            account=contents.account,
            holder_key=self._session.holder_key,
            receipt_secret=contents.receipt_secret,
            now_ms=now_ms,
        )
        form, digest = self._to_form(pending, granted, presentations, now_ms=now_ms)
        return PreparedAnswer(
            pending=pending,
            grants=tuple(one.grant for one in granted if one.grant is not None),
            records=build_records(pending, granted, digest=digest, now_ms=now_ms),
            form=form,
        )

    def send(self, prepared: PreparedAnswer) -> Answer:
        """Write the grants to the ledger; only then send the answer.

        Raises:
            ClientError: As `Wallet.send_answer`.
        """
        session, records, used = self._session, prepared.records, prepared.used
        if not self._is_noted(prepared):
            # Before a grant is written: nothing is granted for what is not shown.
            session.contents.with_used(used)
        for grant in prepared.grants:
            write_grant(session, grant)
        if not self._is_noted(prepared):
            # Before it is sent: what may have been seen is not shown again.
            session.update(lambda contents: contents.with_presentations(records).with_used(used))
        redirect_uri = self._post(prepared.pending, prepared.form)
        session.update(lambda contents: contents.with_taken(records))
        return Answer(
            grant_ids=tuple(grant.grant_id for grant in prepared.grants), redirect_uri=redirect_uri
        )

    def decline(self, pending: PendingRequest) -> None:
        """Tell the verifier that the holder does not consent.

        Raises:
            ClientError: As `Wallet.decline`.
        """
        state = pending.request.request.state
        self._post(pending, build_error_response("access_denied", state=state))

    def _to_form(
        self,
        pending: PendingRequest,
        granted: Sequence[GrantedCredential],
        presentations: Mapping[str, Sequence[str]],
        *,
        now_ms: int,
    ) -> tuple[Mapping[str, str], bytes]:
        """Return what is sent, and by what receipts know it."""
        request, session = pending.request.request, self._session
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

    def _is_noted(self, prepared: PreparedAnswer) -> bool:
        known = {(shown.shown, shown.grant) for shown in self._session.contents.presentations}
        return known.issuperset((record.shown, record.grant) for record in prepared.records)

    def _post(self, pending: PendingRequest, form: Mapping[str, str]) -> str | None:
        if pending.waci is not None:
            return pending.waci.send_response(form)
        return send_response(pending.request.request.response_uri, form, http=self._session.http)
