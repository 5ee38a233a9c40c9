"""Was a prompt followed? Rules over the features of one window of frames, without pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from client_sdk.face.prompts import TURNS, Prompt
from node.face.vision import geometry
from node.face.vision.arrays import Floats
from node.face.vision.features import FrameFeatures
from node.face.vision.geometry import MouthShape, mouth_shape
from node.face.vision.limits import ActionLimits
from node.face.vision.reasons import Reason

# Frames at the start of which the steadiest are the face at rest.
_START: Final = 4
# An action stands for at least this many frames, so that one bad frame is none.
_HELD: Final = 2


@dataclass(frozen=True)
class FrameMeasures:
    """One frame against the face at rest. Angles in degrees, lengths in eye distances."""

    yaw: float
    pitch: float
    smile: float
    mouth_gap: float
    eyes: float | None
    parallax: float
    shape: float


@dataclass(frozen=True)
class Window:
    """The frames of one prompt, measured.

    Attributes:
        rest: What the person looked like at the start.
        frames: Each frame against it.
    """

    rest: FrameFeatures
    rest_mouth: MouthShape
    frames: tuple[FrameMeasures, ...]


def measure_window(features: Sequence[FrameFeatures]) -> Window:
    """Measure every frame of a window against its start.

    Args:
        features: At least one frame, in their order.
    """
    start = features[:_START]
    rest = min(start, key=lambda f: abs(f.pose.yaw) + abs(f.pose.pitch - start[0].pose.pitch))
    upright = _upright(rest.landmarks)
    mouth = mouth_shape(upright, rest.unit)
    eyes = [geometry.eye_openness(f.lids) for f in start if f.lids is not None]
    open_eyes = float(np.median(eyes)) if eyes else None
    frames = tuple(_measure(f, rest, mouth, open_eyes) for f in features)
    return Window(rest, mouth, frames)


def judge_window(
    prompt: Prompt, features: Sequence[FrameFeatures], limits: ActionLimits
) -> tuple[Reason, ...]:
    """Return why the frames do not show a prompt followed; nothing when they do.

    The person must be at rest at the start, do what was asked, and nothing else of the seven. In
    a turn the face must show depth; in an expression the head must stay, and a turned or bent
    picture of a face must not count as one.

    Args:
        prompt: What was asked.
        features: The frames in their order, from the moment of the prompt.
        limits: The thresholds.
    """
    if len(features) <= _HELD + limits.rest_frames:
        return (Reason.TOO_FEW_FRAMES,)
    window = measure_window(features)
    if not _is_at_rest(window, limits):
        return (Reason.NOT_NEUTRAL_AT_START,)
    if prompt in TURNS:
        return _judge_turn(prompt, window, limits)
    return _judge_expression(prompt, window, limits)


def _is_at_rest(window: Window, limits: ActionLimits) -> bool:
    pose = window.rest.pose
    return (
        abs(pose.yaw) <= limits.rest_yaw
        and abs(pose.pitch) <= limits.rest_pitch
        and window.rest_mouth.gap <= limits.rest_mouth_gap
        and all(
            max(abs(frame.yaw), abs(frame.pitch)) < min(limits.turn_yaw, limits.turn_pitch)
            for frame in window.frames[: limits.rest_frames]
        )
    )


def _judge_turn(prompt: Prompt, window: Window, limits: ActionLimits) -> tuple[Reason, ...]:
    sideways = prompt in {Prompt.LOOK_LEFT, Prompt.LOOK_RIGHT}
    sign = 1 if prompt in {Prompt.LOOK_LEFT, Prompt.LOOK_UP} else -1
    along = np.array([sign * (f.yaw if sideways else f.pitch) for f in window.frames])
    across = np.array([f.pitch if sideways else f.yaw for f in window.frames])
    wanted = limits.turn_yaw if sideways else limits.turn_pitch
    if _is_turned_plane(window, limits):
        return (Reason.FLAT_FACE,)
    turned = np.flatnonzero(along >= wanted)
    if turned.size < _HELD:
        return (Reason.ACTION_NOT_SEEN,)
    other = limits.other_pitch if sideways else limits.other_yaw
    reasons = []
    # A mouth can be measured while the head is near its place.
    still = [
        f
        for f in window.frames
        if abs(f.yaw) < limits.still_yaw and abs(f.pitch) < limits.still_pitch
    ]
    if (
        float(along.min()) <= -wanted
        or float(np.median(np.abs(across[turned]))) > other
        or _held([f.mouth_gap for f in still], limits.other_mouth_gap)
        or _held([f.smile for f in still], limits.other_smile)
    ):
        reasons.append(Reason.OTHER_ACTION_SEEN)
    farthest = np.argsort(along)[-3:]
    if float(np.median([window.frames[i].parallax for i in farthest])) < limits.parallax:
        reasons.append(Reason.FLAT_FACE)
    return tuple(reasons)


def _judge_expression(prompt: Prompt, window: Window, limits: ActionLimits) -> tuple[Reason, ...]:
    frames = window.frames
    reasons = []
    if _is_turned_plane(window, limits):
        return (Reason.FLAT_FACE,)
    still_pitch = limits.still_pitch
    if prompt is Prompt.OPEN_MOUTH:
        still_pitch = limits.open_mouth_pitch
    moved = any(abs(f.yaw) > limits.still_yaw or abs(f.pitch) > still_pitch for f in frames)
    if moved:
        reasons.append(Reason.OTHER_ACTION_SEEN)
    gaps, smiles = [f.mouth_gap for f in frames], [f.smile for f in frames]
    if prompt is Prompt.OPEN_MOUTH:
        seen, other = _held(gaps, limits.mouth_gap), _held(smiles, limits.smile)
    elif prompt is Prompt.SMILE:
        seen, other = _held(smiles, limits.smile), _held(gaps, limits.mouth_gap)
    else:
        seen = _blinked([f.eyes for f in frames if f.eyes is not None], limits)
        other = _held(gaps, limits.other_mouth_gap) or _held(smiles, limits.other_smile)
    if not seen:
        # Lids behind glasses or in a shadow: more movement would not help.
        return (Reason.BLINK_NOT_SEEN if prompt is Prompt.BLINK else Reason.ACTION_NOT_SEEN,)
    if other and not moved:
        reasons.append(Reason.OTHER_ACTION_SEEN)
    return tuple(reasons)


def _is_turned_plane(window: Window, limits: ActionLimits) -> bool:
    """Tell whether a face became much narrower or lower, and showed no depth: a tilted print."""
    flat = [
        abs(frame.shape) if frame.parallax < limits.parallax else 0.0 for frame in window.frames
    ]
    return _held(flat, limits.flattened)


def _held(values: Sequence[float], limit: float) -> bool:
    return sum(value >= limit for value in values) >= _HELD


def _blinked(openness: Sequence[float], limits: ActionLimits) -> bool:
    """Open, shut, open again."""
    shut = [i for i, value in enumerate(openness) if value <= limits.eyes_shut]
    if not shut:
        return False
    before, after = openness[: shut[0]], openness[shut[-1] + 1 :]
    return max(before, default=0) >= limits.eyes_open and max(after, default=0) >= limits.eyes_open


def _measure(
    frame: FrameFeatures, rest: FrameFeatures, mouth: MouthShape, open_eyes: float | None
) -> FrameMeasures:
    # Onto the face at rest, then upright: a turned flat picture measures as it did at rest.
    to_rest = geometry.rectify(frame.landmarks, rest.landmarks)
    laid = geometry.apply(to_rest, frame.landmarks[:, :2])
    shape = mouth_shape(_upright_like(laid, rest.landmarks), rest.unit)
    eyes = None
    if frame.lids is not None and open_eyes:
        eyes = geometry.eye_openness(geometry.apply(to_rest, frame.lids)) / open_eyes
    return FrameMeasures(
        yaw=frame.pose.yaw - rest.pose.yaw,
        pitch=frame.pose.pitch - rest.pose.pitch,
        smile=(shape.width - mouth.width) + (shape.corners - mouth.corners),
        mouth_gap=shape.gap - mouth.gap,
        eyes=eyes,
        parallax=geometry.parallax(laid, rest.landmarks),
        shape=geometry.proportion(frame.landmarks) - geometry.proportion(rest.landmarks),
    )


def _upright(landmarks: Floats) -> Floats:
    return _upright_like(landmarks[:, :2], landmarks)


def _upright_like(points: Floats, landmarks: Floats) -> Floats:
    """Return points turned so that the eyes of `landmarks` are level."""
    across = landmarks[263, :2] - landmarks[33, :2]
    cos, sin = across / np.hypot(*across)
    return (points @ np.array([[cos, -sin], [sin, cos]], np.float32)).astype(np.float32)
