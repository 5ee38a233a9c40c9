"""The transition: who may sign, atomic transactions, replays, and the genesis block."""

import pytest
from support.batches import ATOMIC, ORDERED, batch_of, lone, set_meta
from support.memory_ledger import MemoryLedger, named_key, sign_transaction
from support.small_ledger import (
    ALICE,
    BOB,
    NOBODY,
    ROOT,
    add_peer,
    build_genesis_block,
    committed,
    create_domain,
    create_role,
    key_of,
    small_ledger,
)

from chaincode import transition
from chaincode.blocks import BlockContext, Receipt, Verdict
from chaincode.errors import InvalidBlockError
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission, RolePermission
from chaincode.transactions import ValidTransaction, block_hash
from chaincode.transition import apply_block, apply_genesis
from chaincode.world_state import get_account, get_detail
from client_sdk.ledger.commands import (
    add_signatory,
    create_account,
    grant_permission,
    set_account_detail,
    set_account_quorum,
)

SECOND = named_key("second")
STRANGER = named_key("stranger")


@pytest.fixture
def ledger() -> MemoryLedger:
    return small_ledger()


def two_of_three() -> MemoryLedger:
    """Return a ledger where bob has three keys and needs two."""
    ledger = small_ledger()
    for key in (SECOND, named_key("third")):
        committed(ledger.submit(ROOT, add_signatory(BOB, key.public_key)))
    committed(ledger.submit(ROOT, set_account_quorum(BOB, 2)))
    return ledger


def detail(key: str = "k", account_id: str = BOB) -> Command:
    return set_account_detail(account_id, key, "v")


@pytest.mark.parametrize(
    ("names", "accepted"),
    [
        ([BOB], False),
        (["second"], False),
        ([BOB, "second"], True),
        (["second", "third"], True),
        ([BOB, "second", "third"], True),
        ([BOB, "stranger"], False),
        ([BOB, "second", "stranger"], False),
        (["stranger"], False),
    ],
    ids=str,
)
def test_signers_are_signatories_and_as_many_as_the_quorum(
    names: list[str], *, accepted: bool
) -> None:
    ledger = two_of_three()
    receipt = ledger.submit(BOB, detail(), keys=tuple(named_key(name) for name in names))
    if accepted:
        committed(receipt)
    else:
        assert (receipt.verdict, receipt.code) == (Verdict.REJECTED, 2)
        assert (receipt.command_name, receipt.command_index) == ("signatures validation", 0)
        assert get_detail(ledger, BOB, BOB, "k") is None


def test_an_account_that_is_not_there_makes_nothing() -> None:
    receipt = small_ledger().submit(NOBODY, detail(), keys=(STRANGER,))
    assert (receipt.command_name, receipt.code) == ("signatures validation", 2)
    assert NOBODY in receipt.reason


def test_a_transaction_changes_all_or_nothing() -> None:
    ledger = small_ledger()
    before = dict(ledger.state)
    receipt = ledger.submit(BOB, detail("a"), detail("b"), detail("c", NOBODY), detail("d"))
    assert receipt == Receipt(
        tx_hash=receipt.tx_hash,
        verdict=Verdict.REJECTED,
        code=3,
        command_name="SetAccountDetail",
        command_index=2,
        reason=f"there is no account {NOBODY}",
    )
    assert ledger.state == before
    payload = ledger.blocks[-1].block_v1.payload
    assert not payload.transactions
    assert list(payload.rejected_transactions_hashes) == [receipt.tx_hash.hex()]


def test_a_command_sees_what_those_before_it_did() -> None:
    ledger = small_ledger()
    new = named_key("new@x")
    committed(
        ledger.submit(
            ROOT,
            create_role("reader", RolePermission.can_get_roles),
            create_domain("x", "reader"),
            create_account("new@x", new.public_key),
            detail("k", "new@x"),
        )
    )
    assert get_detail(ledger, "new@x", ROOT, "k") == "v"


def test_a_transaction_sees_what_those_before_it_in_the_block_did() -> None:
    ledger = small_ledger()
    new = named_key("new@d")
    made = ledger.build_signed(ROOT, create_account("new@d", new.public_key))
    used = ledger.build_signed("new@d", detail("k", "new@d"), keys=(new,))
    early = ledger.build_signed("new@d", detail("early", "new@d"), keys=(new,))
    verdicts = [receipt.verdict for receipt in ledger.apply(early, made, used)]
    assert verdicts == [Verdict.REJECTED, Verdict.COMMITTED, Verdict.COMMITTED]
    assert get_detail(ledger, "new@d", "new@d", "k") == "v"
    assert get_detail(ledger, "new@d", "new@d", "early") is None


