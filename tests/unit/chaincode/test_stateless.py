"""Stateless validation: one broken rule at a time, on both sides of each limit."""

from collections.abc import Callable

import pytest
from support.memory_ledger import named_key, sign_transaction

from chaincode.errors import InvalidQueryError, InvalidTransactionError
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.queries_pb2 import Query
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.signatures import KeyAlgorithm
from chaincode.stateless import (
    MAX_FUTURE_MS,
    TimeWindow,
    validate_commands,
    validate_query,
    validate_transaction,
)
from chaincode.transactions import transaction_hash
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import set_account_detail

NOW = 1_800_000_000_000
DAY = 24 * 60 * 60 * 1000
WINDOW = TimeWindow(now_ms=NOW)
KEYS = [named_key("one"), named_key("two"), AccountKey(bytes(32), KeyAlgorithm.ED25519_SHA3)]
GOOD = set_account_detail("a@b", "k", "v")

Spoil = Callable[[Transaction], None]


def transaction(*, signers: int = 1, spoil: Spoil | None = None) -> Transaction:
    """Return a signed transaction; `spoil` changes it before it is signed."""
    message = Transaction()
    reduced = message.payload.reduced_payload
    reduced.creator_account_id = "a@b"
    reduced.created_time = NOW
    reduced.quorum = 1
    reduced.commands.append(GOOD)
    if spoil:
        spoil(message)
    sign_transaction(message, *KEYS[:signers])
    return message


def query(spoil: Callable[[Query], None] | None = None, key: AccountKey = KEYS[0]) -> Query:
    message = Query()
    message.payload.meta.creator_account_id = "a@b"
    message.payload.meta.created_time = NOW
    message.payload.meta.query_counter = 1
    message.payload.get_account.account_id = "a@b"
    if spoil:
        spoil(message)
    signature = key.sign(message.payload.SerializeToString())
    message.signature.CopyFrom(Signature(public_key=key.public_key, signature=signature))
    return message


TIMES = pytest.mark.parametrize(
    ("created", "problem"),
    [
        (0, "older than"),
        (NOW - DAY - 1, "older than"),
        (NOW - DAY, None),
        (NOW + MAX_FUTURE_MS, None),
        (NOW + MAX_FUTURE_MS + 1, "5 minutes ahead"),
        (2**64 - 1, "5 minutes ahead"),
    ],
)


@TIMES
def test_time_window(created: int, problem: str | None) -> None:
    found = WINDOW.problem(created)
    assert found is None if problem is None else problem in str(found)


def test_a_window_may_be_shorter() -> None:
    window = TimeWindow(now_ms=NOW, max_past_ms=10)
    assert window.problem(NOW - 10) is None
    assert window.problem(NOW - 11)


def test_a_good_transaction_is_known_by_hash_signatories_and_creator() -> None:
    message = transaction(signers=3)
    valid = validate_transaction(message, WINDOW)
    assert valid.message is message
    assert valid.hash == transaction_hash(message)
    assert valid.signatories == {key.public_key for key in KEYS}
    assert valid.creator == "a@b"


def reduced(**changes: object) -> Spoil:
    def spoil(message: Transaction) -> None:
        for field, value in changes.items():
            setattr(message.payload.reduced_payload, field, value)

    return spoil


def commands(*replacement: Command) -> Spoil:
    def spoil(message: Transaction) -> None:
        del message.payload.reduced_payload.commands[:]
        message.payload.reduced_payload.commands.extend(replacement)

    return spoil


def test_signatures_are_counted_before_commands_are_looked_at() -> None:
    message = transaction(signers=0, spoil=commands(Command()))
    for _ in range(257):
        message.signatures.add()
    with pytest.raises(InvalidTransactionError, match=r"^signatures: at most 256"):
        validate_transaction(message, WINDOW)


def test_the_commands_of_the_genesis_block_are_not_counted() -> None:
    validate_commands([GOOD] * 10_001)


