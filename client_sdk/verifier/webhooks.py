"""Webhooks of a gateway, as a verifier's service receives them: signed HTTP messages (RFC 9421).

The gateway signs method, address, content type and the digest of the body (RFC 9530) with Ed25519.
A webhook tells that something happened to a request, never what was shown: the verifier reads that
with its API key. It may come twice; `event` is the same then.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier
from http_message_signatures.algorithms import ED25519
from http_message_signatures.exceptions import HTTPMessageSignaturesException
from http_message_signatures.resolvers import HTTPSignatureKeyResolver

from chaincode.encoding import JsonObject, JsonValue, decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from client_sdk.credentials.jose import parse_public_jwk, thumbprint
from client_sdk.errors import CredentialFormatError, KeyFormatError, WebhookError
from client_sdk.http.signed_message import SignedMessage
from client_sdk.strict_json import JsonFields, parse_strict_json_object

TAG: Final = "tegata-webhook"
MAX_AGE: Final = dt.timedelta(minutes=5)
_COMPONENTS: Final = ("@method", "@target-uri", "content-type", "content-digest")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """What a webhook tells.

    Attributes:
        event: The event's number at the gateway; whoever has seen it passes it over.
        name: `fetched`, `answered`, `verified` or `declined`.
        request_id: The request.
        status: The request's status.
        at: When, RFC 3339.
    """

    event: int
    name: str
    request_id: str
    status: str
    at: str


class _Keys(HTTPSignatureKeyResolver):
    def __init__(
        self,
        public: Mapping[str, Ed25519PublicKey],
        private: Mapping[str, Ed25519PrivateKey],
    ) -> None:
        self._public, self._private = public, private

    def resolve_public_key(self, key_id: str) -> Ed25519PublicKey:
        return self._public[key_id]

    def resolve_private_key(self, key_id: str) -> Ed25519PrivateKey:
        return self._private[key_id]


class WebhookSigner:
    """Signs the webhooks of one gateway."""

    def __init__(self, seed: bytes) -> None:
        """Take over a key.

        Args:
            seed: The 32 secret bytes of a key on Ed25519 that signs nothing else.
        """
        key = Ed25519PrivateKey.from_private_bytes(seed)
        public = key.public_key().public_bytes_raw()
        self._jwk: JsonObject = {"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(public)}
        self._key_id = thumbprint(parse_public_jwk(self._jwk))
        self._signer = HTTPMessageSigner(
            signature_algorithm=ED25519, key_resolver=_Keys({}, {self._key_id: key})
        )

    def key_set(self) -> JsonObject:
        """Return the public key as a JWK set (RFC 7517), for verifiers."""
        return {"keys": [{**self._jwk, "kid": self._key_id, "alg": "EdDSA", "use": "sig"}]}

    def sign(self, message: SignedMessage) -> None:
        """Add the headers `Content-Digest`, `Signature-Input` and `Signature`."""
        self._signer.sign(
            message,
            key_id=self._key_id,
            tag=TAG,
            covered_component_ids=_COMPONENTS[:-1],
            body=message.body,
        )


def verify_webhook(message: SignedMessage, key_set: JsonObject) -> WebhookEvent:
    """Return what a webhook tells, verified.

    Args:
        message: The request as it came in; the address as the verifier registered it.
        key_set: The gateway's JWK set, from `/webhook-keys`.

    Raises:
        WebhookError: It is not signed by the gateway, was changed, or is older than five minutes.
    """
    keys = {
        key_id: key
        for entry in JsonFields(key_set, what="the key set", error=WebhookError).items("keys")
        for key_id, key in _public_key(entry)
    }
    verifier = HTTPMessageVerifier(signature_algorithm=ED25519, key_resolver=_Keys(keys, {}))
    try:
        verifier.verify(
            message,
            max_age=MAX_AGE,
            expect_tag=TAG,
            require_components=_COMPONENTS,
            body=message.body,
        )
        fields = parse_strict_json_object(message.body)
    except (HTTPMessageSignaturesException, CredentialFormatError, KeyError, ValueError) as error:
        raise WebhookError(f"the webhook is not the gateway's: {type(error).__name__}") from None
    told = JsonFields(fields, what="the webhook", error=WebhookError)
    return WebhookEvent(
        event=told.whole("event"),
        name=told.text("name"),
        request_id=told.text("request"),
        status=told.text("status"),
        at=told.text("at"),
    )


def _public_key(entry: JsonValue) -> list[tuple[str, Ed25519PublicKey]]:
    """Return a key by its id; nothing for one of another kind."""
    try:
        key = parse_public_jwk(
            {name: value for name, value in entry.items() if name in ("kty", "crv", "x")}
            if isinstance(entry, dict)
            else entry
        )
        raw = decode_base64url(str(entry["x"])) if isinstance(entry, dict) else b""
        return [(thumbprint(key), Ed25519PublicKey.from_public_bytes(raw))]
    except (KeyFormatError, DecodeError, ValueError):
        return []
