"""What took long to make, kept in a folder: a run that is cut off goes on where it was."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_Kept = TypeVar("_Kept")


def kept(folder: Path | None, name: str, make: Callable[[], _Kept]) -> _Kept:
    """Return what a folder keeps under a name; make it, and keep it, where it is not there.

    Args:
        folder: Where to; None keeps nothing.
        name: Of the file, without its ending.
        make: Makes it.
    """
    if folder is None:
        return make()
    path = folder / f"{name}.pickle"
    if path.exists():
        found: _Kept = pickle.loads(path.read_bytes())
        return found
    made = make()
    folder.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".part")
    scratch.write_bytes(pickle.dumps(made))
    scratch.rename(path)
    return made
