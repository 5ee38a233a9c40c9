"""What of a presentation is checked against the ledger: anchor, status, holder's key, grant."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from chaincode.encoding import decode_base64url
from chaincode.records import (
    NO_ID,
    BatchRecord,
    CredentialRecord,
    CredentialState,
    GrantRecord,
    IdentityRecord,
    StatusListRecord,
)
from chaincode.records.recovery import RecoveryStatus
from chaincode.signatures import KeyAlgorithm, PublicKey
from client_sdk.credentials.bitstring_status_list import StatusEntry
from client_sdk.credentials.jose import Key
from client_sdk.credentials.status_bits import STATUS_OF
from client_sdk.credentials.token_status_list import Status, StatusReference
from client_sdk.errors import (
    AnchorError,
    GrantError,
    HolderKeyError,
    QueryFailedError,
    RecoveryOpenError,
    RevokedError,
    StatusListError,
)
from client_sdk.formats import VerifiedPresentation, find_format
from client_sdk.ledger.batches import Inclusion
from client_sdk.ledger.credential_place import CredentialPlace
from client_sdk.ledger.proofs import record_entry
from client_sdk.openid4vp.claims_path import ClaimsPath
from client_sdk.openid4vp.grant_offer import GrantOffer, GrantProof
from client_sdk.verification.joint_reads import JointReads
from client_sdk.verification.status_lists import StatusLists

_Record = TypeVar("_Record", bound=IdentityRecord)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """What the ledger holds of a credential.

    Attributes:
        state: `active`, `suspended` or `revoked`.
        expires_at_ms: Milliseconds since 1970, UTC.
        in_batch: Whether it is one of a batch.
    """

    state: CredentialState
    expires_at_ms: int
    in_batch: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerChecks:
    """The checks that ask the ledger, at one moment.

    Attributes:
        ledger: Where records and keys are read.
        status_lists: Where issuers' status lists are had.
        ledger_id: The ledger's id, 64 hex digits.
        gateway: The ledger account that grants must name.
        now_ms: Milliseconds since 1970, UTC.
    """

    ledger: JointReads
    status_lists: StatusLists
    ledger_id: str
    gateway: str
    now_ms: int

    def read(self, account: str, record_id: str, kind: type[_Record]) -> _Record | None:
        """Return an account's own identity record, or None where there is none, nor an account."""
        try:
            return self.ledger.record(account, record_id, kind)
        except QueryFailedError as error:
            if not error.is_absence:
                raise
            return None

    def signatories(self, account: str) -> frozenset[str]:
        """Return the public keys of an account; none where there is no such account."""
        try:
            return self.ledger.signatories(account)
        except QueryFailedError as error:
            if not error.is_absence:
                raise
            return frozenset()

    def check_anchor(
        self,
        verified: VerifiedPresentation,
        place: CredentialPlace,
        inclusion: Inclusion | None,
        *,
        issuer_record: str,
        record: CredentialRecord | None,
    ) -> Anchor:
        """Return what the ledger holds of exactly this credential.

        Args:
            verified: The credential.
            place: Where its record is said to be.
            inclusion: Where in which batch it is; None where it is anchored alone.
            issuer_record: The registration that it was issued under.
            record: Its record, where that was read before.

        Raises:
            AnchorError: Nothing, or another one.
        """
        found = verified.anchored_hash
        if inclusion is not None:
            return self._check_batch(found, inclusion, place, issuer_record)
        record = record or self.read(place.issuer, place.record, CredentialRecord)
        if record is None:
            raise AnchorError("the ledger holds no record of this credential")
        is_same = hmac.compare_digest(record.salted_hash, found)
        if not is_same or record.issuer_record != issuer_record:
            raise AnchorError("the ledger's record is of another credential")
        return Anchor(state=record.state, expires_at_ms=record.expires_at_ms, in_batch=False)

    def _check_batch(
        self, found: bytes, inclusion: Inclusion, place: CredentialPlace, issuer_record: str
    ) -> Anchor:
        batch = self.read(place.issuer, inclusion.batch, BatchRecord)
        if batch is None:
            raise AnchorError("the ledger holds no such batch of credentials")
        # Its members' states stand nowhere but in this list.
        if (batch.status_list, batch.issuer_record) != (place.status_list, issuer_record):
            raise AnchorError("the batch has another status list than the credential")
        inclusion.check(found, batch)
        return Anchor(state="active", expires_at_ms=batch.expires_at_ms, in_batch=True)

    def read_list(
        self, verified: VerifiedPresentation, place: CredentialPlace, keys: Mapping[str, Key]
    ) -> int:
        """Return what the issuer's status list says of the credential.

        Args:
            verified: The credential.
            place: Says which list of the issuer's counts.
            keys: The issuer's registered keys, by thumbprint.

        Raises:
            StatusListError: The list cannot be had, or is not the one that the ledger names.
        """
        reference, entries = _status_of(verified)
        if place.status_list is None:
            if "status" in verified.claims or entries:
                raise StatusListError("the ledger does not vouch for the credential's status list")
            return Status.VALID
        list_id = place.status_list

        def read_record() -> StatusListRecord | None:
            found = self.read(place.issuer, list_id, StatusListRecord)
            # Whoever asks again wants to know what has changed meanwhile.
            self.ledger.forget(record_entry(place.issuer, list_id, StatusListRecord))
            return found

        if reference is not None:
            return self.status_lists.status(reference, read_record=read_record, keys=keys)
        if entries:
            return self.status_lists.bitstring_status(entries, read_record=read_record, keys=keys)
        raise StatusListError("the credential does not say where in its list it stands")

    def check_status(self, anchor: Anchor, listed: int) -> None:
        """Check that record and list both say valid: the stricter wins.

        Raises:
            RevokedError: One of them does not.
        """
        if anchor.state == "revoked" or listed == Status.INVALID:
            raise RevokedError("the issuer has revoked it for good")
        if anchor.state == "suspended" or listed == Status.SUSPENDED:
            raise RevokedError("the issuer has suspended it for now")
        if listed != Status.VALID:
            raise RevokedError("the issuer's list gives it a status of an unknown kind")
        if anchor.expires_at_ms <= self.now_ms:
            raise RevokedError("the ledger's record of it has expired")

    def check_holder_key(
        self, verified: VerifiedPresentation, proof: GrantProof, account: str | None
    ) -> str:
        """Return the credential's key, known to be a signatory of the account that it names.

        Raises:
            HolderKeyError: It is not, or the grant is of another account.
        """
        jwk = verified.holder_key or {}
        if jwk.get("crv") != "Ed25519":
            raise HolderKeyError("the credential is not bound to a key of a ledger account")
        # The issuer's word, not the presenter's: a stolen key can be added to any account.
        if account is None:
            raise HolderKeyError(
                "the credential does not name its holder's account; the holder needs a new one"
            )
        if proof.account != account:
            raise HolderKeyError("the grant is of another account than the credential's holder's")
        raw = decode_base64url(str(jwk["x"]))
        key = PublicKey(KeyAlgorithm.ED25519_SHA2, raw).encode()
        if key not in self.signatories(account):
            raise HolderKeyError("the holder's account no longer has the key that signed")
        return key

    def check_no_recovery(self, account_id: str) -> None:
        """Check that nobody is recovering an account.

        Raises:
            RecoveryOpenError: Somebody is.
        """
        status = self.read(account_id, NO_ID, RecoveryStatus)
        if status is not None and status.is_open_recovery(self.now_ms):
            raise RecoveryOpenError("the holder can use it again when the recovery has ended")

    def check_grant(
        self,
        proof: GrantProof,
        offer: GrantOffer,
        place: CredentialPlace,
        combinations: tuple[tuple[ClaimsPath, ...], ...],
    ) -> tuple[ClaimsPath, ...]:
        """Return the combination of claims that the grant is for.

        Raises:
            GrantError: There is no live grant for one of them.
        """
        if proof.ledger != self.ledger_id:
            raise GrantError("the grant is on another ledger")
        grant = self.read(proof.account, proof.grant, GrantRecord)
        if grant is None:
            raise GrantError("the holder's account holds no such grant")
        if grant.state != "live":
            raise GrantError("the holder has revoked the grant")
        if grant.expires_at_ms <= self.now_ms:
            raise GrantError("the grant has expired")
        if grant.gateway != self.gateway or offer.gateway != self.gateway:
            raise GrantError("the grant names another gateway")
        if (grant.expires_at_ms, grant.uses) != (offer.expires_at_ms, offer.uses):
            raise GrantError("the grant has another end or number of uses than was asked for")
        for combination in combinations:
            expected = offer.terms(place.record, combination).commitment(proof.opening)
            if hmac.compare_digest(grant.commitment, expected):
                return combination
        raise GrantError("the grant was made for other terms, or for another credential")


def _status_of(
    verified: VerifiedPresentation,
) -> tuple[StatusReference | None, tuple[StatusEntry, ...]]:
    """Return where a credential stands in a Token Status List, and where in Bitstring ones.

    Raises:
        CredentialFormatError: What it says of that is malformed.
    """
    claims = verified.claims
    reference = StatusReference.from_claim(claims["status"]) if "status" in claims else None
    if "credentialStatus" not in find_format(verified.format).own_claims:
        return reference, ()
    listed = claims.get("credentialStatus", [])
    # Entries of other purposes, such as `message`, put nothing out of force.
    entries = tuple(
        StatusEntry.from_json(entry)
        for entry in (listed if isinstance(listed, list) else [listed])
        if not isinstance(entry, dict) or entry.get("statusPurpose") in STATUS_OF
    )
    return reference, entries
