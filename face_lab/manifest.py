"""The manifest of the networks that the node ships."""

import hashlib
import json
from pathlib import Path

DATA = Path(__file__).parents[1] / "node/face/vision/data"
_MANIFEST = DATA / "manifest.json"


def write_manifest(entries: list[dict[str, str]]) -> None:
    """Put files of the data folder into the manifest, in place of entries of the same files.

    Args:
        entries: Of each `file`, `origin` and `licence`; size and hash are read.
    """
    known = json.loads(_MANIFEST.read_text("utf-8"))["files"] if _MANIFEST.exists() else []
    files = {entry["file"]: entry for entry in known}
    for entry in entries:
        content = (DATA / entry["file"]).read_bytes()
        found = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        files[entry["file"]] = {**entry, **found}
    ordered = [files[name] for name in sorted(files)]
    _MANIFEST.write_text(json.dumps({"files": ordered}, indent=2) + "\n", "utf-8")
