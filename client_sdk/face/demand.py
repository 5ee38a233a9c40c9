"""A verifier's demand for a face test, as a request's transaction data carries it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

from chaincode.encoding import JsonObject, JsonValue, encode_base64url, encode_canonical_json
from client_sdk.errors import RequestError
from client_sdk.face.attestation import MAX_RECENT_SECONDS
from client_sdk.face.client import NewTest
from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.strict_json import JsonFields

PRESENTATION_PURPOSE: Final = "tegata-presentation"
MAX_SERVICES: Final = 8
_MAX_NAME_CHARS: Final = 300
_WHAT: Final = "transaction_data.face"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceService:
    """A face service whose word is taken.

    Attributes:
        name: What its attestations name as their issuer.
        url: Where it is reached: the portrait goes there.
    """

    name: str
    url: str


FaceTester: TypeAlias = Callable[[FaceService, NewTest], str]
"""Has the holder's face tested at a service, and returns the attestation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceDemand:
    """That a face test comes with a presentation.

    Attributes:
        services: By which services; the holder chooses one.
        max_age_s: How many seconds the test may be old; None where it must be for this request.
    """

    services: tuple[FaceService, ...]
    max_age_s: int | None = None

    def to_json(self) -> JsonObject:
        """Return the demand as a JSON object."""
        fields: JsonObject = {
            "services": [{"name": one.name, "url": one.url} for one in self.services]
        }
        if self.max_age_s is not None:
            fields["max_age_s"] = self.max_age_s
        return fields

    @classmethod
    def from_json(cls, value: JsonValue) -> Self:
        """Return the demand that a JSON object stands for.

        Raises:
            RequestError: It is none, or names an address that a wallet may not use.
        """
        fields = JsonFields(value, what=_WHAT, error=RequestError)
        services = tuple(
            FaceService(name=one.text("name"), url=parse_endpoint(one.text("url"), _WHAT))
            for one in fields.objects("services")
        )
        max_age_s = fields.optional_whole("max_age_s")
        if not 1 <= len(services) <= MAX_SERVICES:
            raise RequestError(f"{_WHAT}: 1 to {MAX_SERVICES} services are expected")
        if any(not 1 <= len(one.name) <= _MAX_NAME_CHARS for one in services):
            raise RequestError(f"{_WHAT}: a service's name is not acceptable")
        if max_age_s is not None and not 1 <= max_age_s <= MAX_RECENT_SECONDS:
            raise RequestError(f"{_WHAT}: max_age_s of 1 to {MAX_RECENT_SECONDS} is expected")
        return cls(services=services, max_age_s=max_age_s)


def presentation_hash(*, client_id: str, nonce: str, terms: str) -> str:
    """Return the hash of one presentation request, base64url, that a face test is for.

    Args:
        client_id: The verifier's client identifier.
        nonce: The request's.
        terms: The element of its transaction data, exactly as received.
    """
    fields: JsonObject = {
        "purpose": PRESENTATION_PURPOSE,
        "client_id": client_id,
        "nonce": nonce,
        "terms": encode_base64url(hashlib.sha256(terms.encode()).digest()),
    }
    return encode_base64url(hashlib.sha256(encode_canonical_json(fields)).digest())
