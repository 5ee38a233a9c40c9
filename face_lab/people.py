"""Photographs of faces for rendered clips, and faces of the same people for the match."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from face_lab.films import kept
from face_lab.performer import HEIGHT, WIDTH, Performer
from node.errors import ImageError
from node.face.vision.arrays import Floats, Image
from node.face.vision.embedding import embed_portrait
from node.face.vision.geometry import HeadPose, eye_distance, find_pose, mouth_shape
from node.face.vision.images import decode_image
from node.face.vision.limits import ActionLimits
from node.face.vision.models import FaceModels

# Public domain: see README.md beside them.
FREE_FACES = Path(__file__).parent / "faces"
_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".jp2", ".pgm", ".bmp"}
# Who follows prompts looks at the camera with a shut mouth first: degrees, eye distances.
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
        pose: Where the head looks in it.
        mouth_gap: How far the lips are apart, in eye distances.
    """

    name: str
    performer: Performer
    portrait: Floats
    pose: HeadPose
    mouth_gap: float

    @property
    def is_at_rest(self) -> bool:
        """Whether the test takes the photograph for a face at rest: an attack can be made of it."""
        limits = ActionLimits()
        return (
            abs(self.pose.yaw) <= limits.rest_yaw
            and abs(self.pose.pitch) <= limits.rest_pitch
            and self.mouth_gap <= limits.rest_mouth_gap
        )

    @property
    def is_calm(self) -> bool:
        """Whether the face at rest is so straight and shut that it can follow prompts."""
        return self.is_at_rest and abs(self.pose.yaw) <= _MOST_YAW and self.mouth_gap <= _MOST_GAP


def calibration_cast(
    models: FaceModels, folder: Path, *, most: int, films: Path | None = None
) -> list[Person]:
    """Return the calm people of every second file of a folder, in the order of the files' names.

    Args:
        models: The networks.
        folder: The portraits.
        most: How many people at most.
        films: Where what was found is kept, if anywhere.
    """
    found = find_people(models, find_pictures(folder)[::2], films)
    return list(islice((person for person in found if person.is_calm), most))


def held_out_cast(
    models: FaceModels, folder: Path, *, apart_from: Collection[str], films: Path | None = None
) -> list[Person]:
    """Return the people of a folder who set no threshold: calm ones first, then by their files.

    Files that the calibration never takes come before those that it could have taken. Nobody is
    chosen by what was measured of him.

    Args:
        models: The networks.
        folder: The portraits.
        apart_from: The names of those who set thresholds.
        films: Where what was found is kept, if anywhere.
    """
    paths = find_pictures(folder)
    left = [path for path in (*paths[1::2], *paths[::2]) if path.stem not in apart_from]
    return sorted(find_people(models, left, films), key=lambda person: not person.is_calm)


def find_people(
    models: FaceModels, paths: Iterable[Path], films: Path | None = None
) -> Iterator[Person]:
    """Return those of photographs whom the test takes to be at rest."""
    folder = films / "photographs" if films else None
    for path in paths:
        person = kept(folder, path.stem, lambda path=path: _person(models, path))
        if person is not None and person.is_at_rest:
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
    if portrait is None:
        return None
    points = performer.landmarks
    pose = find_pose(points, models.canonical_face, (WIDTH, HEIGHT))
    gap = mouth_shape(points, eye_distance(points)).gap
    return Person(path.stem, performer, portrait, pose, gap)


def people_of(folder: Path) -> dict[str, list[Path]]:
    """Return the pictures of each person: a folder for each."""
    people: dict[str, list[Path]] = defaultdict(list)
    for path in find_pictures(folder):
        people[path.parent.name].append(path)
    return {name: paths for name, paths in people.items() if len(paths) > 1}
