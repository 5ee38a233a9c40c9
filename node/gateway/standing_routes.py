"""Standing grants over HTTP: for verifiers with an API key, and for wallets."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

from flask import Response, jsonify, request
from flask_openapi.models.media_type import MediaType
from flask_openapi.models.request_body import RequestBody
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from flask_openapi.types import ResponseDict
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chaincode.encoding import decode_base64url
from chaincode.errors import DecodeError
from chaincode.ids import ACCOUNT_ID
from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE
from client_sdk.errors import RequestError
from client_sdk.openid4vp.signed_request import REQUEST_MEDIA_TYPE
from client_sdk.purposes import DEFAULT_TERM, parse_identifier
from node.errors import ApiError
from node.gateway.api_keys import Scope
from node.gateway.presentations import ResponseRefusedError
from node.gateway.question import Question
from node.gateway.question_fields import (
    Attributes,
    CredentialType,
    Purpose,
    PurposeName,
)
from node.gateway.standing_grants import StandingGrants
from node.gateway.standing_ledger import RecordReader
from node.gateway.standing_store import StandingGrant
from node.gateway.verifier_access import VerifierAccess
from node.web.problems import OAuthError, problems

_Tags: TypeAlias = "list[Tag | dict[str, Any]]"
_VERIFIER: Final[_Tags] = [{"name": "standing grants"}]
_WALLET: Final[_Tags] = [{"name": "wallet"}]
_SECURITY: Final[list[dict[str, list[str]]]] = [{"api_key": []}]

_ACCOUNT: Final = rf"^{ACCOUNT_ID.pattern}$".replace(r"\@", "@")

Id = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Account = Annotated[str, StringConstraints(pattern=_ACCOUNT, max_length=256)]
State = Literal["pending", "fetched", "declined", "expired", "live", "ended"]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NewStandingRequest(_Body):
    """What a verifier wants to be able to look up for a while."""

    attributes: Attributes
    purpose: Purpose
    purpose_term: PurposeName = DEFAULT_TERM.iri
    credential_type: CredentialType = RESIDENT_CREDENTIAL_TYPE
    grant_seconds: int = Field(ge=60, le=366 * 86_400, description="How long it lasts.")
    uses: int = Field(ge=1, le=1_000_000, description="How often it may be looked up.")
    deposit_key: str = Field(
        pattern=r"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$",
        description="The verifier's public X25519 key, base64url: only its private half opens what "
        "the holder leaves here.",
    )


class StandingCreated(_Body):
    """A request that waits for a wallet."""

    id: str
    link: str = Field(description="Opens a wallet: show it as a link or QR code.")
    expires_at: datetime


class StandingStatus(_Body):
    """A standing grant, or the request for it."""

    id: str
    status: State
    grant: str | None = Field(description="The grant's id on the ledger, once there is one.")
    requested: list[str]
    purpose: str
    until: datetime
    uses: int
    used: int | None = Field(description="How often it was handed out; null before an answer.")


class StandingList(_Body):
    """The standing grants of a verifier."""

    grants: list[StandingStatus]


class Handed(_Body):
    """What was deposited: its receipt is on the ledger."""

    use: int
    account: str
    sealed: str = Field(description="HPKE (RFC 9180) to the verifier's key, base64url.")
    consent: str = Field(description="The holder's signed record of the consent, a JWT.")
    request_object: str


class Detail(_Body):
    """One record of the ledger."""

    value: str | None


class Signatories(_Body):
    """The keys of an account."""

    keys: list[str]


class IdPath(BaseModel):
    """The id of a request."""

    id: Id


class AccessPath(BaseModel):
    """The id of a grant, and the verifier's own random id of the access."""

    grant: Id
    access: Id


class RecordQuery(_Body):
    """Where a record is."""

    account: Account
    key: str = Field(pattern=r"^tg_[a-z0-9_]{1,61}$")
    writer: Account | None = None


