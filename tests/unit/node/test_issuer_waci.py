"""An issuer's offer taken up by WACI's messages: issue-credential 3.0, encrypted, over HTTP."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from support.issuer_world import IssuerWorld

from client_sdk.credentials.jose import Key, generate_key, key_from_seed
from client_sdk.didcomm.envelope import decrypt_message, encrypt_message
from client_sdk.didcomm.message import PROBLEM_REPORT, Attachment, Message
from client_sdk.didcomm.out_of_band import Invitation, parse_invitation
from client_sdk.didcomm.peer_did import PeerDid, PeerIdentity
from client_sdk.errors import OfferError
from client_sdk.http_client import HttpAnswer, HttpClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.openid4vci.received_credential import ReceivedCredential
from client_sdk.waci.issue_credential import WaciReceiver
from client_sdk.waci.messages import (
    CREDENTIAL_OFFER,
    CREDENTIAL_REQUEST,
    ISSUE_CREDENTIAL,
    OFFER_CREDENTIAL,
    PROPOSE_CREDENTIAL,
    REQUEST_CREDENTIAL,
)

ENCRYPTED = "application/didcomm-encrypted+json"


class Line(HttpClient):
    """A wallet's line to the application, without a network."""

    def __init__(self, client: FlaskClient) -> None:
        super().__init__()
        self._client = client
        self.statuses: list[int] = []

    def get(
        self, url: str, *, accept: str = "application/json", bearer: str | None = None
    ) -> HttpAnswer:
        assert bearer is None
        return self._open("GET", url, {"Accept": accept})

    def send(
        self, method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str]
    ) -> HttpAnswer:
        return self._open(method, url, headers, body)

    def _open(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> HttpAnswer:
        path = urlsplit(url).path
        answer = self._client.open(path, method=method, data=body, headers=dict(headers))
        self.statuses.append(answer.status_code)
        return HttpAnswer(status=answer.status_code, media_type=answer.mimetype, body=answer.data)


class Counter:
    """An issuer with the adapter, and a holder whose account it knows."""

    def __init__(self, folder: Path) -> None:
        self.world = IssuerWorld(folder, waci=True)
        self.line = Line(self.world.http)
        self.key = AccountKey.generate()
        made = self.world.enrol(self.world.enrolment_code(), self.key)
        assert made.status_code == 201, made.text
        self.account = str(made.get_json()["account_id"])

    def receive(self, link: str, tx_code: str | None, key: Key | None = None) -> ReceivedCredential:
        receiver = WaciReceiver(
            holder_key=key or key_from_seed(self.key.seed),
            account=self.account,
            http=self.line,
            now_ms=self.world.clock,
        )
        return receiver.receive(link, tx_code=tx_code)


class Talk:
    """A holder's exchange of raw messages about one offer."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.made = counter.world.make_offer()
        self.invitation = parse_invitation(self.made["waci_link"], goal_code="streamlined-vc")
        self.peer = PeerDid.parse(self.invitation.sender)
        self.me = PeerIdentity.create()

    def say(self, message_type: str, **changes: Any) -> Message:
        values: dict[str, Any] = {
            "sender": self.me.did,
            "recipient": self.peer.did,
            "parent_thread_id": self.invitation.id,
            "return_route": "all",
        }
        envelope = encrypt_message(Message(type=message_type, **(values | changes)), self.peer)
        path = urlsplit(str(self.peer.endpoint)).path
        answer = self.counter.world.http.post(path, data=envelope, content_type=ENCRYPTED)
        assert answer.status_code == 200, answer.text
        now_s = self.counter.world.clock() // 1000
        return decrypt_message(answer.data, self.me, now_s=now_s)


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    made = Counter(tmp_path)
    yield made
    made.line.close()


def test_a_credential_is_received(counter: Counter) -> None:
    made = counter.world.make_offer()
    received = counter.receive(made["waci_link"], made["tx_code"])
    assert received.account == counter.account
    assert received.format == "dc+sd-jwt"
    # The acknowledgement is taken without an answer.
    assert counter.line.statuses[-1] == 202


def test_an_offer_is_good_once(counter: Counter) -> None:
    made = counter.world.make_offer()
    counter.receive(made["waci_link"], made["tx_code"])
    with pytest.raises(OfferError, match="no such offer"):
        counter.receive(made["waci_link"], made["tx_code"])


def test_a_wrong_transaction_code_is_refused_in_the_words_of_the_endpoint(counter: Counter) -> None:
    made = counter.world.make_offer()
    with pytest.raises(OfferError, match="wrong, used, locked or expired"):
        counter.receive(made["waci_link"], "000000" if made["tx_code"] != "000000" else "111111")


def test_a_transaction_code_is_asked_for_before_anything_is_sent(counter: Counter) -> None:
    made = counter.world.make_offer()
    with pytest.raises(OfferError, match="transaction code is needed"):
        counter.receive(made["waci_link"], None)
    assert counter.receive(made["waci_link"], made["tx_code"]).record_id


def test_a_key_of_another_account_is_refused(counter: Counter) -> None:
    made = counter.world.make_offer()
    with pytest.raises(OfferError, match="refused"):
        counter.receive(made["waci_link"], made["tx_code"], generate_key())


def test_the_offer_comes_with_a_nonce(counter: Counter) -> None:
    offer = Talk(counter).say(PROPOSE_CREDENTIAL)
    assert offer.type == OFFER_CREDENTIAL
    assert set(offer.attached(CREDENTIAL_OFFER)) == {"credential_offer", "c_nonce"}


@pytest.mark.parametrize(
    ("message_type", "changes", "reason"),
    [
        (PROPOSE_CREDENTIAL, {"parent_thread_id": "another"}, "pthid"),
        (REQUEST_CREDENTIAL, {}, "attachment"),
        (
            REQUEST_CREDENTIAL,
            {"attachments": (Attachment(format=CREDENTIAL_REQUEST, value={}),)},
            "pre-authorized_code",
        ),
        (ISSUE_CREDENTIAL, {}, "not a message"),
    ],
)
def test_a_message_that_breaks_the_protocol(
    counter: Counter, message_type: str, changes: dict[str, Any], reason: str
) -> None:
    report = Talk(counter).say(message_type, **changes)
    assert report.type == PROBLEM_REPORT
    assert reason in str(report.body["comment"])


def test_an_invitation_of_a_verifier_offers_nothing(counter: Counter) -> None:
    peer = PeerIdentity.create(endpoint="https://issuer.example/waci/offers/x")
    invitation = Invitation(id="x", sender=peer.did, goal_code="streamlined-vp")
    with pytest.raises(OfferError, match="goal"):
        counter.receive(invitation.to_link("https://issuer.example/"), "123456")


def test_a_browser_is_told_to_use_a_wallet(counter: Counter) -> None:
    page = counter.world.http.get(urlsplit(counter.world.make_offer()["waci_link"]).path)
    assert "ウォレット" in page.text


def test_haip_has_no_such_adapter(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="waci"):
        IssuerWorld(tmp_path, waci=True, haip=True, wallet_providers_file=tmp_path / "x.pem")


def test_without_the_adapter_there_is_no_invitation(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    assert world.make_offer()["waci_link"] is None
    assert world.http.post("/waci/offers/x").status_code == 404
