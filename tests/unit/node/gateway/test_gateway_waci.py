"""A gateway's request answered by WACI's messages: present-proof 3.0, encrypted, over HTTP."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.gateway_world import GatewayWorld

from client_sdk.didcomm.envelope import decrypt_message, encrypt_message
from client_sdk.didcomm.message import PROBLEM_REPORT, Attachment, Message
from client_sdk.didcomm.out_of_band import Invitation, parse_invitation
from client_sdk.didcomm.peer_did import PeerDid, PeerIdentity
from client_sdk.errors import RequestError, TransportError
from client_sdk.http.client import HttpAnswer, HttpClient
from client_sdk.openid4vp.response import build_error_response, build_response
from client_sdk.waci.messages import (
    AUTHORIZATION_RESPONSE,
    PRESENTATION,
    PRESENTATION_ACK,
    PROPOSE_PRESENTATION,
    REQUEST_OBJECT,
    REQUEST_PRESENTATION,
)
from client_sdk.waci.present_proof import WaciVerifier

ENCRYPTED = "application/didcomm-encrypted+json"


class Line(HttpClient):
    """A wallet's line to the application, without a network."""

    def __init__(self, gateway: GatewayWorld) -> None:
        super().__init__()
        self._gateway = gateway
        self.last: HttpAnswer | None = None

    def send(
        self, method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str]
    ) -> HttpAnswer:
        path = url.removeprefix(self._gateway.config.public_url)
        answer = self._gateway.client.open(path, method=method, data=body, headers=dict(headers))
        self.last = HttpAnswer(
            status=answer.status_code, media_type=answer.mimetype, body=answer.data
        )
        return self.last


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayWorld]:
    made = GatewayWorld(tmp_path, changes={"waci": True})
    yield made
    made.close()


@pytest.fixture
def line(gateway: GatewayWorld) -> Iterator[Line]:
    line = Line(gateway)
    yield line
    line.close()


