"""DID documents (DID Core 1.0 section 5): which keys a subject signs with, and for what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Self, TypeAlias, get_args

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.jose import Key, export_public_jwk, parse_public_jwk
from client_sdk.credentials.multikey import decode_multikey
from client_sdk.errors import DidError, KeyFormatError

Relationship: TypeAlias = Literal["assertionMethod", "authentication"]
"""What a key may be used for (section 5.3): to issue credentials, or to prove who presents."""

RELATIONSHIPS: Final[tuple[Relationship, ...]] = get_args(Relationship)
MAX_DID_CHARS: Final = 2048
CONTEXT: Final = ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/jwk/v1"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DidDocument:
    """A DID, and its keys by the purpose that they serve.

    Attributes:
        did: The subject.
        keys: The key of each verification method, by its whole DID URL.
        relationships: The DID URLs that serve each purpose.
        is_deactivated: Whether its subject has ended it; it has no keys then.
    """

    did: str
    keys: Mapping[str, Key]
    relationships: Mapping[Relationship, frozenset[str]]
    is_deactivated: bool = False

    @classmethod
    def for_every_purpose(cls, did: str, keys: Mapping[str, Key]) -> Self:
        """Return a document in which each key serves every purpose."""
        urls = frozenset(keys)
        return cls(did=did, keys=keys, relationships=dict.fromkeys(RELATIONSHIPS, urls))

    def key(self, url: str, relationship: Relationship) -> Key:
        """Return the key of a verification method, for a purpose that it serves.

        Args:
            url: The method's DID URL; `#fragment` alone stands for one of this document.
            relationship: The purpose.

        Raises:
            DidError: There is no such method, or it does not serve this purpose.
        """
        whole = self.did + url if url.startswith("#") else url
        if whole not in self.relationships.get(relationship, frozenset()):
            raise DidError(f"{self.did}: has no key of this name for {relationship}")
        return self.keys[whole]

    def to_json(self) -> JsonObject:
        """Return the document with each key as a `JsonWebKey`."""
        methods: list[JsonValue] = [
            {
                "id": url,
                "type": "JsonWebKey",
                "controller": self.did,
                "publicKeyJwk": export_public_jwk(key),
            }
            for url, key in self.keys.items()
        ]
        document: JsonObject = {
            "@context": [*CONTEXT],
            "id": self.did,
            "verificationMethod": methods,
        }
        for name, urls in self.relationships.items():
            document[name] = [*sorted(urls)]
        return document

    @classmethod
    def from_json(cls, document: JsonObject, *, expected_did: str) -> Self:
        """Return the keys of a document that was fetched.

        Methods of a kind that we do not verify with are passed over.

        Raises:
            DidError: The document is of another DID, or malformed.
        """
        if document.get("id") != expected_did:
            raise DidError(f"{expected_did}: the document there is of another DID")
        keys = _read_methods(document.get("verificationMethod", []), expected_did)
        relationships: dict[Relationship, frozenset[str]] = {}
        for name in RELATIONSHIPS:
            entries = document.get(name, [])
            if not isinstance(entries, list):
                raise DidError(f"{expected_did}: {name} is not a list")
            own = _read_methods(
                [entry for entry in entries if not isinstance(entry, str)], expected_did
            )
            keys |= own
            named = {_absolute(entry, expected_did) for entry in entries if isinstance(entry, str)}
            relationships[name] = frozenset(named & keys.keys() | own.keys())
        return cls(did=expected_did, keys=keys, relationships=relationships)


def _read_methods(methods: JsonValue, did: str) -> dict[str, Key]:
    if not isinstance(methods, list):
        raise DidError(f"{did}: verificationMethod is not a list")
    keys: dict[str, Key] = {}
    for method in methods:
        if not isinstance(method, dict) or not isinstance(method.get("id"), str):
            raise DidError(f"{did}: a verification method without an id")
        url = _absolute(str(method["id"]), did)
        if method.get("controller") != did or not url.startswith(did + "#"):
            # Another's key: it would have to be looked up there.
            continue
        key = _read_key(method)
        if key is not None:
            keys[url] = key
    return keys


def _read_key(method: JsonObject) -> Key | None:
    try:
        if "publicKeyJwk" in method:
            return parse_public_jwk(method["publicKeyJwk"])
        multibase = method.get("publicKeyMultibase")
        return decode_multikey(multibase) if isinstance(multibase, str) else None
    except KeyFormatError:
        return None


def _absolute(url: str, did: str) -> str:
    return did + url if url.startswith("#") else url
