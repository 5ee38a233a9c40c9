"""Issuance: from an access token and a key proof to an anchored credential."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from chaincode.encoding import JsonObject, JsonValue, decode_base64url
from chaincode.signatures import KeyAlgorithm, PublicKey
from client_sdk.credentials.jose import EDDSA, algorithm_of, parse_public_jwk
from client_sdk.credentials.resident import (
    RESIDENT_CREDENTIAL_TYPE,
    concealed_paths,
    resident_claims,
)
from client_sdk.errors import (
    ClientError,
    FrostError,
    QueryFailedError,
    TransactionFailedError,
    TransportError,
)
from client_sdk.issuer import Issuer
from client_sdk.issuer_anchor import IssuedCredential
from client_sdk.openid4vci.key_proof import ACCOUNT_CLAIM, VerifiedKeyProof, verify_key_proof
from node.errors import NonceError
from node.issuer.accounts import AccountLedger
from node.issuer.errors import ProtocolError
from node.issuer.offers import CONFIGURATION_ID, attributes_of, day_in_japan
from node.issuer.one_time_secret import hash_secret
from node.issuer.store import IssuerStore, StoredCredential, StoredOffer, StoredRenewal
from node.web.nonce import NONCE_SECONDS, NonceSealer

LEEWAY_S: Final = 60
LEASE_MS: Final = 180_000
"""How long one request may issue; more than a ledger client waits for the ledger."""

_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuanceTerms:
    """How credentials are issued.

    Attributes:
        public_url: The issuer's identifier.
        credential_days: How long a credential lasts.
    """

    public_url: str
    credential_days: int


class Issuance:
    """Issues each offer's credential once, to the one who holds its token and a key."""

    def __init__(
        self,
        store: IssuerStore,
        issuer: Issuer,
        ledger: AccountLedger,
        nonces: NonceSealer,
        terms: IssuanceTerms,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        """Make the issuance desk.

        Args:
            store: Where offers are kept.
            issuer: Signs and anchors.
            ledger: Says which keys an account has.
            nonces: Knows the issuer's nonces.
            terms: How credentials are issued.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._issuer = issuer
        self._ledger = ledger
        self._nonces = nonces
        self._terms = terms
        self._now_ms = now_ms

    def new_nonce(self) -> str:
        """Return a nonce for one key proof."""
        return self._nonces.new_nonce(self._now_ms())

    def check_token(self, token: str) -> StoredOffer:
        """Return the offer that a token stands for.

        Raises:
            ProtocolError: Unknown, used or expired (`invalid_token`).
        """
        offer = self._store.find_token(hash_secret(token), self._now_ms())
        if offer is None:
            raise ProtocolError(
                "invalid_token", "the access token is unknown, used or expired", status=401
            )
        return offer

    def issue(self, token: str, request: JsonObject) -> IssuedCredential:
        """Issue the credential that a request asks for (OpenID4VCI 1.0 section 8).

        Where the ledger cannot be reached, token and nonce can be used again.

        Args:
            token: The access token.
            request: The credential request.

        Raises:
            ProtocolError: The request is refused; the code says why.
        """
        offer = self.check_token(token)
        _validate_request(request)
        proof = self._verify_proof(_only_proof(request.get("proofs")))
        try:
            nonce_expires_ms = self._nonces.check_nonce(proof.nonce, self._now_ms())
        except NonceError as error:
            raise ProtocolError("invalid_nonce", str(error)) from None
        with self._reserved(token, proof.nonce, nonce_expires_ms) as until_ms:
            issued = self._sign_and_anchor(offer, token, proof)
            credential = StoredCredential(
                record_id=issued.record_id,
                reference=offer.reference,
                state="active",
                issued_at_ms=self._now_ms(),
                expires_at_ms=issued.expires_at_ms,
            )
            if not self._store.record_issuance(hash_secret(token), until_ms, credential):
                # Nobody has this credential yet, and nobody will.
                raise ProtocolError("credential_request_denied", "another request was faster")
        _log.info("credential_issued", record=issued.record_id)
        return issued

    @contextmanager
    def _reserved(self, token: str, nonce: str, nonce_expires_ms: int) -> Iterator[int]:
        """Keep others from using nonce and token; give both back where no credential came of it."""
        token_hash, nonce_hash, now_ms = hash_secret(token), hash_secret(nonce), self._now_ms()
        until_ms = now_ms + LEASE_MS
        if not self._store.spend_nonce(nonce_hash, nonce_expires_ms):
            raise ProtocolError("invalid_nonce", "the nonce was used before; ask for a new one")
        if not self._store.lease_offer(token_hash, now_ms=now_ms, until_ms=until_ms):
            self._store.return_nonce(nonce_hash)
            raise ProtocolError(
                "invalid_token", "another request with this token is being answered", status=401
            )
        is_done = False
        try:
            yield until_ms
            is_done = True
        finally:
            if not is_done:
                self._store.end_lease(token_hash, until_ms)
                self._store.return_nonce(nonce_hash)

    def _verify_proof(self, proof: str) -> VerifiedKeyProof:
        try:
            verified = verify_key_proof(
                proof,
                expected_issuer=self._terms.public_url,
                now_s=self._now_ms() // 1000,
                max_age_s=NONCE_SECONDS,
                leeway_s=LEEWAY_S,
            )
        except ClientError as error:
            raise ProtocolError("invalid_proof", str(error)) from None
        if algorithm_of(parse_public_jwk(verified.holder_key)) != EDDSA:
            # The holder's key is the key of the ledger account, which is an Ed25519 key.
            raise ProtocolError("invalid_proof", "key proof: a key on Ed25519 is expected (EdDSA)")
        return verified

    def _sign_and_anchor(
        self, offer: StoredOffer, token: str, proof: VerifiedKeyProof
    ) -> IssuedCredential:
        now_ms = self._now_ms()
        claims = resident_claims(attributes_of(offer, token), on=day_in_japan(now_ms))
        expires_at_ms = now_ms + self._terms.credential_days * 86_400_000
        renewal = self._store.find_renewal_of(hash_secret(token))
        try:
            self._check_account(proof)
            if renewal is not None:
                self._revoke_replaced(renewal, proof)
                expires_at_ms = renewal.expires_at_ms
            return self._issuer.issue(
                claims,
                concealed=concealed_paths(claims),
                credential_type=RESIDENT_CREDENTIAL_TYPE,
                holder_key=proof.holder_key,
                holder_account=proof.account,
                expires_at_ms=expires_at_ms,
            )
        except TransportError as error:
            _log.error("ledger_unavailable", detail=str(error))
            raise ProtocolError(
                "temporarily_unavailable",
                "the ledger cannot be reached; nothing was used up, send the same again",
                status=503,
            ) from None
        except FrostError as error:
            _log.error("authorities_unavailable", detail=str(error))
            raise ProtocolError(
                "temporarily_unavailable",
                "too few of the issuer's authorities signed; nothing was used up, send the same "
                "again, and tell its operator if this lasts",
                status=503,
            ) from None
        except (TransactionFailedError, QueryFailedError) as error:
            _log.error("ledger_refused", detail=str(error))
            raise ProtocolError(
                "server_error", "the ledger refuses this issuer; tell its operator", status=500
            ) from None

    def _revoke_replaced(self, renewal: StoredRenewal, proof: VerifiedKeyProof) -> None:
        """Revoke the credential that is issued anew, and what an earlier renewal made of it."""
        if proof.account != renewal.account_id:
            raise ProtocolError(
                "invalid_proof",
                f"key proof: a renewal stays with its account; name it in {ACCOUNT_CLAIM}",
            )
        for record_id in (renewal.record_id, renewal.replaced_by):
            state = "revoked" if record_id is None else self._issuer.state(record_id)
            if state == "suspended":
                raise ProtocolError(
                    "credential_request_denied", "the old credential is suspended; ask the issuer"
                )
            if record_id is not None and state == "active":
                self._issuer.revoke(record_id)
                self._store.set_credential_state(record_id, "revoked")
                _log.info("credential_replaced", record=record_id)

    def _check_account(self, proof: VerifiedKeyProof) -> None:
        """Refuse an account that the proof's key is no signatory of: it is another's."""
        if proof.account is None:
            return
        raw = decode_base64url(str(proof.holder_key["x"]))
        key = PublicKey(KeyAlgorithm.ED25519_SHA2, raw).encode()
        try:
            keys = self._ledger.signatories(proof.account)
        except QueryFailedError as error:
            if not error.is_absence:
                raise
            keys = frozenset()
        if key not in keys:
            raise ProtocolError(
                "invalid_proof",
                f"key proof: its key is no signatory of the ledger account in {ACCOUNT_CLAIM}",
            )


def _validate_request(request: JsonObject) -> None:
    if "credential_response_encryption" in request:
        raise ProtocolError("invalid_encryption_parameters", "this issuer encrypts by TLS alone")
    if "credential_identifier" in request:
        if "credential_configuration_id" in request:
            raise ProtocolError(
                "invalid_credential_request", "name the credential in one way, not in two"
            )
        raise ProtocolError(
            "unknown_credential_identifier", "use credential_configuration_id with this issuer"
        )
    name = request.get("credential_configuration_id")
    if not isinstance(name, str):
        raise ProtocolError(
            "invalid_credential_request", "credential_configuration_id is missing or no text"
        )
    if name != CONFIGURATION_ID:
        raise ProtocolError(
            "unknown_credential_configuration", f"this issuer has only: {CONFIGURATION_ID}"
        )


def _only_proof(proofs: JsonValue) -> str:
    match proofs:
        case {"jwt": [str() as proof], **others} if not others:
            return proof
        case {"jwt": [_, _, *_]}:
            raise ProtocolError("invalid_proof", "this issuer takes one key proof a request")
        case _:
            raise ProtocolError("invalid_proof", "proofs holds one list, jwt, with one key proof")
