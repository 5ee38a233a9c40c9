"""Requests between services that share a secret: signed with it (RFC 9421), and it is never sent.

The signature is HMAC-SHA-256 over method, path, content type and the body's digest (RFC 9530), with
the time. What only reads along learns nothing that it could use for another request.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from typing import Final

from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier
from http_message_signatures.algorithms import HMAC_SHA256
from http_message_signatures.exceptions import HTTPMessageSignaturesException
from http_message_signatures.resolvers import HTTPSignatureKeyResolver

from client_sdk.errors import RequestProofError
from client_sdk.http.signed_message import SignedMessage

SIGNATURE_HEADERS: Final = ("Content-Digest", "Signature", "Signature-Input")
MAX_AGE: Final = dt.timedelta(minutes=1)
_TAG: Final = "tegata-service"
_COMPONENTS: Final = ("@method", "@path", "content-type", "content-digest")


class _Secrets(HTTPSignatureKeyResolver):
    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        self._secrets = secrets

    def resolve_public_key(self, key_id: str) -> bytes:
        return self._secrets[key_id]

    resolve_private_key = resolve_public_key


class RequestSigner:
    """Signs the requests of one caller to one service."""

    def __init__(
        self,
        caller: str,
        token: str,
        *,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        """Take over the secret.

        Args:
            caller: The name that the service knows the caller by.
            token: What the service's operator gave the caller: at least 128 random bits. The
                service needs its SHA-256 alone.
            now: The clock.
        """
        self._caller = caller
        self._now = now
        secret = hashlib.sha256(token.encode()).digest()
        self._signer = HTTPMessageSigner(
            signature_algorithm=HMAC_SHA256, key_resolver=_Secrets({caller: secret})
        )

    def headers(self, method: str, url: str, body: bytes) -> dict[str, str]:
        """Return the headers that sign a request with a body of JSON."""
        message = SignedMessage(method, url, {"Content-Type": "application/json"}, body)
        self._signer.sign(
            message,
            key_id=self._caller,
            created=self._now(),
            tag=_TAG,
            covered_component_ids=_COMPONENTS[:-1],
            body=body,
        )
        return {name: message.headers[name] for name in SIGNATURE_HEADERS}


def verify_request_signature(message: SignedMessage, secrets: Mapping[str, bytes]) -> str:
    """Return the name of the caller that signed a request.

    Args:
        message: The request as it came in.
        secrets: The SHA-256 of each caller's token, by the caller's name.

    Raises:
        RequestProofError: No caller signed it, it was changed, or it is older than a minute.
    """
    verifier = HTTPMessageVerifier(signature_algorithm=HMAC_SHA256, key_resolver=_Secrets(secrets))
    try:
        (verified,) = verifier.verify(
            message,
            max_age=MAX_AGE,
            expect_tag=_TAG,
            require_components=_COMPONENTS,
            body=message.body,
        )
        return str(verified.parameters["keyid"])
    except (HTTPMessageSignaturesException, KeyError, ValueError) as error:
        raise RequestProofError(f"no caller's signature ({type(error).__name__})") from None
