"""A face test for what the wallet does: the face service's page makes it, the job waits for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.browser import serve_in_thread
from support.escrow_world import EscrowWorld
from support.face_world import NAME, PORTRAIT, FaceWorld

from client_sdk.errors import CredentialFormatError, FaceTestRefusedError, RequestError
from client_sdk.escrow.recovery_card import RecoveryCard
from client_sdk.face.demand import FaceService
from client_sdk.face.portrait import PortraitOpening
from client_sdk.sealing.vault import CHEAPEST
from node.errors import FaceWantedError
from node.wallet.face_tests import FACE_TEST, RecoveryFace, face_tester, page_address
from node.wallet.jobs import Job, Jobs
from node.wallet.keeper import WalletKeeper
from node.wallet.recovery_errands import Recover

DEADLINE_S = 30


class JobWithFace:
    """A job that has a face tested, and what it got."""

    def __init__(self, world: FaceWorld, url: str) -> None:
        self.attestations: list[str] = []

        def work(job: Job) -> str:
            service = FaceService(name=NAME, url=url)
            self.attestations.append(face_tester(job)(service, world.new()))
            return "/done"

        self.job = Jobs().start("Something", work, back="/back")

    @property
    def link(self) -> str:
        """The page that the holder is to open; waits for it."""
        while self.job.link is None:
            assert not self.job.is_over(within_s=0.01)
        return self.job.link


@pytest.fixture
def world() -> FaceWorld:
    return FaceWorld()


@pytest.fixture
def url(world: FaceWorld) -> Iterator[str]:
    with serve_in_thread(world.app) as url:
        yield url


def test_the_job_waits_for_the_page_with_the_camera(world: FaceWorld, url: str) -> None:
    tested = JobWithFace(world, url)
    link = tested.link
    assert (tested.job.state, tested.job.step) == ("waiting", FACE_TEST)
    world.follow(link)
    assert tested.job.is_over(within_s=DEADLINE_S)
    assert tested.job.state == "done"
    (attestation,) = tested.attestations
    assert attestation.count(".") == 2


def test_a_face_service_that_was_started_anew_is_another_link(world: FaceWorld, url: str) -> None:
    tested = JobWithFace(world, url)
    forgotten = tested.link
    world.challenges._tests.clear()
    while tested.link == forgotten:
        assert not tested.job.is_over(within_s=0.01)
    world.follow(tested.link)
    assert tested.job.is_over(within_s=DEADLINE_S)
    assert len(tested.attestations) == 1


def test_who_is_not_the_holder_is_refused(world: FaceWorld, url: str) -> None:
    world.vision.conclusion = "wrong_person"
    tested = JobWithFace(world, url)
    world.follow(tested.link)
    assert tested.job.is_over(within_s=DEADLINE_S)
    assert isinstance(tested.job.problem, FaceTestRefusedError)
    assert tested.attestations == []


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "http://evil.example"])
def test_no_page_of_another_kind_is_opened(link: str) -> None:
    with pytest.raises(RequestError):
        page_address(link)
    assert (
        page_address("https://face.example/page#1.secret") == "https://face.example/page#1.secret"
    )


def test_the_portrait_of_a_recovery_is_the_file_that_was_kept() -> None:
    portrait = PortraitOpening.create(PORTRAIT)
    face = RecoveryFace.parse("https://face.example", f"{portrait.disclosure}\n")
    assert (face.service, face.portrait) == ("https://face.example", portrait)
    assert RecoveryFace.parse("", portrait.disclosure).service is None
    with pytest.raises(CredentialFormatError):
        RecoveryFace.parse("https://face.example", "nothing of this kind")
    with pytest.raises(RequestError):
        RecoveryFace.parse("http://face.example", portrait.disclosure)


def test_a_recovery_without_a_portrait_is_told_before_an_attempt_is_made(tmp_path: Path) -> None:
    agents = EscrowWorld(tmp_path, face_required=True, face_services=[FaceWorld().trust(tmp_path)])
    with serve_in_thread(agents.agents[0].app) as url:
        work = Recover(
            keeper=WalletKeeper(tmp_path / "wallet", profile=CHEAPEST),
            card=RecoveryCard.draw(agent_set="a set", urls=(url, "http://127.0.0.1:1")),
            password="a password",
            passphrase="a passphrase",
            face=None,
            finish=lambda: "/",
        )
        job = Jobs().start("Something", work, back="/back")
        assert job.is_over(within_s=DEADLINE_S)
    assert isinstance(job.problem, FaceWantedError)
    agents.close()
