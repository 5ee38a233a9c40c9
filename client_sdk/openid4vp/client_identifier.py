"""Who sends a request: client identifiers and their prefixes (OpenID4VP 1.0 section 5.9).

A prefix says how the sender proves to be the one named: by an X.509 certificate (`x509_hash`,
`x509_san_dns`), by a key of a DID (`decentralized_identifier`), or not at all (`redirect_uri`).
"""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from joserfc.jwk import ECKey

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import Key
from client_sdk.did.resolution import DidResolver
from client_sdk.errors import DidError, RequestError
from client_sdk.http.endpoint_url import MAX_URI_CHARS, parse_endpoint
from client_sdk.openid4vp.access_certificate import (
    MAX_CHAIN,
    client_id_of,
    dns_names_of,
    find_anchor,
    load_der_certificate,
    organization_of,
    public_key_of,
)
from client_sdk.openid4vp.plain_text import is_plain_text

X509_HASH: Final = "x509_hash"
X509_SAN_DNS: Final = "x509_san_dns"
DECENTRALIZED_IDENTIFIER: Final = "decentralized_identifier"
REDIRECT_URI: Final = "redirect_uri"
PREFIXES: Final = (X509_HASH, X509_SAN_DNS, DECENTRALIZED_IDENTIFIER, REDIRECT_URI)

