"""The machine: published vectors, what contracts see, what they cost, and what is undone."""

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from Crypto.Hash import RIPEMD160
from eth_keys import keys
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st
from support.contracts import (
    CALLER,
    SERVICE_CONTRACT,
    VAULT,
    VECTORS,
    Deployed,
    abi_call,
    call_engine,
    deploy,
    engine_ledger,
    evm_address,
    set_engine,
)
from support.memory_ledger import START_MS
from support.small_ledger import ALICE, ROOT, committed, give_permissions, small_ledger

from chaincode.errors import EvmFailedError
from chaincode.evm import (
    TRANSACTION_GAS,
    EvmCall,
    get_code,
    get_engine_receipts,
    get_nonce,
    get_slot,
    put_code,
    put_nonce,
    put_slot,
)
from chaincode.protocol.primitive_pb2 import RolePermission
from chaincode.world_state import StateOverlay
from node.errors import ConfigError
from node.ledger.evm import LEDGER_EVM, MEMORY_BYTES, RECURSION_LIMIT, check_engine

PUBLISHED = json.loads((VECTORS / "ethereum_tests.json").read_text(encoding="utf-8"))["cases"]
AT = bytes(18) + b"\x10\x00"
TX_GAS, ZERO_GAS, BYTE_GAS = 21_000, 4, 16
NOTHING = bytes(32)


