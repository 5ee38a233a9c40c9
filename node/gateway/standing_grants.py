"""Standing grants: the verifier looks again and again, for as long and as often as was granted.

The gateway keeps the presentation sealed to its verifier. Each time it hands it out, the receipt of
that access is on the ledger first: the ledger counts the uses, and refuses the receipt once the
grant is revoked, expired or used up, so nothing more is handed out then.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from chaincode.records import NO_ID, GrantRecord, SeenRecord, seen_id
from chaincode.records.recovery import RecoveryStatus
from client_sdk.checks import UsedGrant
from client_sdk.errors import (
    ConsentError,
    CredentialFormatError,
    DepositError,
    QueryFailedError,
    ReceiptRefusedError,
)
from client_sdk.ledger.receipts import Access
from client_sdk.openid4vp.consent_record import verify_consent
from client_sdk.openid4vp.grant_offer import parse_grant_offer
from client_sdk.openid4vp.request_link import RequestLink, build_link
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.openid4vp.response import unique_fields
from client_sdk.openid4vp.signed_request import read_own_request
from client_sdk.openid4vp.standing import Deposit, verify_statement
from client_sdk.verifier.standing_client import ReceiptReader
from node.errors import ApiError
from node.gateway.presentations import ResponseRefusedError
from node.gateway.question import Question
from node.gateway.receipts import Receipts
from node.gateway.request_draft import RequestDrafts
from node.gateway.standing_store import StandingAccess, StandingGrant, StandingState, StandingStore

_ATTEMPTS: Final = 8
"""How often one access tries to get a number, where others take them at the same time."""
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOut:
    """What a verifier gets for one access.

    Attributes:
        use: Which use of the grant it was, from 1.
        account: The holder's account.
        sealed: The presentation, sealed to the verifier.
        consent: The holder's signed record of the consent.
        request_object: The request that it answers.
    """

    use: int
    account: str
    sealed: str = field(repr=False)
    consent: str = field(repr=False)
    request_object: str = field(repr=False)


class StandingGrants:
    """Asks for standing grants, keeps the deposits, and hands them out."""

    def __init__(
        self,
        *,
        store: StandingStore,
        drafts: RequestDrafts,
        ledger: ReceiptReader,
        receipts: Receipts,
        public_url: str,
        gateway: str,
        ledger_id: str,
        now_ms: Callable[[], int],
    ) -> None:
        """Wire the parts.

        Args:
            store: Where requests and deposits are kept.
            drafts: Begins requests.
            ledger: Where grants, keys and receipts are read.
            receipts: What writes receipts.
            public_url: Where wallets reach the gateway.
            gateway: The gateway's ledger account.
            ledger_id: The ledger's id.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._ledger = ledger
        self._receipts = receipts
        self._drafts = drafts
        self._public_url = public_url
        self._gateway = gateway
        self._ledger_id = ledger_id
        self._now_ms = now_ms

    def create(
        self, verifier_id: str, question: Question, *, uses: int, deposit_key: bytes
    ) -> StandingGrant:
        """Make a request for a standing grant.

        Args:
            verifier_id: Who asks.
            question: What, what for, and how long the grant is to last.
            uses: How often the verifier may look.
            deposit_key: The verifier's public key that the presentation is sealed to, 32 bytes.

        Raises:
            RequestError: The question cannot be asked; the text says which part of it.
            ApiError: The verifier is not registered to ask it.
        """
        draft = self._drafts.begin(verifier_id, question, answered_at="standing/deposits")
        (query,) = question.query.credentials
        offer = draft.offer(query, uses=uses, deposit_key=deposit_key)
        stored = StandingGrant(
            id=draft.id,
            verifier=verifier_id,
            request_object=draft.sign(draft.request(offer)),
            attributes="\n".join(question.attributes),
            purpose=question.purpose,
            uses=uses,
            answer_until_ms=draft.until_ms,
            grant_until_ms=offer.expires_at_ms,
            state="pending",
        )
        self._store.add(stored)
        _log.info("standing_requested", request=draft.id, verifier=verifier_id)
        return stored

    def link(self, stored: StandingGrant) -> str:
        """Return the link that opens a wallet with a request."""
        uri = f"{self._public_url}/standing/objects/{stored.id}"
        client_id = _request_of(stored).client_id
        return build_link(RequestLink(client_id=client_id, request_uri=uri))

    def request_object(self, request_id: str) -> str:
        """Return the signed request object for a wallet.

        Raises:
            ApiError: There is no such request, or it can no longer be answered.
        """
        stored = self._store.find(request_id)
        if stored is None or not self._is_answerable(stored):
            raise _unknown()
        self._store.mark_fetched(request_id)
        return stored.request_object

    def find(self, verifier_id: str, request_id: str) -> StandingGrant:
        """Return a verifier's own request.

        Raises:
            ApiError: This verifier has no such request.
        """
        stored = self._store.find(request_id)
        if stored is None or stored.verifier != verifier_id:
            raise _unknown()
        return stored

    def state_of(self, stored: StandingGrant) -> StandingState:
        """Return a request's state now."""
        return stored.state_at(self._now_ms())

    def grants_of(self, verifier_id: str) -> list[tuple[StandingGrant, int]]:
        """Return a verifier's grants, each with how often it was used."""
        return self._store.grants_of(verifier_id)

    def take(self, request_id: str, form: Iterable[tuple[str, str]]) -> None:
        """Take a wallet's deposit, or its refusal.

        Raises:
            ResponseRefusedError: It is not taken; the log says why.
            TransportError: The ledger cannot be reached; the wallet may send it again.
        """
        stored = self._store.find(request_id)
        if stored is None or not self._is_answerable(stored):
            raise ResponseRefusedError
        request = _request_of(stored)
        try:
            fields = unique_fields(form, CredentialFormatError("a field stands there twice"))
            _check_state(fields, request)
            if "error" in fields:
                self._store.decline(request_id)
                _log.info("standing_declined", request=request_id)
                return
            self._keep(stored, request, Deposit.from_form(fields))
        except (CredentialFormatError, ConsentError, DepositError) as error:
            _log.warning("deposit_refused", request=request_id, reason=str(error))
            raise ResponseRefusedError from None

    def access(self, verifier_id: str, grant_id: str, access_id: str) -> HandedOut:
        """Hand out what was deposited under a grant: its receipt is on the ledger then.

        Asking again with the same access id is the same access: it writes no second receipt.

        Raises:
            ApiError: This verifier has no such grant; it is over; or the ledger refuses the receipt
                for now.
            TransportError: The ledger cannot be reached; ask again with the same access id.
        """
        stored = self._store.find_grant(verifier_id, grant_id)
        if stored is None:
            raise _unknown()
        if stored.sealed is None or stored.state_at(self._now_ms()) != "live":
            raise _over("it has ended")
        for _ in range(_ATTEMPTS):
            found = self._store.find_access(access_id)
            if found is not None and found.standing_grant != stored.id:
                raise ApiError(
                    409, "access_id_used", "The access id is taken", "Choose a new random one."
                )
            if found is not None and found.is_written:
                self._check_still_live(stored)
                return _handed_out(stored, found.use)
            waiting = found or self._store.unwritten(stored.id)
            if waiting is not None:
                # It may be on the ledger or not: until that is known, no later use has a number.
                self._write(stored, waiting, is_own=waiting.id == access_id)
            else:
                self._reserve(stored, access_id)
        raise ApiError(
            503, "busy", "Others use this grant at the same time", "Ask again in a moment."
        )

    def tend(self) -> None:
        """Delete what is over."""
        self._store.purge(self._now_ms())

    def _keep(self, stored: StandingGrant, request: PresentationRequest, deposit: Deposit) -> None:
        statement = verify_statement(deposit, request, now_s=self._now_ms() // 1000)
        offer = parse_grant_offer(request.transaction_data[0])
        if statement.ledger != self._ledger_id:
            raise DepositError("its grant is on another ledger")
        record = verify_consent(statement.consent, terms=request.transaction_data[0])
        named = (record.grant, record.account, record.signatory)
        if named != (statement.grant, statement.account, statement.signatory):
            raise DepositError("the consent record is of another grant, or by another key")
        if statement.signatory not in self._signatories(statement.account):
            raise DepositError("it is not signed by a key of the account")
        grant = self._grant(statement.account, statement.grant)
        if grant is None or grant.state != "live" or grant.gateway != self._gateway:
            raise DepositError("the account holds no such live grant for this gateway")
        if (grant.expires_at_ms, grant.uses) != (offer.expires_at_ms, offer.uses):
            raise DepositError("its grant has another end or number of uses than was asked for")
        is_kept = self._store.deposit(
            stored.id,
            grant=statement.grant,
            account=statement.account,
            receipt_key=statement.receipt_key,
            consent=statement.consent,
            sealed=deposit.sealed,
        )
        if not is_kept:
            raise DepositError("there is a deposit for this request or grant already")
        _log.info("deposited", request=stored.id)

    def _reserve(self, stored: StandingGrant, access_id: str) -> None:
        """Keep the next use's number and its signed receipt, before anything is sent."""
        account, grant_id = str(stored.account), str(stored.grant)
        use = self._store.last_use(stored.id) + 1
        while self._is_written(account, grant_id, use):
            use += 1  # Written by a gateway whose store was lost.
        offer = parse_grant_offer(_request_of(stored).transaction_data[0])
        access = Access(
            grant=grant_id,
            use=use,
            verifier=offer.verifier,
            verifier_name=offer.verifier_name,
            attributes=offer.attributes,
            purpose=offer.purpose,
            seen_at_ms=self._now_ms(),
            shown=Deposit(sealed=str(stored.sealed), statement="").digest,
        )
        used = UsedGrant(
            id=grant_id,
            account=account,
            attributes=offer.attributes,
            receipt_key=stored.receipt_key or b"",
        )
        self._store.add_access(
            StandingAccess(
                id=access_id,
                standing_grant=stored.id,
                use=use,
                receipt=self._receipts.prepare([(access, used)]),
            )
        )

    def _write(self, stored: StandingGrant, access: StandingAccess, *, is_own: bool) -> None:
        """Write the receipt of an access, or forget the access where the ledger refuses it."""
        try:
            self._receipts.write(access.receipt)
        except ReceiptRefusedError as error:
            self._store.drop_access(access.id)
            record = self._grant(str(stored.account), str(stored.grant))
            is_over = not _is_live(record, self._now_ms()) or access.use > stored.uses
            if is_over:
                self._store.end(stored.id)
                _log.info("standing_ended", request=stored.id)
            if is_over or is_own:
                raise _over(str(error)) from None
            return
        self._store.mark_written(access.id)
        _log.info("handed_out", request=stored.id, use=access.use)

    def _check_still_live(self, stored: StandingGrant) -> None:
        """Check the grant anew for who asks again for an access that was written before."""
        record = self._grant(str(stored.account), str(stored.grant))
        if not _is_live(record, self._now_ms()):
            self._store.end(stored.id)
            raise _over("the holder has revoked it, or it has expired")
        status = self._ledger.record(str(stored.account), NO_ID, RecoveryStatus)
        if status is not None and status.is_open_recovery(self._now_ms()):
            raise _over("the holder's account is being recovered")

    def _is_answerable(self, stored: StandingGrant) -> bool:
        return stored.state_at(self._now_ms()) in ("pending", "fetched", "declined")

    def _grant(self, account: str, grant_id: str) -> GrantRecord | None:
        try:
            return self._ledger.record(account, grant_id, GrantRecord)
        except QueryFailedError as error:
            if not error.is_absence:
                raise
            return None

    def _is_written(self, account: str, grant_id: str, use: int) -> bool:
        found = self._ledger.record(
            account, seen_id(grant_id, use), SeenRecord, writer=self._gateway
        )
        return found is not None

    def _signatories(self, account: str) -> frozenset[str]:
        try:
            return self._ledger.signatories(account)
        except QueryFailedError as error:
            if not error.is_absence:
                raise
            return frozenset()


def _check_state(fields: Mapping[str, str], request: PresentationRequest) -> None:
    if fields.get("state") != request.state:
        raise DepositError("the deposit: another state than the request's")


def _is_live(grant: GrantRecord | None, now_ms: int) -> bool:
    return grant is not None and grant.state == "live" and grant.expires_at_ms > now_ms


def _handed_out(stored: StandingGrant, use: int) -> HandedOut:
    return HandedOut(
        use=use,
        account=str(stored.account),
        sealed=str(stored.sealed),
        consent=str(stored.consent),
        request_object=stored.request_object,
    )


def _request_of(stored: StandingGrant) -> PresentationRequest:
    return read_own_request(stored.request_object)


def _unknown() -> ApiError:
    return ApiError(
        404,
        "unknown_grant",
        "There is no such request or grant",
        "There is none, or it can no longer be answered. Ask the holder anew.",
    )


def _over(reason: str) -> ApiError:
    return ApiError(
        410, "grant_over", "The grant gives nothing more", f"Nothing is handed out: {reason}."
    )
