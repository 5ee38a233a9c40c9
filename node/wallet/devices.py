"""The browsers that may use the wallet: each was paired once, by a code that serves once.

Beside the wallet's file stands `WALLET.devices`, which only its owner can read: of each paired
browser the hash of its token, the key that cookies are signed with, and the host name under which
the page is reached on this machine. That name is random: cookies know no port, so under `localhost`
every other server of this machine, also another user's, would be sent the wallet's.
"""

import hashlib
import hmac
import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from node.errors import StorageError

CODE_S: Final = 5 * 60
"""How long a pairing code is good."""
_CODE_BYTES: Final = 16
_HOST_BYTES: Final = 8
_KEY_BYTES: Final = 32
_MAX_CODES: Final = 16
_MAX_NAME_CHARS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A paired browser.

    Attributes:
        device_id: Its random id.
        name: What its holder calls it.
        token_sha256: The hash of its token, 64 hex digits.
        paired_at_ms: Milliseconds since 1970, UTC.
    """

    device_id: str
    name: str
    token_sha256: str
    paired_at_ms: int


class Devices:
    """The paired browsers of one wallet. Safe to share between threads."""

    def __init__(
        self,
        path: Path,
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        new_code: Callable[[], str] = lambda: secrets.token_urlsafe(_CODE_BYTES),
    ) -> None:
        """Read the file, or make it.

        Args:
            path: The file.
            now_ms: The clock: milliseconds since 1970, UTC.
            new_code: Draws a pairing code.

        Raises:
            StorageError: It cannot be read or written.
        """
        self._path = path
        self._now_ms = now_ms
        self._new_code = new_code
        self._codes: dict[str, int] = {}
        self._changing = threading.Lock()
        self._devices: dict[str, Device] = {}
        if path.exists():
            self._load()
        else:
            self.host = f"tegata-{secrets.token_hex(_HOST_BYTES)}.localhost"
            self.session_key = secrets.token_bytes(_KEY_BYTES)
            self._save()

    @property
    def all(self) -> tuple[Device, ...]:
        """The paired browsers, oldest first."""
        return tuple(self._devices.values())

    def new_code(self) -> str:
        """Return a new pairing code, good once and for five minutes."""
        code = self._new_code()
        with self._changing:
            now_ms = self._now_ms()
            self._codes = {key: end for key, end in self._codes.items() if end > now_ms}
            while len(self._codes) >= _MAX_CODES:
                del self._codes[next(iter(self._codes))]
            self._codes[_hash(code)] = now_ms + CODE_S * 1000
        return code

    def pair(self, code: str, name: str) -> str | None:
        """Pair a browser; return the token that it brings from now on.

        It is None where the code was used, has expired, or never was.
        """
        with self._changing:
            end_ms = self._codes.pop(_hash(code), 0)
            if end_ms <= self._now_ms():
                return None
            token = secrets.token_urlsafe(_KEY_BYTES)
            device = Device(
                device_id=secrets.token_hex(8),
                name="".join(c for c in name if c.isprintable())[:_MAX_NAME_CHARS],
                token_sha256=_hash(token),
                paired_at_ms=self._now_ms(),
            )
            self._devices[device.device_id] = device
            self._save()
        return token

    def find(self, token: str) -> Device | None:
        """Return the browser that a token is of; None for nobody's."""
        digest = _hash(token)
        found = [d for d in self.all if hmac.compare_digest(d.token_sha256, digest)]
        return found[0] if found else None

    def remove(self, device_id: str) -> None:
        """Let a browser use the wallet no longer."""
        with self._changing:
            if self._devices.pop(device_id, None) is not None:
                self._save()

    def _load(self) -> None:
        try:
            fields = json.loads(self._path.read_text(encoding="utf-8"))
            self.host = str(fields["host"])
            self.session_key = bytes.fromhex(fields["session_key"])
            self._devices = {item["device_id"]: Device(**item) for item in fields["devices"]}
        except (OSError, ValueError, TypeError, KeyError):
            raise StorageError(
                f"{self._path}: cannot be read; delete it, and pair your browsers again"
            ) from None

    def _save(self) -> None:
        fields = {
            "host": self.host,
            "session_key": self.session_key.hex(),
            "devices": [asdict(device) for device in self._devices.values()],
        }
        draft = self._path.with_name(f".{self._path.name}.new")
        try:
            draft.unlink(missing_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(fields, file)
            draft.replace(self._path)
        except OSError as error:
            raise StorageError(f"{self._path}: cannot be written: {error.strerror}") from None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
