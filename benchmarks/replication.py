"""What replication costs: four peers on this machine beside one node, and beside CometBFT alone.

The same transactions go to four peers, to a node that orders alone, and, as bytes of the same
length, to four CometBFT nodes with the key-value store that CometBFT brings as its example: that
one checks no signature and keeps no history, so that it shows what consensus itself costs. All
share the machine's cores, and take turns.
"""

import base64
import itertools
import os
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import requests

from benchmarks.figures import Figure, Step, Unit, percentile
from benchmarks.load import (
    COMMANDS,
    Account,
    details,
    follow_each,
    lists_of,
    send_all,
    timed,
    wait_committed,
)
from benchmarks.running_ledger import OwnNode
from chaincode.protocol.transaction_pb2 import Transaction
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import create_account
from node.cli.demo.free_ports import free_addresses, free_ports
from node.cli.demo.town import ServiceProcess
from node.ledger.genesis import ADMIN_ACCOUNT
from node.network.cometbft_config import CometBftNode, config_toml, genesis_json
from node.network.cometbft_keys import key_address, save_node_key, save_validator_key
from node.network.layout import PeerFolder, PeerPlace, peer_folders, write_network
from node.network.peer_processes import search_path

PEERS: Final = 4
_GROUP: Final = "replication"
_ALONE: Final = "one node that orders alone, same run"
_KVSTORE: Final = "four CometBFT with their own kvstore, same run"
_LIST: Final = 500
_IN_FLIGHT: Final = 4
_ROUNDS: Final = 3
_GAP_S: Final = 0.2
_PATIENCE_S: Final = 120.0
_PAUSE_S: Final = 0.005


class _Loaded(ABC):
    """What takes the load."""

    @abstractmethod
    def commit(self, transactions: Sequence[Transaction]) -> None:
        """Send transactions; return when all are committed."""

    @abstractmethod
    def follow(self, transactions: Sequence[Transaction]) -> list[float]:
        """Send one after another; return the milliseconds until each is committed."""


