"""What a face service answers where it does not do what is asked, each with its own code."""

from node.errors import ApiError


class UnknownChallengeError(ApiError):
    """There is no such test, or the token is not its."""

    def __init__(self) -> None:
        super().__init__(
            404,
            "unknown_challenge",
            "There is no such face test",
            "It was decided and forgotten, its time is over, or the token belongs to another one. "
            "Make a new test.",
        )


class ChallengeOverError(ApiError):
    """The test has ended: nothing more is taken for it."""

    def __init__(self, state: str) -> None:
        super().__init__(
            409,
            "challenge_over",
            "The face test has ended",
            f"It is {state}, and a test is made once. Make a new one.",
        )
        self.state = state


class ChallengeExpiredError(ApiError):
    """The time of the test is over."""

    def __init__(self) -> None:
        super().__init__(
            410,
            "challenge_expired",
            "The time of the face test is over",
            "Make a new test, and follow each prompt as it comes.",
        )


class NotStartedError(ApiError):
    """Frames came before the test was begun."""

    def __init__(self) -> None:
        super().__init__(
            409,
            "not_started",
            "The face test has not begun",
            "Begin it first: until then nobody knows the first prompt.",
        )


class WindowToComeError(ApiError):
    """Frames are for a prompt that nobody has seen."""

    def __init__(self) -> None:
        super().__init__(
            409,
            "prompt_to_come",
            "The prompt was not shown yet",
            "Send the frames of the prompt that is shown, under its number.",
        )


class ImageRefusedError(ApiError):
    """What was sent as a picture or video cannot be used."""

    def __init__(self, code: str, title: str, detail: str) -> None:
        super().__init__(422, code, title, detail)


class TooManyTestsError(ApiError):
    """The service has no room for another test now."""

    def __init__(self) -> None:
        super().__init__(
            503,
            "busy",
            "Too many face tests are under way",
            "Try again in a minute.",
        )
