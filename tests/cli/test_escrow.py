"""`tegata escrow` and the wallet's commands for loss, against three agents as processes."""

import html
import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.command_line import run, run_inside, run_json
from support.escrow_town import EscrowTown

from client_sdk.errors import TooFewAgentsError

pytestmark = pytest.mark.xdist_group("escrow_cli")

OPEN = {"TEGATA_PASSPHRASE": "a passphrase for this test"}
PASSWORD = {"TEGATA_RECOVERY_PASSWORD": "Aoba-Kawa-93-Mikan"}


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EscrowTown]:
    with EscrowTown(tmp_path_factory.mktemp("agents")) as town:
        yield town


def _link_on(page: Path) -> str:
    found = re.search(r"<code>(tegata-[^<]+)</code>", page.read_text(encoding="utf-8"))
    assert found is not None
    return html.unescape(found[1])


def test_from_protection_to_recovery(agents: EscrowTown, tmp_path: Path) -> None:
    wallet, page = tmp_path / "wallet", tmp_path / "card.html"
    created = run_json("wallet", "create", wallet, env=OPEN)
    addresses = [part for url in agents.urls for part in ("--agent", url)]
    protect = ("wallet", "protect", wallet, *addresses, "--card", page, "--language", "ja")
    shown = run_json(*protect, env={**OPEN, **PASSWORD})
    assert (shown["agents"], shown["needed"]) == (agents.urls, 2)
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert "復元カード" in page.read_text(encoding="utf-8")
    card = _link_on(page)

    assert run_json("wallet", "back-up", wallet, env=OPEN) == {
        "version": 2,
        "agents_at_fault": [],
    }
    rows = run_json("wallet", "escrow-log", wallet, env=OPEN)
    assert {row["agent"] for row in rows} == set(agents.urls)
    assert [row["event"] for row in rows][:3] == ["deposited", "confirmed", "backup stored"]

    new = tmp_path / "new"
    recovered = run_json(
        "wallet", "recover", new, env={**OPEN, **PASSWORD, "TEGATA_RECOVERY_CARD": card}
    )
    assert (recovered["version"], recovered["agents_at_fault"]) == (2, [])
    assert recovered["public_key"] != created["public_key"]

    sheets = tmp_path / "sheets"
    sheets.mkdir()
    files = run_json("wallet", "paper", new, sheets, env=OPEN)["sheets"]
    assert len(files) == 3
    done = run_inside("wallet", "recover", tmp_path / "third", "--sheet", "nonsense", env=OPEN)
    assert "tegata-paper:v1?" in str(done.exception)


def test_a_wrong_password_is_refused_with_the_attempts_that_are_left(
    agents: EscrowTown, tmp_path: Path
) -> None:
    wallet, page = tmp_path / "wallet", tmp_path / "card.html"
    run_json("wallet", "create", wallet, env=OPEN)
    addresses = [part for url in agents.urls for part in ("--agent", url)]
    run_json("wallet", "protect", wallet, *addresses, "--card", page, env={**OPEN, **PASSWORD})
    typed = f"{_link_on(page)}\nWrong-Password-1\n"
    done = run("wallet", "recover", tmp_path / "new", env=OPEN, typed=typed)
    assert done.returncode == 1
    assert "WrongPasswordError" in done.stderr
    assert "9 attempts" in done.stderr
    assert not (tmp_path / "new").exists()


def test_agents_that_start_again_are_waited_for(
    agents: EscrowTown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet, page = tmp_path / "wallet", tmp_path / "card.html"
    run_inside("wallet", "create", wallet, env=OPEN)
    addresses = [part for url in agents.urls for part in ("--agent", url)]
    protect = ("wallet", "protect", wallet, *addresses, "--card", page)
    assert run_inside(*protect, env={**OPEN, **PASSWORD}).exit_code == 0
    recover = ("wallet", "recover", tmp_path / "new", "--card", f"@{page}")
    away = agents.agents[:2]
    for agent in away:
        agent.stop()

    impatient = run_inside(*recover, "--patience", "0", env={**OPEN, **PASSWORD})
    assert isinstance(impatient.exception, TooFewAgentsError)
    assert not (tmp_path / "new").exists()

    def start_one(_seconds: float) -> None:
        away.pop().start(is_measured=False)

    monkeypatch.setattr("node.cli.patience.time", SimpleNamespace(sleep=start_one))
    done = run_inside(*recover, "--json", env={**OPEN, **PASSWORD})
    assert done.exit_code == 0, done.output
    assert "Waiting: " in done.stderr
    assert json.loads(done.stdout)["version"] == 1
    # One of them was enough: nobody waited for the other.
    assert len(away) == 1
    away.pop().start()


def test_a_card_is_not_written_over_and_a_refusal_leaves_none(
    agents: EscrowTown, tmp_path: Path
) -> None:
    wallet, page = tmp_path / "wallet", tmp_path / "card.html"
    run_json("wallet", "create", wallet, env=OPEN)
    protect = ("wallet", "protect", wallet, "--agent", agents.urls[0], "--card", page)
    weak = run_inside(*protect, env={**OPEN, "TEGATA_RECOVERY_PASSWORD": "Password1"})
    assert "too easily guessed" in str(weak.exception)
    assert not page.exists()
    plain_http = ("--agent", "http://192.0.2.1", "--card", page)
    done = run_inside("wallet", "protect", wallet, *plain_http, env={**OPEN, **PASSWORD})
    assert "https is required" in str(done.exception)
    page.write_text("another card")
    done = run_inside(*protect, env={**OPEN, **PASSWORD})
    assert "cannot be created" in str(done.exception)
    assert page.read_text() == "another card"


def test_an_agent_is_made_once(tmp_path: Path) -> None:
    made = run_json("escrow", "init", tmp_path / "agent", "--name", "A", "--listen", "127.0.0.1:1")
    assert made["public_url"] == "http://127.0.0.1:1"
    again = run("escrow", "init", tmp_path / "agent", "--name", "A")
    assert again.returncode == 5
    assert "not made twice" in again.stderr
    for arguments, word in (
        (("--listen", "0.0.0.0:1"), "https is required"),
        (("--public-url", "ftp://x.example"), "https is required"),
    ):
        bad = run_inside("escrow", "init", tmp_path / "other", "--name", "A", *arguments)
        assert word in str(bad.exception)
    (tmp_path / "file").write_text("")
    bad = run_inside("escrow", "init", tmp_path / "file" / "x", "--name", "A")
    assert "cannot be created" in str(bad.exception)
