"""A card reader's application: on the machine at the desk, for the pages of one issuer (ADR 0081).

The browser at the desk asks it, with the issuer's nonce. What the card answers goes back through
the page; the card's password goes from the keyboard to the card, and never to the issuer.
"""

import base64
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from werkzeug.exceptions import UnsupportedMediaType

from client_sdk.card.card_proof import prove_card
from client_sdk.card.my_number_card import MyNumberCard
from client_sdk.card.smart_card import CardTransport
from client_sdk.errors import CardError, LastTryError, PinBlockedError, WrongPinError
from node.errors import ApiError
from node.web.problems import refuse_invalid_fields, register_problems

MAX_BODY_BYTES: Final = 4096
Reader: TypeAlias = Callable[[], AbstractContextManager[CardTransport]]
"""Waits for a card, and gives the way to it."""
_MAX_CHARS: Final = 256
_TITLE: Final = "The card was not read"
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.card_reader")


class CardRequest(BaseModel):
    """What the page asks of a card; its repr shows no password."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    nonce: str = Field(min_length=1, max_length=_MAX_CHARS)
    password: SecretStr = Field(min_length=1, max_length=_MAX_CHARS)
    number_b: SecretStr | None = Field(default=None, max_length=_MAX_CHARS)


def create_app(issuer: str, reader: Reader) -> Flask:
    """Make the application.

    Args:
        issuer: The issuer's identifier. Cards prove themselves to it alone, whatever a page asks.
        reader: Waits for a card.
    """
    parts = urlsplit(issuer)
    origin = f"{parts.scheme}://{parts.netloc}"
    app = Flask("tegata-card-reader", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    register_problems(app)
    one_card = threading.Lock()

    @app.before_request
    def let_in() -> None:
        # Other pages in this browser must not use up the tries of whatever card lies here.
        if request.headers.get("Origin") != origin:
            raise ApiError(
                403,
                "other_origin",
                "This reader is for another page",
                f"It reads cards for the pages of {origin} alone.",
            )

    @app.after_request
    def share(response: Response) -> Response:
        headers = response.headers
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Allow-Headers"] = "Content-Type"
        # Chromium asks this of services that only this machine reaches.
        headers["Access-Control-Allow-Private-Network"] = "true"
        headers["Cache-Control"] = "no-store"
        headers["Vary"] = "Origin"
        return response

    @app.post("/cards")
    def read_card() -> ResponseReturnValue:
        """Let the card that lies on the reader prove itself; read its portrait where asked to."""
        if request.mimetype != "application/json":
            # Of another type a page could send it without asking first.
            raise UnsupportedMediaType
        asked = _read(request.get_data())
        password = asked.password.get_secret_value()
        portrait = None
        try:
            with one_card, reader() as transport:
                card = MyNumberCard(transport)
                proof = prove_card(card, password=password, audience=issuer, nonce=asked.nonce)
                if asked.number_b is not None:
                    portrait = card.read_portrait(asked.number_b.get_secret_value())
        except CardError as error:
            _log.info("card_not_read", error=type(error).__name__)
            raise _refusal(error) from None
        _log.info("card_read", portrait=portrait is not None)
        return jsonify(
            proof=proof.to_json(),
            portrait=None if portrait is None else base64.b64encode(portrait).decode("ascii"),
        )

    return app


def _read(body: bytes) -> CardRequest:
    try:
        return CardRequest.model_validate_json(body)
    except ValidationError as error:
        refuse_invalid_fields(error)


def _refusal(error: CardError) -> ApiError:
    match error:
        case WrongPinError():
            code = "wrong_pin"
        case LastTryError():
            code = "last_try"
        case PinBlockedError():
            code = "pin_blocked"
        case _:
            code = "card_not_read"
    return ApiError(409, code, _TITLE, f"{error}.")
