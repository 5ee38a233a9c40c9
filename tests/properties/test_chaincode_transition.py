"""Properties of the transition: pure, deterministic, atomic, and true to its set hash."""

import itertools
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import lone
from support.memory_ledger import START_MS, MemoryLedger, named_key
from support.small_ledger import (
    ALICE,
    BOB,
    CAROL,
    NOBODY,
    ROOT,
    add_peer,
    add_quantity,
    create_asset,
    create_domain,
    create_role,
    detach_role,
    key_of,
    remove_peer,
    small_ledger,
    subtract_quantity,
    transfer,
)

from chaincode.blocks import BlockContext, Verdict
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission, RolePermission
from chaincode.records import (
    BatchRecord,
    CredentialRecord,
    GrantRecord,
    IdentityRecord,
    StatusListRecord,
)
from chaincode.set_hash import SetHash
from chaincode.transactions import ValidTransaction
from chaincode.transition import apply_block
from client_sdk.ledger.commands import (
    add_signatory,
    append_role,
    compare_and_set_account_detail,
    create_account,
    grant_permission,
    remove_signatory,
    revoke_permission,
    set_account_detail,
    set_account_quorum,
    set_record,
)

# Few names, so that commands meet each other.
ACCOUNTS = st.sampled_from([ROOT, ALICE, BOB, CAROL, NOBODY, "new@x"])
KEYS = st.sampled_from([key_of(name) for name in (ROOT, ALICE, BOB, "second", "peer")])
ROLES = st.sampled_from(["nothing", "root", "granter", "r1", "r2"])
DOMAINS = st.sampled_from(["d", "e", "x"])
VALUES = st.sampled_from(["", "1", 'a "quote"'])
RECORD_IDS = st.sampled_from(["0" * 32, "f" * 32])
TIMES = st.sampled_from([1, START_MS + 10**6])
RECORDS: st.SearchStrategy[IdentityRecord] = st.one_of(
    st.builds(
        CredentialRecord,
        salted_hash=st.just(bytes(32)),
        issuer_record=RECORD_IDS,
        expires_at_ms=TIMES,
        state=st.sampled_from(["active", "suspended", "revoked"]),
    ),
    st.builds(
        BatchRecord,
        root=st.just(bytes(32)),
        count=st.just(1),
        issuer_record=RECORD_IDS,
        status_list=RECORD_IDS,
        expires_at_ms=TIMES,
    ),
    st.builds(
        StatusListRecord,
        uri=st.just("https://issuer.example/1"),
        bits=st.just(2),
        digest=st.just(bytes(32)),
        version=st.integers(1, 3),
        issuer_record=RECORD_IDS,
    ),
    st.builds(
        GrantRecord,
        commitment=st.just(bytes(32)),
        gateway=ACCOUNTS,
        expires_at_ms=TIMES,
        uses=st.just(1),
        state=st.sampled_from(["live", "revoked"]),
    ),
)
ASSETS = st.sampled_from(["coin#d", "coin#e", "gold#d"])
AMOUNTS = st.sampled_from(["1", "0.5", "2.25", "7.", str(2**255)])
GRANTABLE = st.sampled_from(GrantablePermission.values())
RESERVED_KEYS = st.sampled_from(["tg_", "tg_other", GrantRecord.key("0" * 32)])

COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(create_account, ACCOUNTS, KEYS),
    st.builds(append_role, ACCOUNTS, ROLES),
    st.builds(detach_role, ACCOUNTS, ROLES),
    st.builds(create_role, ROLES, st.sampled_from(RolePermission.values())),
    st.builds(create_domain, DOMAINS, ROLES),
    st.builds(add_signatory, ACCOUNTS, KEYS),
    st.builds(remove_signatory, ACCOUNTS, KEYS),
    st.builds(set_account_quorum, ACCOUNTS, st.integers(1, 3)),
    st.builds(grant_permission, ACCOUNTS, GRANTABLE),
    st.builds(revoke_permission, ACCOUNTS, GRANTABLE),
    st.builds(set_account_detail, ACCOUNTS, st.sampled_from(["k", "l"]) | RESERVED_KEYS, VALUES),
    st.builds(
        compare_and_set_account_detail,
        ACCOUNTS,
        st.sampled_from(["k", "l"]),
        VALUES,
        old_value=st.none() | VALUES,
        check_empty=st.booleans(),
    ),
    st.builds(set_record, ACCOUNTS, RECORD_IDS, RECORDS),
    st.builds(add_peer, KEYS, st.sampled_from(["10.0.0.1:1", "10.0.0.2:1"])),
    st.builds(remove_peer, KEYS),
    st.builds(create_asset, ASSETS, st.sampled_from([0, 2, 255])),
    st.builds(add_quantity, ASSETS, AMOUNTS),
    st.builds(subtract_quantity, ASSETS, AMOUNTS),
    st.builds(transfer, st.just(ROOT), st.sampled_from([ALICE, BOB]), ASSETS, AMOUNTS),
)
DRAFTS = st.tuples(st.sampled_from([ROOT, ALICE, BOB]), st.lists(COMMANDS, min_size=1, max_size=3))
BLOCKS = st.lists(st.lists(DRAFTS, max_size=4), max_size=4)
Draft = tuple[str, list[Command]]


