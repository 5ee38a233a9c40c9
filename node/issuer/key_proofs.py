"""The proofs of a credential request: whose keys, for which accounts (section 8.2, appendix F)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chaincode.encoding import JsonValue, decode_base64url
from chaincode.signatures import KeyAlgorithm, PublicKey
from client_sdk.credentials.jose import EDDSA, algorithm_of, parse_public_jwk, thumbprint
from client_sdk.errors import ClientError, QueryFailedError
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


class KeyProofs:
    """Verifies the proofs of requests."""

    def __init__(
        self,
        nonces: NonceSealer,
        *,
        public_url: str,
        batch_size: int,
        now_ms: Callable[[], int],
    ) -> None:
        """Make a verifier.

        Args:
            nonces: Knows the issuer's nonces.
            public_url: The issuer's identifier.
            batch_size: How many proofs a request may have.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._nonces = nonces
        self._public_url = public_url
        self._batch_size = batch_size
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
        verified = [self._verify(proof, client_id) for proof in self._parse(proofs)]
        keys = tuple(HolderKey(jwk=proof.holder_key, account=proof.account) for proof in verified)
        if len({thumbprint(parse_public_jwk(key.jwk)) for key in keys}) != len(keys):
            raise ProtocolError("invalid_proof", "proofs: a key stands there twice")
        nonces: dict[str, int] = {}
        for proof in verified:
            try:
                nonces[proof.nonce] = self._nonces.check_nonce(proof.nonce, self._now_ms())
            except NonceError as error:
                raise ProtocolError("invalid_nonce", str(error)) from None
        return ProvenKeys(keys=keys, nonces=nonces)

    def _parse(self, proofs: JsonValue) -> tuple[str, ...]:
        if not isinstance(proofs, dict) or list(proofs) != ["jwt"]:
            raise ProtocolError("invalid_proof", "proofs: exactly one list, jwt, is expected")
        found = text_list(proofs["jwt"])
        if not 1 <= len(found) <= self._batch_size:
            raise ProtocolError("invalid_proof", f"proofs.jwt: 1 to {self._batch_size} proofs")
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
