"""Collecting signatures in a running node: statuses, readers, strangers, expiry and restarts."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from support.batches import ORDERED, batch_of, set_meta
from support.memory_ledger import sign_transaction
from support.processes import LedgerFolder, NodeProcess, make_ledger_folder
from support.torii_gate import Gate, code_of, names_of, sign_query

from chaincode.multisignature import PendingLimits
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxStatus
from chaincode.protocol.qry_responses_pb2 import ErrorResponse, QueryResponse
from chaincode.protocol.queries_pb2 import GetPendingTransactions, Query, TxPaginationMeta
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.transactions import transaction_hash
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import (
    add_signatory,
    create_account,
    remove_signatory,
    set_account_detail,
    set_account_quorum,
)
from node.errors import StorageError
from node.ledger.daemon import LedgerNode, now_ms
from node.ledger.pending_store import PendingStore

PAIR, ALONE = "pair@holder", "alone@holder"
MINUTE_MS = 60_000


class Parties:
    """A running node, the account `pair` with two keys and quorum 2, and `alone` with one key."""

    def __init__(self, address: str, folder: LedgerFolder, *, new: bool = True) -> None:
        self.gate = Gate(address)
        self.first, self.second, self.alone, self.stranger = (
            AccountKey(bytes([number]) * 32) for number in range(1, 5)
        )
        self._created_ms = now_ms()
        if new:
            with folder.admin(address) as admin:
                admin.submit(create_account(PAIR, self.first.public_key))
                admin.submit(create_account(ALONE, self.alone.public_key))
            self.commit(
                self.signed(
                    self.first,
                    add_signatory(PAIR, self.second.public_key),
                    set_account_quorum(PAIR, 2),
                    quorum=1,
                )
            )

    def draft(
        self,
        *commands: Command,
        creator: str = PAIR,
        quorum: int = 2,
        created_ms: int | None = None,
    ) -> Transaction:
        message = Transaction()
        reduced = message.payload.reduced_payload
        reduced.commands.extend(commands or [set_account_detail(creator, "k", "v")])
        reduced.creator_account_id = creator
        self._created_ms += 1
        reduced.created_time = created_ms or self._created_ms
        reduced.quorum = quorum
        return message

    def signed(self, key: AccountKey, *commands: Command, quorum: int = 2) -> Transaction:
        message = self.draft(*commands, quorum=quorum)
        sign_transaction(message, key)
        return message

    def commit(self, message: Transaction) -> None:
        self.gate.send(message)
        assert self.gate.statuses(message)[-1].tx_status == TxStatus.COMMITTED

    def pending(
        self, key: AccountKey | None = None, creator: str = PAIR, **page: object
    ) -> QueryResponse:
        query = GetPendingTransactions()
        if page:
            query.pagination_meta.CopyFrom(TxPaginationMeta(**page))
        payload = Query.Payload(get_pending_transactions=query)
        return self.gate.find(sign_query(payload, key or self.first, creator=creator))

    def page(self, **page: object) -> list[str]:
        """Return the hashes of one page of what waits for the pair."""
        response = self.pending(**page).pending_transactions_page_response
        return [hash_of(message) for message in response.transactions]


def copy_of(message: Transaction, *keys: AccountKey) -> Transaction:
    """Return the same payload, signed by these keys."""
    copy = Transaction(payload=message.payload)
    sign_transaction(copy, *keys)
    return copy


def hash_of(message: Transaction) -> str:
    return transaction_hash(message).hex()


@pytest.fixture
def folder(tmp_path: Path) -> LedgerFolder:
    return make_ledger_folder(tmp_path / "node")


@pytest.fixture
def parties(folder: LedgerFolder) -> Iterator[Parties]:
    with LedgerNode.in_folder(folder.path) as node:
        parties = Parties(node.address, folder)
        yield parties
        parties.gate.close()


def heard(stream: Iterator[ToriiResponse], *until: str) -> list[str]:
    """Read a stream up to one of these statuses."""
    names = []
    for response in stream:
        names.append(TxStatus.Name(response.tx_status))
        if names[-1] in until:
            break
    return names


# Statuses: those that irohad was recorded to tell.


def test_a_transaction_waits_for_its_second_signature(parties: Parties) -> None:
    message = parties.signed(parties.first)
    stream = parties.gate.open_stream(hash_of(message))
    assert next(stream).tx_status == TxStatus.NOT_RECEIVED
    parties.gate.send(message)
    assert heard(stream, "MST_PENDING") == ["STATELESS_VALIDATION_SUCCESS", "MST_PENDING"]
    assert parties.gate.status(message).tx_status == TxStatus.MST_PENDING

    parties.gate.send(message)
    assert heard(stream, "STATELESS_VALIDATION_SUCCESS") == ["STATELESS_VALIDATION_SUCCESS"]
    assert parties.gate.status(message).tx_status == TxStatus.MST_PENDING

    late = parties.gate.open_stream(hash_of(message))
    assert next(late).tx_status == TxStatus.MST_PENDING  # Now it is open.
    parties.gate.send(copy_of(message, parties.second))
    rest = [
        "STATELESS_VALIDATION_SUCCESS",
        "ENOUGH_SIGNATURES_COLLECTED",
        "STATEFUL_VALIDATION_SUCCESS",
        "COMMITTED",
    ]
    assert heard(stream, "COMMITTED") == rest
    assert names_of(list(late))[-3:] == rest[-3:]


def test_both_signatures_at_once_do_not_wait(parties: Parties) -> None:
    message = copy_of(parties.draft(), parties.first, parties.second)
    stream = parties.gate.open_stream(hash_of(message))
    next(stream)
    parties.gate.send(message)
    assert "MST_PENDING" not in heard(stream, "COMMITTED")


def test_a_batch_waits_for_each_of_its_transactions(parties: Parties) -> None:
    drafts = [parties.draft(), parties.draft(creator=ALONE, quorum=1)]
    set_meta(*drafts)
    parties.gate.send_list(copy_of(drafts[0], parties.first), copy_of(drafts[1]))
    for draft in drafts:
        assert parties.gate.status(draft).tx_status == TxStatus.MST_PENDING
    # Each account sends the whole batch with its own signatures.
    parties.gate.send_list(copy_of(drafts[0]), copy_of(drafts[1], parties.alone))
    assert parties.gate.status(drafts[0]).tx_status == TxStatus.MST_PENDING
    parties.gate.send_list(copy_of(drafts[0], parties.second), copy_of(drafts[1]))
    for draft in drafts:
        assert parties.gate.statuses(draft)[-1].tx_status == TxStatus.COMMITTED


def test_two_halves_in_one_list_make_a_whole(parties: Parties) -> None:
    message = parties.signed(parties.first)
    parties.gate.send_list(message, copy_of(message, parties.second))
    assert parties.gate.statuses(message)[-1].tx_status == TxStatus.COMMITTED


@pytest.mark.parametrize(
    "signers", [("first", "stranger"), ("stranger", "alone")], ids=["one", "none"]
)
def test_a_complete_transaction_with_a_foreign_signature_is_rejected(
    parties: Parties, signers: tuple[str, str]
) -> None:
    message = copy_of(parties.draft(), *(getattr(parties, name) for name in signers))
    parties.gate.send(message)
    reason, final = parties.gate.statuses(message)[-2:]
    assert names_of([reason, final]) == ["STATEFUL_VALIDATION_FAILED", "REJECTED"]
    assert (reason.err_or_cmd_name, reason.error_code) == ("signatures validation", 2)


def test_a_quorum_below_the_accounts_is_rejected(parties: Parties) -> None:
    message = parties.signed(parties.first, quorum=1)
    parties.gate.send(message)
    assert parties.gate.statuses(message)[-2].err_or_cmd_name == "signatures validation"


# Strangers


def test_a_stranger_can_neither_complete_nor_spoil_what_waits(parties: Parties) -> None:
    message = parties.signed(parties.first)
    parties.gate.send(message)
    with pytest.raises(grpc.RpcError) as caught:
        parties.gate.send(copy_of(message, parties.stranger, parties.alone))
    assert code_of(caught.value) == grpc.StatusCode.PERMISSION_DENIED
    assert "no signature is by a signatory" in caught.value.details()
    parties.gate.send(copy_of(message, parties.first, parties.stranger))
    (waiting,) = parties.pending().transactions_response.transactions
    assert [each.public_key for each in waiting.signatures] == [parties.first.public_key]
    assert parties.gate.status(message).tx_status == TxStatus.MST_PENDING
    parties.gate.send(copy_of(message, parties.second))
    assert parties.gate.statuses(message)[-1].tx_status == TxStatus.COMMITTED


def test_what_only_a_stranger_signed_is_refused_and_the_rest_of_the_list_is_taken(
    parties: Parties,
) -> None:
    foreign = copy_of(parties.draft(), parties.stranger)
    mine, lone = parties.signed(parties.first), parties.draft(creator=ALONE, quorum=1)
    with pytest.raises(grpc.RpcError) as caught:
        parties.gate.send_list(mine, foreign, copy_of(lone, parties.alone))
    assert code_of(caught.value) == grpc.StatusCode.PERMISSION_DENIED
    assert parties.gate.status(foreign).tx_status == TxStatus.NOT_RECEIVED
    assert parties.gate.status(mine).tx_status == TxStatus.MST_PENDING
    assert parties.gate.statuses(lone)[-1].tx_status == TxStatus.COMMITTED


def test_too_much_of_one_account_is_refused(
    folder: LedgerFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = PendingLimits(batches_of_account=2)
    monkeypatch.setattr("node.ledger.signature_collector.LIMITS", limits)
    with LedgerNode.in_folder(folder.path) as node:
        parties = Parties(node.address, folder)
        parties.gate.send(parties.signed(parties.first), parties.signed(parties.first))
        with pytest.raises(grpc.RpcError) as caught:
            parties.gate.send(parties.signed(parties.first))
        assert code_of(caught.value) == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "too many batches of pair@holder" in caught.value.details()
        parties.gate.close()


def test_a_key_that_was_removed_in_the_meantime_does_not_count(parties: Parties) -> None:
    third = AccountKey.generate()
    change = copy_of(
        parties.draft(add_signatory(PAIR, third.public_key)), parties.first, parties.second
    )
    parties.commit(change)
    message = parties.signed(third)
    parties.gate.send(message)
    removal = parties.draft(remove_signatory(PAIR, third.public_key))
    parties.commit(copy_of(removal, parties.first, parties.second))
    parties.gate.send(copy_of(message, parties.first))
    assert parties.gate.status(message).tx_status == TxStatus.MST_PENDING
    parties.gate.send(copy_of(message, parties.second))
    assert parties.gate.statuses(message)[-1].tx_status == TxStatus.COMMITTED


def test_what_was_decided_does_not_wait_again(parties: Parties) -> None:
    message = parties.signed(parties.first)
    parties.commit(copy_of(message, parties.first, parties.second))
    parties.gate.send(message)
    assert parties.gate.status(message).tx_status == TxStatus.COMMITTED
    assert parties.page(page_size=5) == []


# GetPendingTransactions


def test_what_waits_can_be_read_in_both_forms(parties: Parties) -> None:
    assert parties.pending().WhichOneof("response") == "transactions_response"
    empty = parties.pending(page_size=5)
    assert empty.HasField("pending_transactions_page_response")
    assert empty.pending_transactions_page_response.ByteSize() == 0

    message = parties.signed(parties.first)
    parties.gate.send(message)
    assert list(parties.pending().transactions_response.transactions) == [message]
    page = parties.pending(page_size=5).pending_transactions_page_response
    assert list(page.transactions) == [message]
    assert page.all_transactions_size == 1
    assert not page.HasField("next_batch_info")
    assert parties.pending(parties.alone, ALONE).transactions_response.ByteSize() == 0


def test_pages_never_part_a_batch(parties: Parties) -> None:
    """The numbers are those of a recorded irohad."""
    alone = [parties.signed(parties.first) for _ in range(5)]
    drafts = [parties.draft(), parties.draft(creator=ALONE, quorum=1)]
    set_meta(*drafts, kind=ORDERED)
    parties.gate.send(alone[0])
    parties.gate.send_list(copy_of(drafts[0], parties.first), copy_of(drafts[1], parties.alone))
    parties.gate.send(*alone[1:])
    hashes = [hash_of(each) for each in (alone[0], *drafts, *alone[1:])]

    page = parties.pending(page_size=2).pending_transactions_page_response
    assert [hash_of(each) for each in page.transactions] == hashes[:1]
    assert page.all_transactions_size == 7
    assert page.next_batch_info.first_tx_hash == hashes[1]
    assert page.next_batch_info.batch_size == 2

    page = parties.pending(
        page_size=2, first_tx_hash=hashes[4].upper()
    ).pending_transactions_page_response
    assert [hash_of(each) for each in page.transactions] == hashes[4:6]
    assert page.next_batch_info.first_tx_hash == hashes[6]
    assert page.next_batch_info.batch_size == 1

    assert parties.page(page_size=100) == hashes
    # The other account of the batch finds it whole.
    other = parties.pending(parties.alone, ALONE, page_size=5).pending_transactions_page_response
    assert [hash_of(each) for each in other.transactions] == hashes[1:3]
    assert other.all_transactions_size == 2


def test_a_page_that_begins_with_no_batch_is_code_4(parties: Parties) -> None:
    drafts = [parties.draft(), parties.draft()]
    set_meta(*drafts)
    parties.gate.send_list(copy_of(drafts[0], parties.first), copy_of(drafts[1]))
    for tx_hash in ("00" * 32, hash_of(drafts[1])):
        error = parties.pending(page_size=5, first_tx_hash=tx_hash).error_response
        assert (error.reason, error.error_code) == (ErrorResponse.Reason.STATEFUL_INVALID, 4)
        assert error.message == (
            "The batch with specified first transaction hash not found, the hash: "
            f"Hash: [{tx_hash}]"
        )


def test_a_page_can_be_bounded_by_creation_time(parties: Parties) -> None:
    messages = [parties.signed(parties.first) for _ in range(4)]
    parties.gate.send(*messages)
    times = [each.payload.reduced_payload.created_time for each in messages]

    def at(time_ms: int) -> Timestamp:
        return Timestamp(seconds=time_ms // 1000, nanos=time_ms % 1000 * 1_000_000)

    between = parties.page(page_size=9, first_tx_time=at(times[1]), last_tx_time=at(times[2]))
    assert between == [hash_of(each) for each in messages[1:3]]


# Time


def test_what_waits_too_long_expires(folder: LedgerFolder) -> None:
    with (folder.path / "node.toml").open("a", encoding="utf-8") as file:
        file.write("mst_expiration_minutes = 1\n")
    with LedgerNode.in_folder(folder.path) as node:
        parties = Parties(node.address, folder)
        old_ms = now_ms() - MINUTE_MS + 300
        messages = [
            parties.draft(created_ms=old_ms),
            parties.draft(created_ms=old_ms + MINUTE_MS),
        ]
        for message in messages:
            sign_transaction(message, parties.first)
        stream = parties.gate.open_stream(hash_of(messages[0]))
        parties.gate.send(*messages)
        assert heard(stream, "MST_EXPIRED")[-2:] == ["MST_PENDING", "MST_EXPIRED"]
        assert parties.gate.status(messages[0]).tx_status == TxStatus.MST_EXPIRED
        assert parties.page(page_size=5) == [hash_of(messages[1])]
        parties.gate.close()


def test_what_expired_can_be_sent_again_with_all_signatures(folder: LedgerFolder) -> None:
    with (folder.path / "node.toml").open("a", encoding="utf-8") as file:
        file.write("mst_expiration_minutes = 1\n")
    with LedgerNode.in_folder(folder.path) as node:
        parties = Parties(node.address, folder)
        message = parties.draft(created_ms=now_ms() - 2 * MINUTE_MS)
        sign_transaction(message, parties.first)
        stream = parties.gate.open_stream(hash_of(message))
        parties.gate.send(message)
        assert heard(stream, "MST_EXPIRED")[-1] == "MST_EXPIRED"
        parties.commit(copy_of(message, parties.first, parties.second))
        parties.gate.close()


def test_an_expiry_in_ages_is_no_trouble(folder: LedgerFolder) -> None:
    """irohad's `mst_expiration_time` has 32 bits."""
    with (folder.path / "node.toml").open("a", encoding="utf-8") as file:
        file.write(f"mst_expiration_minutes = {2**63 - 1}\n")
    with LedgerNode.in_folder(folder.path) as node:
        parties = Parties(node.address, folder)
        message = parties.signed(parties.first)
        parties.gate.send(message)
        parties.commit(copy_of(message, parties.second))
        parties.gate.close()


