"""`tegata demo` as a visitor runs it. (The tests of the story tell it on a wide terminal.)"""

from pathlib import Path

from support.command_line import run, run_inside

from node.errors import ConfigError

CHAPTERS = [
    "1. Genesis",
    "2. A wallet",
    "3. A credential",
    "4. The ward office asks for the address, and",
    "5. What the verifier saw",
    "6. A shop asks for more than it may",
    "7. A grant for a year, and who looked",
    "8. Three attacks",
    "9. The phone is lost",
    "10. Revocation",
    "done in",
]
TITLES = ("What the ward office sees", "All that the ledger stores")


def test_the_story_is_told_on_a_narrow_terminal(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    done = run("demo", "--keep", folder, env={"COLUMNS": "60"})
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    places = [done.stdout.index(chapter) for chapter in CHAPTERS]
    assert places == sorted(places)
    assert done.stdout.count("refused") >= 5
    assert "IT ASKS FOR MORE THAN IT IS REGISTERED FOR" in " ".join(done.stdout.split())
    assert "FOUND" not in done.stdout
    assert "NOT REFUSED" not in done.stdout
    assert done.stdout.count("not there") == 4
    assert not any(all(title in line for title in TITLES) for line in done.stdout.splitlines())
    kept = {path.name for path in folder.iterdir()}
    assert {"ledger", "issuer", "gateway", "agents", "hanako.wallet"} <= kept


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    result = run_inside("demo", "--keep", tmp_path)
    assert isinstance(result.exception, ConfigError)
    assert "File exists" in str(result.exception)
    assert list(tmp_path.iterdir()) == []
