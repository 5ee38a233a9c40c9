"""What every credential format does, so that nobody else need tell them apart."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, fields
from typing import Final, Protocol, TypeAlias

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.jose import Key
from client_sdk.credentials.sd_jwt_vc import CredentialSigner
from client_sdk.credentials.selective_disclosure import Path, PathPattern
from client_sdk.credentials.w3c_vc import CREDENTIAL_TYPE

GENERAL_TYPES: Final = frozenset(
    {CREDENTIAL_TYPE, f"https://www.w3.org/2018/credentials#{CREDENTIAL_TYPE}"}
)
"""What every W3C credential is, as it is written and as its context expands it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialTerms:
    """What an issuer says, before a format gives it its form.

    Attributes:
        credential_type: Its `vct`, or its type beside `VerifiableCredential`; an IRI.
        attributes: What is said of the holder.
        concealed: The attributes that the holder may keep back, where the format can.
        more: Claims about the credential itself: its place on the ledger, its status.
        issuer_url: Where the issuer's service is.
        issuer_did: The issuer's DID.
        key_id: The thumbprint of the issuer's key, which is also its name in the DID document.
        holder_key: The holder's public JWK, from a checked proof of possession.
        issued_at: Seconds since 1970-01-01 UTC.
        expires_at: Seconds since 1970-01-01 UTC.
        certificates: That of the issuer's key and those that vouch for it, in base64 (`x5c`), where
            the format carries any; none for none.
    """

    credential_type: str
    attributes: JsonObject = field(repr=False)
    concealed: Collection[Path]
    more: JsonObject = field(repr=False)
    issuer_url: str
    issuer_did: str
    key_id: str
    holder_key: JsonObject
    issued_at: int
    expires_at: int
    certificates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCredential:
    """What a credential or presentation says.

    Attributes:
        format: The identifier of its format.
        credential_type: Its `vct`, or its first type beside `VerifiableCredential`.
        types: Its `vct` with the others that it is known as, or the IRIs of its types.
        claims: All claims that are shown, from the root.
        disclosed_paths: Those of them that can be kept back, parents first.
        header: The header of the issuer-signed JWT; empty where there is none.
        key_id: How it names the issuer's key: the thumbprint; empty where it names none.
        issuer: Its issuer's URL or DID; None where it names none.
        holder_key: The public JWK that it is bound to; None for none.
        expires_at: Seconds since 1970-01-01 UTC; None where it does not expire.
        anchored_hash: The 32 bytes that the ledger holds of it.
    """

    format: str
    credential_type: str
    types: frozenset[str]
    claims: JsonObject = field(repr=False)
    disclosed_paths: tuple[Path, ...]
    header: JsonObject
    key_id: str
    issuer: str | None
    holder_key: JsonObject | None
    expires_at: int | None
    anchored_hash: bytes

    @property
    def own_types(self) -> frozenset[str]:
        """The types that its issuer must be registered for, all of them."""
        return self.types - GENERAL_TYPES

    def bound_by(self, binding: JsonObject) -> "VerifiedPresentation":
        """Return it as verified, with what its holder signed."""
        members = {item.name: getattr(self, item.name) for item in fields(self)}
        return VerifiedPresentation(**members, binding=binding)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedPresentation(ReadCredential):
    """A presentation that is known to be of its issuer's credential and by its holder.

    Attributes:
        binding: What the holder signed beside the credential; empty where that was not required.
    """

    binding: JsonObject = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderBinding:
    """What a holder binds a presentation to.

    Attributes:
        audience: The verifier, for OpenID4VP its full `client_id`.
        nonce: The request's.
        issued_at: Seconds since 1970-01-01 UTC.
        extra_claims: More for the holder to sign: see `sd_jwt_key_binding.EXTRA_CLAIMS`.
    """

    audience: str
    nonce: str
    issued_at: int
    extra_claims: JsonObject = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedBinding:
    """What a verifier expects a presentation to be bound to.

    Attributes:
        audience: This verifier, as its request named it.
        nonce: The request's.
        max_age_s: How many seconds the holder's signature may be old.
    """

    audience: str
    nonce: str
    max_age_s: int


FindIssuerKey: TypeAlias = Callable[[ReadCredential], Key]
"""Gives the issuer's key for a credential that nobody has verified yet, or raises a `ClientError`.
Claims that are kept back are not in it, nor those that are disclosed."""


class CredentialFormat(Protocol):
    """One format. Every method raises `CredentialFormatError` for what is not of its form.

    A credential or presentation is a text here, also where it travels as a JSON object.
    """

    @property
    def identifier(self) -> str:
        """The Credential Format Identifier (OpenID4VCI 1.0 Appendix A)."""

    @property
    def attribute_prefix(self) -> Path:
        """Where attributes are in the claims."""

    @property
    def own_claims(self) -> frozenset[str]:
        """The claims that speak of the credential, and not of its holder."""

    def to_wire(self, credential: str) -> str | JsonObject:
        """Return a credential or presentation as it travels: a text, or an object with a proof."""

    def from_wire(self, value: JsonValue) -> str:
        """Return the text of a credential or presentation that came."""

    def issue(self, terms: CredentialTerms, issuer_key: Key | CredentialSigner) -> str:
        """Return a new credential.

        Raises:
            CredentialFormatError: A claim is not acceptable, or it would be too long.
            KeyFormatError: The key does not serve this format.
        """

    def is_bound(self, presentation: str) -> bool:
        """Tell whether a holder signed it; what it is, is not checked."""

    def claimed_binding(self, presentation: str) -> JsonObject:
        """Return what its holder is said to have signed beside it; nothing is verified."""

    def anchored_hash(self, shown: str) -> bytes:
        """Return the 32 bytes that the ledger holds of a credential, or of the one presented."""

    def read(self, credential: str) -> ReadCredential:
        """Return what a credential without holder binding says; nothing of it is verified.

        Raises:
            DisclosureError: A disclosure does not belong to it.
        """

    def disclose(self, credential: str, *, paths: Collection[PathPattern]) -> str:
        """Return a presentation without holder binding, of the claims at `paths` where it can.

        Raises:
            RequestError: There is no claim at a path.
        """

    def present(
        self,
        credential: str,
        *,
        paths: Collection[PathPattern],
        holder_key: Key,
        binding: HolderBinding,
    ) -> str:
        """Return a presentation that its holder signs, of the claims at `paths` where it can.

        Raises:
            RequestError: There is no claim at a path.
            HolderBindingError: The credential is bound to another key or to none.
            KeyFormatError: The key does not serve this format.
        """

    def verify(
        self,
        presentation: str,
        *,
        find_issuer_key: FindIssuerKey,
        expected_types: Sequence[Collection[str]],
        binding: ExpectedBinding | None,
        now_s: int,
        leeway_s: int,
    ) -> VerifiedPresentation:
        """Return a presentation, verified; or a credential, where no binding is expected.

        Args:
            presentation: As it came.
            find_issuer_key: Gives the issuer's key from a trusted source.
            expected_types: The alternatives; it must have all types of one.
            binding: What it must be bound to; None where it may be bound to nothing.
            now_s: Seconds since 1970-01-01 UTC.
            leeway_s: How many seconds the two clocks may differ.

        Raises:
            SignatureError: Not signed under the issuer's key.
            DisclosureError: A disclosure does not belong to it, or was changed.
            RequestMismatchError: A credential of another type.
            ExpiredError: Credential or presentation is not valid now.
            HolderBindingError: It is bound to another holder, verifier or nothing.
            NonceMismatchError: It answers another request.
        """
