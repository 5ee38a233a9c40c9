"""Renewals: a credential is revoked, and issued anew to the key that its account has now.

After a recovery the holder's account has another key, and credentials that are bound to the lost
one can no longer be shown. The issuer keeps no attributes; the wallet brings the old credential, on
which the issuer's own signature stands. It is issued anew only

- to a key that the ledger calls a signatory of the account that the old credential names,
- where the old credential's own key is a signatory no more,
- where no recovery of that account is open,
- as long as the old one would have lasted, and once the old one is revoked.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeVar

import structlog

from chaincode.encoding import JsonObject, decode_base64url
from chaincode.records import NO_ID, BatchRecord, CredentialRecord, IdentityRecord
from chaincode.records.recovery import RecoveryStatus
from chaincode.signatures import KeyAlgorithm, PublicKey
from client_sdk.credentials.jose import Key
from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE, resident_attributes
from client_sdk.credentials.sd_jwt_vc_claims import PLACE_CLAIM
from client_sdk.errors import AnchorError, ClientError, QueryFailedError
from client_sdk.formats import ReadCredential, attributes_of, find_format
from client_sdk.openid4vci.account_assertion import VerifiedAssertion, verify_account_assertion
from node.errors import NonceError
from node.issuer.access_tokens import (
    TOKEN_SECONDS,
    AccessToken,
    TokenTerms,
    new_identifier,
    redeemed_offer,
)
from node.issuer.attributes import encode_attributes
from node.issuer.configurations import CONFIGURATION_ID
from node.issuer.errors import ProtocolError
from node.issuer.one_time_secret import hash_secret, new_secret
from node.issuer.revocations import Revocations, State
from node.issuer.store import IssuerStore
from node.issuer.tables import StoredCredential, StoredRenewal
from node.web.nonce import NonceSealer

LEEWAY_S: Final = 60
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")
_Record = TypeVar("_Record", bound=IdentityRecord)


class RenewalLedger(Protocol):
    """What is read here: `client_sdk.ledger.client.LedgerClient` has it."""

    def record(self, account_id: str, record_id: str, kind: type[_Record]) -> _Record | None:
        """Return an account's own identity record, or None where there is no valid one."""

    def signatories(self, account_id: str) -> frozenset[str]:
        """Return the public keys of an account."""