class _Ledger(_Loaded):
    """A ledger, by its Torii."""

    def __init__(self, address: str, admin: LedgerClient) -> None:
        self.address = address
        self._admin = admin

    def new_account(self, name: str, key: AccountKey) -> None:
        """Make an account."""
        self._admin.submit(create_account(name, key.public_key))

    def commit(self, transactions: Sequence[Transaction]) -> None:
        """Send transactions in lists; return when all are committed."""
        sent = send_all(
            self.address,
            COMMANDS + "ListTorii",
            lists_of(transactions, _LIST),
            clients=_IN_FLIGHT,
            in_flight=_IN_FLIGHT,
        )
        if sent.errors:
            raise RuntimeError(f"{len(sent.errors)} lists were refused: {sent.errors[0]}")
        last = transactions[-_LIST * _IN_FLIGHT :: _LIST // 4]
        wait_committed(self.address, (*last, transactions[-1]))

    def follow(self, transactions: Sequence[Transaction]) -> list[float]:
        """Send one after another; return the milliseconds until each is committed."""
        return follow_each(self.address, transactions, _GAP_S)


class _KvStore(_Loaded):
    """Four CometBFT nodes with the application that CometBFT brings. A context."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._addresses = free_addresses(2 * PEERS)
        self._opened = ExitStack()
        self._http = requests.Session()
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        rpc, p2p = self._addresses[:PEERS], self._addresses[PEERS:]
        keys = [AccountKey.generate() for _ in range(PEERS)]
        nodes = [AccountKey.generate() for _ in range(PEERS)]
        genesis = genesis_json("kvstore", time.time_ns() // 1_000_000, keys)
        names = [f"{key_address(key)}@{one}" for key, one in zip(nodes, p2p, strict=True)]
        with ExitStack() as stack:
            for number in range(PEERS):
                home = self._folder / f"kvstore{number}"
                config, data = home / "config", home / "data"
                config.mkdir(parents=True)
                data.mkdir()
                node = CometBftNode(
                    name=home.name,
                    rpc=rpc[number],
                    p2p=p2p[number],
                    address=p2p[number],
                    neighbours=[one for one in names if one != names[number]],
                )
                (config / "config.toml").write_text(config_toml(node), encoding="utf-8")
                (config / "genesis.json").write_text(genesis, encoding="utf-8")
                save_validator_key(keys[number], config, data)
                save_node_key(nodes[number], config)
                stack.enter_context(_comet(home))
            self._url = f"http://{rpc[0]}/"
            _wait(lambda: self._height() > 1, "the kvstore's first blocks")
            self._opened = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()
        self._http.close()

    def commit(self, transactions: Sequence[Transaction]) -> None:
        """Send pairs of the same length by calls of 500; return when all are committed."""
        height, wanted = self._height(), len(transactions)
        for start in range(0, wanted, _LIST):
            calls = [
                _call("broadcast_tx_async", tx=self._pair(each))
                for each in transactions[start : start + _LIST]
            ]
            self._http.post(self._url, json=calls, timeout=_PATIENCE_S).raise_for_status()
        done = 0

        def are_in() -> bool:
            nonlocal height, done
            while height < self._height():
                height += 1
                meta = self._result("blockchain", minHeight=str(height), maxHeight=str(height))
                done += int(meta["block_metas"][0]["num_txs"])
            return done >= wanted

        _wait(are_in, "the kvstore's blocks")

    def follow(self, transactions: Sequence[Transaction]) -> list[float]:
        """Send one after another; return the milliseconds until each is committed."""
        taken = []
        for each in transactions:
            pair = self._pair(each)
            time.sleep(_GAP_S)
            taken.append(
                timed(lambda pair=pair: self._result("broadcast_tx_commit", tx=pair)) * 1e3
            )  # type: ignore[misc]
        return taken

    def _pair(self, transaction: Transaction) -> str:
        """Return `key=value` that is as long as a transaction, in base64."""
        key = f"{next(self._numbers)}="
        return base64.b64encode(key.encode().ljust(transaction.ByteSize(), b"x")).decode()

    def _height(self) -> int:
        try:
            return int(self._result("status")["sync_info"]["latest_block_height"])
        except requests.RequestException:
            return 0

    def _result(self, method: str, **parameters: str) -> dict[str, Any]:
        answer = self._http.post(self._url, json=_call(method, **parameters), timeout=_PATIENCE_S)
        result: dict[str, Any] = answer.json()["result"]
        return result


def _call(method: str, **parameters: str) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 0, "method": method, "params": parameters}


class _comet(ExitStack):  # noqa: N801 - used as a function
    """A CometBFT with the kvstore in it. A context; on leaving, it is stopped."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        log = self.enter_context((home / "log").open("wb"))
        process = subprocess.Popen(
            [_program(), "start", "--home", str(home), "--proxy_app=kvstore"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        self.callback(process.wait)
        self.callback(process.terminate)


def _program() -> str:
    found = shutil.which("cometbft", path=search_path())
    if found is None:
        raise RuntimeError("CometBFT is not installed: docs/operations.md says how")
    return found


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"in {_PATIENCE_S:.0f} s there was nothing of {what}")
        time.sleep(_PAUSE_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is sent.

    Attributes:
        transactions: In lists, in each round.
        lone: Alone.
    """

    transactions: int
    lone: int


SIZES: Final = Sizes(transactions=4_000, lone=40)
SHORT_SIZES: Final = Sizes(transactions=1_000, lone=10)


class ReplicationBench:
    """Four peers, and what stands beside them. A context; on leaving, all are stopped."""

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        """Prepare; entering starts the processes.

        Args:
            folder: Where their files go.
            sizes: How much is sent.
        """
        self._folder = folder / "replication"
        self._sizes = sizes
        self._opened = ExitStack()
        self._account = Account("bench@holder", AccountKey.generate())

    def __enter__(self) -> Self:
        first_port = free_ports(10 * PEERS)[0]
        places = [PeerPlace.on_one_machine(n, first_port) for n in range(1, PEERS + 1)]
        write_network(self._folder, places, created_time_ms=time.time_ns() // 1_000_000)
        # Where the nodes look for their CometBFT.
        os.environ["PATH"] = search_path()
        with ExitStack() as stack:
            peers = peer_folders(self._folder)
            for peer in peers:
                stack.callback(self._start(peer).stop)
            key = AccountKey.load(peers[0].path / "keys" / f"{ADMIN_ACCOUNT}.priv")
            admin = LedgerClient(peers[0].torii(), ADMIN_ACCOUNT, key, timeout_s=_PATIENCE_S)
            self._peers = _Ledger(peers[0].torii(), stack.enter_context(admin))
            alone = stack.enter_context(OwnNode(self._folder / "alone"))
            self._alone = _Ledger(alone.address, stack.enter_context(alone.admin()))
            kvstore = stack.enter_context(_KvStore(self._folder / "kvstore"))
            for ledger in (self._peers, self._alone):
                ledger.new_account(self._account.account_id, self._account.key)
            self._loaded: dict[str, _Loaded] = {
                "": self._peers,
                _ALONE: self._alone,
                _KVSTORE: kvstore,
            }
            self._opened = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def steps(self) -> Sequence[Step]:
        """Return what is measured here."""
        return [
            Step(name="four peers: lists", take=self._take_lists),
            Step(name="four peers: lone transactions", take=self._take_lone),
        ]

    def _start(self, peer: PeerFolder) -> ServiceProcess:
        return ServiceProcess(("node", "start", str(peer.path)), peer.path / "node.log")

    def _take_lists(self) -> Iterator[Figure]:
        rates: dict[str, list[float]] = {}
        for _ in range(_ROUNDS):
            for name, loaded in self._loaded.items():
                transactions = details(self._account, self._sizes.transactions)
                seconds = timed(lambda: loaded.commit(transactions))  # noqa: B023
                rates.setdefault(name, []).append(len(transactions) / seconds)
        best = {name: max(values) for name, values in rates.items()}
        yield Figure(
            group=_GROUP,
            name=f"transactions in lists of {_LIST} to one of four peers",
            unit=Unit.PER_SECOND,
            value=best.pop(""),
            peers=best,
            bound_by="CPU: each of the four checks, decides and writes every transaction",
        )

    def _take_lone(self) -> Iterator[Figure]:
        times = {
            name: loaded.follow(details(self._account, self._sizes.lone, keys=10))
            for name, loaded in self._loaded.items()
        }
        for percent in (50, 95):
            taken = {name: percentile(values, percent) for name, values in times.items()}
            yield Figure(
                group=_GROUP,
                name=f"lone transaction to COMMITTED, four peers, p{percent}",
                unit=Unit.MILLISECONDS,
                value=taken.pop(""),
                peers=taken,
                bound_by="three rounds of messages, and a sync of four peers' logs",
            )