class Talk:
    """A holder's exchange of raw messages about one request."""

    def __init__(self, gateway: GatewayWorld, created: dict[str, Any]) -> None:
        self.gateway = gateway
        self.invitation = parse_invitation(created["waci_link"], goal_code="streamlined-vp")
        self.peer = PeerDid.parse(self.invitation.sender)
        self.me = PeerIdentity.create()

    def message(self, message_type: str, **changes: Any) -> Message:
        values: dict[str, Any] = {
            "sender": self.me.did,
            "recipient": self.peer.did,
            "parent_thread_id": self.invitation.id,
            "return_route": "all",
        }
        return Message(type=message_type, **(values | changes))

    def post(self, message: Message) -> Any:
        path = str(self.peer.endpoint).removeprefix(self.gateway.config.public_url)
        envelope = encrypt_message(message, self.peer)
        return self.gateway.client.post(path, data=envelope, content_type=ENCRYPTED)

    def say(self, message: Message) -> Message:
        answer = self.post(message)
        assert answer.status_code == 200, answer.text
        assert answer.content_type == ENCRYPTED
        return decrypt_message(answer.data, self.me, now_s=self.gateway.world.now_ms // 1000)


def waci(gateway: GatewayWorld, line: Line, created: dict[str, Any]) -> WaciVerifier:
    return WaciVerifier(created["waci_link"], http=line, now_ms=lambda: gateway.world.now_ms)


def answer_to(gateway: GatewayWorld, verifier: WaciVerifier, **changes: Any) -> dict[str, str]:
    request = verifier.fetch_request(trust_anchors=gateway.world.authority.chain).request
    presentation = gateway.world.present(request, **changes)
    return build_response({"resident": [presentation]}, request=request)


def test_an_address_is_shown(gateway: GatewayWorld, line: Line) -> None:
    created = gateway.create()
    verifier = waci(gateway, line, created)
    assert verifier.send_response(answer_to(gateway, verifier)) is None
    result = gateway.read(created["id"])
    assert (result["status"], list(result["attributes"])) == ("accepted", ["address"])


def test_what_travels_can_be_read_by_nobody_else(gateway: GatewayWorld, line: Line) -> None:
    verifier = waci(gateway, line, gateway.create())
    verifier.fetch_request(trust_anchors=())
    assert line.last is not None
    assert set(json.loads(line.last.body)) == {
        "protected",
        "recipients",
        "iv",
        "ciphertext",
        "tag",
    }


def test_the_holder_declines(gateway: GatewayWorld, line: Line) -> None:
    created = gateway.create()
    verifier = waci(gateway, line, created)
    request = verifier.fetch_request(trust_anchors=()).request
    verifier.send_response(build_error_response("access_denied", state=request.state))
    assert gateway.read(created["id"])["status"] == "declined"


def test_a_refused_presentation_is_reported_as_a_problem(gateway: GatewayWorld, line: Line) -> None:
    """The report says no more than the HTTP answer would."""
    created = gateway.create()
    verifier = waci(gateway, line, created)
    form = answer_to(gateway, verifier, nonce="of another request")
    with pytest.raises(RequestError, match="The response is not accepted"):
        verifier.send_response(form)
    assert gateway.read(created["id"])["status"] == "refused"


def test_the_thread_is_the_one_of_the_proposal(gateway: GatewayWorld) -> None:
    talk = Talk(gateway, gateway.create())
    proposal = talk.message(PROPOSE_PRESENTATION)
    request = talk.say(proposal)
    assert request.type == REQUEST_PRESENTATION
    assert request.thread_id == proposal.id
    assert request.sender == talk.peer.did
    assert set(request.attached(REQUEST_OBJECT)) == {"client_id", "request"}


def test_the_browser_is_sent_back(gateway: GatewayWorld, line: Line) -> None:
    """WACI-DIDComm 1.0, section Web Redirect."""
    body = {
        "attributes": ["address"],
        "purpose": "Residence certificate",
        "redirect_uri": "https://minato.example/done",
    }
    created = gateway.client.post("/requests", json=body, headers=gateway.headers()).get_json()
    verifier = waci(gateway, line, created)
    redirect = verifier.send_response(answer_to(gateway, verifier))
    assert redirect is not None
    assert redirect.startswith("https://minato.example/done")


@pytest.mark.parametrize(
    ("message_type", "changes", "reason"),
    [
        (PROPOSE_PRESENTATION, {"parent_thread_id": None}, "pthid"),
        (PROPOSE_PRESENTATION, {"parent_thread_id": "another"}, "pthid"),
        (PRESENTATION, {}, "attachment"),
        (PRESENTATION_ACK, {}, "not a message"),
    ],
)
def test_a_message_that_breaks_the_protocol(
    gateway: GatewayWorld, message_type: str, changes: dict[str, Any], reason: str
) -> None:
    talk = Talk(gateway, gateway.create())
    sent = talk.message(message_type, **changes)
    report = talk.say(sent)
    assert report.type == PROBLEM_REPORT
    assert report.parent_thread_id == sent.id
    assert report.body["code"] == "e.p.msg"
    assert reason in str(report.body["comment"])


def test_a_request_that_is_over(gateway: GatewayWorld) -> None:
    talk = Talk(gateway, gateway.create())
    gateway.world.now_ms += 3_600_000
    report = talk.say(talk.message(PROPOSE_PRESENTATION))
    assert report.type == PROBLEM_REPORT


def test_an_answer_that_is_not_of_texts(gateway: GatewayWorld) -> None:
    talk = Talk(gateway, gateway.create())
    attached = Attachment(format=AUTHORIZATION_RESPONSE, value={"vp_token": {"resident": ["x"]}})
    report = talk.say(talk.message(PRESENTATION, attachments=(attached,)))
    assert report.type == PROBLEM_REPORT
    assert gateway.read(str(talk.invitation.id))["status"] == "pending"


@pytest.mark.parametrize(
    "changes", [{"sender": None}, {"sender": "did:web:a.example"}, {"return_route": None}]
)
def test_a_message_that_cannot_be_answered(gateway: GatewayWorld, changes: dict[str, Any]) -> None:
    talk = Talk(gateway, gateway.create())
    assert talk.post(talk.message(PROPOSE_PRESENTATION, **changes)).status_code == 400


def test_a_message_for_another_request(gateway: GatewayWorld) -> None:
    """The DID names the place: what was encrypted for one request is not taken at another."""
    talk, other = Talk(gateway, gateway.create()), Talk(gateway, gateway.create())
    envelope = encrypt_message(talk.message(PROPOSE_PRESENTATION), talk.peer)
    path = str(other.peer.endpoint).removeprefix(gateway.config.public_url)
    answer = gateway.client.post(path, data=envelope, content_type=ENCRYPTED)
    assert answer.status_code == 400


def test_what_is_no_envelope(gateway: GatewayWorld) -> None:
    created = gateway.create()
    answer = gateway.client.post(f"/waci/requests/{created['id']}", data=b"{}")
    assert answer.status_code == 400


def test_a_browser_is_told_to_use_a_wallet(gateway: GatewayWorld) -> None:
    created = gateway.create()
    page = gateway.client.get(f"/waci/requests/{created['id']}")
    assert "ウォレット" in page.text
    assert page.mimetype == "text/html"


def test_an_invitation_to_something_else(gateway: GatewayWorld, line: Line) -> None:
    talk = Talk(gateway, gateway.create())
    for invitation in (
        Invitation(id="1", sender=talk.peer.did, goal_code="streamlined-vc"),
        Invitation(id="1", sender="did:web:a.example", goal_code="streamlined-vp"),
        Invitation(id="1", sender=talk.me.did, goal_code="streamlined-vp"),
    ):
        link = invitation.to_link("https://a.example/")
        with pytest.raises(RequestError):
            WaciVerifier(link, http=line, now_ms=lambda: gateway.world.now_ms)


class Liar(Line):
    """Answers with a message of somebody's choice."""

    def __init__(self, gateway: GatewayWorld, **changes: Any) -> None:
        super().__init__(gateway)
        self._changes = changes

    def send(
        self, method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str]
    ) -> HttpAnswer:
        genuine = super().send(method, url, body=body, headers=headers)
        return HttpAnswer(
            status=self._changes.get("status", genuine.status),
            media_type=self._changes.get("media_type", genuine.media_type),
            body=self._changes.get("body", genuine.body),
        )


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"status": 500}, TransportError),
        ({"media_type": "text/html"}, TransportError),
        ({"body": b"{}"}, RequestError),
    ],
)
def test_an_answer_that_is_none(
    gateway: GatewayWorld, changes: dict[str, Any], error: type[Exception]
) -> None:
    liar = Liar(gateway, **changes)
    verifier = waci(gateway, liar, gateway.create())
    with pytest.raises(error):
        verifier.fetch_request(trust_anchors=())
    liar.close()


def test_without_the_adapter_there_is_no_invitation(tmp_path: Path) -> None:
    plain = GatewayWorld(tmp_path)
    created = plain.create()
    assert created["waci_link"] is None
    assert plain.client.post(f"/waci/requests/{created['id']}").status_code == 404
    plain.close()


@pytest.mark.parametrize("prefix", ["x509_san_dns", "decentralized_identifier", "redirect_uri"])
def test_a_verifier_of_any_prefix_is_answered(tmp_path: Path, prefix: str) -> None:
    changes = {"waci": True, "prefix": prefix, "public_url": "https://minato.example"}
    gateway = GatewayWorld(tmp_path, changes=changes)
    line = Line(gateway)
    created = gateway.create()
    verifier = waci(gateway, line, created)
    verifier.send_response(answer_to(gateway, verifier))
    assert gateway.read(created["id"])["status"] == "accepted"
    line.close()
    gateway.close()
