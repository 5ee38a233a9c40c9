"""Who calls the verifiers' part of the gateway: a live API key, its scopes, and not too often."""

from collections.abc import Callable, Collection
from typing import Final

from node.errors import ApiError
from node.gateway.api_keys import ApiKeyStore, Caller, Scope
from node.web.bearer import bearer_token, unauthorized
from node.web.caller_address import caller_address
from node.web.rate_limit import RateLimiter, parse_rate

_WRONG_KEYS: Final = parse_rate("60/minute")
"""How many wrong keys one address may try."""


class VerifierAccess:
    """Lets callers in."""

    def __init__(
        self,
        keys: ApiKeyStore,
        *,
        verifiers: Collection[str],
        limiter: RateLimiter,
        rate: str,
        now_ms: Callable[[], int],
    ) -> None:
        """Wire the parts.

        Args:
            keys: The keys.
            verifiers: The verifiers that this gateway serves.
            limiter: Counts calls.
            rate: How often one key may call.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._keys = keys
        self._verifiers = frozenset(verifiers)
        self._limiter = limiter
        self._rate = parse_rate(rate)
        self._now_ms = now_ms

    def caller(self, scope: Scope) -> Caller:
        """Return who makes the current request.

        Raises:
            Unauthorized: No key came with it, or one that opens nothing.
            ApiError: The key does not open this.
            TooManyRequests: The key, or an address without one, called too often.
        """
        token = bearer_token()
        caller = self._keys.find_caller(token, now_ms=self._now_ms()) if token else None
        if caller is None or caller.verifier not in self._verifiers:
            self._limiter.count(_WRONG_KEYS, "wrong-key", caller_address())
            raise unauthorized("An API key is needed")
        self._limiter.count(self._rate, "key", caller.key_id)
        if scope not in caller.scopes:
            raise ApiError(
                403,
                "insufficient_scope",
                "The API key does not open this",
                f"The scope {scope} is needed; ask the gateway's operator for a key that has it.",
            )
        return caller
