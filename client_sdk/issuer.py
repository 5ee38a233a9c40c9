"""An issuer: signs credentials, anchors them on the ledger, suspends and revokes them."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from chaincode.encoding import JsonObject
from chaincode.errors import DecodeError
from chaincode.ids import RECORD_ID, REGISTRY_ACCOUNT
from chaincode.protocol.commands_pb2 import Command
from chaincode.records import (
    CredentialRecord,
    CredentialState,
    IdentityRecord,
    IssuerRecord,
    encode_record,
)
from client_sdk.credentials.individual_number import has_individual_number
from client_sdk.credentials.jose import Key, thumbprint
from client_sdk.credentials.sd_jwt import parse_sd_jwt
from client_sdk.credentials.sd_jwt_vc import (
    CredentialSigner,
    anchor_hash,
    issue_credential,
    public_key_of,
)
from client_sdk.credentials.sd_jwt_vc_claims import PLACE_CLAIM
from client_sdk.credentials.selective_disclosure import Path
from client_sdk.errors import (
    CredentialFormatError,
    CredentialStateError,
    TransactionFailedError,
    UnknownCredentialError,
)
from client_sdk.ledger.client import CommittedTransaction
from client_sdk.ledger.commands import compare_and_set_account_detail, set_record
from client_sdk.ledger.grants import new_record_id, new_salt

_Record = TypeVar("_Record", bound=IdentityRecord)


class IssuerLedger(Protocol):
    """What an issuer needs of a ledger: `client_sdk.ledger.client.LedgerClient` has it."""

    def submit(self, *commands: Command) -> CommittedTransaction:
        """Commit the commands as one transaction of this client's account."""

    def record(self, account_id: str, record_id: str, kind: type[_Record]) -> _Record | None:
        """Return an account's own identity record, or None where there is no valid one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCredential:
    """A credential that is signed and anchored.

    Attributes:
        record_id: The id of its record on the ledger, 32 hex digits.
        expires_at_ms: Milliseconds since 1970, UTC; a whole second.
        credential: The SD-JWT VC with all its disclosures: for its holder only.
    """

    record_id: str
    expires_at_ms: int
    credential: str = field(repr=False)


class Issuer:
    """One issuer's account and key. Safe to share between threads."""

    def __init__(
        self,
        ledger: IssuerLedger,
        ledger_id: str,
        *,
        account: str,
        issuer_record: str,
        signing_key: Key | CredentialSigner,
        issuer_url: str,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Make an issuer.

        Args:
            ledger: A client of the issuer's account.
            ledger_id: The ledger's id, 64 hex digits.
            account: The issuer's account.
            issuer_record: The id of its `tg_issuer_` record in the registry.
            signing_key: The private key of a JWK in that record, or whoever has it.
            issuer_url: The `iss` claim: where the issuer's service is.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._ledger = ledger
        self._ledger_id = ledger_id
        self._account = account
        self._issuer_record = issuer_record
        self._signing_key = signing_key
        self._key_id = thumbprint(public_key_of(signing_key))
        self._issuer_url = issuer_url
        self._now_ms = now_ms

    def issue(
        self,
        claims: JsonObject,
        *,
        concealed: Collection[Path],
        credential_type: str,
        holder_key: JsonObject,
        expires_at_ms: int,
        holder_account: str | None = None,
    ) -> IssuedCredential:
        """Sign a credential and anchor it; it is given out only once the ledger has its hash.

        Args:
            claims: The subject's attributes.
            concealed: Those that the holder may keep back.
            credential_type: The `vct`, one that the issuer is registered for.
            holder_key: The holder's public JWK, from a checked proof of possession.
            expires_at_ms: Milliseconds since 1970, UTC; parts of a second are dropped.
            holder_account: The holder's ledger account, of which `holder_key` is a signatory: the
                caller has asked the ledger. Without it no verifier accepts the credential.

        Raises:
            CredentialFormatError: A claim is not acceptable, reads as an individual number, or the
                expiry lies in the past.
            KeyFormatError: A key is of no allowed kind.
            FrostError: The issuer's authorities did not sign; nothing was anchored.
            TransactionFailedError: The ledger refused the record: the issuer may not be registered.
            TransportError: The ledger cannot be reached. Issue again: a record that may have been
                written then belongs to a credential that nobody has.
        """
        if PLACE_CLAIM in claims:
            raise CredentialFormatError(f"{PLACE_CLAIM}: this claim is set here")
        now_s, expires_s = self._now_ms() // 1000, expires_at_ms // 1000
        if expires_s <= now_s:
            raise CredentialFormatError("expires_at_ms lies in the past")
        record_id = new_record_id()
        place: JsonObject = {
            "ledger": self._ledger_id,
            "issuer": self._account,
            "record": record_id,
            "salt": new_salt(),
        }
        if holder_account is not None:
            place["account"] = holder_account
        credential = issue_credential(
            claims={**claims, PLACE_CLAIM: place},
            concealed=concealed,
            vct=credential_type,
            issuer=self._issuer_url,
            issuer_key=self._signing_key,
            issued_at=now_s,
            expires_at=expires_s,
            holder_key=holder_key,
            header={"kid": self._key_id},
        )
        if has_individual_number(claims):
            raise CredentialFormatError("claims: 12 digits that read as an individual number")
        record = CredentialRecord(
            salted_hash=anchor_hash(parse_sd_jwt(credential).issuer_jwt),
            issuer_record=self._issuer_record,
            expires_at_ms=expires_s * 1000,
            state="active",
        )
        self._ledger.submit(set_record(self._account, record_id, record))
        return IssuedCredential(
            record_id=record_id, expires_at_ms=record.expires_at_ms, credential=credential
        )

    def suspend(self, record_id: str) -> None:
        """Put an active credential out of force until `reinstate`.

        Raises:
            UnknownCredentialError: This issuer anchored no such credential.
            CredentialStateError: It is not active, or was changed meanwhile.
            TransactionFailedError: The ledger refused.
            TransportError: The ledger cannot be reached.
        """
        self._change(record_id, "suspended", allowed=("active",))

    def reinstate(self, record_id: str) -> None:
        """Put a suspended credential back in force.

        Raises:
            UnknownCredentialError: This issuer anchored no such credential.
            CredentialStateError: It is not suspended, or was changed meanwhile.
            TransactionFailedError: The ledger refused.
            TransportError: The ledger cannot be reached.
        """
        self._change(record_id, "active", allowed=("suspended",))

    def revoke(self, record_id: str) -> None:
        """Put a credential out of force for good.

        Raises:
            UnknownCredentialError: This issuer anchored no such credential.
            CredentialStateError: It was revoked before, or changed meanwhile.
            TransactionFailedError: The ledger refused.
            TransportError: The ledger cannot be reached.
        """
        self._change(record_id, "revoked", allowed=("active", "suspended"))

    def state(self, record_id: str) -> CredentialState:
        """Return the state of a credential that this issuer anchored.

        Raises:
            UnknownCredentialError: This issuer anchored no such credential.
            TransportError: The ledger cannot be reached.
        """
        return self._read(record_id).state

    def _change(
        self, record_id: str, state: CredentialState, *, allowed: tuple[CredentialState, ...]
    ) -> None:
        before = self._read(record_id)
        if before.state not in allowed:
            raise CredentialStateError(
                f"credential {record_id} is {before.state}, so it cannot become {state}"
            )
        try:
            self._ledger.submit(
                compare_and_set_account_detail(
                    self._account,
                    CredentialRecord.key(record_id),
                    encode_record(replace(before, state=state)),
                    old_value=encode_record(before),
                )
            )
        except TransactionFailedError:
            if self._read(record_id) == before:
                raise
            raise CredentialStateError(
                f"credential {record_id} was changed by another at this moment; look and try again"
            ) from None

    def _read(self, record_id: str) -> CredentialRecord:
        record = None
        if RECORD_ID.fullmatch(record_id):
            record = self._ledger.record(self._account, record_id, CredentialRecord)
        if record is None:
            raise UnknownCredentialError(
                f"{self._account} anchored no credential under this record id"
            )
        return record


def register_issuer(
    ledger: IssuerLedger, record: IssuerRecord, *, record_id: str | None = None
) -> str:
    """Write who may issue what to the registry, and return the record's id.

    Args:
        ledger: A client of the registry account.
        record: The issuer's account, credential types, public keys and state.
        record_id: An existing registration to replace, 32 hex digits; by default a new one.

    Raises:
        CredentialFormatError: A field of the record is not acceptable.
        TransactionFailedError: The ledger refused it.
        TransportError: The ledger cannot be reached.
    """
    record_id = record_id or new_record_id()
    try:
        command = set_record(REGISTRY_ACCOUNT, record_id, record)
    except DecodeError as error:
        raise CredentialFormatError(f"issuer record: {error}") from None
    ledger.submit(command)
    return record_id
