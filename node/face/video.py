"""Short videos to frames: in a process of their own, bounded in time and memory.

Decoders of video are large and take hostile input badly. So the work is done by
`node.face.video_decoder`, which can be ended, and which holds nothing but this one video. The bytes
go through pipes: no file is made.
"""

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

from node.face.challenge import Frame
from node.face.errors import ImageRefusedError

MEDIA_TYPES: Final = ("video/webm", "video/mp4")
RECORD: Final = struct.Struct(">II")
"""Before each frame that the decoder writes: its time in milliseconds, its length in bytes."""
NOT_A_VIDEO: Final = 3
WRONG_CODEC: Final = 4
TOO_LARGE: Final = 5
_TIMEOUT_S: Final = 15
_EBML: Final = b"\x1a\x45\xdf\xa3"
_REFUSALS: Final = {
    NOT_A_VIDEO: (
        "not_a_video",
        "The video cannot be read",
        "Send a whole WebM or MP4 file of some seconds.",
    ),
    WRONG_CODEC: (
        "wrong_codec",
        "The video's codec is not taken",
        "Record it as VP8, VP9 or H.264.",
    ),
    TOO_LARGE: (
        "video_too_large",
        "The video is too large",
        "Record at most 10 seconds, with at most 1,280 pixels a side.",
    ),
}


def read_video(data: bytes) -> Iterator[Frame]:
    """Yield the frames of a WebM or MP4 file, at most 40, as PNG.

    It is decoded once the first is asked for: a decoder takes half a gigabyte and seconds, so that
    whoever asks sees to it that few do at the same time.

    Args:
        data: The file.

    Raises:
        ImageRefusedError: It is none, shows nothing, has another codec, or is too large.
    """
    # What is neither is not even looked at: other formats can name files and addresses.
    if not data.startswith(_EBML) and data[4:8] != b"ftyp":
        raise ImageRefusedError(*_REFUSALS[NOT_A_VIDEO])
    environment = {"PATH": os.environ.get("PATH", ""), "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "node.face.video_decoder"],
            input=data,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        raise ImageRefusedError(*_REFUSALS[TOO_LARGE]) from None
    if done.returncode != 0:
        # Ended by a signal or for want of memory: the limits did that.
        raise ImageRefusedError(*_REFUSALS.get(done.returncode, _REFUSALS[TOO_LARGE]))
    if not done.stdout:
        raise ImageRefusedError(*_REFUSALS[NOT_A_VIDEO])
    yield from _records(done.stdout)


def _records(output: bytes) -> Iterator[Frame]:
    at = 0
    while at < len(output):
        time_ms, length = RECORD.unpack_from(output, at)
        at += RECORD.size
        yield Frame(time_ms=time_ms, data=output[at : at + length])
        at += length
