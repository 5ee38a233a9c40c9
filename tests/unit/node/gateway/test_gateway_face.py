"""A verifier demands a face test: the check `face` tells, and no portrait is shown."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.face_world import NAME, PORTRAIT, URL, FaceWorld
from support.gateway_world import GatewayWorld
from support.presentation_world import ATTRIBUTES, HOLDER, key_of_account
from werkzeug.test import TestResponse

from client_sdk.checks import CHECKS
from client_sdk.credentials.jose import generate_key, thumbprint
from client_sdk.credentials.resident import encode_portrait
from client_sdk.face.capture import run_test
from client_sdk.face.client import NewTest
from client_sdk.face.demand import (
    PRESENTATION_PURPOSE,
    FaceDemand,
    FaceService,
    presentation_hash,
)
from client_sdk.face.portrait import PortraitOpening
from client_sdk.openid4vp.grant_offer import parse_grant_offer
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.openid4vp.response import build_response

WITH_FACE = [*list(CHECKS)[:-1], "face", "grant"]


class FaceTown:
    """A gateway that trusts a face service, and a holder with a portrait."""

    def __init__(self, folder: Path) -> None:
        self.face = FaceWorld()
        service = {**self.face.trust(folder), "url": URL}
        self.gateway = GatewayWorld(
            folder, encrypt_responses=False, tables={"face_services": [service]}
        )
        self.world = self.gateway.world
        self.world.credential = self.world.issue(portrait=encode_portrait(PORTRAIT))
        self.face.clock.now_ms = self.world.now_ms

    def ask(self, **policy: Any) -> dict[str, Any]:
        body = {"attributes": ["address"], "purpose": "Residence certificate", **policy}
        answer = self.post("/requests", body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.get_json()
        return made

    def post(self, path: str, body: dict[str, Any]) -> TestResponse:
        return self.gateway.client.post(path, json=body, headers=self.gateway.headers())

    def test(self, request: PresentationRequest, **changes: Any) -> str:
        """Have the holder's face tested for a request, genuinely but for `changes`."""
        (terms,) = request.transaction_data
        fields: dict[str, Any] = {
            "audience": request.client_id,
            "purpose": PRESENTATION_PURPOSE,
            "account": HOLDER,
            "portrait": PortraitOpening.of_credential(self.world.credential),
            "request_hash": presentation_hash(
                client_id=request.client_id, nonce=request.nonce, terms=terms
            ),
            **changes,
        }
        attestation = run_test(self.face.client, NewTest(**fields), self.face.person)
        self.world.now_ms = self.face.clock()
        return attestation

    def recent(self, **changes: Any) -> dict[str, Any]:
        key = thumbprint(key_of_account(self.world.holder))
        return {"request_hash": None, "holder_key": key, **changes}

    def answer(self, created: dict[str, Any], attestation: str | None) -> dict[str, Any]:
        """Present with an attestation; return the result that the verifier reads."""
        request = self.gateway.fetch(created).request
        proof = replace(self.world.grant(request), face=attestation)
        form = build_response({"resident": [self.world.present(request, proof)]}, request=request)
        self.gateway.client.post(f"/oid4vp/responses/{created['id']}", data=form)
        return self.gateway.read(created["id"])


@pytest.fixture
def town(tmp_path: Path) -> Iterator[FaceTown]:
    town = FaceTown(tmp_path)
    yield town
    town.gateway.close()


def failed(result: dict[str, Any]) -> dict[str, str]:
    return {c["name"]: c["detail"] for c in result["checks"] if c["passed"] is False}


def test_a_presentation_with_a_face_test_for_it_is_taken(town: FaceTown) -> None:
    created = town.ask(face="required")
    request = town.gateway.fetch(created).request
    offer = parse_grant_offer(request.transaction_data[0])
    assert offer.face == FaceDemand(services=(FaceService(name=NAME, url=URL),))
    result = town.answer(created, town.test(request))
    assert result["status"] == "accepted"
    assert [check["name"] for check in result["checks"]] == [*WITH_FACE, "receipt"]
    assert all(check["passed"] for check in result["checks"])
    # The verifier asked for an address, and sees no portrait.
    assert result["attributes"] == {"address": ATTRIBUTES["address"]}


