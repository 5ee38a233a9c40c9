"""The signing of credentials: needs the issuer's key and its place on the ledger, and no ledger."""

import time
from collections.abc import Callable, Collection, Sequence

from chaincode.encoding import JsonObject
from client_sdk.credentials.individual_number import has_individual_number
from client_sdk.credentials.jose import Key, thumbprint
from client_sdk.credentials.sd_jwt_vc import CredentialSigner, public_key_of
from client_sdk.credentials.sd_jwt_vc_claims import PLACE_CLAIM
from client_sdk.credentials.selective_disclosure import Path
from client_sdk.did.ledger_did import ledger_did
from client_sdk.errors import CredentialFormatError
from client_sdk.formats import CredentialTerms, find_format
from client_sdk.formats.dc_sd_jwt import DcSdJwt
from client_sdk.issuer.anchor import ListPlace, SignedCredential
from client_sdk.ledger.credential_place import CredentialPlace
from client_sdk.ledger.grants import new_record_id, new_salt


class IssuerSigner:
    """Signs one issuer's credentials. Safe to share between threads."""

    def __init__(
        self,
        ledger_id: str,
        *,
        account: str,
        signing_key: Key | CredentialSigner,
        issuer_url: str,
        certificates: Sequence[str] = (),
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Take the key.

        Args:
            ledger_id: The ledger's id, 64 hex digits.
            account: The issuer's account.
            signing_key: The private key of a JWK in the issuer's record, or whoever has it.
            issuer_url: The `iss` claim: where the issuer's service is.
            certificates: What SD-JWT VCs carry as `x5c` (HAIP 1.0 section 6.1.1), in base64; none
                for nothing.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._ledger_id = ledger_id
        self._account = account
        self._signing_key = signing_key
        self._key_id = thumbprint(public_key_of(signing_key))
        self._issuer_url = issuer_url
        self._certificates = tuple(certificates)
        self._now_ms = now_ms

    @property
    def did(self) -> str:
        """The DID of the issuer's account."""
        return ledger_did(self._ledger_id, self._account)

    def sign(
        self,
        claims: JsonObject,
        *,
        concealed: Collection[Path],
        credential_type: str,
        holder_key: JsonObject,
        expires_at_ms: int,
        holder_account: str | None = None,
        list_place: ListPlace | None = None,
        credential_format: str = DcSdJwt.identifier,
    ) -> SignedCredential:
        """Sign a credential, for `IssuerAnchor` to anchor.

        Args:
            claims: The subject's attributes.
            concealed: Those that the holder may keep back.
            credential_type: The `vct`, one that the issuer is registered for.
            holder_key: The holder's public JWK, from a checked proof of possession.
            expires_at_ms: Milliseconds since 1970, UTC; parts of a second are dropped.
            holder_account: The holder's ledger account, of which `holder_key` is a signatory: the
                caller has asked the ledger.
            list_place: Where its status stands; a member of a batch needs one.
            credential_format: The identifier of its format, one of `formats.FORMATS`.

        Raises:
            CredentialFormatError: A claim is not acceptable, reads as an individual number, or the
                expiry lies in the past.
            KeyFormatError: A key is of no allowed kind.
            FrostError: The issuer's authorities did not sign.
        """
        if PLACE_CLAIM in claims or "status" in claims:
            raise CredentialFormatError(f"{PLACE_CLAIM} and status: these claims are set here")
        now_s, expires_s = self._now_ms() // 1000, expires_at_ms // 1000
        if expires_s <= now_s:
            raise CredentialFormatError("expires_at_ms lies in the past")
        place = CredentialPlace(
            ledger=self._ledger_id,
            issuer=self._account,
            record=new_record_id(),
            account=holder_account,
            status_list=None if list_place is None else list_place.list_id,
            salt=new_salt(),
        )
        more: JsonObject = {PLACE_CLAIM: place.to_claim()}
        if list_place is not None:
            more["status"] = list_place.reference.to_claim()
        secured = find_format(credential_format)
        terms = CredentialTerms(
            credential_type=credential_type,
            attributes=claims,
            concealed=concealed,
            more=more,
            issuer_url=self._issuer_url,
            issuer_did=self.did,
            key_id=self._key_id,
            holder_key=holder_key,
            issued_at=now_s,
            expires_at=expires_s,
            certificates=self._certificates,
        )
        credential = secured.issue(terms, self._signing_key)
        if has_individual_number(claims):
            raise CredentialFormatError("claims: 12 digits that read as an individual number")
        return SignedCredential(
            record_id=place.record,
            salted_hash=secured.anchored_hash(credential),
            expires_at_ms=expires_s * 1000,
            format=credential_format,
            list_place=list_place,
            credential=credential,
        )