@pytest.mark.parametrize("command", [detail(), detail("k", NOBODY)], ids=["committed", "rejected"])
def test_a_replay_is_passed_over(command: Command) -> None:
    ledger = small_ledger()
    transaction = ledger.build_signed(BOB, command)
    other = ledger.build_signed(BOB, detail("other"))
    first, again, third = ledger.apply(transaction, transaction, other)
    assert first.verdict is not Verdict.REPLAYED
    assert (again.code, again.command_index, again.command_name) == (0, 0, "")
    assert again == Receipt(tx_hash=transaction.hash, verdict=Verdict.REPLAYED)
    committed(third)
    later = ledger.apply(transaction)
    assert [receipt.verdict for receipt in later] == [Verdict.REPLAYED]
    payload = ledger.blocks[-1].block_v1.payload
    assert not payload.transactions
    assert not payload.rejected_transactions_hashes


def test_other_signatures_make_no_other_transaction() -> None:
    ledger = two_of_three()
    first = ledger.build_signed(BOB, detail(), keys=(named_key(BOB), SECOND))
    both = (named_key(BOB), SECOND, named_key("third"))
    message = type(first.message)()
    message.CopyFrom(first.message)
    message.signatures.reverse()
    again = ValidTransaction(message, first.hash, frozenset(key.public_key for key in both))
    verdicts = [receipt.verdict for receipt in ledger.apply(first, again)]
    assert verdicts == [Verdict.COMMITTED, Verdict.REPLAYED]


def in_batch(
    ledger: MemoryLedger, *commands: tuple[str, Command], kind: int = ATOMIC
) -> tuple[Receipt, ...]:
    """Apply a block of one batch: each account signs its own command."""
    messages = [ledger.build_transaction(account, command) for account, command in commands]
    set_meta(*messages, kind=kind)
    for message, (account, _) in zip(messages, commands, strict=True):
        sign_transaction(message, ledger.keys[account])
    return ledger.apply_batches(batch_of(messages))


def test_an_atomic_batch_is_applied_whole(ledger: MemoryLedger) -> None:
    for receipt in in_batch(ledger, (ALICE, detail("a", ALICE)), (BOB, detail("b"))):
        committed(receipt)
    assert get_detail(ledger, ALICE, ALICE, "a") == "v"
    assert get_detail(ledger, BOB, BOB, "b") == "v"


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_one_failure_fails_an_atomic_batch_and_the_others_get_no_code(
    ledger: MemoryLedger, failing: int
) -> None:
    """As recorded from irohad, the place in the block's list of rejected ones included."""
    before = dict(ledger.state)
    commands = [(ALICE, detail("a", ALICE)), (BOB, detail("b")), (ALICE, detail("c", ALICE))]
    commands[failing] = (BOB, detail("k", NOBODY))
    receipts = in_batch(ledger, *commands)
    assert {receipt.verdict for receipt in receipts} == {Verdict.REJECTED}
    blamed = receipts[failing]
    assert (blamed.command_name, blamed.command_index, blamed.code) == ("SetAccountDetail", 0, 3)
    others = [receipt for receipt in receipts if receipt is not blamed]
    assert {(other.command_name, other.command_index, other.code) for other in others} == {
        ("", 0, 0)
    }
    assert all(blamed.tx_hash.hex() in other.reason for other in others)
    assert ledger.state == before
    payload = ledger.blocks[-1].block_v1.payload
    hashes = [receipt.tx_hash.hex() for receipt in (blamed, *others)]
    assert list(payload.rejected_transactions_hashes) == hashes


def test_a_transaction_of_a_batch_sees_what_those_before_it_did(ledger: MemoryLedger) -> None:
    new = ledger.keys["new@d"] = named_key("new@d")
    receipts = in_batch(
        ledger,
        (ROOT, create_account("new@d", new.public_key)),
        ("new@d", detail("k", "new@d")),
    )
    for receipt in receipts:
        committed(receipt)


def test_each_transaction_of_an_ordered_batch_is_decided_by_itself(ledger: MemoryLedger) -> None:
    receipts = in_batch(
        ledger,
        (ALICE, detail("a", ALICE)),
        (BOB, detail("k", NOBODY)),
        (BOB, detail("b")),
        kind=ORDERED,
    )
    assert [receipt.verdict for receipt in receipts] == [
        Verdict.COMMITTED,
        Verdict.REJECTED,
        Verdict.COMMITTED,
    ]
    assert get_detail(ledger, BOB, BOB, "b") == "v"


