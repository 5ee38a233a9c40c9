"""What an issuer writes to the ledger of credentials: alone, in batches, and of status lists."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from chaincode.protocol.commands_pb2 import Command
from chaincode.records import BatchRecord, CredentialRecord, IdentityRecord, StatusListRecord
from client_sdk.credentials.token_status_list import StatusList, StatusReference
from client_sdk.errors import TransactionFailedError
from client_sdk.formats.dc_sd_jwt import DcSdJwt
from client_sdk.ledger.batches import Inclusion, build_batch
from client_sdk.ledger.commands import set_record
from client_sdk.ledger.grants import new_record_id
from client_sdk.ledger.transaction_sender import CommittedTransaction

_Record = TypeVar("_Record", bound=IdentityRecord)


class IssuerLedger(Protocol):
    """What an issuer needs of a ledger: `client_sdk.ledger.client.LedgerClient` has it."""

    def submit(self, *commands: Command) -> CommittedTransaction:
        """Commit the commands as one transaction of this client's account."""

    def record(self, account_id: str, record_id: str, kind: type[_Record]) -> _Record | None:
        """Return an account's own identity record, or None where there is no valid one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPlace:
    """Where a credential's status will stand.

    Attributes:
        list_id: The id of the list's `tg_status_` record, 32 hex digits.
        reference: The place in the list; unpredictable, and used for one credential only.
    """

    list_id: str
    reference: StatusReference


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCredential:
    """A credential that is signed, and not anchored yet: nobody may have it.

    Attributes:
        record_id: Its id, 32 hex digits.
        salted_hash: 32 bytes: what is anchored.
        expires_at_ms: Milliseconds since 1970, UTC; a whole second.
        list_place: Where its status stands; None for nowhere but in its own record.
        format: The identifier of its format.
        credential: The credential, with all disclosures that it may have.
    """

    record_id: str
    salted_hash: bytes
    expires_at_ms: int
    list_place: ListPlace | None = None
    format: str = DcSdJwt.identifier
    credential: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCredential:
    """A credential that is signed and anchored.

    Attributes:
        record_id: Its id, 32 hex digits: that of its record on the ledger, if it has its own.
        expires_at_ms: Milliseconds since 1970, UTC; a whole second.
        inclusion: Where in which batch it is anchored; None where it has its own record.
        list_place: Where its status stands; None for nowhere but in its own record.
        format: The identifier of its format.
        credential: The credential, with all disclosures that it may have: for its holder only.
    """

    record_id: str
    expires_at_ms: int
    inclusion: Inclusion | None = None
    list_place: ListPlace | None = None
    format: str = DcSdJwt.identifier
    credential: str = field(repr=False)


class IssuerAnchor:
    """One issuer's account, as far as credentials are anchored there. Safe to share."""

    def __init__(self, ledger: IssuerLedger, *, account: str, issuer_record: str) -> None:
        """Take what writes to the ledger.

        Args:
            ledger: A client of the issuer's account.
            account: The issuer's account.
            issuer_record: The id of its `tg_issuer_` record in the registry.
        """
        self._ledger = ledger
        self._account = account
        self._issuer_record = issuer_record

    def anchor_alone(self, signed: SignedCredential) -> IssuedCredential:
        """Write the record of one credential.

        Raises:
            TransactionFailedError: The ledger refused it.
            TransportError: The ledger cannot be reached.
        """
        record = CredentialRecord(
            salted_hash=signed.salted_hash,
            issuer_record=self._issuer_record,
            expires_at_ms=signed.expires_at_ms,
            state="active",
        )
        self._ledger.submit(set_record(self._account, signed.record_id, record))
        return IssuedCredential(
            record_id=signed.record_id,
            expires_at_ms=signed.expires_at_ms,
            list_place=signed.list_place,
            format=signed.format,
            credential=signed.credential,
        )

    def anchor_batch(
        self, members: Sequence[SignedCredential], *, status_list: str
    ) -> list[IssuedCredential]:
        """Anchor credentials together, in one transaction, and return them in the order given.

        Args:
            members: 1 to `MAX_BATCH`, all with their status in the same list.
            status_list: The id of that list's record.

        Raises:
            TransactionFailedError: The ledger refused the batch.
            TransportError: The ledger cannot be reached. Anchor again: the members are then in two
                batches, which does no harm.
        """
        batch_id = new_record_id()
        root, inclusions = build_batch(batch_id, [member.salted_hash for member in members])
        self.anchor_root(
            batch_id,
            root,
            count=len(members),
            expires_at_ms=max(member.expires_at_ms for member in members),
            status_list=status_list,
        )
        return [
            IssuedCredential(
                record_id=member.record_id,
                expires_at_ms=member.expires_at_ms,
                inclusion=inclusion,
                list_place=member.list_place,
                format=member.format,
                credential=member.credential,
            )
            for member, inclusion in zip(members, inclusions, strict=True)
        ]

    def anchor_root(
        self, batch_id: str, root: bytes, *, count: int, expires_at_ms: int, status_list: str
    ) -> None:
        """Write the record of a batch; one that stands there already is as good.

        Args:
            batch_id: Its id, 32 hex digits.
            root: 32 bytes.
            count: How many members it has.
            expires_at_ms: When the last of them expires; milliseconds since 1970, UTC.
            status_list: The id of the status list's record.

        Raises:
            TransactionFailedError: The ledger refused it.
            TransportError: The ledger cannot be reached; try again.
        """
        record = BatchRecord(
            root=root,
            count=count,
            issuer_record=self._issuer_record,
            status_list=status_list,
            expires_at_ms=expires_at_ms,
        )
        try:
            self._ledger.submit(set_record(self._account, batch_id, record))
        except TransactionFailedError:
            if self._ledger.record(self._account, batch_id, BatchRecord) != record:
                raise

    def anchor_status_list(
        self, list_id: str, statuses: StatusList, *, uri: str, version: int
    ) -> None:
        """Write which bytes of a status list count; a later version that stands there is as good.

        Args:
            list_id: The id of its record, 32 hex digits.
            statuses: The list.
            uri: Where it is published.
            version: Higher than that of any other content.

        Raises:
            TransactionFailedError: The ledger refused it.
            TransportError: The ledger cannot be reached; try again.
        """
        record = StatusListRecord(
            uri=uri,
            bits=statuses.bits,
            digest=statuses.digest(),
            version=version,
            issuer_record=self._issuer_record,
        )
        try:
            self._ledger.submit(set_record(self._account, list_id, record))
        except TransactionFailedError:
            held = self._ledger.record(self._account, list_id, StatusListRecord)
            if held is None or held.version < version:
                raise
