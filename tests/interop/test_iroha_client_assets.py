"""The unmodified Python client of Iroha 1 moves assets on our node, on irohad's example ledger."""

import itertools
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from support.processes import NodeProcess

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-iroha" / "bin" / "python"
SCRIPT = Path(__file__).parent / "iroha_client" / "assets.py"
VECTORS = ROOT / "tests" / "vectors" / "iroha1"
ADMIN_KEY = "f101537e319568c765b2cc89698325604991dca57b9716b58016b253506cab70"
"""Of admin@test, as irohad's examples publish it."""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What the client saw."""
    folder = tmp_path_factory.mktemp("example")
    (folder / "keys").mkdir()
    shutil.copy(VECTORS / "genesis.block", folder)
    shutil.copy(VECTORS / "node0.pub", folder / "keys" / "node.pub")
    (folder / "keys" / "node.priv").touch(mode=0o600)
    (folder / "keys" / "node.priv").write_bytes((VECTORS / "node0.priv").read_bytes())
    (folder / "node.toml").write_text('torii = "127.0.0.1:0"\n', encoding="utf-8")
    assert PYTHON.exists(), "the Iroha client is not installed: `make test` does it"
    with NodeProcess(folder) as node:
        done = subprocess.run(
            [str(PYTHON), str(SCRIPT), node.address],
            input=ADMIN_KEY,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    printed: dict = json.loads(done.stdout)
    return printed


@pytest.fixture(scope="module")
def admins(seen: dict) -> list[str]:
    """The hashes of the admin's transactions that were committed, in order."""
    return [sent["hash"] for number, sent in enumerate(seen["sent"][:7]) if number != 5]


def test_what_is_covered_moves_and_what_is_not_is_refused(seen: dict) -> None:
    *moved, refused = (sent["told"] for sent in seen["sent"])
    assert moved == [[["COMMITTED", 0]]] * 7
    assert refused == [["STATEFUL_VALIDATION_FAILED", 6], ["REJECTED", 0]]
    assert seen["info"] == ["coin#domain", "domain", 2]
    assert seen["assets"] == {
        "admin": [["coin#domain", "998.50"]],
        "user": [["coin#domain", "1.50"]],
    }


def test_its_pages_join_in_both_orders(seen: dict, admins: list[str]) -> None:
    for name, expected in (("own", admins), ("newest_first", admins[::-1])):
        pages = seen[name]["pages"]
        assert [len(page) for page in pages] == [2, 2, 2]
        assert list(itertools.chain(*pages)) == expected
        assert seen[name]["total"] == 6


def test_its_bounds_hold(seen: dict, admins: list[str]) -> None:
    assert seen["in_time"] == {"pages": [admins[1:3], admins[3:4]], "total": 3}
    assert seen["in_height"] == {"pages": [admins[:2]], "total": 2}


def test_a_history_of_an_asset(seen: dict) -> None:
    transfers = [seen["sent"][number]["hash"] for number in (3, 4, 6)]
    assert seen["of_coin"] == {"pages": [transfers], "total": 3}
