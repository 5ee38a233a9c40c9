"""A wallet's response to a presentation request (OpenID4VP 1.0 section 8).

Pure: the wallet builds the form that it posts, the verifier reads it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from joserfc.jwk import ECKey

from chaincode.encoding import JsonObject
from client_sdk.errors import CredentialFormatError
from client_sdk.openid4vp.request_object import STATE, PresentationRequest
from client_sdk.openid4vp.response_encryption import decrypt_response, encrypt_response
from client_sdk.strict_json import encode_json, parse_strict_json_object

Presentation: TypeAlias = str | JsonObject
"""A presentation in a `vp_token`: a text, or an object where the format is JSON (`ldp_vc`)."""

_ERROR_CODE: Final = re.compile(r"[a-z_]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentationResponse:
    """What a wallet sent: presentations by the id of the credential query; none is verified."""

    presentations: dict[str, tuple[Presentation, ...]] = field(repr=False)
    state: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorResponse:
    """A wallet's refusal.

    Attributes:
        error: The code, such as `access_denied` where the holder declines (section 8.5).
        state: The request's.
    """

    error: str
    state: str | None


def build_response(
    presentations: Mapping[str, Sequence[Presentation]], *, request: PresentationRequest
) -> dict[str, str]:
    """Return the form that a wallet posts to the response URI (sections 8.1 to 8.3).

    Args:
        presentations: The presentations by the id of the credential query.
        request: The verified request; it says whether the response is encrypted.

    Raises:
        CredentialFormatError: A presentation is not text that can be sent, or too long.
    """
    token: JsonObject = {query_id: [*shown] for query_id, shown in presentations.items()}
    if request.encryption is not None:
        parameters: JsonObject = {"vp_token": token}
        if request.state is not None:
            parameters["state"] = request.state
        return {"response": encrypt_response(parameters, request.encryption)}
    form = {"vp_token": encode_json(token).decode("utf-8")}
    return form if request.state is None else {**form, "state": request.state}


def build_error_response(error: str, *, state: str | None) -> dict[str, str]:
    """Return the form that tells a verifier of a refusal (section 8.5); it holds no attribute.

    Args:
        error: The code: `access_denied` where the holder declines.
        state: The request's.
    """
    return {"error": error} if state is None else {"error": error, "state": state}


def open_response(form: Iterable[tuple[str, str]], *, response_key: ECKey | None) -> JsonObject:
    """Return the parameters that a wallet posted, decrypted where the request asked for that.

    Args:
        form: Names and values in the order of the body.
        response_key: The request's private key; None where it asked for no encryption.

    Raises:
        CredentialFormatError: A field is there twice, the response is not encrypted although the
            request asked for it, or it cannot be decrypted.
    """
    values = unique_fields(form, CredentialFormatError("response: a field stands there twice"))
    if response_key is None or "error" in values:
        return {**values}
    if "vp_token" in values:
        raise CredentialFormatError("response: the request asks for an encrypted one")
    parameters = decrypt_response(values.get("response", ""), response_key)
    if isinstance(parameters.get("vp_token"), str):
        raise CredentialFormatError("response: an encrypted vp_token is an object, not a text")
    return parameters


def read_response(parameters: JsonObject) -> PresentationResponse | ErrorResponse:
    """Return what the parameters of a response say; those that are not known are ignored.

    Raises:
        CredentialFormatError: Neither `vp_token` nor `error` is well formed.
    """
    state = parameters.get("state")
    if state is not None and not (isinstance(state, str) and STATE.fullmatch(state)):
        raise CredentialFormatError("response: state has characters that no request has")
    if "error" in parameters:
        error = parameters["error"]
        is_code = isinstance(error, str) and _ERROR_CODE.fullmatch(error)
        if not is_code or "vp_token" in parameters:
            raise CredentialFormatError("response: error is not an error code that stands alone")
        return ErrorResponse(error=str(error), state=state)
    token = parameters.get("vp_token")
    if isinstance(token, str):
        token = _parse_object(token)
    if not isinstance(token, dict):
        raise CredentialFormatError("response: vp_token is an object, lists by query id")
    presentations: dict[str, tuple[Presentation, ...]] = {}
    for query_id, shown in token.items():
        items = shown if isinstance(shown, list) else []
        found = tuple(item for item in items if isinstance(item, str | dict))
        if not found or len(found) != len(items):
            raise CredentialFormatError("response: vp_token is lists of presentations by query id")
        presentations[query_id] = found
    return PresentationResponse(presentations=presentations, state=state)


def _parse_object(text: str) -> JsonObject:
    try:
        return parse_strict_json_object(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise CredentialFormatError("response: vp_token is not UTF-8") from None


def unique_fields(pairs: Iterable[tuple[str, str]], error: Exception) -> dict[str, str]:
    """Return fields by name; raise `error` where a name stands there twice."""
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in values:
            raise error
        values[name] = value
    return values
