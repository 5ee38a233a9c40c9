"""A lone transaction through our own client, to a real ledger node in a process of its own.

Beside it stands the floor of the machine: what the disk needs for the same bytes.
"""

import itertools
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from benchmarks.figures import Figure, Step, Unit, call_milliseconds, percentile
from chaincode.signatures import KeyAlgorithm
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import create_account, set_account_detail
from node.cli.demo.free_ports import free_addresses
from node.cli.demo.town import ServiceProcess, run
from node.ledger.genesis import ADMIN_ACCOUNT

_ROUNDS: Final = 3
_LONE: Final = 200
_VALUE: Final = "x" * 200
_TIP_BYTES: Final = 2_120
"""What the state keeps of the top of the chain: the running hash of all entries, mostly."""

_APPEND: Final = "append and fdatasync of the same bytes"
_COMMIT: Final = "SQLite commit of the same rows"


class LedgerBench:
    """A new ledger and its node. A context; on leaving, the node is stopped."""

    def __init__(self, folder: Path) -> None:
        """Prepare; entering starts the node.

        Args:
            folder: Where its files go: on the disk that is to be measured.
        """
        self._folder = folder
        (self._address,) = free_addresses(1)
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        ledger = self._folder / "ledger"
        run("node", "init", str(ledger), "--torii", self._address)
        with ExitStack() as stack:
            node = ServiceProcess(("node", "start", str(ledger)), self._folder / "node.log")
            stack.callback(node.stop)
            admin_key = AccountKey.load(ledger / "keys" / f"{ADMIN_ACCOUNT}.priv")
            self._admin = stack.enter_context(
                LedgerClient(self._address, ADMIN_ACCOUNT, admin_key, timeout_s=60)
            )
            self._holder = stack.enter_context(self._new_account("bench"))
            self._opened = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def steps(self) -> Sequence[Step]:
        """Return what is measured here."""
        return [
            Step(name="lone transactions", take=self._take_lone),
        ]

    def _new_account(self, name: str) -> LedgerClient:
        key = AccountKey.generate(KeyAlgorithm.ED25519_SHA2)
        account_id = f"{name}@holder"
        self._admin.submit(create_account(account_id, key.public_key))
        return LedgerClient(self._address, account_id, key, timeout_s=60)

    def _take_lone(self) -> Iterator[Figure]:
        holder = self._holder

        def write(number: int) -> None:
            holder.submit(set_account_detail(holder.account_id, f"lone_{number % 10}", _VALUE))

        call_milliseconds(write, 20)
        blocks = self._folder / "ledger" / "data" / "blocks"
        size_before = blocks.stat().st_size
        with ExitStack() as stack:
            append = stack.enter_context(_Appends(self._folder / "append"))
            commit = stack.enter_context(_Commits(self._folder / "commit.sqlite"))
            rounds: dict[str, list[list[float]]] = {"ours": [], _APPEND: [], _COMMIT: []}
            for _ in range(_ROUNDS):
                rounds["ours"].append(call_milliseconds(write, _LONE))
                record_bytes = (blocks.stat().st_size - size_before) // _LONE
                size_before = blocks.stat().st_size
                rounds[_APPEND].append(call_milliseconds(append.writer(record_bytes), _LONE))
                rounds[_COMMIT].append(call_milliseconds(commit.write, _LONE))
        for percent in (50, 95):
            taken = {
                name: min(percentile(times, percent) for times in taken_rounds)
                for name, taken_rounds in rounds.items()
            }
            yield Figure(
                group="ledger",
                name=f"lone transaction through our client, p{percent}",
                unit=Unit.MILLISECONDS,
                value=taken.pop("ours"),
                peers=taken,
            )


class _Appends:
    """A file that records are appended to, each one synced."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def writer(self, size: int) -> Callable[[int], None]:
        """Return what appends `size` bytes."""
        data = os.urandom(size)

        def write(_number: int) -> None:
            os.write(self._file, data)
            os.fdatasync(self._file)

        return write

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        os.close(self._file)


class _Commits:
    """A database that gets the rows of one block at a time, each commit synced."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE row (key BLOB PRIMARY KEY, value BLOB)")
        self._numbers = itertools.count()

    def write(self, _number: int) -> None:
        """Commit what one block changes: a detail, the decision, the block's place, the tip."""
        number = next(self._numbers).to_bytes(32, "big")
        rows = [
            (b"detail" + number[-1:], _VALUE.encode()),
            (b"decided" + number, bytes(16)),
            (b"block" + number[-8:], bytes(8)),
            (b"tip", os.urandom(_TIP_BYTES)),
        ]
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("REPLACE INTO row VALUES (?, ?)", rows)
        self._connection.execute("COMMIT")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._connection.close()