class Nothing:
    """A state without entries."""

    def get(self, _key: bytes) -> None:
        return None

    def scan(self, _prefix: bytes, _start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        return iter(())


def number(text: str) -> int:
    return int(text, 16)


def data_of(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def call_of(callee: bytes | None, data: bytes = b"", **changed: Any) -> EvmCall:
    facts: dict[str, Any] = {
        "gas": TRANSACTION_GAS,
        "tx_hash": NOTHING,
        "command_index": 0,
        "height": 1,
        "time_ms": START_MS,
    }
    return EvmCall(caller=ALICE, callee=callee, code_or_data=data, **(facts | changed))


def with_code(code: str) -> StateOverlay:
    """Return a state with this contract at `AT`."""
    state = StateOverlay(Nothing())
    put_code(state, AT, bytes.fromhex(code))
    put_nonce(state, AT, 1)
    return state


@pytest.fixture
def vault() -> Deployed:
    return deploy(engine_ledger(), VAULT)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_published_vector(name: str) -> None:
    """Storage after the call and gas, to the unit. Ethereum's price of sending comes on top."""
    vector = PUBLISHED[name]
    state = StateOverlay(Nothing())
    for address, account in vector["pre"].items():
        put_code(state, data_of(address), data_of(account["code"]))
        put_nonce(state, data_of(address), number(account["nonce"]))
        for slot, value in account["storage"].items():
            put_slot(state, data_of(address), number(slot), number(value))
    data = data_of(vector["data"])
    sending = TX_GAS + sum(BYTE_GAS if byte else ZERO_GAS for byte in data)
    call = call_of(
        data_of(vector["to"]),
        data,
        gas=number(vector["gas_limit"]) - sending,
        height=number(vector["height"]),
        time_ms=number(vector["timestamp"]) * 1000,
    )
    result = LEDGER_EVM.execute(state, call)
    words = {
        key: int.from_bytes(value)
        for key, value in state.changes.items()
        if key.startswith(b"evm_slot") and value is not None
    }
    expected = StateOverlay(Nothing())
    for address, storage in vector["post_storage"].items():
        for slot, value in storage.items():
            put_slot(expected, data_of(address), number(slot), number(value))
    assert words == {key: int.from_bytes(value or b"") for key, value in expected.changes.items()}
    assert result.gas_used + sending == number(vector["gas_used"])


def test_a_contracts_address_comes_from_transaction_and_command() -> None:
    """irohad's own test: nonce 414243444546 gives this address. Only its length differs."""
    assert keccak(bytes.fromhex("414243444546"))[-20:].hex() == (
        "d9eb767b19a58b514765b844d0bcf0cd221660ac"
    )
    state = StateOverlay(Nothing())
    for index in (0, 1, 255):
        result = LEDGER_EVM.execute(state, call_of(None, b"\x00", command_index=index))
        nonce = NOTHING.hex() + f"{index:08x}"
        assert result.address == keccak(bytes.fromhex(nonce))[-20:]
        assert get_nonce(state, result.address) == 1
        assert get_code(state, result.address) == b""
        assert LEDGER_EVM.execute(state, call_of(result.address, b"any")).output == b""


def test_an_address_is_used_once() -> None:
    state = StateOverlay(Nothing())
    made = LEDGER_EVM.execute(state, call_of(None, b"\x00"))
    address = made.address.hex().upper()
    with pytest.raises(EvmFailedError, match=f"Account already exists at address {address}"):
        LEDGER_EVM.execute(state, call_of(None, b"\x00"))


@pytest.mark.parametrize(
    ("callee", "text"),
    [
        pytest.param("00" * 19 + "09", "does not exists at address 0{39}9", id="none"),
        pytest.param(evm_address(ALICE), "Contract account does not exists", id="an account"),
        pytest.param("00" * 19 + "04", "Contract account does not exists", id="a precompile"),
        pytest.param(SERVICE_CONTRACT, "reserved for a native contract", id="the service"),
    ],
)
def test_what_is_no_contract_cannot_be_called(callee: str, text: str) -> None:
    with pytest.raises(EvmFailedError, match=text):
        LEDGER_EVM.execute(StateOverlay(Nothing()), call_of(bytes.fromhex(callee)))


def test_a_contract_sees_the_block_and_nothing_else_of_the_world(vault: Deployed) -> None:
    seen, parent = vault.output("facts")
    block = vault.ledger.blocks[-1].block_v1.payload
    time_s, height, chain, gas, *rest = seen
    assert (time_s, height) == (block.created_time // 1000, block.height)
    assert (chain, gas) == (0, TRANSACTION_GAS)
    assert rest == [0] * 5
    assert parent == NOTHING


def test_storage_lasts_and_events_are_told(vault: Deployed) -> None:
    name = b"n" * 32
    assert vault.output("cells", name) == (0,)
    found = vault.call("store", name, 41)
    assert [log.topics[0] for log in found.logs] == [
        keccak(text="Stored(bytes32,uint256,address)").hex(),
        keccak(text="Note(string)").hex(),
    ]
    assert vault.output("cells", name) == (41,)
    vault.call("store", name, 0)
    assert vault.output("cells", name) == (0,)
    assert not [key for key in vault.ledger.state if key.endswith(name)]


def test_what_reverts_within_a_call_is_undone_and_tells_nothing(vault: Deployed) -> None:
    name = b"n" * 32
    found = vault.call("storeTwice", name, 1, 2)
    assert vault.output("cells", name) == (1,)
    (log,) = found.logs
    assert b"refused" in bytes.fromhex(log.data)


@pytest.mark.parametrize(
    ("function", "arguments", "text"),
    [
        ("fail", (), "execution reverted: 4e487b71"),
        ("store", (NOTHING, 10**19), "execution reverted: 1f4d5abe"),
        ("storeThenRefuse", (NOTHING, 1), "execution reverted: refused"),
        ("spin", (), "Out of gas"),
    ],
)
def test_a_failure_says_why(
    vault: Deployed, function: str, arguments: tuple[object, ...], text: str
) -> None:
    receipt = vault.try_call(function, *arguments)
    assert receipt.code == 3
    assert f"at address {vault.address}: {text}" in receipt.reason


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (b"", r"execution reverted$"),
        (b"\xff" * 4_000, rf"execution reverted: {'f' * 200}$"),
        (abi_call("Error", ["string"], ("a" * 4_000,)), rf"execution reverted: {'a' * 200}$"),
        (abi_call("Error", ["bytes"], (b"\xff",)), r"execution reverted: [0-9a-f]{200}$"),
        (keccak(text="Error(string)")[:4] + b"\x01", r"execution reverted: 08c379a001$"),
        (
            keccak(text="Error(string)")[:4] + abi_call("", ["bytes"], (b"\xff",))[4:],
            r"execution reverted: 08c379a0[0-9a-f]+$",
        ),
        (
            keccak(text="Error(string)")[:4] + (32).to_bytes(32) + (2**255).to_bytes(32),
            r"execution reverted: 08c379a0[0-9a-f]+$",
        ),
    ],
    ids=["none", "bytes", "text", "another error", "no text", "no UTF-8", "an endless text"],
)
def test_the_reason_of_a_revert_is_short(output: bytes, text: str) -> None:
    size = f"{len(output):04x}"
    # Copy what follows the code into memory, and revert with it.
    code = f"61{size}600e5f3961{size}5ffd".ljust(28, "0") + output.hex()
    with pytest.raises(EvmFailedError, match=text):
        LEDGER_EVM.execute(with_code(code), call_of(AT))


def test_a_failed_deployment_says_so() -> None:
    with pytest.raises(EvmFailedError, match="Error deploying smart contract at address"):
        LEDGER_EVM.execute(StateOverlay(Nothing()), call_of(None, bytes.fromhex("5f5ffd")))


def test_contracts_make_contracts(vault: Deployed) -> None:
    first, second = (vault.output("hatch")[0] for _ in range(2))
    assert first != second
    code = get_code(vault.ledger, bytes.fromhex(first.removeprefix("0x")))
    assert code
    assert code == get_code(vault.ledger, bytes.fromhex(second.removeprefix("0x")))


def test_selfdestruct_removes_what_the_same_call_made_and_nothing_else(vault: Deployed) -> None:
    """EIP-6780."""
    (child,) = vault.output("hatchAndBurn", NOTHING)
    address = bytes.fromhex(child.removeprefix("0x"))
    assert (get_code(vault.ledger, address), get_nonce(vault.ledger, address)) == (b"", 0)
    assert not [key for key in vault.ledger.state if address.hex().encode() in key]
    vault.call("burn")
    assert vault.output("cells", NOTHING) == (0,)


def test_transient_storage_lasts_one_call(vault: Deployed) -> None:
    assert vault.output("remember", 9) == (9,)
    assert vault.output("remembered") == (0,)


def test_nothing_has_a_balance(vault: Deployed) -> None:
    """A call with value pays for ether that nobody has: it fails, and its caller sees that."""
    code = "5f5f5f5f6001305af15f5260205ff3"
    assert LEDGER_EVM.execute(with_code(code), call_of(AT)).output == NOTHING


def test_the_hash_of_code_is_that_of_what_is_there_now() -> None:
    """It is kept within a call; what made the contract may be undone meanwhile."""
    # Asks twice for its own.
    code = "303f5f52303f60205260405ff3"
    output = LEDGER_EVM.execute(with_code(code), call_of(AT)).output
    assert output == keccak(bytes.fromhex(code)) * 2


def test_a_call_has_so_much_memory_and_no_more() -> None:
    """Else a loop of calls that pass it on would cost seconds for next to no gas."""
    for last, text in ((MEMORY_BYTES - 1, ""), (MEMORY_BYTES, "at most 262144 bytes of memory")):
        state = with_code(f"5f62{last:06x}53")
        if text:
            with pytest.raises(EvmFailedError, match=text):
                LEDGER_EVM.execute(state, call_of(AT))
        else:
            LEDGER_EVM.execute(state, call_of(AT))


def test_signature_recovery(vault: Deployed) -> None:
    key = keys.PrivateKey(b"\x11" * 32)
    digest = hashlib.sha256(b"message").digest()
    signature = key.sign_msg_hash(digest)
    words = (27 + signature.v, signature.r, signature.s)
    data = digest + b"".join(word.to_bytes(32) for word in words)
    (found,) = vault.output("digest", 1, data)
    assert found[-20:] == key.public_key.to_canonical_address()


@pytest.mark.parametrize(
    ("place", "hashed"),
    [
        (2, lambda data: hashlib.sha256(data).digest()),
        (3, lambda data: RIPEMD160.new(data).digest().rjust(32, b"\x00")),
        (4, lambda data: data),
    ],
)
def test_hashes_and_the_identity(
    vault: Deployed, place: int, hashed: Callable[[bytes], bytes]
) -> None:
    for data in (b"", b"abc", b"x" * 100):
        assert vault.output("digest", place, data) == (hashed(data),)


def test_the_hash_of_ripemd160_is_that_of_its_authors(vault: Deployed) -> None:
    (found,) = vault.output("digest", 3, b"abc")
    assert found.hex() == "0" * 24 + "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"


def test_modular_exponentiation(vault: Deployed) -> None:
    data = b"".join(word.to_bytes(32) for word in (1, 1, 1)) + bytes([3, 5, 100])
    assert vault.output("digest", 5, data) == (bytes([pow(3, 5, 100)]),)


@pytest.mark.parametrize("place", range(6, 11))
def test_what_is_too_slow_in_python_is_refused_and_not_taken_for_empty(
    vault: Deployed, place: int
) -> None:
    assert "no such precompile" in vault.try_call("digest", place, bytes(192)).reason


def test_calls_go_as_deep_as_ethereum_allows_and_parsers_stay_safe() -> None:
    """A contract that calls itself and counts, on a thread, as the ledger runs it."""
    # Returns 1 more than the call within it returned: 1,025 frames, the first one at depth 0.
    state = with_code("60205f5f5f5f305af1505f516001015f5260205ff3")
    results = []
    call = call_of(AT, gas=10**12)
    thread = threading.Thread(target=lambda: results.append(LEDGER_EVM.execute(state, call)))
    thread.start()
    thread.join()
    (result,) = results
    assert int.from_bytes(result.output) == 1_025
    assert sys.getrecursionlimit() == RECURSION_LIMIT
    with pytest.raises(RecursionError):
        json.loads("[" * 1_000_000)


def test_the_largest_contract_can_be_deployed() -> None:
    """24,576 bytes (EIP-170); one more is too many."""
    for size, fits in ((24_576, True), (24_577, False)):
        state, init = StateOverlay(Nothing()), bytes.fromhex(f"61{size:04x}5ff3")
        if fits:
            made = LEDGER_EVM.execute(state, call_of(None, init))
            assert len(get_code(state, made.address)) == size
        else:
            with pytest.raises(EvmFailedError):
                LEDGER_EVM.execute(state, call_of(None, init))


@given(code=st.binary(max_size=200), data=st.binary(max_size=64))
def test_any_code_gives_a_result_or_a_failure_and_always_the_same(code: bytes, data: bytes) -> None:
    def run() -> object:
        state = with_code(code.hex())
        try:
            result = LEDGER_EVM.execute(state, call_of(AT, data, gas=100_000))
        except EvmFailedError as failure:
            return str(failure)
        assert result.gas_used <= 100_000
        return result, dict(state.changes)

    assert run() == run()


def test_a_failed_call_leaves_the_state_as_it_was() -> None:
    # Stores 1 at 0, then meets an invalid opcode.
    state = with_code("60015f55fe")
    before = dict(state.changes)
    with pytest.raises(EvmFailedError, match="Invalid opcode 0xfe"):
        LEDGER_EVM.execute(state, call_of(AT))
    assert state.changes == before
    assert get_slot(state, AT, 0) == 0


def test_a_node_starts_with_a_ledger_that_has_its_engine_or_none() -> None:
    check_engine(small_ledger())
    check_engine(engine_ledger())
    with pytest.raises(ConfigError, match="sets EngineRules to 'prague-9'; this node knows"):
        check_engine(small_ledger(set_engine("prague-9")))


def test_the_library_is_loaded_when_a_contract_runs_and_not_before() -> None:
    code = (
        "import sys, node.ledger.daemon, node.cli.main; "
        "print([name for name in ('eth', 'eth_abi', 'eth_utils', 'py_ecc') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_library_a_node_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['eth'] = None\n"
        "from node.ledger.evm import check_engine\n"
        "from node.errors import ConfigError\n"
        "class State:\n"
        "    def get(self, key): return b'cancun-1'\n"
        "try: check_engine(State())\n"
        "except ConfigError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("is not installed: install tegata[evm]")


def test_calls_of_accounts_with_permission_only_reach_the_machine() -> None:
    ledger = engine_ledger()
    give_permissions(ledger, ALICE, RolePermission.can_call_engine)
    caller = deploy(ledger, CALLER, account_id=ALICE)
    receipt = committed(ledger.submit(ROOT, call_engine("00"), caller.command("serviceSize")))
    _, asked = get_engine_receipts(ledger, receipt.tx_hash).receipts
    size, code_hash = CALLER.decode_output("serviceSize", asked.call_result.result_data)
    assert (size, code_hash) == (15, keccak(b"ServiceContract"))
