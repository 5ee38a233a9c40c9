"""Why a frame, a prompt or a whole test was not accepted. A service turns these into words."""

from enum import StrEnum


class Reason(StrEnum):
    """A stable word for one reason. None of them tells how close a score was."""

    # One frame: the person can mend it at once.
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    FACE_TOO_SMALL = "face_too_small"
    FACE_AT_EDGE = "face_at_edge"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    BLURRED = "blurred"

    # One prompt.
    TOO_FEW_FRAMES = "too_few_frames"
    NOT_NEUTRAL_AT_START = "not_neutral_at_start"
    ACTION_NOT_SEEN = "action_not_seen"
    BLINK_NOT_SEEN = "blink_not_seen"
    OTHER_ACTION_SEEN = "other_action_seen"
    FLAT_FACE = "flat_face"
    FACE_CHANGED = "face_changed"
    FACE_JUMPED = "face_jumped"

    # The stream: not what a camera gives.
    TOO_SLOW = "too_slow"
    TIMES_IN_DISORDER = "times_in_disorder"
    REPEATED_FRAMES = "repeated_frames"
    MOVED_TOO_FAST = "moved_too_fast"
    SIZE_CHANGED = "size_changed"

    # The whole test.
    SCREEN_OR_PRINT = "screen_or_print"
    WRONG_PERSON = "wrong_person"
    UNFIT_PORTRAIT = "unfit_portrait"
    PROMPTS_MISSING = "prompts_missing"
