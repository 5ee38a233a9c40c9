"""The contracts of `tests/vectors/evm`, and how tests deploy and call them on a small ledger."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak
from support.memory_ledger import MemoryLedger
from support.small_ledger import ROOT, committed, small_ledger

from chaincode.blocks import Receipt
from chaincode.evm import get_engine_receipts
from chaincode.protocol.commands_pb2 import CallEngine, Command, SetSettingValue
from chaincode.protocol.primitive_pb2 import EngineReceipt
from chaincode.rules.settings import ENGINE_RULES
from chaincode.service_contract import SERVICE_FUNCTIONS
from node.ledger.evm import CANCUN_RULES

VECTORS = Path(__file__).parents[1] / "vectors" / "evm"
SERVICE_CONTRACT = "a6abc17819738299b3b2c1ce46d55c74f04e290c"


class Contract:
    """A compiled contract: what deploys it, and how its functions are called."""

    def __init__(self, name: str) -> None:
        compiled = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
        self.bytecode: str = compiled["bytecode"]
        self._functions = {entry["name"]: entry for entry in compiled["abi"] if "name" in entry}

    def call_data(self, function: str, *arguments: object) -> str:
        """Return the input of a call, in hex."""
        types = [each["type"] for each in self._functions[function]["inputs"]]
        return abi_call(function, types, arguments).hex()

    def decode_output(self, function: str, output: str) -> tuple[Any, ...]:
        """Return what a call returned."""
        types = [each["type"] for each in self._functions[function]["outputs"]]
        values: tuple[Any, ...] = decode(types, bytes.fromhex(output))
        return values


VAULT, CALLER = Contract("Vault"), Contract("Caller")


def abi_call(function: str, types: list[str], arguments: tuple[object, ...]) -> bytes:
    selector = keccak(text=f"{function}({','.join(types)})")[:4]
    return selector + encode(types, arguments)


def service_call(function: str, *texts: str) -> bytes:
    """Return what a contract sends to the service contract."""
    assert function not in SERVICE_FUNCTIONS or SERVICE_FUNCTIONS[function].parameters == len(texts)
    return abi_call(function, ["string"] * len(texts), texts)


def evm_address(account_id: str) -> str:
    """Return the address that an account has in contracts, in hex."""
    return keccak(text=account_id)[-20:].hex()


def call_engine(data: str, callee: str | None = None, *, caller: str = ROOT) -> Command:
    return Command(call_engine=CallEngine(caller=caller, callee=callee, input=data))


def set_engine(rules: str = CANCUN_RULES) -> Command:
    """Return the command of a genesis block that gives the ledger an engine."""
    return Command(set_setting_value=SetSettingValue(key=ENGINE_RULES, value=rules))


@dataclass(frozen=True)
class Deployed:
    """A contract on a ledger.

    Attributes:
        ledger: Where it is.
        contract: What it is.
        address: Where it is called, in hex.
    """

    ledger: MemoryLedger
    contract: Contract
    address: str

    def command(self, function: str, *arguments: object, caller: str = ROOT) -> Command:
        """Return the command that calls a function."""
        data = self.contract.call_data(function, *arguments)
        return call_engine(data, self.address, caller=caller)

    def try_call(self, function: str, *arguments: object, account_id: str = ROOT) -> Receipt:
        """Submit a call of a function in the account's own name."""
        command = self.command(function, *arguments, caller=account_id)
        return self.ledger.submit(account_id, command)

    def call(self, function: str, *arguments: object, account_id: str = ROOT) -> EngineReceipt:
        """Call a function; return its only receipt."""
        receipt = committed(self.try_call(function, *arguments, account_id=account_id))
        (found,) = get_engine_receipts(self.ledger, receipt.tx_hash).receipts
        return found

    def output(self, function: str, *arguments: object, account_id: str = ROOT) -> tuple[Any, ...]:
        """Call a function; return what it returned."""
        found = self.call(function, *arguments, account_id=account_id)
        return self.contract.decode_output(function, found.call_result.result_data)


def engine_ledger(*more: Command) -> MemoryLedger:
    """Return a small ledger with an engine, whose genesis ends with `more` commands."""
    return small_ledger(set_engine(), *more)


def deploy(ledger: MemoryLedger, contract: Contract, *, account_id: str = ROOT) -> Deployed:
    """Deploy a contract."""
    command = call_engine(contract.bytecode, caller=account_id)
    receipt = committed(ledger.submit(account_id, command))
    (found,) = get_engine_receipts(ledger, receipt.tx_hash).receipts
    return Deployed(ledger, contract, found.contract_address)
