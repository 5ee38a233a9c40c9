"""The text form of an SD-JWT and of an SD-JWT+KB (RFC 9901 section 4).

Pure: it signs nothing, checks no signature and reads no clock.
"""

import hashlib
import string
from dataclasses import dataclass, field
from typing import Final

from chaincode.encoding import JsonObject, JsonValue, decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from client_sdk.errors import CredentialFormatError, DisclosureError
from client_sdk.strict_json import parse_strict_json

DEFAULT_HASH: Final = "sha-256"
MAX_SD_JWT_CHARS: Final = 1 << 20
MAX_DISCLOSURES: Final = 1024

HASHES: Final = {
    "sha-256": hashlib.sha256,
    "sha-384": hashlib.sha384,
    "sha-512": hashlib.sha512,
}
"""The hash algorithms of `_sd_alg` that are accepted, by their IANA names (section 4.1.1)."""

_BASE64URL: Final = f"{string.ascii_letters}{string.digits}-_".encode()


def hash_algorithm_of(payload: JsonObject) -> str:
    """Return the name of the hash that an issuer-signed payload's digests are made with.

    Raises:
        DisclosureError: `_sd_alg` is none of `HASHES`.
    """
    algorithm = payload.get("_sd_alg", DEFAULT_HASH)
    if not isinstance(algorithm, str) or algorithm not in HASHES:
        raise DisclosureError(f"_sd_alg: one of {', '.join(HASHES)} is expected")
    return algorithm


def digest_of(text: str, algorithm: str = DEFAULT_HASH) -> str:
    """Return the base64url hash of ASCII text, as `_sd` and `sd_hash` hold it (section 4.2.3).

    Args:
        text: A disclosure, or the SD-JWT that a key binding covers.
        algorithm: One of `HASHES`.
    """
    return encode_base64url(HASHES[algorithm](text.encode("ascii")).digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """One claim with its salt (section 4.2). Two are equal when their texts are.

    Attributes:
        salt: At least 128 bits from the issuer, as text; secret until disclosed.
        name: The member's name; `None` for an element of an array.
        value: The claim, which may itself hold digests.
        encoded: The text that travels and is hashed.
    """

    salt: str = field(repr=False, compare=False)
    name: str | None = field(compare=False)
    value: JsonValue = field(repr=False, compare=False)
    encoded: str = field(repr=False)

    def digest(self, algorithm: str = DEFAULT_HASH) -> str:
        """Return the digest that stands in place of the claim; `algorithm` is one of `HASHES`."""
        return digest_of(self.encoded, algorithm)


@dataclass(frozen=True, slots=True, kw_only=True)
class SdJwt:
    """The parts of an SD-JWT, or of an SD-JWT+KB (section 4).

    Attributes:
        issuer_jwt: The issuer-signed JWT.
        disclosures: In the order of the text.
        key_binding_jwt: The holder's proof; `None` in a plain SD-JWT.
    """

    issuer_jwt: str = field(repr=False)
    disclosures: tuple[Disclosure, ...] = ()
    key_binding_jwt: str | None = field(default=None, repr=False)

    @property
    def hashed_part(self) -> str:
        """What `sd_hash` covers: everything up to and with the last `~` (section 4.3.1)."""
        return "~".join((self.issuer_jwt, *(item.encoded for item in self.disclosures), ""))

    def encode(self) -> str:
        """Return the compact form."""
        return self.hashed_part + (self.key_binding_jwt or "")


def parse_sd_jwt(text: str) -> SdJwt:
    """Return the parts of an SD-JWT or SD-JWT+KB in compact form.

    Raises:
        CredentialFormatError: Not text, too long, no closing `~`, a part that is not a JWT.
        DisclosureError: A disclosure that is empty, twice there, or not a JSON array of salt, name
            and value (or salt and value) in base64url; more than `MAX_DISCLOSURES`.
    """
    if not isinstance(text, str) or len(text) > MAX_SD_JWT_CHARS:
        raise CredentialFormatError(f"an SD-JWT is text of at most {MAX_SD_JWT_CHARS} characters")
    issuer_jwt, *encoded, key_binding_jwt = text.split("~") if "~" in text else ("", "")
    if not _is_jwt(issuer_jwt):
        raise CredentialFormatError("an SD-JWT begins with a signed JWT and `~`")
    if key_binding_jwt and not _is_jwt(key_binding_jwt):
        raise CredentialFormatError("an SD-JWT ends with `~` or with a key-binding JWT")
    if len(encoded) > MAX_DISCLOSURES:
        raise DisclosureError(f"more than {MAX_DISCLOSURES} disclosures")
    if len(set(encoded)) != len(encoded):
        raise DisclosureError("the same disclosure stands there twice")
    return SdJwt(
        issuer_jwt=issuer_jwt,
        disclosures=tuple([parse_disclosure(item) for item in encoded]),
        key_binding_jwt=key_binding_jwt or None,
    )


def _is_jwt(text: str) -> bool:
    """Tell whether a text is three parts of base64url, none of them empty."""
    return (
        text.isascii()
        and text.encode("ascii").translate(None, _BASE64URL) == b".."
        and ".." not in text
        and text[0] != "."
        and text[-1] != "."
    )


def parse_disclosure(encoded: str) -> Disclosure:
    """Return the disclosure that a text stands for.

    Raises:
        DisclosureError: It is not a JSON array of salt, name (if any) and value in base64url.
    """
    try:
        contents = parse_strict_json(decode_base64url(encoded))
    except (DecodeError, CredentialFormatError) as error:
        raise DisclosureError(f"a disclosure is not base64url of JSON: {error}") from None
    match contents:
        case [str(salt), str(name), value]:
            return Disclosure(salt=salt, name=name, value=value, encoded=encoded)
        case [str(salt), value]:
            return Disclosure(salt=salt, name=None, value=value, encoded=encoded)
        case _:
            raise DisclosureError("a disclosure is an array of salt, name (if any) and value")
