"""Who, besides the ledger's registry, must vouch for the key that a credential is signed with.

The registry decides: no key counts that it does not list for the issuer's account. Where a verifier
also trusts certificate authorities or issuers' DIDs, what they say of the key must agree.
"""

from collections.abc import Collection, Sequence

from cryptography import x509

from client_sdk.credentials.jose import thumbprint
from client_sdk.did.resolution import DidResolver
from client_sdk.errors import IssuerNotTrustedError, SignatureError, TransportError
from client_sdk.formats import ReadCredential
from client_sdk.http.client import HttpClient
from client_sdk.openid4vci.certificate_chain import claimed_x5c_key
from client_sdk.openid4vci.issuer_keys import IssuerKeys


class IssuerTrust:
    """The authorities and DIDs that a verifier takes an issuer's key from. Safe to share."""

    def __init__(
        self,
        http: HttpClient | None = None,
        *,
        anchors: Sequence[x509.Certificate] = (),
        dids: Collection[str] = (),
        resolver: DidResolver | None = None,
        certificates_required: bool = False,
    ) -> None:
        """Set the policy; by default the registry alone counts.

        Args:
            http: A session; by default a new one.
            anchors: Authorities. Where there are any, a credential's `x5c` must lead to one.
            dids: Issuers' DIDs that are resolved. No other one is: a DID can name any server.
            resolver: Resolves them; None where there are none.
            certificates_required: Whether every credential must have an `x5c` (HAIP 1.0 section
                6.1.1).
        """
        self._anchors = tuple(anchors)
        self._dids = frozenset(dids)
        self._keys = IssuerKeys(
            http or HttpClient(), issuers=self._dids, anchors=self._anchors, resolver=resolver
        )
        self._needs_certificate = certificates_required

    def knows(self, issuer: str | None) -> bool:
        """Tell whether an issuer's DID is one that is resolved here."""
        return issuer in self._dids

    def key_id(self, credential: ReadCredential, *, now_s: int) -> str:
        """Return the thumbprint of the key that a credential says it is signed with.

        Args:
            credential: What it says of itself; nothing of it is verified.
            now_s: Seconds since 1970-01-01 UTC.

        Raises:
            IssuerNotTrustedError: Its certificates or its issuer's document do not vouch for a key,
                or cannot be had.
        """
        has_certificates = "x5c" in credential.header
        if self._needs_certificate and not has_certificates:
            raise IssuerNotTrustedError("the credential has no certificates (x5c)")
        try:
            if has_certificates and not self._anchors:
                return credential.key_id or thumbprint(claimed_x5c_key(credential.header))
            if has_certificates or self.knows(credential.issuer):
                return thumbprint(self._keys.find(credential, now_s=now_s))
        except (SignatureError, TransportError) as error:
            raise IssuerNotTrustedError(f"the issuer's key: {error}") from None
        return credential.key_id
