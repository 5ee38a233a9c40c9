"""Did the frames come from a camera, one after the other? Rules over times and movement."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from node.face.vision.features import FrameFeatures
from node.face.vision.limits import StreamLimits
from node.face.vision.reasons import Reason


def judge_stream(
    times: Sequence[int],
    repeated: int,
    features: Sequence[FrameFeatures],
    lost: int,
    limits: StreamLimits,
) -> tuple[Reason, ...]:
    """Return what is wrong with the frames of a prompt as a stream; nothing when all is well.

    Args:
        times: When each frame was taken, milliseconds.
        repeated: How many of them repeat an earlier one.
        features: The frames that were looked at and showed a face.
        lost: How many were looked at and showed none.
        limits: The thresholds.
    """
    gaps = np.diff(np.asarray(times, dtype=np.int64))
    if len(times) < limits.min_frames:
        return (Reason.TOO_FEW_FRAMES,)
    reasons = []
    if (gaps <= 0).any():
        return (Reason.TIMES_IN_DISORDER,)
    rate = 1000 * len(gaps) / float(gaps.sum())
    if rate < limits.min_rate_hz or int(gaps.max()) > limits.max_pause_ms:
        reasons.append(Reason.TOO_SLOW)
    if repeated > limits.max_repeated * len(times):
        reasons.append(Reason.REPEATED_FRAMES)
    if lost > limits.max_lost_frames:
        reasons.append(Reason.NO_FACE)
    if len({face.size for face in features}) > 1:
        reasons.append(Reason.SIZE_CHANGED)
    reasons += _judge_movement(features, limits)
    return tuple(reasons)


def _judge_movement(features: Sequence[FrameFeatures], limits: StreamLimits) -> list[Reason]:
    jumped = fast = False
    for before, after in pairwise(features):
        seconds = (after.at_ms - before.at_ms) / 1000
        moved = after.landmarks[:, :2].mean(axis=0) - before.landmarks[:, :2].mean(axis=0)
        jumped |= float(np.hypot(*moved)) > limits.max_jump * before.unit
        jumped |= not 0.6 < after.unit / before.unit < 1.67
        turned = max(
            abs(after.pose.yaw - before.pose.yaw), abs(after.pose.pitch - before.pose.pitch)
        )
        fast |= turned > limits.max_turn_deg_per_s * seconds
    return [
        reason
        for reason, found in ((Reason.FACE_JUMPED, jumped), (Reason.MOVED_TOO_FAST, fast))
        if found
    ]