TO_SELF = Command()
TO_SELF.transfer_asset.src_account_id = TO_SELF.transfer_asset.dest_account_id = "a@b"


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (reduced(creator_account_id=""), "creator_account_id: "),
        (reduced(creator_account_id="A@b"), "creator_account_id: "),
        (reduced(quorum=0), "quorum: "),
        (reduced(quorum=129), "quorum: "),
        (reduced(created_time=0), "created_time: "),
        (commands(), "commands: 1 to 10000"),
        (commands(*[Command()] * 10_001), "commands: 1 to 10000"),
        (commands(*[Command()] * 10_000), "command 0: none is set"),
        (commands(Command()), "command 0: none is set"),
        (commands(GOOD, TO_SELF), "command 1, TransferAsset: source and destination"),
        (commands(GOOD, set_account_detail("a@b", "", "v")), "command 1, SetAccountDetail, key: "),
        (commands(GOOD, GOOD, Command()), "command 2: none is set"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_rule_is_named(spoil: Spoil, text: str) -> None:
    with pytest.raises(InvalidTransactionError, match="^" + text):
        validate_transaction(transaction(spoil=spoil), WINDOW)


@TIMES
def test_creation_times(created: int, problem: str | None) -> None:
    message = transaction(spoil=reduced(created_time=created))
    validate_transaction(message, None)
    if problem is None:
        validate_transaction(message, WINDOW)
    else:
        with pytest.raises(InvalidTransactionError, match=problem):
            validate_transaction(message, WINDOW)


def add_garbage(message: Transaction) -> None:
    message.signatures.add(public_key=KEYS[1].public_key, signature="00" * 64)


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda message: setattr(message.signatures[0], "signature", ""), "malformed|64 bytes"),
        (lambda message: setattr(message.signatures[0], "public_key", ""), "malformed"),
        (lambda message: setattr(message.signatures[0], "signature", "00" * 64), "not verify"),
        (add_garbage, "not verify"),
        (reduced(created_time=NOW + 1), "not verify"),
    ],
    ids=["empty", "no key", "zeros", "second is bad", "changed after signing"],
)
def test_every_signature_must_verify(spoil: Spoil, text: str) -> None:
    message = transaction()
    spoil(message)
    with pytest.raises(InvalidTransactionError, match=f"^signatures: .*({text})"):
        validate_transaction(message, WINDOW)


def test_signatures_beyond_any_quorum_are_not_even_verified() -> None:
    message = transaction()
    for _ in range(255):
        message.signatures.add().CopyFrom(message.signatures[0])
    assert validate_transaction(message, WINDOW).signatories == {KEYS[0].public_key}
    message.signatures.add().CopyFrom(message.signatures[0])
    with pytest.raises(InvalidTransactionError, match="at most 256 are expected"):
        validate_transaction(message, WINDOW)


def test_a_key_counts_once_in_either_case() -> None:
    message = transaction(spoil=reduced(quorum=2))
    twin = message.signatures.add()
    twin.public_key = message.signatures[0].public_key.upper()
    twin.signature = message.signatures[0].signature.upper()
    assert validate_transaction(message, WINDOW).signatories == {KEYS[0].public_key}


def test_signatures_may_be_missing() -> None:
    message = transaction(signers=0, spoil=reduced(quorum=2))
    message.payload.batch.SetInParent()
    assert validate_transaction(message, WINDOW).signatories == frozenset()


def test_an_empty_transaction_is_refused() -> None:
    with pytest.raises(InvalidTransactionError):
        validate_transaction(Transaction(), WINDOW)


def test_validate_commands_takes_any_number() -> None:
    validate_commands([])
    validate_commands([GOOD] * 3)


@pytest.mark.parametrize("key", KEYS, ids=["sha2", "other sha2", "sha3"])
def test_a_good_query_is_known_by_its_signatory(key: AccountKey) -> None:
    assert validate_query(query(key=key), WINDOW) == key.public_key


def meta(**changes: object) -> Callable[[Query], None]:
    def spoil(message: Query) -> None:
        for field, value in changes.items():
            setattr(message.payload.meta, field, value)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (meta(creator_account_id="x"), "creator_account_id: "),
        (meta(created_time=0), "created_time: .*older"),
        (meta(created_time=NOW + MAX_FUTURE_MS + 1), "created_time: .*ahead"),
        (meta(query_counter=0), "query_counter: "),
        (lambda message: message.payload.ClearField("get_account"), "query: none is set"),
        (lambda message: message.payload.get_block.SetInParent(), "GetBlock, height: "),
        (
            lambda message: message.payload.get_account_detail.pagination_meta.SetInParent(),
            "GetAccountDetail, pagination_meta: page_size: ",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_rule_of_a_query_is_named(spoil: Callable[[Query], None], text: str) -> None:
    with pytest.raises(InvalidQueryError, match="^" + text):
        validate_query(query(spoil), WINDOW)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda message: message.ClearField("signature"),
        lambda message: setattr(message.signature, "signature", "00" * 64),
        lambda message: setattr(message.signature, "public_key", KEYS[1].public_key),
        meta(query_counter=2),
    ],
    ids=["none", "zeros", "another key", "changed after signing"],
)
def test_a_query_must_be_signed(spoil: Callable[[Query], None]) -> None:
    message = query()
    spoil(message)
    with pytest.raises(InvalidQueryError, match=r"^signature: "):
        validate_query(message, WINDOW)
