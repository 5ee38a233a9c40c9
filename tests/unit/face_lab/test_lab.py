"""The lab of the face test: its rates, its tests drawn from recordings, its files for a browser."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from face_lab import calibration
from face_lab.clips import Attack
from face_lab.evaluation import (
    REPLAY,
    measure_replay,
    measure_trials,
    measure_wrong_actions,
    measure_wrong_person,
    pair_scores,
)
from face_lab.filming import Studio
from face_lab.people import FREE_FACES, Person, free_cast, held_out_cast
from face_lab.performer import HEIGHT, WIDTH, write_y4m
from face_lab.rates import area_under_curve, bits, equal_error_rate, needed, non_match_at, rate
from face_lab.recordings import LIVE, Verdicts
from face_lab.trials import Trial
from node.face.vision import Limits, Reason
from node.face.vision.judge import Judge
from tests.support.faces import face_models


def test_an_interval_is_that_of_clopper_and_pearson() -> None:
    # None of ten: 1 - 0.025 ** (1 / 10), as tables of the interval have it.
    found = rate(0, 10)
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(0.3085, abs=1e-4)


def test_a_limit_takes_so_many_people_without_error() -> None:
    for limit in (0.02, 0.1):
        assert rate(0, needed(limit)).high <= limit < rate(0, needed(limit) - 1).high
    assert needed(0.02) == 183


def test_who_set_a_threshold_is_not_reported_on() -> None:
    names = calibration.portraits()
    free = [person.name for person in free_cast(face_models())]
    assert set(free) <= names
    assert held_out_cast(face_models(), FREE_FACES, apart_from=names) == []
    shown = held_out_cast(face_models(), FREE_FACES, apart_from=set(free[:1]))
    assert [person.name for person in shown] == free[1:]
    assert all(person.is_at_rest for person in shown)


def test_scores_that_stand_apart_have_no_error_and_mixed_ones_have() -> None:
    high, low = np.linspace(0.6, 1, 50), np.linspace(0, 0.5, 50)
    assert equal_error_rate(high, low)[0] == 0
    assert area_under_curve(high, low) == 1
    assert non_match_at(high, low, 0.001)[0] == 0
    assert equal_error_rate(low, low)[0] == pytest.approx(0.5, abs=0.02)
    assert bits(2.0**-11) == pytest.approx(11)


def test_pairs_are_of_one_person_or_of_two() -> None:
    faces = np.eye(4)[[0, 0, 1, 2]]
    genuine, impostor = pair_scores(faces, np.array([0, 0, 1, 2]))
    assert genuine.tolist() == [1]
    assert len(impostor) == 5


def test_a_browser_finds_every_frame_in_its_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.y4m"
    frames = [np.full((HEIGHT, WIDTH, 3), shade, np.uint8) for shade in (0, 255)]
    write_y4m(str(path), frames, 12)
    data = path.read_bytes()
    head, _, body = data.partition(b"\n")
    assert head == b"YUV4MPEG2 W640 H480 F12:1 Ip A1:1 C420jpeg"
    assert len(body) == 2 * (len(b"FRAME\n") + WIDTH * HEIGHT * 3 // 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="module")
def cast() -> list[Person]:
    return free_cast(face_models())


@pytest.fixture(scope="module")
def trials(folder: Path, cast: list[Person]) -> list[Trial]:
    studio = Studio(face_models(), Limits(), cast, folder)
    return [studio.trial(0, kind, 0) for kind in (LIVE, Attack.PHOTO)]


def test_a_person_passes_a_whole_test_and_a_photograph_does_not(trials: list[Trial]) -> None:
    rates = measure_trials({"one": trials})
    assert (rates["BPCER"].value, rates["APCER, photo"].value) == (0, 0)
    # Of one person nothing is known of others.
    assert rates["BPCER"].high > 0.9
    assert len(trials[0].shown) >= 5
    assert [each.asked for each in trials[0].shown] == [
        each.recording.prompt for each in trials[0].shown
    ]
    assert set(trials[1].reasons) <= {
        Reason.ACTION_NOT_SEEN,
        Reason.BLINK_NOT_SEEN,
        Reason.FLAT_FACE,
    }


def test_what_was_filmed_is_not_filmed_again(
    folder: Path, cast: list[Person], trials: list[Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("face_lab.filming.read_clip", None)
    again = Studio(face_models(), Limits(), cast, folder).trial(0, LIVE, 0)
    assert [each.asked for each in again.shown] == [each.asked for each in trials[0].shown]
    # Other thresholds judge the same clips.
    strict = replace(Limits(), max_grid_peak=1.0)
    judged = Studio(face_models(), strict, cast, folder).trial(0, LIVE, 0)
    assert judged.reasons == (Reason.SCREEN_OR_PRINT,)
    # What is read otherwise is filmed anew.
    others = replace(Limits(), stream=replace(Limits().stream, spacing_ms=90))
    with pytest.raises(TypeError):
        Studio(face_models(), others, cast, folder).trial(0, LIVE, 0)


def test_a_recording_answers_hardly_any_other_challenge(
    cast: list[Person], trials: list[Trial]
) -> None:
    verdicts, one = Verdicts(Limits()), {"one": trials}
    assert measure_wrong_actions(one, verdicts)["wrong action accepted, one prompt"].value <= 0.05
    portraits = {"one": cast[0].portrait}
    replayed = measure_replay(one, portraits, Limits(), verdicts, draws=300)[REPLAY]
    assert (replayed.trials, replayed.value <= 0.02) == (300, True)
    # To the very challenge of which it is the recording it is an answer: the judge is no wall.
    judge = Judge(Limits(), cast[0].portrait, with_portrait=True)
    for each in trials[0].shown:
        reasons = verdicts.of(each.recording, each.asked)
        peak, faces = each.recording.record.grid_peak, each.recording.faces
        judge.judge_prompt(each.asked, reasons, peak, lambda faces=faces: faces)
    assert judge.conclude() == ()


def test_another_face_does_not_pass_with_the_portrait(
    cast: list[Person], trials: list[Trial]
) -> None:
    portraits = {"one": cast[0].portrait, "two": cast[1].portrait}
    rates = measure_wrong_person({"one": trials}, portraits, Limits())
    assert rates["APCER, wrong person"].value == 0
    twins = {"one": cast[0].portrait, "twin": cast[0].portrait}
    assert measure_wrong_person({"one": trials}, twins, Limits())["APCER, wrong person"].value == 1


def test_a_threshold_lies_between_what_was_done_and_what_was_not() -> None:
    done, other = tuple(np.linspace(10, 20, 50)), tuple(np.linspace(0, 4, 50))
    assert calibration.Samples(done, other).threshold() == pytest.approx(7.1, abs=0.2)
    below = calibration.Samples(other, done, done_is_above=False).threshold()
    assert below == pytest.approx(7.1, abs=0.2)
    alone = calibration.Samples(done, other, rule="false_match", edge=0.001).threshold()
    assert alone == pytest.approx(4, abs=0.01)


def test_the_thresholds_are_those_of_the_calibration_and_of_its_samples() -> None:
    thresholds, samples = calibration.read()
    assert len(thresholds) >= 15
    for name, found in thresholds.items():
        assert samples[name].threshold() == found, name
        assert calibration.limit_of(Limits(), name) == found, name
