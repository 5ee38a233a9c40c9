"""The face test on rendered people and on what attackers show (ISO/IEC 30107-3)."""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import pytest

from client_sdk.face.prompts import Prompt
from face_lab.clips import Attack, ClipFrame, attack_clip
from face_lab.performer import Pose
from face_lab.recordings import LIVE, Verdicts, read_clip
from node.face.vision import FaceTest, Image, Limits, Reason
from tests.support.faces import face_models, live, performers, show

SERIES = (Prompt.LOOK_LEFT, Prompt.SMILE, Prompt.LOOK_UP, Prompt.BLINK, Prompt.LOOK_RIGHT)


@cache
def clip_of(prompt: Prompt, person: int = 0) -> list[ClipFrame]:
    return live(person, prompt)


def portrait_of(person: int) -> Image:
    return performers()[person].frame(Pose())


@pytest.mark.parametrize("prompt", list(Prompt))
def test_a_person_who_follows_a_prompt_is_accepted(prompt: Prompt) -> None:
    finding = show(FaceTest(face_models()), prompt, clip_of(prompt))
    assert finding.accepted, finding.reasons
    assert finding.reasons == ()


@pytest.mark.parametrize("shown", list(Prompt))
def test_another_prompt_is_not_answered_by_it(shown: Prompt) -> None:
    limits = Limits()
    recording = read_clip(face_models(), clip_of(shown), prompt=shown, kind=LIVE, limits=limits)
    verdicts = Verdicts(limits)
    for asked in Prompt:
        reasons = set(verdicts.of(recording, asked))
        if asked is shown:
            assert not reasons
        else:
            assert reasons, asked
            assert reasons <= {
                Reason.ACTION_NOT_SEEN,
                Reason.BLINK_NOT_SEEN,
                Reason.OTHER_ACTION_SEEN,
            }


def test_a_whole_test_is_passed_by_the_person_of_the_portrait() -> None:
    test = FaceTest(face_models(), portrait=portrait_of(0))
    for place, prompt in enumerate(SERIES):
        assert show(test, prompt, live(0, prompt, seed=20 + place, start_ms=9000 * place)).accepted
    finding = test.finish()
    assert finding.accepted, finding.reasons
    assert finding.accepted_prompts == SERIES
    # No weights ship.
    assert finding.detector is None


def test_another_person_is_not_the_one_of_the_portrait() -> None:
    test = FaceTest(face_models(), portrait=portrait_of(1))
    assert show(test, Prompt.LOOK_LEFT, clip_of(Prompt.LOOK_LEFT)).accepted
    assert test.finish().reasons == (Reason.WRONG_PERSON,)


def test_another_person_may_not_go_on_with_the_test() -> None:
    test = FaceTest(face_models())
    assert show(test, Prompt.LOOK_LEFT, clip_of(Prompt.LOOK_LEFT)).accepted
    finding = show(test, Prompt.LOOK_UP, live(1, Prompt.LOOK_UP, start_ms=9000))
    assert finding.reasons == (Reason.FACE_CHANGED,)


@pytest.mark.parametrize(
    ("attack", "prompt", "told"),
    [
        (Attack.PHOTO, Prompt.LOOK_LEFT, {Reason.ACTION_NOT_SEEN}),
        (Attack.PHOTO, Prompt.BLINK, {Reason.BLINK_NOT_SEEN}),
        (Attack.MOVED_PHOTO, Prompt.LOOK_UP, {Reason.ACTION_NOT_SEEN}),
        (Attack.MOVED_PHOTO, Prompt.OPEN_MOUTH, {Reason.ACTION_NOT_SEEN}),
        (Attack.FLAT_PRINT, Prompt.LOOK_RIGHT, {Reason.FLAT_FACE, Reason.ACTION_NOT_SEEN}),
        (Attack.BENT_PRINT, Prompt.LOOK_LEFT, {Reason.FLAT_FACE}),
        (Attack.RETIMED, Prompt.SMILE, {Reason.REPEATED_FRAMES}),
        (Attack.SPLICED_PERSON, Prompt.LOOK_LEFT, {Reason.FACE_CHANGED}),
    ],
)
def test_an_attack_is_refused_for_the_right_reason(
    attack: Attack, prompt: Prompt, told: set[Reason]
) -> None:
    first, second = performers()[:2]
    clip = attack_clip(attack, first, prompt, np.random.default_rng(4), other=second)
    finding = show(FaceTest(face_models()), prompt, clip)
    assert not finding.accepted
    assert told & set(finding.reasons)


