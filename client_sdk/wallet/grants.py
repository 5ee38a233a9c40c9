"""The wallet's grants: written so that each access stands on the holder's record; and revoked."""

from contextlib import suppress
from dataclasses import replace
from functools import partial

from chaincode.protocol.primitive_pb2 import GrantablePermission
from chaincode.records import GrantRecord
from client_sdk.errors import (
    ClientError,
    ConsentError,
    CredentialFormatError,
    QueryFailedError,
    RequestError,
    TransactionFailedError,
    UnknownGrantError,
)
from client_sdk.ledger.commands import grant_permission, revoke_permission, set_record
from client_sdk.openid4vp.consent_record import ConsentRecord, verify_consent
from client_sdk.openid4vp.signed_request import read_own_request
from client_sdk.tracing import traced
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.parts import WalletParts
from client_sdk.wallet.records import StoredGrant
from client_sdk.wallet.session import WalletSession

_GRANTED_ALREADY = 1


class WalletGrants:
    """The grants of one wallet and of its parts."""

    def __init__(self, parts: WalletParts) -> None:
        """Work on an open wallet."""
        self._parts = parts

    @property
    def made(self) -> tuple[StoredGrant, ...]:
        """The grants that were made, oldest first. `state` tells which are live."""
        contents = self._parts.whole.contents
        makers = [contents, *contents.parts.values()]
        grants = [grant for one in makers for grant in one.grants.values()]
        return tuple(sorted(grants, key=lambda grant: grant.granted_at_ms))

    def state(self, grant_id: str) -> GrantRecord:
        """Return a grant as the ledger holds it now.

        Raises:
            UnknownGrantError: The wallet made no such grant, or the ledger does not hold it.
            TransportError: The ledger cannot be reached.
        """
        session = self._maker(grant_id)
        record = session.ledger.record(session.account.account_id, grant_id, GrantRecord)
        if record is None:
            raise UnknownGrantError(f"the ledger holds no grant {grant_id}")
        return record

    @traced("wallet.revoke_grant")
    def revoke(self, grant_id: str) -> None:
        """Revoke a grant for good: from the next block on nothing is shown under it.

        Raises:
            UnknownGrantError: The wallet made no such grant.
            TransactionFailedError: The ledger refused, as it does where it is revoked already.
            TransportError: The ledger cannot be reached.
        """
        session, revoked = self._maker(grant_id), replace(self.state(grant_id), state="revoked")
        session.ledger.submit(set_record(session.account.account_id, grant_id, revoked))
        withdraw_permissions(session)

    def consent_record(self, grant_id: str) -> ConsentRecord:
        """Return the signed record of the consent to a grant (ISO/IEC TS 27560:2023), verified.

        The verifier has the same record. Its own half, the signed request, stands in the grant
        (`request_object`).

        Raises:
            UnknownGrantError: The wallet made no such grant.
            ConsentError: The record is not of this grant's terms.
        """
        return verify_own_consent(self._maker(grant_id).contents.grants[grant_id])

    def _maker(self, grant_id: str) -> WalletSession:
        """Return the wallet or the part that made a grant."""
        contents = self._parts.whole.contents
        if grant_id in contents.grants:
            return self._parts.whole
        for name, part in contents.parts.items():
            if grant_id in part.grants:
                return self._parts.session(name)
        raise UnknownGrantError(f"the wallet made no grant {grant_id}")


def write_grant(session: WalletSession, grant: StoredGrant) -> None:
    """Keep a grant, so that it can be revoked whatever happens, then write it to the ledger.

    Its gateway is let write details of the account first: receipts are such details, and the
    ledger takes them from the gateway of a live grant alone. Doing it again does no harm.

    Raises:
        TransactionFailedError: The ledger refused; the grant is not kept.
        TransportError: The ledger cannot be reached.
    """
    record = GrantRecord(
        commitment=grant.terms.commitment(grant.opening),
        gateway=grant.gateway,
        expires_at_ms=grant.expires_at_ms,
        uses=grant.uses,
        state="live",
    )
    withdraw_permissions(session, but=grant.gateway)
    permit_receipts(session, grant.gateway)
    if grant.grant_id in session.contents.grants and _stands(session, grant, record):
        return
    session.update(lambda contents: contents.with_grant(grant))
    command = set_record(session.account.account_id, grant.grant_id, record)
    try:
        session.ledger.submit(command)
    except TransactionFailedError:
        # What was sent before an answer was lost may have come in after all.
        if _stands(session, grant, record):
            return
        session.update(lambda contents: contents.without_grant(grant.grant_id))
        raise


def _stands(session: WalletSession, grant: StoredGrant, record: GrantRecord) -> bool:
    account_id = session.account.account_id
    try:
        return session.ledger.record(account_id, grant.grant_id, GrantRecord) == record
    except QueryFailedError:
        # Who may not even ask, as after a recovery by another, wrote nothing.
        return False


def verify_own_consent(grant: StoredGrant) -> ConsentRecord:
    """Return the record of the consent to a grant, verified against what the verifier asked.

    Raises:
        ConsentError: It is of other terms.
    """
    try:
        request = read_own_request(grant.request_object)
    except (CredentialFormatError, RequestError):
        raise ConsentError("the verifier did not sign what it asked") from None
    refusal = ConsentError("the consent record: for other terms than the request's")
    for terms in request.transaction_data:
        try:
            record = verify_consent(grant.consent, terms=terms)
        except ConsentError as error:
            refusal = error
            continue
        if record.grant == grant.grant_id:
            return record
    raise refusal


def permit_receipts(session: WalletSession, gateway: str) -> None:
    """Let a gateway write receipts to the account, unless it may already.

    Raises:
        TransactionFailedError: The ledger refused.
        TransportError: The ledger cannot be reached.
    """
    if gateway in session.contents.receipt_writers:
        return
    permission = GrantablePermission.can_set_my_account_detail
    try:
        session.ledger.submit(grant_permission(gateway, permission))
    except TransactionFailedError as error:
        if error.code != _GRANTED_ALREADY:
            raise
    session.update(
        lambda contents: replace(contents, receipt_writers=(*contents.receipt_writers, gateway))
    )


def withdraw_permissions(session: WalletSession, *, but: str | None = None) -> None:
    """Let no gateway write to the account that no live grant names any more.

    Where the ledger does not answer, it is done the next time.

    Args:
        session: The wallet.
        but: A gateway that is about to get a grant.
    """
    with suppress(ClientError):
        for gateway in session.contents.receipt_writers:
            if gateway != but and not _has_live_grant(session, gateway):
                permission = GrantablePermission.can_set_my_account_detail
                # Refused where the gateway has lost it already.
                with suppress(TransactionFailedError):
                    session.ledger.submit(revoke_permission(gateway, permission))
                session.update(partial(_without_writer, gateway=gateway))


def _has_live_grant(session: WalletSession, gateway: str) -> bool:
    now_ms, account = session.now_ms(), session.account.account_id
    for grant in session.contents.grants.values():
        if grant.gateway == gateway and grant.expires_at_ms > now_ms:
            record = session.ledger.record(account, grant.grant_id, GrantRecord)
            if record is not None and record.state == "live":
                return True
    return False


def _without_writer(contents: WalletContents, gateway: str) -> WalletContents:
    left = tuple(writer for writer in contents.receipt_writers if writer != gateway)
    return replace(contents, receipt_writers=left)
