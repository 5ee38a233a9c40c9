"""The page with the camera, in a real browser, with rendered faces before it."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browser import check_page, check_view, person
from support.face_world import SERIES, FaceWorld, FixedSeries
from support.rendered_person import (
    Clip,
    Shown,
    attacker,
    examiner,
    live_person,
    portrait,
    seeing_world,
)

from client_sdk.errors import FaceTestRefusedError
from client_sdk.face.client import StartedTest
from client_sdk.face.portrait import PortraitOpening
from client_sdk.face.prompts import Prompt
from face_lab.clips import Attack
from node.face.uploads import MAX_BODY_BYTES
from node.face.words import WORDS
from node.web.server import WebServer

pytestmark = pytest.mark.xdist_group("browser")

CAMERA: Final = (Path(__file__).parents[1] / "support" / "fake_camera.js").read_text()
NO_CAMERA: Final = """
navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", "NotFoundError"); };
"""


@contextmanager
def service(world: FaceWorld) -> Iterator[FaceWorld]:
    """Serve a face service with the real checks, and a real clock, on a free port."""
    server = WebServer(world.app, "127.0.0.1:0", connections=16, memory_body_bytes=MAX_BODY_BYTES)
    runner = threading.Thread(target=server.run)
    runner.start()
    world.address = f"http://{server.address}"
    try:
        yield world
    finally:
        server.stop()
        runner.join()


@pytest.fixture(scope="module")
def world() -> Iterator[FaceWorld]:
    with service(seeing_world(seed=1, capture_seconds=2.4, most_missed=2)) as world:
        yield world


@pytest.fixture(scope="module")
def strict_world() -> Iterator[FaceWorld]:
    """Ask for `SERIES`, and forgive no miss: what is shown for a prompt is judged by itself."""
    seeing = FaceWorld(vision=examiner(), series=FixedSeries(), capture_seconds=2.4, most_missed=0)
    with service(seeing) as world:
        yield world


def make(world: FaceWorld, *, of: int = 0) -> tuple[StartedTest, str]:
    """Make a test; return it with the page's address on this machine."""
    test = world.client.create(world.new(portrait=PortraitOpening.create(portrait(of))))
    return test, f"{world.address}/test?lang=en#{test.page_link.partition('#')[2]}"


def put_before(page: Page, world: FaceWorld, show: Shown) -> None:
    """Put somebody, or something, before the camera."""
    # A seed for each prompt: the noise of a camera is never the same twice.
    seeds = count(1)
    started = world.clock()

    def set_clock(since_ms: int) -> None:
        world.clock.now_ms = max(world.clock(), started + since_ms)

    page.expose_function(
        "clipFor", lambda prompt: _to_urls(show(Prompt(prompt or Prompt.SMILE), next(seeds)))
    )
    page.expose_function("setClock", set_clock)
    page.add_init_script(CAMERA)


def _to_urls(clip: Clip) -> list[tuple[int, str]]:
    """Return the pictures of a clip, each with how long after the one before it was taken."""
    before = 0
    urls: list[tuple[int, str]] = []
    for frame in clip:
        picture = base64.b64encode(frame.jpeg).decode()
        urls.append((frame.time_ms - before, f"data:image/jpeg;base64,{picture}"))
        before = frame.time_ms
    return urls


def have_tested(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="I agree: start the camera").press("Enter")
    expect(
        page.locator("[data-step=passed], [data-step=refused]").locator("visible=true")
    ).to_be_visible(timeout=60_000)


def test_a_person_passes(browser: Browser, world: FaceWorld) -> None:
    test, address = make(world)
    with person(browser) as page:
        put_before(page, world, live_person(0))
        have_tested(page, address)
        expect(page.get_by_role("heading", name="You passed")).to_be_visible()
    assert world.client.fetch_attestation(test) is not None


def check_refusal(browser: Browser, world: FaceWorld, shown: Shown, code: str) -> None:
    """Show something to the page: person and application are told the reason."""
    test, address = make(world)
    with person(browser) as page:
        put_before(page, world, shown)
        have_tested(page, address)
        expect(page.get_by_role("heading", name="Not passed")).to_be_visible()
        expect(page.locator("#reason")).to_have_text(WORDS[code][1])
    with pytest.raises(FaceTestRefusedError) as refused:
        world.client.fetch_attestation(test)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("attack", "code"),
    [
        (Attack.PHOTO, "action_not_seen"),
        (Attack.MOVED_PHOTO, "action_not_seen"),
        (Attack.FLAT_PRINT, "flat_face"),
        (Attack.BENT_PRINT, "flat_face"),
        (Attack.RETIMED, "repeated_frames"),
    ],
)
def test_what_is_no_living_face_is_told_why(
    browser: Browser, strict_world: FaceWorld, attack: Attack, code: str
) -> None:
    check_refusal(browser, strict_world, attacker(attack, 0), code)


def test_a_recording_of_another_test_makes_the_movements_of_that_test(
    browser: Browser, strict_world: FaceWorld
) -> None:
    """Its first movement is by chance the one that is asked for; the next one is not."""
    recorded = (SERIES[0], Prompt.LOOK_RIGHT, Prompt.OPEN_MOUTH)
    assert recorded[1] is not SERIES[1]
    order = iter((SERIES[0], *recorded))  # The page looks through the camera once before it asks.
    check_refusal(
        browser,
        strict_world,
        lambda _, seed: live_person(0)(next(order), seed),
        "action_not_seen",
    )


def test_another_person_who_follows_is_not_the_one_of_the_portrait(
    browser: Browser, strict_world: FaceWorld
) -> None:
    check_refusal(browser, strict_world, live_person(1), "wrong_person")


def test_the_person_is_told_what_is_done_before_the_camera_starts(
    browser: Browser, world: FaceWorld
) -> None:
    _, address = make(world)
    with person(browser) as page:
        put_before(page, world, live_person(0))
        page.goto(address)
        text = page.locator("[data-step=consent]")
        expect(text).to_contain_text("The city compares your face")
        expect(text).to_contain_text("None is stored, and all are gone with the result.")
        check_view(page, "face-consent")
        page.get_by_role("link", name="日本語").click()
        expect(page.get_by_role("button", name="同意してカメラを始める")).to_be_visible()
        expect(page.locator("[data-step=consent]")).to_contain_text("保存はせず")
        # Nobody has begun it: no prompt was shown.
        assert page.locator("[data-prompt]:visible").count() == 0


def test_a_link_that_is_not_whole_says_so(browser: Browser, world: FaceWorld) -> None:
    with person(browser) as page:
        page.goto(f"{world.address}/test?lang=en")
        expect(page.get_by_role("heading", name="No face test")).to_be_visible()
        check_page(page, "face-no-test")
        page.goto(f"{world.address}/test?lang=en#{'0' * 32}.token")
        page.reload()
        expect(page.get_by_role("heading", name="No face test")).to_be_visible()


def test_a_browser_without_camera_says_so(browser: Browser, world: FaceWorld) -> None:
    test, address = make(world)
    with person(browser) as page:
        page.add_init_script(NO_CAMERA)
        page.goto(address)
        page.get_by_role("button", name="I agree: start the camera").click()
        expect(page.get_by_role("heading", name="No camera")).to_be_visible()
    # The minute has not begun: the person can mend it, and load the page again.
    assert world.client.read(test).state == "waiting"


def test_the_page_takes_nothing_from_elsewhere(world: FaceWorld) -> None:
    answer = world.flask.get("/test")
    assert "camera=(self)" in answer.headers["Permissions-Policy"]
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
