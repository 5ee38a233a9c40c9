"""What a verifier signs its requests with, by the kinds of client identifiers."""

from dataclasses import dataclass, field
from typing import Protocol

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import Key
from client_sdk.did.resolution import did_jwk
from client_sdk.errors import KeyFormatError, RequestError
from client_sdk.openid4vp.access_certificate import AccessIdentity
from client_sdk.openid4vp.client_identifier import (
    DECENTRALIZED_IDENTIFIER,
    REDIRECT_URI,
    X509_SAN_DNS,
    ClientIdentifier,
    name_of,
    parse_client_id,
)


class VerifierIdentity(Protocol):
    """Who asks, and how its requests prove it. `AccessIdentity` is the kind `x509_hash`."""

    @property
    def client_id(self) -> str:
        """The client identifier, with its prefix."""

    @property
    def name(self) -> str:
        """Who it is, as a holder sees it."""

    @property
    def signing_key(self) -> Key | None:
        """What requests are signed with; None where they cannot be signed."""

    def request_header(self) -> JsonObject:
        """Return what a request object's header says beside `typ` and `alg`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsIdentity:
    """A verifier that is known by a DNS name in its certificate (`x509_san_dns`).

    Attributes:
        access: The certificate and its key.
        host: One of its DNS names; responses go there.
    """

    access: AccessIdentity
    host: str

    @property
    def client_id(self) -> str:
        """The client identifier."""
        return f"{X509_SAN_DNS}:{self.host}"

    @property
    def name(self) -> str:
        """The organization in the certificate."""
        return self.access.name

    @property
    def signing_key(self) -> Key:
        """The key of the certificate."""
        return self.access.signing_key

    def request_header(self) -> JsonObject:
        """Return the certificates."""
        return self.access.request_header()


@dataclass(frozen=True, slots=True, kw_only=True)
class DidIdentity:
    """A verifier that is known by a DID (`decentralized_identifier`).

    Attributes:
        did: The DID.
        key_id: The verification method that signs, as a whole DID URL.
    """

    did: str
    key_id: str
    _key: Key = field(repr=False)

    @classmethod
    def by_did_jwk(cls, key: Key) -> "DidIdentity":
        """Return the identity that a key is by itself."""
        did = did_jwk(key)
        return cls(did=did, key_id=f"{did}#0", _key=key)

    @classmethod
    def by_key_of_did(cls, key_id: str, key: Key) -> "DidIdentity":
        """Return the identity of a DID whose document stands elsewhere.

        Args:
            key_id: The verification method, as a whole DID URL.
            key: Its private key.

        Raises:
            KeyFormatError: Not a DID URL with a fragment.
        """
        did, hash_sign, _ = key_id.partition("#")
        try:
            parse_client_id(f"{DECENTRALIZED_IDENTIFIER}:{did}")
        except RequestError as error:
            raise KeyFormatError(str(error)) from None
        if not hash_sign:
            raise KeyFormatError("did: a DID URL with the name of a key (#...) is expected")
        return cls(did=did, key_id=key_id, _key=key)

    @property
    def client_id(self) -> str:
        """The client identifier."""
        return f"{DECENTRALIZED_IDENTIFIER}:{self.did}"

    @property
    def name(self) -> str:
        """The DID, shortened."""
        return name_of(ClientIdentifier(prefix=DECENTRALIZED_IDENTIFIER, value=self.did))

    @property
    def signing_key(self) -> Key:
        """The key."""
        return self._key

    def request_header(self) -> JsonObject:
        """Return the name of the key."""
        return {"kid": self.key_id}


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectUriIdentity:
    """A verifier that proves nothing (`redirect_uri`): its requests are not signed.

    Attributes:
        response_uri: Where the response to the request goes.
    """

    response_uri: str

    @property
    def client_id(self) -> str:
        """The client identifier."""
        return f"{REDIRECT_URI}:{self.response_uri}"

    @property
    def name(self) -> str:
        """The host that responses go to."""
        return name_of(ClientIdentifier(prefix=REDIRECT_URI, value=self.response_uri))

    @property
    def signing_key(self) -> None:
        """There is none."""
        return

    def request_header(self) -> JsonObject:
        """Return nothing."""
        return {}
