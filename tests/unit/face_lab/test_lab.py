"""The lab of the face test: its rates, its tests drawn from recordings, its files for a browser."""

from pathlib import Path

import numpy as np
import pytest

from face_lab.clips import Attack
from face_lab.evaluation import film, measure_prompts, pair_scores
from face_lab.people import free_faces
from face_lab.performer import HEIGHT, WIDTH, write_y4m
from face_lab.rates import area_under_curve, bits, equal_error_rate, non_match_at, rate
from face_lab.sessions import Rules
from node.face.vision import Limits
from tests.support.faces import face_models


def test_an_interval_is_that_of_clopper_and_pearson() -> None:
    # None of ten: 1 - 0.025 ** (1 / 10), as tables of the interval have it.
    found = rate(0, 10)
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(0.3085, abs=1e-4)


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


def test_tests_drawn_from_recordings_let_people_pass_and_no_photograph() -> None:
    models, limits = face_models(), Limits()
    recordings = film(
        models,
        [next(free_faces())],
        live_each=1,
        attacks=(Attack.PHOTO,),
        limits=limits,
        advance=lambda _: None,
    )
    rates = measure_prompts(recordings, limits, draws=300, rules=Rules(length=5, most_missed=1))
    assert rates["BPCER"].value <= 0.1
    assert rates["APCER, photo"].value == 0
    assert rates["wrong action accepted, one prompt"].value <= 0.05
    assert rates["APCER, replay of another test"].value <= 0.02
