"""`python -m node.face.video_decoder`: a video on standard input, its frames on standard output."""

import os
import resource
import sys
from pathlib import Path
from typing import Final

import cv2

from node.face.video import NOT_A_VIDEO, RECORD, TOO_LARGE, WRONG_CODEC

MAX_FRAMES: Final = 40
_SPACING_MS: Final = 60
_MAX_MS: Final = 10_000
_MAX_SIDE: Final = 1280
_MAX_READ: Final = 600
_CPU_S: Final = 10
_MEMORY_BYTES: Final = 512 << 20
_CODECS: Final = frozenset({"VP80", "VP90", "vp09", "avc1", "h264", "H264"})


def main() -> int:
    """Decode, and return the exit code that says why not."""
    descriptor = _keep_in_memory(sys.stdin.buffer.read())
    _bound_resources()
    cv2.setNumThreads(1)
    capture = cv2.VideoCapture(f"/proc/self/fd/{descriptor}", cv2.CAP_FFMPEG)
    if not capture.isOpened():
        return NOT_A_VIDEO
    fourcc = int(capture.get(cv2.CAP_PROP_FOURCC))
    if fourcc.to_bytes(4, "little").decode("ascii", "replace") not in _CODECS:
        return WRONG_CODEC
    width, height = (capture.get(p) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    if max(width, height) > _MAX_SIDE:
        return TOO_LARGE
    return _write_frames(capture)


def _bound_resources() -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + _MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _keep_in_memory(data: bytes) -> int:
    """Return a file that the library can open; it is in memory only, and gone with this process."""
    descriptor = os.memfd_create("video")
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(data)
    return descriptor


def _write_frames(capture: cv2.VideoCapture) -> int:
    written, last_ms = 0, -_SPACING_MS
    for _ in range(_MAX_READ):
        is_read, picture = capture.read()
        if not is_read or written == MAX_FRAMES:
            return 0
        time_ms = int(capture.get(cv2.CAP_PROP_POS_MSEC))
        if time_ms > _MAX_MS:
            return TOO_LARGE
        if time_ms - last_ms < _SPACING_MS:
            continue
        is_encoded, png = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        if not is_encoded:
            return NOT_A_VIDEO
        sys.stdout.buffer.write(RECORD.pack(time_ms, len(png)) + png.tobytes())
        written, last_ms = written + 1, time_ms
    return TOO_LARGE


if __name__ == "__main__":
    sys.exit(main())
