"""Data of the deepfake detector: pictures and clips of a folder, or made here of free faces.

A folder holds sets; a set holds `real` and `fake`; each of them holds pictures, or folders of the
frames of one clip in the order of their names. Frames of a clip are taken as 1/12 s apart.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from client_sdk.face.prompts import Prompt
from face_lab.clips import RATE_HZ, live_clip
from face_lab.people import find_pictures, free_faces, read_picture
from face_lab.performer import Performer
from face_lab.swaps import SwappedPerformer
from node.face.vision.arrays import Floats, Image
from node.face.vision.detector import (
    appearance_input,
    motion_input,
    motion_patch,
    spread_of_landmarks,
)
from node.face.vision.features import FaceReader
from node.face.vision.limits import FrameLimits
from node.face.vision.models import FaceModels

_MAX_FRAMES = 24
# Of a clip every how many frames one picture is taken.
_EVERY = 4


@dataclass(frozen=True)
class Source:
    """One picture or clip.

    Attributes:
        set_name: The set that it belongs to.
        person: Sources of one person are never in two splits; of the few free faces one clip, and
            what was made of it.
        is_fake: Whether a machine made or changed the face.
        frames: Gives the frames.
    """

    set_name: str
    person: str
    is_fake: bool
    frames: Callable[[], Iterator[Image]]


@dataclass(frozen=True)
class Samples:
    """What the two networks see of all sources; `owners` and `movers` tell of which.

    Attributes:
        appearance: N x 96 x 96 x 6 bytes.
        owners: N.
        motion: M x 32 x 32 x 4.
        movers: M.
    """

    appearance: NDArray[np.uint8]
    owners: NDArray[np.int64]
    motion: Floats
    movers: NDArray[np.int64]


def sources_of_folder(folder: Path) -> list[Source]:
    """Return the sources of a data folder."""
    found = []
    for set_folder in sorted(path for path in folder.iterdir() if path.is_dir()):
        for kind in ("real", "fake"):
            root = set_folder / kind
            if not root.is_dir():
                continue
            clips = sorted(path for path in root.iterdir() if path.is_dir())
            groups = [find_pictures(clip) for clip in clips]
            groups += [[path] for path in find_pictures(root) if path.parent == root]
            found += [
                Source(set_folder.name, str(paths[0]), kind == "fake", _reader(paths))
                for paths in groups
                if paths
            ]
    return found


def _reader(paths: list[Path]) -> Callable[[], Iterator[Image]]:
    def frames() -> Iterator[Image]:
        for path in paths[:_MAX_FRAMES]:
            picture = read_picture(path)
            if picture is not None:
                yield picture

    return frames


def made_sources(models: FaceModels, clips_each: int) -> list[Source]:
    """Return clips of the free faces, as they are and with another's face laid over theirs."""
    performers = [Performer(models, picture) for picture in free_faces()]
    found = []
    prompts = list(Prompt)
    for index, performer in enumerate(performers):
        donors = [other for other in performers if other is not performer]
        for clip in range(clips_each):
            seed, prompt = 1000 * index + clip, prompts[clip % len(prompts)]
            swapped = SwappedPerformer(performer, donors[clip % len(donors)], seed)
            for is_fake, actor in ((False, performer), (True, swapped)):
                source = Source("made", f"{index}-{clip}", is_fake, _rendered(actor, prompt, seed))
                found.append(source)
    return found


def _rendered(
    actor: Performer | SwappedPerformer, prompt: Prompt, seed: int
) -> Callable[[], Iterator[Image]]:
    def frames() -> Iterator[Image]:
        clip = live_clip(actor, prompt, np.random.default_rng(seed))
        return iter([frame.image for frame in clip])

    return frames


def read_samples(
    models: FaceModels,
    sources: list[Source],
    *,
    rng: np.random.Generator | None = None,
    advance: Callable[[int], None] = lambda _count: None,
) -> Samples:
    """Read every source as the detector does.

    Args:
        models: The networks.
        sources: The pictures and clips.
        rng: Where given, each source is read once more as if it had been sent on: made smaller
            and encoded again. Networks trained so look less at how a set was stored.
        advance: Told after each source.
    """
    spread = spread_of_landmarks(models.canonical_face)
    looks: list[Floats] = []
    moves: list[Floats] = []
    owners: list[int] = []
    movers: list[int] = []
    for index, source in enumerate(sources):
        for worn in (False, True) if rng is not None else (False,):
            reader = FaceReader(models, FrameLimits())
            last = None
            for count, frame in enumerate(source.frames()):
                image = _wear(frame, rng) if worn and rng is not None else frame
                face, _ = reader.read(image, round(count * 1000 / RATE_HZ), with_lids=False)
                if face is None:
                    last = None
                    continue
                if count % _EVERY == 0:
                    looks.append(appearance_input(image, face.landmarks))
                    owners.append(index)
                patch = motion_patch(image, face.landmarks)
                if last is not None:
                    moves.append(motion_input(last, patch, spread))
                    movers.append(index)
                last = patch
        advance(1)
    return Samples(
        appearance=(np.array(looks, np.float32).reshape(-1, 96, 96, 6) * 255).astype(np.uint8),
        owners=np.array(owners, np.int64),
        motion=np.array(moves, np.float32).reshape(-1, 32, 32, 4),
        movers=np.array(movers, np.int64),
    )


def _wear(image: Image, rng: np.random.Generator) -> Image:
    scale = float(rng.uniform(0.5, 1.0))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    quality = int(rng.integers(50, 95))
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
