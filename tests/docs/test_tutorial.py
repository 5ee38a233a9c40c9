"""The tutorial, run block after block as its reader would."""

import re
import shutil
from contextlib import ExitStack
from pathlib import Path

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"


def test_the_tutorial_runs() -> None:
    text = TUTORIAL.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 9
    names: dict[str, object] = {}
    try:
        for block in blocks:
            exec(compile(block, str(TUTORIAL), "exec"), names)
    finally:
        everything, folder = names["everything"], names["folder"]
        assert isinstance(everything, ExitStack)
        assert isinstance(folder, Path)
        everything.close()
        shutil.rmtree(folder)
