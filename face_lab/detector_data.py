"""Data of the deepfake detector: pictures and clips of a folder, and swaps that are made here.

A folder holds sets; a set holds `real` and `fake`; each of them holds pictures, or folders of the
frames of one clip in the order of their names. Frames of a clip are taken as 1/12 s apart.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from client_sdk.face.prompts import Prompt
from face_lab.clips import RATE_HZ, live_clip
from face_lab.people import Person, find_pictures, read_picture
from face_lab.performer import Performer
from face_lab.swaps import Swap, SwappedPerformer
from node.face.vision.arrays import Floats, Image
from node.face.vision.detector import (
    appearance_input,
    motion_input,
    motion_patch,
    spread_of_landmarks,
)
from node.face.vision.features import FaceReader
from node.face.vision.limits import FrameLimits
from node.face.vision.models import FaceModels, Network

_MAX_FRAMES = 24
# A made clip's first second: at rest, and into the action.
_MADE_FRAMES = 14
# Of a clip every how many frames one picture is taken.
_EVERY = 4
_EVEN_QUALITY = 92


@dataclass(frozen=True)
class Source:
    """One picture or clip.

    Attributes:
        set_name: The set that it belongs to.
        person: Sources of one person are never in two splits.
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
        appearance: N x K: what `look` makes of `appearance_input`.
        owners: N.
        worn: N; whether it was made smaller and encoded again.
        motion: M x 32 x 32 x 4.
        movers: M.
        worn_moves: M.
    """

    appearance: Floats
    owners: NDArray[np.int64]
    worn: NDArray[np.bool_]
    motion: Floats
    movers: NDArray[np.int64]
    worn_moves: NDArray[np.bool_]


def sources_of_folder(folder: Path, side: int | None = None) -> list[Source]:
    """Return the sources of a data folder.

    Args:
        folder: The sets.
        side: Make every picture so long, and encode it at one quality: sets that were stored in
            different sizes would teach the sizes.
    """
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
                Source(set_folder.name, str(paths[0]), kind == "fake", _reader(paths, side))
                for paths in groups
                if paths
            ]
    return found


def _reader(paths: list[Path], side: int | None) -> Callable[[], Iterator[Image]]:
    def frames() -> Iterator[Image]:
        for path in paths[:_MAX_FRAMES]:
            picture = read_picture(path)
            if picture is not None:
                yield (
                    picture
                    if side is None
                    else _send_on(picture, side / max(picture.shape), _EVEN_QUALITY)
                )

    return frames


def made_sources(
    people: Sequence[Person], clips_each: int, swap: Swap, *, split_by_clip: bool = False
) -> list[Source]:
    """Return clips of people, as they are and with another's face laid over theirs.

    Args:
        people: At least two; each wears the faces of those who come next.
        clips_each: How many clips of each person.
        swap: How the faces are laid over; the set has its name.
        split_by_clip: Take each clip for another person's, where there are too few people.
    """
    prompts = list(Prompt)
    found = []
    for index, person in enumerate(people):
        for clip in range(clips_each):
            donor = people[(index + 1 + clip % (len(people) - 1)) % len(people)]
            seed, prompt = 1000 * index + clip, prompts[(index + clip) % len(prompts)]
            swapped = SwappedPerformer(person.performer, donor.performer, seed, swap)
            name = f"{person.name}-{clip}" if split_by_clip else person.name
            for is_fake, actor in ((False, person.performer), (True, swapped)):
                found.append(Source(str(swap), name, is_fake, _rendered(actor, prompt, seed)))
    return found


def _rendered(
    actor: Performer | SwappedPerformer, prompt: Prompt, seed: int
) -> Callable[[], Iterator[Image]]:
    def frames() -> Iterator[Image]:
        clip = live_clip(actor, prompt, np.random.default_rng(seed))
        return iter([frame.image for frame in clip[:_MADE_FRAMES]])

    return frames


def read_samples(
    models: FaceModels,
    sources: Sequence[Source],
    look: Network,
    *,
    rng: np.random.Generator | None = None,
    advance: Callable[[int], None] = lambda _count: None,
) -> Samples:
    """Read every source as the detector does.

    Args:
        models: The networks.
        sources: The pictures and clips.
        look: The first stream, or the part of it before its weights: pictures are not kept.
        rng: Where given, each source is read once more as if it had been sent on: made smaller
            and encoded again. Networks trained so look less at how a set was stored.
        advance: Told after each source.
    """
    spread = spread_of_landmarks(models.canonical_face)
    looks: list[Floats] = []
    moves: list[Floats] = []
    look_marks: list[tuple[int, bool]] = []
    move_marks: list[tuple[int, bool]] = []
    for index, source in enumerate(sources):
        frames = list(islice(source.frames(), _MAX_FRAMES))
        for worn in (False, True) if rng is not None else (False,):
            shown = [_wear(frame, rng) for frame in frames] if worn and rng is not None else frames
            for seen, move in _read_frames(models, shown, spread):
                if seen is not None:
                    looks.append(look.run(seen[None])[0].reshape(-1))
                    look_marks.append((index, worn))
                if move is not None:
                    moves.append(move)
                    move_marks.append((index, worn))
        advance(1)
    look_of = np.array(look_marks, np.int64).reshape(-1, 2)
    move_of = np.array(move_marks, np.int64).reshape(-1, 2)
    return Samples(
        appearance=np.array(looks, np.float32),
        owners=look_of[:, 0],
        worn=look_of[:, 1].astype(bool),
        motion=np.array(moves, np.float32).reshape(-1, 32, 32, 4),
        movers=move_of[:, 0],
        worn_moves=move_of[:, 1].astype(bool),
    )


def join_samples(parts: Sequence[tuple[int, Samples]]) -> Samples:
    """Return the samples of several lists of sources as those of one.

    Args:
        parts: Of each list how many sources it had, and their samples.
    """
    starts = np.cumsum([0, *(count for count, _ in parts)])[:-1].tolist()
    several = [samples for _, samples in parts]
    return Samples(
        # Where no face was found there is nothing of any length.
        appearance=np.concatenate([s.appearance for s in several if len(s.appearance)]),
        owners=np.concatenate([s.owners + at for s, at in zip(several, starts, strict=True)]),
        worn=np.concatenate([s.worn for s in several]),
        motion=np.concatenate([s.motion for s in several]),
        movers=np.concatenate([s.movers + at for s, at in zip(several, starts, strict=True)]),
        worn_moves=np.concatenate([s.worn_moves for s in several]),
    )


def _read_frames(
    models: FaceModels, frames: Sequence[Image], spread: Floats
) -> Iterator[tuple[Floats | None, Floats | None]]:
    """Give what the two networks see of each frame in which a face is found."""
    reader = FaceReader(models, FrameLimits())
    last = None
    for count, image in enumerate(frames):
        face, _ = reader.read(image, round(count * 1000 / RATE_HZ), with_lids=False)
        if face is None:
            last = None
            continue
        patch = motion_patch(image, face.landmarks)
        yield (
            appearance_input(image, face.landmarks) if count % _EVERY == 0 else None,
            None if last is None else motion_input(last, patch, spread),
        )
        last = patch


def _wear(image: Image, rng: np.random.Generator) -> Image:
    return _send_on(image, float(rng.uniform(0.5, 1.0)), int(rng.integers(50, 95)))


def _send_on(image: Image, scale: float, quality: int) -> Image:
    """Return a picture made smaller and encoded again."""
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
