"""Makes the film of `tegata demo`: a photograph that follows each prompt (`make demo-film`).

Takes of a prompt differ, as those of a living person do: the face service knows frames that come
twice. No camera's noise is added, so that a take stays small; one that the checks would refuse is
rendered again otherwise.
"""

import io
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image as Pillow

from client_sdk.face.prompts import Prompt
from face_lab.clips import RATE_HZ, scenes_of
from face_lab.people import FREE_FACES, read_picture
from face_lab.performer import HEIGHT, WIDTH, Performer
from node.cli.demo.film import FOLDER, PORTRAIT, portrait, read_take, take_file, takes_of
from node.face.challenge import Frame
from node.face.examiner import Examiner
from node.face.vision.models import FaceModels

_FACE: Final = "astronaut.jpg"
_CROP: Final = 400
_SIDE: Final = 256
_PORTRAIT_HEIGHT: Final = 300
_QUALITY: Final = 30


def main() -> None:
    """Write the portrait and each take."""
    models = FaceModels.load()
    picture = read_picture(FREE_FACES / _FACE)
    assert picture is not None
    folder = Path(str(FOLDER))
    folder.mkdir(exist_ok=True)
    small = Pillow.fromarray(picture)
    small.thumbnail((_PORTRAIT_HEIGHT, _PORTRAIT_HEIGHT))
    small.save(folder / PORTRAIT, quality=88)
    examiner = Examiner(models, detector="advice", detector_threshold=0.9)
    performer = Performer(models, picture)
    for prompt in Prompt:
        made = _takes(performer, prompt, examiner)
        for take in range(takes_of(prompt)):
            (folder / take_file(prompt, take)).write_bytes(next(made))


def _takes(performer: Performer, prompt: Prompt, examiner: Examiner) -> Iterator[bytes]:
    """Yield takes that pass, without end."""
    for seed in count():
        rng = np.random.default_rng([list(Prompt).index(prompt), seed])
        data = _encode([Pillow.fromarray(scene) for scene in scenes_of(performer, prompt, rng)])
        frames = [Frame(time_ms=at_ms, data=jpeg) for at_ms, jpeg in read_take(data)]
        if examiner.examine(portrait()).judge_prompt(prompt, frames) is None:
            yield data


def _encode(scenes: Sequence[Pillow.Image]) -> bytes:
    left, top = (WIDTH - _CROP) // 2, (HEIGHT - _CROP) // 2
    box = (left, top, left + _CROP, top + _CROP)
    first, *others = (scene.crop(box).resize((_SIDE, _SIDE)) for scene in scenes)
    data = io.BytesIO()
    first.save(
        data,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=round(1000 / RATE_HZ),
        quality=_QUALITY,
        method=6,
        minimize_size=True,
    )
    return data.getvalue()


if __name__ == "__main__":
    main()
