"""Running the scripts of other implementations in JavaScript (`tests/interop/js`)."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

SCRIPTS: Final = Path(__file__).parents[1] / "interop" / "js"
_NODE: Final = shutil.which("node")


def run_script(script: str, task: object, *, timeout_s: float = 60) -> Any:
    """Give a script a task as JSON on its standard input; return the JSON that it prints."""
    assert _NODE, "Node.js is needed: see CONTRIBUTING.md"
    assert (SCRIPTS / "node_modules").is_dir(), "run: npm ci --prefix tests/interop/js"
    done = subprocess.run(
        [_NODE, script],
        cwd=SCRIPTS,
        input=json.dumps(task),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
