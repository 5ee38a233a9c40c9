"""`tegata wallet refresh`: more credentials without a new offer, or why there are none."""

import json
import time
from pathlib import Path

import pytest
import structlog
from support.command_line import run_inside
from support.issuing_town import Town, town_of

PASSPHRASE = {"TEGATA_PASSPHRASE": "pass"}


def refresh(town: Town, *more: str) -> list[dict[str, object]]:
    done = run_inside("wallet", "refresh", town.path, "--json", *more, env=PASSPHRASE)
    assert done.exit_code == 0, done.output
    rows: list[dict[str, object]] = json.loads(done.stdout)
    return rows


def test_each_issuers_token_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The service's log would stand in the command's output.
    with town_of(tmp_path, refresh_days=30) as town, structlog.testing.capture_logs():
        monkeypatch.setattr(time, "time_ns", lambda: town.world.clock() * 1_000_000)
        empty = run_inside("wallet", "refresh", town.path, env=PASSPHRASE)
        assert "No issuer gave" in empty.output
        offer = town.world.make_offer()
        options = ("--one-time", "2", "--tx-code", offer["tx_code"])
        done = run_inside("wallet", "receive", town.path, offer["link"], *options, env=PASSPHRASE)
        assert done.exit_code == 0, done.output
        (row,) = refresh(town, "--count", "3")
        assert (row["credentials"], row["one_time"], row["state"]) == (3, True, "received")
        town.world.clock.advance(seconds=30 * 86_400)
        (row,) = refresh(town)
        assert row["credentials"] == 0
        assert "invalid_grant" in str(row["state"])
        # It is forgotten: what the issuer takes no more is not asked for again.
        assert refresh(town) == []
