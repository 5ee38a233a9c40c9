"""Reading the members of a JSON object that comes from outside, each of its kind or an error."""

from typing import Self

from chaincode.encoding import JsonObject, JsonValue, decode_base64url
from chaincode.errors import DecodeError
from client_sdk.errors import ClientError
from client_sdk.strict_json.json_text import text_list


class JsonFields:
    """The members of one object. Each method raises the error that the object was made with."""

    def __init__(self, value: JsonValue, *, what: str, error: type[ClientError]) -> None:
        """Take over a value.

        Args:
            value: What should be an object.
            what: What it should be, such as `the deposit statement`; it begins each error's text.
            error: What is raised where a member is missing or of another kind.

        Raises:
            ClientError: The value is no object.
        """
        self._what = what
        self._error = error
        if not isinstance(value, dict):
            raise error(f"{what}: an object is expected")
        self._members: JsonObject = value

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names."""
        return tuple(self._members)

    def member(self, name: str) -> Self:
        """Return an object."""
        return type(self)(self._members.get(name), what=f"{self._what}: {name}", error=self._error)

    def optional_member(self, name: str) -> Self | None:
        """Return an object, or None where the member is missing or null."""
        return None if self._members.get(name) is None else self.member(name)

    def object(self, name: str) -> JsonObject:
        """Return an object as it is."""
        value = self._members.get(name)
        if not isinstance(value, dict):
            raise self._error(f"{self._what}: {name} is missing or no object")
        return value

    def optional_object(self, name: str) -> JsonObject | None:
        """Return an object as it is, or None where the member is missing or null."""
        return None if self._members.get(name) is None else self.object(name)

    def text(self, name: str) -> str:
        """Return a text."""
        value = self._members.get(name)
        if not isinstance(value, str):
            raise self._error(f"{self._what}: {name} is missing or no text")
        return value

    def optional_text(self, name: str) -> str | None:
        """Return a text, or None where the member is missing or null."""
        return None if self._members.get(name) is None else self.text(name)

    def whole(self, name: str) -> int:
        """Return a whole number from 0."""
        value = self._members.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._error(f"{self._what}: {name} is missing or no whole number")
        return value

    def optional_whole(self, name: str) -> int | None:
        """Return a whole number from 0, or None where the member is missing or null."""
        return None if self._members.get(name) is None else self.whole(name)

    def flag(self, name: str) -> bool:
        """Return a truth value."""
        value = self._members.get(name)
        if not isinstance(value, bool):
            raise self._error(f"{self._what}: {name} is missing or no truth value")
        return value

    def data(self, name: str) -> bytes:
        """Return the bytes of a text in base64url."""
        return self._decode(name, self.text(name))

    def secret(self, name: str, length: int) -> bytes:
        """Return the bytes of a text in base64url, exactly as many as `length`."""
        return self._check_length(name, self.data(name), length)

    def secrets(self, name: str, length: int) -> tuple[bytes, ...]:
        """Return the bytes of a list of texts in base64url, each exactly as many as `length`."""
        return tuple(self._check_length(name, data, length) for data in self.data_list(name))

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        values = self._members.get(name)
        texts = text_list(values)
        if not texts and values != []:
            raise self._error(f"{self._what}: {name} is missing or no list of texts")
        return texts

    def paths(self, name: str) -> tuple[tuple[str | int | None, ...], ...]:
        """Return a list of paths into JSON: lists of names, positions and nulls, none empty."""
        values = self._members.get(name)
        paths: list[tuple[str | int | None, ...]] = []
        for value in values if isinstance(values, list) else [None]:
            elements = value if isinstance(value, list) else []
            path = tuple(step for step in elements if step is None or isinstance(step, str | int))
            if not path or len(path) != len(elements):
                raise self._error(f"{self._what}: {name} is missing or no list of paths")
            paths.append(path)
        return tuple(paths)

    def data_list(self, name: str) -> tuple[bytes, ...]:
        """Return the bytes of a list of texts in base64url."""
        return tuple(self._decode(name, text) for text in self.texts(name))

    def items(self, name: str) -> tuple[JsonValue, ...]:
        """Return a list of any values."""
        values = self._members.get(name)
        if not isinstance(values, list):
            raise self._error(f"{self._what}: {name} is missing or no list")
        return tuple(values)

    def objects(self, name: str) -> tuple[Self, ...]:
        """Return a list of objects."""
        kind, what = type(self), f"{self._what}: {name}"
        return tuple(kind(value, what=what, error=self._error) for value in self.items(name))

    def _decode(self, name: str, text: str) -> bytes:
        try:
            return decode_base64url(text)
        except DecodeError:
            raise self._error(f"{self._what}: {name} is not base64url") from None

    def _check_length(self, name: str, data: bytes, length: int) -> bytes:
        if len(data) != length:
            raise self._error(f"{self._what}: {name} is not {length} bytes long")
        return data
