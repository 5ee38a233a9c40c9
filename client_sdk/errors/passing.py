"""Which errors are only for now."""

from client_sdk.errors.escrow import TooFewAgentsError
from client_sdk.errors.root import TransportError
from client_sdk.errors.threshold import NotEnoughSignersError


def is_passing(error: Exception) -> bool:
    """Tell whether what is in the way may be gone soon, so that trying again is right."""
    if isinstance(error, TooFewAgentsError):
        return error.may_pass
    return isinstance(error, TransportError | NotEnoughSignersError)
