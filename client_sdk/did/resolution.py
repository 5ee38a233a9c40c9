"""Resolving `did:key`, `did:jwk` and `did:web` to the keys behind them (DID Core 1.0 section 7)."""

import re
from typing import Final, Protocol
from urllib.parse import unquote

from chaincode.encoding import JsonObject, decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from client_sdk.credentials.jose import Key, export_public_jwk, parse_public_jwk
from client_sdk.credentials.multikey import decode_multikey, encode_multikey
from client_sdk.did.document import MAX_DID_CHARS, DidDocument, Relationship
from client_sdk.errors import (
    CredentialFormatError,
    DidError,
    DidMethodError,
    KeyFormatError,
    RequestError,
)
from client_sdk.http.client import HttpAnswer
from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.strict_json import encode_json, parse_strict_json

_DID: Final = re.compile(r"did:([a-z0-9]+):([A-Za-z0-9._:%-]*[A-Za-z0-9._%-])")
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_FOLDER: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._~-]+")
_HTTP_OK: Final = 200


class DidMethod(Protocol):
    """One way to find the document of a DID."""

    def resolve(self, did: str, identifier: str) -> DidDocument:
        """Return the document of a DID.

        Args:
            did: The whole DID.
            identifier: What follows `did:<method>:`.

        Raises:
            DidError: There is none, or it cannot be used.
            TransportError: The place that holds it cannot be reached.
        """


class Fetcher(Protocol):
    """What `did:web` needs of a `client_sdk.http.client.HttpClient`."""

    def get(self, url: str, *, accept: str = "application/json") -> HttpAnswer:
        """Fetch a resource."""


class DidResolver:
    """Finds the keys behind DIDs of the methods that it was given."""

    def __init__(self, methods: dict[str, DidMethod]) -> None:
        """Take the methods, by name, such as `{"key": DidKey()}`."""
        self._methods = methods

    def resolve(self, did: str) -> DidDocument:
        """Return the document of a DID.

        Raises:
            DidError: Not a DID, of a method that is not known here, or without a usable document.
            TransportError: The place that holds it cannot be reached.
        """
        match = _DID.fullmatch(did) if len(did) <= MAX_DID_CHARS else None
        if match is None:
            raise DidError("not a decentralized identifier (did:method:...)")
        name, identifier = match.groups()
        if name not in self._methods:
            known = ", ".join(f"did:{method}" for method in sorted(self._methods))
            raise DidMethodError(f"did:{name} is not resolved here; known are {known}")
        return self._methods[name].resolve(did, identifier)

    def key(self, url: str, relationship: Relationship) -> Key:
        """Return the key that a DID URL with a fragment names, for a purpose that it serves.

        Raises:
            DidError: As `resolve`, or there is no such key.
            TransportError: The place that holds the document cannot be reached.
        """
        did, hash_sign, _ = url.partition("#")
        if not hash_sign:
            raise DidError("a DID URL with the name of a key (#...) is expected")
        return self.resolve(did).key(url, relationship)


class DidKey:
    """`did:key`: the identifier is a Multikey (did:key method, v0.9)."""

    def resolve(self, did: str, identifier: str) -> DidDocument:
        """Return the document that the DID itself spells out."""
        try:
            key = decode_multikey(identifier)
        except KeyFormatError as error:
            raise DidError(f"did:key: {error}") from None
        return DidDocument.for_every_purpose(did, {f"{did}#{identifier}": key})


class DidJwk:
    """`did:jwk`: the identifier is a public JWK in base64url (did:jwk method)."""

    def resolve(self, did: str, identifier: str) -> DidDocument:
        """Return the document that the DID itself spells out."""
        try:
            jwk = parse_strict_json(decode_base64url(identifier))
            key = parse_public_jwk(jwk)
        except (DecodeError, CredentialFormatError, KeyFormatError) as error:
            raise DidError(f"did:jwk: {error}") from None
        return DidDocument.for_every_purpose(did, {f"{did}#0": key})


class DidWeb:
    """`did:web`: the document stands on the web server that the DID names (did:web method)."""

    def __init__(self, http: Fetcher) -> None:
        """Take the client that fetches documents."""
        self._http = http

    def resolve(self, did: str, identifier: str) -> DidDocument:
        """Return the document, fetched anew."""
        host, *path = (unquote(part) for part in identifier.split(":"))
        # No more than names: a query, say, would let a DID ask anything of any server.
        if not _HOST.fullmatch(host) or not all(map(_FOLDER.fullmatch, path)):
            raise DidError("did:web: a host and names of folders are expected")
        folder = "/".join(path) or ".well-known"
        try:
            url = parse_endpoint(f"{_scheme(host)}://{host}/{folder}/did.json", "did:web")
        except RequestError as error:
            raise DidError(str(error)) from None
        answer = self._http.get(url, accept="application/did+json, application/json")
        if answer.status != _HTTP_OK:
            raise DidError(f"{did}: its server answers {answer.status} instead of the document")
        return DidDocument.from_json(answer.json(), expected_did=did)


def did_key(key: Key) -> str:
    """Return the `did:key` of a public key."""
    return f"did:key:{encode_multikey(key)}"


def did_jwk(key: Key) -> str:
    """Return the `did:jwk` of a public key."""
    jwk: JsonObject = export_public_jwk(key)
    return f"did:jwk:{encode_base64url(encode_json(jwk))}"


def _scheme(host: str) -> str:
    """Return `http` for this machine, where nothing crosses a network and no certificate is had."""
    return "http" if host.partition(":")[0] in ("localhost", "127.0.0.1") else "https"
