"""The key that an issuer signs with, from where the issuer's kind publishes it.

SD-JWT VC sections 2.5 and 3: certificates in the header (`x5c`), or the issuer's metadata on its
web server; for issuers that are DIDs, their document. Who is trusted is the caller's policy.
"""

from collections.abc import Collection, Sequence
from typing import Final

from cryptography import x509

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.jose import Key
from client_sdk.did.resolution import DidResolver
from client_sdk.errors import DidError, IssuerNotTrustedError, OfferError
from client_sdk.formats import ReadCredential
from client_sdk.http.client import HttpClient
from client_sdk.openid4vci.certificate_chain import verify_x5c
from client_sdk.openid4vci.credential_offer import parse_url
from client_sdk.openid4vci.issuer_metadata import KEY_METADATA, find_published_key, well_known_url

_HTTP_OK: Final = 200


class IssuerKeys:
    """Finds issuers' keys, and trusts no issuer that it was not told of."""

    def __init__(
        self,
        http: HttpClient,
        *,
        issuers: Collection[str] = (),
        anchors: Sequence[x509.Certificate] = (),
        resolver: DidResolver | None = None,
    ) -> None:
        """Set the policy.

        Args:
            http: Fetches issuers' metadata.
            issuers: The URLs and DIDs of issuers that are trusted.
            anchors: The authorities whose word on an issuer is taken (`x5c`).
            resolver: Resolves the DIDs; None where none are trusted.
        """
        self._http = http
        self._issuers = frozenset(issuers)
        self._anchors = tuple(anchors)
        self._resolver = resolver

    def find(self, credential: ReadCredential, *, now_s: int) -> Key:
        """Return the key that a credential, unverified yet, must be signed with.

        Args:
            credential: What it says of itself.
            now_s: Seconds since 1970-01-01 UTC.

        Raises:
            IssuerNotTrustedError: The policy does not permit its issuer, or the key is not there.
            SignatureError: Its certificates do not lead to a trusted authority.
            TransportError: Metadata or document cannot be fetched.
        """
        if "x5c" in credential.header:
            # The issuer is the certificate's subject, whatever the claims say.
            return verify_x5c(credential.header, anchors=self._anchors, now_s=now_s)
        issuer = credential.issuer
        if issuer is None or issuer not in self._issuers:
            raise IssuerNotTrustedError("the credential's issuer is not one that is trusted here")
        try:
            if issuer.startswith("did:"):
                if self._resolver is None:
                    raise IssuerNotTrustedError("no DID is resolved here")
                named, _, fragment = credential.key_id.rpartition("#")
                if named not in ("", issuer):
                    raise IssuerNotTrustedError("the credential names a key of another DID (kid)")
                return self._resolver.key(f"{issuer}#{fragment}", "assertionMethod")
            return self._find_published(issuer, credential.header.get("kid"))
        except (DidError, OfferError) as error:
            raise IssuerNotTrustedError(str(error)) from None

    def _find_published(self, issuer: str, kid: JsonValue) -> Key:
        """Return a key of the issuer's metadata (section 3)."""
        url = well_known_url(parse_url(issuer, "iss"), KEY_METADATA)
        fields = self._fetch(url)
        if ("jwks" in fields) is ("jwks_uri" in fields):
            raise OfferError("issuer keys: exactly one of jwks and jwks_uri is expected")
        if "jwks_uri" in fields:
            fields = {**fields, "jwks": self._fetch(parse_url(fields["jwks_uri"], "jwks_uri"))}
        return find_published_key(fields, expected_issuer=issuer, kid=kid)

    def _fetch(self, url: str) -> JsonObject:
        answer = self._http.get(url)
        if answer.status != _HTTP_OK:
            raise OfferError(f"issuer keys: the server answers {answer.status}")
        return answer.json()
