"""Issuance: from an access token and key proofs to anchored credentials, at once or later."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, cast, get_args

import structlog

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.errors import (
    FrostError,
    QueryFailedError,
    TransactionFailedError,
    TransportError,
)
from client_sdk.issuer.anchor import IssuedCredential
from client_sdk.openid4vci.key_proof import ACCOUNT_CLAIM
from client_sdk.strict_json import parse_strict_json_object
from node.issuer.access_tokens import TOKEN_SECONDS, attributes_of
from node.issuer.accounts import AccountLedger
from node.issuer.attributes import day_in_japan
from node.issuer.credential_answers import CredentialAnswer, Wanted
from node.issuer.credential_maker import HolderKey, Press, make_credentials
from node.issuer.credential_requests import validate_wanted
from node.issuer.errors import ProtocolError
from node.issuer.face_tests import FaceCase, FaceTests
from node.issuer.key_proofs import KeyProofs, check_accounts
from node.issuer.one_time_secret import hash_secret, new_secret, seal, unseal
from node.issuer.prepared_credentials import collect_prepared
from node.issuer.revocations import Revocations
from node.issuer.store import IssuerStore
from node.issuer.tables import NotificationEvent, StoredCredential, StoredOffer, StoredRenewal
from node.web.nonce import NonceSealer

LEASE_MS: Final = 180_000
"""How long one request may issue; more than a ledger client waits for the ledger."""
_DAY_MS: Final = 86_400_000

_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")


class Issuance:
    """Issues each offer's credentials once, to the one who holds its token and keys."""

    def __init__(
        self,
        store: IssuerStore,
        press: Press,
        ledger: AccountLedger,
        nonces: NonceSealer,
        proofs: KeyProofs,
        *,
        revocations: Revocations,
        configurations: Mapping[str, str],
        credential_days: int,
        face_tests: FaceTests | None = None,
        now_ms: Callable[[], int],
    ) -> None:
        """Make the issuance desk.

        Args:
            store: Where offers are kept.
            press: Signs and anchors.
            ledger: Says which keys an account has.
            nonces: Knows the issuer's nonces.
            proofs: Verifies key proofs.
            revocations: Revokes what is issued anew.
            configurations: The formats of the issuer's credential configurations.
            credential_days: How long a credential lasts.
            face_tests: Has faces tested before; None where that is not asked for.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._press = press
        self._revocations = revocations
        self._configurations = configurations
        self._ledger = ledger
        self._nonces = nonces
        self._proofs = proofs
        self._credential_days = credential_days
        self._face_tests = face_tests
        self._now_ms = now_ms

    def new_nonce(self) -> str:
        """Return a nonce for key proofs."""
        return self._nonces.new_nonce(self._now_ms())

    def check_token(self, token: str) -> StoredOffer:
        """Return the offer that a token stands for.

        Raises:
            ProtocolError: Unknown or expired (`invalid_token`).
        """
        offer = self._store.offers.find_token(hash_secret(token), self._now_ms())
        if offer is None:
            raise ProtocolError("invalid_token", "the access token: unknown or expired", status=401)
        return offer

    def issue(self, token: str, request: JsonObject) -> CredentialAnswer:
        """Issue what a request asks for (OpenID4VCI 1.0 section 8).

        Where the ledger cannot be reached, token and nonces can be used again. Who asks again with
        the same token and keys is given the same answer: the first may have been lost on its way.

        Args:
            token: The access token.
            request: The credential request.

        Raises:
            ProtocolError: The request is refused; the code says why.
        """
        offer = self.check_token(token)
        credential_format = validate_wanted(request, offer, self._configurations)
        proven = self._proofs.verify(request.get("proofs"), client_id=offer.client_id)
        wanted = Wanted(keys=proven.keys, format=credential_format)
        with self._nonces_spent(proven.nonces):
            if offer.issued is not None:
                return wanted.give_again(unseal(offer.issued, token))
            if offer.review in ("waiting", "refused"):
                return self._defer(offer, token, wanted)
            if self._face_tests is not None and self._is_face_tested(offer, token):
                return self._begin_face_test(self._face_tests, offer, token, wanted)
            return self._issue(offer, token, wanted)

    def collect(self, token: str, transaction_id: JsonValue) -> CredentialAnswer:
        """Issue what was deferred, or say that it takes longer (section 9).

        Raises:
            ProtocolError: The request is refused; the code says why.
        """
        offer = self.check_token(token)
        if (
            not isinstance(transaction_id, str)
            or offer.transaction_hash != hash_secret(transaction_id)
            or offer.requested is None
        ):
            raise ProtocolError("invalid_transaction_id", "transaction_id: unknown or used")
        if offer.review == "waiting":
            return CredentialAnswer.deferred(transaction_id)
        if offer.review == "refused":
            raise ProtocolError("credential_request_denied", "the review refused it")
        wanted, case = Wanted.read(unseal(offer.requested, token))
        if self._face_tests is not None and self._is_face_tested(offer, token):
            portrait = attributes_of(offer, token).portrait
            subject = self._face_tests.subject_of_issuance(token, wanted.keys, portrait)
            is_passed = case and self._face_tests.is_passed(case, subject)
            if case is not None and is_passed is None:
                return CredentialAnswer.deferred(transaction_id, case)
            if not is_passed:
                # Not passed: the person may try again.
                return self._begin_face_test(self._face_tests, offer, token, wanted)
        return self._issue(offer, token, wanted)

    def notify(self, token: str, request: JsonObject) -> None:
        """Note what a wallet says has become of its credentials (section 11).

        Raises:
            ProtocolError: The notification is refused; the code says why.
        """
        offer = self.check_token(token)
        notification_id, event = request.get("notification_id"), request.get("event")
        if not isinstance(notification_id, str):
            raise ProtocolError("invalid_notification_request", "notification_id is missing")
        if event not in get_args(NotificationEvent):
            raise ProtocolError("invalid_notification_request", "event: not one of section 11.1")
        issued: JsonObject = {}
        if offer.issued is not None:
            issued = parse_strict_json_object(unseal(offer.issued, token))
        if issued.get("notification_id") != notification_id:
            raise ProtocolError("invalid_notification_id", "notification_id: not this token's")
        self._store.credentials.set_event(
            hash_secret(notification_id), cast(NotificationEvent, event)
        )
        _log.info("notified", event_of_wallet=event)

    def _is_face_tested(self, offer: StoredOffer, token: str) -> bool:
        """Tell whether a face test comes first: not where a tested holder gets it anew."""
        is_renewal = self._store.credentials.find_renewal_of(hash_secret(token)) is not None
        return offer.prepared_record is None and not is_renewal

    def _begin_face_test(
        self, face_tests: FaceTests, offer: StoredOffer, token: str, wanted: Wanted
    ) -> CredentialAnswer:
        self._check_accounts(wanted.keys)
        portrait = attributes_of(offer, token).portrait
        case = face_tests.begin(face_tests.subject_of_issuance(token, wanted.keys, portrait))
        return self._defer(offer, token, wanted, case)

    def _defer(
        self, offer: StoredOffer, token: str, wanted: Wanted, case: FaceCase | None = None
    ) -> CredentialAnswer:
        if offer.review == "refused":
            raise ProtocolError("credential_request_denied", "the review refused it")
        self._check_accounts(wanted.keys)
        transaction_id = new_secret()
        # Who asks again gets another id: an earlier answer may have been lost on its way.
        self._store.offers.defer(
            hash_secret(token),
            transaction_hash=hash_secret(transaction_id),
            requested=seal(wanted.keep(case), token),
        )
        _log.info("credential_deferred")
        return CredentialAnswer.deferred(transaction_id, case)

    def _issue(self, offer: StoredOffer, token: str, wanted: Wanted) -> CredentialAnswer:
        if offer.grant_id and self._store.refresh_tokens.has_suspended(offer.grant_id):
            raise ProtocolError(
                "credential_request_denied", "a credential of the same grant is suspended"
            )
        with self._leased(token) as until_ms:
            credentials = self._sign_and_anchor(offer, token, wanted)
            notification_id = new_secret()
            answer = CredentialAnswer.given_out(credentials, notification_id)
            now_ms = self._now_ms()
            rows = [
                StoredCredential(
                    record_id=made.record_id,
                    reference=offer.reference,
                    state="active",
                    issued_at_ms=now_ms,
                    expires_at_ms=made.expires_at_ms,
                    list_id=None if made.list_place is None else made.list_place.list_id,
                    list_index=None if made.list_place is None else made.list_place.reference.index,
                    batch_id=None if made.inclusion is None else made.inclusion.batch,
                    notification_hash=hash_secret(notification_id),
                    grant_id=offer.grant_id,
                )
                for made in credentials
                if offer.prepared_record is None
            ]
            is_recorded = self._store.offers.record_issuance(
                hash_secret(token),
                until_ms,
                credentials=rows,
                issued=seal(wanted.keep_answered(answer), token),
                expires_at_ms=now_ms + TOKEN_SECONDS * 1000,
            )
            if not is_recorded:
                # Nobody has these credentials yet, and nobody will.
                raise ProtocolError("credential_request_denied", "another request was faster")
            if offer.prepared_record is not None:
                self._store.credentials.set_notification(
                    offer.prepared_record, hash_secret(notification_id)
                )
        for made in credentials:
            _log.info("credential_issued", record=made.record_id)
        return answer

    @contextmanager
    def _nonces_spent(self, nonces: dict[str, int]) -> Iterator[None]:
        """Keep others from using the nonces; give them back where no answer came of it."""
        spent: list[str] = []
        is_done = False
        try:
            for nonce, expires_at_ms in nonces.items():
                if not self._store.nonces.spend(hash_secret(nonce), expires_at_ms):
                    raise ProtocolError("invalid_nonce", "the nonce was used before")
                spent.append(hash_secret(nonce))
            yield
            is_done = True
        finally:
            if not is_done:
                for nonce_hash in spent:
                    self._store.nonces.give_back(nonce_hash)

    @contextmanager
    def _leased(self, token: str) -> Iterator[int]:
        """Keep others from using the token; give it back where no credential came of it."""
        token_hash, now_ms = hash_secret(token), self._now_ms()
        until_ms = now_ms + LEASE_MS
        if not self._store.offers.lease(token_hash, now_ms=now_ms, until_ms=until_ms):
            raise ProtocolError(
                "temporarily_unavailable", "another request with this token is at work", status=503
            )
        is_done = False
        try:
            yield until_ms
            is_done = True
        finally:
            if not is_done:
                self._store.offers.end_lease(token_hash, until_ms)

    def _sign_and_anchor(
        self, offer: StoredOffer, token: str, wanted: Wanted
    ) -> tuple[IssuedCredential, ...]:
        keys = wanted.keys
        if offer.prepared_record is not None:
            self._check_accounts(keys)
            return (collect_prepared(self._store, offer, token, keys),)
        now_ms = self._now_ms()
        attributes = attributes_of(offer, token)
        # A whole day: the second at which it ends would tell a credential from all others.
        expires_at_ms = -(-now_ms // _DAY_MS) * _DAY_MS + self._credential_days * _DAY_MS
        renewal = self._store.credentials.find_renewal_of(hash_secret(token))
        self._check_accounts(keys)
        with _ledger_errors():
            if renewal is not None:
                self._revoke_replaced(renewal, keys)
                expires_at_ms = renewal.expires_at_ms
            return make_credentials(
                self._press,
                attributes,
                keys,
                today=day_in_japan(now_ms),
                expires_at_ms=expires_at_ms,
                credential_format=wanted.format,
            )

    def _check_accounts(self, keys: tuple[HolderKey, ...]) -> None:
        with _ledger_errors():
            check_accounts(keys, self._ledger)

    def _revoke_replaced(self, renewal: StoredRenewal, keys: tuple[HolderKey, ...]) -> None:
        """Revoke the credential that is issued anew, and what an earlier renewal made of it."""
        if [key.account for key in keys] != [renewal.account_id]:
            raise ProtocolError(
                "invalid_proof",
                f"key proof: a renewal stays with its account; name it in {ACCOUNT_CLAIM}",
            )
        for record_id in (renewal.record_id, renewal.replaced_by):
            state = "revoked" if record_id is None else self._revocations.state(record_id)
            if state == "suspended":
                raise ProtocolError(
                    "credential_request_denied", "the old credential is suspended; ask the issuer"
                )
            if record_id is not None and state == "active":
                self._revocations.change(record_id, "revoked")
                _log.info("credential_replaced", record=record_id)


@contextmanager
def _ledger_errors() -> Iterator[None]:
    """Tell a wallet what the ledger's, or the authorities', failures mean for it."""
    try:
        yield
    except TransportError as error:
        _log.error("ledger_unavailable", detail=str(error))
        raise ProtocolError(
            "temporarily_unavailable", "the ledger cannot be reached", status=503
        ) from None
    except FrostError as error:
        _log.error("authorities_unavailable", detail=str(error))
        raise ProtocolError(
            "temporarily_unavailable", "too few of the issuer's authorities signed", status=503
        ) from None
    except (TransactionFailedError, QueryFailedError) as error:
        _log.error("ledger_refused", detail=str(error))
        raise ProtocolError("server_error", "the ledger refuses this issuer", status=500) from None
