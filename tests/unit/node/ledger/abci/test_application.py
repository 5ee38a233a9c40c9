"""The application as CometBFT calls it: what is taken, proposed, decided and kept."""

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from support.abci_driver import (
    ADMIN_KEY,
    GENESIS,
    HOUR_MS,
    PEER_KEY,
    SECOND_KEY,
    START_MS,
    STRANGER_KEY,
    AbciDriver,
    encoded,
    forbidden,
    half,
    transaction,
    two_keys,
    write,
)

from chaincode import multisignature, transition
from chaincode.errors import UnknownSignatoryError
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.commands_pb2 import AddPeer, Command
from chaincode.protocol.endpoint_pb2 import TxStatus
from chaincode.protocol.primitive_pb2 import Peer
from chaincode.protocol.proofs_pb2 import Replication
from chaincode.protocol.replication_pb2 import BatchResult
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.replication import MAX_BATCH_BYTES, BatchCode
from chaincode.rules.scope import Scope
from chaincode.signatures import KeyAlgorithm
from chaincode.transactions import transaction_hash
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import add_signatory, remove_signatory, set_account_detail
from node.errors import ConfigError, HaltError, ReplicationError, RulesFaultError, StorageError
from node.ledger import stranger_guard
from node.ledger.abci import application, batch_decoder, replicated_ledger
from node.ledger.abci.abci_pb2 import Request, ResponseProcessProposal
from node.ledger.engine import MAX_BLOCK_TRANSACTIONS
from node.ledger.genesis import ADMIN_ACCOUNT
from node.ledger.state_store import StateStore
from node.ledger.stores import LedgerStores


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[AbciDriver]:
    peer = AbciDriver(tmp_path / "peer")
    yield peer
    peer.close()


def detail(peer: AbciDriver, key: str) -> bytes | None:
    with peer.stores.state.snapshot() as view:
        return view.get(f"detail\0{ADMIN_ACCOUNT}\0{ADMIN_ACCOUNT}\0{key}".encode())


def last_status(peer: AbciDriver, message: Transaction) -> str | None:
    told = peer.statuses.newest(transaction_hash(message))
    return None if told is None else TxStatus.Name(told.status)


def pending_count(peer: AbciDriver) -> int:
    return peer.ledger.counts()[0]


# Beginning


def test_the_chain_begins_with_the_ledgers_peers_and_state(peer: AbciDriver) -> None:
    begun = peer.init_chain()
    (validator,) = begun.validators
    assert (validator.pub_key.ed25519, validator.power) == (PEER_KEY.raw_public_key, 1)
    assert peer.info() == (0, begun.app_hash)
    assert peer.decide().app_hash == begun.app_hash


def test_cometbft_that_is_restarted_at_its_first_block_begins_at_the_same_height(
    peer: AbciDriver,
) -> None:
    for _ in range(2):
        peer.init_chain(initial_height=6)
        peer.height = 5
        peer.finalize()
    peer.commit()
    assert peer.ledger.position.header_height == 6


