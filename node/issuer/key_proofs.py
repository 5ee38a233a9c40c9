"""The proofs of a credential request: whose keys, for which accounts (section 8.2, appendix F)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from chaincode.encoding import JsonValue, decode_base64url
from chaincode.signatures import KeyAlgorithm, PublicKey
from client_sdk.credentials.jose import EDDSA, algorithm_of, parse_public_jwk, thumbprint
from client_sdk.errors import ClientError, QueryFailedError
from client_sdk.openid4vci.key_attestation import (
    KeyAttestation,
    KeyDemand,
    verify_key_attestation,
)
from client_sdk.openid4vci.key_proof import ACCOUNT_CLAIM, VerifiedKeyProof, verify_key_proof
from client_sdk.strict_json import text_list
from node.errors import NonceError
from node.issuer.accounts import AccountLedger
from node.issuer.credential_maker import HolderKey
from node.issuer.errors import ProtocolError
from node.web.nonce import NONCE_SECONDS, NonceSealer

LEEWAY_S: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenKeys:
    """Keys that are known to be the wallet's.

    Attributes:
        keys: In the order of their proofs, all different.
        nonces: The nonces that the proofs answer, with when each expires.
    """

    keys: tuple[HolderKey, ...]
    nonces: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationPolicy:
    """What an issuer makes of key attestations (appendix D).

    Attributes:
        anchors: Who vouches for wallets' providers; where nobody does, attestations are not read.
        demand: What every key must be attested to be; None where none need be.
    """

    anchors: Sequence[x509.Certificate] = ()
    demand: KeyDemand | None = None


class KeyProofs:
    """Verifies the proofs of requests."""

    def __init__(
        self,
        nonces: NonceSealer,
        *,
        public_url: str,
        batch_size: int,
        attestations: AttestationPolicy,
        now_ms: Callable[[], int],
    ) -> None:
        """Make a verifier.

        Args:
            nonces: Knows the issuer's nonces.
            public_url: The issuer's identifier.
            batch_size: How many keys a request may have.
            attestations: What is made of key attestations.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._nonces = nonces
        self._public_url = public_url
        self._batch_size = batch_size
        self._attestations = attestations
        self._now_ms = now_ms

    def verify(self, proofs: JsonValue, *, client_id: str | None) -> ProvenKeys:
        """Return the keys that the proofs of a request are of.

        Args:
            proofs: The request's member `proofs`.
            client_id: Who got the token; None for a wallet that named itself by nothing.

        Raises:
            ProtocolError: A proof is missing or not acceptable (`invalid_proof`), or answers no
                nonce of this issuer (`invalid_nonce`).
        """
        match proofs:
            case {"jwt": tokens, **others} if not others:
                proven = self._verify_jwts(self._texts(tokens, "jwt"), client_id)
            case {"attestation": tokens, **others} if not others and self._attestations.anchors:
                proven = self._verify_attestations(self._texts(tokens, "attestation"))
            case _:
                raise ProtocolError("invalid_proof", "proofs: exactly one list, jwt, is expected")
        if len(proven.keys) > self._batch_size:
            raise ProtocolError("invalid_proof", f"proofs: {self._batch_size} keys at most")
        return proven

    def _verify_jwts(self, proofs: Sequence[str], client_id: str | None) -> ProvenKeys:
        verified = [self._verify(proof, client_id) for proof in proofs]
        keys = {_name(proof): _holder_key(proof) for proof in verified}
        if len(keys) != len(verified):
            raise ProtocolError("invalid_proof", "proofs: a key stands there twice")
        nonces: dict[str, int] = {}
        for proof in verified:
            nonces |= self._check_nonce(proof.nonce)
            attestation = self._attestation_of(proof)
            if attestation is not None:
                # A credential for each attested key: one of them speaks for all.
                nonces |= self._check_nonce(attestation.nonce)
                keys = _with_attested(attestation) | keys
        return ProvenKeys(keys=tuple(keys.values()), nonces=nonces)

    def _verify_attestations(self, tokens: Sequence[str]) -> ProvenKeys:
        if len(tokens) != 1:
            raise ProtocolError("invalid_proof", "proofs.attestation: exactly one is expected")
        attestation = self._verify_attestation(tokens[0])
        keys = tuple(_with_attested(attestation).values())
        return ProvenKeys(keys=keys, nonces=self._check_nonce(attestation.nonce))

    def _attestation_of(self, proof: VerifiedKeyProof) -> KeyAttestation | None:
        """Return the attestation that came with a proof, verified; None where none is read."""
        if proof.unverified_attestation is None or not self._attestations.anchors:
            if self._attestations.demand is not None:
                raise ProtocolError("invalid_proof", "key proof: its key_attestation is missing")
            return None
        attestation = self._verify_attestation(proof.unverified_attestation)
        if attestation.expires_at is None:
            raise ProtocolError("invalid_proof", "key attestation: exp is missing")
        if proof.holder_key not in attestation.keys:
            raise ProtocolError("invalid_proof", "key attestation: it is of other keys")
        return attestation

    def _verify_attestation(self, token: str) -> KeyAttestation:
        try:
            attestation = verify_key_attestation(
                token,
                anchors=self._attestations.anchors,
                now_s=self._now_ms() // 1000,
                leeway_s=LEEWAY_S,
            )
            attestation.check_demand(self._attestations.demand or KeyDemand())
        except ClientError as error:
            raise ProtocolError("invalid_proof", str(error)) from None
        return attestation

    def _check_nonce(self, nonce: str | None) -> dict[str, int]:
        if nonce is None:
            raise ProtocolError("invalid_proof", "key attestation: it holds no nonce")
        try:
            return {nonce: self._nonces.check_nonce(nonce, self._now_ms())}
        except NonceError as error:
            raise ProtocolError("invalid_nonce", str(error)) from None

    def _texts(self, proofs: JsonValue, kind: str) -> tuple[str, ...]:
        found = text_list(proofs)
        if not 1 <= len(found) <= self._batch_size:
            raise ProtocolError("invalid_proof", f"proofs.{kind}: 1 to {self._batch_size} proofs")
        return found

    def _verify(self, proof: str, client_id: str | None) -> VerifiedKeyProof:
        try:
            verified = verify_key_proof(
                proof,
                expected_issuer=self._public_url,
                client_id=client_id,
                now_s=self._now_ms() // 1000,
                max_age_s=NONCE_SECONDS,
                leeway_s=LEEWAY_S,
            )
        except ClientError as error:
            raise ProtocolError("invalid_proof", str(error)) from None
        if verified.account and algorithm_of(parse_public_jwk(verified.holder_key)) != EDDSA:
            # The holder's key is the key of the ledger account, which is an Ed25519 key.
            raise ProtocolError("invalid_proof", "key proof: an account's key is on Ed25519")
        return verified


