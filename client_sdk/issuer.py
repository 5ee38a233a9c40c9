"""An issuer: signs credentials, anchors them on the ledger, suspends and revokes them."""

import time
from collections.abc import Callable, Collection
from dataclasses import replace

from chaincode.encoding import JsonObject
from chaincode.errors import DecodeError
from chaincode.ids import RECORD_ID, REGISTRY_ACCOUNT
from chaincode.records import (
    CredentialRecord,
    CredentialState,
    IssuerRecord,
    encode_record,
)
from client_sdk.credentials.individual_number import has_individual_number
from client_sdk.credentials.jose import Key, thumbprint
from client_sdk.credentials.sd_jwt_vc import CredentialSigner, public_key_of
from client_sdk.credentials.sd_jwt_vc_claims import PLACE_CLAIM
from client_sdk.credentials.selective_disclosure import Path
from client_sdk.did.ledger_did import ledger_did
from client_sdk.errors import (
    CredentialFormatError,
    CredentialStateError,
    TransactionFailedError,
    UnknownCredentialError,
)
from client_sdk.formats import CredentialTerms, find_format
from client_sdk.formats.dc_sd_jwt import DcSdJwt
from client_sdk.issuer_anchor import (
    IssuedCredential,
    IssuerAnchor,
    IssuerLedger,
    ListPlace,
    SignedCredential,
)
from client_sdk.ledger.commands import compare_and_set_account_detail, set_record
from client_sdk.ledger.credential_place import CredentialPlace
from client_sdk.ledger.grants import new_record_id, new_salt


class Issuer:
    """One issuer's account and key. Safe to share between threads."""

    def __init__(
        self,
        ledger: IssuerLedger,
        ledger_id: str,
        *,
        account: str,
        issuer_record: str,
        signing_key: Key | CredentialSigner,
        issuer_url: str,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Make an issuer.

        Args:
            ledger: A client of the issuer's account.
            ledger_id: The ledger's id, 64 hex digits.
            account: The issuer's account.
            issuer_record: The id of its `tg_issuer_` record in the registry.
            signing_key: The private key of a JWK in that record, or whoever has it.
            issuer_url: The `iss` claim: where the issuer's service is.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._ledger = ledger
        self._ledger_id = ledger_id
        self._account = account
        self._signing_key = signing_key
        self._key_id = thumbprint(public_key_of(signing_key))
        self._issuer_url = issuer_url
        self._now_ms = now_ms
        self.anchor = IssuerAnchor(ledger, account=account, issuer_record=issuer_record)

    @property
    def did(self) -> str:
        """The DID of the issuer's account."""
        return ledger_did(self._ledger_id, self._account)

    def issue(
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
    ) -> IssuedCredential:
        """Sign a credential and anchor it alone; it is given out once the ledger has its hash.

        Args:
            claims: As for `sign`, and so the others.
            concealed: Those that the holder may keep back.
            credential_type: The `vct`.
            holder_key: The holder's public JWK.
            expires_at_ms: Milliseconds since 1970, UTC.
            holder_account: The holder's ledger account. Without it no verifier accepts a
                credential that is anchored alone.
            list_place: Where its status stands.
            credential_format: The identifier of its format.

        Raises:
            CredentialFormatError: As `sign`, as are the next two.
            KeyFormatError: A key is of no allowed kind.
            FrostError: The issuer's authorities did not sign; nothing was anchored.
            TransactionFailedError: The ledger refused the record: the issuer may not be registered.
            TransportError: The ledger cannot be reached. Issue again: a record that may have been
                written then belongs to a credential that nobody has.
        """
        signed = self.sign(
            claims,
            concealed=concealed,
            credential_type=credential_type,
            holder_key=holder_key,
            expires_at_ms=expires_at_ms,
            holder_account=holder_account,
            list_place=list_place,
            credential_format=credential_format,
        )
        return self.anchor.anchor_alone(signed)

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
        """Sign a credential, for `anchor.anchor_batch` to anchor with others.

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
        )
        credential = secured.issue(terms, self._signing_key)
        if has_individual_number(claims):
            raise CredentialFormatError("claims: 12 digits that read as an individual number")
        return SignedCredential(
            record_id=place.record,
            salted_hash=secured.anchored_hash(credential),
            expires_at_ms=expires_s * 1000,
            list_place=list_place,
            credential=credential,
        )

    def suspend(self, record_id: str) -> None:
        """Put an active credential out of force until `reinstate`.

        Raises:
            UnknownCredentialError: This issuer anchored no such credential.
            CredentialStateError: It is not active, or was changed meanwhile.
            TransactionFailedError: The ledger refused.
            TransportError: The ledger cannot be reached.
        """
        self._change(record_id, "suspended", allowed=("active",))

    def reinstate(self, record_id: str) -> None:
        """Put a suspended credential back in force.

        Raises:
            UnknownCredentialError: This issuer anchored no such credential.
            CredentialStateError: It is not suspended, or was changed meanwhile.
            TransactionFailedError: The ledger refused.
            TransportError: The ledger cannot be reached.
        """
        self._change(record_id, "active", allowed=("suspended",))

    def revoke(self, record_id: str) -> None:
        """Put a credential out of force for good.

        Raises:
            UnknownCredentialError: This issuer anchored no such credential.
            CredentialStateError: It was revoked before, or changed meanwhile.
            TransactionFailedError: The ledger refused.
            TransportError: The ledger cannot be reached.
        """
        self._change(record_id, "revoked", allowed=("active", "suspended"))

    def state(self, record_id: str) -> CredentialState:
        """Return the state of a credential that this issuer anchored.

        Raises:
            UnknownCredentialError: This issuer anchored no such credential.
            TransportError: The ledger cannot be reached.
        """
        return self._read(record_id).state

    def _change(
        self, record_id: str, state: CredentialState, *, allowed: tuple[CredentialState, ...]
    ) -> None:
        before = self._read(record_id)
        if before.state not in allowed:
            raise CredentialStateError(
                f"credential {record_id} is {before.state}, so it cannot become {state}"
            )
        try:
            self._ledger.submit(
                compare_and_set_account_detail(
                    self._account,
                    CredentialRecord.key(record_id),
                    encode_record(replace(before, state=state)),
                    old_value=encode_record(before),
                )
            )
        except TransactionFailedError:
            if self._read(record_id) == before:
                raise
            raise CredentialStateError(
                f"credential {record_id} was changed by another at this moment; look and try again"
            ) from None

    def _read(self, record_id: str) -> CredentialRecord:
        record = None
        if RECORD_ID.fullmatch(record_id):
            record = self._ledger.record(self._account, record_id, CredentialRecord)
        if record is None:
            raise UnknownCredentialError(
                f"{self._account} anchored no credential under this record id"
            )
        return record


def register_issuer(
    ledger: IssuerLedger, record: IssuerRecord, *, record_id: str | None = None
) -> str:
    """Write who may issue what to the registry, and return the record's id.

    Args:
        ledger: A client of the registry account.
        record: The issuer's account, credential types, public keys and state.
        record_id: An existing registration to replace, 32 hex digits; by default a new one.

    Raises:
        CredentialFormatError: A field of the record is not acceptable.
        TransactionFailedError: The ledger refused it.
        TransportError: The ledger cannot be reached.
    """
    record_id = record_id or new_record_id()
    try:
        command = set_record(REGISTRY_ACCOUNT, record_id, record)
    except DecodeError as error:
        raise CredentialFormatError(f"issuer record: {error}") from None
    ledger.submit(command)
    return record_id
