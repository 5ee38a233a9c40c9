"""A face test by the service's own page with a camera: whoever has no camera waits for its word."""

from collections.abc import Callable
from typing import Final

from client_sdk.errors import ServiceRefusedError, TransportError
from client_sdk.face.client import FaceClient, NewTest

_FORGOTTEN: Final = "unknown_challenge"


def have_tested_at_page(client: FaceClient, new: NewTest, wait: Callable[[str], None]) -> str:
    """Have a face tested at the service's page, and return the attestation.

    A question without an answer ends nothing; a service that was started anew has forgotten the
    test, and makes another.

    Args:
        client: The face service.
        new: What the test is for.
        wait: Is told the page's link, shows it, and waits a moment; it is called again and again.

    Raises:
        FaceTestRefusedError: The test was not passed; the text says what to do better.
        ServiceRefusedError: The service does not take it.
        TransportError: No test could be made: the service cannot be reached.
    """
    while True:
        attestation = _wait_for_one(client, new, wait)
        if attestation is not None:
            return attestation


def _wait_for_one(client: FaceClient, new: NewTest, wait: Callable[[str], None]) -> str | None:
    """Return the word for one test; None where the service has forgotten it."""
    test = client.create(new)
    while True:
        wait(test.page_link)
        try:
            attestation = client.fetch_attestation(test)
        except TransportError:
            continue
        except ServiceRefusedError as error:
            if error.code != _FORGOTTEN:
                raise
            return None
        if attestation is not None:
            return attestation
