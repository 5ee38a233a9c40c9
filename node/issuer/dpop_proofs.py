"""DPoP at this service: tokens that only the key they were given to can use (RFC 9449)."""

from collections.abc import Callable
from typing import Final

from client_sdk.errors import ClientError
from client_sdk.openid4vci.dpop import (
    MAX_AGE_S,
    NONCE_HEADER,
    VerifiedDpopProof,
    verify_dpop_proof,
)
from node.errors import NonceError
from node.issuer.errors import ProtocolError
from node.issuer.one_time_secret import hash_secret
from node.issuer.store import IssuerStore
from node.web.nonce import NonceSealer

ALGORITHMS: Final = ("ES256", "EdDSA")


class DpopProofs:
    """Checks the proofs that come with requests."""

    def __init__(
        self,
        store: IssuerStore,
        nonces: NonceSealer,
        *,
        public_url: str,
        required: bool,
        now_ms: Callable[[], int],
    ) -> None:
        """Make the check.

        Args:
            store: Remembers the proofs that were used.
            nonces: Makes the server's nonces.
            public_url: Where wallets reach this service.
            required: Whether every token is bound to a key, and proofs answer a nonce (HAIP 1.0).
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._nonces = nonces
        self._public_url = public_url
        self._is_required = required
        self._now_ms = now_ms

    def new_nonce(self) -> str:
        """Return a nonce for proofs."""
        return self._nonces.new_nonce(self._now_ms())

    def check_request(self, proofs: list[str], *, path: str, is_optional: bool) -> str | None:
        """Return the thumbprint of the key that a token is to be bound to; None for none.

        Args:
            proofs: The values of the header, all of them.
            path: The endpoint's, below the service's address.
            is_optional: Whether the request may come without, also where tokens must be bound.

        Raises:
            ProtocolError: A proof is missing or not acceptable (`invalid_dpop_proof`), or answers
                no nonce where it must (`use_dpop_nonce`).
        """
        if not proofs:
            if self._is_required and not is_optional:
                raise ProtocolError("invalid_dpop_proof", "DPoP: the header is missing")
            return None
        return self._verify(proofs, path, access_token=None, status=400).jkt

    def check_use(
        self, proofs: list[str], *, path: str, access_token: str, expected_jkt: str
    ) -> None:
        """Refuse a token that comes without a proof of the key that it is bound to.

        Raises:
            ProtocolError: As for `check_request`, or the proof is of another key
                (`invalid_token`).
        """
        if not proofs:
            raise ProtocolError("invalid_dpop_proof", "DPoP: the header is missing", status=401)
        proof = self._verify(proofs, path, access_token=access_token, status=401)
        if proof.jkt != expected_jkt:
            raise ProtocolError("invalid_token", "DPoP: the token is another key's", status=401)

    def _verify(
        self, proofs: list[str], path: str, *, access_token: str | None, status: int
    ) -> VerifiedDpopProof:
        if len(proofs) != 1:
            raise ProtocolError("invalid_dpop_proof", "DPoP: two headers", status=status)
        try:
            proof = verify_dpop_proof(
                proofs[0],
                method="POST",
                url=f"{self._public_url}{path}",
                access_token=access_token,
                now_s=self._now_ms() // 1000,
            )
        except ClientError as error:
            raise ProtocolError("invalid_dpop_proof", str(error), status=status) from None
        if proof.nonce is None and self._is_required:
            raise self._nonce_needed("DPoP: no nonce", status)
        if proof.nonce is not None:
            try:
                self._nonces.check_nonce(proof.nonce, self._now_ms())
            except NonceError as error:
                raise self._nonce_needed(f"DPoP: {error}", status) from None
        used_until_ms = self._now_ms() + 2 * MAX_AGE_S * 1000
        if not self._store.nonces.spend(
            hash_secret(f"dpop {proof.jkt} {proof.jti}"), used_until_ms
        ):
            raise ProtocolError("invalid_dpop_proof", "DPoP: used before (jti)", status=status)
        return proof

    def _nonce_needed(self, check: str, status: int) -> ProtocolError:
        headers = {NONCE_HEADER: self.new_nonce()}
        return ProtocolError("use_dpop_nonce", check, status=status, headers=headers)