# Restarts


def test_what_waits_outlives_a_restart(folder: LedgerFolder) -> None:
    with LedgerNode.in_folder(folder.path) as node:
        parties = Parties(node.address, folder)
        drafts = [parties.draft(), parties.draft(creator=ALONE, quorum=1)]
        set_meta(*drafts)
        ready, alone = parties.signed(parties.first), parties.signed(parties.second)
        parties.gate.send(ready)
        parties.gate.send_list(copy_of(drafts[0], parties.first), copy_of(drafts[1]))
        parties.gate.send(alone)
        parties.commit(copy_of(ready, parties.second))
        before = parties.page(page_size=9)
        parties.gate.close()
    with LedgerNode.in_folder(folder.path) as node:
        parties = Parties(node.address, folder, new=False)
        assert parties.page(page_size=9) == before
        assert before == [hash_of(each) for each in (*drafts, alone)]
        assert parties.gate.status(alone).tx_status == TxStatus.MST_PENDING
        parties.gate.send_list(
            copy_of(drafts[0], parties.second), copy_of(drafts[1], parties.alone)
        )
        for draft in drafts:
            assert parties.gate.statuses(draft)[-1].tx_status == TxStatus.COMMITTED
        parties.gate.close()


def test_what_waits_outlives_a_kill(folder: LedgerFolder) -> None:
    with NodeProcess(folder.path) as process:
        process.wait_for_log("ledger node ready")
        parties = Parties(process.address, folder)
        message = parties.signed(parties.first)
        parties.gate.send(message)
        parties.gate.close()
        process.kill()
    with LedgerNode.in_folder(folder.path) as node:
        parties = Parties(node.address, folder, new=False)
        assert parties.page(page_size=9) == [hash_of(message)]
        parties.commit(copy_of(message, parties.second))
        parties.gate.close()


