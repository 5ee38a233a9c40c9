"""What the counter does, with the operator's token: offers, their reviews, enrolment codes."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

from flask import Response, jsonify
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
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
from client_sdk.errors import CredentialFormatError
from node.errors import ApiError
from node.issuer.accounts import Accounts
from node.issuer.attributes import parse_portrait
from node.issuer.offers import NewOffer as MadeOffer
from node.issuer.offers import Offers
from node.issuer.reviews import Reviews
from node.issuer.waci import WaciIssuing
from node.web.bearer import authenticate

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


class OfferedToCard(_Body):
    """An offer to the holder of a My Number card, who proves the attributes by it."""

    portrait: str | None = Field(
        default=None,
        max_length=MAX_PORTRAIT_BYTES * 4 // 3 + 4,
        description="From the card's face, read at the counter; as in `attributes`.",
    )


class NewOffer(_Body):
    """A resident to whom a credential is offered."""

    attributes: OfferedAttributes | None = Field(
        default=None, description="What is attested; left out with `card`."
    )
    card: OfferedToCard | None = Field(
        default=None, description="Attest what the person's My Number card proves."
    )
    reference: Reference | None = Field(
        default=None, description="Your own case number, to find the credential by. No name."
    )
    review: bool = Field(
        default=False, description="Whether the credential waits until you approve it."
    )


class OfferMade(_Body):
    """An offer; show the link as a QR code, and tell the person the transaction code."""

    id: str
    link: str
    tx_code: str
    authentication_code: str
    expires_at: datetime
    review_code: str | None
    waci_link: str | None = Field(
        description="The same as an invitation of WACI-DIDComm, where the issuer has that and "
        "neither a review nor a card comes first."
    )


class EnrolmentMade(_Body):
    """A code for one account."""

    code: str
    expires_at: datetime


class ReviewCode(_Body):
    """Which review."""

    code: str = Field(min_length=1, max_length=64, description="As the wallet or the offer has it.")


class ReviewDecision(ReviewCode):
    """What a review comes to."""

    decision: Literal["approve", "refuse"]


class ReviewedOffer(_Body):
    """What is to be attested, for the one who reviews it."""

    state: str
    reference: str | None
    name: str
    address: str
    municipality: str
    birth_date: date
    sex: str


class ReviewDecided(_Body):
    """What the review came to."""

    state: str


def add_offer_routes(
    app: OpenAPI,
    *,
    token_sha256: str,
    offers: Offers,
    reviews: Reviews,
    accounts: Accounts,
    waci: WaciIssuing | None,
) -> None:
    """Add the making of offers and enrolment codes, and the reviews of offers.

    Args:
        app: The application.
        token_sha256: The hash of the operator's token, 64 hex digits.
        offers: The issuer's offers.
        reviews: Those of them that are reviewed.
        accounts: Makes enrolment codes.
        waci: The offers as WACI's; None where they are not.
    """

    @app.post("/offers", responses={201: OfferMade}, security=_SECURITY, tags=_TAGS)
    def create_offer(body: NewOffer) -> tuple[Response, int]:
        """Offer a resident a credential."""
        _check_operator(token_sha256)
        try:
            made = make_offer(offers, body)
        except CredentialFormatError as error:
            raise ApiError(
                422, "invalid_fields", "The request's fields are not acceptable", f"{error}."
            ) from None
        is_immediate = body.card is None and not body.review
        answer = OfferMade(
            id=made.id,
            link=made.link,
            tx_code=made.tx_code,
            authentication_code=made.authentication_code,
            expires_at=_utc(made.expires_at_ms),
            review_code=made.review_code,
            waci_link=waci.link(made.id) if waci is not None and is_immediate else None,
        )
        return jsonify(answer.model_dump(mode="json")), 201

    @app.post("/enrolments", responses={201: EnrolmentMade}, security=_SECURITY, tags=_TAGS)
    def create_enrolment() -> tuple[Response, int]:
        """Make a code that is good for one account on the ledger."""
        _check_operator(token_sha256)
        made = accounts.create_code()
        answer = EnrolmentMade(code=made.code, expires_at=_utc(made.expires_at_ms))
        return jsonify(answer.model_dump(mode="json")), 201

    @app.post("/reviews/look-up", responses={200: ReviewedOffer}, security=_SECURITY, tags=_TAGS)
    def look_up_review(body: ReviewCode) -> Response:
        """Show what is to be attested, to compare it with the person's papers."""
        _check_operator(token_sha256)
        found = reviews.find(body.code)
        answer = ReviewedOffer(
            state=found.state,
            reference=found.reference,
            name=found.attributes.name,
            address=found.attributes.address,
            municipality=found.attributes.municipality,
            birth_date=found.attributes.birth_date,
            sex=found.attributes.sex,
        )
        return jsonify(answer.model_dump(mode="json"))

    @app.post("/reviews/decide", responses={200: ReviewDecided}, security=_SECURITY, tags=_TAGS)
    def decide_review(body: ReviewDecision) -> Response:
        """Approve or refuse that the credential is issued."""
        _check_operator(token_sha256)
        state = reviews.decide(body.code, approved=body.decision == "approve")
        return jsonify(ReviewDecided(state=state).model_dump())


def _check_operator(token_sha256: str) -> None:
    authenticate({"operator": token_sha256}, needed="The operator's token is needed")


def make_offer(offers: Offers, body: NewOffer) -> MadeOffer:
    """Make the offer that a body asks for.

    Raises:
        CredentialFormatError: A text cannot be attested, or it is not clear what is to be.
        ApiError: This issuer takes no cards.
    """
    match body.attributes, body.card:
        case OfferedAttributes() as attributes, None:
            return offers.create(
                read_attributes(attributes), reference=body.reference, is_reviewed=body.review
            )
        case None, OfferedToCard(portrait=portrait) if not body.review:
            return offers.create_for_card(
                portrait=None if portrait is None else parse_portrait(portrait),
                reference=body.reference,
            )
        case _:
            raise CredentialFormatError("either attributes or card is needed; card has no review")


def read_attributes(body: OfferedAttributes) -> ResidentAttributes:
    """Return the attributes that a body names.

    Raises:
        CredentialFormatError: A text, or the portrait, cannot be attested.
    """
    return ResidentAttributes(
        name=body.name,
        address=body.address,
        municipality=body.municipality,
        birth_date=body.birth_date,
        sex=body.sex,
        portrait=None if body.portrait is None else parse_portrait(body.portrait),
    )


def _utc(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms // 1000, tz=UTC)
