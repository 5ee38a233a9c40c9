"""Light blocks from the RPC of CometBFT nodes, which are not trusted with them."""

from typing import Final, Protocol
from urllib.parse import urlencode

from chaincode.encoding import JsonObject
from client_sdk.errors import HeaderUnavailableError, TransportError
from client_sdk.http.client import HttpClient
from client_sdk.ledger.light_client.light_block import LightBlock
from client_sdk.ledger.light_client.rpc_forms import MAX_VALIDATORS, parse_light_block
from client_sdk.strict_json import JsonFields

_PAGE: Final = 100


class LightBlockSource(Protocol):
    """Where light blocks come from; whatever it gives is checked.

    Attributes:
        name: What it is called in errors.
    """

    @property
    def name(self) -> str:
        """What it is called in errors."""
        ...

    def light_block(self, height: int | None = None) -> LightBlock:
        """Return the block at a height, or the newest.

        Raises:
            HeaderUnavailableError: It does not have this block.
            LightBlockError: What it gives is not in the form of a light block.
            TransportError: It cannot be reached.
        """
        ...


class CometBftRpc:
    """A CometBFT node, by its RPC (`/commit` and `/validators`)."""

    def __init__(self, url: str, http: HttpClient) -> None:
        """Prepare; the first call connects.

        Args:
            url: Where the RPC is, such as `http://peer.example:26657`.
            http: How it is reached.
        """
        self._url = url.rstrip("/")
        self._http = http

    @property
    def name(self) -> str:
        """The node's URL."""
        return self._url

    def light_block(self, height: int | None = None) -> LightBlock:
        """Return the block at a height, or the newest.

        Raises:
            HeaderUnavailableError: The node does not have this block.
            LightBlockError: What it gives is not in the form of a light block.
            TransportError: The node cannot be reached.
        """
        commit = self._call("commit", {} if height is None else {"height": height})
        if height is None:
            fields = JsonFields(commit, what=f"{self._url}: the commit", error=TransportError)
            text = fields.member("signed_header").member("header").text("height")
            if not text.isdecimal():
                raise TransportError(f"{self._url}: the newest header has no height")
            height = int(text)
        return parse_light_block(commit, self._validators(height))

    def _validators(self, height: int) -> list[JsonObject]:
        pages: list[JsonObject] = []
        for page in range(1, MAX_VALIDATORS // _PAGE + 1):
            query = {"height": height, "per_page": _PAGE, "page": page}
            pages.append(self._call("validators", query))
            total = pages[-1].get("total")
            if not isinstance(total, str) or not total.isdecimal() or int(total) <= page * _PAGE:
                break
        return pages

    def _call(self, method: str, query: dict[str, int]) -> JsonObject:
        answer = self._http.get(f"{self._url}/{method}?{urlencode(query)}").json()
        result = answer.get("result")
        if isinstance(result, dict):
            return result
        error = answer.get("error")
        reason = error.get("data") if isinstance(error, dict) else None
        raise HeaderUnavailableError(f"{self._url}: no {method}: {reason or 'no reason was given'}")