class AccountQuery(_Body):
    """An account."""

    account: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the routes need.

    Attributes:
        grants: The standing grants.
        records: What verifiers without a ledger account read of the ledger.
    """

    grants: StandingGrants
    records: RecordReader


def add_standing_routes(app: OpenAPI, standing: Standing, access: VerifierAccess) -> None:
    """Add the routes to an application.

    Args:
        app: The application.
        standing: The grants.
        access: Lets verifiers in.
    """
    _add_verifier_routes(app, standing.grants, access)
    _add_wallet_routes(app, standing.grants)
    _add_ledger_routes(app, standing.records, access)


def _add_verifier_routes(app: OpenAPI, standing: StandingGrants, access: VerifierAccess) -> None:
    @app.post(
        "/standing/requests",
        responses={201: StandingCreated, **problems(400, 401, 403, 413, 415, 422, 429)},
        security=_SECURITY,
        tags=_VERIFIER,
    )
    def ask(body: NewStandingRequest) -> tuple[Response, int]:
        """Ask for a standing grant. Scope `requests:write`."""
        verifier = access.caller(Scope.REQUESTS_WRITE).verifier
        try:
            question = Question.for_attributes(
                tuple(body.attributes),
                credential_type=body.credential_type,
                purpose=body.purpose,
                grant_seconds=body.grant_seconds,
                purpose_term=parse_identifier(body.purpose_term),
            )
            stored = standing.create(
                verifier,
                question,
                uses=body.uses,
                deposit_key=decode_base64url(body.deposit_key),
            )
        except (RequestError, DecodeError) as error:
            raise ApiError(
                422, "invalid_fields", "The request's fields are not acceptable", str(error)
            ) from None
        created = StandingCreated(
            id=stored.id, link=standing.link(stored), expires_at=_utc(stored.answer_until_ms)
        )
        return jsonify(created.model_dump(mode="json")), 201

    @app.get(
        "/standing/requests/<id>",
        responses={200: StandingStatus, **problems(401, 403, 404, 422, 429)},
        security=_SECURITY,
        tags=_VERIFIER,
    )
    def read(path: IdPath) -> Response:
        """Read what became of a request. Scope `results:read`."""
        stored = standing.find(access.caller(Scope.RESULTS_READ).verifier, path.id)
        return jsonify(_fields(stored, standing, None).model_dump(mode="json"))

    @app.get(
        "/standing/grants",
        responses={200: StandingList, **problems(401, 403, 429)},
        security=_SECURITY,
        tags=_VERIFIER,
    )
    def list_grants() -> Response:
        """List the grants that holders made. Scope `results:read`."""
        found = standing.grants_of(access.caller(Scope.RESULTS_READ).verifier)
        grants = [_fields(stored, standing, used) for stored, used in found]
        return jsonify(StandingList(grants=grants).model_dump(mode="json"))

    @app.put(
        "/standing/grants/<grant>/accesses/<access>",
        responses={200: Handed, **problems(401, 403, 404, 409, 410, 422, 429, 503)},
        security=_SECURITY,
        tags=_VERIFIER,
    )
    def hand_out(path: AccessPath) -> Response:
        """Look once more; its receipt is on the holder's record first. Scope `results:read`.

        The access id is the verifier's own: asking again with it is the same access.
        """
        verifier = access.caller(Scope.RESULTS_READ).verifier
        handed = standing.access(verifier, path.grant, path.access)
        shown = Handed(
            use=handed.use,
            account=handed.account,
            sealed=handed.sealed,
            consent=handed.consent,
            request_object=handed.request_object,
        )
        return jsonify(shown.model_dump(mode="json"))


def _add_wallet_routes(app: OpenAPI, standing: StandingGrants) -> None:
    request_object: ResponseDict = {
        200: {"content": {REQUEST_MEDIA_TYPE: {"schema": {"type": "string"}}}},
        **problems(404, 422, 429),
    }

    @app.get("/standing/objects/<id>", responses=request_object, tags=_WALLET)
    def fetch_object(path: IdPath) -> Response:
        """Fetch the signed request object (OpenID4VP 1.0 section 5)."""
        return Response(standing.request_object(path.id), content_type=REQUEST_MEDIA_TYPE)

    @app.post(
        "/standing/deposits/<id>",
        responses={
            200: {"content": {"application/json": {"schema": {"type": "object"}}}},
            400: OAuthError,
            **problems(413, 415, 422, 429, 503),
        },
        request_body=_form_body(),
        tags=_WALLET,
    )
    def take_deposit(path: IdPath) -> tuple[Response, int]:
        """Take what a wallet leaves here for the verifier, sealed; or its refusal."""
        try:
            standing.take(path.id, request.form.items(multi=True))
        except ResponseRefusedError as error:
            return jsonify({"error": error.code, "error_description": error.detail}), 400
        return jsonify({}), 200


def _add_ledger_routes(app: OpenAPI, records: RecordReader, access: VerifierAccess) -> None:
    @app.get(
        "/ledger/record",
        responses={200: Detail, **problems(401, 403, 422, 429, 503)},
        security=_SECURITY,
        tags=_VERIFIER,
    )
    def read_record(query: RecordQuery) -> Response:
        """Read an identity record of the ledger, to verify what was handed out.

        Scope `results:read`.
        """
        access.caller(Scope.RESULTS_READ)
        value = records.value(query.account, query.key, writer=query.writer or query.account)
        return jsonify(Detail(value=value).model_dump(mode="json"))

    @app.get(
        "/ledger/signatories",
        responses={200: Signatories, **problems(401, 403, 422, 429, 503)},
        security=_SECURITY,
        tags=_VERIFIER,
    )
    def read_signatories(query: AccountQuery) -> Response:
        """Read the keys of an account, none where there is no such. Scope `results:read`."""
        access.caller(Scope.RESULTS_READ)
        keys = sorted(records.signatories(query.account))
        return jsonify(Signatories(keys=keys).model_dump(mode="json"))


def _fields(stored: StandingGrant, standing: StandingGrants, used: int | None) -> StandingStatus:
    return StandingStatus(
        id=stored.id,
        status=standing.state_of(stored),
        grant=stored.grant,
        requested=stored.attributes.split("\n"),
        purpose=stored.purpose,
        until=_utc(stored.grant_until_ms),
        uses=stored.uses,
        used=used,
    )


def _form_body() -> RequestBody:
    media_type = MediaType.model_validate({"schema": {"type": "object"}})
    return RequestBody(content={"application/x-www-form-urlencoded": media_type}, required=True)


def _utc(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms // 1000, tz=UTC)
