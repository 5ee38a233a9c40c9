"""The gateway over HTTP: verifiers ask, wallets answer, outsiders learn nothing."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from support.gateway_world import GatewayWorld
from support.presentation_world import ATTRIBUTES, HOLDER, ISSUER, NOW_MS
from werkzeug.test import TestResponse

from client_sdk.checks import CHECKS
from client_sdk.credentials.jose import generate_key, parse_compact
from client_sdk.errors import LedgerForkError, ProofError, StaleProofError
from client_sdk.openid4vp.request_link import RequestLink, parse_link
from client_sdk.openid4vp.response import build_error_response, build_response
from client_sdk.openid4vp.signed_request import verify_request
from node.gateway.config import GatewayConfig
from node.gateway.store import MAX_TRIES
from node.web.server import WebServer

CONSTANT_REFUSAL = {
    "error": "invalid_request",
    "error_description": "The response is not accepted; ask the verifier for a new request.",
}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayWorld]:
    """A gateway whose responses travel as they are, so that a test can spoil them."""
    world = GatewayWorld(tmp_path, encrypt_responses=False)
    yield world
    world.close()


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[GatewayWorld]:
    """A gateway as it is by default: responses are encrypted."""
    world = GatewayWorld(tmp_path)
    yield world
    world.close()


def problem(response: TestResponse, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    assert response.content_type == "application/problem+json"
    assert json.loads(response.data)["code"] == code


def post_answer(gateway: GatewayWorld, created: dict[str, Any], form: Any) -> TestResponse:
    return gateway.client.post(f"/oid4vp/responses/{created['id']}", data=form)


def test_the_whole_way_from_question_to_answer(gateway: GatewayWorld) -> None:
    created = gateway.create("address")
    assert gateway.read(created["id"])["status"] == "pending"
    form = gateway.answer(created)
    assert gateway.read(created["id"])["status"] == "fetched"
    response = post_answer(gateway, created, form)
    assert (response.status_code, response.get_json()) == (200, {})
    assert response.content_type == "application/json"
    result = gateway.read(created["id"])
    assert result["status"] == "accepted"
    assert result["attributes"] == {"address": ATTRIBUTES["address"]}
    assert result["requested"] == ["address"]
    assert [check["name"] for check in result["checks"]] == [*CHECKS, "receipt"]
    assert all(check["passed"] for check in result["checks"])


def test_an_encrypted_answer_goes_the_whole_way(sealed: GatewayWorld) -> None:
    created = sealed.create("address")
    form = sealed.answer(created)
    assert list(form) == ["response"]
    assert post_answer(sealed, created, form).status_code == 200
    result = sealed.read(created["id"])
    assert result["status"] == "accepted"
    assert result["attributes"] == {"address": ATTRIBUTES["address"]}


def test_an_answer_to_another_request_s_key_costs_no_try(sealed: GatewayWorld) -> None:
    created, other = sealed.create(), sealed.create()
    for _ in range(MAX_TRIES + 1):
        response = post_answer(sealed, created, sealed.answer(other))
        assert (response.status_code, response.get_json()) == (400, CONSTANT_REFUSAL)
    assert post_answer(sealed, created, sealed.answer(created)).status_code == 200


def test_a_plain_answer_is_not_taken_where_an_encrypted_one_is_asked_for(
    sealed: GatewayWorld,
) -> None:
    created = sealed.create()
    request = sealed.fetch(created).request
    plain = replace(request, encryption=None)
    form = build_response({"resident": [sealed.world.present(request)]}, request=plain)
    assert post_answer(sealed, created, form).get_json() == CONSTANT_REFUSAL
    assert sealed.read(created["id"])["status"] == "fetched"


def test_the_response_key_is_gone_with_the_answer_and_with_the_time(sealed: GatewayWorld) -> None:
    answered, waiting = sealed.create(), sealed.create()
    keys = [sealed.store.find(created["id"]) for created in (answered, waiting)]
    assert all(stored is not None and stored.response_key for stored in keys)
    post_answer(sealed, answered, sealed.answer(answered))
    assert sealed.store.find(answered["id"]).response_key is None  # type: ignore[union-attr]
    sealed.world.now_ms += 300_000
    sealed.presentations.purge()
    assert sealed.store.find(waiting["id"]).response_key is None  # type: ignore[union-attr]


def test_the_request_asks_for_what_the_verifier_wants(gateway: GatewayWorld) -> None:
    body = {
        "attributes": ["name", "address"],
        "purpose": "Residence certificate",
        "credential_type": "urn:example:card",
        "grant_seconds": 3600,
    }
    created = gateway.client.post("/requests", json=body, headers=gateway.headers()).get_json()
    verified = gateway.fetch(created)
    assert verified.is_anchored
    assert verified.verifier_name == "Minato City Hall"
    assert verified.request.query.credentials[0].vct_values == ("urn:example:card",)
    assert verified.offer is not None
    assert verified.offer.attributes == (("address",), ("name",))
    assert verified.offer.purpose == "Residence certificate"
    assert verified.offer.expires_at_ms == NOW_MS + 3_600_000
    assert verified.offer.uses == 1
    assert verified.request.expires_at == NOW_MS // 1000 + 300
    assert verified.request.response_uri.endswith(f"/oid4vp/responses/{created['id']}")


def test_two_requests_share_nothing_that_must_be_fresh(gateway: GatewayWorld) -> None:
    one, two = (gateway.fetch(gateway.create()).request for _ in range(2))
    assert one.nonce != two.nonce
    assert one.state != two.state
    assert one.response_uri != two.response_uri


def test_a_request_can_be_fetched_twice_and_stays_the_same(gateway: GatewayWorld) -> None:
    path = f"/oid4vp/requests/{gateway.create()['id']}"
    assert gateway.client.get(path).text == gateway.client.get(path).text


def test_a_wallet_that_posts_finds_its_nonce(gateway: GatewayWorld) -> None:
    created = gateway.create()
    path = f"/oid4vp/requests/{created['id']}"
    posted = gateway.client.post(path, data={"wallet_nonce": "abc", "wallet_metadata": "{}"})
    claims = dict(parse_compact(posted.text).unverified_payload)
    assert claims.pop("wallet_nonce") == "abc"
    assert claims == parse_compact(gateway.client.get(path).text).unverified_payload
    same = gateway.client.post(path, data={"x": "y"})
    assert same.text == gateway.client.get(path).text
    problem(gateway.client.post(path, data={"wallet_nonce": "ü"}), 400, "invalid_request")


def test_a_request_of_a_verifier_that_is_served_no_more_cannot_be_fetched(
    gateway: GatewayWorld,
) -> None:
    path = f"/oid4vp/requests/{gateway.create()['id']}"
    gateway.presentations._profiles.pop("city")
    problem(gateway.client.get(path), 404, "unknown_request")
    problem(gateway.client.post(path, data={"wallet_nonce": "abc"}), 404, "unknown_request")


def test_the_qr_code_is_an_image_of_the_link(gateway: GatewayWorld) -> None:
    created = gateway.create()
    path = f"/requests/{created['id']}/qr.svg"
    image = gateway.client.get(path, headers=gateway.headers())
    assert image.content_type == "image/svg+xml"
    assert image.text.startswith("<?xml")
    problem(gateway.client.get(path), 401, "unauthorized")
    problem(gateway.client.get(path, headers=gateway.headers("bank")), 404, "unknown_request")


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer ", "Bearer wrong", "Basic YTpi", "bearer \u00e9", "{key}"],
)
def test_without_a_key_nothing_is_told(gateway: GatewayWorld, value: str) -> None:
    created = gateway.create()
    headers = {"Authorization": value.format(key=gateway.api_keys["city"])}
    body = {"attributes": ["address"], "purpose": "x"}
    for response in (
        gateway.client.post("/requests", json=body, headers=headers),
        gateway.client.get(f"/requests/{created['id']}", headers=headers),
    ):
        problem(response, 401, "unauthorized")
        assert response.headers["WWW-Authenticate"].lower().startswith("bearer")


def test_a_verifier_sees_only_its_own_requests(gateway: GatewayWorld) -> None:
    created = gateway.create(verifier="city")
    path = f"/requests/{created['id']}"
    other = gateway.client.get(path, headers=gateway.headers("bank"))
    unknown = gateway.client.get(f"/requests/{'0' * 32}", headers=gateway.headers("bank"))
    problem(other, 404, "unknown_request")
    assert other.data == unknown.data


@pytest.mark.parametrize(
    "changes",
    [
        {"attributes": []},
        {"attributes": ["Address"]},
        {"attributes": ["a" * 65]},
        {"attributes": ["a\n"]},
        {"attributes": ["address", "address"]},
        {"attributes": [f"a{number}" for number in range(33)]},
        {"attributes": "address"},
        {"attributes": [1]},
        {"purpose": ""},
        {"purpose": "a" * 201},
        {"purpose": "two\nlines"},
        {"purpose": None},
        {"credential_type": ""},
        {"credential_type": "with space"},
        {"grant_seconds": 1},
        {"grant_seconds": 10**9},
        {"grant_seconds": "soon"},
        {"colour": "red"},
    ],
)
def test_questions_that_are_refused(gateway: GatewayWorld, changes: dict[str, Any]) -> None:
    body = {"attributes": ["address"], "purpose": "x", **changes}
    response = gateway.client.post("/requests", json=body, headers=gateway.headers())
    problem(response, 422, "invalid_fields")


def test_a_second_answer_changes_nothing(gateway: GatewayWorld) -> None:
    created = gateway.create()
    form, second = gateway.answer(created), gateway.answer(created)
    assert post_answer(gateway, created, form).status_code == 200
    before = gateway.read(created["id"])
    for again in (form, second, build_error_response("access_denied", state=form["state"])):
        response = post_answer(gateway, created, again)
        assert (response.status_code, response.get_json()) == (400, CONSTANT_REFUSAL)
    assert gateway.read(created["id"]) == before
    problem(gateway.client.get(f"/oid4vp/requests/{created['id']}"), 404, "unknown_request")


def test_nonsense_does_not_shut_the_holder_out(gateway: GatewayWorld) -> None:
    created = gateway.create()
    form = gateway.answer(created)
    nonsense = {**form, "vp_token": "{}"}
    declined = build_error_response("access_denied", state=form["state"])
    for spoilt, state in ((nonsense, "refused"), (declined, "declined")):
        post_answer(gateway, created, spoilt)
        assert gateway.read(created["id"])["status"] == state
    assert post_answer(gateway, created, form).status_code == 200
    assert gateway.read(created["id"])["status"] == "accepted"


def test_who_only_reads_the_link_spends_no_try(gateway: GatewayWorld) -> None:
    created = gateway.create()
    form = gateway.answer(created)
    other = gateway.world.issue(issuer_key=generate_key(), anchored=False)
    for spoilt in (
        {**form, "vp_token": "{}"},
        build_error_response("access_denied", state=form["state"]),
        gateway.answer(created, nonce="n" * 22),
        gateway.answer(created, credential=other),
    ):
        for _ in range(MAX_TRIES + 1):
            post_answer(gateway, created, spoilt)
    events = gateway.event_store.events(after=0)
    assert [event.status for event in events] == ["fetched", "refused", "declined", "refused"]
    assert post_answer(gateway, created, form).status_code == 200


def test_a_request_takes_five_answers_that_are_not_accepted(gateway: GatewayWorld) -> None:
    created = gateway.create()
    form = gateway.answer(created)
    for _ in range(MAX_TRIES):
        beyond = gateway.answer(created, paths=[("address",), ("name",)])
        assert post_answer(gateway, created, beyond).status_code == 400
    assert post_answer(gateway, created, form).status_code == 400
    assert gateway.read(created["id"])["status"] == "refused"
    problem(gateway.client.get(f"/oid4vp/requests/{created['id']}"), 404, "unknown_request")


def test_of_answers_at_the_same_time_one_counts(gateway: GatewayWorld) -> None:
    created = gateway.create()
    forms = [gateway.answer(created) for _ in range(4)]
    start = threading.Barrier(len(forms))
    statuses: list[int] = []

    def send(form: dict[str, str]) -> None:
        client = gateway.app.test_client()
        start.wait(60)
        response = client.post(f"/oid4vp/responses/{created['id']}", data=form)
        statuses.append(response.status_code)

    threads = [threading.Thread(target=send, args=(form,)) for form in forms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(statuses) == [200, 400, 400, 400]
    assert gateway.read(created["id"])["status"] == "accepted"


def test_a_refused_answer_is_explained_to_the_verifier_only(gateway: GatewayWorld) -> None:
    created = gateway.create()
    form = gateway.answer(created, nonce="a" * 22)
    with capture_logs() as logs:
        response = post_answer(gateway, created, form)
    assert (response.status_code, response.get_json()) == (400, CONSTANT_REFUSAL)
    result = gateway.read(created["id"])
    assert result["status"] == "refused"
    assert result["attributes"] is None
    failed = [check for check in result["checks"] if check["passed"] is False]
    assert [check["name"] for check in failed] == ["nonce"]
    assert next(entry for entry in logs if entry["event"] == "response")["failed"] == ["nonce"]
    assert post_answer(gateway, created, form).status_code == 400


def test_a_revoked_credential_is_refused(gateway: GatewayWorld) -> None:
    created = gateway.create()
    form = gateway.answer(created)
    gateway.world.anchor(gateway.world.credential, state="revoked")
    assert post_answer(gateway, created, form).status_code == 400
    (failed,) = [c for c in gateway.read(created["id"])["checks"] if c["passed"] is False]
    assert failed["name"] == "status"
    assert "revoked" in failed["detail"]


@pytest.mark.parametrize(
    "token",
    [
        "{}",
        "[]",
        '{"resident":"x"}',
        '{"resident":["x","y"]}',
        '{"passport":["x"]}',
        '{"resident":["x"],"b":["y"]}',
    ],
)
def test_an_answer_that_cannot_be_read_is_refused(gateway: GatewayWorld, token: str) -> None:
    created = gateway.create()
    state = gateway.fetch(created).request.state
    response = post_answer(gateway, created, {"vp_token": token, "state": state})
    assert (response.status_code, response.get_json()) == (400, CONSTANT_REFUSAL)
    result = gateway.read(created["id"])
    assert result["status"] == "refused"
    (failed,) = [check["name"] for check in result["checks"] if check["passed"] is False]
    assert failed in ("presentation", "request_match")


def test_a_stranger_without_the_state_consumes_nothing(gateway: GatewayWorld) -> None:
    created = gateway.create()
    form = gateway.answer(created)
    for stranger in (
        {**form, "state": "wrong"},
        {"vp_token": form["vp_token"]},
        {"error": "access_denied"},
        {"x": "y"},
    ):
        response = post_answer(gateway, created, stranger)
        assert (response.status_code, response.get_json()) == (400, CONSTANT_REFUSAL)
    twice = [("state", form["state"])] * 2
    body = "&".join(f"{name}={value}" for name, value in twice)
    doubled = gateway.client.post(
        f"/oid4vp/responses/{created['id']}",
        data=body,
        content_type="application/x-www-form-urlencoded",
    )
    assert doubled.get_json() == CONSTANT_REFUSAL
    assert post_answer(gateway, created, form).status_code == 200


def test_an_outsider_cannot_tell_requests_apart(gateway: GatewayWorld) -> None:
    created = gateway.create()
    answers = {
        post_answer(gateway, {"id": request_id}, {"vp_token": "{}", "state": "x"}).data
        for request_id in (created["id"], "0" * 32)
    }
    assert len(answers) == 1


def test_a_holder_can_decline(gateway: GatewayWorld) -> None:
    created = gateway.create()
    state = gateway.fetch(created).request.state
    form = {**build_error_response("access_denied", state=state), "error_description": "No"}
    response = post_answer(gateway, created, form)
    assert (response.status_code, response.get_json()) == (200, {})
    result = gateway.read(created["id"])
    assert (result["status"], result["checks"]) == ("declined", [])


def test_after_its_time_a_request_takes_no_answer(gateway: GatewayWorld) -> None:
    created = gateway.create()
    form = gateway.answer(created)
    gateway.world.now_ms += 300_000
    assert post_answer(gateway, created, form).get_json() == CONSTANT_REFUSAL
    assert gateway.read(created["id"])["status"] == "expired"
    problem(gateway.client.get(f"/oid4vp/requests/{created['id']}"), 404, "unknown_request")


def test_values_are_deleted_when_their_time_is_over(gateway: GatewayWorld) -> None:
    # Longer than a page of the database: freed pages must be overwritten as well.
    address = "1-1 Chiyoda, Tokyo " * 1000
    credential = gateway.world.issue(claims={"address": address})
    created = gateway.create()
    form = gateway.answer(created, credential=credential)
    assert post_answer(gateway, created, form).status_code == 200

    def database() -> bytes:
        return b"".join(file.read_bytes() for file in gateway.folder.glob("gateway.db*"))

    assert b"Chiyoda" in database()
    gateway.world.now_ms += 599_999
    assert gateway.read(created["id"])["attributes"] == {"address": address}
    gateway.world.now_ms += 1
    result = gateway.read(created["id"])
    assert (result["status"], result["attributes"]) == ("accepted", None)
    assert b"Chiyoda" not in database()


def test_an_answer_whose_check_ends_too_late_is_not_taken(
    gateway: GatewayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = gateway.create()
    form = gateway.answer(created)
    ledger = gateway.world.ledger
    keys = ledger.signatories(HOLDER)

    def slow(_account: str) -> frozenset[str]:
        gateway.world.now_ms += 300_000
        return keys

    monkeypatch.setattr(ledger, "signatories", slow)
    assert post_answer(gateway, created, form).get_json() == CONSTANT_REFUSAL
    result = gateway.read(created["id"])
    assert (result["status"], result["attributes"]) == ("expired", None)


def test_the_purge_needs_no_reader(gateway: GatewayWorld) -> None:
    created = gateway.create()
    post_answer(gateway, created, gateway.answer(created))
    assert gateway.presentations.purge() == 0
    gateway.world.now_ms += 600_000
    assert gateway.presentations.purge() == 1
    assert gateway.presentations.purge() == 0


def test_a_request_of_days_past_is_forgotten(gateway: GatewayWorld) -> None:
    answered, unanswered = gateway.create(), gateway.create()
    post_answer(gateway, answered, gateway.answer(answered))
    gateway.world.now_ms += 600_000 + 86_400_000 - 1
    assert gateway.read(answered["id"])["status"] == "accepted"
    gateway.world.now_ms += 1
    for created in (answered, unanswered):
        path = f"/requests/{created['id']}"
        response = gateway.client.get(path, headers=gateway.headers())
        problem(response, 404, "unknown_request")


def test_while_the_ledger_is_away_nothing_is_consumed(gateway: GatewayWorld) -> None:
    created = gateway.create()
    form = gateway.answer(created)
    gateway.world.ledger.cut_off()
    problem(post_answer(gateway, created, form), 503, "ledger_unavailable")
    assert gateway.read(created["id"])["status"] == "fetched"
    gateway.world.ledger.failure = None
    assert post_answer(gateway, created, form).status_code == 200


@pytest.mark.parametrize(
    ("failure", "event"),
    [
        (StaleProofError("the proof is 99 s old"), "ledger_unproven"),
        (LedgerForkError("history changed", known=b"one", found=b"two"), "ledger_forked"),
    ],
    ids=["stale", "fork"],
)
def test_what_the_ledger_does_not_prove_decides_nothing(
    gateway: GatewayWorld, failure: ProofError, event: str
) -> None:
    created = gateway.create()
    form = gateway.answer(created)
    gateway.world.ledger.failure = failure
    with capture_logs() as logs:
        problem(post_answer(gateway, created, form), 503, "ledger_unproven")
    (line,) = [each for each in logs if each["event"] == event]
    assert line["detail"] == str(failure)
    if isinstance(failure, LedgerForkError):
        assert (line["known"], line["found"]) == ("one", "two")
    gateway.world.ledger.failure = None
    assert post_answer(gateway, created, form).status_code == 200


def test_nothing_of_a_holder_is_logged(
    gateway: GatewayWorld, capfd: pytest.CaptureFixture[str]
) -> None:
    with capture_logs() as logs:
        for changes in ({}, {"nonce": "a" * 22}, {"paths": [("address",), ("name",)]}):
            created = gateway.create()
            form = gateway.answer(created, **changes)
            post_answer(gateway, created, form)
            gateway.read(created["id"])
    output = capfd.readouterr()
    written = json.dumps(logs, default=str) + output.out + output.err
    assert len(logs) > 10
    secrets = [str(value) for value in ATTRIBUTES.values()]
    secrets += [*gateway.api_keys.values(), form["vp_token"][:80], form["state"], ISSUER]
    for secret in secrets:
        assert secret not in written


def test_the_document_lists_every_route(gateway: GatewayWorld) -> None:
    document = gateway.client.get("/openapi.json").get_json()
    assert set(document["paths"]) == {
        "/healthz",
        "/requests",
        "/requests/{id}",
        "/requests/{id}/events",
        "/webhook",
        "/webhook-keys",
        "/requests/{id}/qr.svg",
        "/oid4vp/requests/{id}",
        "/oid4vp/responses/{id}",
    }
    assert document["paths"]["/requests"]["post"]["security"] == [{"api_key": []}]
    assert document["components"]["securitySchemes"]["api_key"]["scheme"] == "bearer"


def test_ids_of_another_form_are_refused(gateway: GatewayWorld) -> None:
    for request_id in ("x", "A" * 32, "0" * 33):
        path = f"/oid4vp/requests/{request_id}"
        problem(gateway.client.get(path), 422, "invalid_fields")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.dictionaries(st.sampled_from(["vp_token", "state", "error", "x"]), st.text(max_size=20)),
    st.booleans(),
)
def test_no_response_makes_the_gateway_fail(
    gateway: GatewayWorld, form: dict[str, str], with_state: bool
) -> None:
    created = gateway.create()
    if with_state:
        form = {**form, "state": str(gateway.fetch(created).request.state)}
    # 422: a NUL, which no database takes.
    answer = post_answer(gateway, created, form or {"x": ""})
    assert answer.status_code in {200, 400, 422}


def test_over_a_real_connection(gateway: GatewayWorld) -> None:
    server = WebServer(gateway.app, "127.0.0.1:0")
    loop = threading.Thread(target=server.run)
    loop.start()
    base = f"http://{server.address}"
    try:
        created = requests.post(
            f"{base}/requests",
            json={"attributes": ["address"], "purpose": "Residence certificate"},
            headers=gateway.headers(),
            timeout=60,
        ).json()
        link = parse_link(created["link"])
        assert isinstance(link, RequestLink)
        uri = link.request_uri.replace(gateway.config.public_url, base)
        request = verify_request(
            requests.get(uri, timeout=60).text,
            expected_client_id=link.client_id,
            trust_anchors=gateway.world.authority.chain,
            now_s=NOW_MS // 1000,
        ).request
        form = build_response({"resident": [gateway.world.present(request)]}, request=request)
        target = request.response_uri.replace(gateway.config.public_url, base)
        answer = requests.post(target, data=form, timeout=60)
        assert (answer.status_code, answer.json()) == (200, {})
        result = requests.get(
            f"{base}/requests/{created['id']}", headers=gateway.headers(), timeout=10
        ).json()
        assert result["attributes"] == {"address": ATTRIBUTES["address"]}
    finally:
        server.stop()
        loop.join(60)


def test_the_configuration_is_what_the_file_says(gateway: GatewayWorld) -> None:
    assert isinstance(gateway.config, GatewayConfig)
    assert gateway.config.public_url == "http://127.0.0.1:8080"
    assert gateway.config.ledger.private_key_file == gateway.folder / "gateway.priv"
