"""A face test from its making to its word: one face, one request, one time."""

import json
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.face_world import (
    ACCOUNT,
    AUDIENCE,
    NAME,
    PORTRAIT,
    REQUEST_HASH,
    SERIES,
    FaceWorld,
    encode,
)

from client_sdk.credentials.jose import generate_key, thumbprint
from client_sdk.errors import (
    AttestationError,
    FaceTestRefusedError,
    ServiceRefusedError,
    TransportError,
)
from client_sdk.face.attestation import verify_attestation, verify_recent_attestation
from client_sdk.face.capture import run_test
from client_sdk.face.client import CapturedFrame, StartedTest, TestState
from client_sdk.face.portrait import PortraitOpening
from client_sdk.face.prompts import Prompt
from node.face.words import WORDS


@pytest.fixture
def world() -> FaceWorld:
    return FaceWorld()


class Camera:
    """A person who follows each prompt."""

    def __init__(self, world: FaceWorld) -> None:
        self._world = world
        self.shown: list[Prompt] = []

    def capture(self, prompt: Prompt, *, capture_ms: int) -> list[CapturedFrame]:
        assert capture_ms == 3000
        self.shown.append(prompt)
        return self._world.frames()


def passed(world: FaceWorld, **changes: Any) -> tuple[str, PortraitOpening]:
    new = world.new(**changes)
    return run_test(world.client, new, Camera(world)), new.portrait


def verify(world: FaceWorld, token: str, **changes: Any) -> None:
    expected: dict[str, Any] = {
        "keys": {NAME: world.key},
        "expected_audience": AUDIENCE,
        "expected_purpose": "tegata-recovery",
        "expected_account": ACCOUNT,
        "expected_request_hash": REQUEST_HASH,
        "now_s": world.clock() // 1000,
        **changes,
    }
    verify_attestation(token, **expected)


def test_a_face_that_follows_every_prompt_gets_a_word_for_one_request(world: FaceWorld) -> None:
    camera, new = Camera(world), world.new()
    told: list[TestState] = []
    token = run_test(world.client, new, camera, on_progress=told.append)
    verify(world, token, expected_portraits=(new.portrait.commitment,))
    assert camera.shown == list(SERIES) == world.vision.judged
    assert [(state.passed, state.needed) for state in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"expected_audience": "others"}, "another aud"),
        ({"expected_purpose": "tegata-issuance"}, "another purpose"),
        ({"expected_account": "other@holder"}, "another account"),
        ({"expected_request_hash": "B" * 43}, "another request_hash"),
        ({"expected_portraits": ("C" * 43,)}, "another portrait_commitment"),
        ({"keys": {}}, "nobody whom this service trusts"),
        ({"keys": {NAME: generate_key()}}, "does not verify"),
    ],
)
def test_the_word_is_for_nothing_else(
    world: FaceWorld, changes: dict[str, Any], reason: str
) -> None:
    token, portrait = passed(world)
    with pytest.raises(AttestationError, match=reason):
        verify(world, token, **{"expected_portraits": (portrait.commitment,), **changes})


def test_the_word_for_a_request_lasts_three_minutes(world: FaceWorld) -> None:
    token, portrait = passed(world)
    world.clock.advance(seconds=180 + 31)
    with pytest.raises(AttestationError, match="expired"):
        verify(world, token, expected_portraits=(portrait.commitment,))


