"""`tegata demo` and the folder it keeps. (The README's test tells it on a narrow terminal.)"""

from pathlib import Path

from support.command_line import run_inside

from node.errors import ConfigError


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    result = run_inside("demo", "--keep", tmp_path)
    assert isinstance(result.exception, ConfigError)
    assert "File exists" in str(result.exception)
    assert list(tmp_path.iterdir()) == []
