"""Why a face test, or the word of who made it, does not count."""

from client_sdk.errors.root import ClientError


class AttestationError(ClientError):
    """The word of a face service or of an issuer's counter cannot be taken."""


class FaceTestRefusedError(ClientError):
    """The face test was not passed. The text says what to do better, never how near it was.

    Attributes:
        code: A stable word for programs, such as `another_person`.
        words: The same text by language.
    """

    def __init__(self, message: str, *, code: str, words: dict[str, str]) -> None:
        super().__init__(message)
        self.code = code
        self.words = words