def test_without_a_face_test_nothing_is_shown(town: FaceTown) -> None:
    result = town.answer(town.ask(face="required"), None)
    assert (result["status"], result["attributes"]) == ("refused", None)
    assert failed(result) == {
        "face": "The holder has not passed the face test that is asked for: none came with the "
        "answer."
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"account": "other@tegata"}, "another account"),
        ({"audience": "x509_hash:bank"}, "another aud"),
        ({"purpose": "tegata-recovery"}, "another purpose"),
        ({"request_hash": "B" * 43}, "another request_hash"),
        # A portrait of her own: the same picture, which the issuer never committed to.
        ({"portrait": PortraitOpening.create(PORTRAIT)}, "another portrait_commitment"),
        ({"request_hash": None, "holder_key": "C" * 43}, "typ"),
    ],
)
def test_a_face_test_of_something_else_does_not_do(
    town: FaceTown, changes: dict[str, Any], reason: str
) -> None:
    created = town.ask(face="required")
    attestation = town.test(town.gateway.fetch(created).request, **changes)
    result = town.answer(created, attestation)
    assert list(failed(result)) == ["face"]
    assert reason in failed(result)["face"]


def test_a_face_test_is_for_one_request(town: FaceTown) -> None:
    first, second = town.ask(face="required"), town.ask(face="required")
    attestation = town.test(town.gateway.fetch(first).request)
    assert town.answer(first, attestation)["status"] == "accepted"
    assert "another request_hash" in failed(town.answer(second, attestation))["face"]


def test_a_service_that_nobody_trusts_attests_nothing(town: FaceTown) -> None:
    created = town.ask(face="required")
    request = town.gateway.fetch(created).request
    stranger = FaceWorld()
    stranger.clock.now_ms = town.world.now_ms
    town.face = stranger
    assert "does not verify" in failed(town.answer(created, town.test(request)))["face"]


def test_a_recent_test_serves_several_requests_of_one_verifier(town: FaceTown) -> None:
    first = town.ask(face="required", face_max_age=600)
    attestation = town.test(town.gateway.fetch(first).request, **town.recent())
    assert town.answer(first, attestation)["status"] == "accepted"
    town.world.now_ms += 300_000
    second = town.ask(face="required", face_max_age=600)
    assert town.answer(second, attestation)["status"] == "accepted"
    town.world.now_ms += 301_000
    third = town.ask(face="required", face_max_age=600)
    assert "older than 600 s" in failed(town.answer(third, attestation))["face"]
    # And not a request that wants a test of its own.
    assert "typ" in failed(town.answer(town.ask(face="required"), attestation))["face"]


def test_a_recent_test_is_of_no_use_with_another_key(town: FaceTown) -> None:
    created = town.ask(face="required", face_max_age=600)
    other = thumbprint(generate_key())
    attestation = town.test(town.gateway.fetch(created).request, **town.recent(holder_key=other))
    assert "another jkt" in failed(town.answer(created, attestation))["face"]


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ({"face_max_age": 600}, "body"),
        ({"face": "perhaps"}, "face"),
        ({"face": "required", "face_max_age": 5}, "face_max_age"),
        (
            {
                "face": "required",
                "attributes": None,
                "dcql_query": {
                    "credentials": [
                        {
                            "id": "a",
                            "format": "ldp_vc",
                            "meta": {"type_values": [["https://example.org/Resident"]]},
                        }
                    ]
                },
            },
            "SD-JWT",
        ),
    ],
)
def test_a_policy_that_cannot_be_kept_is_refused(
    town: FaceTown, policy: dict[str, Any], reason: str
) -> None:
    body = {"attributes": ["address"], "purpose": "Residence certificate", **policy}
    answer = town.post("/requests", {k: v for k, v in body.items() if v is not None})
    assert answer.status_code == 422
    assert reason in answer.text


def test_a_gateway_that_trusts_no_face_service_says_so(tmp_path: Path) -> None:
    gateway = GatewayWorld(tmp_path)
    body = {"attributes": ["address"], "purpose": "Residence certificate", "face": "required"}
    answer = gateway.client.post("/requests", json=body, headers=gateway.headers())
    assert (answer.status_code, "trusts no face service" in answer.text) == (422, True)
    gateway.close()
