"""What comes as frames, within bounds: how many, how large, and of which kind."""

from collections.abc import Iterable, Iterator
from typing import Final

from chaincode.encoding import decode_base64url
from chaincode.errors import DecodeError
from node.errors import ImageError
from node.face.challenge import Frame

MAX_FRAMES: Final = 40
MAX_FRAME_BYTES: Final = 300 * 1024
MAX_FRAME_CHARS: Final = MAX_FRAME_BYTES * 4 // 3 + 4
MAX_BODY_BYTES: Final = 4 << 20
_JPEG: Final = b"\xff\xd8\xff"


def read_frames(frames: Iterable[tuple[int, str]]) -> Iterator[Frame]:
    """Return the frames of an upload, each decoded as it is asked for.

    Args:
        frames: Of each its time in milliseconds, and the JPEG in base64url.

    Raises:
        ImageError: One is no JPEG.
    """
    for time_ms, text in frames:
        try:
            data = decode_base64url(text)
        except DecodeError:
            raise ImageError("a frame is not base64url of a JPEG") from None
        if not data.startswith(_JPEG):
            raise ImageError("a frame is no JPEG: send JPEG pictures, as a canvas gives them")
        yield Frame(time_ms=time_ms, data=data)
