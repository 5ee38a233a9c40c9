"""What a whole test costs: seconds of one core, and memory."""

import resource
import time
from statistics import median

import cv2
import numpy as np

from client_sdk.face.prompts import Prompt
from face_lab.clips import live_clip
from face_lab.people import free_cast
from face_lab.performer import Pose
from node.face.vision import FaceModels, FaceTest, decode_image

_SERIES = (Prompt.LOOK_LEFT, Prompt.SMILE, Prompt.LOOK_UP, Prompt.BLINK, Prompt.LOOK_RIGHT)
_QUALITY = 85
_FRAME_SIDE = 640


def measure_cost(models: FaceModels, *, rounds: int = 5) -> dict[str, float]:
    """Return what five prompts cost, from JPEG files of 640 x 480 to the verdict.

    Args:
        models: The networks.
        rounds: How many tests; the first one is not counted.
    """
    person = free_cast(models)[0]
    windows = [
        (prompt, [(frame.at_ms, _jpeg(frame.image)) for frame in live_clip(
            person.performer, prompt, np.random.default_rng(20 + place), start_ms=9_000 * place)])
        for place, prompt in enumerate(_SERIES)
    ]  # fmt: skip
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
        test.finish()
        spent.append(time.process_time() - begun)
    return {
        "frames": sum(len(frames) for _, frames in windows),
        "cpu_s": round(median(spent[1:]), 3),
        "cpu_most_s": round(max(spent[1:]), 3),
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _jpeg(image: np.ndarray) -> bytes:
    _, data = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes()
