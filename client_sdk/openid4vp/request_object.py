"""The parameters of a presentation request: claims of a request object (OpenID4VP 1.0, 5).

Both sides use the same rules: what a verifier may sign is what a wallet accepts.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.jose import ALGORITHMS
from client_sdk.errors import RequestError
from client_sdk.http.endpoint_url import parse_endpoint, parse_identifier
from client_sdk.openid4vp.dcql import parse_query
from client_sdk.openid4vp.dcql_query import SD_JWT_VC, DcqlQuery
from client_sdk.openid4vp.response_encryption import ResponseEncryption
from client_sdk.openid4vp.verifier_registration import (
    registrations_from_fields,
    registrations_to_fields,
)
from client_sdk.strict_json import text_list

AUDIENCE: Final = "https://self-issued.me/v2"
DIRECT_POST: Final = "direct_post"
DIRECT_POST_JWT: Final = "direct_post.jwt"
RESPONSE_MODES: Final = (DIRECT_POST, DIRECT_POST_JWT)
SUPPORTED_FORMATS: Final[dict[str, JsonValue]] = {
    SD_JWT_VC: {"sd-jwt_alg_values": [*ALGORITHMS], "kb-jwt_alg_values": [*ALGORITHMS]},
    "vc+sd-jwt": {"sd-jwt_alg_values": [*ALGORITHMS], "kb-jwt_alg_values": [*ALGORITHMS]},
    "jwt_vc_json": {"alg_values": [*ALGORITHMS]},
    "ldp_vc": {
        "proof_type_values": ["DataIntegrityProof"],
        "cryptosuite_values": ["eddsa-jcs-2022"],
    },
}
"""The formats and algorithms that are presented and verified (`vp_formats_supported`)."""
_MAX_TRANSACTIONS: Final = 16
# 22 characters of base64url are 128 bits, the least that section 5.2 recommends.
_NONCE: Final = re.compile(r"[A-Za-z0-9._~-]{22,512}")
STATE: Final = re.compile(r"[A-Za-z0-9._~-]{1,512}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentationRequest:
    """What a verifier asks of a wallet.

    Attributes:
        client_id: The verifier, with the prefix that says how it is known.
        response_uri: Where the response goes.
        nonce: At least 128 random bits, for this request only.
        state: Sent back with the response; None where a verifier uses none.
        query: The credentials and claims.
        transaction_data: What the holder is to authorize: the strings exactly as sent.
        issued_at: Seconds since 1970-01-01 UTC; None where the verifier says nothing.
        expires_at: Seconds since 1970-01-01 UTC; None where the verifier says nothing.
        encryption: How the response is to be encrypted; None where it travels as it is.
        registrations: The verifier's registration certificates, as JWTs.
    """

    client_id: str
    response_uri: str
    nonce: str
    state: str | None
    query: DcqlQuery
    transaction_data: tuple[str, ...]
    issued_at: int | None
    expires_at: int | None
    encryption: ResponseEncryption | None = None
    registrations: tuple[str, ...] = ()

    def to_claims(self) -> JsonObject:
        """Return the claims of the request object."""
        metadata: JsonObject = {"vp_formats_supported": {**SUPPORTED_FORMATS}}
        if self.encryption is not None:
            metadata |= self.encryption.to_metadata()
        payload: JsonObject = {
            "aud": AUDIENCE,
            "client_id": self.client_id,
            "client_metadata": metadata,
            "dcql_query": self.query.to_fields(),
            "nonce": self.nonce,
            "response_mode": DIRECT_POST if self.encryption is None else DIRECT_POST_JWT,
            "response_type": "vp_token",
            "response_uri": self.response_uri,
        }
        for name, seconds in (("exp", self.expires_at), ("iat", self.issued_at)):
            if seconds is not None:
                payload[name] = seconds
        if self.state is not None:
            payload["state"] = self.state
        if self.transaction_data:
            payload["transaction_data"] = list(self.transaction_data)
        if self.registrations:
            payload["verifier_info"] = registrations_to_fields(self.registrations)
        return payload

    @classmethod
    def from_claims(cls, payload: JsonObject) -> Self:
        """Return the request that the claims of a request object stand for (section 5).

        Raises:
            RequestError: A parameter is missing, malformed, or of a kind that is not supported.
        """
        for name, expected in (
            ("response_type", ("vp_token",)),
            ("response_mode", RESPONSE_MODES),
        ):
            if payload.get(name) not in expected:
                raise RequestError(f"{name}: only {' and '.join(expected)} is supported")
        if payload.get("aud", AUDIENCE) != AUDIENCE:
            raise RequestError(f"aud: {AUDIENCE} is expected")
        for name in ("redirect_uri", "request", "request_uri", "scope"):
            if name in payload:
                raise RequestError(f"{name}: it may not stand in such a request")
        _check_formats(payload.get("client_metadata"))
        nonce, state = payload.get("nonce"), payload.get("state")
        if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
            raise RequestError("nonce: 22 to 512 characters that are safe in URLs are expected")
        if state is not None and (not isinstance(state, str) or not STATE.fullmatch(state)):
            raise RequestError("state: 1 to 512 characters that are safe in URLs are expected")
        is_encrypted = payload["response_mode"] == DIRECT_POST_JWT
        metadata = payload.get("client_metadata")
        return cls(
            client_id=parse_identifier(payload.get("client_id"), "client_id"),
            response_uri=parse_endpoint(payload.get("response_uri"), "response_uri"),
            nonce=nonce,
            state=state,
            query=parse_query(payload.get("dcql_query")),
            transaction_data=_transaction_data(payload),
            issued_at=_seconds(payload, "iat"),
            expires_at=_seconds(payload, "exp"),
            encryption=ResponseEncryption.from_metadata(metadata) if is_encrypted else None,
            registrations=registrations_from_fields(payload.get("verifier_info")),
        )


def _check_formats(metadata: JsonValue) -> None:
    formats = metadata.get("vp_formats_supported") if isinstance(metadata, dict) else None
    known = formats.keys() & SUPPORTED_FORMATS.keys() if isinstance(formats, dict) else ()
    if not isinstance(formats, dict) or not any(isinstance(formats[name], dict) for name in known):
        raise RequestError(
            f"client_metadata: vp_formats_supported lists none of {', '.join(SUPPORTED_FORMATS)}",
            code="vp_formats_not_supported",
        )


def _transaction_data(payload: JsonObject) -> tuple[str, ...]:
    if "transaction_data" not in payload:
        return ()
    texts = text_list(payload["transaction_data"])
    if not 1 <= len(texts) <= _MAX_TRANSACTIONS:
        raise RequestError(
            f"transaction_data: a list of 1 to {_MAX_TRANSACTIONS} texts is expected"
        )
    return texts


def _seconds(payload: JsonObject, name: str) -> int | None:
    value = payload.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise RequestError(f"{name}: a whole number of seconds is expected")
    return value