_MAX_SHOWN_CHARS: Final = 80
_GRAMMARS: Final = {
    X509_HASH: re.compile(r"[A-Za-z0-9_-]{43}"),
    X509_SAN_DNS: re.compile(r"(?!-)[a-z0-9-]{1,63}(\.(?!-)[a-z0-9-]{1,63})*", re.IGNORECASE),
    DECENTRALIZED_IDENTIFIER: re.compile(r"did:[a-z0-9]+:[A-Za-z0-9._:%-]+"),
    REDIRECT_URI: re.compile(r"[!-~]+"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientIdentifier:
    """A client identifier in its two parts.

    Attributes:
        prefix: One of `PREFIXES`.
        value: The original client identifier, without the prefix.
    """

    prefix: str
    value: str

    @property
    def is_signed(self) -> bool:
        """Whether requests of this kind are signed; those of `redirect_uri` cannot be."""
        return self.prefix != REDIRECT_URI

    def __str__(self) -> str:
        return f"{self.prefix}:{self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAuthor:
    """Who a request says that it is from, and how that is proved.

    Attributes:
        client_id: The client identifier.
        name: Who it is, as a holder sees it.
        key: What the request must be signed with; None where it cannot be signed.
        is_anchored: Whether a trusted authority certified the name.
        chain: The certificates that came along, the leaf first; empty for other kinds.
    """

    client_id: ClientIdentifier
    name: str
    key: Key | None
    is_anchored: bool = False
    chain: tuple[x509.Certificate, ...] = ()


def parse_client_id(text: str) -> ClientIdentifier:
    """Return a client identifier in its parts (section 5.9.1).

    Raises:
        RequestError: It has no prefix, one that is not supported, or one that it does not fit.
    """
    prefix, colon, value = text.partition(":")
    if not colon:
        raise RequestError("client_id: it has no prefix, and no verifier is known here without")
    if prefix == "did":
        raise RequestError(f"client_id: a DID is written {DECENTRALIZED_IDENTIFIER}:did:...")
    if prefix == "origin":
        raise RequestError("client_id: the prefix origin is reserved and never accepted")
    if prefix not in PREFIXES:
        raise RequestError(f"client_id: only the prefixes {', '.join(PREFIXES)} are supported")
    if len(text) > MAX_URI_CHARS or not _GRAMMARS[prefix].fullmatch(value):
        raise RequestError(f"client_id: not an identifier of the kind {prefix}")
    if prefix == REDIRECT_URI:
        parse_endpoint(value, "client_id")
    return ClientIdentifier(prefix=prefix, value=value)


def same_verifier(text: str) -> str:
    """Return the one text for all client identifiers that name the same verifier as this one.

    Host names are the same in any case; everything else is told apart by case. What is no client
    identifier stands for itself.
    """
    prefix, _, value = text.partition(":")
    match prefix:
        case "x509_san_dns":
            return f"{prefix}:{value.lower()}"
        case "redirect_uri":
            scheme, mark, rest = value.partition("://")
            host, slash, path = rest.partition("/")
            return f"{prefix}:{scheme.lower()}{mark}{host.lower()}{slash}{path}"
        case "decentralized_identifier" if value.startswith("did:web:"):
            host, colon, path = value.removeprefix("did:web:").partition(":")
            return f"{prefix}:did:web:{host.lower()}{colon}{path}"
        case _:
            return text


def find_author(
    client_id: ClientIdentifier,
    header: JsonObject,
    *,
    trust_anchors: tuple[x509.Certificate, ...],
    resolver: DidResolver | None,
    now_s: int,
) -> RequestAuthor:
    """Return who a request is from, by the header of its request object (section 5.9.3).

    Args:
        client_id: The client identifier.
        header: The request object's header, not verified yet.
        trust_anchors: The authorities that certify verifiers.
        resolver: Finds the keys of DIDs; without it none is accepted.
        now_s: Seconds since 1970-01-01 UTC.

    Raises:
        RequestError: The header does not fit the client identifier; the text says how.
        KeyFormatError: A certificate cannot be used.
        TransportError: The place that holds a DID's document cannot be reached.
    """
    match client_id.prefix:
        case "x509_hash" | "x509_san_dns":
            return _author_by_certificate(client_id, header, trust_anchors, now_s)
        case "decentralized_identifier":
            return _author_by_did(client_id, header, resolver)
        case _:
            return RequestAuthor(client_id=client_id, name=name_of(client_id), key=None)


def check_response_uri(client_id: ClientIdentifier, response_uri: str) -> None:
    """Check that a response goes to where the client identifier allows (section 5.9.3).

    Raises:
        RequestError: It goes elsewhere.
    """
    if client_id.prefix == REDIRECT_URI and response_uri != client_id.value:
        raise RequestError("response_uri: not the address in the client identifier")
    if client_id.prefix == X509_SAN_DNS:
        host = urlsplit(response_uri).hostname or ""
        if host.lower() != client_id.value.lower():
            raise RequestError("response_uri: on another host than the client identifier names")


def name_of(client_id: ClientIdentifier) -> str:
    """Return what a holder is shown of a sender whom no certificate names."""
    if client_id.prefix == REDIRECT_URI:
        return (urlsplit(client_id.value).hostname or client_id.value)[:_MAX_SHOWN_CHARS]
    text = client_id.value
    return text if len(text) <= _MAX_SHOWN_CHARS else f"{text[: _MAX_SHOWN_CHARS - 3]}..."


def _author_by_certificate(
    client_id: ClientIdentifier,
    header: JsonObject,
    trust_anchors: tuple[x509.Certificate, ...],
    now_s: int,
) -> RequestAuthor:
    chain = _parse_chain(header.get("x5c"))
    leaf = chain[0]
    if client_id.prefix == X509_HASH and client_id_of(leaf) != str(client_id):
        raise RequestError("client_id: not the hash of the certificate in x5c")
    if client_id.prefix == X509_SAN_DNS and client_id.value.lower() not in dns_names_of(leaf):
        raise RequestError("client_id: not a DNS name of the certificate in x5c")
    now = datetime.fromtimestamp(now_s, tz=UTC)
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        raise RequestError("x5c: the verifier's certificate is not valid at this time")
    anchor = find_anchor(chain, trust_anchors=trust_anchors, now_s=now_s)
    return RequestAuthor(
        client_id=client_id,
        name=organization_of(leaf),
        key=ECKey.import_key(public_key_of(leaf)),
        is_anchored=anchor is not None,
        chain=chain,
    )


def _author_by_did(
    client_id: ClientIdentifier, header: JsonObject, resolver: DidResolver | None
) -> RequestAuthor:
    if resolver is None:
        raise RequestError("client_id: decentralized identifiers are not resolved here")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid.startswith(f"{client_id.value}#"):
        raise RequestError("kid: a verification method of the client identifier's DID is expected")
    try:
        keys = resolver.resolve(client_id.value).keys
    except DidError as error:
        raise RequestError(f"client_id: {error}") from None
    if kid not in keys:
        raise RequestError("kid: the DID document has no such verification method")
    name = name_of(client_id)
    if not is_plain_text(name):
        raise RequestError("client_id: its name cannot be shown")
    return RequestAuthor(client_id=client_id, name=name, key=keys[kid])


def _parse_chain(value: object) -> tuple[x509.Certificate, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CHAIN:
        raise RequestError(f"x5c: 1 to {MAX_CHAIN} certificates are expected in the header")
    try:
        return tuple(
            load_der_certificate(
                base64.b64decode(item if isinstance(item, str) else "", validate=True)
            )
            for item in value
        )
    except (binascii.Error, ValueError):
        raise RequestError("x5c: certificates are written in base64 (RFC 7515)") from None
