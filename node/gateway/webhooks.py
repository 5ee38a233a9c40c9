"""Telling verifiers' services of events, again and again until they say that they heard.

What is to be told stands in the database: an event is claimed for a while, posted, and only then
done. A process that dies in between leaves it due; another one tells it.
"""

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import requests
import structlog
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from requests_hardened.ip_filter_adapter import IPFilterAdapter  # type: ignore[import-untyped]
from sqlalchemy.exc import SQLAlchemyError

from client_sdk.http.signed_message import SignedMessage
from client_sdk.verifier.webhooks import WebhookSigner
from node.errors import StorageError
from node.gateway.event_store import EventStore, RequestEvent

TIMEOUT_S: Final = 10.0
_LEASE_MS: Final = 60_000
"""Longer than a post takes: no other process posts the same meanwhile."""
_FIRST_PAUSE_MS: Final = 5_000
_LONGEST_PAUSE_MS: Final = 3_600_000
MAX_TRIES: Final = 20
"""With the pauses between them about half a day."""
_SILENCE_MS: Final = 60_000
"""How long nothing is told to a service that gave no answer: the others wait for none of it."""
_IDLE_S: Final = 0.5
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.gateway")


def webhook_signer(seed: bytes) -> WebhookSigner:
    """Return the signer whose key is derived from the seed of the gateway's account.

    Every process of one gateway signs with the same key, and nothing else is signed with it.
    """
    derived = HKDF(SHA256(), 32, salt=None, info=b"tegata gateway webhooks v1").derive(seed)
    return WebhookSigner(derived)


class WebhookSender:
    """Posts events to webhooks. One thread works it.

    Each post has a thread of its own, since a service that answers drop by drop meets no timeout of
    HTTP. One that hangs is left to itself, and its verifier is told nothing until it ends.
    """

    def __init__(
        self,
        store: EventStore,
        signer: WebhookSigner,
        *,
        to_this_machine: bool = False,
        timeout_s: float = TIMEOUT_S,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Wire the parts.

        Args:
            store: The events.
            signer: Signs them.
            to_this_machine: Whether loopback may be posted to. Other private networks never are:
                a verifier must not reach through the gateway what it cannot reach itself.
            timeout_s: How long an answer may take, all in all.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._signer = signer
        self._timeout_s = timeout_s
        self._posts: dict[str, threading.Thread] = {}
        self._silent_until_ms: dict[str, int] = {}
        self._now_ms = now_ms
        self._session = requests.Session()
        self._session.trust_env = False
        for scheme, is_https in (("https://", True), ("http://", False)):
            adapter = IPFilterAdapter(is_https_proto=is_https, allow_loopback=to_this_machine)
            self._session.mount(scheme, adapter)

    def run(self, stopped: threading.Event) -> None:
        """Post what is due until `stopped`; a database that fails is tried again."""
        while not stopped.is_set():
            try:
                worked = self.post_one()
            except (SQLAlchemyError, StorageError) as error:
                _log.error("webhook_failed", error=type(error).__name__)
                worked = False
            if not worked:
                stopped.wait(_IDLE_S)
        self._session.close()

    def post_one(self) -> bool:
        """Post one event that is due; return whether there was one."""
        claimed = self._store.claim_event(
            now_ms=self._now_ms(), lease_ms=_LEASE_MS, without=self._silent()
        )
        if claimed is None:
            return False
        event, url = claimed
        status = self._post_in_time(event, url)
        if status is None:
            self._silent_until_ms[event.verifier] = self._now_ms() + _SILENCE_MS
        if status is not None and 200 <= status < 300:
            self._store.finish_event(event.seq, due_ms=None)
            return True
        tries = event.tries + 1
        pause_ms = min(_FIRST_PAUSE_MS << (tries - 1), _LONGEST_PAUSE_MS)
        due_ms = None if tries >= MAX_TRIES else self._now_ms() + pause_ms
        self._store.finish_event(event.seq, due_ms=due_ms)
        _log.warning(
            "webhook_refused",
            request=event.request_id,
            verifier=event.verifier,
            status=status,
            tries=tries,
            gave_up=due_ms is None,
        )
        return True

    def _silent(self) -> set[str]:
        """Return the verifiers whose services gave no answer a moment ago."""
        now_ms = self._now_ms()
        waited_for = {verifier for verifier, post in self._posts.items() if post.is_alive()}
        return waited_for | {who for who, until in self._silent_until_ms.items() if until > now_ms}

    def _post_in_time(self, event: RequestEvent, url: str) -> int | None:
        """Return the status of the answer; None where there was none in time."""
        statuses: list[int | None] = []
        post = threading.Thread(
            target=lambda: statuses.append(self._post(event, url)), name="webhook", daemon=True
        )
        self._posts[event.verifier] = post
        post.start()
        post.join(self._timeout_s)
        return statuses[0] if statuses else None

    def _post(self, event: RequestEvent, url: str) -> int | None:
        """Return the status of the answer; None where there was none."""
        body = json.dumps(
            {
                "event": event.seq,
                "name": event.name,
                "request": event.request_id,
                "status": event.status,
                "at": datetime.fromtimestamp(event.at_ms / 1000, tz=UTC).isoformat(),
            }
        ).encode()
        message = SignedMessage("POST", url, {"Content-Type": "application/json"}, body)
        self._signer.sign(message)
        try:
            with self._session.post(
                url,
                data=body,
                headers=message.headers,
                timeout=self._timeout_s,
                allow_redirects=False,
                stream=True,
            ) as response:
                return response.status_code
        except (requests.RequestException, OSError, ValueError) as error:
            _log.warning("webhook_unreachable", verifier=event.verifier, error=type(error).__name__)
            return None
