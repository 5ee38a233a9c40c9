"""Who asks: the holder of the card, of the wallet, of the password, or of the counter's word."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from client_sdk.credentials.jose import Key
from client_sdk.errors import AttestationError, RequestProofError
from client_sdk.escrow.counter_token import CounterToken, verify_counter_token
from client_sdk.escrow.deposit_statement import DepositStatement, handle_of
from client_sdk.escrow.request_proof import VerifiedRequest, verify_request
from node.errors import NonceError
from node.escrow.errors import CallerRefusedError, ProofRefusedError, TokenRefusedError
from node.escrow.store import HolderTransaction
from node.web.nonce import NonceSealer


class Role(StrEnum):
    """As whom a request comes; the log names it."""

    CARD = "card"
    OWNER = "owner"
    SUCCESS = "success"
    COUNTER = "counter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The sender of one request.

    Attributes:
        key: The thumbprint of the key that the sender holds.
        nonce: The agent's own nonce that it answered; spent in the request's transaction.
        nonce_expires_ms: When the nonce expires.
    """

    key: str
    nonce: str
    nonce_expires_ms: int

    def spend_nonce(self, transaction: HolderTransaction) -> None:
        """Make sure that the request is not sent a second time.

        Raises:
            ProofRefusedError: It was.
        """
        if not transaction.spend(self.nonce, expires_at_ms=self.nonce_expires_ms):
            raise ProofRefusedError("The nonce was used before; ask for a new one.")

    def role(self, handle: str, statements: Iterable[DepositStatement]) -> Role | None:
        """Return as whom the sender asks about a handle; None for a stranger."""
        if handle_of(self.key) == handle:
            return Role.CARD
        for statement in statements:
            if self.key == statement.success_key:
                return Role.SUCCESS
            if self.key == statement.owner_key:
                return Role.OWNER
        return None

    def require(self, handle: str, statements: Iterable[DepositStatement], *allowed: Role) -> Role:
        """Return as whom the sender asks.

        Raises:
            CallerRefusedError: It is none of those who may.
        """
        role = self.role(handle, statements)
        if role not in allowed:
            raise CallerRefusedError(
                f"It takes the key of the {' or the '.join(allowed)} of this deposit."
            )
        return role


class CallerDesk:
    """Finds out who sent a request."""

    def __init__(
        self,
        nonces: NonceSealer,
        *,
        public_url: str,
        issuer_keys: Mapping[str, Key],
        now_ms: Callable[[], int],
    ) -> None:
        """Make the desk.

        Args:
            nonces: Knows the agent's nonces.
            public_url: Where wallets reach the agent: what proofs name.
            issuer_keys: The keys of the issuers whose counters are trusted, by ledger account.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._nonces = nonces
        self._public_url = public_url
        self._issuer_keys = issuer_keys
        self._now_ms = now_ms

    def new_nonce(self) -> str:
        """Return a nonce for one request."""
        return self._nonces.new_nonce(self._now_ms())

    def identify(self, proof: str | None, *, method: str, path: str, body: bytes) -> Caller:
        """Return who sent a request.

        Raises:
            ProofRefusedError: The request does not prove it.
        """
        if proof is None:
            raise ProofRefusedError("Send a proof of possession in the header DPoP (RFC 9449).")
        try:
            request: VerifiedRequest = verify_request(
                proof, method=method, url=f"{self._public_url}{path}", body=body
            )
            expires_ms = self._nonces.check_nonce(request.nonce, self._now_ms())
        except (RequestProofError, NonceError) as error:
            raise ProofRefusedError(str(error)) from None
        return Caller(key=request.key, nonce=request.nonce, nonce_expires_ms=expires_ms)

    def read_counter_token(self, token: str, caller: Caller) -> CounterToken:
        """Return the word of an issuer's counter for the sender of a request.

        Raises:
            TokenRefusedError: It is not to be taken.
        """
        try:
            return verify_counter_token(
                token,
                keys=self._issuer_keys,
                expected_key=caller.key,
                now_s=self._now_ms() // 1000,
            )
        except AttestationError as error:
            raise TokenRefusedError(str(error)) from None
