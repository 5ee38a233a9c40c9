"""DID documents that are kept for a while: a verifier asks for the same few again and again."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from client_sdk.did.document import DidDocument
from client_sdk.did.resolution import DidMethod

DEFAULT_TTL_S: Final = 300
MAX_DOCUMENTS: Final = 256


class CachedDidMethod:
    """A DID method whose documents are fetched anew when they are old. Safe to share."""

    def __init__(
        self,
        method: DidMethod,
        *,
        ttl_s: float = DEFAULT_TTL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the method.

        Args:
            method: Finds documents.
            ttl_s: How long a document is taken for the newest: so long a withdrawn key may count.
            clock: Seconds since any moment.
        """
        self._method = method
        self._ttl_s = ttl_s
        self._clock = clock
        self._lock = threading.Lock()
        self._documents: OrderedDict[str, tuple[float, DidDocument]] = OrderedDict()

    def resolve(self, did: str, identifier: str) -> DidDocument:
        """Return the document, at most `ttl_s` old.

        Raises:
            DidError: There is none, or it cannot be used.
            TransportError: The place that holds it cannot be reached.
        """
        with self._lock:
            kept = self._documents.get(did)
        if kept is not None and self._clock() < kept[0]:
            return kept[1]
        document = self._method.resolve(did, identifier)
        with self._lock:
            self._documents[did] = (self._clock() + self._ttl_s, document)
            self._documents.move_to_end(did)
            while len(self._documents) > MAX_DOCUMENTS:
                self._documents.popitem(last=False)
        return document
