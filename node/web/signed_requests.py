"""Callers known by their signature (RFC 9421), under a secret of which only the hash is kept."""

from collections.abc import Mapping

from flask import request

from client_sdk.errors import RequestProofError
from client_sdk.http.request_signature import verify_request_signature
from client_sdk.http.signed_message import SignedMessage
from node.errors import ApiError


def authenticate_signature(token_hashes: Mapping[str, str], *, needed: str) -> str:
    """Return the name of the caller who signed the current request.

    Args:
        token_hashes: SHA-256 of each caller's token, 64 hex digits, by the caller's name.
        needed: Whose signature is needed, such as `the issuer`.

    Raises:
        ApiError: The signature is missing, too old, or of another request or caller.
    """
    message = SignedMessage(
        request.method, request.base_url, dict(request.headers.items()), request.get_data()
    )
    try:
        return verify_request_signature(
            message, {caller: bytes.fromhex(known) for caller, known in token_hashes.items()}
        )
    except RequestProofError:
        raise ApiError(
            401,
            "signature_needed",
            "The request is not signed by one who may send it",
            f"Requests need the signature of {needed} (RFC 9421), not older than a minute: compare "
            "the token, and the clocks of both machines.",
        ) from None
