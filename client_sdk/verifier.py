"""A verifier: is this presentation genuine, current, and exactly what was asked for?"""

import hmac
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from chaincode.encoding import JsonObject, decode_base64url
from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.records import (
    NO_ID,
    BatchRecord,
    CredentialRecord,
    CredentialState,
    GrantRecord,
    IdentityRecord,
    IssuerRecord,
    StatusListRecord,
)
from chaincode.records.recovery import RecoveryStatus
from chaincode.signatures import KeyAlgorithm, PublicKey
from client_sdk.checks import (
    HOLDER_CHECKS,
    Check,
    UsedGrant,
    VerificationReport,
    VerifiedAttributes,
    list_checks,
)
from client_sdk.credentials.jose import Key, parse_public_jwk, thumbprint
from client_sdk.credentials.sd_jwt_vc_claims import PLACE_CLAIM
from client_sdk.credentials.token_status_list import Status, StatusReference
from client_sdk.did.ledger_did import ledger_did
from client_sdk.errors import (
    AnchorError,
    ConsentError,
    CredentialFormatError,
    ExpiredError,
    GrantError,
    HolderBindingError,
    HolderKeyError,
    IssuerNotTrustedError,
    KeyFormatError,
    NonceMismatchError,
    QueryFailedError,
    RecoveryOpenError,
    RequestError,
    RequestMismatchError,
    RevokedError,
    StatusListError,
    VerificationError,
)
from client_sdk.formats import (
    FORMATS,
    ExpectedBinding,
    ReadCredential,
    VerifiedPresentation,
    find_format,
)
from client_sdk.http_client import HttpClient
from client_sdk.ledger.batches import Inclusion
from client_sdk.ledger.credential_place import CredentialPlace
from client_sdk.openid4vp.claims_path import ClaimsPath
from client_sdk.openid4vp.consent_record import verify_consent
from client_sdk.openid4vp.credential_view import view_presented
from client_sdk.openid4vp.dcql_evaluation import check_answer, check_credential, only_asked
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
from client_sdk.status_lists import StatusLists

MAX_AGE_S: Final = 300
LEEWAY_S: Final = 60
_Record = TypeVar("_Record", bound=IdentityRecord)


class Ledger(Protocol):
    """What a verifier reads: `client_sdk.ledger.client.LedgerClient` has it."""

    def record(self, account_id: str, record_id: str, kind: type[_Record]) -> _Record | None:
        """Return an account's own identity record, or None where there is no valid one."""

    def signatories(self, account_id: str) -> frozenset[str]:
        """Return the public keys of an account."""


