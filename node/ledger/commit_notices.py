"""Tells those who follow the chain that it has grown. The blocks themselves stand in the store."""

import threading
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class CommitStream:
    """The place of one who follows the chain. `CommitNotices` alone changes it."""

    next_height: int
    ended: bool = False


class CommitNotices:
    """The height of the top block, for any number of threads that wait for the next."""

    def __init__(self, height: int) -> None:
        """Begin with the height of the top block."""
        self._height = height
        self._ended = False
        self._changed = threading.Condition()

    def announce(self, height: int) -> None:
        """Say that the block of this height is written, and all below it."""
        with self._changed:
            self._height = height
            self._changed.notify_all()

    def open_stream(self) -> CommitStream:
        """Return a stream that begins with the block above the top."""
        with self._changed:
            return CommitStream(self._height + 1)

    def next_height(self, stream: CommitStream) -> int | None:
        """Return the stream's next height when that block is written, or None at its end."""
        with self._changed:
            while self._height < stream.next_height and not (stream.ended or self._ended):
                self._changed.wait()
            if stream.ended or self._ended:
                return None
            stream.next_height += 1
            return stream.next_height - 1

    def end_stream(self, stream: CommitStream) -> None:
        """End one stream: its client has left."""
        with self._changed:
            stream.ended = True
            self._changed.notify_all()

    def end_streams(self) -> None:
        """End all streams: the node stops."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