def build(ledger: MemoryLedger, drafts: Sequence[Draft]) -> list[ValidTransaction]:
    return [
        ledger.build_signed(creator, *commands, keys=(named_key(creator),))
        for creator, commands in drafts
    ]


def set_hash_of(ledger: MemoryLedger) -> bytes:
    total = SetHash()
    for key, value in ledger.scan(b""):
        total.add(key, value)
    return total.encode()


@settings(max_examples=60, deadline=None)
@given(drafts=st.lists(DRAFTS, min_size=1, max_size=6), replayed=st.booleans())
def test_the_same_block_does_the_same_and_leaves_the_view(
    drafts: list[Draft], *, replayed: bool
) -> None:
    ledger = small_ledger()
    transactions = build(ledger, drafts)
    if replayed:
        transactions += transactions[::-1]
    context = BlockContext(height=2, time_ms=START_MS + 5)
    before = dict(ledger.state)
    one, two = (apply_block(ledger, context, lone(*transactions)) for _ in range(2))
    assert list(one.changes.items()) == list(two.changes.items())
    assert one.receipts == two.receipts
    assert ledger.state == before
    assert [receipt.tx_hash for receipt in one.receipts] == [each.hash for each in transactions]
    assert {receipt.verdict for receipt in one.receipts[len(drafts) :]} <= {Verdict.REPLAYED}


@settings(max_examples=60, deadline=None)
@given(drafts=st.lists(DRAFTS, min_size=1, max_size=6))
def test_a_block_does_what_its_committed_transactions_do_alone(drafts: list[Draft]) -> None:
    ledger = small_ledger()
    transactions = build(ledger, drafts)
    context = BlockContext(height=2, time_ms=START_MS + 5)
    outcome = apply_block(ledger, context, lone(*transactions))
    kept = [
        transaction
        for transaction, receipt in zip(transactions, outcome.receipts, strict=True)
        if receipt.verdict is Verdict.COMMITTED
    ]
    assert apply_block(ledger, context, lone(*kept)).changes == outcome.changes
    for transaction, receipt in zip(transactions, outcome.receipts, strict=True):
        if receipt.verdict is Verdict.REJECTED:
            assert receipt.code > 0
            assert receipt.command_name
            commands = transaction.message.payload.reduced_payload.commands
            assert receipt.command_index < len(commands)


@settings(max_examples=40, deadline=None)
@given(blocks=BLOCKS)
def test_the_running_set_hash_is_that_of_the_whole_state(blocks: list[list[Draft]]) -> None:
    ledger = small_ledger()
    running = SetHash(set_hash_of(ledger))
    for drafts in blocks:
        before = dict(ledger.state)
        ledger.apply(*build(ledger, drafts))
        for key in sorted(before.keys() | ledger.state.keys()):
            old, new = before.get(key), ledger.state.get(key)
            if old == new:
                continue
            if old is not None:
                running.remove(key, old)
            if new is not None:
                running.add(key, new)
        assert running.encode() == set_hash_of(ledger)


@settings(max_examples=40, deadline=None)
@given(blocks=BLOCKS)
def test_the_same_transactions_in_other_blocks_lead_to_the_same_state(
    blocks: list[list[Draft]],
) -> None:
    """Where a block ends does not matter to its transactions, but for the block's time."""
    many, one = small_ledger(), small_ledger()
    made = [build(many, drafts) for drafts in blocks]
    for transactions in made:
        many.apply(*transactions)
    one.apply(*itertools.chain(*made))
    assert many.state == one.state
