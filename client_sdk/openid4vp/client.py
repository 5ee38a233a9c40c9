"""The wallet's side of a verifier's service: fetch a request, send a response (OpenID4VP 1.0)."""

import re
from collections.abc import Mapping
from typing import Final

from cryptography import x509

from chaincode.encoding import JsonObject
from client_sdk.endpoint_url import parse_endpoint
from client_sdk.errors import RequestError, TransportError
from client_sdk.http_client import HttpClient
from client_sdk.openid4vp.signed_request import (
    REQUEST_MEDIA_TYPE,
    VerifiedRequest,
    parse_link,
    verify_request,
)

_ERROR_CODE: Final = re.compile(r"[a-z_]{1,64}")


def fetch_request(
    link: str, *, trust_anchors: tuple[x509.Certificate, ...], now_s: int, http: HttpClient
) -> VerifiedRequest:
    """Return the request that a link points to, verified (sections 5 and 5.10).

    Args:
        link: `openid4vp://...`.
        trust_anchors: The authorities that certify verifiers.
        now_s: Seconds since 1970-01-01 UTC.
        http: How the verifier is reached.

    Raises:
        RequestError: There is no such request, or it breaks a rule; the text says which.
        ExpiredError: It is not valid at this time.
        TransportError: It cannot be fetched.
    """
    pointer = parse_link(link)
    answer = http.get(pointer.request_uri, accept=REQUEST_MEDIA_TYPE)
    if answer.status != 200 or answer.media_type != REQUEST_MEDIA_TYPE:
        raise RequestError(f"the verifier has no such request (HTTP {answer.status})")
    return verify_request(
        answer.body.decode("ascii", errors="replace"),
        expected_client_id=pointer.client_id,
        trust_anchors=trust_anchors,
        now_s=now_s,
    )


def send_response(response_uri: str, form: Mapping[str, str], *, http: HttpClient) -> str | None:
    """Send a response; return where the verifier wants the browser to go (section 8.2).

    Args:
        response_uri: From the verified request.
        form: As `build_response` or `build_error_response` made it.
        http: How the verifier is reached.

    Raises:
        RequestError: The verifier refused it.
        TransportError: The verifier cannot be reached.
    """
    answer = http.post_form(response_uri, form)
    if answer.status == 200:
        return _redirect_of(answer.json())
    try:
        code = answer.json().get("error")
    except TransportError:
        code = None
    name = code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else "no code"
    raise RequestError(f"the verifier refused the answer (HTTP {answer.status}, {name})")


def _redirect_of(body: JsonObject) -> str | None:
    """Return where a browser may be sent; anything but a service's URL is left out."""
    try:
        return parse_endpoint(body.get("redirect_uri"), "redirect_uri")
    except RequestError:
        return None