def test_the_word_of_a_recent_test_is_for_a_key_and_a_verifier(world: FaceWorld) -> None:
    key = thumbprint(generate_key())
    token, portrait = passed(world, request_hash=None, holder_key=key, audience="x509_hash:city")
    expected: dict[str, Any] = {
        "keys": {NAME: world.key},
        "expected_audience": "x509_hash:city",
        "expected_purpose": "tegata-recovery",
        "expected_account": ACCOUNT,
        "expected_holder_key": key,
        "expected_portraits": (portrait.commitment,),
        "max_age_s": 600,
        "now_s": world.clock() // 1000,
    }
    verify_recent_attestation(token, **expected)
    with pytest.raises(AttestationError, match="another aud"):
        verify_recent_attestation(token, **{**expected, "expected_audience": "x509_hash:bank"})
    other = thumbprint(generate_key())
    with pytest.raises(AttestationError, match="another jkt"):
        verify_recent_attestation(token, **{**expected, "expected_holder_key": other})
    with pytest.raises(AttestationError, match="older than 600 s"):
        verify_recent_attestation(token, **{**expected, "now_s": expected["now_s"] + 601})
    # Neither kind passes for the other.
    with pytest.raises(AttestationError, match="typ"):
        verify(world, token, expected_portraits=(portrait.commitment,))
    plain, portrait = passed(world)
    with pytest.raises(AttestationError, match="typ"):
        verify_recent_attestation(plain, **expected)


def test_a_missed_prompt_is_replaced_and_never_waved_through(world: FaceWorld) -> None:
    world.vision.reasons = [None, "action_not_seen"]
    camera, told = Camera(world), []
    run_test(world.client, world.new(), camera, on_progress=told.append)
    assert camera.shown == [SERIES[0], SERIES[1], Prompt.BLINK, SERIES[2]]
    missed = told[2]
    assert (missed.passed, missed.code) == (1, "action_not_seen")
    assert missed.hint["en"] == "The movement was not seen. Make it larger, and slowly."
    assert missed.hint["ja"].startswith("指示どおりの動き")
    assert told[3].code is None


def test_too_many_missed_prompts_are_a_refusal_that_says_what_to_do(world: FaceWorld) -> None:
    world.vision.reasons = ["flat_face"] * 2
    with pytest.raises(FaceTestRefusedError, match="Turn your own head") as refused:
        passed(world)
    assert refused.value.code == "flat_face"
    assert "ご自身の頭" in refused.value.words["ja"]


def test_another_person_is_refused_whatever_prompts_were_followed(world: FaceWorld) -> None:
    world.vision.conclusion = "wrong_person"
    with pytest.raises(FaceTestRefusedError, match="not the face of the registered portrait"):
        passed(world)


def test_no_refusal_tells_how_near_it_was() -> None:
    for japanese, english in WORDS.values():
        assert not any(char.isdigit() for char in english)
        assert not any(char.isdigit() for char in japanese)
        assert japanese.endswith("。")
        assert english.endswith(".")


def test_nobody_sees_a_prompt_before_the_test_begins(world: FaceWorld) -> None:
    made = world.client.create(world.new())
    state = world.client.read(made)
    assert (state.state, state.prompt) == ("waiting", None)
    with pytest.raises(ServiceRefusedError) as refused:
        world.client.send_frames(made, 0, world.frames())
    assert refused.value.code == "not_started"


def begun(world: FaceWorld, **changes: Any) -> StartedTest:
    made = world.client.create(world.new(**changes))
    world.client.start(made)
    return made


def test_the_next_prompt_is_shown_only_when_this_one_was_answered(world: FaceWorld) -> None:
    made = begun(world)
    with pytest.raises(ServiceRefusedError) as refused:
        world.client.send_frames(made, 1, world.frames())
    assert refused.value.code == "prompt_to_come"
    assert world.client.read(made).prompt is SERIES[0]


def test_an_answer_that_was_lost_is_told_again_and_counts_once(world: FaceWorld) -> None:
    made = begun(world)
    frames = world.frames()
    world.http.lost = 1
    with pytest.raises(TransportError):
        world.client.send_frames(made, 0, frames)
    state = world.client.send_frames(made, 0, frames)
    assert (state.window, state.passed, world.vision.judged) == (1, 1, [SERIES[0]])


