"""Writing a grant to the ledger, so that its gateway can put each access on the holder's record."""

from dataclasses import replace

from chaincode.protocol.primitive_pb2 import GrantablePermission
from chaincode.records import GrantRecord
from client_sdk.errors import TransactionFailedError
from client_sdk.ledger.commands import grant_permission, set_record
from client_sdk.wallet.session import WalletSession
from client_sdk.wallet.wallet_records import StoredGrant

_GRANTED_ALREADY = 1


def write_grant(session: WalletSession, grant: StoredGrant) -> None:
    """Keep a grant, so that it can be revoked whatever happens, then write it to the ledger.

    Its gateway is let write details of the account first: receipts are such details, and the
    ledger takes them from the gateway of a live grant alone.

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
    permit_receipts(session, grant.gateway)
    session.update(lambda contents: contents.with_grant(grant))
    command = set_record(session.account.account_id, grant.grant_id, record)
    try:
        session.ledger.submit(command)
    except TransactionFailedError:
        session.update(lambda contents: contents.without_grant(grant.grant_id))
        raise


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
