"""The one wallet of this process: locked until its holder types the passphrase, and after a while.

Several pages and long operations may use it at the same time: the vault's file is changed under a
lock, and the clients of services are safe to share.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from client_sdk.escrow.recovery import RecoveredBackup
from client_sdk.sealing.vault import INTERACTIVE, SENSITIVE, KdfProfile, Vault
from client_sdk.wallet import Wallet, WalletSession
from node.errors import WalletLockedError

IDLE_S: Final = 15 * 60
"""After how long without a page the wallet locks itself."""


class WalletKeeper:
    """Opens, lends and locks one wallet. Safe to share between threads.

    Attributes:
        path: The wallet's file.
        backup_profile: What a guess of a new recovery password costs.
        on_lock: Called once the wallet is locked.
    """

    def __init__(
        self,
        path: Path,
        *,
        trust_anchors: str = "",
        idle_s: float = IDLE_S,
        profile: KdfProfile = INTERACTIVE,
        backup_profile: KdfProfile = SENSITIVE,
        timeout_s: float = 10,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            path: The wallet's file; it need not exist yet.
            trust_anchors: For a new wallet: the authorities that vouch for verifiers, PEM.
            idle_s: After how many seconds without use it locks itself.
            profile: What a guess of a new passphrase costs.
            backup_profile: What a guess of a new recovery password costs, beyond the agents' part.
            timeout_s: How long one call of a service may wait.
        """
        self.path = path
        self._trust_anchors = trust_anchors
        self._idle_s = idle_s
        self.backup_profile = backup_profile
        self.on_lock: Callable[[], None] = lambda: None
        self._profile = profile
        self._timeout_s = timeout_s
        self._changing = threading.RLock()
        self._open: _OpenWallet | None = None
        self._alarm: threading.Timer | None = None

    @property
    def is_made(self) -> bool:
        """Whether there is a wallet."""
        return self.path.exists()

    @property
    def is_open(self) -> bool:
        """Whether it is unlocked."""
        return self._open is not None

    def create(self, passphrase: str) -> None:
        """Make the wallet, with a new key, and open it.

        Raises:
            VaultError: There is one already, or its file cannot be written.
        """
        made = Wallet.create(
            self.path, passphrase, trust_anchors=self._trust_anchors, profile=self._profile
        )
        made.close()
        self.unlock(passphrase)

    def restore(self, passphrase: str, recovered: RecoveredBackup) -> None:
        """Make the wallet from a backup that came back, with a new key, and open it.

        Raises:
            VaultError: There is one already, or its file cannot be written.
        """
        Wallet.recover(self.path, passphrase, recovered, profile=self._profile).close()
        self.unlock(passphrase)

    def unlock(self, passphrase: str) -> None:
        """Open the wallet.

        Raises:
            WrongPassphraseError: The passphrase does not open it.
            VaultError: Its file cannot be read.
        """
        opened = _OpenWallet(Vault.open(self.path, passphrase), timeout_s=self._timeout_s)
        with self._changing:
            self.lock()
            self._open = opened
        self.touch()

    def confirm(self, passphrase: str) -> None:
        """See whether the holder is here: before what an unlocked wallet is not enough for.

        Raises:
            WrongPassphraseError: The passphrase does not open the wallet.
            VaultError: Its file cannot be read.
        """
        Vault.open(self.path, passphrase).close()

    def lock(self) -> None:
        """Forget the key; what is under way with it is done first."""
        with self._changing:
            if self._open is not None:
                self._open.give_back()
                self._open = None
                self.on_lock()
            self._set_alarm(None)

    def touch(self) -> None:
        """Put off the time at which the wallet locks itself: its holder is here."""
        with self._changing:
            if self._open is not None:
                self._set_alarm(threading.Timer(self._idle_s, self.lock))

    @contextmanager
    def use(self) -> Iterator[Wallet]:
        """Lend the wallet.

        Raises:
            WalletLockedError: It is locked.
        """
        with self._changing:
            opened = self._open
            if opened is None:
                raise WalletLockedError("the wallet is locked; unlock it with its passphrase")
            opened.borrow()
        try:
            yield opened.wallet
        finally:
            opened.give_back()

    def _set_alarm(self, alarm: threading.Timer | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = alarm
        if alarm is not None:
            alarm.daemon = True
            alarm.start()


class _OpenWallet:
    """An open wallet, closed once its keeper and all others have given it back."""

    def __init__(self, vault: Vault, *, timeout_s: float) -> None:
        self.wallet = Wallet(WalletSession(vault, timeout_s=timeout_s))
        self._vault = vault
        self._counting = threading.Lock()
        self._users = 1

    def borrow(self) -> None:
        with self._counting:
            self._users += 1

    def give_back(self) -> None:
        with self._counting:
            self._users -= 1
            is_last = self._users == 0
        if is_last:
            self.wallet.close()
            self._vault.close()
