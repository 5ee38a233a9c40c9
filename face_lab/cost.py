"""What a whole test costs: seconds of one core, and memory."""

import resource
import time
from statistics import median

import cv2
import numpy as np

from client_sdk.face.prompts import Prompt
from face_lab.clips import live_clip
from face_lab.people import Person, free_cast
from face_lab.performer import Pose
from node.face.vision import FaceModels, FaceTest, decode_image

_SERIES = (Prompt.LOOK_LEFT, Prompt.SMILE, Prompt.LOOK_UP, Prompt.BLINK, Prompt.LOOK_RIGHT)
_QUALITY = 90
_FRAME_SIDE = 640
# As the page captures: so long, and a picture each so many milliseconds.
_CAPTURE_MS = 3_000
_SPACING_MS = 80


def measure_cost(models: FaceModels, *, rounds: int = 5) -> dict[str, float]:
    """Return what five prompts cost, from JPEG files of 640 x 480 to the verdict.

    Args:
        models: The networks.
        rounds: How many tests; the first one is not counted.
    """
    person = free_cast(models)[0]
    windows = [
        (prompt, _captured(person, prompt, 9_000 * place)) for place, prompt in enumerate(_SERIES)
    ]
    portrait = person.performer.frame(Pose())
    spent = []
    for _ in range(rounds + 1):
        begun = time.process_time()
        test = FaceTest(models, portrait=portrait)
        for prompt, frames in windows:
            test.begin(prompt)
            for at_ms, jpeg in frames:
                test.add(decode_image(jpeg, max_side=_FRAME_SIDE), at_ms)
            test.end()
        followed = test.finish().accepted_prompts
        spent.append(time.process_time() - begun)
    return {
        "frames": sum(len(frames) for _, frames in windows),
        "followed": len(followed),
        "cpu_s": round(median(spent[1:]), 3),
        "cpu_most_s": round(max(spent[1:]), 3),
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _captured(person: Person, prompt: Prompt, start_ms: int) -> list[tuple[int, bytes]]:
    """Return the frames of a prompt as the page sends them; at the end the person rests."""
    rng = np.random.default_rng(start_ms + 20)
    clip = live_clip(person.performer, prompt, rng, start_ms=start_ms)
    frames = [(frame.at_ms, _jpeg(frame.image)) for frame in clip]
    while frames[-1][0] < start_ms + _CAPTURE_MS - _SPACING_MS:
        noise = rng.integers(-2, 3, clip[-1].image.shape)
        again = np.clip(clip[-1].image + noise, 0, 255).astype(np.uint8)
        frames.append((frames[-1][0] + _SPACING_MS, _jpeg(again)))
    return frames


def _jpeg(image: np.ndarray) -> bytes:
    _, data = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes()
