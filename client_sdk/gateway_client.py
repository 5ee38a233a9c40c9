"""A verifier's client of its gateway: ask for attributes, read the result."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.checks import Check
from client_sdk.errors import GatewayRefusedError, TransportError
from client_sdk.http_client import HttpAnswer, HttpClient

OPEN_STATES: Final = frozenset({"pending", "fetched"})
"""A request in one of these states still waits for the holder."""
_POLL_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedRequest:
    """A request that waits for a wallet.

    Attributes:
        request_id: Its id at the gateway.
        link: Opens a wallet: show it as a link or QR code.
        expires_at: When it ends, RFC 3339.
    """

    request_id: str
    link: str
    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestResult:
    """What became of a request.

    Attributes:
        state: `pending`, `fetched`, `accepted`, `refused`, `declined` or `expired`.
        checks: The named checks of the answer, in order.
        attributes: What the holder showed, once all checks passed; empty otherwise.
    """

    state: str
    checks: tuple[Check, ...]
    attributes: JsonObject = field(repr=False)

    @property
    def is_open(self) -> bool:
        """Whether the holder has not answered yet."""
        return self.state in OPEN_STATES

    @property
    def refusal(self) -> Check | None:
        """The check that failed; None where none did."""
        return next((check for check in self.checks if check.passed is False), None)


class GatewayClient:
    """One verifier's connection to its gateway."""

    def __init__(self, url: str, api_key: str, *, timeout_s: float = 15) -> None:
        """Prepare a connection.

        Args:
            url: The gateway's public address.
            api_key: What the gateway's operator gave this verifier.
            timeout_s: How long one call may wait, in seconds.
        """
        self._url = url.rstrip("/")
        self._api_key = api_key
        self._http = HttpClient(timeout_s=timeout_s)

    def ask(self, attributes: Iterable[str], *, purpose: str) -> CreatedRequest:
        """Make a request for attributes, such as `address`.

        Raises:
            GatewayRefusedError: The gateway does not take it; the text says why.
            TransportError: The gateway cannot be reached.
        """
        body: dict[str, JsonValue] = {"attributes": list(attributes), "purpose": purpose}
        answer = self._http.post_json(f"{self._url}/requests", body, bearer=self._api_key)
        created = _content(answer, expected_status=201)
        return CreatedRequest(
            request_id=_text(created, "id"),
            link=_text(created, "link"),
            expires_at=_text(created, "expires_at"),
        )

    def result(self, request_id: str) -> RequestResult:
        """Read what became of a request.

        Raises:
            GatewayRefusedError: It is not this verifier's, or deleted.
            TransportError: The gateway cannot be reached.
        """
        answer = self._http.get(f"{self._url}/requests/{request_id}", bearer=self._api_key)
        content = _content(answer, expected_status=200)
        checks = content.get("checks")
        attributes = content.get("attributes")
        return RequestResult(
            state=_text(content, "status"),
            checks=tuple(_check(check) for check in checks) if isinstance(checks, list) else (),
            attributes=attributes if isinstance(attributes, dict) else {},
        )

    def wait(self, request_id: str, *, timeout_s: float = 300) -> RequestResult:
        """Read what became of a request as soon as the holder has answered, or time is over.

        Raises:
            GatewayRefusedError: It is not this verifier's, or deleted.
            TransportError: The gateway cannot be reached.
        """
        deadline = time.monotonic() + timeout_s
        while (result := self.result(request_id)).is_open and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return result

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _content(answer: HttpAnswer, *, expected_status: int) -> JsonObject:
    content = answer.json()
    if answer.status != expected_status:
        title, detail = content.get("title", ""), content.get("detail", "")
        raise GatewayRefusedError(f"the gateway refused (HTTP {answer.status}): {title} {detail}")
    return content


def _check(value: JsonValue) -> Check:
    fields = value if isinstance(value, dict) else {}
    passed = fields.get("passed")
    return Check(
        name=_text(fields, "name"),
        passed=passed if isinstance(passed, bool) else None,
        detail=_text(fields, "detail"),
    )


def _text(fields: JsonObject, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise TransportError(f"the gateway's answer has no {name}")
    return value
