"""The wallet's side of getting an account on the ledger from an issuer's service."""

from dataclasses import dataclass

from chaincode.encoding import JsonObject
from client_sdk.errors import OfferError, TransportError
from client_sdk.http.client import HttpClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.openid4vci.account_enrolment import account_name, enrolment_message
from client_sdk.openid4vci.credential_offer import parse_url
from client_sdk.openid4vci.issuer_answers import accept_answer, fetch_metadata, host_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredAccount:
    """A holder's new account on the ledger.

    Attributes:
        account_id: The account.
        ledger_id: The ledger's id, 64 hex digits.
        issuer_account: The account of the issuer that made it.
        issuer_url: That issuer's identifier.
    """

    account_id: str
    ledger_id: str
    issuer_account: str
    issuer_url: str


def register_account(
    issuer_url: str, *, enrolment_code: str, key: AccountKey, http: HttpClient
) -> RegisteredAccount:
    """Have an issuer's service make an account on the ledger, under a name that tells nothing.

    Asking again with the same code and key gives the same account.

    Args:
        issuer_url: The issuer's identifier.
        enrolment_code: The one-time code that the person was given.
        key: The account's key.
        http: The session.

    Raises:
        OfferError: The service refused, or makes no accounts.
        TransportError: The service cannot be reached, or the ledger behind it; try again.
    """
    issuer_url = parse_url(issuer_url, "issuer").rstrip("/")
    service = fetch_metadata(issuer_url, http=http).accounts
    if service is None:
        raise OfferError(f"{host_of(issuer_url)}: this service makes no accounts on a ledger")
    account_id = f"{account_name(enrolment_code, key.public_key)}@{service.holder_domain}"
    message = enrolment_message(
        issuer_url=issuer_url,
        account_id=account_id,
        public_key=key.public_key,
        enrolment_code=enrolment_code,
    )
    request: JsonObject = {
        "enrolment_code": enrolment_code,
        "account_id": account_id,
        "public_key": key.public_key,
        "proof": key.sign(message),
    }
    where = f"{host_of(service.accounts_endpoint)}: account"
    made = accept_answer(http.post_json(service.accounts_endpoint, request), where)
    ledger_id, issuer = made.get("ledger_id"), made.get("issuer_account")
    if (
        made.get("account_id") != account_id
        or ledger_id != service.ledger_id
        or issuer != service.issuer_account
    ):
        raise TransportError(f"{where}: the answer is about another account or ledger")
    return RegisteredAccount(
        account_id=account_id,
        ledger_id=service.ledger_id,
        issuer_account=service.issuer_account,
        issuer_url=issuer_url,
    )
