"""HTTP for wallets: bounded in time and size, never redirected, errors in our own words."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Final
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError
from urllib3.util.retry import Retry

from chaincode.encoding import JsonObject, JsonValue
from client_sdk import tracing
from client_sdk.errors import CredentialFormatError, TransportError
from client_sdk.http.timely_adapter import TimelyAdapter
from client_sdk.strict_json import parse_strict_json_object
from client_sdk.tracing import Attribute, Span

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
_CHUNK_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """An answer of a server, whatever its status.

    Attributes:
        status: The HTTP status code.
        media_type: The content type without parameters, lower-case.
        body: The bytes, at most `MAX_BODY_BYTES`.
        headers: The headers, their names in lower case.
    """

    status: int
    media_type: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def json(self) -> JsonObject:
        """Return the body as a JSON object.

        Raises:
            TransportError: It is none.
        """
        try:
            return parse_strict_json_object(self.body)
        except CredentialFormatError as error:
            raise TransportError(f"the server's answer is no JSON object: {error}") from None


class HttpClient:
    """A session with servers. It asks again only where asking twice does no harm."""

    def __init__(self, *, timeout_s: float = 15, retries: int = 3) -> None:
        """Prepare a session.

        Args:
            timeout_s: How long to wait for a connection, for an answer to begin, and then for all
                of it.
            retries: How often to ask again where that does no harm.
        """
        self._timeout_s = timeout_s
        self._session = requests.Session()
        # Proxies and credentials of the environment are not a wallet's business.
        self._session.trust_env = False
        # A server must not know a holder again by a cookie, nor choose how long a wallet hangs.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        retry = Retry(
            total=retries,
            backoff_factor=0.2,
            status_forcelist=(502, 503, 504),
            raise_on_status=False,
            respect_retry_after_header=False,
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, TimelyAdapter(max_retries=retry))

    def get(
        self, url: str, *, accept: str = "application/json", bearer: str | None = None
    ) -> HttpAnswer:
        """Fetch a resource, with an access token where one is given.

        Raises:
            TransportError: The server cannot be reached, redirects, or answers too much.
        """
        return self._send("GET", url, headers={"Accept": accept, **_authorization(bearer)})

    def post_form(
        self, url: str, form: Mapping[str, str], *, accept: str = "application/json"
    ) -> HttpAnswer:
        """Send a form.

        Raises:
            TransportError: The server cannot be reached, redirects, or answers too much.
        """
        return self._send("POST", url, headers={"Accept": accept}, form=form)

    def post_json(
        self, url: str, value: Mapping[str, JsonValue], *, bearer: str | None = None
    ) -> HttpAnswer:
        """Send a JSON object, with an access token where one is given.

        Raises:
            TransportError: The server cannot be reached, redirects, or answers too much.
        """
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        headers |= _authorization(bearer)
        return self._send("POST", url, headers=headers, data=json.dumps(value).encode())

    def send(
        self, method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str]
    ) -> HttpAnswer:
        """Send a request whose body, JSON or nothing, is signed and must go out as it is.

        Raises:
            TransportError: The server cannot be reached, redirects, or answers too much.
        """
        content = {"Content-Type": "application/json"} if body else {}
        headers = {"Accept": "application/json", **content, **headers}
        return self._send(method, url, headers=headers, data=body)

    @contextmanager
    def stream(
        self, url: str, *, accept: str, headers: Mapping[str, str], idle_s: float
    ) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Open an answer that comes bit by bit; give its status and its bits as they come.

        Args:
            url: The resource.
            accept: The media type.
            headers: Further headers.
            idle_s: How long to wait for each bit.

        Raises:
            TransportError: The server cannot be reached, sends nothing for too long, or too much.
        """
        try:
            with _request_span("GET", url) as span:
                response = self._session.get(
                    url,
                    headers={
                        **headers,
                        **span.headers,
                        "Accept": accept,
                        "Accept-Encoding": "identity",
                    },
                    timeout=(self._timeout_s, idle_s),
                    allow_redirects=False,
                    stream=True,
                )
            with response:
                yield response.status_code, _bits(response, _host(url))
        except (requests.RequestException, HTTPError, OSError) as error:
            raise TransportError(
                f"{_host(url)}: the stream was cut ({type(error).__name__})"
            ) from None

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        data: bytes | None = None,
        form: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        try:
            with _request_span(method, url) as span:
                response = self._session.request(
                    method,
                    url,
                    # Not compressed: a small answer must not become a huge one.
                    headers={**headers, **span.headers, "Accept-Encoding": "identity"},
                    data=form if form is not None else data,
                    timeout=self._timeout_s,
                    allow_redirects=False,
                    stream=True,
                )
                span.set("http.response.status_code", response.status_code)
                with response:
                    if response.is_redirect:
                        raise TransportError(
                            f"{_host(url)}: redirects, which a wallet does not follow"
                        )
                    body = self._read(response, _host(url))
        except (requests.RequestException, HTTPError, ValueError) as error:
            # The library's text can hold the whole URL, and with it a code or token.
            raise TransportError(
                f"{_host(url)}: cannot be reached ({type(error).__name__}); is the address right?"
            ) from None
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpAnswer(
            status=response.status_code, media_type=media_type, body=body, headers=headers
        )

    def _read(self, response: requests.Response, host: str) -> bytes:
        deadline = time.monotonic() + self._timeout_s
        body = bytearray()
        # read1 returns what has arrived: a server that sends drop by drop meets the deadline.
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=False):
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise TransportError(f"{host}: the answer is longer than {MAX_BODY_BYTES} bytes")
            if time.monotonic() > deadline:
                raise TransportError(f"{host}: the answer took longer than {self._timeout_s} s")
        return bytes(body)


def _bits(response: requests.Response, host: str) -> Iterator[bytes]:
    total = 0
    while bit := response.raw.read1(_CHUNK_BYTES, decode_content=False):
        total += len(bit)
        if total > MAX_BODY_BYTES:
            raise TransportError(f"{host}: the stream is longer than {MAX_BODY_BYTES} bytes")
        yield bit


def _request_span(method: str, url: str) -> AbstractContextManager[Span]:
    """Return the span of a request: whose host it asks, and no path: that may hold a secret."""
    if not tracing.is_on():
        return tracing.span("client", method)
    attributes: dict[Attribute, str | int] = {"http.request.method": method}
    # What is no address is refused by who sends the request.
    with suppress(ValueError):
        place = urlsplit(url)
        attributes["server.address"] = place.hostname or ""
        if place.port is not None:
            attributes["server.port"] = place.port
    return tracing.span("client", method, attributes)


def _authorization(bearer: str | None) -> dict[str, str]:
    return {} if bearer is None else {"Authorization": f"Bearer {bearer}"}


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or "the server"
    except ValueError:
        return "the server"