def _name(proof: VerifiedKeyProof) -> str:
    return thumbprint(parse_public_jwk(proof.holder_key))


def _holder_key(proof: VerifiedKeyProof) -> HolderKey:
    return HolderKey(jwk=proof.holder_key, account=proof.account)


def _with_attested(attestation: KeyAttestation) -> dict[str, HolderKey]:
    """Return attested keys by their thumbprints; nobody but their holder can name an account."""
    return {
        thumbprint(parse_public_jwk(jwk)): HolderKey(jwk=jwk, account=None)
        for jwk in attestation.keys
    }


def check_accounts(keys: tuple[HolderKey, ...], ledger: AccountLedger) -> None:
    """Refuse an account that the proof's key is no signatory of: it is another's.

    Raises:
        ProtocolError: It is (`invalid_proof`).
        QueryFailedError: The ledger does not answer this issuer.
        TransportError: The ledger cannot be reached.
    """
    for key in keys:
        if key.account is None:
            continue
        public_key = PublicKey(KeyAlgorithm.ED25519_SHA2, decode_base64url(str(key.jwk["x"])))
        try:
            signatories = ledger.signatories(key.account)
        except QueryFailedError as error:
            if not error.is_absence:
                raise
            signatories = frozenset()
        if public_key.encode() not in signatories:
            raise ProtocolError(
                "invalid_proof",
                f"key proof: its key is no signatory of the ledger account in {ACCOUNT_CLAIM}",
            )
