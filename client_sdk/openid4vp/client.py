"""The wallet's side of a verifier's service: fetch a request, send a response (OpenID4VP 1.0)."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from cryptography import x509

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import ALGORITHMS
from client_sdk.did.resolution import DidJwk, DidKey, DidResolver, DidWeb
from client_sdk.errors import RequestError, TransportError
from client_sdk.http.client import HttpAnswer, HttpClient
from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.ledger.grants import new_salt
from client_sdk.openid4vp.client_identifier import PREFIXES, parse_client_id
from client_sdk.openid4vp.request_link import RequestLink, parse_link
from client_sdk.openid4vp.request_object import RESPONSE_MODES, SUPPORTED_FORMATS
from client_sdk.openid4vp.response import build_error_response
from client_sdk.openid4vp.signed_request import (
    REQUEST_MEDIA_TYPE,
    VerifiedRequest,
    verify_parameters,
    verify_request,
)
from client_sdk.strict_json import encode_json

_ERROR_CODE: Final = re.compile(r"[a-z_]{1,64}")
_OUT_OF_ORDER: Final = 500
_FRAGMENT: Final = re.compile(r"[!$-;=?-Z_a-z~]{0,1024}")


def fetch_request(
    link: str,
    *,
    trust_anchors: tuple[x509.Certificate, ...],
    now_s: int,
    http: HttpClient,
    haip: bool = False,
) -> VerifiedRequest:
    """Return the request that a link points to or holds, verified (sections 5 and 5.10).

    A verifier that is known, and whose request breaks a rule, is told so (section 8.5).

    Args:
        link: `openid4vp://...`.
        trust_anchors: The authorities that certify verifiers.
        now_s: Seconds since 1970-01-01 UTC.
        http: How the verifier is reached, and the documents of DIDs.
        haip: Whether only requests of the high assurance profile are taken.

    Raises:
        RequestError: There is no such request, or it breaks a rule; the text says which.
        ExpiredError: It is not valid at this time.
        TransportError: It cannot be fetched.
    """
    pointer = parse_link(link)
    wallet_nonce = None
    if isinstance(pointer, RequestLink):
        # A request that cannot be verified is not even fetched.
        parse_client_id(pointer.client_id)
        if pointer.method == "post":
            wallet_nonce = new_salt()
        token = _fetch(pointer, wallet_nonce, http)
    elif haip:
        raise RequestError("HAIP: the link names a request_uri")
    elif pointer.request_object is None:
        return verify_parameters(pointer.parameters)
    else:
        token = pointer.request_object
    try:
        return verify_request(
            token,
            expected_client_id=pointer.client_id,
            trust_anchors=trust_anchors,
            now_s=now_s,
            resolver=verifier_resolver(http),
            expected_wallet_nonce=wallet_nonce,
            haip=haip,
        )
    except RequestError as error:
        with suppress(RequestError, TransportError):
            send_refusal(error, http=http)
        raise


def verifier_resolver(http: HttpClient) -> DidResolver:
    """Return what finds the keys of verifiers that are known by a DID."""
    return DidResolver({"key": DidKey(), "jwk": DidJwk(), "web": DidWeb(http)})


def send_refusal(error: RequestError, *, http: HttpClient) -> None:
    """Tell the verifier of a request that it is not answered (section 8.5); nothing is shown.

    Args:
        error: Why; nothing is sent where it is not known who asked.
        http: How the verifier is reached.

    Raises:
        RequestError: The verifier does not take the answer.
        TransportError: The verifier cannot be reached.
    """
    if error.reply_to is not None:
        form = build_error_response(error.code, state=error.reply_to.state)
        send_response(error.reply_to.response_uri, form, http=http)


def wallet_metadata(*, is_signed: bool) -> JsonObject:
    """Return what a wallet of ours can do (sections 5.10 and 10).

    Args:
        is_signed: Whether the request is of a kind that is signed.
    """
    metadata: JsonObject = {
        "vp_formats_supported": {**SUPPORTED_FORMATS},
        "client_id_prefixes_supported": [*PREFIXES],
        "response_modes_supported": [*RESPONSE_MODES],
    }
    if is_signed:
        metadata["request_object_signing_alg_values_supported"] = [*ALGORITHMS]
    return metadata


def _fetch(link: RequestLink, wallet_nonce: str | None, http: HttpClient) -> str:
    answer: HttpAnswer
    if wallet_nonce is None:
        answer = http.get(link.request_uri, accept=REQUEST_MEDIA_TYPE)
    else:
        metadata = wallet_metadata(is_signed=parse_client_id(link.client_id).is_signed)
        form = {
            "wallet_nonce": wallet_nonce,
            "wallet_metadata": encode_json(metadata).decode("utf-8"),
        }
        answer = http.post_form(link.request_uri, form, accept=REQUEST_MEDIA_TYPE)
    _check_in_order(answer)
    if answer.status != 200 or answer.media_type != REQUEST_MEDIA_TYPE:
        raise RequestError(f"the verifier has no such request (HTTP {answer.status})")
    return answer.body.decode("ascii", errors="replace")


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
    _check_in_order(answer)
    if answer.status == 200:
        return _redirect_of(answer.json())
    try:
        code = answer.json().get("error")
    except TransportError:
        code = None
    name = code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else "no code"
    raise RequestError(f"the verifier refused the answer (HTTP {answer.status}, {name})")


def _check_in_order(answer: HttpAnswer) -> None:
    if answer.status >= _OUT_OF_ORDER:
        raise TransportError(
            f"the verifier's service is out of order (HTTP {answer.status}); later?"
        )


def _redirect_of(body: JsonObject) -> str | None:
    """Return where a browser may be sent; anything but a service's URL is left out.

    The response code often stands in a fragment, which only the browser itself reads.
    """
    value = body.get("redirect_uri")
    address, _, fragment = value.partition("#") if isinstance(value, str) else ("", "", "")
    try:
        parse_endpoint(address, "redirect_uri")
    except RequestError:
        return None
    return str(value) if _FRAGMENT.fullmatch(fragment) else None
