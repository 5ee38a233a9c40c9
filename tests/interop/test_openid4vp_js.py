"""Presentations with the JavaScript library `@openid4vc/openid4vp`, as wallet and as verifier.

`npm ci --prefix tests/interop/js` installs it; the Makefile does so before the tests.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.gateway_world import GatewayWorld
from support.node_scripts import run_script
from support.presentation_world import ATTRIBUTES, NOW_MS, RESIDENT, World, key_of_account

from client_sdk.credentials.sd_jwt_vc import present_credential
from client_sdk.openid4vp.request_link import RequestLink, parse_link
from client_sdk.openid4vp.response import build_response
from client_sdk.openid4vp.signed_request import verify_request


def run_node(**task: Any) -> dict[str, Any]:
    answer: dict[str, Any] = run_script("openid4vp.mjs", {"nowMs": NOW_MS, **task})
    return answer


@pytest.fixture
def gateway(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[GatewayWorld]:
    changes = {"prefix": request.param, "public_url": "https://minato.example"}
    made = GatewayWorld(tmp_path, encrypt_responses=False, changes=changes)
    yield made
    made.close()


@pytest.mark.parametrize(
    "gateway", ["x509_hash", "x509_san_dns", "decentralized_identifier"], indirect=True
)
def test_their_wallet_answers_our_gateway(gateway: GatewayWorld) -> None:
    created = gateway.create()
    request = gateway.fetch(created).request
    path = f"/oid4vp/requests/{created['id']}"
    answered = run_node(
        step="answer",
        # The library would send its own nonce by POST; the request is fetched by it all the same.
        link=created["link"].replace("&request_uri_method=post", ""),
        requestObject=gateway.client.get(path).text,
        presentations={"resident": [gateway.world.present(request)]},
    )
    assert answered["prefix"] == request.client_id.partition(":")[0]
    assert answered["query"] == request.query.to_fields()
    assert answered["transactions"] == ["tegata_grant"]
    form = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in answered["response"].items()
    }
    response = gateway.client.post(f"/oid4vp/responses/{created['id']}", data=form)
    assert response.status_code == 200, response.text
    assert gateway.read(created["id"])["attributes"] == {"address": ATTRIBUTES["address"]}


@pytest.mark.parametrize("prefix", ["x509_hash", "x509_san_dns"])
def test_our_wallet_answers_their_verifier(prefix: str) -> None:
    world = World()
    identity = world.identity
    client_id = identity.client_id if prefix == "x509_hash" else "x509_san_dns:minato.example"
    payload = {
        "response_type": "vp_token",
        "client_id": client_id,
        "response_uri": "https://minato.example/responses/1",
        "response_mode": "direct_post",
        "nonce": "n" * 32,
        "state": "s" * 32,
        "client_metadata": {
            "vp_formats_supported": {"dc+sd-jwt": {"sd-jwt_alg_values": ["EdDSA"]}}
        },
        "dcql_query": {
            "credentials": [
                {
                    "id": "resident",
                    "format": "dc+sd-jwt",
                    "meta": {"vct_values": [RESIDENT]},
                    "claims": [{"path": ["address"]}],
                }
            ]
        },
    }
    made = run_node(
        step="ask",
        keyPem=identity.encode_key().decode(),
        x5c=identity.request_header()["x5c"],
        requestUri="https://minato.example/requests/1",
        payload=payload,
    )
    link = parse_link(made["link"])
    assert isinstance(link, RequestLink)
    assert link.client_id == client_id
    verified = verify_request(
        made["requestObject"],
        expected_client_id=client_id,
        trust_anchors=world.authority.chain,
        now_s=NOW_MS // 1000,
    )
    assert verified.is_anchored
    request = verified.request
    presentation = present_credential(
        world.credential,
        paths=[("address",)],
        holder_key=key_of_account(world.holder),
        audience=request.client_id,
        nonce=request.nonce,
        issued_at=world.now_ms // 1000,
    )
    form = build_response({"resident": [presentation]}, request=request)
    response = {**form, "vp_token": json.loads(form["vp_token"])}
    accepted = run_node(step="accept", payload=payload, response=response)
    assert accepted == {"type": "dcql", "presentations": {"resident": [presentation]}}
