"""What the issuer's counter approves, with the operator's token: recoveries and changes."""

from typing import Annotated, Any, Final, TypeAlias

from flask import Response, jsonify
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chaincode.ids import ACCOUNT_ID, RECORD_ID, SIGNATORY
from node.issuer.approvals import Approvals
from node.web.bearer import authenticate

MAX_COMMAND_CHARS: Final = 8192
_Tags: TypeAlias = "list[Tag | dict[str, Any]]"
_TAGS: Final[_Tags] = [{"name": "operator"}]
_SECURITY: Final[list[dict[str, list[str]]]] = [{"operator_token": []}]

Account = Annotated[str, StringConstraints(pattern=f"^{ACCOUNT_ID.pattern}$", max_length=320)]
Key = Annotated[str, StringConstraints(pattern=f"^{SIGNATORY.pattern}$")]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RecoveryApproval(_Body):
    """A recovery, exactly as the holder's new phone shows it."""

    account: Account
    recovery: Annotated[str, StringConstraints(pattern=f"^{RECORD_ID.pattern}$")]
    new_key: Key
    lost_key: Key


class ChangeApproval(_Body):
    """A change, exactly as the holder's wallet shows it."""

    account: Account
    command: str = Field(
        min_length=1, max_length=MAX_COMMAND_CHARS, description="An Iroha command in base64url."
    )


class Approved(_Body):
    """What was approved."""

    account: str
    approved: str = Field(description="In words.")


def add_approval_routes(app: OpenAPI, *, token_sha256: str, approvals: Approvals) -> None:
    """Add the counter's approvals.

    Args:
        app: The application.
        token_sha256: The hash of the operator's token, 64 hex digits.
        approvals: Writes them to the ledger.
    """

    @app.post("/approvals/recoveries", responses={201: Approved}, security=_SECURITY, tags=_TAGS)
    def approve_recovery(body: RecoveryApproval) -> tuple[Response, int]:
        """Approve a recovery of a holder who was seen in person."""
        _check_operator(token_sha256)
        approvals.approve_recovery(
            body.account, body.recovery, new_key=body.new_key, lost_key=body.lost_key
        )
        words = f"the key {body.new_key} in the place of {body.lost_key}"
        return jsonify(Approved(account=body.account, approved=words).model_dump()), 201

    @app.post("/approvals/changes", responses={201: Approved}, security=_SECURITY, tags=_TAGS)
    def approve_change(body: ChangeApproval) -> tuple[Response, int]:
        """Approve a change of a holder who was seen in person."""
        _check_operator(token_sha256)
        words = approvals.approve_change(body.account, body.command)
        return jsonify(Approved(account=body.account, approved=words).model_dump()), 201


def _check_operator(token_sha256: str) -> None:
    authenticate({"operator": token_sha256}, needed="The operator's token is needed")