def test_a_batch_of_which_one_was_decided_is_passed_over_whole(ledger: MemoryLedger) -> None:
    """Only a payload with unknown fields can be in two batches of equal meta."""
    messages = [ledger.build_transaction(BOB, detail(key)) for key in ("a", "b")]
    set_meta(*messages)
    other = type(messages[1])()
    other.CopyFrom(messages[1])
    other.payload.MergeFromString(b"\x98\x06\x01")
    for message in (*messages, other):
        sign_transaction(message, ledger.keys[BOB])
    first, second = batch_of(messages), batch_of([messages[0], other])
    verdicts = [receipt.verdict for receipt in ledger.apply_batches(first, second)]
    assert verdicts == [Verdict.COMMITTED] * 2 + [Verdict.REPLAYED] * 2
    again = ledger.apply_batches(second)
    assert [receipt.verdict for receipt in again] == [Verdict.REPLAYED] * 2


def test_an_empty_block_changes_nothing() -> None:
    ledger = small_ledger()
    outcome = apply_block(ledger, BlockContext(height=2, time_ms=1), [])
    assert (dict(outcome.changes), outcome.receipts) == ({}, ())


def test_the_view_is_not_touched() -> None:
    ledger = small_ledger()
    before = dict(ledger.state)
    transaction = ledger.build_signed(ROOT, create_domain("x"), detail())
    context = BlockContext(height=2, time_ms=1)
    outcomes = [apply_block(ledger, context, lone(transaction)) for _ in range(2)]
    assert outcomes[0].changes == outcomes[1].changes
    assert outcomes[0].receipts == outcomes[1].receipts
    assert ledger.state == before
    assert set(outcomes[0].changes) == {
        b"domain\x00x",
        b"detail\x00bob@d\x00root@d\x00k",
        b"count\x00detail\x00bob@d\x00root@d",
    }


def test_the_genesis_block_asks_for_no_permission() -> None:
    block = build_genesis_block(create_role("r", RolePermission.root), create_domain("d", "r"))
    block.block_v1.payload.transactions.add().payload.reduced_payload.commands.append(
        create_account(ALICE, key_of(ALICE))
    )
    ledger = MemoryLedger(block)
    account = get_account(ledger, ALICE)
    assert account is not None
    assert account.roles == ["r"]
    assert block_hash(ledger.blocks[0]) == block_hash(block)
    outcome = apply_genesis(MemoryLedger(build_genesis_block()), block)
    assert [receipt.verdict for receipt in outcome.receipts] == [Verdict.COMMITTED] * 2


def test_the_genesis_block_may_give_any_account_more_keys() -> None:
    ledger = MemoryLedger(
        build_genesis_block(
            create_role("nothing"),
            create_domain("d"),
            create_account(ALICE, key_of(ALICE)),
            add_signatory(ALICE, key_of("second")),
            set_account_quorum(ALICE, 2),
        )
    )
    account = get_account(ledger, ALICE)
    assert account is not None
    assert (len(account.signatories), account.quorum) == (2, 2)


ENGINE = Command()
ENGINE.call_engine.caller, ENGINE.call_engine.input = ALICE, "00"
UNKNOWN_PERMISSION = Command()
UNKNOWN_PERMISSION.create_role.role_name = "r"
UNKNOWN_PERMISSION.create_role.permissions.append(300)  # type: ignore[arg-type]
UNKNOWN_GRANT = grant_permission(ALICE, GrantablePermission.can_set_my_quorum)
UNKNOWN_GRANT.grant_permission.permission = 99  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (create_domain("d", "gone"), "command 1, CreateDomain: there is no role gone"),
        (detail("k", NOBODY), "command 1, SetAccountDetail: there is no account"),
        (Command(), "command 1, Undefined command.: "),
        (ENGINE, "command 1, CallEngine: Engine is not configured"),
        (UNKNOWN_PERMISSION, "command 1, CreateRole: .*Permission #1 is invalid"),
        (UNKNOWN_GRANT, "command 1, GrantPermission: .*Invalid grantable"),
        (create_domain("a\x00b"), "command 1, CreateDomain: .*Domain: "),
        (add_peer("zz"), "command 1, AddPeer: .*Public key: "),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_genesis_block_is_refused(command: Command, text: str) -> None:
    with pytest.raises(InvalidBlockError, match=f"^genesis block: {text}"):
        MemoryLedger(build_genesis_block(create_role("first"), command))


def test_a_fault_of_the_rules_ends_the_block_where_nobody_takes_it(
    ledger: MemoryLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr(transition, "apply_command", fail)
    with pytest.raises(KeyError, match="a fault of ours"):
        ledger.submit(BOB, detail())