def test_a_crash_in_the_first_block_leaves_it_to_cometbft(
    peer: AbciDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in the block file alone is no block of a node that ordered alone before."""
    data, other = write("a"), AbciDriver(tmp_path / "other")
    for each in (peer, other):
        each.init_chain()
    expected = peer.decide(data)
    other.finalize(data)
    with monkeypatch.context() as broken:
        broken.setattr(StateStore, "commit", crash)
        with pytest.raises(KeyboardInterrupt):
            other.commit()
    other.close()
    other = AbciDriver(tmp_path / "other")
    other.init_chain()
    assert other.decide(data) == expected
    other.close()


def crash(*_: object) -> None:
    raise KeyboardInterrupt


def test_the_chain_of_another_ledger_is_refused(peer: AbciDriver) -> None:
    with pytest.raises(ReplicationError, match="is of chain tegata-other"):
        peer.init_chain("tegata-other")


def test_a_peer_that_cannot_sign_for_cometbft_is_no_beginning(tmp_path: Path) -> None:
    genesis = with_peer(AccountKey(bytes(32), KeyAlgorithm.ED25519_SHA3))
    peer = AbciDriver(tmp_path / "peer", genesis=genesis)
    with peer.stores.state.snapshot() as view:
        name = f"tegata-{(view.ledger_id() or '')[:32]}"
    with pytest.raises(ReplicationError, match="needs an ed0120 key"):
        peer.init_chain(name)
    peer.close()


def with_peer(key: AccountKey) -> Block:
    """Return the genesis block with one more peer that votes."""
    genesis = Block()
    genesis.CopyFrom(GENESIS)
    reduced = genesis.block_v1.payload.transactions[0].payload.reduced_payload
    added = Peer(address="127.0.0.1:10002", peer_key=key.public_key)
    reduced.commands.append(Command(add_peer=AddPeer(peer=added)))
    return genesis


def test_a_request_that_is_not_known_ends_the_node(peer: AbciDriver) -> None:
    request = Request()
    request.extend_vote.SetInParent()
    with pytest.raises(ReplicationError, match="extend_vote"):
        peer.application.answer(request)
    with pytest.raises(ReplicationError, match="what this version does not know"):
        peer.application.answer(Request())


def test_a_commit_of_nothing_is_refused(peer: AbciDriver) -> None:
    with pytest.raises(ReplicationError, match="did not have decided"):
        peer.commit()


# Deciding


def test_a_block_without_work_makes_no_block_of_the_ledger(peer: AbciDriver) -> None:
    before = peer.info()[1]
    peer.decide()
    assert peer.info() == (1, before)
    assert peer.stores.tip().height == 1


def test_receipts_are_in_the_result_that_the_next_header_commits_to(peer: AbciDriver) -> None:
    committed, rejected = peer.decide(write("a"), forbidden()).tx_results
    assert (committed.code, rejected.code) == (BatchCode.COMMITTED, BatchCode.REJECTED)
    (status,) = BatchResult.FromString(committed.data).statuses
    assert status.tx_status == TxStatus.COMMITTED
    (status,) = BatchResult.FromString(rejected.data).statuses
    assert status.tx_status == TxStatus.STATEFUL_VALIDATION_FAILED
    assert (status.err_or_cmd_name, status.error_code) == ("SetAccountDetail", 2)
    assert (detail(peer, "a"), peer.stores.tip().height) == (b"v", 2)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff",
        b"",
        encoded(),
        encoded(transaction(set_account_detail(ADMIN_ACCOUNT, "bad key", "v"))),
        encoded(transaction(set_account_detail(ADMIN_ACCOUNT, "k", "v"), keys=())),
        write("a") + write("b"),
    ],
    ids=["no message", "no bytes", "no transaction", "malformed", "unsigned", "two batches"],
)
def test_what_is_no_batch_gets_a_code_and_no_block(peer: AbciDriver, data: bytes) -> None:
    assert peer.check(data) == BatchCode.REFUSED
    (result,) = peer.decide(data).tx_results
    assert (result.code, result.data) == (BatchCode.REFUSED, b"")
    assert peer.stores.tip().height == 1


def test_what_was_decided_is_not_decided_again(peer: AbciDriver) -> None:
    data = write("a")
    first, second = peer.decide(data, data).tx_results
    assert (first.code, second.code) == (BatchCode.COMMITTED, BatchCode.REPLAYED)
    app_hash = peer.info()[1]
    assert [result.code for result in peer.decide(data).tx_results] == [BatchCode.REPLAYED]
    assert peer.info() == (2, app_hash)
    assert peer.check(data) == BatchCode.REPLAYED


def test_times_are_those_of_headers_and_grow(peer: AbciDriver) -> None:
    peer.decide(write("a"), time_ms=START_MS + 5)
    assert peer.stores.tip().time_ms == START_MS + 5
    peer.decide(write("b"), time_ms=START_MS + 5)
    assert peer.stores.tip().time_ms == START_MS + 6


def test_what_was_not_committed_is_not_there_after_a_crash(tmp_path: Path) -> None:
    peer = AbciDriver(tmp_path / "peer")
    peer.decide(write("a"))
    before, data = peer.info(), write("b")
    decided = peer.finalize(data).app_hash
    peer.close()
    peer = AbciDriver(tmp_path / "peer")
    assert peer.info() == before
    assert peer.decide(data).app_hash == decided
    peer.close()


def test_a_block_that_the_state_has_not_seen_is_cut_off_and_decided_again(tmp_path: Path) -> None:
    """The power went between the block file and the state."""
    peer = AbciDriver(tmp_path / "peer")
    peer.decide(write("a"))
    data = write("b")
    decided = peer.finalize(data).app_hash
    end = peer.stores.tip().next_start
    block = peer.stores.blocks.read(peer.stores.blocks.start)
    peer.stores.blocks.append(block)
    peer.close()
    peer = AbciDriver(tmp_path / "peer")
    assert peer.stores.tip().next_start == end
    assert peer.decide(data).app_hash == decided
    peer.close()


def test_blocks_that_are_lost_are_named(tmp_path: Path) -> None:
    peer = AbciDriver(tmp_path / "peer")
    peer.decide(write("a"))
    peer.stores.blocks.cut_back(peer.stores.blocks.start)
    peer.close()
    with pytest.raises(StorageError, match="blocks are lost"):
        AbciDriver(tmp_path / "peer")


def test_a_state_that_is_lost_cannot_be_made_of_the_blocks(tmp_path: Path) -> None:
    genesis = with_peer(AccountKey.generate())
    peer = AbciDriver(tmp_path / "peer", genesis=genesis)
    peer.decide(write("a"))
    peer.close()
    (tmp_path / "peer" / "state.sqlite").unlink()
    with pytest.raises(StorageError, match="1 of 2 peers signed it"):
        AbciDriver(tmp_path / "peer", genesis=genesis)


def test_a_replicated_ledger_is_not_opened_by_a_node_that_orders_alone(tmp_path: Path) -> None:
    peer = AbciDriver(tmp_path / "peer")
    peer.decide()
    peer.close()
    with pytest.raises(ConfigError, match="this ledger is replicated"):
        LedgerStores(tmp_path / "peer")


# Signatures


@pytest.fixture
def waiting(peer: AbciDriver) -> Transaction:
    """Return a transaction of the administrator, who needs two keys by now; one has signed."""
    peer.decide(two_keys())
    message = transaction(set_account_detail(ADMIN_ACCOUNT, "both", "v"), quorum=2)
    (result,) = peer.decide(half(message, ADMIN_KEY)).tx_results
    assert result.code == BatchCode.PENDING
    return message


def test_signatures_are_collected_by_blocks(peer: AbciDriver, waiting: Transaction) -> None:
    assert (pending_count(peer), last_status(peer, waiting)) == (1, "MST_PENDING")
    assert peer.ledger.of_creator(ADMIN_ACCOUNT)[0].transactions[0].message == waiting
    (result,) = peer.decide(half(waiting, SECOND_KEY)).tx_results
    assert result.code == BatchCode.COMMITTED
    assert (pending_count(peer), last_status(peer, waiting)) == (0, "COMMITTED")
    assert detail(peer, "both") == b"v"


def test_a_block_that_is_handed_over_again_leads_to_the_same(
    peer: AbciDriver, waiting: Transaction
) -> None:
    """A CometBFT that the node did not start was restarted between the decision and its commit."""
    data = half(waiting, SECOND_KEY)
    decided = peer.finalize(data)
    assert peer.decide(data) == decided
    assert (pending_count(peer), detail(peer, "both")) == (0, b"v")


def test_what_waits_is_in_the_app_hash(peer: AbciDriver, waiting: Transaction) -> None:
    height = peer.stores.tip().height
    before = peer.info()[1]
    peer.decide(half(waiting, ADMIN_KEY))
    assert peer.info()[1] == before
    peer.decide(time_ms=waiting.payload.reduced_payload.created_time + HOUR_MS)
    assert peer.info()[1] != before
    assert (pending_count(peer), last_status(peer, waiting)) == (0, "MST_EXPIRED")
    assert peer.stores.tip().height == height
    # It may come again, though it is too old to be kept for long.
    (result,) = peer.decide(half(waiting, ADMIN_KEY), time_ms=START_MS).tx_results
    assert result.code == BatchCode.PENDING


def test_a_stranger_is_refused_by_pool_and_block(peer: AbciDriver, waiting: Transaction) -> None:
    data = half(waiting, STRANGER_KEY)
    assert peer.check(data) == BatchCode.REFUSED
    (result,) = peer.decide(data).tx_results
    assert result.code == BatchCode.REFUSED
    assert pending_count(peer) == 1


def test_what_the_gate_let_pass_before_the_key_went_is_told_to_expire(peer: AbciDriver) -> None:
    peer.decide(two_keys())
    late = transaction(set_account_detail(ADMIN_ACCOUNT, "late", "v"), quorum=2)
    data = half(late, SECOND_KEY)
    assert peer.check(data) == 0
    assert last_status(peer, late) == "STATELESS_VALIDATION_SUCCESS"
    changed = transaction(
        add_signatory(ADMIN_ACCOUNT, STRANGER_KEY.public_key),
        remove_signatory(ADMIN_ACCOUNT, SECOND_KEY.public_key),
        keys=(ADMIN_KEY, SECOND_KEY),
        quorum=2,
    )
    (result,) = peer.decide(encoded(changed)).tx_results
    assert result.code == BatchCode.COMMITTED
    (result,) = peer.decide(data).tx_results
    assert result.code == BatchCode.REFUSED
    assert last_status(peer, late) == "MST_EXPIRED"


def test_a_copy_behind_the_last_signature_waits_for_nothing(
    peer: AbciDriver, waiting: Transaction
) -> None:
    results = peer.decide(half(waiting, SECOND_KEY), half(waiting, ADMIN_KEY)).tx_results
    assert results[0].code == BatchCode.COMMITTED
    assert pending_count(peer) == 0


def test_what_waits_outlives_a_restart(tmp_path: Path) -> None:
    peer = AbciDriver(tmp_path / "peer")
    peer.decide(two_keys())
    message = transaction(set_account_detail(ADMIN_ACCOUNT, "both", "v"), quorum=2)
    peer.decide(half(message, ADMIN_KEY))
    before = peer.info()
    peer.close()
    peer = AbciDriver(tmp_path / "peer")
    assert peer.info() == before
    assert last_status(peer, message) == "MST_PENDING"
    (result,) = peer.decide(half(message, SECOND_KEY)).tx_results
    assert result.code == BatchCode.COMMITTED
    peer.close()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE pending_batch SET payer = 'another'", "what waits for signatures is not"),
        ("UPDATE position SET app_hash = zeroblob(32)", "does not lead to its own app hash"),
        ("UPDATE pending_batch SET batch = x'ff'", "the state on disk is damaged"),
    ],
)
def test_rows_that_the_peers_did_not_agree_on_are_found(
    tmp_path: Path, statement: str, words: str
) -> None:
    peer = AbciDriver(tmp_path / "peer")
    peer.decide(two_keys())
    message = transaction(set_account_detail(ADMIN_ACCOUNT, "both", "v"), quorum=2)
    peer.decide(half(message, ADMIN_KEY))
    with peer.stores.state.snapshot() as view:
        view._connection.execute("ROLLBACK")
        view._connection.execute(statement)
    peer.close()
    with pytest.raises(StorageError, match=words):
        AbciDriver(tmp_path / "peer")


# The pool, and proposals


def test_the_pool_takes_what_the_gate_would(peer: AbciDriver) -> None:
    message = transaction(set_account_detail(ADMIN_ACCOUNT, "a", "v"))
    assert peer.check(encoded(message)) == 0
    assert last_status(peer, message) == "ENOUGH_SIGNATURES_COLLECTED"
    # As in irohad, a complete one goes to a block, which rejects it for its signature.
    foreign = encoded(
        transaction(set_account_detail(ADMIN_ACCOUNT, "a", "v"), keys=(STRANGER_KEY,))
    )
    assert peer.check(foreign) == 0
    assert peer.check(foreign, again=True) == 0
    peer.decide(foreign)
    assert peer.check(foreign, again=True) == BatchCode.REPLAYED


def test_a_strict_gate_lets_no_stranger_through(peer: AbciDriver) -> None:
    command = set_account_detail(ADMIN_ACCOUNT, "a", "v")
    foreign = encoded(transaction(command, keys=(STRANGER_KEY,)))
    batch = peer.ledger.decoder.decode(foreign)
    peer.ledger.check(batch)
    with pytest.raises(UnknownSignatoryError):
        peer.ledger.check(batch, is_strict=True)
    peer.ledger.check(peer.ledger.decoder.decode(write("a")), is_strict=True)
    peer.decide(foreign, write("b"))
    assert peer.ledger.foreign == 1


def test_the_pool_takes_from_nobody_what_the_gate_would_not(
    peer: AbciDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reaches CometBFT's RPC, and a peer that lies, go round Torii."""
    command = set_account_detail(ADMIN_ACCOUNT, "a", "v")
    for created_ms in (START_MS - 25 * HOUR_MS, START_MS + HOUR_MS):
        data = encoded(transaction(command, created_ms=created_ms))
        assert peer.check(data) == BatchCode.REFUSED
    # What a block holds all the same is decided: the peers' clocks may differ.
    assert [each.code for each in peer.decide(data).tx_results] == [BatchCode.COMMITTED]
    monkeypatch.setattr(stranger_guard, "MAX_FOREIGN", 1)
    one, two, three = (encoded(transaction(command, keys=(STRANGER_KEY,))) for _ in range(3))
    assert peer.check(one) == 0
    peer.decide(one, two)
    assert peer.check(three) == BatchCode.REFUSED
    assert peer.check(write("b")) == 0


def test_a_proposal_has_what_is_fit_and_fits(peer: AbciDriver) -> None:
    decided, one, two = write("a"), write("b"), write("c")
    peer.decide(decided)
    # What was decided leaves the pools by a block alone, where they do not look at it again.
    assert peer.prepare(decided, b"\xff", one, two) == [decided, one, two]
    assert peer.prepare(one, two, max_bytes=len(one) + len(two) - 1) == [one]
    assert peer.prepare(one, max_bytes=1) == []


def test_nothing_is_refused_but_what_cannot_be_read(peer: AbciDriver) -> None:
    accept, reject = ResponseProcessProposal.ACCEPT, ResponseProcessProposal.REJECT
    unsigned = encoded(transaction(set_account_detail(ADMIN_ACCOUNT, "k", "v"), keys=()))
    assert peer.process() == accept
    assert peer.process(write("a"), unsigned, write("b") + write("c")) == accept
    assert peer.process(write("a"), b"\xff") == reject
    assert peer.process(b"") == reject
    long = encoded(transaction(set_account_detail(ADMIN_ACCOUNT, "k", "x" * MAX_BATCH_BYTES)))
    assert peer.process(long) == reject
    assert peer.check(long) == BatchCode.REFUSED
    many = encoded(*[Transaction()] * (MAX_BLOCK_TRANSACTIONS + 1))
    assert peer.process(many) == reject
    (result,) = peer.decide(many).tx_results
    assert (result.code, result.log) == (
        BatchCode.REFUSED,
        "a batch of 10001 transactions, 10000 are allowed",
    )


def test_what_the_app_hash_is_made_of_is_told(peer: AbciDriver) -> None:
    peer.decide(write("a"))
    peer.decide()
    request = Request()
    request.query.path = "/replication"
    answer = peer.application.answer(request).query
    assert (answer.code, answer.height) == (0, 2)
    # CometBFT's first block led to it, so its second header is the first one that says so.
    assert Replication.FromString(answer.value).header_height == 2
    request.query.path = "/else"
    assert peer.application.answer(request).query.code == 1


def test_a_peer_that_broke_the_rules_is_named(peer: AbciDriver) -> None:
    request = Request()
    request.finalize_block.height = 1
    addresses = (hashlib.sha256(PEER_KEY.raw_public_key).digest()[:20], b"\x01" * 20)
    for address in addresses:
        request.finalize_block.misbehavior.add(type=1, height=1).validator.address = address
    with capture_logs() as logs:
        peer.application.answer(request)
    named = [line["key"] for line in logs if "broken the rules" in line["event"]]
    assert named == [PEER_KEY.public_key, "of a peer that votes no more"]
    peer.commit()
    assert peer.info()[0] == 1


# Faults of ours, and other rules


def test_a_fault_of_the_rules_on_a_transaction_rejects_it_on_all_peers_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = transition.apply_command

    def apply_or_fail(scope: Scope, command: Command) -> None:
        rules(scope, command)
        if command.set_account_detail.key == "poison":
            raise ZeroDivisionError

    monkeypatch.setattr(transition, "apply_command", apply_or_fail)
    peers = [AbciDriver(tmp_path / name) for name in ("one", "two")]
    datas = (write("poison"), write("a"))
    decided = [peer.decide(*datas) for peer in peers]
    assert decided[0] == decided[1]
    assert [result.code for result in decided[0].tx_results] == [
        BatchCode.REJECTED,
        BatchCode.COMMITTED,
    ]
    for peer in peers:
        assert (detail(peer, "poison"), detail(peer, "a")) == (None, b"v")
        peer.close()


@pytest.mark.parametrize("module", [batch_decoder, multisignature], ids=["form", "signatures"])
def test_a_fault_of_ours_on_one_batch_refuses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType
) -> None:
    """What it leads to is the same on all peers, and the pool does not take it either."""
    setup, good = two_keys(), half(transaction(two_keys_wanted(), quorum=2), ADMIN_KEY)
    poison = half(
        transaction(set_account_detail(ADMIN_ACCOUNT, "poison", "v"), quorum=2), ADMIN_KEY
    )
    name = "validate_batches" if module is batch_decoder else "keep_signatories"
    rules = getattr(module, name)

    def fail(first: object, *rest: object) -> object:
        if "poison" in str(first):
            raise ZeroDivisionError
        return rules(first, *rest)

    monkeypatch.setattr(module, name, fail)
    peers = [AbciDriver(tmp_path / name) for name in ("one", "two")]
    decided = [(peer.decide(setup), peer.decide(poison, good)) for peer in peers]
    assert decided[0] == decided[1]
    refused, pending = decided[0][1].tx_results
    assert (refused.code, refused.log) == (
        BatchCode.REFUSED,
        "the rules failed: ZeroDivisionError",
    )
    assert pending.code == BatchCode.PENDING
    for peer in peers:
        assert (peer.check(poison), pending_count(peer)) == (BatchCode.REFUSED, 1)
        peer.close()


