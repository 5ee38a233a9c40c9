"""The agent's HTTP interface for signing together: bind an account, and the two rounds."""

from typing import Annotated, Any, Final, TypeAlias

from flask import Response, jsonify, request
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chaincode.encoding import decode_base64url
from chaincode.errors import DecodeError
from chaincode.ids import ACCOUNT_ID
from client_sdk.errors import QueryFailedError, TransportError
from client_sdk.escrow.request_proof import PROOF_HEADER
from client_sdk.frost.keys import GroupKey
from node.errors import ApiError
from node.escrow.callers import Caller, CallerDesk
from node.escrow.recovery_signing import NewBinding, RecoverySigning
from node.escrow.routes import HandlePath
from node.threshold.signing_rounds import CommitmentFields, OpenedSession, SignatureShareFields
from node.web.problems import register_ledger_unavailable

_Tags: TypeAlias = "list[Tag | dict[str, Any]]"
_TAGS: Final[_Tags] = [{"name": "signing"}]
_SECURITY: Final[list[dict[str, list[str]]]] = [{"proof_of_possession": []}]

Payload = Annotated[
    str,
    StringConstraints(max_length=16_384),
    Field(description="The serialised payload of an Iroha transaction, base64url."),
]
Token = Annotated[str, StringConstraints(max_length=4096)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class GroupDescription(_Body):
    """What the agents sign with together."""

    escrow_account: str
    identifier: int = Field(description="This agent's in the key.")
    group: dict[str, Any] = Field(description="The public key, and of each agent's share.")


class BindingFields(_Body):
    """The account's own word that the card may recover it."""

    account: str = Field(pattern=f"^{ACCOUNT_ID.pattern}$")
    public_key: str = Field(max_length=136)
    signature: str = Field(max_length=128)


class Bound(_Body):
    """A binding that is kept."""

    account: str


class StateRequest(_Body):
    """Asks for the account that the card may recover."""

    counter_token: Token | None = None


class AccountState(_Body):
    """What this agent reads on the ledger."""

    account: str
    signatories: list[str]
    details: dict[str, dict[str, str]] = Field(description="By writer and key, as the ledger has.")


class SessionRequest(_Body):
    """Round one: what is to be signed."""

    payload: Payload
    counter_token: Token | None = None


class ShareRequest(SessionRequest):
    """Round two: what is to be signed, and who signs."""

    session: str = Field(max_length=64)
    commitments: list[CommitmentFields] = Field(max_length=255)


def add_recovery_routes(
    app: OpenAPI,
    signing: RecoverySigning,
    desk: CallerDesk,
    *,
    group: GroupKey,
    identifier: int,
    escrow_account: str,
) -> None:
    """Add the routes of an agent that holds a share of the escrow account's key."""
    register_ledger_unavailable(
        app,
        TransportError,
        QueryFailedError,
        title="The ledger cannot be asked now",
        detail="Nothing was signed. Send the same again in a moment.",
    )

    def identify() -> Caller:
        return desk.identify(
            request.headers.get(PROOF_HEADER),
            method=request.method,
            path=request.path,
            body=request.get_data(),
        )

    @app.get("/group-key", responses={200: GroupDescription}, tags=_TAGS)
    def describe_group() -> Response:
        """Say what the agents sign with together."""
        return jsonify(
            {
                "escrow_account": escrow_account,
                "identifier": identifier,
                "group": group.to_fields(),
            }
        )

    @app.put("/deposits/<handle>/account", responses={200: Bound}, security=_SECURITY, tags=_TAGS)
    def bind_account(path: HandlePath, body: BindingFields) -> Response:
        """Let this recovery card recover the account."""
        new = NewBinding(account=body.account, public_key=body.public_key, signature=body.signature)
        signing.bind(identify(), path.handle, new)
        return jsonify({"account": body.account})

    @app.post(
        "/deposits/<handle>/account-state",
        responses={200: AccountState},
        security=_SECURITY,
        tags=_TAGS,
    )
    def read_account(path: HandlePath, body: StateRequest) -> Response:
        """Read the account that the card may recover, for one who has no key of it any more."""
        found = signing.read_account(identify(), path.handle, counter_token=body.counter_token)
        return jsonify(
            {
                "account": found.account,
                "signatories": sorted(found.signatories),
                "details": found.details,
            }
        )

    @app.post(
        "/deposits/<handle>/signing-sessions",
        responses={200: OpenedSession},
        security=_SECURITY,
        tags=_TAGS,
    )
    def begin_signature(path: HandlePath, body: SessionRequest) -> Response:
        """Begin the signature of a recovery's transaction (RFC 9591 round one)."""
        session, commitment = signing.begin(
            identify(),
            path.handle,
            _payload_of(body),
            counter_token=body.counter_token,
        )
        return jsonify({"session": session, "commitment": commitment.to_fields()})

    @app.post(
        "/deposits/<handle>/signature-shares",
        responses={200: SignatureShareFields},
        security=_SECURITY,
        tags=_TAGS,
    )
    def sign_recovery(path: HandlePath, body: ShareRequest) -> Response:
        """Read the transaction, and give this agent's part of its signature (round two)."""
        part = signing.sign(
            identify(),
            path.handle,
            _payload_of(body),
            session=body.session,
            commitments=body.commitments,
            counter_token=body.counter_token,
        )
        return jsonify(part.to_fields())


def _payload_of(body: SessionRequest) -> bytes:
    try:
        return decode_base64url(body.payload)
    except DecodeError as error:
        raise ApiError(
            422, "invalid_fields", "The request's fields are not acceptable", f"payload: {error}"
        ) from None
