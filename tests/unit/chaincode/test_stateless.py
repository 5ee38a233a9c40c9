"""Stateless validation: one broken rule at a time, on both sides of each limit."""

import re
from collections.abc import Callable

import pytest
from support.memory_ledger import named_key, sign_transaction

from chaincode.broken_rules import BrokenRule
from chaincode.errors import InvalidQueryError, InvalidTransactionError
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.queries_pb2 import BlocksQuery, Query
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.signatures import KeyAlgorithm
from chaincode.stateless import (
    MAX_FUTURE_MS,
    TimeWindow,
    validate_blocks_query,
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
        (0, "too old"),
        (NOW - DAY - 1, "too old"),
        (NOW - DAY, None),
        (NOW + MAX_FUTURE_MS, None),
        (NOW + MAX_FUTURE_MS + 1, "sent from future"),
        (2**64 - 1, "sent from future"),
    ],
)


@TIMES
def test_time_window(created: int, problem: str | None) -> None:
    found = list(WINDOW.findings(created))
    reason = f"{problem}, timestamp: {created}, now: {NOW}"
    assert found == ([] if problem is None else [BrokenRule("CreatedTime", (reason,))])


def test_a_window_may_be_shorter() -> None:
    window = TimeWindow(now_ms=NOW, max_past_ms=10)
    assert not window.findings(NOW - 10)
    assert window.findings(NOW - 11)


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


def test_the_commands_of_the_genesis_block_are_not_counted() -> None:
    validate_commands([GOOD] * 10_001)


TO_SELF = Command()
TO_SELF.transfer_asset.src_account_id = TO_SELF.transfer_asset.dest_account_id = "a@b"


NOT_ONE = "Transaction: [Errors=[Transaction must contain at least one command.]]"
KEY = (
    "SetAccountDetail: [Child errors=[DetailKey: "
    "[Errors=[passed value: '' does not match regex '[A-Za-z0-9_]{1,64}'.]]]]"
)
QUORUM = "Quorum: [Errors=[Quorum should be within range [1, 128]]]"


@pytest.mark.parametrize(
    ("spoil", "text", "place"),
    [
        (reduced(creator_account_id="A@b"), None, "Transaction/AccountId"),
        (reduced(quorum=0), f"Transaction: [Child errors=[{QUORUM}]]", "Transaction/Quorum"),
        (reduced(quorum=129), f"Transaction: [Child errors=[{QUORUM}]]", "Transaction/Quorum"),
        (reduced(created_time=0), None, "Transaction/CreatedTime"),
        (commands(), NOT_ONE, "Transaction"),
        (
            commands(*[Command()] * 10_001),
            "Transaction: [Errors=[Transaction must contain at most 10000 commands.]]",
            "Transaction",
        ),
        (commands(GOOD, TO_SELF), None, "Transaction/Command #2/TransferAsset/AssetId"),
        (
            commands(GOOD, set_account_detail("a@b", "", "v")),
            f"Transaction: [Child errors=[Command #2: [Child errors=[{KEY}]]]]",
            "Transaction/Command #2/SetAccountDetail/DetailKey",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_rule_is_named(spoil: Spoil, text: str | None, place: str) -> None:
    message = transaction(spoil=spoil)
    with pytest.raises(InvalidTransactionError) as refusal:
        validate_transaction(message, WINDOW)
    assert refusal.value.place == f"SignedData/{place}"
    tx_hash = transaction_hash(message).hex()
    prefix = f"Transaction deserialization failed: hash Hash: [{tx_hash}], SignedData: ["
    assert str(refusal.value).startswith(prefix)
    if text is not None:
        assert str(refusal.value) == f"{prefix}Child errors=[{text}]]"


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (commands(GOOD, Command()), "[Child errors=[Undefined command.: [Errors=[Not allowed.]]]]"),
        (
            lambda message: setattr(message.payload.batch, "type", 2),
            "[Errors=[Invalid batch type.]]",
        ),
    ],
    ids=["command", "batch"],
)
def test_what_is_wrong_in_the_form_is_told_alone(spoil: Spoil, text: str) -> None:
    message = transaction(spoil=spoil)
    message.signatures[0].signature = "zz"
    with pytest.raises(InvalidTransactionError) as refusal:
        validate_transaction(message, WINDOW)
    assert str(refusal.value).endswith(f"], Protobuf Transaction: {text}")


def test_all_that_is_wrong_is_told_at_once() -> None:
    message = transaction(spoil=reduced(quorum=0, created_time=0))
    message.signatures[0].signature = "00" * 64
    with pytest.raises(InvalidTransactionError) as refusal:
        validate_transaction(message, WINDOW)
    for text in ("CreatedTime", "Quorum", "Signature #1", "Bad signature."):
        assert text in str(refusal.value)


def test_an_empty_transaction_is_told_with_irohads_hash() -> None:
    """irohad reads it as one with an empty inner payload; the message stays as it is."""
    message = Transaction()
    with pytest.raises(
        InvalidTransactionError, match=r"Hash: \[708713afdb215a7f.*least one command"
    ):
        validate_transaction(message, WINDOW)
    assert not message.HasField("payload")
    message.payload.batch.SetInParent()
    with pytest.raises(InvalidTransactionError):
        validate_transaction(message, WINDOW)
    assert not message.payload.HasField("reduced_payload")


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


HEX = "does not match regex '[A-Fa-f0-9]{1,136}'"
LENGTH = "The length encoded in the input data header doesn't match the actual length"
TYPE = "Could not parse the Multihash data type."


def signature(**changes: str) -> Spoil:
    def spoil(message: Transaction) -> None:
        for field, value in changes.items():
            setattr(message.signatures[0], field, value)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (signature(signature=""), rf"Signature: \[Child errors=\[SignatureHex: .*{re.escape(HEX)}"),
        (
            signature(public_key=""),
            rf"Signature: \[Child errors=\[PublicKeyHex: .*{re.escape(HEX)}",
        ),
        (signature(public_key="zz", signature="zz"), "SignatureHex: .*PublicKeyHex: "),
        (signature(signature="00" * 64), "Bad signature."),
        (signature(signature="abc"), "Hex string contains uneven number of characters."),
        (signature(public_key="abc"), "Hex string contains uneven number of characters."),
        (signature(signature="ab"), "Bad signature."),
        (signature(public_key="ab"), TYPE),
        (signature(public_key="ab" * 9 + "01"), TYPE),
        (signature(public_key="12"), "Could not parse the Multihash data length."),
        (signature(public_key="1220ab"), LENGTH),
        (signature(public_key="1201ab"), "Unimplemented signature algorithm."),
        (signature(public_key="2e" * 32, signature="ab"), LENGTH),
        (signature(public_key="01" * 32), "Bad signature."),
        (add_garbage, "Bad signature."),
        (reduced(created_time=NOW + 1), "Bad signature."),
    ],
)
def test_every_signature_must_verify(spoil: Spoil, text: str) -> None:
    message = transaction()
    spoil(message)
    with pytest.raises(InvalidTransactionError, match=rf"Signatures list: .*Signature #1.*{text}"):
        validate_transaction(message, WINDOW)


