"""The operator's page: what it reads of the blocks, what it shows, and that it changes nothing."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pydantic import ValidationError
from support.http_stand import HttpStand, Reply
from support.logins import browser_of, log_in
from support.memory_ledger import START_MS
from support.observer_world import PAGE, ObserverWorld

from chaincode.transactions import block_hash, transaction_hash
from client_sdk.errors import TransactionFailedError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import create_account
from node.errors import StorageError
from node.observer.block_index import DAY_MS, BlockIndex
from node.observer.config import ObserverConfig
from node.observer.reader import BlockReader
from node.observer.series import ACTIVE_DAYS, last_minutes


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ObserverWorld]:
    made = ObserverWorld(tmp_path)
    yield made
    made.close()


def operator(world: ObserverWorld) -> FlaskClient:
    browser = browser_of(world.app.test_client())
    assert log_in(browser, "ito").status_code == 303
    return browser


def test_nothing_without_a_login(world: ObserverWorld) -> None:
    stranger = browser_of(world.app.test_client())
    for path in ("/", "/adoption", "/blocks", "/blocks/1", "/accounts", f"/accounts/{PAGE}"):
        assert stranger.get(path).status_code == 302, path


def test_blocks_are_read_once_and_in_order(world: ObserverWorld) -> None:
    world.reader.catch_up()
    top = world.ledger.height()
    assert world.index.height() == top
    assert not world.reader.is_behind
    world.enrol("a1")
    world.reader.catch_up()
    assert world.index.height() == world.ledger.height() > top
    newest = world.index.blocks(below=None, limit=1)[0]
    block = world.ledger.blocks[-1]
    assert newest.hash == block_hash(block).hex()
    assert newest.committed == len(block.block_v1.payload.transactions)
    transaction = block.block_v1.payload.transactions[0]
    assert world.index.find_transaction(transaction_hash(transaction)) == newest.height


def test_the_curve_of_adoption(world: ObserverWorld) -> None:
    first = world.enrol("a1")
    world.pass_days(1)
    second = world.enrol("a2")
    world.show(first, "0" * 32)
    world.pass_days(1)
    world.recover(second, AccountKey.generate().public_key)
    shown_at_ms = START_MS + DAY_MS
    world.pass_days(ACTIVE_DAYS)
    world.show(first, "1" * 32)
    world.reader.catch_up()

    def counts(time_ms: int) -> tuple[int, ...]:
        return world.index.adoption_at("holder", time_ms, active_days=ACTIVE_DAYS)

    # Enrolled, have shown something, active, recovered.
    assert counts(START_MS - DAY_MS) == (0, 0, 0, 0)
    soon = 1000
    assert counts(START_MS + soon) == (1, 0, 0, 0)
    assert counts(shown_at_ms + soon) == (2, 1, 1, 0)
    assert counts(shown_at_ms + DAY_MS + soon) == (2, 1, 1, 1)
    assert counts(shown_at_ms + (ACTIVE_DAYS - 1) * DAY_MS) == (2, 1, 1, 1)
    assert counts(shown_at_ms + ACTIVE_DAYS * DAY_MS) == (2, 1, 0, 1)
    assert counts(world.now_ms + soon) == (2, 1, 1, 1)
    page = operator(world).get("/adoption").text
    assert page.count("<polyline") == 4
    assert "recovered: 1" in page


def test_pages_show_the_ledger(world: ObserverWorld) -> None:
    holder = world.enrol("a1")
    world.show(holder, "0" * 32)
    world.reader.catch_up()
    browser = operator(world)
    overview = browser.get("/").text
    assert "The node is healthy." in overview
    assert "127.0.0.1:10001" in overview
    assert overview.count("<svg viewBox") == 2
    assert f"/blocks/{world.ledger.height()}" in browser.get("/blocks").text
    block = world.ledger.blocks[-1]
    found = browser.get(f"/blocks/{world.ledger.height()}").text
    tx_hash = transaction_hash(block.block_v1.payload.transactions[0]).hex()
    assert tx_hash in found
    assert "set_account_detail" in found
    account = browser.get(f"/accounts/{holder}").text
    assert "tg_seen_" in account
    assert "holder" in account
    assert holder in browser.get("/accounts?domain=holder").text
    assert PAGE not in browser.get("/accounts?domain=holder").text
    for asked, place in (
        ("1", "/blocks/1"),
        (tx_hash.upper(), f"/blocks/{world.ledger.height()}#{tx_hash}"),
        (holder, f"/accounts/{holder}"),
    ):
        answer = browser.get("/find", query_string={"what": asked})
        assert answer.headers["Location"] == place
    for missing in ("0" * 64, "nonsense", ""):
        assert browser.get("/find", query_string={"what": missing}).status_code == 404
    for path in ("/blocks/999999", "/accounts/nobody@holder", "/accounts/a'b"):
        assert browser.get(path).status_code == 404


def test_pages_are_turned(world: ObserverWorld) -> None:
    for number in range(55):
        world.enrol(f"h{number:03}")
    world.reader.catch_up()
    browser = operator(world)
    assert "/blocks?below=" in browser.get("/blocks").text
    older = browser.get(f"/blocks?below={world.ledger.height() - 49}").text
    assert '/blocks/1"' in older
    assert "after=h049@holder" in browser.get("/accounts?domain=holder").text
    assert "h054@holder" in browser.get("/accounts?domain=holder&after=h049@holder").text


def test_a_node_that_is_away_is_said_and_not_an_error(world: ObserverWorld) -> None:
    world.reader.catch_up()
    browser = operator(world)
    world.ledger.reachable = False
    page = browser.get("/")
    assert page.status_code == 200
    assert "The node does not answer." in page.text
    assert browser.get("/blocks").status_code == 200
    answer = browser.get("/blocks/1")
    assert answer.status_code == 503
    assert "waiting for another one" in answer.text


def test_reading_goes_on_when_the_node_is_back(world: ObserverWorld) -> None:
    stopped = threading.Event()
    world.ledger.reachable = False
    thread = threading.Thread(target=world.reader.run, args=(stopped,))
    thread.start()
    world.ledger.reachable = True
    while world.reader.is_behind:
        stopped.wait(0.01)
    stopped.set()
    thread.join()
    assert world.index.height() == world.ledger.height()


def test_the_index_of_another_chain_is_refused(world: ObserverWorld, tmp_path: Path) -> None:
    world.enrol("a1")
    world.reader.catch_up()
    (tmp_path / "other").mkdir()
    shorter = ObserverWorld(tmp_path / "other")
    reader = BlockReader(shorter.ledger.client(PAGE), world.index)
    with pytest.raises(StorageError, match="delete it"):
        reader.catch_up()
    shorter.close()


def test_the_page_can_change_nothing(world: ObserverWorld) -> None:
    """Its account has a role that reads; nothing in its routes takes anything but a login."""
    with pytest.raises(TransactionFailedError):
        world.ledger.client(PAGE).submit(
            create_account("mallory@holder", AccountKey.generate().public_key)
        )
    writing = {
        rule.rule
        for rule in world.app.url_map.iter_rules()
        if rule.methods and not rule.methods <= {"GET", "HEAD", "OPTIONS"}
    }
    assert writing == {"/login", "/logout"}


def test_throughput_and_latency_by_the_minute(world: ObserverWorld) -> None:
    world.now_ms += 3_600_000
    world.enrol("a1")
    world.now_ms += 60_000
    world.enrol("a2")
    world.reader.catch_up()
    minutes = last_minutes(world.index.blocks_since(0), world.now_ms)
    assert len(minutes) == 60
    assert [minute.committed for minute in minutes[-2:]] == [1, 1]
    assert sum(minute.committed for minute in minutes) == 2
    assert minutes[-1].start_ms == world.now_ms // 60_000 * 60_000


def test_metrics_of_the_node_are_shown_where_it_has_them(tmp_path: Path) -> None:
    text = b"# TYPE tegata_waiting_transactions gauge\ntegata_waiting_transactions 17.0\n"
    replies = iter([Reply(body=text), Reply(status=500), Reply(body=b"\xff{nonsense")])
    with HttpStand(lambda _: next(replies)) as stand:
        world = ObserverWorld(tmp_path, metrics_url=stand.url)
        browser = operator(world)
        assert "17" in browser.get("/").text
        for _ in range(2):
            page = browser.get("/")
            assert page.status_code == 200
            assert "Waiting for a block" not in page.text
        world.close()


def test_metrics_may_be_read_in_plain_inside_the_operators_network(world: ObserverWorld) -> None:
    def with_changes(**changes: str) -> ObserverConfig:
        return ObserverConfig.model_validate({**world.config.model_dump(), **changes})

    url = "http://peer4:7001/metrics"
    assert with_changes(metrics_url=url).metrics_url == url
    for url in ("ftp://peer4/metrics", "http://me:word@peer4/metrics", "/metrics"):
        with pytest.raises(ValidationError, match="metrics_url"):
            with_changes(metrics_url=url)
    # What browsers are sent to is another matter.
    with pytest.raises(ValidationError, match="https is required"):
        with_changes(public_url="http://page:8084")


def test_the_index_can_be_deleted_and_read_again(world: ObserverWorld, tmp_path: Path) -> None:
    world.show(world.enrol("a1"), "0" * 32)
    world.reader.catch_up()
    again = BlockIndex(f"sqlite:///{tmp_path / 'again.db'}")
    BlockReader(world.ledger.client(PAGE), again).catch_up()
    for index in (world.index, again):
        assert index.adoption_at("holder", world.now_ms + 1000, active_days=1) == (1, 1, 1, 0)
    assert json.dumps(again.count_accounts()) == json.dumps(world.index.count_accounts())
    again.close()
