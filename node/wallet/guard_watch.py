"""Whether somebody else is recovering the wallet's account: its holder must see that at once."""

import threading
import time
from typing import Final

from client_sdk.errors import ClientError
from client_sdk.ledger.guard_state import GuardState, SeenRecovery
from node.errors import WalletLockedError
from node.wallet.keeper import WalletKeeper

_FRESH_S: Final = 10.0
_AT_ONCE_S: Final = 1.0


def threat_in(state: GuardState, own_key: str) -> SeenRecovery | None:
    """Return the open recovery of an account for another key than the wallet's; None for none."""
    recovery = state.recovery
    if recovery is None or recovery.new_key == own_key:
        return None
    return recovery if recovery.is_open(time.time_ns() // 1_000_000) else None


class GuardWatch:
    """Looks now and then, in the background: a page waits a moment for it, and no longer."""

    def __init__(self, keeper: WalletKeeper) -> None:
        """Watch over a wallet's account."""
        self._keeper = keeper
        self._found: SeenRecovery | None = None
        self._looked_at_s = float("-inf")
        self._looking = threading.Lock()

    def threat(self) -> SeenRecovery | None:
        """Return the recovery that was found last."""
        if time.monotonic() - self._looked_at_s > _FRESH_S and self._looking.acquire(
            blocking=False
        ):
            look = threading.Thread(target=self._look, daemon=True)
            look.start()
            look.join(_AT_ONCE_S)
        return self._found

    def _look(self) -> None:
        try:
            with self._keeper.use() as wallet:
                self._found = (
                    threat_in(wallet.guard.state(), wallet.public_key)
                    if wallet.is_registered
                    else None
                )
            self._looked_at_s = time.monotonic()
        except (ClientError, WalletLockedError):
            # It cannot be told now; the page of the account's protection says why.
            pass
        finally:
            self._looking.release()
