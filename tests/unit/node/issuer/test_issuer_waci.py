"""An issuer's offer taken up by WACI's messages: issue-credential 3.0, encrypted, over HTTP."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from support.issuer_world import RESIDENT, IssuerWorld

from client_sdk.credentials.jose import Key, generate_key, key_from_seed
from client_sdk.credentials.multikey import encode_base58btc
from client_sdk.didcomm.envelope import decrypt_message, encrypt_message
from client_sdk.didcomm.message import PROBLEM_REPORT, Attachment, Message
from client_sdk.didcomm.out_of_band import Invitation, parse_invitation
from client_sdk.didcomm.peer_did import PeerDid, PeerIdentity
from client_sdk.errors import OfferError, TransportError
from client_sdk.http.client import HttpAnswer, HttpClient
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
from client_sdk.waci.thread import WaciThread
from node.issuer.offers import TRANSACTION_CODE_TRIES
from node.issuer.waci import WaciIssuing
from node.web.didcomm import agreement_key

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

    def __init__(self, counter: Counter, made: dict[str, Any] | None = None) -> None:
        self.counter = counter
        self.made = made or counter.world.make_offer()
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


def test_what_the_ledger_could_not_take_can_be_asked_for_again(counter: Counter) -> None:
    """The answer says that nothing was used up: neither the offer nor one of its tries."""
    made = counter.world.make_offer()
    for _ in range(TRANSACTION_CODE_TRIES + 1):
        counter.world.ledger.reachable = False
        with pytest.raises(OfferError, match="Nothing was used up"):
            counter.receive(made["waci_link"], made["tx_code"])
        counter.world.ledger.reachable = True
    assert counter.receive(made["waci_link"], made["tx_code"]).account == counter.account


def test_an_offer_that_waits_for_a_review_is_not_used_up(counter: Counter) -> None:
    """A message cannot name the token that a deferred credential is collected with."""
    made = counter.world.make_offer()
    reviewed = counter.world.operator("/offers", {"attributes": RESIDENT, "review": True})
    offer = reviewed.get_json()
    assert offer["waci_link"] is None
    # A wallet that writes to the adapter all the same, about the offer of the ordinary link.
    talk = Talk(counter, made={**made, **offer, "waci_link": made["waci_link"]})
    nonce = counter.world.nonce()
    proof = counter.world.proof(generate_key(), nonce)
    attached = {
        "pre-authorized_code": counter.world.code_of(offer),
        "tx_code": offer["tx_code"],
        "credential_request": {
            "credential_configuration_id": "resident",
            "proofs": {"jwt": [proof]},
        },
    }
    report = talk.say(
        REQUEST_CREDENTIAL,
        attachments=(Attachment(format=CREDENTIAL_REQUEST, value=attached),),
    )
    assert report.type == PROBLEM_REPORT
    code = counter.world.code_of(offer)
    assert counter.world.redeem(code, offer["tx_code"]).status_code == 200


def test_a_lost_acknowledgement_loses_no_credential(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = counter.world.make_offer()

    def fail(*_args: object, **_more: object) -> None:
        raise TransportError("the issuer is gone")

    monkeypatch.setattr(WaciThread, "tell", fail)
    assert counter.receive(made["waci_link"], made["tx_code"]).account == counter.account


def test_whoever_invites_is_not_told_the_code_of_anothers_offer(counter: Counter) -> None:
    """Else an onlooker who saw the offer would be told the code that the person was told."""
    made = counter.world.make_offer()
    invitation = parse_invitation(made["waci_link"], goal_code="streamlined-vc")
    seed = b"thief".ljust(32)
    thief = WaciIssuing(
        cast(Any, None),
        cast(Any, None),
        issuer_url="https://thief.example",
        key=agreement_key(seed),
    )
    told: list[Message] = []
    offered = Talk(counter, made=made).say(PROPOSE_CREDENTIAL).attached(CREDENTIAL_OFFER)

    def answer(body: bytes) -> HttpAnswer:
        identity = thief.identity(invitation.id)
        message = decrypt_message(body, identity, now_s=counter.world.clock() // 1000)
        told.append(message)
        reply = Message(
            type=OFFER_CREDENTIAL,
            sender=identity.did,
            recipient=message.sender,
            thread_id=message.thread_id,
            attachments=(Attachment(format=CREDENTIAL_OFFER, value=offered),),
        )
        sealed = encrypt_message(reply, PeerDid.parse(str(message.sender)))
        return HttpAnswer(status=200, media_type=ENCRYPTED, body=sealed)

    class Trap(Line):
        def send(self, _method: str, _url: str, *, body: bytes = b"", **_more: Any) -> HttpAnswer:
            return answer(body)

    counter.line = Trap(counter.world.http)
    with pytest.raises(OfferError, match="another issuer than its sender"):
        counter.receive(thief.link(invitation.id), made["tx_code"])
    assert [message.type for message in told] == [PROPOSE_CREDENTIAL]


def test_who_cannot_be_answered_uses_up_nothing(counter: Counter) -> None:
    """A key of small order: nothing can be encrypted to it (RFC 7748 section 6.1)."""
    made = counter.world.make_offer()
    talk = Talk(counter, made=made)
    key = encode_base58btc(bytes.fromhex("ec01") + bytes(32))
    message = Message(
        type=PROPOSE_CREDENTIAL,
        sender=f"did:peer:2.E{key}",
        recipient=talk.peer.did,
        parent_thread_id=talk.invitation.id,
        return_route="all",
    )
    path = urlsplit(str(talk.peer.endpoint)).path
    envelope = encrypt_message(message, talk.peer)
    answer = counter.world.http.post(path, data=envelope, content_type=ENCRYPTED)
    assert answer.status_code == 400


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
