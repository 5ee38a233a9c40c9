"""The holder's side of SD-JWT VC: a credential received, read, and presented."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    validate_times,
)
from client_sdk.credentials.sd_jwt import SdJwt, hash_algorithm_of
from client_sdk.credentials.sd_jwt_key_binding import sign_key_binding
from client_sdk.credentials.sd_jwt_vc.parsing import (
    CREDENTIAL_TYP,
    parse_unverified,
    reveal_claims,
)
from client_sdk.credentials.sd_jwt_vc_claims import bound_jwk_of, holder_key_of, validate_type
from client_sdk.credentials.selective_disclosure import (
    Path,
    PathPattern,
    Revealed,
    select_disclosures,
)
from client_sdk.errors import CredentialFormatError, HolderBindingError


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCredential:
    """A credential as its holder sees it; nothing of it is verified.

    Attributes:
        sd_jwt: Its parts.
        unverified_header: The issuer-signed JWT's header.
    """

    sd_jwt: SdJwt
    unverified_header: JsonObject
    _unverified_payload: JsonObject = field(repr=False)
    _revealed: Revealed = field(repr=False)

    @property
    def unverified_claims(self) -> JsonObject:
        """All claims, with every disclosure put back."""
        return self._revealed.claims

    @property
    def concealed_paths(self) -> tuple[Path, ...]:
        """The claims that can be kept back, parents first, as they stand in the claims."""
        return self._revealed.paths

    @property
    def holder_key(self) -> JsonObject | None:
        """The public JWK that it is bound to; None for none."""
        return bound_jwk_of(self._unverified_payload)

    def disclose(self, *, paths: Collection[PathPattern]) -> str:
        """Return a presentation without key binding, for a verifier that requires none.

        Args:
            paths: The claims to show; `None` in a path stands for every element of an array.

        Raises:
            RequestError: There is no claim at a path.
        """
        return self._select(paths).encode()

    def present(
        self,
        *,
        paths: Collection[PathPattern],
        holder_key: Key,
        audience: str,
        nonce: str,
        issued_at: int,
        extra_claims: JsonObject | None = None,
    ) -> str:
        """Return a presentation that shows the claims at `paths`, bound to one request.

        Args:
            paths: The claims to show; `None` in a path stands for every element of an array.
            holder_key: The private key that the credential is bound to.
            audience: The verifier, for OpenID4VP its full `client_id`.
            nonce: The request's.
            issued_at: Seconds since 1970-01-01 UTC.
            extra_claims: More for the holder to sign: see `sd_jwt_key_binding.EXTRA_CLAIMS`.

        Raises:
            RequestError: There is no claim at a path.
            HolderBindingError: The credential is bound to another key or to none.
            KeyFormatError: `holder_key` is only a public half.
        """
        if self.holder_key != export_public_jwk(holder_key):
            raise HolderBindingError("the credential is not bound to the wallet's key")
        bound = sign_key_binding(
            self._select(paths),
            hash_algorithm=hash_algorithm_of(self._unverified_payload),
            holder_key=holder_key,
            audience=audience,
            nonce=nonce,
            issued_at=issued_at,
            extra_claims=extra_claims,
        )
        return bound.encode()

    def _select(self, paths: Collection[PathPattern]) -> SdJwt:
        return replace(self.sd_jwt, disclosures=select_disclosures(self._revealed, paths))


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedCredential:
    """A credential known to be signed by its issuer, for this holder to keep.

    Attributes:
        claims: All claims.
        concealed_paths: The claims that can be kept back, parents first.
        holder_key: The public JWK it is bound to; `None` when it is bound to none.
        issuer_jwt: The issuer-signed JWT, whose hash the ledger anchors.
        header: That JWT's header.
    """

    claims: JsonObject = field(repr=False)
    concealed_paths: tuple[Path, ...]
    holder_key: JsonObject | None
    issuer_jwt: str = field(repr=False)
    header: JsonObject


def parse_credential(text: str) -> HeldCredential:
    """Return the parts and claims of a credential in a wallet, without verifying them.

    Raises:
        CredentialFormatError: Not a well-formed SD-JWT VC, or one with a key binding.
        DisclosureError: A disclosure does not belong to it.
    """
    sd_jwt, token = parse_unverified(text)
    _refuse_key_binding(sd_jwt)
    return HeldCredential(
        sd_jwt=sd_jwt,
        unverified_header=token.unverified_header,
        _unverified_payload=token.unverified_payload,
        _revealed=reveal_claims(token, sd_jwt, counts_concealed=False),
    )


def verify_credential(
    text: str, *, issuer_key: Key, expected_vct: str, now_s: int, leeway_s: int
) -> VerifiedCredential:
    """Return a credential that its holder just received, verified (RFC 9901 section 7.2).

    Args:
        text: The credential, with all disclosures.
        issuer_key: The key that the issuer is known to sign with.
        expected_vct: The type that was asked for.
        now_s: Seconds since 1970-01-01 UTC.
        leeway_s: How many seconds the two clocks may differ.

    Raises:
        CredentialFormatError: Not a well-formed SD-JWT VC, or one with a key binding.
        SignatureError: Not signed under `issuer_key`.
        DisclosureError: A disclosure does not belong to it.
        RequestMismatchError: A credential of another type.
        ExpiredError: Not valid now.
        HolderBindingError: It is bound to something that is no key (`cnf`).
        KeyFormatError: `issuer_key` is not of an allowed kind.
    """
    sd_jwt, token = parse_unverified(text)
    _refuse_key_binding(sd_jwt)
    header, _ = token.verify(key=issuer_key, expected_typ=CREDENTIAL_TYP)
    revealed = reveal_claims(token, sd_jwt)
    validate_type(revealed.claims, (expected_vct,))
    validate_times(revealed.claims, now_s=now_s, leeway_s=leeway_s)
    holder_key = holder_key_of(revealed.claims)
    return VerifiedCredential(
        claims=revealed.claims,
        concealed_paths=revealed.paths,
        holder_key=export_public_jwk(holder_key) if holder_key else None,
        issuer_jwt=sd_jwt.issuer_jwt,
        header=header,
    )


def disclose_credential(text: str, *, paths: Collection[PathPattern]) -> str:
    """Return a presentation without key binding, for a verifier that requires none.

    Args:
        text: The credential, with all disclosures.
        paths: The claims to show; `None` in a path stands for every element of an array.

    Raises:
        CredentialFormatError: Not a well-formed SD-JWT VC, or one with a key binding.
        DisclosureError: A disclosure does not belong to it.
        RequestError: There is no claim at a path.
    """
    return parse_credential(text).disclose(paths=paths)


def present_credential(
    text: str,
    *,
    paths: Collection[PathPattern],
    holder_key: Key,
    audience: str,
    nonce: str,
    issued_at: int,
    extra_claims: JsonObject | None = None,
) -> str:
    """Return a presentation that shows the claims at `paths`, bound to one request.

    Args:
        text: The credential, with all disclosures.
        paths: The claims to show; `None` in a path stands for every element of an array.
        holder_key: The private key that the credential is bound to.
        audience: The verifier, for OpenID4VP its full `client_id`.
        nonce: The request's.
        issued_at: Seconds since 1970-01-01 UTC.
        extra_claims: More for the holder to sign: see `sd_jwt_key_binding.EXTRA_CLAIMS`.

    Raises:
        CredentialFormatError: Not a well-formed SD-JWT VC, or one with a key binding.
        DisclosureError: A disclosure does not belong to it.
        RequestError: There is no claim at a path.
        HolderBindingError: The credential is bound to another key or to none.
        KeyFormatError: `holder_key` is only a public half.
    """
    return parse_credential(text).present(
        paths=paths,
        holder_key=holder_key,
        audience=audience,
        nonce=nonce,
        issued_at=issued_at,
        extra_claims=extra_claims,
    )


def _refuse_key_binding(sd_jwt: SdJwt) -> None:
    if sd_jwt.key_binding_jwt is not None:
        raise CredentialFormatError(
            "a credential, not a presentation with a key binding, is needed"
        )
