"""Photographs of faces for rendered clips, and faces of the same people for the match."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from face_lab.films import kept
from face_lab.performer import HEIGHT, WIDTH, Performer
from node.errors import ImageError
from node.face.vision.arrays import Floats, Image
from node.face.vision.embedding import embed_portrait
from node.face.vision.geometry import eye_distance, find_pose, mouth_shape
from node.face.vision.images import decode_image
from node.face.vision.models import FaceModels

# Public domain: see README.md beside them.
FREE_FACES = Path(__file__).parent / "faces"
_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".jp2", ".pgm", ".bmp"}
# Who begins a test looks at the camera with a shut mouth: degrees, eye distances.
_MOST_YAW: Final = 10.0
_MOST_GAP: Final = 0.06


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


@dataclass(frozen=True)
class Person:
    """Somebody of whom there is one photograph.

    Attributes:
        name: The name of its file.
        performer: The photograph, ready to move.
        portrait: The embedding of the photograph.
    """

    name: str
    performer: Performer
    portrait: Floats


def find_cast(
    models: FaceModels,
    folder: Path,
    *,
    held_out: bool,
    most: int | None = None,
    films: Path | None = None,
) -> Iterator[Person]:
    """Return the people of a folder of portraits, in the order of the files' names.

    Every second file is of the half that is reported on; the rest is for the calibration. Who does
    not look at the camera with a shut mouth is passed over, before anything is measured.

    Args:
        models: The networks.
        folder: The portraits.
        held_out: Which half.
        most: How many people at most.
        films: Where what was found is kept, if anywhere.
    """
    return islice(
        find_people(models, find_pictures(folder)[1 if held_out else 0 :: 2], films), most
    )


def find_people(
    models: FaceModels, paths: Iterable[Path], films: Path | None = None
) -> Iterator[Person]:
    """Return those of photographs who look at the camera with a shut mouth."""

    def fit_person(path: Path) -> Person | None:
        person = _person(models, path)
        fit = person is not None and _is_at_rest(person.performer, models.canonical_face)
        return person if fit else None

    folder = films / "people" if films else None
    for path in paths:
        person = kept(folder, path.stem, lambda path=path: fit_person(path))
        if person is not None:
            yield person


def free_cast(models: FaceModels) -> list[Person]:
    """Return the people of the free faces."""
    found = [_person(models, path) for path in find_pictures(FREE_FACES)]
    return [person for person in found if person is not None]


def _person(models: FaceModels, path: Path) -> Person | None:
    picture = read_picture(path)
    if picture is None:
        return None
    try:
        performer = Performer(models, picture)
    except ImageError:
        return None
    portrait = embed_portrait(models, picture)
    return None if portrait is None else Person(path.stem, performer, portrait)


def _is_at_rest(performer: Performer, canonical: Floats) -> bool:
    points = performer.landmarks
    pose = find_pose(points, canonical, (WIDTH, HEIGHT))
    return abs(pose.yaw) <= _MOST_YAW and mouth_shape(points, eye_distance(points)).gap <= _MOST_GAP


def people_of(folder: Path) -> dict[str, list[Path]]:
    """Return the pictures of each person: a folder for each."""
    people: dict[str, list[Path]] = defaultdict(list)
    for path in find_pictures(folder):
        people[path.parent.name].append(path)
    return {name: paths for name, paths in people.items() if len(paths) > 1}
