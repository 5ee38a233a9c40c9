"""Photographs of faces for rendered clips, and faces of the same people for the match."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from node.errors import ImageError
from node.face.vision.arrays import Image
from node.face.vision.images import decode_image

# Public domain: see README.md beside them.
FREE_FACES = Path(__file__).parent / "faces"
_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".jp2", ".pgm", ".bmp"}


def find_pictures(folder: Path) -> list[Path]:
    """Return the pictures below a folder, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS)


def read_picture(path: Path) -> Image | None:
    """Return a picture; None where it cannot be read."""
    try:
        return decode_image(path.read_bytes(), formats=("JPEG", "JPEG2000", "PNG", "WEBP", "PPM"))
    except ImageError:
        return None


def free_faces() -> Iterator[Image]:
    """Return the photographs that lie beside this file."""
    for path in find_pictures(FREE_FACES):
        picture = read_picture(path)
        assert picture is not None, path
        yield picture


def people_of(folder: Path) -> dict[str, list[Path]]:
    """Return the pictures of each person: a folder for each."""
    people: dict[str, list[Path]] = defaultdict(list)
    for path in find_pictures(folder):
        people[path.parent.name].append(path)
    return {name: paths for name, paths in people.items() if len(paths) > 1}