def test_a_fault_of_ours_elsewhere_is_named_and_a_later_version_goes_on(
    peer: AbciDriver, waiting: Transaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, data = peer.info(), half(waiting, SECOND_KEY)
    with monkeypatch.context() as version:
        version.setattr(replicated_ledger, "validator_changes", lambda _view, _changes: 1 // 0)
        with pytest.raises(
            RulesFaultError, match=r"fail on block 3 of CometBFT \(ZeroDivisionError, test_app"
        ):
            peer.finalize(data)
    assert peer.info() == before
    (result,) = peer.decide(data).tx_results
    assert (result.code, detail(peer, "both")) == (BatchCode.COMMITTED, b"v")


def test_rules_end_and_begin_at_one_height(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = AbciDriver(tmp_path / "peer", halt_height=2)
    peer.decide(write("a"))
    assert not peer.decide().HasField("consensus_param_updates")
    data = write("b")
    with pytest.raises(HaltError, match="height 2 of CometBFT is decided"):
        peer.finalize(data)
    peer.close()
    for module in (application, replicated_ledger):
        monkeypatch.setattr(module, "APP_VERSION", 2)
    for height in (None, 1, 3):
        with pytest.raises(ConfigError, match="decided by rules 1 up to height 2"):
            AbciDriver(tmp_path / "peer", halt_height=height)
    peer = AbciDriver(tmp_path / "peer", halt_height=2)
    assert peer.decide(data).consensus_param_updates.version.app == 2
    assert not peer.decide().HasField("consensus_param_updates")
    assert detail(peer, "b") == b"v"
    peer.close()
    AbciDriver(tmp_path / "peer").close()
    monkeypatch.setattr(replicated_ledger, "APP_VERSION", 1)
    with pytest.raises(ConfigError, match="this version decides by rules 1"):
        AbciDriver(tmp_path / "peer")


# Peers alike

STEPS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(["write", "forbidden", "half", "other half", "junk"]), max_size=4),
        st.sampled_from([1000, HOUR_MS]),
        st.booleans(),
    ),
    max_size=6,
)


