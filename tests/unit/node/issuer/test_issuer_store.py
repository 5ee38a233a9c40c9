import threading
from collections.abc import Iterator

import pytest

from node.issuer.store import IssuerStore
from node.issuer.tables import StoredCredential, StoredEnrolment, StoredOffer

NOW_MS = 1_800_000_000_000


@pytest.fixture
def store(database_url: str) -> Iterator[IssuerStore]:
    opened = IssuerStore(database_url)
    yield opened
    opened.close()


def offer(*, tries_left: int = 3) -> StoredOffer:
    return StoredOffer(
        offer_hash="o" * 64,
        code_hash="c" * 64,
        tx_code_hash="t" * 64,
        tries_left=tries_left,
        attributes=b"sealed",
        reference=None,
        expires_at_ms=NOW_MS + 1000,
    )


def credential() -> StoredCredential:
    return StoredCredential(
        record_id="ab" * 16,
        reference=None,
        state="active",
        issued_at_ms=NOW_MS,
        expires_at_ms=NOW_MS + 9,
    )


def redeem(store: IssuerStore, token_hash: str = "k" * 64) -> bool:
    return store.offers.redeem(
        "c" * 64, token_hash=token_hash, attributes=b"again", expires_at_ms=NOW_MS + 1000
    )


def record(store: IssuerStore, until_ms: int) -> bool:
    return store.offers.record_issuance(
        "k" * 64,
        until_ms,
        credentials=[credential()],
        issued=b"answer",
        expires_at_ms=NOW_MS + 2000,
    )


def test_tries_run_out_also_for_many_at_once(store: IssuerStore) -> None:
    store.offers.add(offer(tries_left=3))
    taken: list[bool] = []

    def take() -> None:
        taken.append(store.offers.take_try("c" * 64, NOW_MS) is not None)

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False] * 3 + [True] * 3


def test_lock_takes_only_an_offer_without_tries(store: IssuerStore) -> None:
    store.offers.add(offer(tries_left=1))
    store.offers.lock("c" * 64)
    assert store.offers.find("o" * 64, NOW_MS) is not None
    assert store.offers.take_try("c" * 64, NOW_MS) is not None
    store.offers.lock("c" * 64)
    assert store.offers.find("o" * 64, NOW_MS) is None


def test_code_is_redeemed_once(store: IssuerStore) -> None:
    store.offers.add(offer())
    assert redeem(store)
    assert not redeem(store, "m" * 64)
    assert store.offers.take_try("c" * 64, NOW_MS) is None
    assert store.offers.find("o" * 64, NOW_MS) is None
    assert store.offers.find_token("m" * 64, NOW_MS) is None
    found = store.offers.find_token("k" * 64, NOW_MS)
    assert found is not None
    assert found.attributes == b"again"


def test_lease_lasts_its_time_and_ends_early_only_for_its_owner(store: IssuerStore) -> None:
    store.offers.add(offer())
    redeem(store)
    assert store.offers.lease("k" * 64, now_ms=NOW_MS, until_ms=NOW_MS + 100)
    assert not store.offers.lease("k" * 64, now_ms=NOW_MS + 99, until_ms=NOW_MS + 200)
    store.offers.end_lease("k" * 64, NOW_MS + 7)
    assert not store.offers.lease("k" * 64, now_ms=NOW_MS, until_ms=NOW_MS + 200)
    store.offers.end_lease("k" * 64, NOW_MS + 100)
    assert store.offers.lease("k" * 64, now_ms=NOW_MS, until_ms=NOW_MS + 300)
    assert store.offers.lease("k" * 64, now_ms=NOW_MS + 300, until_ms=NOW_MS + 400)


def test_issuance_is_recorded_only_under_the_lease(store: IssuerStore) -> None:
    store.offers.add(offer())
    redeem(store)
    store.offers.lease("k" * 64, now_ms=NOW_MS, until_ms=NOW_MS + 100)
    assert not record(store, NOW_MS + 99)
    assert not store.credentials.page(reference=None, after=0, limit=9)
    assert record(store, NOW_MS + 100)
    (row,) = store.credentials.page(reference=None, after=0, limit=9)
    assert row.record_id == "ab" * 16
    found = store.offers.find_token("k" * 64, NOW_MS)
    assert found is not None
    assert (found.attributes, found.issued) == (b"", b"answer")
    assert not store.offers.lease("k" * 64, now_ms=NOW_MS + 101, until_ms=NOW_MS + 200)


def test_nonce_is_spent_once_until_it_is_returned(store: IssuerStore) -> None:
    assert store.nonces.spend("n" * 64, NOW_MS + 1)
    assert not store.nonces.spend("n" * 64, NOW_MS + 1)
    store.nonces.give_back("n" * 64)
    assert store.nonces.spend("n" * 64, NOW_MS + 1)


def test_purge_leaves_what_is_in_use(store: IssuerStore) -> None:
    store.offers.add(offer())
    redeem(store)
    store.offers.lease("k" * 64, now_ms=NOW_MS, until_ms=NOW_MS + 5000)
    store.nonces.spend("n" * 64, NOW_MS + 1000)
    store.enrolments.add(
        StoredEnrolment(code_hash="e" * 64, tries_left=1, expires_at_ms=NOW_MS + 1000)
    )
    store.purge(NOW_MS + 999)
    assert not store.nonces.spend("n" * 64, NOW_MS + 1000)
    assert store.enrolments.find("e" * 64, NOW_MS) is not None
    store.purge(NOW_MS + 1000)
    assert store.nonces.spend("n" * 64, NOW_MS + 2000)
    assert store.enrolments.find("e" * 64, NOW_MS) is None
    assert store.offers.find_token("k" * 64, NOW_MS) is not None
    store.purge(NOW_MS + 5000)
    assert store.offers.find_token("k" * 64, NOW_MS) is None


def test_enrolment_is_bound_to_one_account(store: IssuerStore) -> None:
    store.enrolments.add(
        StoredEnrolment(code_hash="e" * 64, tries_left=1, expires_at_ms=NOW_MS + 1)
    )
    assert store.enrolments.bind("e" * 64, "a@holder")
    assert store.enrolments.bind("e" * 64, "a@holder")
    assert not store.enrolments.bind("e" * 64, "b@holder")
    store.enrolments.unbind("e" * 64, "b@holder")
    assert not store.enrolments.bind("e" * 64, "b@holder")
    store.enrolments.unbind("e" * 64, "a@holder")
    assert store.enrolments.bind("e" * 64, "b@holder")


def test_reprs_hold_no_hash() -> None:
    assert "cccc" not in repr(offer())
    assert "sealed" not in repr(offer())
