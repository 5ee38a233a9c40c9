"""The holder's history: who saw what, when, why, under which grant; and what does not agree.

It has two sources that check each other: the receipts on the account, which gateways must write
before they show anything, and what the wallet itself noted when it sent something.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from chaincode.errors import DecodeError
from chaincode.records import (
    SeenRecord,
    decode_record,
    parse_record_key,
    parse_seen_id,
)
from client_sdk.errors import ReceiptError
from client_sdk.ledger.grants import ClaimPath
from client_sdk.ledger.receipts import Access, open_receipt, receipt_key
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.parts import WalletParts
from client_sdk.wallet.records import StoredGrant, StoredPresentation
from client_sdk.wallet.session import WalletSession


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One access to what a holder has, or one sign of it.

    Attributes:
        at_ms: When, in milliseconds since 1970, UTC: by the gateway's clock where there is a
            receipt, else by the wallet's; None where nothing that can be read says so.
        verifier: The verifier's client identifier; None where nothing that can be read names it.
        verifier_name: Its name; None as for `verifier`.
        attributes: The claims that were seen.
        purpose: What for; None where the verifier said nothing.
        grant: The grant that it was shown under; None where none was asked for.
        use: Which use of the grant it was, from 1; None where there is no receipt.
        finding: What does not agree, in words for the holder; None where all does.
    """

    at_ms: int | None
    verifier: str | None
    verifier_name: str | None
    attributes: tuple[ClaimPath, ...] = ()
    purpose: str | None
    grant: str | None
    use: int | None
    finding: str | None = None


def read_history(parts: WalletParts) -> tuple[HistoryEntry, ...]:
    """Return the history of a wallet and its parts, oldest first; what tells no time comes first.

    Raises:
        NotRegisteredError: The wallet has no account yet.
        QueryFailedError: The ledger does not let the account read its details.
        TransportError: The ledger cannot be reached.
    """
    entries = [
        entry
        for session in parts
        if session is parts.whole or session.contents.account is not None
        for entry in _read_session(session)
    ]
    return tuple(sorted(entries, key=lambda entry: (entry.at_ms or 0, entry.use or 0)))


def _read_session(session: WalletSession) -> Iterator[HistoryEntry]:
    account, contents = session.account, session.contents
    receipts = _Receipts(contents, ledger=account.ledger_id, account=account.account_id)
    written = session.ledger.details_by_writer(account.account_id)
    for writer, details in written.items():
        for key, value in details.items():
            if key.startswith(SeenRecord.prefix):
                yield receipts.entry(writer, key, value)
    yield from receipts.without_receipt()


class _Receipts:
    """The receipts of one account, each compared with what the wallet knows."""

    def __init__(self, contents: WalletContents, *, ledger: str, account: str) -> None:
        self._contents = contents
        self._ledger = ledger
        self._account = account
        self._seen: set[tuple[str, bytes]] = set()

    def entry(self, writer: str, key: str, value: str) -> HistoryEntry:
        """Return what one receipt tells, with what is wrong about it."""
        unread = HistoryEntry(
            at_ms=None,
            verifier=None,
            verifier_name=None,
            purpose=None,
            grant=None,
            use=None,
            finding=f"{writer} wrote a receipt that is not well formed",
        )
        try:
            _, record_id = parse_record_key(key)
            record = decode_record(value, SeenRecord)
        except DecodeError:
            return unread
        grant_id, use = parse_seen_id(record_id)
        unread = replace(unread, grant=grant_id, use=use)
        grant = self._contents.grants.get(grant_id)
        if grant is None:
            return replace(
                unread,
                finding=f"{writer} wrote a receipt under a grant that this wallet never made",
            )
        try:
            access = open_receipt(
                record,
                receipt_key(self._contents.receipt_secret, grant_id),
                ledger=self._ledger,
                account=self._account,
                grant=grant_id,
                use=use,
            )
        except ReceiptError as error:
            return replace(
                unread,
                verifier=grant.terms.verifier,
                verifier_name=grant.verifier_name,
                finding=f"{writer} used the grant, and {error}",
            )
        self._seen.add((grant_id, access.shown))
        return HistoryEntry(
            at_ms=access.seen_at_ms,
            verifier=access.verifier,
            verifier_name=access.verifier_name,
            attributes=access.attributes,
            purpose=access.purpose,
            grant=grant_id,
            use=use,
            finding=self._finding(access, grant, writer),
        )

    def _finding(self, access: Access, grant: StoredGrant, writer: str) -> str | None:
        if writer != grant.gateway:
            return f"{writer} wrote it, which is not the gateway that the grant names"
        if access.use > grant.uses:
            return f"the grant was for {grant.uses} use(s)"
        terms = (access.verifier, access.attributes, access.purpose)
        if terms != (grant.terms.verifier, grant.terms.attributes, grant.terms.purpose):
            return "it tells of another verifier, purpose or attribute than was granted"
        if not any(shown.shown == access.shown for shown in self._shown_under(grant.grant_id)):
            return "it tells of something that this wallet never sent"
        return None

    def _shown_under(self, grant_id: str) -> Iterator[StoredPresentation]:
        return (shown for shown in self._contents.presentations if shown.grant == grant_id)

    def without_receipt(self) -> Iterator[HistoryEntry]:
        """Yield what the wallet sent, and no receipt tells of."""
        for shown in self._contents.presentations:
            has_receipt = shown.grant is not None and (shown.grant, shown.shown) in self._seen
            if has_receipt or shown.is_deposit:
                continue
            yield HistoryEntry(
                at_ms=shown.sent_at_ms,
                verifier=shown.verifier,
                verifier_name=shown.verifier_name,
                attributes=shown.attributes,
                purpose=shown.purpose,
                grant=shown.grant,
                use=None,
                finding=_finding_without_receipt(shown),
            )


def _finding_without_receipt(shown: StoredPresentation) -> str | None:
    if not shown.is_taken:
        # Its word alone says that it did not: who wants to leave no trace would say the same.
        return "it was sent, and the verifier did not say that it took it"
    if shown.grant is None:
        return None
    return "the verifier took it, and no receipt stands on the ledger"
