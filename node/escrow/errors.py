"""What an agent refuses, in words that its reader can act on."""

from typing import Final

from node.errors import ApiError

_GUESS_REFUSALS: Final = {
    "too_early": (429, "The next attempt comes too early", "Wait {wait_s} s."),
    "counter_needed": (
        403,
        "The attempts without help are used up",
        "Go to the counter of the issuer that approves your recovery; its word gives one more.",
    ),
    "exhausted": (
        410,
        "All attempts are used up",
        "This agent gives no more, and erases its share. A paper backup still opens the wallet.",
    ),
}


class UnknownHandleError(ApiError):
    """The agent keeps nothing of this handle, or of this epoch."""

    def __init__(self) -> None:
        super().__init__(
            404,
            "unknown_deposit",
            "There is no such deposit",
            "This agent keeps nothing of this recovery card; it may have been withdrawn.",
        )


class CallerRefusedError(ApiError):
    """The request does not prove that its sender may ask this."""

    def __init__(self, detail: str) -> None:
        super().__init__(403, "not_allowed", "The request's sender may not ask this", detail)


class TokenRefusedError(ApiError):
    """The word of an issuer's counter or of a face service is not taken."""

    def __init__(self, detail: str) -> None:
        super().__init__(403, "token_refused", "The token is not accepted", detail)


class ProofRefusedError(ApiError):
    """The request does not prove who sent it."""

    def __init__(self, detail: str) -> None:
        super().__init__(401, "invalid_proof", "The request's proof is not accepted", detail)


class DepositRefusedError(ApiError):
    """The deposit, or a part of it, cannot be taken."""

    def __init__(self, detail: str, *, status: int = 422, code: str = "invalid_deposit") -> None:
        super().__init__(status, code, "The deposit is not accepted", detail)


class GuessDeniedError(ApiError):
    """No evaluation is given now."""

    def __init__(self, code: str, *, wait_s: int) -> None:
        """Refuse.

        Args:
            code: Why.
            wait_s: After how many seconds one may be given; 0 where no waiting helps.
        """
        status, title, detail = _GUESS_REFUSALS[code]
        detail = detail.format(wait_s=wait_s)
        super().__init__(status, code, title, detail, retry_after_s=wait_s or None)
