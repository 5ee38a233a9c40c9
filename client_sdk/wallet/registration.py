"""How a wallet comes by its account on a ledger."""

from dataclasses import replace

from client_sdk.errors import OfferError, QueryFailedError
from client_sdk.openid4vci.account_client import register_account
from client_sdk.wallet.records import LedgerAccount
from client_sdk.wallet.session import WalletSession


def register(
    session: WalletSession, issuer_url: str, enrolment_code: str, *, torii: str
) -> LedgerAccount:
    """Have an account made under a random name, and keep it.

    Raises:
        ClientError: As `Wallet.register`.
    """
    if session.contents.account is not None:
        raise OfferError("the wallet has an account already")
    registration = register_account(
        issuer_url, enrolment_code=enrolment_code, key=session.key, http=session.http
    )
    account = LedgerAccount(
        account_id=registration.account_id,
        ledger_id=registration.ledger_id,
        torii=torii,
        registered_by=registration.issuer_account,
        issuer_url=registration.issuer_url,
    )
    # The node is asked before anything is kept: a wallet stays with its node for good.
    if session.key.public_key not in _signatories(session, account):
        raise OfferError(
            f"ledger node {account.torii}: it does not know the wallet's new account; is it a "
            f"node of the ledger {account.ledger_id}?"
        )
    session.update(lambda contents: replace(contents, account=account))
    return account


def _signatories(session: WalletSession, account: LedgerAccount) -> frozenset[str]:
    with session.connect(account) as ledger:
        try:
            return ledger.signatories(account.account_id)
        except QueryFailedError:
            return frozenset()
