"""What a face is compared with: a portrait, committed to as SD-JWT commits to a claim.

The commitment is the digest of a disclosure of the claim `portrait` (RFC 9901 section 4.2.3). So a
credential's own `_sd` holds it, under the issuer's signature: a verifier recognises the portrait
that was registered, and never sees it.
"""

from dataclasses import dataclass, field
from secrets import token_bytes
from typing import Final, Self

from chaincode.encoding import JsonValue, encode_base64url
from client_sdk.credentials.jose import parse_compact
from client_sdk.credentials.resident import decode_portrait, encode_portrait
from client_sdk.credentials.sd_jwt import (
    DEFAULT_HASH,
    digest_of,
    hash_algorithm_of,
    parse_disclosure,
    parse_sd_jwt,
)
from client_sdk.credentials.selective_disclosure import Path
from client_sdk.errors import CredentialFormatError, DisclosureError
from client_sdk.strict_json import encode_json

PORTRAIT_CLAIM: Final = "portrait"
SALT_BYTES: Final = 16
MAX_OPENING_CHARS: Final = 128 * 1024
_MIN_SALT_CHARS: Final = 22  # 128 bits in base64url


@dataclass(frozen=True, slots=True, kw_only=True)
class PortraitOpening:
    """A portrait with the salt of its commitment: all that a face service needs, and nobody else.

    Attributes:
        disclosure: The disclosure of the claim `portrait`.
        portrait: JPEG or JPEG 2000, at most 64 KiB.
    """

    disclosure: str = field(repr=False)
    portrait: bytes = field(repr=False)

    @property
    def commitment(self) -> str:
        """The SHA-256 of the disclosure, base64url, as `_sd` holds it."""
        return digest_of(self.disclosure)

    @classmethod
    def create(cls, portrait: bytes, *, salt: bytes | None = None) -> Self:
        """Commit to a portrait.

        Args:
            portrait: JPEG or JPEG 2000, at most 64 KiB.
            salt: 16 secret bytes; random ones by default.

        Raises:
            CredentialFormatError: It is no such image.
        """
        encoded_salt = encode_base64url(salt or token_bytes(SALT_BYTES))
        contents: list[JsonValue] = [encoded_salt, PORTRAIT_CLAIM, encode_portrait(portrait)]
        return cls(disclosure=encode_base64url(encode_json(contents)), portrait=portrait)

    @classmethod
    def parse(cls, disclosure: str) -> Self:
        """Return the opening that a disclosure is.

        Raises:
            CredentialFormatError: It is too long, of another claim, salted with fewer than 128
                bits, or holds no JPEG or JPEG 2000.
        """
        if len(disclosure) > MAX_OPENING_CHARS:
            raise CredentialFormatError("portrait: the disclosure is too long")
        try:
            read = parse_disclosure(disclosure)
        except DisclosureError as error:
            raise CredentialFormatError(f"portrait: {error}") from None
        if read.name != PORTRAIT_CLAIM or len(read.salt) < _MIN_SALT_CHARS:
            raise CredentialFormatError("portrait: a salted disclosure of the claim is expected")
        return cls(disclosure=disclosure, portrait=decode_portrait(read.value))

    @classmethod
    def of_credential(cls, credential: str) -> Self:
        """Return the opening that a held SD-JWT has of its portrait.

        Raises:
            CredentialFormatError: It is no SD-JWT with a portrait, or its digests are no SHA-256.
        """
        held = parse_sd_jwt(credential)
        if hash_algorithm_of(parse_compact(held.issuer_jwt).unverified_payload) != DEFAULT_HASH:
            raise CredentialFormatError("portrait: digests of SHA-256 are expected")
        for disclosure in held.disclosures:
            if disclosure.name == PORTRAIT_CLAIM:
                return cls.parse(disclosure.encoded)
        raise CredentialFormatError("portrait: the credential holds none")


def portrait_commitments(presentation: str, place: Path = ()) -> frozenset[str]:
    """Return the digests in a verified SD-JWT of which one may be the portrait's.

    A face service attests a digest only where its disclosure is of the claim `portrait`; where the
    issuer signed that digest into its credential, the portrait is the issuer's.

    Args:
        presentation: The SD-JWT.
        place: Where the holder's attributes are in its claims.

    Raises:
        CredentialFormatError: It is no SD-JWT.
    """
    payload = parse_compact(presentation.partition("~")[0]).unverified_payload
    level: JsonValue = payload
    for step in place:
        level = level.get(str(step)) if isinstance(level, dict) else None
    digests = level.get("_sd") if isinstance(level, dict) else None
    if hash_algorithm_of(payload) != DEFAULT_HASH or not isinstance(digests, list):
        return frozenset()
    return frozenset(digest for digest in digests if isinstance(digest, str))
