"""The ward office wants to know that the resident is there: a face that follows prompts."""

from contextlib import suppress
from typing import Final

from client_sdk.errors import FaceTestRefusedError, RequestError
from client_sdk.face.capture import CaptureSource, run_test
from client_sdk.face.client import FaceClient, NewTest, TestState
from client_sdk.face.demand import FaceService, FaceTester
from client_sdk.face.prompts import WORDS
from client_sdk.verifier.gateway_client import FaceTestDemand
from client_sdk.wallet import Wallet
from node.cli.demo.cast import Cast
from node.cli.demo.film import FilmCamera, PhotographCamera
from node.cli.face import INSTALL

_TRIES: Final = 3


def have_face_tested(cast: Cast, wallet: Wallet) -> None:
    """A photograph is refused; a face that follows passes, and for this one request alone."""
    cast.stage.chapter("A face is there, or is not")
    if not cast.town.has_face:
        cast.stage.tell("face service", "There is none here: it is not installed.", install=INSTALL)
        return
    request = cast.ask(face=FaceTestDemand())
    pending = wallet.presentation.read_request(request.link)
    cast.stage.consent(pending)
    try:
        wallet.presentation.answer(pending, face_tester=_before(cast, PhotographCamera()))
    except FaceTestRefusedError as error:
        cast.stage.tell(
            "thief",
            "Has the unlocked phone, and holds a photograph before its camera.",
            refused=str(error),
        )
    cast.stage.tell(
        "resident",
        "Follows prompts that nobody can foresee. Here a photograph in the public domain is moved, "
        "for want of a person: a camera that is none is what this test does not stop.",
    )
    words: list[str] = []

    def keep(service: FaceService, new: NewTest) -> str:
        words.append(_follow(cast, service, new))
        return words[-1]

    wallet.presentation.answer(pending, face_tester=keep)
    cast.stage.tell(
        "face service",
        "Signs that it was passed, for this one request. It keeps no picture and no measure.",
    )
    cast.stage.result(cast.ward_office.wait(request.request_id))
    again = cast.ask(face=FaceTestDemand())
    other = wallet.presentation.read_request(again.link)
    with suppress(RequestError):
        wallet.presentation.answer(other, face_tester=lambda _service, _new: words[-1])
    cast.stage.refusal(
        "The word of that test, for another request", cast.ward_office.wait(again.request_id)
    )


def _follow(cast: Cast, service: FaceService, new: NewTest) -> str:
    """Have the film tested; who misses too much tries again, as people do."""
    for _ in range(_TRIES - 1):
        try:
            return _before(cast, FilmCamera())(service, new)
        except FaceTestRefusedError as error:
            cast.stage.tell("resident", "Missed too much, and tries again.", refused=str(error))
    return _before(cast, FilmCamera())(service, new)


def _before(cast: Cast, camera: CaptureSource) -> FaceTester:
    """Return a tester before whose camera somebody or something is."""

    def tell(state: TestState) -> None:
        if state.prompt is not None:
            _, english = WORDS[state.prompt]
            cast.stage.tell("face service", f"{english}.")

    def have_tested(service: FaceService, new: NewTest) -> str:
        client = FaceClient(service.url, cast.thief)
        return run_test(client, new, camera, on_progress=tell)

    return have_tested
