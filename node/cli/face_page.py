"""A face test by the service's own page: the command line has no camera."""

import sys
import time
from collections.abc import Callable

import segno
from rich.console import Console

from client_sdk.errors import IssuanceDeferredError
from client_sdk.face.client import FaceClient, NewTest
from client_sdk.face.demand import FaceService, FaceTester
from client_sdk.face.page import have_tested_at_page
from client_sdk.http.client import HttpClient
from client_sdk.wallet.records import StoredCredential
from node.cli.output import plain

_POLL_S = 1.0


def face_tester(http: HttpClient) -> FaceTester:
    """Return what shows the link of a face service's page, and waits for the word.

    Args:
        http: How the service is reached.
    """
    shown: set[str] = set()

    def wait(link: str) -> None:
        if link not in shown:
            shown.add(link)
            show_page(link)
        time.sleep(_POLL_S)

    def have_tested(service: FaceService, new: NewTest) -> str:
        return have_tested_at_page(FaceClient(service.url, http), new, wait)

    return have_tested


def show_page(link: str) -> None:
    """Tell a person, on standard error, where the face test is made."""
    console = Console(stderr=True, highlight=False)
    if console.is_terminal:
        segno.make(link, micro=False).terminal(out=sys.stderr, compact=True)
    console.print("Face test: open this page on a device with a camera.")
    console.print("顔テスト: カメラのある端末でこのページを開いてください。")
    console.print(plain(link), soft_wrap=True)
    console.print("Waiting for the face test.")


def receive_after_face_test(receive: Callable[[], StoredCredential]) -> StoredCredential:
    """Return a credential, also from an issuer that has the holder's face tested first.

    Args:
        receive: Asks the issuer; it can be called again.

    Raises:
        IssuanceDeferredError: The issuer issues later for another reason.
    """
    shown = None
    while True:
        try:
            return receive()
        except IssuanceDeferredError as deferred:
            if deferred.face_page is None:
                raise
            # Another one where the test before was not passed.
            if deferred.face_page != shown:
                shown = deferred.face_page
                show_page(shown)
            time.sleep(deferred.interval_s)
