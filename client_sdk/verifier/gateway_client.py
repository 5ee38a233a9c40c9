"""A verifier's client of its gateway: ask for attributes, read the result."""

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from sseclient import SSEClient

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.checks import Check
from client_sdk.errors import CredentialFormatError, ServiceRefusedError, TransportError
from client_sdk.http.service_client import ServiceClient, text_of
from client_sdk.openid4vp.consent_record import ConsentRecord, verify_consent
from client_sdk.openid4vp.dcql_query import DcqlQuery
from client_sdk.purposes import DEFAULT_TERM, PurposeTerm
from client_sdk.strict_json import JsonFields, parse_strict_json_object

OPEN_STATES: Final = frozenset({"pending", "fetched", "recording"})
"""A request in one of these states has no result yet."""
_HTTP_OK: Final = 200
_POLL_S: Final = 0.5
_EVENT_STREAM: Final = "text/event-stream"
_IDLE_S: Final = 45.0
"""A gateway shows every 15 s that it is still there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayEvent:
    """A step of a request.

    Attributes:
        event_id: Its number at the gateway, by which a stream is gone on with; empty for the end
            of the request's time.
        name: `fetched`, `answered`, `verified`, `declined` or `expired`.
        state: What the request came to, as `RequestResult` has it.
        at: When, RFC 3339.
    """

    event_id: str
    name: str
    state: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedRequest:
    """A request that waits for a wallet.

    Attributes:
        request_id: Its id at the gateway.
        link: Opens a wallet: show it as a link or QR code.
        expires_at: When it ends, RFC 3339.
        waci_link: The same as an invitation of WACI-DIDComm; None where the gateway has none.
    """

    request_id: str
    link: str
    expires_at: str
    waci_link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceTestDemand:
    """That the holder's face is tested.

    Attributes:
        max_age_s: How many seconds the test may be old; None where it must be for this request.
    """

    max_age_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestResult:
    """What became of a request.

    Attributes:
        state: `pending`, `fetched`, `recording`, `accepted`, `refused`, `declined` or `expired`.
        checks: The named checks of the answer, in order.
        attributes: What the holder showed, once all checks passed; empty otherwise.
        consents: The holder's signed records of the consent, verified; keep them.
    """

    state: str
    checks: tuple[Check, ...]
    attributes: JsonObject = field(repr=False)
    consents: tuple[ConsentRecord, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether there is no result yet."""
        return self.state in OPEN_STATES

    @property
    def refusal(self) -> Check | None:
        """The check that failed; None where none did."""
        return next((check for check in self.checks if check.passed is False), None)


