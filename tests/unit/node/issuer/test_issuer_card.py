"""My Number cards at the issuer: what the card proved is what is attested, and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.card_world import CardWorld
from support.issuer_world import JPEG, RESIDENT, IssuerWorld
from support.virtual_card import ADDRESS, NAME, Authority, VirtualCard, new_key
from werkzeug.test import TestResponse

from client_sdk.credentials.jose import generate_key
from client_sdk.credentials.sd_jwt_vc import parse_credential
from client_sdk.openid4vci.card_grant import MY_NUMBER_CARD
from node.errors import ConfigError
from node.issuer.offers import TRANSACTION_CODE_TRIES


class Counter(CardWorld):
    """A city's service that takes cards, and what comes to it."""

    def offer_to_card(self, **card: str) -> dict[str, Any]:
        answer = self.operator("/offers", {"card": card, "reference": "case-7"})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.get_json()
        return made

    def redeem_with(self, offer: dict[str, Any], parameters: dict[str, str]) -> TestResponse:
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:pre-authorized_code",
            "pre-authorized_code": self.code_of(offer),
            "tx_code": offer["tx_code"],
            **parameters,
        }
        return self.http.post("/token", data=form)

    def ask_alone(self, parameters: dict[str, str]) -> TestResponse:
        return self.http.post("/token", data={"grant_type": MY_NUMBER_CARD, **parameters})

    def claims(self, token: str) -> Any:
        answer = self.request_credential(token, self.proof(generate_key(), self.nonce()))
        assert answer.status_code == 200, answer.text
        held = parse_credential(answer.get_json()["credentials"][0]["credential"])
        return held.unverified_claims


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def card(authority: Authority) -> VirtualCard:
    return VirtualCard(authority)


@pytest.fixture
def city(tmp_path: Path, authority: Authority) -> Iterator[Counter]:
    made = Counter(tmp_path, authority)
    yield made
    made.store.close()


def error_of(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error"]


def test_credential_says_exactly_what_the_card_proved(city: Counter, card: VirtualCard) -> None:
    offer = city.offer_to_card()
    token = city.redeem_with(offer, city.prove(card)).get_json()["access_token"]
    claims = city.claims(token)
    said = {name: claims[name] for name in ("name", "address", "birth_date", "sex")}
    assert said == {"name": NAME, "address": ADDRESS, "birth_date": "1980-01-31", "sex": "2"}
    assert claims["municipality"] == "仙台市"
    assert "portrait" not in claims


def test_portrait_is_the_counters(city: Counter, card: VirtualCard) -> None:
    offer = city.offer_to_card(portrait=RESIDENT["portrait"])
    token = city.redeem_with(offer, city.prove(card)).get_json()["access_token"]
    assert city.claims(token)["portrait"].startswith("data:image/jpeg")
    assert JPEG not in city.bytes_at_rest()


def test_individual_number_is_never_read(city: Counter, card: VirtualCard) -> None:
    city.redeem_with(city.offer_to_card(), city.prove(card))
    # SELECT of the input-support application, which holds the number, never happens.
    assert not any(b"\xd3\x92\x10\x00\x31\x00\x01\x01\x04\x08" in sent for sent in card.commands)


def test_offer_to_a_card_needs_its_proof(city: Counter, card: VirtualCard) -> None:
    offer = city.offer_to_card()
    assert error_of(city.redeem_with(offer, {})) == (400, "invalid_request")
    half = city.prove(card)
    del half["tegata_card_nonce"]
    assert error_of(city.redeem_with(offer, half)) == (400, "invalid_request")
    assert city.redeem_with(offer, city.prove(card)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"audience": "https://other.example"}, "invalid_grant"),
        ({"nonce": "another"}, "invalid_grant"),
    ],
)
def test_proof_for_another_issuer_or_nonce_is_refused(
    city: Counter, card: VirtualCard, changes: dict[str, str], error: str
) -> None:
    parameters = city.prove(card, city.nonce(), **changes)
    assert error_of(city.redeem_with(city.offer_to_card(), parameters)) == (400, error)


def test_proof_is_good_once(city: Counter, card: VirtualCard) -> None:
    parameters = city.prove(card)
    assert city.redeem_with(city.offer_to_card(), parameters).status_code == 200
    again = city.redeem_with(city.offer_to_card(), parameters)
    assert error_of(again) == (400, "invalid_nonce")
    foreign = city.prove(card, "foreign")
    assert error_of(city.redeem_with(city.offer_to_card(), foreign)) == (400, "invalid_nonce")


