"""What the operator does with credentials that were issued: list, suspend, reinstate, revoke."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeAlias

from flask import Response, jsonify
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from flask_openapi.types import ResponseDict
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from client_sdk.errors import CredentialStateError, UnknownCredentialError
from node.errors import ApiError
from node.issuer.offer_routes import Reference
from node.issuer.revocations import Revocations, State
from node.issuer.store import IssuerStore
from node.issuer.tables import StoredCredential
from node.web.bearer import authenticate

MAX_PAGE: Final = 500
_Tags: TypeAlias = "list[Tag | dict[str, Any]]"
_TAGS: Final[_Tags] = [{"name": "operator"}]
_SECURITY: Final[list[dict[str, list[str]]]] = [{"operator_token": []}]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CredentialPath(BaseModel):
    """A credential's record id."""

    record: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class CredentialQuery(BaseModel):
    """Which credentials to list."""

    reference: Reference | None = None
    after: int = Field(default=0, ge=0, le=2**53, description="The last number of the page before.")
    limit: int = Field(default=100, ge=1, le=MAX_PAGE)


class IssuedCredential(_Body):
    """A credential that was issued; what it says is not kept."""

    number: int
    record: str
    reference: str | None
    state: str
    issued_at: datetime
    expires_at: datetime
    event: str | None = Field(description="What the wallet said has become of it.")


class CredentialPage(_Body):
    """Credentials in the order of their numbers."""

    credentials: list[IssuedCredential]


class CredentialState(_Body):
    """A credential's state on the ledger."""

    record: str
    state: str


def add_revocation_routes(
    app: OpenAPI, *, token_sha256: str, revocations: Revocations, store: IssuerStore
) -> None:
    """Add the list of credentials, and their suspension and revocation.

    Args:
        app: The application.
        token_sha256: The hash of the operator's token, 64 hex digits.
        revocations: Changes the states of credentials.
        store: Which credentials were issued.
    """

    @app.get("/credentials", responses={200: CredentialPage}, security=_SECURITY, tags=_TAGS)
    def list_credentials(query: CredentialQuery) -> Response:
        """List the credentials that were issued."""
        _check_operator(token_sha256)
        found = store.credentials.page(
            reference=query.reference, after=query.after, limit=query.limit
        )
        page = CredentialPage(credentials=[_listed(credential) for credential in found])
        return jsonify(page.model_dump(mode="json"))

    def change(record: str, state: State) -> Response:
        change_credential(store, revocations, record, state)
        return jsonify(CredentialState(record=record, state=state).model_dump())

    changed: ResponseDict = {200: CredentialState}

    @app.post("/credentials/<record>/suspend", responses=changed, security=_SECURITY, tags=_TAGS)
    def suspend_credential(path: CredentialPath) -> Response:
        """Put a credential out of force for a while."""
        _check_operator(token_sha256)
        return change(path.record, "suspended")

    @app.post("/credentials/<record>/reinstate", responses=changed, security=_SECURITY, tags=_TAGS)
    def reinstate_credential(path: CredentialPath) -> Response:
        """Put a suspended credential back in force."""
        _check_operator(token_sha256)
        return change(path.record, "active")

    @app.post("/credentials/<record>/revoke", responses=changed, security=_SECURITY, tags=_TAGS)
    def revoke_credential(path: CredentialPath) -> Response:
        """Put a credential out of force for good."""
        _check_operator(token_sha256)
        return change(path.record, "revoked")


def change_credential(
    store: IssuerStore, revocations: Revocations, record: str, state: State
) -> None:
    """Give a credential a state, for an operator.

    Raises:
        ApiError: There is no such credential, or its state does not allow this.
        TransactionFailedError: The ledger refused.
        TransportError: The ledger cannot be reached.
    """
    if state == "revoked":
        # First: nothing is issued anew in the place of what the operator revokes.
        store.credentials.cancel_renewal(record)
    try:
        revocations.change(record, state)
    except UnknownCredentialError as error:
        raise ApiError(
            404, "unknown_credential", "There is no such credential", f"{error}."
        ) from None
    except CredentialStateError as error:
        raise ApiError(
            409, "wrong_state", "The credential's state does not allow this", f"{error}."
        ) from None


def _check_operator(token_sha256: str) -> None:
    authenticate({"operator": token_sha256}, needed="The operator's token is needed")


def _listed(credential: StoredCredential) -> IssuedCredential:
    return IssuedCredential(
        number=credential.number,
        record=credential.record_id,
        reference=credential.reference,
        state=credential.state,
        issued_at=_utc(credential.issued_at_ms),
        expires_at=_utc(credential.expires_at_ms),
        event=credential.event,
    )


def _utc(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms // 1000, tz=UTC)