class Verifier:
    """Verifies presentations against one ledger. Safe to share between threads."""

    def __init__(
        self,
        ledger: Ledger,
        ledger_id: str,
        *,
        gateway: str,
        status_lists: StatusLists | None = None,
        max_age_s: int = MAX_AGE_S,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Make a verifier.

        Args:
            ledger: Where records and keys are read.
            ledger_id: The ledger's id, 64 hex digits.
            gateway: The ledger account that grants must name.
            status_lists: Where issuers' status lists are had; by default over HTTP.
            max_age_s: How many seconds a presentation may be old.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._ledger = ledger
        self._ledger_id = ledger_id
        self._gateway = gateway
        self._status_lists = status_lists or StatusLists(HttpClient().get, now_ms=now_ms)
        self._max_age_s = max_age_s
        self._now_ms = now_ms

    def report(
        self, answer: str | Mapping[str, Sequence[Presentation]], request: PresentationRequest
    ) -> VerificationReport:
        """Verify an answer and tell the result, also where it is refused.

        Args:
            answer: As for `verify_answer`; or the one presentation, where the request is for one.
            request: The request that it answers.

        Raises:
            RequestError: The request is not one that this verifier can check answers to.
            TransportError: The ledger cannot be reached; nothing is known.
            QueryFailedError: The ledger does not answer this verifier's account.
        """
        try:
            verified = self.verify_answer(_by_query(answer, request), request)
        except VerificationError as error:
            return VerificationReport(accepted=False, checks=error.checks)
        attributes: JsonObject = {}
        for credential in reversed(verified):
            attributes |= credential.attributes
        return VerificationReport(
            accepted=True,
            checks=_merge_checks([credential.checks for credential in verified]),
            attributes=attributes,
            credentials=verified,
        )

    def verify(self, presentation: str, request: PresentationRequest) -> VerifiedAttributes:
        """Return what the one presentation proves that answers a request for one credential.

        Raises:
            VerificationError: A check failed; the subclass says which, `checks` tells of all.
            RequestError: The request is not one that this verifier can check answers to.
            TransportError: The ledger cannot be reached; nothing is known.
            QueryFailedError: The ledger does not answer this verifier's account.
        """
        (verified,) = self.verify_answer(_by_query(presentation, request), request)
        return verified

    def verify_answer(
        self, answer: Mapping[str, Sequence[Presentation]], request: PresentationRequest
    ) -> tuple[VerifiedAttributes, ...]:
        """Return what a whole answer proves, by credential (OpenID4VP 1.0 section 8.6).

        Args:
            answer: The presentations by the id of the credential query.
            request: The request that it answers, with a grant offer for each credential whose
                holder is to be proved.

        Raises:
            VerificationError: A check failed; the subclass says which, `checks` tells of all.
            RequestError: The request is not one that this verifier can check answers to.
            TransportError: The ledger cannot be reached; nothing is known.
            QueryFailedError: The ledger does not answer this verifier's account.
        """
        offers = self._offers_of(request)
        try:
            check_answer(request.query, answer)
        except RequestMismatchError as error:
            error.checks = list_checks({"presentation"}, failed=error.check, reason=str(error))
            raise
        return tuple(
            self._verify_one(presentation, query, request, offers, answer)
            for query in request.query.credentials
            for presentation in answer.get(query.id, ())
        )

    def check_request(self, request: PresentationRequest) -> None:
        """Check that this verifier can check the answers to a request.

        Raises:
            RequestError: It cannot; the text says why.
        """
        self._offers_of(request)

    def _offers_of(self, request: PresentationRequest) -> dict[str, GrantOffer]:
        offers = {
            offer.query_id: offer for offer in map(parse_grant_offer, request.transaction_data)
        }
        for query in request.query.credentials:
            if query.format not in FORMATS:
                raise RequestError(f"query {query.id}: the format {query.format} is not verified")
            if query.holder_binding is not (query.id in offers):
                raise RequestError(
                    f"query {query.id}: a grant offer is expected where the holder is to be "
                    "proved, and nowhere else"
                )
        return offers

    def _verify_one(
        self,
        presentation: Presentation,
        query: CredentialQuery,
        request: PresentationRequest,
        offers: Mapping[str, GrantOffer],
        answer: Mapping[str, Sequence[Presentation]],
    ) -> VerifiedAttributes:
        attempt = _Attempt(
            ledger=self._ledger,
            status_lists=self._status_lists,
            ledger_id=self._ledger_id,
            gateway=self._gateway,
            now_ms=self._now_ms(),
            max_age_s=self._max_age_s,
            request=request,
            query=query,
            offer=offers.get(query.id),
            answer=answer,
        )
        try:
            return attempt.run(presentation)
        except (CredentialFormatError, KeyFormatError) as error:
            failure = VerificationError(str(error))
            failure.checks = attempt.checks_after(failure)
            raise failure from None
        except VerificationError as error:
            error.checks = attempt.checks_after(error)
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class _Anchor:
    state: CredentialState
    expires_at_ms: int
    in_batch: bool


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """One verification: what it was given, and which checks have passed."""

    ledger: Ledger
    status_lists: StatusLists
    ledger_id: str
    gateway: str
    now_ms: int
    max_age_s: int
    request: PresentationRequest
    query: CredentialQuery
    offer: GrantOffer | None
    answer: Mapping[str, Sequence[Presentation]]
    passed: set[str] = field(default_factory=set)
    issuer_record: str = ""
    issuer_keys: dict[str, Key] = field(default_factory=dict)
    record: CredentialRecord | None = None

    def run(self, presentation: Presentation) -> VerifiedAttributes:
        expires_at = self.request.expires_at
        if expires_at is not None and expires_at * 1000 <= self.now_ms:
            raise ExpiredError("the request has expired; make a new one")
        # Where no proof of the holder is asked for, one that is there anyway is checked.
        presented = find_format(self.query.format)
        text = presented.from_wire(presentation)
        is_bound = self.query.holder_binding or presented.is_bound(text)
        binding = ExpectedBinding(
            audience=self.request.client_id, nonce=self.request.nonce, max_age_s=self.max_age_s
        )
        verified = presented.verify(
            text,
            find_issuer_key=self._find_issuer_key,
            expected_types=self.query.type_values or [(vct,) for vct in self.query.vct_values],
            binding=binding if is_bound else None,
            now_s=self.now_ms // 1000,
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
        anchor = self._check_anchor(verified, place, None if proof is None else proof.inclusion)
        self.passed.add("anchor")
        listed = self._read_list(verified, place)
        self.passed.add("status_list")
        self._check_status(anchor, listed)
        self.passed.add("status")
        asked, grant = combinations[0], None
        if proof is not None and self.offer is not None:
            if place.account is not None or not anchor.in_batch:
                # A member of a batch may be bound to its own key alone, to tell no account.
                self._check_holder_key(verified, proof, place.account)
            self.passed.add("holder_key")
            self._check_no_recovery(proof.account)
            self.passed.add("recovery")
            asked = self._check_grant(proof, self.offer, place, combinations)
            self.passed.add("grant")
            grant = UsedGrant(
                id=proof.grant,
                account=proof.account,
                attributes=asked,
                receipt_key=proof.receipt_key,
                consent=self._check_consent(proof, asked),
            )
        return VerifiedAttributes(
            query_id=self.query.id,
            attributes=only_asked(asked, verified.claims),
            credential_type=verified.credential_type,
            issuer=place.issuer,
            grant=grant,
            checks=list_checks(self.passed, waived=self._waived),
        )

    @property
    def _waived(self) -> Collection[str]:
        return () if self.query.holder_binding else HOLDER_CHECKS

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
        return list_checks(self.passed, failed=error.check, reason=str(error), waived=self._waived)

    def _find_issuer_key(self, credential: ReadCredential) -> Key:
        """Return the registered key that a credential says it is signed with."""
        self.passed.add("presentation")
        place = CredentialPlace.from_claim(credential.claims.get(PLACE_CLAIM))
        if place.ledger != self.ledger_id:
            raise AnchorError("the credential's record is on another ledger")
        self.issuer_record = self._find_registration(place)
        issuer = self._read(REGISTRY_ACCOUNT, self.issuer_record, IssuerRecord)
        if issuer is None or issuer.issuer != place.issuer:
            raise IssuerNotTrustedError("the issuer is not in the registry")
        if issuer.state != "active":
            raise IssuerNotTrustedError("the issuer was withdrawn from the registry")
        if credential.format != SD_JWT_VC and credential.issuer != ledger_did(
            place.ledger, place.issuer
        ):
            raise IssuerNotTrustedError("the credential names another issuer than its anchor")
        if not credential.own_types or not credential.own_types.issubset(issuer.credential_types):
            raise IssuerNotTrustedError("the issuer may not issue this kind of credential")
        usable = [key for jwk in issuer.keys if (key := _usable_key(jwk)) is not None]
        self.issuer_keys = {thumbprint(key): key for key in usable}
        key = self.issuer_keys.get(credential.key_id)
        if key is None:
            raise IssuerNotTrustedError(
                "the credential is signed with a key that is not registered"
            )
        self.passed.add("issuer_trusted")
        return key

    def _find_registration(self, place: CredentialPlace) -> str:
        """Return the id of the registration that a credential was issued under."""
        if place.status_list is not None:
            status_list = self._read(place.issuer, place.status_list, StatusListRecord)
            if status_list is None:
                raise AnchorError("the ledger does not know the credential's status list")
            return status_list.issuer_record
        self.record = self._read(place.issuer, place.record, CredentialRecord)
        if self.record is None:
            raise AnchorError("the ledger holds no record of this credential")
        return self.record.issuer_record

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

    def _check_consent(self, proof: GrantProof, asked: tuple[ClaimsPath, ...]) -> str | None:
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
        return record.token

    def _check_anchor(
        self, verified: VerifiedPresentation, place: CredentialPlace, inclusion: Inclusion | None
    ) -> _Anchor:
        found = verified.anchored_hash
        if inclusion is not None:
            return self._check_batch(found, inclusion, place)
        record = self.record or self._read(place.issuer, place.record, CredentialRecord)
        if record is None:
            raise AnchorError("the ledger holds no record of this credential")
        is_same = hmac.compare_digest(record.salted_hash, found)
        if not is_same or record.issuer_record != self.issuer_record:
            raise AnchorError("the ledger's record is of another credential")
        return _Anchor(state=record.state, expires_at_ms=record.expires_at_ms, in_batch=False)

    def _check_batch(self, found: bytes, inclusion: Inclusion, place: CredentialPlace) -> _Anchor:
        batch = self._read(place.issuer, inclusion.batch, BatchRecord)
        if batch is None:
            raise AnchorError("the ledger holds no such batch of credentials")
        # Its members' states stand nowhere but in this list.
        if (batch.status_list, batch.issuer_record) != (place.status_list, self.issuer_record):
            raise AnchorError("the batch has another status list than the credential")
        inclusion.check(found, batch)
        return _Anchor(state="active", expires_at_ms=batch.expires_at_ms, in_batch=True)

    def _read_list(self, verified: VerifiedPresentation, place: CredentialPlace) -> int:
        """Return what the issuer's status list says of the credential."""
        if place.status_list is None:
            if "status" in verified.claims:
                raise StatusListError("the ledger does not vouch for the credential's status list")
            return Status.VALID
        reference = StatusReference.from_claim(verified.claims.get("status"))
        if reference is None:
            raise StatusListError("the credential does not say where in its list it stands")
        list_id = place.status_list
        return self.status_lists.status(
            reference,
            read_record=lambda: self._read(place.issuer, list_id, StatusListRecord),
            keys=self.issuer_keys,
        )

    def _check_status(self, anchor: _Anchor, listed: int) -> None:
        """Record and list both count: the stricter wins."""
        if anchor.state == "revoked" or listed == Status.INVALID:
            raise RevokedError("the issuer has revoked it for good")
        if anchor.state == "suspended" or listed == Status.SUSPENDED:
            raise RevokedError("the issuer has suspended it for now")
        if listed != Status.VALID:
            raise RevokedError("the issuer's list gives it a status of an unknown kind")
        if anchor.expires_at_ms <= self.now_ms:
            raise RevokedError("the ledger's record of it has expired")

    def _check_holder_key(
        self, verified: VerifiedPresentation, proof: GrantProof, account: str | None
    ) -> None:
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
        try:
            keys = self.ledger.signatories(account)
        except QueryFailedError as error:
            if not error.is_absence:
                raise
            keys = frozenset()
        if key not in keys:
            raise HolderKeyError("the holder's account no longer has the key that signed")

    def _check_no_recovery(self, account_id: str) -> None:
        status = self._read(account_id, NO_ID, RecoveryStatus)
        if status is not None and status.is_open_recovery(self.now_ms):
            raise RecoveryOpenError("the holder can use it again when the recovery has ended")

    def _check_grant(
        self,
        proof: GrantProof,
        offer: GrantOffer,
        place: CredentialPlace,
        combinations: tuple[tuple[ClaimsPath, ...], ...],
    ) -> tuple[ClaimsPath, ...]:
        """Return the combination of claims that the grant is for."""
        if proof.ledger != self.ledger_id:
            raise GrantError("the grant is on another ledger")
        grant = self._read(proof.account, proof.grant, GrantRecord)
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

    def _read(self, account: str, record_id: str, kind: type[_Record]) -> _Record | None:
        try:
            return self.ledger.record(account, record_id, kind)
        except QueryFailedError as error:
            if not error.is_absence:
                raise
            return None


def _by_query(
    answer: str | Mapping[str, Sequence[Presentation]], request: PresentationRequest
) -> Mapping[str, Sequence[Presentation]]:
    if not isinstance(answer, str):
        return answer
    if len(request.query.credentials) != 1:
        raise RequestError("the request: one credential is expected where one is presented")
    return {request.query.credentials[0].id: (answer,)}


def _merge_checks(of_each: Sequence[tuple[Check, ...]]) -> tuple[Check, ...]:
    """Return the checks of an accepted answer: passed where each credential passed them."""
    return tuple(
        next((check for check in checks if check.passed is not True), checks[0])
        for checks in zip(*of_each, strict=True)
    )


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


def _usable_key(jwk: JsonObject) -> Key | None:
    """Return a registered key; None where it is of a kind that signs no credentials."""
    try:
        return parse_public_jwk(jwk)
    except KeyFormatError:
        return None
