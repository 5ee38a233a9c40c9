"""The card reader of a desk: one issuer's pages use it, and no card's last try is used up."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from support.command_line import run_inside
from support.virtual_card import (
    NOW,
    NUMBER_B,
    PASSWORD,
    PORTRAIT,
    Authority,
    VirtualCard,
    new_key,
)
from werkzeug.test import TestResponse

from client_sdk.card.card_proof import CardProof, verify_card_proof
from client_sdk.errors import CardError
from node.card_reader.app import create_app
from node.errors import ConfigError
from node.issuer.attributes import parse_portrait

ISSUER = "https://issuer.example"
ASKED = {"nonce": "n0nce", "password": PASSWORD}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return new_key()


@pytest.fixture
def card(authority: Authority, key: rsa.RSAPrivateKey) -> VirtualCard:
    return VirtualCard(authority, key=key)


@pytest.fixture
def reader(card: VirtualCard) -> FlaskClient:
    @contextmanager
    def lay_card() -> Iterator[VirtualCard]:
        yield card

    return create_app(ISSUER, lay_card).test_client()


def ask(reader: FlaskClient, *, origin: str | None = ISSUER, **changes: Any) -> TestResponse:
    headers = {} if origin is None else {"Origin": origin}
    return reader.post("/cards", json={**ASKED, **changes}, headers=headers)


def test_a_card_proves_itself_to_the_issuer(reader: FlaskClient, authority: Authority) -> None:
    answer = ask(reader, number_b=NUMBER_B)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Access-Control-Allow-Origin"] == ISSUER
    content = answer.get_json()
    proven = verify_card_proof(
        CardProof.from_json(content["proof"]),
        expected_audience=ISSUER,
        expected_nonce=ASKED["nonce"],
        trust_anchors=[authority.certificate],
        revocation_lists=[authority.revocation_list()],
        now=NOW,
    )
    assert proven.birth_date.isoformat() == "1980-01-31"
    assert parse_portrait(content["portrait"]) == PORTRAIT


def test_the_portrait_is_read_only_where_it_is_asked_for(
    reader: FlaskClient, card: VirtualCard
) -> None:
    assert ask(reader).get_json()["portrait"] is None
    assert not any(NUMBER_B.encode() in command for command in card.commands)


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null", f"{ISSUER}:8443"])
def test_other_pages_do_not_reach_the_card(
    reader: FlaskClient, card: VirtualCard, origin: str | None
) -> None:
    answer = ask(reader, origin=origin)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "other_origin")
    assert card.commands == []


def test_a_form_that_needs_no_leave_is_refused(reader: FlaskClient, card: VirtualCard) -> None:
    """A page may send plain text elsewhere without asking; JSON it may not."""
    headers = {"Origin": ISSUER, "Content-Type": "text/plain"}
    assert reader.post("/cards", data="{}", headers=headers).status_code == 415
    asked = {"Origin": ISSUER, "Access-Control-Request-Method": "POST"}
    leave = reader.options("/cards", headers=asked)
    assert leave.status_code == 200
    assert leave.headers["Access-Control-Allow-Headers"] == "Content-Type"
    assert card.commands == []


def test_a_wrong_password_says_how_often_and_the_last_try_is_kept(
    reader: FlaskClient, card: VirtualCard
) -> None:
    for left in (4, 3, 2, 1):
        answer = ask(reader, password="WRONG1")
        assert (answer.status_code, answer.get_json()["code"]) == (409, "wrong_pin")
        assert f"{left} tries" in answer.get_json()["detail"]
    assert ask(reader).get_json()["code"] == "last_try"
    (pin,) = (pin for pin in card.pins.values() if pin.value == PASSWORD)
    assert pin.tries == 1
    pin.tries = 0
    assert ask(reader).get_json()["code"] == "pin_blocked"


@pytest.mark.parametrize(
    "changes",
    [{"password": ""}, {"nonce": ""}, {"nonce": 7}, {"pin": "1234"}, {"password": "x" * 300}],
)
def test_what_is_not_asked_rightly_never_reaches_the_card(
    reader: FlaskClient, card: VirtualCard, changes: dict[str, Any]
) -> None:
    answer = ask(reader, **changes)
    assert answer.status_code == 422
    assert PASSWORD not in answer.text
    assert card.commands == []


def test_no_card_is_told_and_no_password_is_logged() -> None:
    @contextmanager
    def no_card() -> Iterator[VirtualCard]:
        raise CardError("no card was laid on the reader")
        yield

    with capture_logs() as logs:
        answer = ask(create_app(ISSUER, no_card).test_client())
    assert (answer.status_code, answer.get_json()["code"]) == (409, "card_not_read")
    assert "no card was laid" in answer.get_json()["detail"]
    assert PASSWORD not in str(logs)


def test_others_never_reach_the_reader() -> None:
    refused = run_inside("card-reader", "--for", ISSUER, "--listen", "0.0.0.0:8085")
    assert isinstance(refused.exception, ConfigError)
    assert "others reach this address" in str(refused.exception)
