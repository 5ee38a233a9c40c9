import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.issuer.store import IssuerStore, StoredCredential, StoredEnrolment, StoredOffer

NOW_MS = 1_800_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[IssuerStore]:
    opened = IssuerStore(f"sqlite:///{tmp_path}/issuer.db")
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
    return store.redeem_offer(
        "c" * 64, token_hash=token_hash, attributes=b"again", expires_at_ms=NOW_MS + 1000
    )


def test_tries_run_out_also_for_many_at_once(store: IssuerStore) -> None:
    store.add(offer(tries_left=3))
    taken: list[bool] = []

    def take() -> None:
        taken.append(store.take_try("c" * 64, NOW_MS) is not None)

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False] * 3 + [True] * 3


def test_lock_takes_only_an_offer_without_tries(store: IssuerStore) -> None:
    store.add(offer(tries_left=1))
    store.lock_offer("c" * 64)
    assert store.find_offer("o" * 64, NOW_MS) is not None
    assert store.take_try("c" * 64, NOW_MS) is not None
    store.lock_offer("c" * 64)
    assert store.find_offer("o" * 64, NOW_MS) is None


def test_code_is_redeemed_once(store: IssuerStore) -> None:
    store.add(offer())
    assert redeem(store)
    assert not redeem(store, "m" * 64)
    assert store.take_try("c" * 64, NOW_MS) is None
    assert store.find_offer("o" * 64, NOW_MS) is None
    assert store.find_token("m" * 64, NOW_MS) is None
    found = store.find_token("k" * 64, NOW_MS)
    assert found is not None
    assert found.attributes == b"again"


def test_lease_lasts_its_time_and_ends_early_only_for_its_owner(store: IssuerStore) -> None:
    store.add(offer())
    redeem(store)
    assert store.lease_offer("k" * 64, now_ms=NOW_MS, until_ms=NOW_MS + 100)
    assert not store.lease_offer("k" * 64, now_ms=NOW_MS + 99, until_ms=NOW_MS + 200)
    store.end_lease("k" * 64, NOW_MS + 7)
    assert not store.lease_offer("k" * 64, now_ms=NOW_MS, until_ms=NOW_MS + 200)
    store.end_lease("k" * 64, NOW_MS + 100)
    assert store.lease_offer("k" * 64, now_ms=NOW_MS, until_ms=NOW_MS + 300)
    assert store.lease_offer("k" * 64, now_ms=NOW_MS + 300, until_ms=NOW_MS + 400)


def test_issuance_is_recorded_only_under_the_lease(store: IssuerStore) -> None:
    store.add(offer())
    redeem(store)
    store.lease_offer("k" * 64, now_ms=NOW_MS, until_ms=NOW_MS + 100)
    assert not store.record_issuance("k" * 64, NOW_MS + 99, credential())
    assert not store.credentials(reference=None, after=0, limit=9)
    assert store.record_issuance("k" * 64, NOW_MS + 100, credential())
    assert store.find_token("k" * 64, NOW_MS) is None
    assert [row.record_id for row in store.credentials(reference=None, after=0, limit=9)] == [
        "ab" * 16
    ]


def test_nonce_is_spent_once_until_it_is_returned(store: IssuerStore) -> None:
    assert store.spend_nonce("n" * 64, NOW_MS + 1)
    assert not store.spend_nonce("n" * 64, NOW_MS + 1)
    store.return_nonce("n" * 64)
    assert store.spend_nonce("n" * 64, NOW_MS + 1)


def test_purge_leaves_what_is_in_use(store: IssuerStore) -> None:
    store.add(offer())
    redeem(store)
    store.lease_offer("k" * 64, now_ms=NOW_MS, until_ms=NOW_MS + 5000)
    store.spend_nonce("n" * 64, NOW_MS + 1000)
    store.add(StoredEnrolment(code_hash="e" * 64, tries_left=1, expires_at_ms=NOW_MS + 1000))
    store.purge(NOW_MS + 999)
    assert not store.spend_nonce("n" * 64, NOW_MS + 1000)
    assert store.find_enrolment("e" * 64, NOW_MS) is not None
    store.purge(NOW_MS + 1000)
    assert store.spend_nonce("n" * 64, NOW_MS + 2000)
    assert store.find_enrolment("e" * 64, NOW_MS) is None
    assert store.find_token("k" * 64, NOW_MS) is not None
    store.purge(NOW_MS + 5000)
    assert store.find_token("k" * 64, NOW_MS) is None


def test_enrolment_is_bound_to_one_account(store: IssuerStore) -> None:
    store.add(StoredEnrolment(code_hash="e" * 64, tries_left=1, expires_at_ms=NOW_MS + 1))
    assert store.bind_enrolment("e" * 64, "a@holder")
    assert store.bind_enrolment("e" * 64, "a@holder")
    assert not store.bind_enrolment("e" * 64, "b@holder")
    store.unbind_enrolment("e" * 64, "b@holder")
    assert not store.bind_enrolment("e" * 64, "b@holder")
    store.unbind_enrolment("e" * 64, "a@holder")
    assert store.bind_enrolment("e" * 64, "b@holder")


def test_reprs_hold_no_hash() -> None:
    assert "cccc" not in repr(offer())
    assert "sealed" not in repr(offer())
