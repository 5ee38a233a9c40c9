"""`tegata demo` and the folder it keeps. (The README's test tells it on a narrow terminal.)"""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console
from support.command_line import run_inside

from node.cli.demo.chapters.face_test import have_face_tested
from node.cli.demo.stage import Stage
from node.errors import ConfigError


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    result = run_inside("demo", "--keep", tmp_path)
    assert isinstance(result.exception, ConfigError)
    assert "File exists" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_where_no_face_service_is_installed_the_story_says_so() -> None:
    told = io.StringIO()
    cast: Any = SimpleNamespace(
        stage=Stage(Console(file=told, width=200)), town=SimpleNamespace(has_face=False)
    )
    have_face_tested(cast, cast)
    assert "A face is there, or is not" in told.getvalue()
    assert "pip install 'tegata[face]'" in told.getvalue()
