"""Holders' accounts on the ledger: one for each enrolment code, under a name that tells nothing."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from chaincode.errors import DecodeError, SignatureInvalidError
from chaincode.signatures import parse_public_key, verify_signature
from client_sdk.errors import OfferError, QueryFailedError, TransactionFailedError
from client_sdk.issuer.anchor import IssuerLedger
from client_sdk.ledger.commands import create_account
from client_sdk.openid4vci.account_enrolment import enrolment_message
from node.errors import ApiError
from node.issuer.one_time_secret import hash_secret, new_enrolment_code
from node.issuer.store import IssuerStore
from node.issuer.tables import StoredEnrolment

ENROLMENT_TRIES: Final = 5
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")


class AccountLedger(IssuerLedger, Protocol):
    """What this service needs of a ledger: `client_sdk.ledger.client.LedgerClient` has it."""

    def signatories(self, account_id: str) -> frozenset[str]:
        """Return the public keys of an account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentCode:
    """A code for a person, good for one account.

    Attributes:
        code: Four groups of letters and digits.
        expires_at_ms: Milliseconds since 1970, UTC.
    """

    code: str = field(repr=False)
    expires_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRequest:
    """What a wallet sends.

    Attributes:
        enrolment_code: The code.
        account_id: The account that it wants.
        public_key: The account's key, in one of Iroha's forms.
        proof: The key's signature of `client_sdk.openid4vci.account_enrolment.enrolment_message`.
    """

    enrolment_code: str = field(repr=False)
    account_id: str
    public_key: str
    proof: str = field(repr=False)


class Accounts:
    """Makes accounts for wallets."""

    def __init__(
        self,
        store: IssuerStore,
        ledger: AccountLedger,
        *,
        public_url: str,
        holder_domain: str,
        enrolment_seconds: int,
        now_ms: Callable[[], int],
    ) -> None:
        """Make the accounts' desk.

        Args:
            store: Where enrolment codes are kept.
            ledger: A client of an account that may create accounts in the domain.
            public_url: The issuer's identifier.
            holder_domain: The domain of holders' accounts.
            enrolment_seconds: How long a code lasts.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._ledger = ledger
        self._public_url = public_url
        self._account_id = re.compile(rf"[a-z0-9]{{20,32}}@{re.escape(holder_domain)}")
        self._enrolment_seconds = enrolment_seconds
        self._now_ms = now_ms

    def create_code(self) -> EnrolmentCode:
        """Make an enrolment code."""
        code = new_enrolment_code()
        expires_at_ms = self._now_ms() + self._enrolment_seconds * 1000
        self._store.enrolments.add(
            StoredEnrolment(
                code_hash=hash_secret(code), tries_left=ENROLMENT_TRIES, expires_at_ms=expires_at_ms
            )
        )
        return EnrolmentCode(code=code, expires_at_ms=expires_at_ms)

    def register(self, request: AccountRequest) -> None:
        """Make the account; asking again with the same code, account and key does nothing more.

        A code stays with the account that it was first used for, also while the ledger cannot be
        reached: so it never makes two.

        Raises:
            ApiError: The code, the name, the key or the proof is not acceptable.
            TransportError: The ledger cannot be reached; the same request may be sent again.
            QueryFailedError: The ledger does not answer this issuer.
        """
        code_hash = hash_secret(request.enrolment_code)
        enrolment = self._store.enrolments.find(code_hash, self._now_ms())
        if enrolment is None:
            raise _refused_code()
        self._validate_form(request)
        if not self._is_proven(request):
            self._store.enrolments.count_wrong_proof(code_hash)
            raise ApiError(
                400,
                "invalid_proof",
                "The proof is not acceptable",
                "Sign the enrolment message of this service, account and code with the account's "
                "key. A code is locked after a few wrong proofs.",
            )
        if not self._store.enrolments.bind(code_hash, request.account_id):
            raise _refused_code()
        self._create(code_hash, request)
        _log.info("account_created")

    def _validate_form(self, request: AccountRequest) -> None:
        if not self._account_id.fullmatch(request.account_id):
            raise ApiError(
                422,
                "invalid_account_id",
                "The account's name is not acceptable",
                "A random name of 20 to 32 letters a-z and digits in the domain of holders is "
                "expected; the issuer's metadata names the domain.",
            )
        try:
            parse_public_key(request.public_key)
        except DecodeError as error:
            raise ApiError(
                422, "invalid_public_key", "The public key is not acceptable", f"{error}."
            ) from None

    def _is_proven(self, request: AccountRequest) -> bool:
        try:
            message = enrolment_message(
                issuer_url=self._public_url,
                account_id=request.account_id,
                public_key=request.public_key,
                enrolment_code=request.enrolment_code,
            )
            verify_signature(
                public_key=request.public_key, signature=request.proof, payload=message
            )
        except (OfferError, SignatureInvalidError):
            return False
        return True

    def _create(self, code_hash: str, request: AccountRequest) -> None:
        key = parse_public_key(request.public_key).encode()
        try:
            self._ledger.submit(create_account(request.account_id, key))
        except TransactionFailedError as error:
            # An earlier answer may have been lost on its way: then the account is there already.
            if self._has_key(request.account_id, key):
                return
            self._store.enrolments.unbind(code_hash, request.account_id)
            _log.error("ledger_refused", detail=str(error))
            raise ApiError(
                409,
                "account_refused",
                "The ledger made no such account",
                "The name may be taken: choose another random name and send again.",
            ) from None

    def _has_key(self, account_id: str, key: str) -> bool:
        try:
            return key in self._ledger.signatories(account_id)
        except QueryFailedError:
            return False


def _refused_code() -> ApiError:
    return ApiError(
        400,
        "invalid_enrolment",
        "The enrolment code is not acceptable",
        "It is wrong, used for another account, locked or expired. Ask the issuer for a new one.",
    )
