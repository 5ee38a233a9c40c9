"""What the issuer's operator does, with the operator's token: offers, enrolments, revocation."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, TypeAlias

from flask import Response, jsonify
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from flask_openapi.types import ResponseDict
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from client_sdk.credentials.individual_number import has_individual_number
from client_sdk.credentials.resident import (
    MAX_ADDRESS_CHARS,
    MAX_MUNICIPALITY_CHARS,
    MAX_NAME_CHARS,
    MAX_PORTRAIT_BYTES,
    ResidentAttributes,
    Sex,
)
from client_sdk.errors import (
    CredentialFormatError,
    CredentialStateError,
    UnknownCredentialError,
)
from client_sdk.issuer import Issuer
from node.errors import ApiError
from node.issuer.accounts import Accounts
from node.issuer.offers import Offers, parse_portrait
from node.issuer.store import IssuerStore, StoredCredential
from node.web.bearer import authenticate

MAX_PAGE: Final = 500
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_Tags: TypeAlias = "list[Tag | dict[str, Any]]"
_TAGS: Final[_Tags] = [{"name": "operator"}]
_SECURITY: Final[list[dict[str, list[str]]]] = [{"operator_token": []}]


def _no_individual_number(text: str) -> str:
    if has_individual_number(text):
        raise ValueError("it reads as an individual number")
    return text


Reference = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$"),
    AfterValidator(_no_individual_number),
]


def _require_day(value: object) -> object:
    # Otherwise pydantic takes numbers for seconds since 1970, and times for days.
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("a day as YYYY-MM-DD is expected")
    return value


Day = Annotated[date, BeforeValidator(_require_day)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OfferedAttributes(_Body):
    """What is attested of a resident."""

    name: str = Field(max_length=MAX_NAME_CHARS)
    address: str = Field(max_length=MAX_ADDRESS_CHARS)
    municipality: str = Field(max_length=MAX_MUNICIPALITY_CHARS)
    birth_date: Day
    sex: Sex = Field(description="ISO/IEC 5218: 0 not known, 1 male, 2 female, 9 not applicable.")
    portrait: str | None = Field(
        default=None,
        max_length=MAX_PORTRAIT_BYTES * 4 // 3 + 4,
        description="JPEG or JPEG 2000 in base64, at most 64 KiB.",
    )


class NewOffer(_Body):
    """A resident to whom a credential is offered."""

    attributes: OfferedAttributes
    reference: Reference | None = Field(
        default=None, description="Your own case number, to find the credential by. No name."
    )


class OfferMade(_Body):
    """An offer; show the link as a QR code, and tell the person the transaction code."""

    id: str
    link: str
    tx_code: str
    expires_at: datetime


class EnrolmentMade(_Body):
    """A code for one account."""

    code: str
    expires_at: datetime


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


class CredentialPage(_Body):
    """Credentials in the order of their numbers."""

    credentials: list[IssuedCredential]


class CredentialState(_Body):
    """A credential's state on the ledger."""

    record: str
    state: str


def add_offer_routes(
    app: OpenAPI, *, token_sha256: str, offers: Offers, accounts: Accounts
) -> None:
    """Add the making of offers and enrolment codes.

    Args:
        app: The application.
        token_sha256: The hash of the operator's token, 64 hex digits.
        offers: The issuer's offers.
        accounts: Makes enrolment codes.
    """

    @app.post("/offers", responses={201: OfferMade}, security=_SECURITY, tags=_TAGS)
    def create_offer(body: NewOffer) -> tuple[Response, int]:
        """Offer a resident a credential."""
        _check_operator(token_sha256)
        try:
            made = offers.create(_attributes(body.attributes), reference=body.reference)
        except CredentialFormatError as error:
            raise ApiError(
                422, "invalid_fields", "The request's fields are not acceptable", f"{error}."
            ) from None
        answer = OfferMade(
            id=made.id, link=made.link, tx_code=made.tx_code, expires_at=_utc(made.expires_at_ms)
        )
        return jsonify(answer.model_dump(mode="json")), 201

    @app.post("/enrolments", responses={201: EnrolmentMade}, security=_SECURITY, tags=_TAGS)
    def create_enrolment() -> tuple[Response, int]:
        """Make a code that is good for one account on the ledger."""
        _check_operator(token_sha256)
        made = accounts.create_code()
        answer = EnrolmentMade(code=made.code, expires_at=_utc(made.expires_at_ms))
        return jsonify(answer.model_dump(mode="json")), 201


