"""The gateway as a DID resolver: status codes and bodies of the HTTP binding."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.issuer_world import ISSUER, IssuerWorld

from chaincode.ids import REGISTRY_ACCOUNT
from client_sdk.credentials.jose import generate_key, thumbprint
from client_sdk.did.ledger_did import DEACTIVATED_KEY, DidTegata, ledger_did
from client_sdk.did.resolution import DidJwk, DidResolver, did_jwk
from client_sdk.ledger.commands import compare_and_set_account_detail
from node.gateway.did_routes import add_did_routes
from node.web.app import create_api

RESULT = "application/did-resolution"


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    made = IssuerWorld(tmp_path)
    made.store.close()
    return made


@pytest.fixture
def client(world: IssuerWorld) -> FlaskClient:
    ledger = world.ledger.client(REGISTRY_ACCOUNT)
    resolver = DidResolver({"tegata": DidTegata(ledger, world.ledger_id), "jwk": DidJwk()})
    app = create_api("gateway", "1", title="t", description="d", max_body_bytes=1)
    add_did_routes(app, resolver)
    return app.test_client()


def resolve(client: FlaskClient, did: str, accept: str = RESULT) -> tuple[int, str, Any]:
    response = client.get(f"/1.0/identifiers/{did}", headers={"Accept": accept})
    return response.status_code, response.content_type, response.get_json(force=True)


def test_an_account_is_resolved(client: FlaskClient, world: IssuerWorld) -> None:
    did = ledger_did(world.ledger_id, ISSUER)
    status, content_type, result = resolve(client, did)
    assert (status, content_type) == (200, RESULT)
    assert result["didResolutionMetadata"] == {"contentType": "application/did"}
    document = result["didDocument"]
    assert document["id"] == did
    assert document["assertionMethod"] == [f"{did}#{thumbprint(world.signing_key)}"]
    assert resolve(client, did, "application/did") == (200, "application/did", document)


def test_a_did_that_spells_out_its_key_is_resolved(client: FlaskClient) -> None:
    did = did_jwk(generate_key("ES256"))
    assert resolve(client, did, "*/*")[2]["didDocument"]["id"] == did


def test_a_deactivated_did_is_gone(client: FlaskClient, world: IssuerWorld) -> None:
    command = compare_and_set_account_detail(ISSUER, DEACTIVATED_KEY, "true", old_value=None)
    world.ledger.client(ISSUER).submit(command)
    for accept in (RESULT, "application/did"):
        status, _, result = resolve(client, ledger_did(world.ledger_id, ISSUER), accept)
        assert (status, result["didDocumentMetadata"]) == (410, {"deactivated": True})
        assert result["didDocument"]["verificationMethod"] == []


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("did:tegata:{ledger}:tegata:nobody", RESULT), (404, "NOT_FOUND")),
        (("did:web:city.example", RESULT), (501, "METHOD_NOT_SUPPORTED")),
        (("did:jwk:e30", RESULT), (400, "INVALID_DID")),
        (("city", RESULT), (400, "INVALID_DID")),
        (("did:jwk:e30", "text/html"), (406, "REPRESENTATION_NOT_SUPPORTED")),
    ],
)
def test_a_failure_says_which(
    client: FlaskClient,
    world: IssuerWorld,
    asked: tuple[str, str],
    expected: tuple[int, str],
) -> None:
    (did, accept), (status, code) = asked, expected
    found, content_type, result = resolve(client, did.format(ledger=world.ledger_id), accept)
    assert (found, content_type) == (status, RESULT)
    assert result["didDocument"] is None
    error = result["didResolutionMetadata"]["error"]
    assert error["type"] == f"https://www.w3.org/ns/did#{code}"
