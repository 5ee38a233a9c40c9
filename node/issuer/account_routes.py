"""Where wallets get their account on the ledger; errors are problems (RFC 9457)."""

from typing import Any, Final, TypeAlias

from flask import Response, jsonify
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from pydantic import BaseModel, ConfigDict, Field

from client_sdk.openid4vci.account_enrolment import MAX_CODE_CHARS
from node.issuer.accounts import AccountRequest, Accounts

_Tags: TypeAlias = "list[Tag | dict[str, Any]]"
_TAGS: Final[_Tags] = [{"name": "wallet"}]


class NewAccount(BaseModel):
    """A wallet's request for its account on the ledger."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enrolment_code: str = Field(
        min_length=1, max_length=MAX_CODE_CHARS, description="From the issuer's counter."
    )
    account_id: str = Field(
        max_length=320, description="A random name of 20 to 32 characters, at the holders' domain."
    )
    public_key: str = Field(
        max_length=136, description="The account's key: `ed0120` and 64 hex digits, or 64 alone."
    )
    proof: str = Field(
        max_length=256, description="The key's signature of the enrolment message, 128 hex digits."
    )


class AccountMade(BaseModel):
    """The account."""

    account_id: str
    ledger_id: str
    issuer_account: str


def add_account_routes(
    app: OpenAPI, *, accounts: Accounts, ledger_id: str, issuer_account: str
) -> None:
    """Add the endpoint where wallets get their account.

    Args:
        app: The application.
        accounts: Makes them.
        ledger_id: The ledger's id.
        issuer_account: The issuer's account.
    """

    @app.post("/accounts", responses={201: AccountMade}, tags=_TAGS)
    def create_account(body: NewAccount) -> tuple[Response, int]:
        """Make a holder's account on the ledger."""
        accounts.register(
            AccountRequest(
                enrolment_code=body.enrolment_code,
                account_id=body.account_id,
                public_key=body.public_key,
                proof=body.proof,
            )
        )
        made = AccountMade(
            account_id=body.account_id, ledger_id=ledger_id, issuer_account=issuer_account
        )
        return jsonify(made.model_dump()), 201
