"""A secret scalar: never in a repr, a copy or a pickle, and wiped when it is done with."""

from typing import NoReturn, Self

from client_sdk.errors import SecretWipedError
from client_sdk.frost.group import Scalar, parse_scalar


class SecretScalar:
    """Holds one scalar in memory that can be overwritten.

    libsodium's binding takes `bytes`, so each use makes a short-lived copy that Python frees and
    does not overwrite: wiping shortens how long a secret is in memory, it cannot promise more.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        """Take a scalar.

        Raises:
            FrostFormatError: Not a canonical scalar.
        """
        self._value = bytearray(parse_scalar(value))

    def reveal(self) -> Scalar:
        """Return the scalar, for one computation or for sealed storage.

        Raises:
            SecretWipedError: It was wiped.
        """
        if not self._value:
            raise SecretWipedError("this secret was wiped; load it again from its store")
        return Scalar(bytes(self._value))

    def wipe(self) -> None:
        """Overwrite the secret. Wiping again does nothing."""
        self._value[:] = bytes(len(self._value))
        del self._value[:]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wipe()

    def __repr__(self) -> str:
        return "SecretScalar(...)"

    def __reduce__(self) -> NoReturn:
        # Pickling and both kinds of copying come here.
        raise TypeError("a secret is neither copied nor pickled")
