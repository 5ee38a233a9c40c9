"""A transaction on which the rules themselves fail: it alone is lost, and kept for the report."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.batches import ATOMIC, lone, set_meta
from support.ledger_stores import NOW_MS, WINDOW, LedgerStores, opened
from support.memory_ledger import sign_transaction
from support.processes import LedgerFolder, make_ledger_folder

from chaincode import transition
from chaincode.blocks import Verdict
from chaincode.errors import EvmMissingError, InvalidBlockError
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.rules.scope import Scope
from node.errors import StorageError
from node.ledger.engine import Engine
from node.ledger.quarantine import Quarantine

SECRET = "what-nobody-may-read-in-a-log"
_apply_command = transition.apply_command


@pytest.fixture
def folder(tmp_path: Path) -> LedgerFolder:
    return make_ledger_folder(tmp_path / "node")


@pytest.fixture
def ledger(folder: LedgerFolder) -> Iterator[LedgerStores]:
    with opened(folder) as stores:
        yield stores


def break_rules(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    """Make the rules fail on each detail that is called `poison`, after they have written it."""

    def apply(scope: Scope, command: Command) -> None:
        _apply_command(scope, command)
        if command.set_account_detail.key == "poison":
            raise fault

    monkeypatch.setattr(transition, "apply_command", apply)


def engine_with_quarantine(ledger: LedgerStores) -> tuple[Engine, Path]:
    kept = ledger.data / "quarantine"
    key = ledger.folder.node_key
    return Engine(ledger.blocks, ledger.state, key, quarantine=Quarantine(kept)), kept


@pytest.mark.parametrize("fault", [KeyError(SECRET), RecursionError()])
def test_it_is_rejected_alone_and_kept(
    ledger: LedgerStores, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    break_rules(monkeypatch, fault)
    engine, kept = engine_with_quarantine(ledger)
    good, poison, better = (ledger.detail(key, SECRET) for key in ("a", "poison", "b"))
    with capture_logs() as logs:
        candidate = engine.finalize(NOW_MS, lone(good, poison, better))
    engine.commit(candidate)
    verdicts = [receipt.verdict for receipt in candidate.receipts]
    assert verdicts == [Verdict.COMMITTED, Verdict.REJECTED, Verdict.COMMITTED]
    rejected = candidate.receipts[1]
    assert (rejected.command_name, rejected.code) == ("internal fault", 1)
    assert type(fault).__name__ in rejected.reason
    assert not any(b"poison" in key for key in candidate.changes)
    (file,) = kept.iterdir()
    assert Transaction.FromString(file.read_bytes()) == poison.message
    (line,) = logs
    assert (line["tx_hash"], line["kept"]) == (poison.hash.hex(), str(file))
    assert line["place"].startswith("test_quarantine.py:")
    assert SECRET not in str(logs) + rejected.reason
    # It cannot come back.
    again = engine.finalize(NOW_MS, lone(poison))
    assert [receipt.verdict for receipt in again.receipts] == [Verdict.REPLAYED]


def test_the_chain_replays_without_it(
    folder: LedgerFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_rules(monkeypatch, KeyError())
    with opened(folder) as ledger:
        ledger.add_block(ledger.detail("a", "x"), ledger.detail("poison", "x"))
        tip = ledger.tip()
    monkeypatch.undo()
    (ledger.data / "state.sqlite").unlink()
    with opened(folder) as ledger:
        assert ledger.tip() == tip


def test_an_atomic_batch_fails_with_it(
    ledger: LedgerStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_rules(monkeypatch, KeyError())
    engine, _ = engine_with_quarantine(ledger)
    messages = [ledger.detail(key, "x").message for key in ("a", "poison")]
    set_meta(*messages, kind=ATOMIC)
    for message in messages:
        del message.signatures[:]
        sign_transaction(message, ledger.folder.admin_key)
    candidate = engine.finalize(NOW_MS, engine.check(messages, WINDOW))
    assert [receipt.verdict for receipt in candidate.receipts] == [Verdict.REJECTED] * 2
    assert candidate.changes == {}


@pytest.mark.parametrize(
    "fault", [StorageError("disk"), OSError(), MemoryError(), EvmMissingError("no engine")]
)
def test_what_the_machine_lacks_is_no_fault_of_the_transaction(
    ledger: LedgerStores, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    break_rules(monkeypatch, fault)
    engine, kept = engine_with_quarantine(ledger)
    with pytest.raises(type(fault)):
        engine.finalize(NOW_MS, lone(ledger.detail("poison", "x")))
    assert not kept.exists()


def test_a_folder_that_cannot_be_written_changes_nothing(
    ledger: LedgerStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_rules(monkeypatch, KeyError())
    engine, kept = engine_with_quarantine(ledger)
    kept.write_text("a file stands in the way")
    (receipt,) = engine.finalize(NOW_MS, lone(ledger.detail("poison", "x"))).receipts
    assert receipt.verdict is Verdict.REJECTED


def test_a_committed_transaction_on_which_the_rules_fail_ends_the_replay(
    folder: LedgerFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules have changed since: the node must not guess which of them were right."""
    with opened(folder) as ledger:
        ledger.add_block(ledger.detail("poison", "x"))
    (ledger.data / "state.sqlite").unlink()
    break_rules(monkeypatch, KeyError())
    with pytest.raises(InvalidBlockError, match="is in it, but fails: the rules failed: KeyError"):
        LedgerStores(folder)


def test_the_quarantine_does_not_fill_the_disk(
    ledger: LedgerStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.ledger.quarantine._MAX_KEPT", 2)
    break_rules(monkeypatch, KeyError())
    engine, kept = engine_with_quarantine(ledger)
    poison = [ledger.detail("poison", str(number)) for number in range(4)]
    engine.finalize(NOW_MS, lone(*poison))
    assert len(list(kept.iterdir())) == 2