def test_an_application_sends_again_what_was_lost(world: FaceWorld) -> None:
    class Unsteady(Camera):
        def capture(self, prompt: Prompt, *, capture_ms: int) -> list[CapturedFrame]:
            world.http.lost = 2
            return super().capture(prompt, capture_ms=capture_ms)

    run_test(world.client, world.new(), Unsteady(world))
    assert world.vision.judged == list(SERIES)


def test_a_test_is_made_once(world: FaceWorld) -> None:
    made = begun(world)
    for window in range(3):
        world.client.send_frames(made, window, world.frames())
    with pytest.raises(ServiceRefusedError) as refused:
        world.client.start(made)
    assert refused.value.code == "challenge_over"
    with pytest.raises(ServiceRefusedError) as refused:
        world.client.send_frames(made, 3, world.frames())
    assert refused.value.code == "challenge_over"
    # The last answer may have been lost; it is told again, and the word is one.
    assert world.client.send_frames(made, 2, world.frames()).state == "passed"
    assert world.client.fetch_attestation(made) == world.client.fetch_attestation(made)


def test_the_token_of_another_test_opens_nothing(world: FaceWorld) -> None:
    made, other = begun(world), begun(world)
    mixed = StartedTest(
        id=made.id,
        capture_token=other.capture_token,
        result_token=other.result_token,
        page_link="",
        expires_at_ms=0,
    )
    for call in (world.client.start, world.client.read):
        with pytest.raises(ServiceRefusedError) as refused:
            call(mixed)
        assert refused.value.code == "unknown_challenge"
    with pytest.raises(ServiceRefusedError) as refused:
        world.client.send_frames(mixed, 0, world.frames())
    assert refused.value.code == "unknown_challenge"
    assert world.client.read(made).passed == 0


def test_who_shows_a_face_does_not_get_the_word(world: FaceWorld) -> None:
    made = begun(world)
    for window in range(3):
        world.client.send_frames(made, window, world.frames())
    path = f"/challenges/{made.id}"
    seen = world.flask.get(path, headers={"Authorization": f"Bearer {made.capture_token}"})
    assert seen.get_json()["state"] == "passed"
    assert seen.get_json()["attestation"] is None
    own = world.flask.get(path, headers={"Authorization": f"Bearer {made.result_token}"})
    assert own.get_json()["attestation"].count(".") == 2
    # And who gets the word shows no face.
    refused = world.flask.post(
        f"{path}/start", headers={"Authorization": f"Bearer {made.result_token}"}
    )
    assert refused.get_json()["code"] == "unknown_challenge"
    assert world.flask.get(path).status_code == 401


def test_a_test_ends_a_minute_after_its_beginning(world: FaceWorld) -> None:
    made = begun(world)
    world.clock.advance(seconds=60)
    with pytest.raises(ServiceRefusedError) as refused:
        world.client.send_frames(made, 0, world.frames())
    assert refused.value.code == "challenge_expired"
    state = world.client.read(made)
    assert (state.state, state.code) == ("expired", "test_expired")
    with pytest.raises(FaceTestRefusedError, match="time of the test is over"):
        world.client.fetch_attestation(made)


def test_a_test_that_nobody_begins_is_forgotten(world: FaceWorld) -> None:
    made = world.client.create(world.new())
    assert world.vision.remembered == 1
    world.clock.advance(seconds=601)
    with pytest.raises(ServiceRefusedError) as refused:
        world.client.start(made)
    assert refused.value.code == "unknown_challenge"
    world.challenges.purge()
    assert world.vision.remembered == 0


def test_frames_that_come_too_late_miss_their_prompt(world: FaceWorld) -> None:
    made = begun(world)
    world.clock.advance(seconds=9)
    state = world.client.send_frames(made, 0, world.frames())
    assert (state.passed, state.code, world.vision.judged) == (0, "too_late", [])