def test_a_signature_that_is_there_twice_is_one() -> None:
    message = transaction()
    for _ in range(255):
        message.signatures.add().CopyFrom(message.signatures[0])
    assert validate_transaction(message, WINDOW).signatories == {KEYS[0].public_key}


def test_signatures_beyond_any_quorum_are_not_even_verified() -> None:
    message = transaction()
    for number in range(256):
        message.signatures.add(public_key=f"{number:064x}", signature="00" * 64)
    with pytest.raises(InvalidTransactionError, match=r"Errors=\[At most 256 signatures are taken"):
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


def test_validate_commands_takes_any_number() -> None:
    validate_commands([])
    validate_commands([GOOD] * 3)


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (Command(), "command 1, Undefined command.: "),
        (set_account_detail("a@b", "", "v"), "command 1, SetAccountDetail: "),
    ],
    ids=["not set", "key"],
)
def test_a_command_of_the_genesis_block_is_named(command: Command, text: str) -> None:
    with pytest.raises(InvalidTransactionError, match=f"^{text}"):
        validate_commands([GOOD, command])


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
        (meta(creator_account_id="x"), "AccountId: "),
        (meta(created_time=0), "CreatedTime: .*too old"),
        (meta(created_time=NOW + MAX_FUTURE_MS + 1), "CreatedTime: .*from future"),
        (meta(query_counter=0), "Counter: .*Counter should be > 0, passed value: 0"),
        (lambda message: message.payload.get_block.SetInParent(), "GetBlock: .*Height: "),
        (
            lambda message: message.payload.get_account_detail.pagination_meta.SetInParent(),
            "GetAccountDetail: .*AccountDetailPaginationMeta: .*PageSize: ",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_rule_of_a_query_is_named(spoil: Callable[[Query], None], text: str) -> None:
    prefix = r"SignedData: \[Child errors=\[Query: \[Child errors=\["
    with pytest.raises(InvalidQueryError, match=f"^{prefix}{text}"):
        validate_query(query(spoil), WINDOW)


def test_a_query_without_a_body() -> None:
    message = query(lambda message: message.payload.ClearField("get_account"))
    with pytest.raises(
        InvalidQueryError, match=r"^Protobuf Query: \[Errors=\[Query is undefined.\]\]$"
    ):
        validate_query(message, WINDOW)


def test_a_page_that_is_missing_is_told_with_irohads_bad_signature() -> None:
    def ask(message: Query) -> None:
        message.payload.get_account_transactions.account_id = "a@b"

    message = query(ask)
    with pytest.raises(InvalidQueryError, match=r"PageSize: .*Signatures list: .*Bad signature\."):
        validate_query(message, WINDOW)
    assert not message.payload.get_account_transactions.HasField("pagination_meta")


def blocks_query(key: AccountKey = KEYS[0]) -> BlocksQuery:
    message = BlocksQuery()
    message.meta.CopyFrom(query().payload.meta)
    signature = key.sign(message.meta.SerializeToString())
    message.signature.CopyFrom(Signature(public_key=key.public_key, signature=signature))
    return message


def test_a_blocks_query() -> None:
    assert validate_blocks_query(blocks_query(), WINDOW) == KEYS[0].public_key
    message = blocks_query()
    message.meta.query_counter = 0
    text = (
        r"^SignedData: \[Child errors=\[Blocks query: .*Counter: .*Signatures list: .*Bad signature"
    )
    with pytest.raises(InvalidQueryError, match=text):
        validate_blocks_query(message, WINDOW)


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
    text = "Signatures are empty." if not message.HasField("signature") else "Bad signature."
    with pytest.raises(InvalidQueryError, match=rf"^SignedData: .*Signatures list: .*{text}"):
        validate_query(message, WINDOW)
