"""A verifier's side of standing grants: ask once, look again and again, verify each time."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar
from urllib.parse import quote, urlencode

from chaincode.encoding import JsonObject, JsonValue, encode_base64url
from chaincode.errors import DecodeError
from chaincode.records import IdentityRecord, SeenRecord, decode_record, seen_id
from client_sdk.checks import Check, receipt_check
from client_sdk.credentials.jose import parse_compact
from client_sdk.errors import ConsentError, DepositError, ReceiptRefusedError, TransportError
from client_sdk.http.service_client import ServiceClient, text_of
from client_sdk.ledger.grants import new_record_id
from client_sdk.openid4vp.consent_record import ConsentRecord, verify_consent
from client_sdk.openid4vp.grant_offer import GrantOffer, parse_grant_offer
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.openid4vp.standing import open_deposit, standing_nonce
from client_sdk.purposes import DEFAULT_TERM, PurposeTerm
from client_sdk.sealing.hpke import SealingKey
from client_sdk.strict_json import JsonFields
from client_sdk.verification.joint_reads import Ledger
from client_sdk.verification.status_lists import StatusLists
from client_sdk.verifier import Verifier
from client_sdk.verifier.gateway_client import CreatedRequest

_DAY_S = 86_400
_MAX_GRANT_S = 367 * _DAY_S
_Record = TypeVar("_Record", bound=IdentityRecord)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingStatus:
    """A standing grant, or the request for it.

    Attributes:
        request_id: The request's id at the gateway.
        state: `pending`, `fetched`, `declined`, `expired`, `live` or `ended`.
        grant: The grant's id on the ledger; None before a holder made it.
        attributes: What may be looked up.
        purpose: What for.
        until: When it ends, RFC 3339.
        uses: How often it may be looked up.
        used: How often it was; None where the gateway was asked for the request alone.
    """

    request_id: str
    state: str
    grant: str | None
    attributes: tuple[str, ...]
    purpose: str
    until: str
    uses: int
    used: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedUp:
    """What one look showed.

    Attributes:
        attributes: The values, by the name of the attribute.
        use: Which use of the grant it was, from 1.
        consent: The holder's signed record of the consent, verified.
        checks: All checks; each passed.
    """

    attributes: JsonObject = field(repr=False)
    use: int
    consent: ConsentRecord
    checks: tuple[Check, ...]


class ReceiptReader(Ledger, Protocol):
    """What is read of a ledger: `client_sdk.ledger.client.LedgerClient` has it."""

    def record(
        self, account_id: str, record_id: str, kind: type[_Record], *, writer: str | None = None
    ) -> _Record | None:
        """Return an identity record, or None where there is no valid one."""


class StandingClient(ServiceClient):
    """One verifier's standing grants; its token is the verifier's API key at the gateway."""

    def ask(
        self,
        attributes: Iterable[str],
        *,
        purpose: str,
        purpose_term: PurposeTerm = DEFAULT_TERM,
        uses: int,
        days: int,
        deposit_key: bytes,
    ) -> CreatedRequest:
        """Ask a holder for a standing grant.

        Args:
            attributes: Such as `address`.
            purpose: What for; the holder reads this.
            purpose_term: The purpose's term in the vocabulary.
            uses: How often it may be looked up.
            days: How long the grant lasts.
            deposit_key: The public half of the verifier's `SealingKey`.

        Raises:
            ServiceRefusedError: The gateway does not take it; the text says why.
            TransportError: The gateway cannot be reached.
        """
        body: JsonObject = {
            "attributes": list(attributes),
            "purpose": purpose,
            "purpose_term": purpose_term.iri,
            "uses": uses,
            "grant_seconds": days * _DAY_S,
            "deposit_key": encode_base64url(deposit_key),
        }
        created = self._post("/standing/requests", body, expected_status=201)
        return CreatedRequest(
            request_id=text_of(created, "id"),
            link=text_of(created, "link"),
            expires_at=text_of(created, "expires_at"),
        )

    def status(self, request_id: str) -> StandingStatus:
        """Read what became of a request.

        Raises:
            ServiceRefusedError: It is not this verifier's, or deleted.
            TransportError: The gateway cannot be reached.
        """
        return _status(self._get(f"/standing/requests/{quote(request_id, safe='')}"))

    def grants(self) -> tuple[StandingStatus, ...]:
        """List the grants that holders made.

        Raises:
            ServiceRefusedError: The key does not open this.
            TransportError: The gateway cannot be reached.
        """
        fields = JsonFields(self._get("/standing/grants"), what="the answer", error=TransportError)
        return tuple(_status(item) for item in fields.items("grants"))

    def look_up(
        self,
        grant_id: str,
        key: SealingKey,
        *,
        access_id: str | None = None,
        ledger: ReceiptReader | None = None,
        status_lists: StatusLists | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> LookedUp:
        """Look once more: the receipt is written, the deposit handed out, opened and verified.

        Args:
            grant_id: The grant.
            key: The verifier's key that the presentation is sealed to.
            access_id: 32 random hex digits; give the same again where an answer was lost, so that
                it is one access and one receipt. By default a new one.
            ledger: Where records and keys are read; by default through the gateway.
            status_lists: Where issuers' status lists are had; by default over HTTP.
            now_ms: The clock: milliseconds since 1970, UTC.

        Raises:
            ServiceRefusedError: The grant is revoked, expired, used up or not this verifier's.
            DepositError: It is not sealed to this key, or not what was asked for.
            ConsentError: The record of the consent is not of what was asked for.
            VerificationError: A check failed; the subclass says which, `checks` tells of all.
            TransportError: Gateway or ledger cannot be reached; ask again with the same id.
        """
        access = access_id or new_record_id()
        path = f"/standing/grants/{quote(grant_id, safe='')}/accesses/{quote(access, safe='')}"
        handed = JsonFields(self._put(path), what="the gateway's answer", error=TransportError)
        request, offer = _read_request(handed.text("request_object"), key)
        account, use = handed.text("account"), handed.whole("use")
        presentation = open_deposit(
            handed.text("sealed"), key, ledger=offer.ledger, account=account, grant=grant_id
        )
        reader: ReceiptReader = ledger or GatewayRecords(self)
        verifier = Verifier(
            reader,
            offer.ledger,
            gateway=offer.gateway,
            status_lists=status_lists,
            max_age_s=_MAX_GRANT_S,
            now_ms=now_ms,
        )
        # The request is over; what it asked for holds as long as the grant.
        lasting = replace(
            request, nonce=standing_nonce(grant_id), expires_at=offer.expires_at_ms // 1000
        )
        verified = verifier.verify(presentation, lasting)
        if verified.grant is None or (verified.grant.id, verified.grant.account) != (
            grant_id,
            account,
        ):
            raise DepositError("the presentation is shown under another grant")
        if not _stands(reader, account, grant_id, use, gateway=offer.gateway):
            raise ReceiptRefusedError(f"the ledger holds no receipt of use {use}")
        consent = verify_consent(handed.text("consent"), terms=request.transaction_data[0])
        # The gateway hands it out beside what the holder sealed: it could be anybody's.
        if (consent.grant, consent.account) != (grant_id, account):
            raise ConsentError("the consent record: of another grant")
        if consent.signatory not in reader.signatories(account):
            raise ConsentError("the consent record: not signed by a key of the account")
        return LookedUp(
            attributes=verified.attributes,
            use=use,
            consent=consent,
            checks=(*verified.checks, receipt_check()),
        )

    def read_record(self, account_id: str, key: str, *, writer: str) -> str | None:
        """Return the value of an identity record, as the gateway reads it on the ledger.

        Raises:
            TransportError: Gateway or ledger cannot be reached.
        """
        query = urlencode({"account": account_id, "key": key, "writer": writer})
        value = self._get(f"/ledger/record?{query}").get("value")
        return value if isinstance(value, str) else None

    def read_signatories(self, account_id: str) -> frozenset[str]:
        """Return the keys of an account, as the gateway reads them on the ledger.

        Raises:
            TransportError: Gateway or ledger cannot be reached.
        """
        answer = self._get(f"/ledger/signatories?{urlencode({'account': account_id})}")
        fields = JsonFields(answer, what="the gateway's answer", error=TransportError)
        return frozenset(fields.texts("keys"))


class GatewayRecords:
    """The ledger as a verifier's gateway reads it, for verifiers without an account of theirs."""

    def __init__(self, client: StandingClient) -> None:
        """Read through a client."""
        self._client = client

    def record(
        self, account_id: str, record_id: str, kind: type[_Record], *, writer: str | None = None
    ) -> _Record | None:
        """Return an identity record, or None where there is no valid one."""
        value = self._client.read_record(
            account_id, kind.key(record_id), writer=writer or account_id
        )
        try:
            return None if value is None else decode_record(value, kind)
        except DecodeError:
            return None

    def signatories(self, account_id: str) -> frozenset[str]:
        """Return the public keys of an account."""
        return self._client.read_signatories(account_id)


def _read_request(token: str, key: SealingKey) -> tuple[PresentationRequest, GrantOffer]:
    request = PresentationRequest.from_claims(parse_compact(token).unverified_payload)
    if len(request.transaction_data) != 1:
        raise DepositError("the request asks for no grant")
    offer = parse_grant_offer(request.transaction_data[0])
    if offer.deposit_key != key.public_bytes:
        raise DepositError("the request names another key than the verifier's")
    return request, offer


def _stands(reader: ReceiptReader, account: str, grant_id: str, use: int, *, gateway: str) -> bool:
    record = reader.record(account, seen_id(grant_id, use), SeenRecord, writer=gateway)
    return record is not None


def _status(content: JsonValue) -> StandingStatus:
    fields = JsonFields(content, what="the gateway's answer", error=TransportError)
    return StandingStatus(
        request_id=fields.text("id"),
        state=fields.text("status"),
        grant=fields.optional_text("grant"),
        attributes=fields.texts("requested"),
        purpose=fields.text("purpose"),
        until=fields.text("until"),
        uses=fields.whole("uses"),
        used=fields.optional_whole("used"),
    )
