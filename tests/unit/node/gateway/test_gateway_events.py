"""What verifiers are told of their requests: streams of events, and signed webhooks."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy.exc import OperationalError
from support.gateway_world import GatewayWorld
from support.http_stand import HttpStand, Received, Reply

from chaincode.encoding import JsonObject
from client_sdk.errors import ServiceRefusedError, WebhookError
from client_sdk.http.signed_message import SignedMessage
from client_sdk.verifier.gateway_client import GatewayClient
from client_sdk.verifier.webhooks import WebhookEvent, WebhookSigner, verify_webhook
from node.cli.demo.free_ports import free_addresses
from node.gateway.api_keys import Scope
from node.gateway.app import THREADS, is_stream
from node.gateway.event_feed import EventFeed
from node.gateway.event_store import RequestEvent
from node.gateway.gateway_store import GatewayStore
from node.gateway.webhooks import MAX_TRIES, WebhookSender
from node.web.server import WebServer

Frames = Iterator[dict[str, str]]


@pytest.fixture
def gateway(tmp_path: Path, database_url: str) -> Iterator[GatewayWorld]:
    world = GatewayWorld(tmp_path, changes={"database_url": database_url})
    yield world
    world.close()


@contextmanager
def served(gateway: GatewayWorld, *, streams: int = 4) -> Iterator[str]:
    """Serve a gateway as its process does; yield its address."""
    server = WebServer(
        gateway.app, "127.0.0.1:0", threads=THREADS, streams=streams, is_stream=is_stream
    )
    loop = threading.Thread(target=server.run)
    loop.start()
    try:
        yield f"http://{server.address}"
    finally:
        server.stop()
        gateway.events.feed.stop()
        loop.join(60)


@contextmanager
def follow(
    gateway: GatewayWorld, base: str, request_id: str, *, after: str | None = None
) -> Iterator[Frames]:
    """Yield the frames of a stream as they come, without those that only keep it open."""
    headers = gateway.headers()
    if after is not None:
        headers["Last-Event-ID"] = after
    url = f"{base}/requests/{request_id}/events"
    with requests.get(url, headers=headers, stream=True, timeout=60) as response:
        assert response.status_code == 200, response.text
        assert response.headers["Content-Type"].startswith("text/event-stream")
        yield frames(response)


def frames(response: requests.Response) -> Frames:
    fields: dict[str, str] = {}
    for line in response.iter_lines(chunk_size=1, decode_unicode=True):
        name, _, value = line.partition(": ")
        if line and not line.startswith(":"):
            fields[name] = value
        elif not line:
            if "data" in fields:
                yield fields
            fields = {}


def post_answer(gateway: GatewayWorld, created: dict[str, Any], **changes: Any) -> int:
    form = gateway.answer(created, **changes)
    return gateway.client.post(f"/oid4vp/responses/{created['id']}", data=form).status_code


def test_a_stream_tells_each_step_as_it_happens(gateway: GatewayWorld) -> None:
    created = gateway.create()
    with served(gateway) as base, follow(gateway, base, created["id"]) as told:
        gateway.fetch(created)
        assert next(told)["event"] == "fetched"
        post_answer(gateway, created)
        events = [*told]
    assert [event["event"] for event in events] == ["answered", "verified"]
    last = json.loads(events[-1]["data"])
    assert (last["request"], last["status"]) == (created["id"], "accepted")
    assert "address" not in str(events)


def test_our_client_follows_a_request(gateway: GatewayWorld) -> None:
    created = gateway.create()
    request_id = created["id"]
    with served(gateway) as base, GatewayClient(base, gateway.api_keys["city"]) as client:
        events = client.events(request_id)
        gateway.fetch(created)
        first = next(events)
        assert (first.name, first.state) == ("fetched", "fetched")
        post_answer(gateway, created)
        rest = [*events]
        assert [event.name for event in rest] == ["answered", "verified"]
        assert [*client.events(request_id, after=first.event_id)] == rest
        with pytest.raises(ServiceRefusedError, match="404"):
            next(client.events("0" * 32))


def test_our_client_waits_for_the_answer_without_asking_again(gateway: GatewayWorld) -> None:
    created, asked = gateway.create(), []
    with served(gateway) as base, GatewayClient(base, gateway.api_keys["city"]) as client:
        ask = client.result
        client.result = lambda request_id: (asked.append(0), ask(request_id))[1]  # type: ignore[method-assign]
        answering = threading.Timer(0.3, post_answer, (gateway, created))
        answering.start()
        assert client.wait(created["id"], timeout_s=30).state == "accepted"
        answering.join()
        # Where no stream is to be had it asks now and then.
        gateway.events.feed.stop()
        other = gateway.create()
        assert client.wait(other["id"], timeout_s=0.2).is_open
    assert len(asked) <= 5


def test_a_stream_goes_on_where_it_was_cut(gateway: GatewayWorld) -> None:
    created = gateway.create()
    post_answer(gateway, created)
    with served(gateway) as base:
        with follow(gateway, base, created["id"]) as told:
            first, *rest = told
        with follow(gateway, base, created["id"], after=first["id"]) as told:
            assert [*told] == rest
        with follow(gateway, base, created["id"], after=rest[-1]["id"]) as told:
            assert [*told] == []


def test_a_refused_answer_leaves_the_stream_open_for_another(gateway: GatewayWorld) -> None:
    created = gateway.create()
    with served(gateway) as base, follow(gateway, base, created["id"]) as told:
        assert post_answer(gateway, created, nonce="n" * 22) == 400
        assert [next(told)["event"] for _ in range(2)] == ["fetched", "verified"]
        assert post_answer(gateway, created) == 200
        assert [event["event"] for event in told] == ["answered", "verified"]


def test_a_stream_ends_with_the_request(gateway: GatewayWorld) -> None:
    created = gateway.create()
    gateway.world.now_ms += 300_000
    with served(gateway) as base, follow(gateway, base, created["id"]) as told:
        (event,) = told
    assert (event["event"], json.loads(event["data"])["status"]) == ("expired", "expired")


def test_an_answer_in_time_is_told_when_its_receipt_is_written(gateway: GatewayWorld) -> None:
    created = gateway.create()
    gateway.world.ledger.is_writable = False
    assert post_answer(gateway, created) == 200
    gateway.world.now_ms += 300_000
    with served(gateway) as base, follow(gateway, base, created["id"]) as told:
        assert [next(told)["event"] for _ in range(2)] == ["fetched", "answered"]
        gateway.world.ledger.is_writable = True
        gateway.presentations.tend()
        assert [event["event"] for event in told] == ["verified"]


def test_a_stream_that_the_database_refuses_takes_no_place(
    gateway: GatewayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = EventFeed(gateway.event_store, most=1)

    def fail() -> int:
        raise OperationalError("SELECT", {}, Exception("disk"))

    with monkeypatch.context() as broken:
        broken.setattr(gateway.event_store, "last_event", fail)
        with pytest.raises(OperationalError), feed.listen("0" * 32):
            pass
    with feed.listen("0" * 32) as listener:
        feed.stop()
        assert listener.get(timeout=60) is None


def test_another_process_s_events_are_told(gateway: GatewayWorld, tmp_path: Path) -> None:
    created = gateway.create()
    other = GatewayWorld(tmp_path, world=gateway.world, changes=gateway.changes)
    with served(gateway) as base, follow(gateway, base, created["id"]) as told:
        post_answer(other, created)
        assert [event["event"] for event in told] == ["fetched", "answered", "verified"]
    other.close()


def test_an_event_that_is_committed_after_a_later_number_is_told(gateway: GatewayWorld) -> None:
    def commit(seq: int, request_id: str) -> None:
        event = RequestEvent(
            seq=seq, request_id=request_id, verifier="city", status="fetched", at_ms=0, tries=0
        )
        with gateway.event_store._database.transaction() as session:
            session.add(event)

    with gateway.events.feed.listen("a" * 32) as first:
        commit(10, "a" * 32)
        told = first.get(timeout=60)
        assert told is not None
        assert told.seq == 10
        with gateway.events.feed.listen("b" * 32) as second:
            commit(9, "b" * 32)
            late = second.get(timeout=60)
            assert late is not None
            assert late.seq == 9
        commit(11, "a" * 32)
        again = first.get(timeout=60)
        assert again is not None
        assert again.seq == 11


def test_no_number_is_given_to_two_events(
    gateway: GatewayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.fetch(gateway.create())
    last = gateway.event_store.last_event()
    # As after days in which nothing happened.
    monkeypatch.setattr("node.gateway.store.EVENTS_KEPT_MS", -60_000)
    gateway.presentations.purge()
    assert gateway.event_store.events(after=0) == []
    gateway.fetch(gateway.create())
    assert gateway.event_store.last_event() > last


def test_a_stream_is_only_for_who_may_read_the_result(gateway: GatewayWorld) -> None:
    created = gateway.create()
    path = f"/requests/{created['id']}/events"
    asks = gateway.make_key("city", Scope.REQUESTS_WRITE)
    for key, status in ((asks, 403), (gateway.api_keys["bank"], 404), ("wrong", 401)):
        headers = {"Authorization": f"Bearer {key}"}
        assert gateway.client.get(path, headers=headers).status_code == status


def test_on_one_device_no_more_is_told_than_that_there_was_an_answer(gateway: GatewayWorld) -> None:
    body = {"attributes": ["address"], "purpose": "x", "redirect_uri": "https://city.example/"}
    created = gateway.client.post("/requests", json=body, headers=gateway.headers()).get_json()
    post_answer(gateway, created)
    with served(gateway) as base, follow(gateway, base, created["id"]) as told:
        assert {event["event"] for event in told} == {"fetched", "answered"}


def test_many_streams_leave_room_for_everybody_else(tmp_path: Path) -> None:
    gateway = GatewayWorld(tmp_path, changes={"max_streams": 40})
    created = gateway.create()
    with served(gateway, streams=40) as base, ExitStack() as streams:
        told = [streams.enter_context(follow(gateway, base, created["id"])) for _ in range(40)]
        url = f"{base}/requests/{created['id']}"
        assert requests.get(url, headers=gateway.headers(), timeout=60).status_code == 200
        refused = requests.get(f"{url}/events", headers=gateway.headers(), timeout=60)
        assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
        post_answer(gateway, created)
        for events in told:
            assert [event["event"] for event in events][-1] == "verified"
    gateway.close()


class TestWebhooks:
    @pytest.fixture
    def heard(self) -> Iterator[HttpStand]:
        """A verifier's service, which takes every webhook."""
        with HttpStand(lambda _request: Reply(status=204, body=b"")) as stand:
            yield stand

    def sender(
        self, gateway: GatewayWorld, *, to_this_machine: bool = True, timeout_s: float = 10
    ) -> WebhookSender:
        return WebhookSender(
            gateway.event_store,
            gateway.events.signer,
            to_this_machine=to_this_machine,
            timeout_s=timeout_s,
            now_ms=lambda: gateway.world.now_ms,
        )

    def register(self, gateway: GatewayWorld, url: str, *, verifier: str = "city") -> None:
        body = {"url": url}
        done = gateway.client.put("/webhook", json=body, headers=gateway.headers(verifier))
        assert done.status_code == 204, done.text

    def verified(self, gateway: GatewayWorld, received: Received, url: str) -> WebhookEvent:
        keys: JsonObject = gateway.client.get("/webhook-keys").get_json()
        message = SignedMessage(received.method, url, dict(received.headers), received.body)
        return verify_webhook(message, keys)

    def test_each_step_is_posted_once_and_signed(
        self, gateway: GatewayWorld, heard: HttpStand
    ) -> None:
        url = f"{heard.url}/tegata"
        self.register(gateway, url)
        created = gateway.create()
        post_answer(gateway, created)
        sender = self.sender(gateway)
        while sender.post_one():
            pass
        told = [self.verified(gateway, received, url) for received in heard.received]
        assert [event.name for event in told] == ["fetched", "answered", "verified"]
        assert {event.request_id for event in told} == {created["id"]}
        assert told[-1].status == "accepted"
        assert b"address" not in heard.received[-1].body

    @pytest.mark.parametrize(
        "change",
        [
            {"body": b'{"event":1}'},
            {"url": "http://elsewhere.example/tegata"},
            {"method": "PUT"},
            {"headers": {}},
        ],
    )
    def test_what_was_changed_on_the_way_is_refused(
        self, gateway: GatewayWorld, heard: HttpStand, change: dict[str, Any]
    ) -> None:
        url = f"{heard.url}/tegata"
        self.register(gateway, url)
        gateway.fetch(gateway.create())
        assert self.sender(gateway).post_one()
        (received,) = heard.received
        fields = {
            "method": received.method,
            "url": url,
            "headers": dict(received.headers),
            "body": received.body,
            **change,
        }
        keys: JsonObject = gateway.client.get("/webhook-keys").get_json()
        with pytest.raises(WebhookError, match="not the gateway's"):
            verify_webhook(SignedMessage(**fields), keys)

    def test_another_key_signs_for_nobody(self, gateway: GatewayWorld, heard: HttpStand) -> None:
        url = f"{heard.url}/tegata"
        self.register(gateway, url)
        gateway.fetch(gateway.create())
        assert self.sender(gateway).post_one()
        (received,) = heard.received
        message = SignedMessage(received.method, url, dict(received.headers), received.body)
        with pytest.raises(WebhookError):
            verify_webhook(message, WebhookSigner(bytes([1] * 32)).key_set())

    def test_what_was_not_heard_is_told_again(self, gateway: GatewayWorld) -> None:
        statuses = [500, 204]
        with HttpStand(lambda _: Reply(status=statuses.pop(0), body=b"")) as stand:
            self.register(gateway, stand.url)
            gateway.fetch(gateway.create())
            sender = self.sender(gateway)
            assert sender.post_one()
            assert not sender.post_one()
            gateway.world.now_ms += 5_000
            assert sender.post_one()
            gateway.world.now_ms += 86_400_000
            assert not sender.post_one()
        assert len({received.body for received in stand.received}) == 1

    def test_who_never_hears_is_given_up(self, gateway: GatewayWorld) -> None:
        with HttpStand(lambda _: Reply(status=500)) as stand:
            self.register(gateway, stand.url)
            gateway.fetch(gateway.create())
            sender = self.sender(gateway)
            for _ in range(MAX_TRIES):
                assert sender.post_one()
                gateway.world.now_ms += 3_600_000
            assert not sender.post_one()
        assert len(stand.received) == MAX_TRIES

    def test_a_service_that_drips_its_answer_keeps_nobody_waiting(
        self, gateway: GatewayWorld, heard: HttpStand
    ) -> None:
        released = threading.Event()
        listener = socket.create_server(("127.0.0.1", 0))

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 204 No Content\r\nX: ")
                while not released.wait(0.02):
                    connection.sendall(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        self.register(gateway, f"http://127.0.0.1:{listener.getsockname()[1]}/")
        self.register(gateway, heard.url, verifier="bank")
        gateway.fetch(gateway.create())
        gateway.fetch(gateway.create(verifier="bank"))
        sender = self.sender(gateway, timeout_s=1)
        assert sender.post_one()
        assert heard.received == []
        # More of the one that hangs, and then the other one's.
        gateway.fetch(gateway.create())
        assert sender.post_one()
        assert len(heard.received) == 1
        gateway.world.now_ms += 3_600_000
        assert not sender.post_one()
        released.set()
        dripping.join(60)
        listener.close()

    def test_who_gave_no_answer_is_left_alone_for_a_while(
        self, gateway: GatewayWorld, heard: HttpStand
    ) -> None:
        (closed,) = free_addresses(1)
        self.register(gateway, f"http://{closed}/")
        for _ in range(2):
            gateway.fetch(gateway.create())
        sender = self.sender(gateway)
        assert sender.post_one()
        assert not sender.post_one()
        self.register(gateway, heard.url)
        gateway.world.now_ms += 60_000
        assert sender.post_one()
        assert sender.post_one()
        assert len(heard.received) == 2

    def test_a_process_that_died_while_posting_is_followed_by_another(
        self, gateway: GatewayWorld, heard: HttpStand
    ) -> None:
        self.register(gateway, heard.url)
        gateway.fetch(gateway.create())
        # It claims, and is never heard of again.
        claimed = gateway.event_store.claim_event(now_ms=gateway.world.now_ms, lease_ms=60_000)
        assert claimed is not None
        assert not self.sender(gateway).post_one()
        gateway.world.now_ms += 60_000
        assert self.sender(gateway).post_one()
        assert len(heard.received) == 1

    def test_two_processes_do_not_post_the_same(
        self, gateway: GatewayWorld, heard: HttpStand
    ) -> None:
        self.register(gateway, heard.url)
        for _ in range(20):
            gateway.fetch(gateway.create())
        store = GatewayStore(gateway.config.database_url)
        senders = [self.sender(gateway) for _ in range(4)]

        def work(sender: WebhookSender) -> None:
            until = time.monotonic() + 120
            while len(heard.received) < 20 and time.monotonic() < until:
                sender.post_one()

        threads = [threading.Thread(target=work, args=(sender,)) for sender in senders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        store.close()
        bodies = [received.body for received in heard.received]
        assert len(bodies) == len(set(bodies)) == 20

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
    def test_nothing_is_posted_to_this_machine_by_default(
        self, gateway: GatewayWorld, heard: HttpStand, host: str
    ) -> None:
        port = heard.address.rpartition(":")[2]
        self.register(gateway, f"http://{host}:{port}/")
        gateway.fetch(gateway.create())
        assert self.sender(gateway, to_this_machine=False).post_one()
        assert heard.received == []

    @pytest.mark.parametrize("host", ["10.0.0.1", "192.168.1.1", "169.254.169.254", "[fd00::1]"])
    def test_nothing_is_ever_posted_to_a_private_network(
        self, gateway: GatewayWorld, monkeypatch: pytest.MonkeyPatch, host: str
    ) -> None:
        def connect(*_arguments: object, **_options: object) -> None:
            raise AssertionError("a connection was tried")

        monkeypatch.setattr("socket.socket.connect", connect)
        self.register(gateway, f"https://{host}/")
        gateway.fetch(gateway.create())
        assert self.sender(gateway).post_one()

    @pytest.mark.parametrize("url", ["http://city.example/", "ftp://city.example/", "x", ""])
    def test_addresses_that_are_refused(self, gateway: GatewayWorld, url: str) -> None:
        done = gateway.client.put("/webhook", json={"url": url}, headers=gateway.headers())
        assert done.status_code == 422

    def test_a_webhook_can_be_read_and_removed(
        self, gateway: GatewayWorld, heard: HttpStand
    ) -> None:
        headers = gateway.headers()
        assert gateway.client.get("/webhook", headers=headers).status_code == 404
        self.register(gateway, heard.url)
        assert gateway.client.get("/webhook", headers=headers).get_json()["url"] == heard.url
        gateway.fetch(gateway.create())
        assert gateway.client.delete("/webhook", headers=headers).status_code == 204
        assert gateway.client.delete("/webhook", headers=headers).status_code == 404
        assert not self.sender(gateway).post_one()
        bank = gateway.client.get("/webhook", headers=gateway.headers("bank"))
        assert bank.status_code == 404
