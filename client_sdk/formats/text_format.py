"""What formats have in common whose credentials travel as texts, and those that are SD-JWTs."""

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.jose import parse_compact
from client_sdk.credentials.sd_jwt_vc import anchor_hash
from client_sdk.errors import CredentialFormatError


class TextFormat:
    """A format whose credentials and presentations are texts."""

    def to_wire(self, credential: str) -> str | JsonObject:
        """Return the credential."""
        return credential

    def from_wire(self, value: JsonValue) -> str:
        """Return the text.

        Raises:
            CredentialFormatError: It is none.
        """
        if not isinstance(value, str):
            raise CredentialFormatError("a credential or presentation of this format is a text")
        return value


class SdJwtFormat(TextFormat):
    """A format whose presentations are SD-JWTs, or SD-JWTs with a key binding (RFC 9901)."""

    def is_bound(self, presentation: str) -> bool:
        """Tell whether a key-binding JWT is there."""
        return not presentation.endswith("~")

    def claimed_binding(self, presentation: str) -> JsonObject:
        """Return the claims of the key-binding JWT."""
        return parse_compact(presentation.rpartition("~")[2]).unverified_payload

    def anchored_hash(self, shown: str) -> bytes:
        """Return the hash of the issuer-signed JWT."""
        return anchor_hash(shown.partition("~")[0])