@given(STEPS)
@settings(max_examples=15)
def test_peers_agree_whenever_one_of_them_stops(
    steps: list[tuple[list[str], int, bool]],
) -> None:
    """The same blocks give the same results and app hashes, to one that was stopped in between."""
    with tempfile.TemporaryDirectory() as folder:
        steady, restarted = (AbciDriver(Path(folder) / name) for name in ("one", "two"))
        time_ms, message = START_MS, transaction(two_keys_wanted(), quorum=2)
        setup = two_keys()
        assert steady.decide(setup) == restarted.decide(setup)
        for kinds, wait_ms, is_stopped in steps:
            time_ms += wait_ms
            datas = []
            for kind in kinds:
                if kind == "half":
                    message = transaction(two_keys_wanted(), quorum=2, created_ms=time_ms)
                datas.append(made(kind, message))
            decided = steady.decide(*datas, time_ms=time_ms)
            if is_stopped:
                restarted.finalize(*datas, time_ms=time_ms)
                restarted.close()
                restarted = AbciDriver(Path(folder) / "two")
            assert restarted.decide(*datas, time_ms=time_ms) == decided
        steady.close()
        restarted.close()


def two_keys_wanted() -> Command:
    return set_account_detail(ADMIN_ACCOUNT, "both", "v")


def made(kind: str, message: Transaction) -> bytes:
    match kind:
        case "write":
            return encoded(transaction(two_keys_wanted(), keys=(ADMIN_KEY, SECOND_KEY), quorum=2))
        case "forbidden":
            return forbidden()
        case "half":
            return half(message, ADMIN_KEY)
        case "other half":
            return half(message, SECOND_KEY)
        case _:
            return b"\xff junk"