class Renewals:
    """Gives a token to whom a credential is owed anew. Its issuance revokes the old one first."""

    def __init__(
        self,
        store: IssuerStore,
        ledger: RenewalLedger,
        nonces: NonceSealer,
        *,
        public_url: str,
        ledger_id: str,
        account: str,
        signing_key: Key,
        configurations: Mapping[str, str],
        revocations: Revocations,
        now_ms: Callable[[], int],
    ) -> None:
        """Make the renewals' desk.

        Args:
            store: Where renewals are kept.
            ledger: Says which keys an account has, and what is revoked.
            nonces: Knows the issuer's nonces.
            public_url: The issuer's identifier.
            ledger_id: The ledger's id.
            account: The issuer's account.
            signing_key: The key that credentials are signed with.
            configurations: The formats of the issuer's credential configurations.
            revocations: Knows the states of credentials that stand in a batch.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._ledger = ledger
        self._nonces = nonces
        self._public_url = public_url
        self._ledger_id = ledger_id
        self._account = account
        self._signing_key = signing_key
        self._configurations = configurations
        self._revocations = revocations
        self._now_ms = now_ms

    def redeem(self, assertion: str, credential: str, terms: TokenTerms) -> AccessToken:
        """Exchange the word of an account's key, and the old credential, for a token.

        Args:
            assertion: The account's assertion.
            credential: The credential to issue anew, with all its disclosures.
            terms: To whom the token is given. The configuration that they name says which format
                the credential is in; `resident` where they name none.

        Raises:
            ProtocolError: They do not prove that a new one is owed; the text says what is missing.
            TransportError: The ledger cannot be reached.
        """
        proven = self._verify_assertion(assertion)
        old = self._verify_credential(credential, terms.named or CONFIGURATION_ID)
        record_id = self._place_of(old, proven.account)
        issued = self._store.credentials.find(record_id)
        # The nonce last: a wallet that is told to wait uses none up.
        expires_at_ms = self._check_ledger(old, proven, record_id, issued)
        try:
            attributes = resident_attributes(attributes_of(old))
        except ClientError as error:
            raise _refused(f"the old credential: {error}") from None
        self._spend_nonce(proven.nonce)
        token, identifier = new_secret(), new_identifier(terms.named)
        is_begun = self._store.credentials.begin_renewal(
            StoredRenewal(
                record_id=record_id,
                account_id=proven.account,
                token_hash=hash_secret(token),
                expires_at_ms=expires_at_ms,
            ),
            redeemed_offer(
                encode_attributes(attributes),
                token,
                terms,
                reference=None if issued is None else issued.reference,
                identifier=identifier,
                expires_at_ms=self._now_ms() + TOKEN_SECONDS * 1000,
            ),
        )
        if not is_begun:
            raise _refused("the old credential is revoked; ask at the counter")
        _log.info("renewal_begun", record=record_id)
        return AccessToken(
            token=token,
            lifetime_s=TOKEN_SECONDS,
            is_bound=terms.dpop_jkt is not None,
            identifier=identifier,
        )

    def _spend_nonce(self, nonce: str) -> None:
        try:
            expires_at_ms = self._nonces.check_nonce(nonce, self._now_ms())
        except NonceError as error:
            raise ProtocolError("invalid_nonce", str(error)) from None
        if not self._store.nonces.spend(hash_secret(nonce), expires_at_ms):
            raise ProtocolError("invalid_nonce", "the nonce was used before; ask for a new one")

    def _verify_assertion(self, assertion: str) -> VerifiedAssertion:
        try:
            return verify_account_assertion(
                assertion,
                expected_issuer=self._public_url,
                now_s=self._now_ms() // 1000,
                leeway_s=LEEWAY_S,
            )
        except ClientError as error:
            raise _refused(str(error)) from None

    def _verify_credential(self, credential: str, configuration: str) -> ReadCredential:
        known = find_format(self._configurations[configuration])
        try:
            return known.verify(
                credential,
                find_issuer_key=lambda _old: self._signing_key,
                expected_types=[(RESIDENT_CREDENTIAL_TYPE,)],
                binding=None,
                now_s=self._now_ms() // 1000,
                leeway_s=0,
            )
        except ClientError as error:
            raise _refused(f"the old credential: {error}") from None

    def _place_of(self, old: ReadCredential, account: str) -> str:
        """Return the record of a credential of this issuer that names this account."""
        match old.claims.get(PLACE_CLAIM):
            case {"ledger": ledger, "issuer": issuer, "account": holder, "record": str(record)}:
                if (ledger, issuer, holder) == (self._ledger_id, self._account, account):
                    return record
        raise _refused("the old credential is not this issuer's, or names another account")

    def _check_ledger(
        self,
        old: ReadCredential,
        proven: VerifiedAssertion,
        record_id: str,
        issued: StoredCredential | None,
    ) -> int:
        """Return when the old credential expires, where the ledger allows that it is issued anew.

        Args:
            old: The old credential.
            proven: Who asks.
            record_id: Its id.
            issued: What this service keeps of it; None where that is nothing.
        """
        keys = self._signatories(proven.account)
        if _signatory(proven.holder_key) not in keys:
            raise _refused("the key that asks is no signatory of the account")
        if old.holder_key is None or _signatory(old.holder_key) in keys:
            raise _refused("the old credential's key is still the account's: it needs no renewal")
        status = self._ledger.record(proven.account, NO_ID, RecoveryStatus)
        if status is not None and status.is_open_recovery(self._now_ms()):
            raise _refused("a recovery of the account is open: ask again when it has ended")
        state, expires_at_ms = self._read_anchor(old, record_id, issued)
        renewal = self._store.credentials.find_renewal(record_id)
        is_owed = renewal is not None and renewal.account_id == proven.account
        if state == "suspended" or (state == "revoked" and not is_owed):
            raise _refused(f"the old credential is {state}; ask at the counter")
        return expires_at_ms

    def _read_anchor(
        self, old: ReadCredential, record_id: str, issued: StoredCredential | None
    ) -> tuple[State, int]:
        """Return the old credential's state, and when it expires, by its record or its batch."""
        if issued is not None and issued.batch_id is not None:
            inclusion = self._store.batches.inclusion(issued)
            batch = self._ledger.record(self._account, issued.batch_id, BatchRecord)
            if inclusion is None or batch is None:
                raise _refused("the ledger does not hold the batch of the old credential")
            try:
                inclusion.check(old.anchored_hash, batch)
            except AnchorError as error:
                raise _refused(str(error)) from None
            return self._revocations.state(record_id), issued.expires_at_ms
        record = self._ledger.record(self._account, record_id, CredentialRecord)
        if record is None or record.salted_hash != old.anchored_hash:
            raise _refused("the ledger's record is of another credential")
        return record.state, record.expires_at_ms

    def _signatories(self, account: str) -> frozenset[str]:
        try:
            return self._ledger.signatories(account)
        except QueryFailedError as error:
            if not error.is_absence:
                raise
            return frozenset()


def _refused(why: str) -> ProtocolError:
    return ProtocolError("invalid_grant", why)


def _signatory(jwk: JsonObject) -> str:
    """Return the signatory that an Ed25519 JWK is; no key of another kind is one."""
    if jwk.get("crv") != "Ed25519":
        return ""
    return PublicKey(KeyAlgorithm.ED25519_SHA2, decode_base64url(str(jwk["x"]))).encode()
