"""Every threshold of the face test, in one place.

Those of actions, match and grid come from `make face-calibrate` and are changed by it alone; the
other ones of a frame, of the stream and of the face at rest are rules (docs/face.md).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class FrameLimits:
    """What one frame must be."""

    min_eye_distance_px: float = 50.0
    min_brightness: float = 35.0
    max_brightness: float = 235.0
    min_sharpness: float = 6.0
    # A part of the face's box may be outside of the picture.
    max_outside: float = 0.08


@dataclass(frozen=True)
class StreamLimits:
    """What frames in a row must be."""

    min_frames: int = 9
    max_frames: int = 30
    min_rate_hz: float = 7.0
    max_pause_ms: int = 700
    # Frames sooner after the last one are looked at for order and repetition only.
    spacing_ms: int = 60
    # Parts of the frames that may repeat the one before.
    max_repeated: float = 0.2
    # Mean difference of pixels (of 255) under which two frames are one.
    same_picture: float = 0.05
    max_turn_deg_per_s: float = 450.0
    # Movement of the face's middle between looked-at frames, in eye distances.
    max_jump: float = 1.2
    max_lost_frames: int = 2


@dataclass(frozen=True)
class ActionLimits:
    """When something was done, and when it was not. Angles in degrees, lengths in eye distances."""

    rest_yaw: float = 14.0
    rest_pitch: float = 22.0
    rest_mouth_gap: float = 0.13
    rest_frames: int = 2
    turn_yaw: float = 10.1
    turn_pitch: float = 8.4
    # In an up or down turn the sideways part, and the other way round.
    other_yaw: float = 12.0
    other_pitch: float = 9.0
    still_yaw: float = 9.9
    still_pitch: float = 8.3
    parallax: float = 0.042
    # Narrower or lower than this by itself (natural logarithm): a plane that was turned.
    flattened: float = 0.114
    smile: float = 0.069
    other_smile: float = 0.069
    mouth_gap: float = 0.105
    other_mouth_gap: float = 0.088
    # An open jaw moves the mesh as a nod does.
    open_mouth_pitch: float = 8.1
    # Openness of the eyes as a part of that at rest.
    eyes_shut: float = 0.825
    eyes_open: float = 0.857


@dataclass(frozen=True)
class MatchLimits:
    """Cosines between embeddings."""

    same_face_in_test: float = 0.481
    same_face_turned: float = 0.478
    portrait: float = 0.625


@dataclass(frozen=True)
class Limits:
    """All of them."""

    frame: FrameLimits = FrameLimits()
    stream: StreamLimits = StreamLimits()
    action: ActionLimits = ActionLimits()
    match: MatchLimits = MatchLimits()
    # `grid_peak`, the median over the frames at rest.
    max_grid_peak: float = 5.3