def black(image: Image) -> Image:
    # Never twice the same, as a covered lens.
    return np.random.default_rng(int(image.sum())).integers(0, 9, image.shape, np.uint8)


def twice(image: Image) -> Image:
    half = cv2.resize(image, None, fx=0.5, fy=1.0)
    return np.ascontiguousarray(np.hstack([half, half]))


def far(image: Image) -> Image:
    small = cv2.resize(image, None, fx=0.42, fy=0.42, interpolation=cv2.INTER_AREA)
    height, width = image.shape[:2]
    frame = np.full_like(image, 90)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    frame[top : top + small.shape[0], left : left + small.shape[1]] = small
    return frame


def dark(image: Image) -> Image:
    return (image * 0.15).astype(np.uint8)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (black, Reason.NO_FACE),
        (twice, Reason.SEVERAL_FACES),
        (far, Reason.FACE_TOO_SMALL),
        (dark, Reason.TOO_DARK),
    ],
)
def test_a_person_is_told_what_to_do_better(change: Callable[[Image], Image], told: Reason) -> None:
    test = FaceTest(face_models())
    test.begin(Prompt.SMILE)
    found = [test.add(change(frame.image), frame.at_ms) for frame in clip_of(Prompt.SMILE)]
    assert any(told in each.reasons for each in found)
    assert told in test.end().reasons


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (lambda n: 1000 - n, Reason.TIMES_IN_DISORDER),
        (lambda n: 400 * n, Reason.TOO_SLOW),
        (lambda n: 80 * n + (2000 if n > 12 else 0), Reason.TOO_SLOW),
    ],
    ids=["backwards", "slow", "pause"],
)
def test_frames_that_no_camera_gives_are_refused(times: Callable[[int], int], told: Reason) -> None:
    clip = [ClipFrame(times(n), f.image) for n, f in enumerate(clip_of(Prompt.SMILE))]
    assert told in show(FaceTest(face_models()), Prompt.SMILE, clip).reasons


def test_a_still_picture_is_no_camera() -> None:
    image = clip_of(Prompt.SMILE)[0].image
    clip = [ClipFrame(80 * n, image) for n in range(20)]
    found = show(FaceTest(face_models()), Prompt.SMILE, clip)
    assert Reason.REPEATED_FRAMES in found.reasons


def test_a_clip_that_was_shown_before_is_known_again() -> None:
    test = FaceTest(face_models())
    clip = clip_of(Prompt.SMILE)
    assert show(test, Prompt.SMILE, clip).accepted
    later = [ClipFrame(frame.at_ms + 9000, frame.image) for frame in clip]
    assert Reason.REPEATED_FRAMES in show(test, Prompt.SMILE, later).reasons


def test_a_clip_of_a_few_frames_says_nothing() -> None:
    found = show(FaceTest(face_models()), Prompt.SMILE, clip_of(Prompt.SMILE)[:5])
    assert found.reasons == (Reason.TOO_FEW_FRAMES,)


def test_a_portrait_without_a_face_is_unfit() -> None:
    test = FaceTest(face_models(), portrait=np.full((300, 240, 3), 128, np.uint8))
    assert not test.has_fit_portrait
    assert Reason.UNFIT_PORTRAIT in test.finish().reasons


def test_nothing_shown_is_not_accepted() -> None:
    test = FaceTest(face_models())
    assert test.finish().reasons == (Reason.PROMPTS_MISSING,)
    with pytest.raises(RuntimeError, match="no prompt was begun"):
        test.end()