class GatewayClient(ServiceClient):
    """One verifier's connection to its gateway; its token is the verifier's API key."""

    def ask(
        self,
        attributes: Iterable[str],
        *,
        purpose: str,
        purpose_term: PurposeTerm = DEFAULT_TERM,
        face: FaceTestDemand | None = None,
        grant_seconds: int | None = None,
    ) -> CreatedRequest:
        """Make a request for attributes, such as `address`.

        Args:
            attributes: Their names.
            purpose: What for, in words for the holder.
            purpose_term: The same as a term of the vocabulary.
            face: The face test that is demanded; None for none.
            grant_seconds: How long the holder's grant is to last; None for the gateway's default.

        Raises:
            ServiceRefusedError: The gateway does not take it; the text says why.
            TransportError: The gateway cannot be reached.
        """
        question: JsonObject = {"attributes": list(attributes)}
        return self._create(question, purpose, purpose_term, face, grant_seconds)

    def ask_query(
        self,
        query: DcqlQuery,
        *,
        purpose: str,
        purpose_term: PurposeTerm = DEFAULT_TERM,
        face: FaceTestDemand | None = None,
        grant_seconds: int | None = None,
    ) -> CreatedRequest:
        """Make a request by a whole query: several credentials, alternatives, options.

        Args:
            query: The credentials and claims.
            purpose: What for, in words for the holder.
            purpose_term: The same as a term of the vocabulary.
            face: The face test that is demanded; None for none.
            grant_seconds: How long the holder's grant is to last; None for the gateway's default.

        Raises:
            ServiceRefusedError: The gateway does not take it; the text says why.
            TransportError: The gateway cannot be reached.
        """
        question: JsonObject = {"dcql_query": query.to_fields()}
        return self._create(question, purpose, purpose_term, face, grant_seconds)

    def _create(
        self,
        question: JsonObject,
        purpose: str,
        purpose_term: PurposeTerm,
        face: FaceTestDemand | None,
        grant_seconds: int | None,
    ) -> CreatedRequest:
        body: JsonObject = {**question, "purpose": purpose, "purpose_term": purpose_term.iri}
        if grant_seconds is not None:
            body["grant_seconds"] = grant_seconds
        if face is not None:
            body["face"] = "required"
            if face.max_age_s is not None:
                body["face_max_age"] = face.max_age_s
        created = self._post("/requests", body, expected_status=201)
        return CreatedRequest(
            request_id=text_of(created, "id"),
            link=text_of(created, "link"),
            expires_at=text_of(created, "expires_at"),
            waci_link=None if created.get("waci_link") is None else text_of(created, "waci_link"),
        )

    def result(self, request_id: str) -> RequestResult:
        """Read what became of a request.

        Raises:
            ServiceRefusedError: It is not this verifier's, or deleted.
            ConsentError: A record of the consent is not of what was asked for.
            TransportError: The gateway cannot be reached.
        """
        content = self._get(f"/requests/{quote(request_id, safe='')}")
        checks, attributes = content.get("checks"), content.get("attributes")
        if not isinstance(checks, list):
            raise TransportError("the service's answer has no checks")
        if attributes is not None and not isinstance(attributes, dict):
            raise TransportError("the service's answer has no attributes")
        return RequestResult(
            state=text_of(content, "status"),
            checks=tuple(_check(check) for check in checks),
            attributes=attributes or {},
            consents=tuple(_consents(content)),
        )

    def wait(self, request_id: str, *, timeout_s: float = 300) -> RequestResult:
        """Read what became of a request as soon as the holder has answered, or time is over.

        It follows the request's events; where the gateway has no stream to spare, it asks now and
        then.

        Raises:
            ServiceRefusedError: It is not this verifier's, or deleted.
            TransportError: The gateway cannot be reached.
        """
        deadline, seen = time.monotonic() + timeout_s, ""
        while (result := self.result(request_id)).is_open:
            left_s, before = deadline - time.monotonic(), seen
            if left_s <= 0:
                break
            events = self.events(request_id, after=seen, idle_s=min(left_s, _IDLE_S))
            with suppress(ServiceRefusedError, TransportError), closing(events):
                for event in events:
                    seen = event.event_id
                    if event.state not in OPEN_STATES or time.monotonic() >= deadline:
                        break
            if seen == before:
                time.sleep(min(_POLL_S, left_s))
        return result

    def events(
        self, request_id: str, *, after: str = "", idle_s: float = _IDLE_S
    ) -> Generator[GatewayEvent]:
        """Yield a request's events, those that were and those that come, until it has ended.

        Args:
            request_id: Its id.
            after: The number of the last event that is known; empty for all.
            idle_s: How long the gateway may say nothing, in seconds.

        Raises:
            ServiceRefusedError: The request is not this verifier's, or no stream is to spare.
            TransportError: The gateway cannot be reached, or the stream was cut: go on by `after`.
        """
        headers = {"Authorization": f"Bearer {self._token}"}
        if after:
            headers["Last-Event-ID"] = after
        url = f"{self._url}/requests/{quote(request_id, safe='')}/events"
        with self._http.stream(url, accept=_EVENT_STREAM, headers=headers, idle_s=idle_s) as (
            status,
            bits,
        ):
            if status != _HTTP_OK:
                raise ServiceRefusedError(
                    f"the service refused (HTTP {status}): no events are to be had", code=""
                )
            for frame in SSEClient(bits).events():
                fields = _event_fields(frame.data)
                yield GatewayEvent(
                    event_id=frame.id or "",
                    name=frame.event,
                    state=text_of(fields, "status"),
                    at=text_of(fields, "at"),
                )


def _event_fields(data: str) -> JsonObject:
    try:
        return parse_strict_json_object(data.encode())
    except (CredentialFormatError, UnicodeEncodeError) as error:
        raise TransportError(f"the service's event is no JSON object: {error}") from None


def _consents(content: JsonObject) -> Iterator[ConsentRecord]:
    if content.get("credentials") is None:
        return
    answer = JsonFields(content, what="the service's answer", error=TransportError)
    for credential in answer.objects("credentials"):
        consent, terms = credential.optional_text("consent"), credential.optional_text("terms")
        if consent is not None and terms is not None:
            yield verify_consent(consent, terms=terms)


def _check(value: JsonValue) -> Check:
    fields = value if isinstance(value, dict) else {}
    passed = fields.get("passed")
    if passed is not None and not isinstance(passed, bool):
        raise TransportError("the service's answer has a check that neither passed nor failed")
    return Check(
        name=text_of(fields, "name"),
        passed=passed,
        detail=text_of(fields, "detail"),
    )
