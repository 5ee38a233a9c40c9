"""The engine: what it decides, what it writes and when, and how it comes back after a loss."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.batches import lone, set_meta
from support.ledger_stores import NOW_MS, WINDOW, LedgerStores, opened, signed_transaction
from support.memory_ledger import sign_transaction
from support.processes import LedgerFolder, make_ledger_folder

from chaincode.authenticated_map import prove, update_map, verify_presence
from chaincode.blocks import Verdict
from chaincode.errors import InvalidBlockError, InvalidTransactionError
from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.commands_pb2 import AddPeer, Command, RemovePeer
from chaincode.protocol.primitive_pb2 import Peer, Signature
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.set_hash import SetHash
from chaincode.state_root import is_provable, join_roots
from chaincode.transactions import block_hash, transaction_hash
from chaincode.world_state import get_voters, state_key
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import add_signatory, set_account_detail
from node.errors import StorageError
from node.ledger import engine as engine_module
from node.ledger.block_store import BlockStore
from node.ledger.engine import Engine
from node.ledger.genesis import ADMIN_ACCOUNT

AN_ACCOUNT = state_key(b"account", ADMIN_ACCOUNT)
ChainChange = Callable[[list[Block], LedgerFolder], list[Block]]


class NoPages:
    """A map without entries."""

    def get_page(self, prefix: str) -> None:
        """Return no page."""


@pytest.fixture
def folder(tmp_path: Path) -> LedgerFolder:
    return make_ledger_folder(tmp_path / "node")


@pytest.fixture
def ledger(folder: LedgerFolder) -> Iterator[LedgerStores]:
    with opened(folder) as stores:
        yield stores


def add_peer(key: AccountKey, *, syncing: bool = False) -> Command:
    peer = Peer(address="127.0.0.1:10002", peer_key=key.public_key, syncing_peer=syncing)
    return Command(add_peer=AddPeer(peer=peer))


# check


def test_check_returns_the_transaction_with_its_hash_and_signers(ledger: LedgerStores) -> None:
    message = ledger.admin_transaction(set_account_detail(ADMIN_ACCOUNT, "a", "1"))
    transaction = ledger.check(message)
    assert transaction.message == message
    assert transaction.signatories == {ledger.folder.admin_key.public_key}
    assert transaction.creator == ADMIN_ACCOUNT


def test_a_decided_transaction_is_fit_but_does_nothing(ledger: LedgerStores) -> None:
    """A list must not fail because one of its transactions was decided in the meantime."""
    transaction = ledger.detail("a", "1")
    ledger.add_block(transaction)
    again = ledger.check(transaction.message)
    candidate = ledger.engine.finalize(NOW_MS, lone(again))
    assert [receipt.verdict for receipt in candidate.receipts] == [Verdict.REPLAYED]
    assert candidate.changes == {}


def test_check_refuses_what_is_not_well_formed(ledger: LedgerStores) -> None:
    message = ledger.admin_transaction(set_account_detail(ADMIN_ACCOUNT, "no spaces", "1"))
    with pytest.raises(InvalidTransactionError, match=r"SetAccountDetail: .*DetailKey: "):
        ledger.engine.check([message], WINDOW)


def test_a_node_that_orders_alone_takes_no_other_voter(ledger: LedgerStores) -> None:
    """It could never have the blocks after it accepted again."""
    other = AccountKey.generate()
    own = ledger.folder.node_key.public_key
    detail = set_account_detail(ADMIN_ACCOUNT, "a", "1")
    removed = Command(remove_peer=RemovePeer(public_key=own))
    come_and_gone = Command(remove_peer=RemovePeer(public_key=other.public_key))
    for commands, name, index, code in (
        ([detail, add_peer(other)], "AddPeer", 1, 1),
        ([add_peer(other, syncing=True), add_peer(other), removed], "AddPeer", 1, 1),
        ([removed], "RemovePeer", 0, 4),
        ([add_peer(other), come_and_gone], "", 0, 0),
        ([add_peer(other, syncing=True)], "", 0, 0),
    ):
        message = ledger.admin_transaction(*commands)
        candidate = ledger.engine.finalize(NOW_MS, ledger.engine.check([message], WINDOW))
        ledger.engine.commit(candidate)
        (receipt,) = candidate.receipts
        found = (receipt.command_name, receipt.command_index, receipt.code)
        assert found == (name, index, code), receipt
        with ledger.state.snapshot() as view:
            assert get_voters(view) == {own}


def test_a_syncing_peer_can_come_and_go_and_the_chain_still_replays(folder: LedgerFolder) -> None:
    follower = AccountKey.generate()
    with opened(folder) as ledger:
        for command in (
            add_peer(follower, syncing=True),
            Command(remove_peer=RemovePeer(public_key=follower.public_key)),
        ):
            message = ledger.admin_transaction(command)
            candidate = ledger.add_block(ledger.check(message))
            assert [receipt.verdict for receipt in candidate.receipts] == [Verdict.COMMITTED]
            ledger.add_details(1)
        tip = ledger.tip()
    (folder.path / "data" / "state.sqlite").unlink()
    with opened(folder) as ledger:
        assert ledger.tip() == tip


# propose


def test_propose_takes_all_that_fit_in_order(ledger: LedgerStores) -> None:
    waiting = lone(*(ledger.detail(f"key_{n}", "x") for n in range(5)))
    assert ledger.engine.propose(waiting) == waiting
    assert ledger.engine.propose([]) == []


def test_propose_stops_at_the_blocks_fill(
    ledger: LedgerStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = lone(*(ledger.detail(f"key_{n}", "x") for n in range(5)))
    size = waiting[0].size_bytes
    for limit, count in ((3 * size, 3), (3 * size - 1, 2), (1, 1)):
        monkeypatch.setattr(engine_module, "MAX_BLOCK_BYTES", limit)
        assert ledger.engine.propose(waiting) == waiting[:count]
    monkeypatch.undo()
    monkeypatch.setattr(engine_module, "FULL_BLOCK_TRANSACTIONS", 4)
    assert ledger.engine.propose(waiting) == waiting[:4]


# finalize, commit, tip


def files_of(ledger: LedgerStores) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in ledger.data.iterdir()
        if path.suffix != ".sqlite-shm"
    }


def test_finalize_writes_nothing_and_commit_writes_it(ledger: LedgerStores) -> None:
    before, tip = files_of(ledger), ledger.tip()
    candidate = ledger.engine.finalize(NOW_MS, lone(ledger.detail("a", "1"), ledger.forbidden("b")))
    assert files_of(ledger) == before
    assert ledger.tip() == tip

    ledger.engine.commit(candidate)
    after = ledger.tip()
    assert (after.height, after.time_ms) == (2, NOW_MS)
    assert after.block_hash == block_hash(candidate.block)
    with ledger.state.snapshot() as view:
        assert view.block_at(2) == candidate.block
        assert [view.decision(receipt.tx_hash) for receipt in candidate.receipts] == [True, False]
        hashes = [receipt.tx_hash for receipt in candidate.receipts[:2]]
        found = [transaction_hash(message) for message in view.transactions(hashes)]
    assert found == hashes[:1]


def test_a_transaction_is_read_without_its_block(
    ledger: LedgerStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = [
        ledger.add_block(*(ledger.detail(f"k{n}_{place}", "v") for place in range(3)))
        for n in range(2)
    ]
    expected = [
        message for candidate in blocks for message in candidate.block.block_v1.payload.transactions
    ]
    hashes = [transaction_hash(message) for message in expected]
    monkeypatch.delattr(BlockStore, "read")
    with ledger.state.snapshot() as view:
        assert list(view.transactions([*reversed(hashes), bytes(32)])) == expected


def test_the_block_says_what_became_of_each_transaction(ledger: LedgerStores) -> None:
    good, bad = ledger.detail("a", "1"), ledger.forbidden("b")
    candidate = ledger.add_block(bad, good, good)
    assert [receipt.verdict for receipt in candidate.receipts] == [
        Verdict.REJECTED,
        Verdict.COMMITTED,
        Verdict.REPLAYED,
    ]
    payload = candidate.block.block_v1.payload
    assert list(payload.transactions) == [good.message]
    assert list(payload.rejected_transactions_hashes) == [bad.hash.hex()]
    again = ledger.engine.finalize(NOW_MS, lone(good, bad))
    assert {receipt.verdict for receipt in again.receipts} == {Verdict.REPLAYED}


def test_block_times_always_rise(ledger: LedgerStores) -> None:
    times = []
    for clock in (NOW_MS, NOW_MS, NOW_MS - 5000, 0, NOW_MS + 10):
        ledger.add_block(ledger.detail(f"at_{len(times)}", "x"), time_ms=clock)
        times.append(ledger.tip().time_ms)
    assert times == [NOW_MS, NOW_MS + 1, NOW_MS + 2, NOW_MS + 3, NOW_MS + 10]


def test_the_root_is_the_hash_of_all_entries(ledger: LedgerStores) -> None:
    ledger.add_details(5)
    ledger.add_block(ledger.detail("height_3", "changed"))
    with ledger.state.snapshot() as view:
        entries = dict(view.scan(b""))
        root = view.tip().state_root
        proof = prove(view, AN_ACCOUNT)
    whole = SetHash()
    for key, value in entries.items():
        whole.add(key, value)
    assert root.set_hash == whole.encode()
    provable = {key: value for key, value in entries.items() if is_provable(key)}
    assert root.map_root == update_map(NoPages(), provable).root
    verify_presence(root.map_root, AN_ACCOUNT, entries[AN_ACCOUNT], proof)
    assert ledger.tip().root == join_roots(whole.digest(), root.map_root)


def test_only_provable_entries_touch_the_map(ledger: LedgerStores) -> None:
    assert ledger.add_block(ledger.detail("a", "1")).root.pages == {}
    key = AccountKey.generate()
    message = ledger.admin_transaction(add_signatory(ADMIN_ACCOUNT, key.public_key))
    before = ledger.tip().state_root.map_root
    assert ledger.add_block(ledger.check(message)).root.pages != {}
    assert ledger.tip().state_root.map_root != before


def test_the_same_transactions_give_the_same_root_whatever_the_blocks(tmp_path: Path) -> None:
    first = make_ledger_folder(tmp_path / "a")
    shutil.copytree(first.path, tmp_path / "b")
    second = LedgerFolder(
        path=tmp_path / "b",
        node_key=first.node_key,
        admin_key=first.admin_key,
        registry_key=first.registry_key,
    )
    with opened(first) as one, opened(second) as other:
        transactions = [one.detail(f"k{n % 3}", str(n)) for n in range(6)]
        one.add_block(*transactions)
        for transaction in transactions:
            other.add_block(transaction)
        assert one.tip().root == other.tip().root
        assert one.tip().height != other.tip().height


def test_a_damaged_page_of_the_map_is_named(ledger: LedgerStores) -> None:
    with sqlite3.connect(ledger.data / "state.sqlite") as connection:
        connection.execute("UPDATE map_page SET page = substr(page, 1, length(page) - 1)")
    connection.close()
    command = add_signatory(ADMIN_ACCOUNT, AccountKey.generate().public_key)
    transaction = ledger.check(ledger.admin_transaction(command))
    with pytest.raises(StorageError, match=r"is cut; move state\.sqlite away"):
        ledger.engine.finalize(NOW_MS, lone(transaction))


# recovery


@pytest.mark.parametrize("lost", ["state.sqlite", "its last blocks"])
def test_a_lost_state_is_rebuilt_from_the_blocks(folder: LedgerFolder, lost: str) -> None:
    state = folder.path / "data" / "state.sqlite"
    with opened(folder) as ledger:
        ledger.add_details(3)
    if lost != "state.sqlite":
        shutil.copy(state, folder.path / "older.sqlite")
    with opened(folder) as ledger:
        ledger.add_details(2)
        ledger.add_block(ledger.forbidden("x"), ledger.detail("y", "1"))
        tip = ledger.tip()
        with ledger.state.snapshot() as view:
            content = view.content_hash()
    state.unlink()
    if lost != "state.sqlite":
        shutil.copy(folder.path / "older.sqlite", state)
    with opened(folder) as ledger:
        assert ledger.replayed == (7 if lost == "state.sqlite" else 3)
        assert ledger.tip() == tip
        with ledger.state.snapshot() as view:
            assert view.content_hash() == content
        ledger.add_details(1)


def test_a_chain_with_atomic_batches_of_equal_meta_replays(folder: LedgerFolder) -> None:
    with opened(folder) as ledger:
        message = ledger.admin_transaction(set_account_detail(ADMIN_ACCOUNT, "a", "1"))
        upper = Transaction()
        set_meta(message)
        upper.CopyFrom(message)
        upper.payload.batch.reduced_hashes[0] = upper.payload.batch.reduced_hashes[0].upper()
        for each in (message, upper):
            del each.signatures[:]
            sign_transaction(each, folder.admin_key)
        ledger.add_block(ledger.check(message), ledger.check(upper))
        tip = ledger.tip()
    (folder.path / "data" / "state.sqlite").unlink()
    with opened(folder) as ledger:
        assert ledger.tip() == tip


def test_a_block_that_was_synced_but_not_applied_is_applied(folder: LedgerFolder) -> None:
    with opened(folder) as ledger:
        candidate = ledger.engine.finalize(NOW_MS, lone(ledger.detail("a", "1")))
        ledger.blocks.append(candidate.block)
    with opened(folder) as ledger:
        assert ledger.replayed == 1
        assert ledger.tip().block_hash == block_hash(candidate.block)


def test_a_state_that_is_ahead_of_the_blocks_is_refused(folder: LedgerFolder) -> None:
    """The block file came from an older backup: to go on would fork the ledger."""
    blocks = folder.path / "data" / "blocks"
    with opened(folder) as ledger:
        ledger.add_details(1)
        older = blocks.read_bytes()
        ledger.add_details(1)
    blocks.write_bytes(older)
    with pytest.raises(StorageError, match="shorter than the state"):
        LedgerStores(folder)


def rewrite_chain(folder: LedgerFolder, change: ChainChange) -> None:
    """Change the blocks of a chain, write them to a new file, and take the state away."""
    blocks_file = folder.path / "data" / "blocks"
    store = BlockStore(blocks_file)
    chain = [block for _, _, block in store.recover(store.start)]
    store.close()
    blocks_file.unlink()
    (folder.path / "data" / "state.sqlite").unlink()
    store = BlockStore(blocks_file)
    for block in change(chain, folder):
        store.append(block)
    store.close()


def sign_again(block: Block, key: AccountKey) -> None:
    del block.block_v1.signatures[:]
    signature = key.sign(block.block_v1.payload.SerializeToString())
    block.block_v1.signatures.append(Signature(public_key=key.public_key, signature=signature))


def changed_byte(chain: list[Block], folder: LedgerFolder) -> list[Block]:
    reduced = chain[2].block_v1.payload.transactions[0].payload.reduced_payload
    reduced.commands[0].set_account_detail.value = "4"
    return chain


def foreign_signature(chain: list[Block], folder: LedgerFolder) -> list[Block]:
    sign_again(chain[2], AccountKey.generate())
    return chain


def no_signature(chain: list[Block], folder: LedgerFolder) -> list[Block]:
    del chain[2].block_v1.signatures[:]
    return chain


def wrong_link(chain: list[Block], folder: LedgerFolder) -> list[Block]:
    chain[2].block_v1.payload.prev_block_hash = "00" * 32
    sign_again(chain[2], folder.node_key)
    return chain


def left_out(chain: list[Block], folder: LedgerFolder) -> list[Block]:
    return [*chain[:2], *chain[3:]]


def twice(chain: list[Block], folder: LedgerFolder) -> list[Block]:
    return [*chain[:3], chain[2], *chain[3:]]


def forged_transaction(chain: list[Block], folder: LedgerFolder) -> list[Block]:
    """The peer itself changes what an account wrote, and signs its block."""
    changed_byte(chain, folder)
    sign_again(chain[2], folder.node_key)
    return chain[:3]


def failing_transaction(chain: list[Block], folder: LedgerFolder) -> list[Block]:
    """The peer writes a transaction as committed that the rules reject."""
    forbidden = signed_transaction(
        set_account_detail(REGISTRY_ACCOUNT, "a", "1"), creator=ADMIN_ACCOUNT, key=folder.admin_key
    )
    chain[2].block_v1.payload.transactions.append(forbidden)
    sign_again(chain[2], folder.node_key)
    return chain[:3]


def repeated_transaction(chain: list[Block], folder: LedgerFolder) -> list[Block]:
    """The peer writes a transaction a second time."""
    repeated = chain[1].block_v1.payload.transactions[0]
    chain[2].block_v1.payload.transactions.append(repeated)
    sign_again(chain[2], folder.node_key)
    return chain[:3]


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (changed_byte, "Bad signature."),
        (foreign_signature, "signed by a key that is no peer's"),
        (no_signature, "0 of 1 peers signed it"),
        (wrong_link, "its previous hash names another block"),
        (left_out, "height 4 where 3 is due"),
        (twice, "height 3 where 4 is due"),
        (forged_transaction, "Bad signature."),
        (failing_transaction, "is in it, but fails: no permission"),
        (repeated_transaction, "is in it, but"),
    ],
)
def test_a_forged_chain_is_refused(folder: LedgerFolder, change: ChainChange, refusal: str) -> None:
    with opened(folder) as ledger:
        ledger.add_details(4)
    rewrite_chain(folder, change)
    with pytest.raises(InvalidBlockError, match=refusal):
        LedgerStores(folder)


def test_an_unchanged_chain_written_anew_is_accepted(folder: LedgerFolder) -> None:
    """The forgeries above fail for what they change, not for how the test writes them."""
    with opened(folder) as ledger:
        ledger.add_details(4)
        tip = ledger.tip()
    rewrite_chain(folder, lambda chain, _: chain)
    with opened(folder) as ledger:
        assert (ledger.tip(), ledger.replayed) == (tip, 5)


def test_a_chain_of_another_ledger_is_refused(folder: LedgerFolder, tmp_path: Path) -> None:
    other = make_ledger_folder(tmp_path / "other")
    with opened(folder) as ledger, opened(other) as foreign:
        foreign.add_details(1)
        with foreign.state.snapshot() as view:
            block = view.block_at(2)
        assert block is not None
        ledger.blocks.append(block)
    with pytest.raises(InvalidBlockError):
        LedgerStores(folder)


def test_an_engine_needs_no_more_than_the_key_to_sign(folder: LedgerFolder) -> None:
    with opened(folder) as ledger:
        engine = Engine(ledger.blocks, ledger.state, folder.node_key)
        candidate = engine.finalize(NOW_MS, lone(ledger.detail("a", "1")))
    assert [s.public_key for s in candidate.block.block_v1.signatures] == [
        folder.node_key.public_key
    ]
