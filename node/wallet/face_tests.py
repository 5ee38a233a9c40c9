"""Face tests for what the wallet does: the face service has the page with the camera.

A recovery is for one who has no credential any more: the portrait that the face is compared with is
a file that was kept with the recovery card.
"""

from dataclasses import dataclass, field
from typing import Final

from client_sdk.errors import CredentialFormatError, DisclosureError
from client_sdk.escrow.recovery import FaceTest, RecoveryFaceTest
from client_sdk.face.client import FaceClient, NewTest
from client_sdk.face.demand import FaceService, FaceTester
from client_sdk.face.page import have_tested_at_page
from client_sdk.face.portrait import PortraitOpening
from client_sdk.http.client import HttpClient
from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.wallet import Wallet
from node.wallet.jobs import Job
from node.web.languages import gettext_noop

FACE_TEST: Final = gettext_noop(
    "Your face is tested: open the page with the camera, then come back."
)
_POLL_S: Final = 1.0


def face_tester(job: Job) -> FaceTester:
    """Return what shows the link of a face service's page, and waits for its word.

    Args:
        job: Its page shows the link.
    """

    def wait(link: str) -> None:
        job.wait_for_holder(FACE_TEST, page_address(link), _POLL_S)

    def have_tested(service: FaceService, new: NewTest) -> str:
        http = HttpClient()
        try:
            return have_tested_at_page(FaceClient(service.url, http), new, wait)
        finally:
            http.close()

    return have_tested


def page_address(link: str) -> str:
    """Return the link of another service's page, known to be one that a browser only shows.

    Raises:
        RequestError: It is none of https, or of http on this machine.
    """
    address, _, _ = link.partition("#")
    parse_endpoint(address, "face page")
    return link


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryFace:
    """How a face is tested at a recovery.

    Attributes:
        service: The face service's address; None where the agents are asked for it.
        portrait: What the face is compared with.
    """

    service: str | None
    portrait: PortraitOpening = field(repr=False)

    @classmethod
    def parse(cls, service: str, portrait: str) -> "RecoveryFace":
        """Return what a form says.

        Raises:
            RequestError: The address is none of a service.
            CredentialFormatError: The file is no portrait that `portrait_of` gave.
        """
        url = parse_endpoint(service, "face service") if service else None
        return cls(service=url, portrait=PortraitOpening.parse(portrait.strip()))

    def tester(self, job: Job, url: str) -> FaceTest:
        """Return what has the face tested for a recovery.

        Args:
            job: Its page shows the link.
            url: The face service's address.
        """
        have_tested = face_tester(job)

        def test(wanted: RecoveryFaceTest) -> str:
            service = FaceService(name=url, url=url)
            return have_tested(service, wanted.with_portrait(self.portrait))

        return test


def portrait_of(wallet: Wallet) -> PortraitOpening:
    """Return the newest portrait of a wallet, as face tests at a recovery compare with.

    Raises:
        CredentialFormatError: The wallet holds none.
    """
    for credential in reversed(wallet.credentials):
        try:
            return PortraitOpening.of_credential(credential.text)
        except (CredentialFormatError, DisclosureError):
            continue
    raise CredentialFormatError("the wallet holds no credential with a portrait")
