"""CometBFT's JSON-RPC over HTTP, as far as the node uses it."""

import base64
from collections.abc import Sequence
from typing import Any, Self

import requests

from node.errors import PeerUnreachableError


class CometRpc:
    """The RPC of the node's own CometBFT. One thread at a time may use it."""

    def __init__(self, address: str, *, timeout_s: float = 10) -> None:
        """Take the address, `host:port`, and how long to wait for it; nothing is sent yet."""
        self._timeout_s = timeout_s
        self._url = f"http://{address}/"
        self._session = requests.Session()
        self._session.trust_env = False

    def broadcast(self, batches: Sequence[bytes]) -> list[str]:
        """Hand batches to CometBFT's pool; return for each what is wrong, or nothing.

        Raises:
            PeerUnreachableError: CometBFT does not answer.
        """
        calls = [
            {
                "jsonrpc": "2.0",
                "id": number,
                "method": "broadcast_tx_async",
                "params": {"tx": base64.b64encode(batch).decode()},
            }
            for number, batch in enumerate(batches)
        ]
        answers = self._post(calls)
        problems = {answer.get("id"): _problem(answer) for answer in answers}
        return [problems.get(number, "not answered") for number in range(len(batches))]

    def status(self) -> dict[str, Any]:
        """Return the result of `/status`.

        Raises:
            PeerUnreachableError: CometBFT does not answer.
        """
        return self._get("status")

    def count_waiting(self) -> int:
        """Return how many batches are in CometBFT's pool.

        Raises:
            PeerUnreachableError: CometBFT does not answer.
        """
        return int(self._get("num_unconfirmed_txs")["total"])

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _get(self, method: str) -> dict[str, Any]:
        (answer,) = self._post([{"jsonrpc": "2.0", "id": 0, "method": method, "params": {}}])
        result = answer.get("result")
        if not isinstance(result, dict):
            raise PeerUnreachableError(f"CometBFT: {method}: {_problem(answer)}")
        return result

    def _post(self, calls: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        try:
            response = self._session.post(self._url, json=calls, timeout=self._timeout_s)
            answers = response.json()
        except (requests.RequestException, ValueError) as error:
            raise PeerUnreachableError(
                f"CometBFT does not answer at {self._url}: {type(error).__name__}"
            ) from None
        # A list of one call is answered by a message, a longer one by a list.
        found = answers if isinstance(answers, list) else [answers]
        if not all(isinstance(answer, dict) for answer in found):
            raise PeerUnreachableError(f"{self._url} does not answer as CometBFT does")
        return found


def _problem(answer: dict[str, Any]) -> str:
    error = answer.get("error")
    if not isinstance(error, dict):
        return ""
    return str(error.get("data") or error.get("message") or "an error without words")
