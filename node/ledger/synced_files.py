"""Files that the disk has when they are used: what a power cut leaves is whole, or not there."""

import os
from pathlib import Path


def write_synced(path: Path, data: bytes) -> None:
    """Write a file, and wait until the disk has it; its folder's entry is for `sync_folder`.

    Raises:
        OSError: The disk refused.
    """
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names of a folder's files.

    Raises:
        OSError: The disk refused.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
