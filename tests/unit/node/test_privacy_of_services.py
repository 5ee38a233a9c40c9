"""Invariant 1 at each service: what it is told of a person is in no log, metric or span of it.

Each is fed well and badly, so that refusals and failures are looked at too.
"""

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.escrow_world import KDF, PASSWORD, EscrowWorld
from support.face_world import ACCOUNT, FaceWorld
from support.gateway_world import GatewayWorld
from support.issuer_world import IssuerWorld
from support.observer_world import ObserverWorld
from support.presentation_world import ATTRIBUTES
from support.story_town import CANARIES
from support.watching import Watched, watching

from client_sdk.credentials.jose import generate_key
from client_sdk.errors import ClientError, FaceTestRefusedError
from client_sdk.escrow.protection import protect
from client_sdk.escrow.recovery import recover
from client_sdk.face.capture import run_test
from client_sdk.face.portrait import PortraitOpening

PORTRAIT = b"\xff\xd8\xff a portrait " + CANARIES["portrait"].encode() + b"\xff\xd9"
PERSON = {
    "name": CANARIES["name"],
    "address": CANARIES["address"],
    "municipality": CANARIES["municipality"],
    "birth_date": "1987-06-05",
    "sex": "2",
    "portrait": base64.b64encode(PORTRAIT).decode(),
}
# Long enough to be no part of anything else; a sex of one digit is looked for with its name.
VALUES = [value for name, value in PERSON.items() if name != "sex"]
SEX = ('"sex": "2"', '"sex": 2', "sex=2")


@pytest.fixture
def watched() -> Iterator[Watched]:
    with watching() as watched:
        yield watched


def check(watched: Watched, *more: str) -> None:
    assert '"event": "request"' in watched.log
    assert "http.route" in watched.spans
    assert "tegata_http_requests_total" in watched.metrics
    assert watched.places_of(*VALUES, *SEX, CANARIES["portrait"], *more) == []


def test_what_watches_would_find_a_value(watched: Watched, tmp_path: Path) -> None:
    issuer = IssuerWorld(tmp_path)
    issuer.http.get(f"/{CANARIES['name']}", headers={"X": CANARIES["address"]})
    assert issuer.http.get("/healthz").status_code == 200
    issuer.store.close()
    check(watched)
    assert watched.places_of("/healthz") == ["log", "metrics", "spans"]


def test_an_issuer(watched: Watched, tmp_path: Path) -> None:
    issuer = IssuerWorld(tmp_path)
    offer = issuer.make_offer(**PERSON)
    proof = issuer.proof(generate_key(), issuer.nonce())
    assert issuer.redeem(issuer.code_of(offer), "000000").status_code == 400
    token = issuer.redeem(issuer.code_of(offer), offer["tx_code"]).get_json()["access_token"]
    assert issuer.request_credential(token, "not.a.proof").status_code == 400
    assert issuer.request_credential(token, proof).status_code == 200
    for name, value in PERSON.items():
        wrong: dict[str, Any] = {**PERSON, name: [value]}
        assert issuer.operator("/offers", {"attributes": wrong}).status_code == 422
        assert issuer.operator("/offers", {"attributes": PERSON, value: value}).status_code == 422
    assert issuer.operator(f"/credentials?reference={CANARIES['name']}", method="GET").is_json
    issuer.store.close()
    check(watched, token, offer["tx_code"])


def test_a_gateway(watched: Watched, tmp_path: Path) -> None:
    gateway = GatewayWorld(tmp_path)
    created = gateway.create()
    form = gateway.answer(created)
    assert gateway.client.post(f"/oid4vp/responses/{created['id']}", data=form).status_code == 200
    assert gateway.read(created["id"])["attributes"]
    refused = gateway.create()
    path = f"/oid4vp/responses/{refused['id']}"
    gateway.client.post(path, data=gateway.answer(refused, nonce="n" * 22))
    gateway.client.post(path, data={"vp_token": json.dumps(PERSON), **PERSON})
    gateway.client.post(f"{path}?address={CANARIES['address']}", json=PERSON)
    gateway.close()
    check(watched, *(str(value) for value in ATTRIBUTES.values()), gateway.api_keys["city"])


def test_a_face_service(watched: Watched) -> None:
    world = FaceWorld()
    portrait = PortraitOpening.create(PORTRAIT)
    frame = CANARIES["portrait"].encode()
    assert run_test(world.client, world.new(portrait=portrait), world.person)
    world.vision.conclusion = "wrong_person"
    with pytest.raises(FaceTestRefusedError):
        run_test(world.client, world.new(portrait=portrait), world.person)
    with suppress(ClientError):
        test = world.client.create(world.new(portrait=portrait))
        state = world.client.start(test)
        world.client.send_frames(test, state.window, world.frames(content=b"broken" + frame))
    world.flask.post("/challenges", json=PERSON)
    check(watched, ACCOUNT, base64.b64encode(frame).decode())


def test_an_escrow_agent(watched: Watched, tmp_path: Path) -> None:
    world = EscrowWorld(tmp_path, count=2, on_disk=True)
    contents: dict[str, Any] = {"credentials": [PERSON]}
    card, _ = protect(
        contents, world.urls, PASSWORD, threshold=2, http=world.http, now_ms=world.clock, kdf=KDF
    )
    with pytest.raises(ClientError):
        recover(card, CANARIES["name"], http=world.http)
    assert recover(card, PASSWORD, http=world.http).contents == contents
    for agent in world.agents:
        agent.app.test_client().post("/deposits", json=PERSON)
    world.close()
    check(watched, PASSWORD)
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("agent*"))
    assert card.handle.encode() in kept
    assert not any(value.encode() in kept for value in [*VALUES, PASSWORD])


def test_an_operators_page(watched: Watched, tmp_path: Path) -> None:
    world = ObserverWorld(tmp_path)
    page = world.app.test_client()
    page.get(f"/accounts/{CANARIES['name']}@holder")
    page.post("/login", data=PERSON)
    page.get(f"/login?then={CANARIES['address']}")
    world.close()
    check(watched)
