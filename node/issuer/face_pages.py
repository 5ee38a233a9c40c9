"""At the counter: the face test before an offer, at the desk's camera or on the person's phone."""

from typing import Final

import structlog
from flask import Blueprint, Response, g, jsonify
from flask.typing import ResponseReturnValue

from node.issuer.errors import ProtocolError, log_refusal
from node.issuer.face_tests import FaceTests
from node.issuer.offer_desk import OfferDesk, refuse_test, show_test

_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")


def add_face_pages(blueprint: Blueprint, desk: OfferDesk, tests: FaceTests) -> None:
    """Add the pages.

    Args:
        blueprint: The counter's pages.
        desk: Makes the offer once the test is passed.
        tests: Has faces tested.
    """

    @blueprint.post("/faces")
    def test_face() -> ResponseReturnValue:
        """Have another test made."""
        case, body = desk.open()
        return desk.test_face(tests, case, body)

    @blueprint.post("/faces/state")
    def face_state() -> Response:
        """Tell a script whether the test is over."""
        _, test = desk.open_test()
        return jsonify(is_decided=tests.is_decided(test))

    @blueprint.post("/faces/result")
    def face_result() -> ResponseReturnValue:
        """Make the offer where the test was passed; another test where it was not."""
        case, body = desk.open()
        sealed, test = desk.open_test()
        try:
            is_passed = tests.is_passed(test, desk.subject(tests, case, body))
        except ProtocolError as error:
            if error.status != 503:
                return refuse_test(case, error)
            log_refusal(error)
            return show_test(case, test, sealed, state="unreachable"), error.status
        if is_passed is None:
            return show_test(case, test, sealed, state="waiting")
        _log.info("counter", by=g.person.name, did="face_passed" if is_passed else "face_refused")
        if not is_passed:
            return desk.test_face(tests, case, body, state="refused")
        return desk.make(body)
