"""What is found damaged is kept beside what takes its place: it may be all there is."""

import os
from pathlib import Path


def free_name(path: Path, word: str) -> Path:
    """Return a name beside a file, such as `blocks.torn`, that no file has yet."""
    candidate = path.with_name(f"{path.name}.{word}")
    number = 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}.{word}-{number}")
    return candidate


def keep_bytes(path: Path, word: str, data: bytes) -> Path:
    """Write bytes to a new file beside another one, and wait until the disk has them.

    Raises:
        OSError: The disk refused.
    """
    kept = free_name(path, word)
    descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return kept
