"""How a wallet comes by its account on a ledger, and by the node that it uses."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from cryptography.hazmat.primitives.serialization import Encoding

from client_sdk.errors import OfferError, QueryFailedError
from client_sdk.openid4vci.account_client import register_account
from client_sdk.openid4vp.access_certificate import load_certificates
from client_sdk.wallet.records import LedgerAccount
from client_sdk.wallet.session import WalletSession


def register(
    session: WalletSession,
    issuer_url: str,
    enrolment_code: str,
    *,
    torii: str,
    root_certificates: bytes | None = None,
) -> LedgerAccount:
    """Have an account made under a random name, and keep it.

    Raises:
        ClientError: As `Wallet.register`.
    """
    if session.contents.account is not None:
        raise OfferError("the wallet has an account already")
    # Read before anything is sent: a code is good for one account.
    certificates = _certificates_text(root_certificates)
    registration = register_account(
        issuer_url, enrolment_code=enrolment_code, key=session.key, http=session.http
    )
    account = LedgerAccount(
        account_id=registration.account_id,
        ledger_id=registration.ledger_id,
        torii=torii,
        registered_by=registration.issuer_account,
        issuer_url=registration.issuer_url,
        root_certificates=certificates,
    )
    # Before anything is kept.
    _require_known(session, account)
    session.update(partial(replace, account=account))
    return account


def use_node(
    sessions: Iterable[WalletSession], *, torii: str, root_certificates: bytes | None = None
) -> None:
    """Have accounts use another node from now on: all of them, or none.

    Args:
        sessions: The wallet, and the parts of it that change with it.
        torii: As for `Wallet.use_node`, and so the other.
        root_certificates: The certificates.

    Raises:
        ClientError: As `Wallet.use_node`.
    """
    certificates = _certificates_text(root_certificates)
    moved = [
        (session, replace(session.account, torii=torii, root_certificates=certificates))
        for session in sessions
    ]
    for session, account in moved:
        _require_known(session, account)
    for session, account in moved:
        session.update(partial(replace, account=account))
        session.disconnect()


def _certificates_text(root_certificates: bytes | None) -> str | None:
    if root_certificates is None:
        return None
    certificates = load_certificates(root_certificates)
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)


def _require_known(session: WalletSession, account: LedgerAccount) -> None:
    """Ask the account's node for it.

    Raises:
        OfferError: The node does not know the account with the wallet's key.
        TransportError: The node cannot be reached.
    """
    with session.connect(account) as ledger:
        try:
            signatories = ledger.signatories(account.account_id)
        except QueryFailedError:
            signatories = frozenset()
    if session.key.public_key not in signatories:
        raise OfferError(
            f"ledger node {account.torii}: it does not know the wallet's account; is it a "
            f"node of the ledger {account.ledger_id}?"
        )