def add_revocation_routes(
    app: OpenAPI, *, token_sha256: str, issuer: Issuer, store: IssuerStore
) -> None:
    """Add the list of credentials, and their suspension and revocation.

    Args:
        app: The application.
        token_sha256: The hash of the operator's token, 64 hex digits.
        issuer: Writes to the ledger.
        store: Which credentials were issued.
    """

    @app.get("/credentials", responses={200: CredentialPage}, security=_SECURITY, tags=_TAGS)
    def list_credentials(query: CredentialQuery) -> Response:
        """List the credentials that were issued."""
        _check_operator(token_sha256)
        found = store.credentials(reference=query.reference, after=query.after, limit=query.limit)
        page = CredentialPage(credentials=[_listed(credential) for credential in found])
        return jsonify(page.model_dump(mode="json"))

    def change(record: str, write: Callable[[str], None], state: str) -> Response:
        _check_operator(token_sha256)
        try:
            write(record)
        except UnknownCredentialError as error:
            raise ApiError(
                404, "unknown_credential", "There is no such credential", f"{error}."
            ) from None
        except CredentialStateError as error:
            if issuer.state(record) == state:
                # An earlier answer was lost on its way: it is done.
                store.set_credential_state(record, state)
                return jsonify(CredentialState(record=record, state=state).model_dump())
            raise ApiError(
                409, "wrong_state", "The credential's state does not allow this", f"{error}."
            ) from None
        store.set_credential_state(record, state)
        return jsonify(CredentialState(record=record, state=state).model_dump())

    changed: ResponseDict = {200: CredentialState}

    @app.post("/credentials/<record>/suspend", responses=changed, security=_SECURITY, tags=_TAGS)
    def suspend_credential(path: CredentialPath) -> Response:
        """Put a credential out of force for a while."""
        return change(path.record, issuer.suspend, "suspended")

    @app.post("/credentials/<record>/reinstate", responses=changed, security=_SECURITY, tags=_TAGS)
    def reinstate_credential(path: CredentialPath) -> Response:
        """Put a suspended credential back in force."""
        return change(path.record, issuer.reinstate, "active")

    @app.post("/credentials/<record>/revoke", responses=changed, security=_SECURITY, tags=_TAGS)
    def revoke_credential(path: CredentialPath) -> Response:
        """Put a credential out of force for good."""

        def revoke(record: str) -> None:
            # First: nothing is issued anew in the place of what the operator revokes.
            store.cancel_renewal(record)
            issuer.revoke(record)

        return change(path.record, revoke, "revoked")


def _check_operator(token_sha256: str) -> None:
    authenticate({"operator": token_sha256}, needed="The operator's token is needed")


def _attributes(body: OfferedAttributes) -> ResidentAttributes:
    return ResidentAttributes(
        name=body.name,
        address=body.address,
        municipality=body.municipality,
        birth_date=body.birth_date,
        sex=body.sex,
        portrait=None if body.portrait is None else parse_portrait(body.portrait),
    )


def _listed(credential: StoredCredential) -> IssuedCredential:
    return IssuedCredential(
        number=credential.number,
        record=credential.record_id,
        reference=credential.reference,
        state=credential.state,
        issued_at=_utc(credential.issued_at_ms),
        expires_at=_utc(credential.expires_at_ms),
    )


def _utc(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms // 1000, tz=UTC)
