"""What the clients of our own HTTP services share: address, token, problems as errors."""

from typing import Self

from chaincode.encoding import JsonObject
from client_sdk.errors import ServiceRefusedError, TransportError
from client_sdk.http.client import HttpAnswer, HttpClient


class ServiceClient:
    """One caller's connection to one service. Use it as a context, or call `close`."""

    def __init__(self, url: str, token: str, *, timeout_s: float = 15) -> None:
        """Prepare a connection.

        Args:
            url: The service's public address.
            token: What the service's operator gave this caller; sent as a bearer token.
            timeout_s: How long one call may wait, in seconds.
        """
        self._url = url.rstrip("/")
        self._token = token
        self._http = HttpClient(timeout_s=timeout_s)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _get(self, path: str) -> JsonObject:
        answer = self._http.get(f"{self._url}{path}", bearer=self._token)
        return content_of(answer, expected_status=200)

    def _put(self, path: str) -> JsonObject:
        headers = {"Authorization": f"Bearer {self._token}"}
        answer = self._http.send("PUT", f"{self._url}{path}", headers=headers)
        return content_of(answer, expected_status=200)

    def _post(self, path: str, body: JsonObject, *, expected_status: int) -> JsonObject:
        answer = self._http.post_json(f"{self._url}{path}", body, bearer=self._token)
        return content_of(answer, expected_status=expected_status)


def content_of(answer: HttpAnswer, *, expected_status: int) -> JsonObject:
    """Return what a service answered.

    Raises:
        ServiceRefusedError: Its status is another one than is expected.
        TransportError: It is no JSON object.
    """
    content = answer.json()
    if answer.status != expected_status:
        title, detail = content.get("title", ""), content.get("detail", "")
        raise ServiceRefusedError(
            f"the service refused (HTTP {answer.status}): {title}. {detail}",
            code=str(content.get("code", "")),
        )
    return content


def text_of(fields: JsonObject, name: str) -> str:
    """Return a text that a service's answer must have.

    Raises:
        TransportError: It has none.
    """
    value = fields.get(name)
    if not isinstance(value, str):
        raise TransportError(f"the service's answer has no {name}")
    return value
