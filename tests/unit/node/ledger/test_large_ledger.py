"""The ledgers that benchmarks make in bulk are what transactions would have made."""

from itertools import islice
from pathlib import Path

from benchmarks.large_ledger import (
    KEY,
    START_MS,
    account_id,
    add_accounts,
    add_transactions,
    detail_transactions,
    make_ledger,
)
from chaincode.authenticated_map import prove, update_map, verify_presence
from chaincode.blocks import Verdict
from chaincode.set_hash import SetHash
from chaincode.state_root import is_provable
from chaincode.stateless import TimeWindow
from chaincode.world_state import state_key
from node.ledger.engine import Engine
from node.ledger.stores import LedgerStores

ACCOUNTS = 300


class NoPages:
    """A map without entries."""

    def get_page(self, prefix: str) -> None:
        """Return no page."""


def test_accounts_in_bulk_have_the_commitments_of_their_entries(tmp_path: Path) -> None:
    make_ledger(tmp_path)
    told: list[int] = []
    add_accounts(tmp_path, ACCOUNTS, told.append)
    assert sum(told) == 3 * ACCOUNTS
    with LedgerStores(tmp_path) as stores:
        with stores.state.snapshot() as view:
            entries = dict(view.scan(b""))
            root = view.tip().state_root
            key = state_key(b"account", account_id(ACCOUNTS - 1))
            proof = prove(view, key)
        whole = SetHash()
        for each, value in entries.items():
            whole.add(each, value)
        assert root.set_hash == whole.encode()
        provable = {each: value for each, value in entries.items() if is_provable(each)}
        assert root.map_root == update_map(NoPages(), provable).root
        verify_presence(root.map_root, key, entries[key], proof)
        engine = Engine(stores.blocks, stores.state, KEY)
        messages = list(islice(detail_transactions(ACCOUNTS), 3))
        batches = engine.check(messages, TimeWindow(now_ms=START_MS))
        receipts = engine.finalize(START_MS, batches).receipts
        assert {receipt.verdict for receipt in receipts} == {Verdict.COMMITTED}


def test_transactions_in_bulk_are_a_chain(tmp_path: Path) -> None:
    make_ledger(tmp_path)
    add_accounts(tmp_path, ACCOUNTS)
    add_transactions(tmp_path, 20, accounts=ACCOUNTS, block=10)
    with LedgerStores(tmp_path) as stores, stores.state.snapshot() as view:
        assert (view.height(), stores.replayed_blocks) == (3, 0)
        assert view.count_transactions() == 21
