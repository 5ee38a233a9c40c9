"""Two instances of an agent on one database: each guess counts, each token is good once."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from node.escrow.store import EscrowStore, HolderTransaction


def test_guesses_at_two_instances_are_all_counted(database_url: str) -> None:
    stores = [EscrowStore(database_url) for _ in range(2)]

    def guess(number: int) -> int:
        def work(rows: HolderTransaction) -> int:
            rows.append_log("evaluated", caller="card", now_ms=number)
            assert rows.holder is not None
            rows.holder.attempts += 1
            return rows.holder.attempts

        return stores[number % 2].change("h", work)

    # Also the first ones, when there is no row yet that could be locked.
    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(guess, range(40))) == list(range(1, 41))
    entries = stores[0].change("h", lambda rows: rows.log())
    assert [entry.sequence for entry in entries] == list(range(1, 41))
    for before, after in pairwise(entries):
        assert after.previous == before.hash
    for store in stores:
        store.close()


def test_a_token_is_spent_once_by_whichever_handle(database_url: str) -> None:
    stores = [EscrowStore(database_url) for _ in range(2)]

    def spend(number: int) -> bool:
        def work(rows: HolderTransaction) -> bool:
            return rows.spend("token", expires_at_ms=1)

        return stores[number % 2].change(f"handle {number}", work)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(spend, range(16))) == [False] * 15 + [True]
    for store in stores:
        store.close()
