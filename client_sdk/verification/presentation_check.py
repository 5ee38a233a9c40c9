"""One presentation, checked step by step; what has passed is remembered."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.protocol.proofs_pb2 import StateEntry
from chaincode.records import (
    NO_ID,
    BatchRecord,
    CredentialRecord,
    GrantRecord,
    IssuerRecord,
    StatusListRecord,
)
from chaincode.records.recovery import RecoveryStatus
from client_sdk.checks import HOLDER_CHECKS, Check, UsedGrant, VerifiedAttributes, list_checks
from client_sdk.credentials.jose import Key, parse_public_jwk, thumbprint
from client_sdk.credentials.sd_jwt_vc_claims import PLACE_CLAIM
from client_sdk.did.ledger_did import ledger_did
from client_sdk.errors import (
    AnchorError,
    ConsentError,
    CredentialFormatError,
    ExpiredError,
    HolderBindingError,
    IssuerNotTrustedError,
    KeyFormatError,
    NonceMismatchError,
    RequestMismatchError,
    VerificationError,
)
from client_sdk.formats import (
    CredentialFormat,
    ExpectedBinding,
    ReadCredential,
    VerifiedPresentation,
    find_format,
)
from client_sdk.ledger.credential_place import CredentialPlace
from client_sdk.ledger.proofs import record_entry
from client_sdk.openid4vp.claims_path import ClaimsPath
from client_sdk.openid4vp.consent_record import verify_consent
from client_sdk.openid4vp.credential_view import view_presented
from client_sdk.openid4vp.dcql_evaluation import check_credential, only_asked
from client_sdk.openid4vp.dcql_query import SD_JWT_VC, CredentialQuery
from client_sdk.openid4vp.grant_offer import (
    HASH_ALGORITHM,
    GrantOffer,
    GrantProof,
    hash_transaction_data,
    offers_for,
    parse_grant_offer,
)
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.openid4vp.response import Presentation
from client_sdk.strict_json import encode_validated_json, parse_strict_json
from client_sdk.verification.face_check import check_face
from client_sdk.verification.issuer_trust import IssuerTrust
from client_sdk.verification.ledger_checks import LedgerChecks

LEEWAY_S: Final = 60


@dataclass(slots=True, kw_only=True)
class PresentationCheck:
    """One verification: what it was given, and which checks have passed.

    Attributes:
        on_ledger: The checks that ask the ledger.
        max_age_s: How many seconds the presentation may be old.
        request: The request that it answers.
        query: The credential query of it.
        offer: The grant that the request asks for; None where it asks for none.
        answer: All presentations of the answer, by credential query.
        registrations: The registration that each issuer's credentials were issued under last, by
            the issuer's account. It learns; it is a guess at what to read, and never believed.
        face_keys: The keys of the face services that are trusted, by name.
        issuer_trust: Who must vouch for issuers' keys besides the registry.
        passed: The names of the checks that have passed.
    """

    on_ledger: LedgerChecks
    max_age_s: int
    request: PresentationRequest
    query: CredentialQuery
    offer: GrantOffer | None
    answer: Mapping[str, Sequence[Presentation]]
    registrations: dict[str, str]
    face_keys: Mapping[str, Key]
    issuer_trust: IssuerTrust
    passed: set[str] = field(default_factory=set)
    _claimed: GrantProof | None = None
    _issuer_record: str = ""
    _issuer_keys: dict[str, Key] = field(default_factory=dict)
    _record: CredentialRecord | None = None

    def run(self, presentation: Presentation) -> VerifiedAttributes:
        """Return what a presentation proves.

        Raises:
            VerificationError: A check failed; `checks_after` tells of all.
            CredentialFormatError: The presentation is not well formed.
            KeyFormatError: A key of it is none that is known.
            TransportError: The ledger cannot be reached; nothing is known.
            QueryFailedError: The ledger does not answer this verifier's account.
        """
        expires_at = self.request.expires_at
        if expires_at is not None and expires_at * 1000 <= self.on_ledger.now_ms:
            raise ExpiredError("the request has expired; make a new one")
        # Where no proof of the holder is asked for, one that is there anyway is checked.
        presented = find_format(self.query.format)
        text = presented.from_wire(presentation)
        is_bound = self.query.holder_binding or presented.is_bound(text)
        binding = ExpectedBinding(
            audience=self.request.client_id, nonce=self.request.nonce, max_age_s=self.max_age_s
        )
        self._claimed = self._read_claimed_proof(presented, text)
        verified = presented.verify(
            text,
            find_issuer_key=self._find_issuer_key,
            expected_types=self.query.type_values or [(vct,) for vct in self.query.vct_values],
            binding=binding if is_bound else None,
            now_s=self.on_ledger.now_ms // 1000,
            leeway_s=LEEWAY_S,
        )
        self.passed |= {"issuer_signature", "disclosures", "validity"}
        if is_bound:
            self.passed.add("nonce")
        proof = self._check_holder_binding(verified)
        combinations = check_credential(
            self.query, view_presented(verified), also_asked=self._also_answered(verified)
        )
        self.passed.add("request_match")
        place = CredentialPlace.from_claim(verified.claims.get(PLACE_CLAIM))
        inclusion = None if proof is None else proof.inclusion
        anchor = self.on_ledger.check_anchor(
            verified, place, inclusion, issuer_record=self._issuer_record, record=self._record
        )
        self.passed.add("anchor")
        listed = self.on_ledger.read_list(verified, place, self._issuer_keys)
        self.passed.add("status_list")
        self.on_ledger.check_status(anchor, listed)
        self.passed.add("status")
        asked, grant, holder_key = combinations[0], None, None
        if proof is not None and self.offer is not None:
            if place.account is not None or not anchor.in_batch:
                # A member of a batch may be bound to its own key alone, to tell no account.
                holder_key = self.on_ledger.check_holder_key(verified, proof, place.account)
            self.passed.add("holder_key")
            self.on_ledger.check_no_recovery(proof.account)
            self.passed.add("recovery")
            if self.offer.face is not None:
                (terms,) = offers_for(self.request.transaction_data, self.query.id)
                check_face(
                    proof,
                    self.offer.face,
                    keys=self.face_keys,
                    request=self.request,
                    terms=terms,
                    presentation=text,
                    verified=verified,
                    now_s=self.on_ledger.now_ms // 1000,
                )
                self.passed.add("face")
            asked = self.on_ledger.check_grant(proof, self.offer, place, combinations)
            self.passed.add("grant")
            grant = UsedGrant(
                id=proof.grant,
                account=proof.account,
                attributes=asked,
                receipt_key=proof.receipt_key,
                consent=self._check_consent(proof, asked, holder_key),
            )
        return VerifiedAttributes(
            query_id=self.query.id,
            attributes=only_asked(asked, verified.claims),
            credential_type=verified.credential_type,
            issuer=place.issuer,
            grant=grant,
            checks=list_checks(self.passed, waived=self._waived, with_face=self._with_face),
        )

    @property
    def _waived(self) -> Collection[str]:
        waived = frozenset() if self.query.holder_binding else HOLDER_CHECKS
        return (
            waived if self.offer is not None and self.offer.face is not None else waived | {"face"}
        )

    @property
    def _with_face(self) -> bool:
        return demands_face(self.request)

    def _also_answered(self, verified: VerifiedPresentation) -> list[CredentialQuery]:
        """Return the other queries of the request that are answered by the same credential."""
        return [
            query
            for query in self.request.query.credentials
            if query.id != self.query.id
            for shown in self.answer.get(query.id, ())
            if query.format == verified.format and _is_of(shown, verified)
        ]

    def checks_after(self, error: VerificationError) -> tuple[Check, ...]:
        """Return all checks after one has failed."""
        if "issuer_trusted" in self.passed and "issuer_signature" not in self.passed:
            self.passed |= _passed_before(error)
        return list_checks(
            self.passed,
            failed=error.check,
            reason=str(error),
            waived=self._waived,
            with_face=self._with_face,
        )

    def _find_issuer_key(self, credential: ReadCredential) -> Key:
        """Return the registered key that a credential says it is signed with."""
        self.passed.add("presentation")
        place = CredentialPlace.from_claim(credential.claims.get(PLACE_CLAIM))
        if place.ledger != self.on_ledger.ledger_id:
            raise AnchorError("the credential's record is on another ledger")
        self.on_ledger.ledger.expect(self._expected_entries(place))
        self._issuer_record = self._find_registration(place)
        issuer = self.on_ledger.read(REGISTRY_ACCOUNT, self._issuer_record, IssuerRecord)
        if issuer is None or issuer.issuer != place.issuer:
            raise IssuerNotTrustedError("the issuer is not in the registry")
        if issuer.state != "active":
            raise IssuerNotTrustedError("the issuer was withdrawn from the registry")
        if (
            credential.format != SD_JWT_VC
            and credential.issuer != ledger_did(place.ledger, place.issuer)
            and not self.issuer_trust.knows(credential.issuer)
        ):
            raise IssuerNotTrustedError("the credential names another issuer than its anchor")
        if not credential.own_types or not credential.own_types.issubset(issuer.credential_types):
            raise IssuerNotTrustedError("the issuer may not issue this kind of credential")
        usable = [_usable_key(encode_validated_json(jwk)) for jwk in issuer.keys]
        self._issuer_keys = dict(found for found in usable if found is not None)
        self.registrations[place.issuer] = self._issuer_record
        key = self._issuer_keys.get(
            self.issuer_trust.key_id(credential, now_s=self.on_ledger.now_ms // 1000)
        )
        if key is None:
            raise IssuerNotTrustedError(
                "the credential is signed with a key that is not registered"
            )
        self.passed.add("issuer_trusted")
        return key

    def _read_claimed_proof(self, presented: CredentialFormat, text: str) -> GrantProof | None:
        """Return what a presentation says of its grant, before anything of it is verified."""
        if self.offer is None:
            return None
        try:
            return GrantProof.from_claims(presented.claimed_binding(text))
        except (CredentialFormatError, VerificationError):
            # What is wrong with it is said where it is verified, in its turn.
            return None

    def _expected_entries(self, place: CredentialPlace) -> list[StateEntry]:
        """Return what the checks will read, as far as an unverified credential tells it."""
        claimed = self._claimed
        inclusion = None if claimed is None else claimed.inclusion
        entries = []
        if place.status_list is not None:
            entries.append(record_entry(place.issuer, place.status_list, StatusListRecord))
        if place.status_list is None or inclusion is None:
            entries.append(record_entry(place.issuer, place.record, CredentialRecord))
        if inclusion is not None:
            entries.append(record_entry(place.issuer, inclusion.batch, BatchRecord))
        registration = self.registrations.get(place.issuer)
        if registration is not None:
            entries.append(record_entry(REGISTRY_ACCOUNT, registration, IssuerRecord))
        if claimed is not None:
            # Of a member of a batch, the grant alone may tell the account.
            entries += [
                StateEntry(account_id=claimed.account),
                record_entry(claimed.account, NO_ID, RecoveryStatus),
                record_entry(claimed.account, claimed.grant, GrantRecord),
            ]
        return entries

    def _find_registration(self, place: CredentialPlace) -> str:
        """Return the id of the registration that a credential was issued under."""
        if place.status_list is not None:
            status_list = self.on_ledger.read(place.issuer, place.status_list, StatusListRecord)
            if status_list is None:
                raise AnchorError("the ledger does not know the credential's status list")
            return status_list.issuer_record
        self._record = self.on_ledger.read(place.issuer, place.record, CredentialRecord)
        if self._record is None:
            raise AnchorError("the ledger holds no record of this credential")
        return self._record.issuer_record

    def _check_holder_binding(self, verified: VerifiedPresentation) -> GrantProof | None:
        claims = verified.binding
        if self.offer is None:
            return None
        terms = offers_for(self.request.transaction_data, self.query.id)
        expected = [hash_transaction_data(text) for text in terms]
        algorithm = claims.get("transaction_data_hashes_alg", HASH_ALGORITHM)
        if claims.get("transaction_data_hashes") != expected or algorithm != HASH_ALGORITHM:
            raise HolderBindingError("the holder did not sign the terms of this request")
        proof = GrantProof.from_claims(claims)
        self.passed.add("holder_binding")
        return proof

    def _check_consent(
        self, proof: GrantProof, asked: tuple[ClaimsPath, ...], holder_key: str | None
    ) -> str | None:
        """Check the record that the holder signed for both sides, where there is one."""
        if proof.consent is None:
            return None
        (terms,) = offers_for(self.request.transaction_data, self.query.id)
        try:
            record = verify_consent(proof.consent, terms=terms)
        except ConsentError as error:
            raise HolderBindingError(str(error)) from None
        found = (record.grant, record.account, record.attributes)
        if found != (proof.grant, proof.account, asked):
            raise HolderBindingError("the consent record is of another grant")
        is_known = record.signatory == holder_key
        if not is_known and record.signatory not in self.on_ledger.signatories(proof.account):
            raise HolderBindingError("the consent record is not signed by a key of the account")
        return record.token


def demands_face(request: PresentationRequest) -> bool:
    """Tell whether a request demands a face test with any of its credentials."""
    return any(parse_grant_offer(text).face is not None for text in request.transaction_data)


def _passed_before(error: VerificationError) -> set[str]:
    """Return what is known to hold where the SD-JWT layer failed after the issuer was found."""
    known = ["issuer_signature", "disclosures", "validity", "holder_binding", "nonce"]
    if isinstance(error, RequestMismatchError):
        # Another credential type: seen after the disclosures, before the times.
        return set(known[:2])
    if isinstance(error, NonceMismatchError):
        return set(known[:4])
    return set(known[: known.index(error.check)]) if error.check in known else set()


def _is_of(shown: Presentation, verified: VerifiedPresentation) -> bool:
    """Tell whether a presentation is of the same credential."""
    presented = find_format(verified.format)
    try:
        return presented.anchored_hash(presented.from_wire(shown)) == verified.anchored_hash
    except CredentialFormatError:
        return False


@lru_cache(maxsize=256)
def _usable_key(jwk: bytes) -> tuple[str, Key] | None:
    """Return thumbprint and key of a registered JWK; None where it is of a kind that signs none.

    Every credential of an issuer is signed with one of the same few keys.
    """
    try:
        key = parse_public_jwk(parse_strict_json(jwk))
    except (KeyFormatError, CredentialFormatError):
        return None
    return thumbprint(key), key
