"""A gateway whose verifiers registered what they may ask: it asks no more, and wallets are told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.gateway_world import GatewayWorld
from support.presentation_world import NOW_MS, RESIDENT, World
from werkzeug.test import TestResponse

from client_sdk.openid4vp.access_certificate import AccessIdentity
from client_sdk.openid4vp.verifier_registration import (
    AskedClaim,
    RegisteredCredential,
    Registration,
    sign_registration,
)
from client_sdk.purposes import find_term
from node.errors import ConfigError

AGE = "https://w3id.org/dpv#AgeVerification"


def register(folder: Path, world: World, identity: AccessIdentity | None = None) -> str:
    """Write a registration for the birth date, to verify an age; return the file's name."""
    registration = Registration(
        client_id=(identity or world.identity).client_id,
        name="Minato City Hall",
        purpose=find_term("AgeVerification"),
        words="年齢確認",
        credentials=(RegisteredCredential(types=(RESIDENT,), paths=(("birth_date",),)),),
        issued_at=NOW_MS // 1000,
        expires_at=NOW_MS // 1000 + 86_400,
    )
    (folder / "city.rc").write_text(sign_registration(registration, world.authority) + "\n")
    return "city.rc"


def make(folder: Path, **changes: Any) -> GatewayWorld:
    world = World()
    verifier = {"registration_files": [register(folder, world)], **changes}
    return GatewayWorld(folder, world=world, verifier_changes=verifier)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayWorld]:
    world = make(tmp_path)
    yield world
    world.close()


def ask(gateway: GatewayWorld, *attributes: str, purpose_term: str = AGE) -> TestResponse:
    body = {"attributes": attributes, "purpose": "Sake", "purpose_term": purpose_term}
    return gateway.client.post("/requests", json=body, headers=gateway.headers())


def test_a_request_within_the_registration_shows_it_to_the_wallet(gateway: GatewayWorld) -> None:
    verified = gateway.fetch(ask(gateway, "birth_date").get_json())
    assert verified.exceeding == ()
    (registration,) = verified.registrations
    assert registration.authority == "Access Authority"
    assert registration.purpose == find_term("AgeVerification")
    assert verified.offer is not None
    assert verified.offer.purpose_term == registration.purpose


@pytest.mark.parametrize(
    ("attributes", "purpose_term", "named"),
    [
        (("birth_date", "name"), AGE, "name"),
        (("birth_date",), "https://w3id.org/dpv#Marketing", "birth_date"),
    ],
)
def test_what_is_not_registered_is_not_asked(
    gateway: GatewayWorld, attributes: tuple[str, ...], purpose_term: str, named: str
) -> None:
    refused = ask(gateway, *attributes, purpose_term=purpose_term)
    assert refused.status_code == 403
    problem = refused.get_json()
    assert problem["code"] == "exceeds_registration"
    assert problem["detail"].endswith(f": {named}. Ask for less, or register it.")


def test_a_gateway_that_asks_all_the_same_is_found_out_by_the_wallet(tmp_path: Path) -> None:
    gateway = make(tmp_path, may_exceed_registration=True)
    verified = gateway.fetch(ask(gateway, "birth_date", "name").get_json())
    assert verified.exceeding == (AskedClaim(credential_type=RESIDENT, path=("name",)),)
    gateway.close()


def test_a_verifier_that_hides_its_registration_exceeds_with_everything(tmp_path: Path) -> None:
    gateway = GatewayWorld(tmp_path)
    verified = gateway.fetch(ask(gateway, "birth_date").get_json())
    assert verified.registrations == ()
    assert [claim.path for claim in verified.exceeding] == [("birth_date",)]
    gateway.close()


def test_another_verifier_s_registration_is_refused_at_the_start(tmp_path: Path) -> None:
    world = World()
    register(tmp_path, world, World().identity)
    with pytest.raises(ConfigError, match="another certificate"):
        GatewayWorld(tmp_path, world=world, verifier_changes={"registration_files": ["city.rc"]})


def test_a_file_that_is_no_registration_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "city.rc").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="verifier city"):
        GatewayWorld(tmp_path, verifier_changes={"registration_files": ["city.rc"]})


def test_an_unknown_purpose_is_refused(gateway: GatewayWorld) -> None:
    refused = ask(gateway, "birth_date", purpose_term="https://w3id.org/dpv#Curiosity")
    assert refused.status_code == 422
    assert refused.get_json()["errors"][0]["field"] == "purpose_term"
