"""Clients that set and get registers on a replicated ledger, and what they were told.

A set is a transaction that writes a detail. A get commits a transaction first and reads at the same
peer then: whatever was committed anywhere before the get began is below that transaction, so that
the answer is not an older one.
"""

import itertools
import json
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Final, Self

from client_sdk.errors import ClientError, QueryFailedError, TransactionFailedError
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import set_account_detail

REGISTERS: Final = ("red", "green", "blue")
_TOOL: Final = Path(__file__).parent / "linearizability"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A set or a get of a register.

    Attributes:
        client: Who.
        key: Which register.
        is_set: Whether it wrote.
        value: What was written or read.
        call: When it began, nanoseconds.
        return_: When it ended; 0 where it is not known whether it happened.
    """

    client: int
    key: str
    is_set: bool
    value: str
    call: int
    return_: int

    def line(self) -> str:
        """Return it as the checker reads it."""
        fields = asdict(self)
        fields["return"] = fields.pop("return_")
        return json.dumps(fields)


@dataclass(slots=True)
class RegisterClients:
    """Some clients at work, each at a peer of its own, from one failure to the next peer.

    A context; on leaving, they have stopped.

    Attributes:
        operations: All that was done; sets that failed without a word are among them.
        committed: Who was told COMMITTED of what: the hash, by the detail's key and value.
    """

    account_id: str
    peers: int
    connect: Callable[[int], LedgerClient]
    clients: int = 4
    pause_s: float = 0.0
    operations: list[Operation] = field(default_factory=list)
    committed: dict[str, tuple[str, str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    # Registers that are empty when the history begins.
    _run_name: str = field(default_factory=lambda: secrets.token_hex(4))
    _ends: threading.Event = field(default_factory=threading.Event)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        for number in range(self.clients):
            thread = threading.Thread(target=self._run, args=(number,), name=f"client {number}")
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self, count: int, patience_s: float = 120) -> None:
        """Return when so many more sets were committed."""
        with self._changed:
            wanted = len(self.committed) + count
            if not self._changed.wait_for(lambda: len(self.committed) >= wanted, patience_s):
                raise AssertionError(
                    f"in {patience_s} s {len(self.committed)} of {wanted} sets were committed: "
                    f"{self.failures[-3:]}"
                )

    def check_linearizable(self) -> None:
        """Check that the operations could have happened each at one instant.

        Raises:
            AssertionError: They could not.
        """
        history = "\n".join(one.line() for one in self.operations) + "\n"
        done = subprocess.run(
            ["go", "run", "."],
            cwd=_TOOL,
            input=history,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"

    def check_kept(self, connections: Sequence[LedgerClient]) -> None:
        """Check that every COMMITTED that was told is kept by each of some peers.

        Raises:
            AssertionError: One is lost.
        """
        for client in connections:
            kept = client.details(self.account_id, writer=self.account_id)
            lost = {key for key, value in self.committed.values() if kept.get(key) != value}
            assert not lost, f"of {len(self.committed)} committed sets are lost: {sorted(lost)[:5]}"

    def _run(self, number: int) -> None:
        chance, peer = Random(number), number
        registers = [f"{self._run_name}_{name}" for name in REGISTERS]
        client = self.connect(peer % self.peers)
        for count in itertools.count():
            if self._ends.wait(self.pause_s):
                break
            try:
                if chance.random() < 0.6:
                    self._set(client, number, count, chance.choice(registers))
                else:
                    self._get(client, number, count, chance.choice(registers))
            except ClientError as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                client.close()
                peer += 1
                client = self.connect(peer % self.peers)
        client.close()

    def _set(self, client: LedgerClient, number: int, count: int, key: str) -> None:
        """Write a register, and beside it a key that nobody else writes."""
        value, own = f"{number}_{count}", f"{self._run_name}_own_{number}_{count}"
        call = time.monotonic_ns()
        try:
            done = client.submit(
                set_account_detail(self.account_id, key, value),
                set_account_detail(self.account_id, own, value),
            )
        except TransactionFailedError:
            raise
        except ClientError:
            self._note(client=number, key=key, is_set=True, value=value, call=call, return_=0)
            raise
        end = time.monotonic_ns()
        self._note(client=number, key=key, is_set=True, value=value, call=call, return_=end)
        with self._changed:
            self.committed[done.tx_hash] = (own, value)
            self._changed.notify_all()

    def _get(self, client: LedgerClient, number: int, count: int, key: str) -> None:
        call = time.monotonic_ns()
        client.submit(set_account_detail(self.account_id, f"barrier_{number}", str(count)))
        try:
            value = client.account_detail(self.account_id, key, writer=self.account_id) or ""
        except QueryFailedError as error:
            if not error.is_absence:
                raise
            value = ""
        end = time.monotonic_ns()
        self._note(client=number, key=key, is_set=False, value=value, call=call, return_=end)

    def _note(
        self, *, client: int, key: str, is_set: bool, value: str, call: int, return_: int
    ) -> None:
        operation = Operation(
            client=client, key=key, is_set=is_set, value=value, call=call, return_=return_
        )
        with self._changed:
            self.operations.append(operation)