def test_what_was_ready_but_not_decided_is_decided_at_the_next_start(
    folder: LedgerFolder,
) -> None:
    """A crash between the last signature and the block loses no signature."""
    with LedgerNode.in_folder(folder.path) as node:
        parties = Parties(node.address, folder)
        message = parties.signed(parties.first)
        decided = parties.signed(parties.first)
        parties.commit(copy_of(decided, parties.first, parties.second))
        parties.gate.close()
    store = PendingStore(folder.path / "data" / "pending.sqlite")
    for each in (message, decided):
        store.save(batch_of([copy_of(each, parties.first, parties.second)]))
    store.close()
    with LedgerNode.in_folder(folder.path) as node:
        parties = Parties(node.address, folder, new=False)
        assert parties.gate.statuses(message)[-1].tx_status == TxStatus.COMMITTED
        assert parties.page(page_size=9) == []
        parties.gate.close()
    store = PendingStore(folder.path / "data" / "pending.sqlite")
    assert store.load() == []
    store.close()


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "pending.sqlite"
    path.write_bytes(b"no database at all, but long enough for one" * 100)
    with pytest.raises(StorageError, match="move the file away"):
        PendingStore(path)
    with pytest.raises(StorageError, match="move the file away"):
        PendingStore(tmp_path)
    path.unlink()
    store = PendingStore(path)
    assert path.stat().st_mode & 0o077 == 0
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO pending (batch_hash, batch) VALUES (x'00', x'ff')")
    connection.close()
    store = PendingStore(path)
    with pytest.raises(StorageError, match="a stored batch"):
        store.load()
    store.close()
