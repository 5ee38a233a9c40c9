"""Links that open a wallet with a request: what a QR code holds (OpenID4VP 1.0, 5 and 9)."""

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit

from chaincode.encoding import JsonObject
from client_sdk.errors import CredentialFormatError, RequestError
from client_sdk.http.endpoint_url import parse_endpoint, parse_identifier
from client_sdk.openid4vp.response import unique_fields
from client_sdk.strict_json import parse_strict_json

LINK_SCHEME: Final = "openid4vp"
HAIP_SCHEME: Final = "haip-vp"
MAX_LINK_CHARS: Final = 1 << 16

RequestUriMethod: TypeAlias = Literal["get", "post"]
_JSON_PARAMETERS: Final = ("dcql_query", "client_metadata", "transaction_data", "verifier_info")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLink:
    """Where a wallet fetches a request.

    Attributes:
        client_id: The verifier, with its prefix.
        request_uri: The address.
        method: How: by GET, or by POST with a nonce and what the wallet can do (section 5.10).
    """

    client_id: str
    request_uri: str
    method: RequestUriMethod = "get"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestByValue:
    """A request that the link itself holds.

    Attributes:
        client_id: The verifier, with its prefix.
        request_object: The request object; None where the parameters stand in the link openly.
        parameters: The parameters; a wallet uses none beside a request object (section 5.10.1).
    """

    client_id: str
    request_object: str | None
    parameters: JsonObject = field(repr=False)


def build_link(link: RequestLink, *, scheme: str = LINK_SCHEME) -> str:
    """Return the link that opens a wallet (sections 5.10 and 13.1.2)."""
    parameters = {"client_id": link.client_id, "request_uri": link.request_uri}
    if link.method != "get":
        parameters["request_uri_method"] = link.method
    return f"{scheme}://?{urlencode(parameters)}"


def parse_link(text: str) -> RequestLink | RequestByValue:
    """Return what a link or QR code says.

    Raises:
        RequestError: Not an `openid4vp://` or `haip-vp://` link with one client identifier and one
            request.
    """
    if len(text) > MAX_LINK_CHARS:
        raise RequestError(f"link: longer than {MAX_LINK_CHARS} characters")
    try:
        parts = urlsplit(text)
        pairs = parse_qsl(parts.query, keep_blank_values=True, errors="strict", max_num_fields=32)
    except ValueError:
        raise RequestError("link: not a URI") from None
    if parts.scheme not in (LINK_SCHEME, HAIP_SCHEME):
        raise RequestError(f"link: it begins with {LINK_SCHEME}://")
    values = unique_fields(pairs, RequestError("link: a parameter stands there twice"))
    client_id = parse_identifier(values.get("client_id"), "client_id")
    if "request_uri" in values:
        if "request" in values:
            raise RequestError("link: either request or request_uri may stand there")
        return RequestLink(
            client_id=client_id,
            request_uri=parse_endpoint(values["request_uri"], "request_uri"),
            method=_method(values.get("request_uri_method", "get")),
        )
    if "request_uri_method" in values:
        raise RequestError("request_uri_method: it may not be there without request_uri")
    if "request" in values:
        token = values["request"]
        return RequestByValue(client_id=client_id, request_object=token, parameters={})
    if "response_type" not in values:
        raise RequestError("link: request_uri is expected")
    return RequestByValue(client_id=client_id, request_object=None, parameters=_parameters(values))


def _method(value: str) -> RequestUriMethod:
    match value:
        case "get" | "post":
            return value
        case _:
            raise RequestError(
                "request_uri_method: get or post is expected", code="invalid_request_uri_method"
            )


def _parameters(values: dict[str, str]) -> JsonObject:
    parameters: JsonObject = {**values}
    for name in _JSON_PARAMETERS:
        if name in values:
            try:
                parameters[name] = parse_strict_json(values[name].encode("utf-8"))
            except (CredentialFormatError, UnicodeEncodeError):
                raise RequestError(f"{name}: JSON is expected") from None
    return parameters