@pytest.mark.parametrize(
    "proof", ["", "x", "{}", '{"certificate":"AA","signature":"AA"}', "\ud800"]
)
def test_proof_that_is_none_is_refused(city: Counter, proof: str) -> None:
    parameters = {"tegata_card_proof": proof, "tegata_card_nonce": city.nonce()}
    if proof == "\ud800":
        parameters["tegata_card_proof"] = json.dumps(proof)
    answer = city.redeem_with(city.offer_to_card(), parameters)
    assert error_of(answer) == (400, "invalid_grant")


def test_revoked_card_is_refused(city: Counter, card: VirtualCard) -> None:
    city.revoke(card.certificate)
    answer = city.redeem_with(city.offer_to_card(), city.prove(card))
    assert error_of(answer) == (400, "invalid_grant")


def test_card_of_another_authority_is_refused(city: Counter) -> None:
    answer = city.redeem_with(city.offer_to_card(), city.prove(VirtualCard(Authority())))
    assert error_of(answer) == (400, "invalid_grant")


def test_resident_of_another_city_is_refused(city: Counter, authority: Authority) -> None:
    key = new_key()
    attributes = {1: NAME, 3: "2", 4: "319800131", 5: "東京都千代田区一丁目"}
    elsewhere = VirtualCard(authority, certificate=authority.issue(key, attributes=attributes))
    elsewhere.key = key
    answer = city.redeem_with(city.offer_to_card(), city.prove(elsewhere))
    assert error_of(answer) == (400, "invalid_grant")


def test_unreadable_revocation_list_refuses_for_now(city: Counter, card: VirtualCard) -> None:
    """It says that nothing is used up: neither is a try of the transaction code."""
    city.list_file.unlink()
    offer = city.offer_to_card()
    for _ in range(TRANSACTION_CODE_TRIES + 1):
        answer = city.redeem_with(offer, city.prove(card))
        assert error_of(answer) == (503, "temporarily_unavailable")
    city.revoke()
    assert city.redeem_with(offer, city.prove(card)).status_code == 200


def test_card_alone_does_not_suffice_unless_the_city_says_so(
    city: Counter, card: VirtualCard
) -> None:
    assert error_of(city.ask_alone(city.prove(card))) == (400, "unsupported_grant_type")


def test_card_alone_suffices_where_the_city_says_so(
    tmp_path: Path, authority: Authority, card: VirtualCard
) -> None:
    city = Counter(tmp_path, authority, self_service="on")
    answer = city.ask_alone(city.prove(card)).get_json()
    assert city.claims(answer["access_token"])["address"] == ADDRESS
    assert error_of(city.ask_alone({})) == (400, "invalid_request")
    server = city.http.get("/.well-known/oauth-authorization-server").get_json()
    assert MY_NUMBER_CARD in server["grant_types_supported"]
    city.store.close()


def test_counter_approves_what_a_card_asked_for(
    tmp_path: Path, authority: Authority, card: VirtualCard
) -> None:
    city = Counter(tmp_path, authority, self_service="reviewed")
    answer = city.ask_alone(city.prove(card)).get_json()
    token, review_code = answer["access_token"], answer["tegata_review_code"]
    proof = city.proof(generate_key(), city.nonce())
    deferred = city.request_credential(token, proof)
    assert deferred.status_code == 202
    seen = city.operator("/reviews/look-up", {"code": review_code}).get_json()
    assert (seen["name"], seen["address"], seen["state"]) == (NAME, ADDRESS, "waiting")
    city.operator("/reviews/decide", {"code": review_code, "decision": "approve"})
    body = {"transaction_id": deferred.get_json()["transaction_id"]}
    headers = {"Authorization": f"Bearer {token}"}
    issued = city.http.post("/deferred_credential", json=body, headers=headers)
    assert issued.status_code == 200
    city.store.close()


def test_issuer_without_cards_offers_none(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    answer = world.operator("/offers", {"card": {}})
    assert (answer.status_code, answer.get_json()["code"]) == (409, "no_cards")
    for body in ({}, {"attributes": RESIDENT, "card": {}}, {"card": {}, "review": True}):
        assert world.operator("/offers", body).status_code == 422
    world.store.close()


@pytest.mark.parametrize("name", ["cards.pem", "cards.crl"])
def test_unreadable_files_stop_the_start(tmp_path: Path, authority: Authority, name: str) -> None:
    world = Counter(tmp_path, authority)
    world.store.close()
    assert world.config.card is not None
    (tmp_path / name).write_bytes(b"no certificate")
    with pytest.raises(ConfigError, match=name):
        IssuerWorld(tmp_path, card=world.config.card)
    (tmp_path / name).unlink()
    with pytest.raises(ConfigError, match=name):
        IssuerWorld(tmp_path, card=world.config.card)