def test_waiting_for_the_service_costs_nobody_time(world: FaceWorld) -> None:
    """Ten may come at a time, and two are looked at: the others wait, and lose nothing by it."""

    class BusyPlace:
        def __enter__(self) -> None:
            world.clock.advance(seconds=50)

        def __exit__(self, *_: object) -> None:
            pass

    world.challenges._places = BusyPlace()  # type: ignore[assignment]
    made = world.client.create(world.new())
    world.client.start(made)
    for window in range(3):
        state = world.client.send_frames(made, window, world.frames())
    assert (state.state, state.passed) == ("passed", 3)


@pytest.mark.parametrize("shift_ms", [-1_500, 3_000])
def test_frames_whose_times_do_not_fit_miss_their_prompt(world: FaceWorld, shift_ms: int) -> None:
    """Taken before the last prompt's, or over a longer time than there was."""
    made = begun(world)
    assert world.client.send_frames(made, 0, world.frames()).passed == 1
    frames = world.frames()
    first = frames[0].time_ms + (min(0, shift_ms))
    last = frames[-1].time_ms + max(shift_ms, 0)
    moved = [
        CapturedFrame(time_ms=first, jpeg=frames[0].jpeg),
        *frames[1:-1],
        CapturedFrame(time_ms=last, jpeg=frames[-1].jpeg),
    ]
    state = world.client.send_frames(made, 1, moved)
    assert (state.passed, state.code) == (1, "times_in_disorder")


def test_the_face_is_forgotten_with_the_verdict(world: FaceWorld) -> None:
    passed(world)
    assert world.vision.remembered == 0
    world.vision.conclusion = "wrong_person"
    with pytest.raises(FaceTestRefusedError):
        passed(world)
    assert world.vision.remembered == 0
    made = begun(world)
    assert world.vision.remembered == 1
    world.clock.advance(seconds=60)
    world.challenges.purge()
    assert world.vision.remembered == 0
    with pytest.raises(FaceTestRefusedError):
        world.client.fetch_attestation(made)


def test_the_log_tells_reasons_and_nothing_of_the_face() -> None:
    with capture_logs() as entries:
        world = FaceWorld()
        passed(world)
        world.vision.reasons = ["flat_face"] * 2
        with pytest.raises(FaceTestRefusedError):
            passed(world)
    ended = [entry for entry in entries if entry["event"] == "test_ended"]
    assert [(entry["state"], entry["code"]) for entry in ended] == [
        ("passed", None),
        ("refused", "flat_face"),
    ]
    text = json.dumps(entries, default=str)
    assert ACCOUNT not in text
    assert AUDIENCE not in text
    assert encode(PORTRAIT) not in text
    assert "0.64" not in text


def test_one_portrait_has_so_many_tests_an_hour() -> None:
    world = FaceWorld(test_rate="3/hour")
    portrait = PortraitOpening.create(PORTRAIT)
    for _ in range(3):
        world.client.create(world.new(portrait=portrait))
    with pytest.raises(ServiceRefusedError) as refused:
        world.client.create(world.new(portrait=portrait))
    assert refused.value.code == "too_many_requests"
    # Another person is not shut out.
    world.client.create(world.new())


def test_there_are_so_many_tests_at_a_time() -> None:
    world = FaceWorld(most_open=2)
    for _ in range(2):
        world.client.create(world.new())
    # Whoever asks is to wait, not to give up.
    with pytest.raises(TransportError, match="Too many face tests"):
        world.client.create(world.new())
    world.clock.advance(seconds=601)
    world.client.create(world.new())


def test_one_address_calls_so_often() -> None:
    world = FaceWorld(caller_rate="2/minute")
    for _ in range(2):
        world.client.create(world.new())
    answer = world.flask.post("/challenges", json={})
    assert (answer.status_code, answer.headers["Retry-After"].isdigit()) == (429, True)


def test_the_service_says_who_it_is(world: FaceWorld) -> None:
    told = world.flask.get("/service").get_json()
    assert (told["name"], told["operator"]) == (NAME, "The city")
    assert told["verification_key"]["kty"] == "OKP"
    assert "d" not in told["verification_key"]
