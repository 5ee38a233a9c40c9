"""CometBFT as a child of the node: started behind it, stopped before it, its words in its log."""

import fcntl
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import structlog

from chaincode.replication import MAX_BATCH_BYTES
from node.errors import ConfigError, DivergenceError, ReplicationError

_STOP_S: Final = 20.0
_LOCK: Final = Path("data", "blockstore.db", "LOCK")
_PAUSE_S: Final = 0.1
_JSON_OVERHEAD: Final = 2
_CONSENSUS_FAILURE: Final = "CONSENSUS FAILURE"
_CATCHING_UP_FAILURE: Final = "Error in validation"
_WRONG_HEADER: Final = "wrong Block.Header."
_WRONG_HASHES: Final = ("AppHash", "LastResultsHash", "ValidatorsHash", "AppHash does not match")
_WRONG_VERSION: Final = "Block.Header.Version"
_LEVELS: Final = {"error": "error", "info": "debug", "debug": "debug"}
# They go with the program, and are no matter of the operator's: without them it would not take what
# the ledger takes. CometBFT lets the environment stand above config.toml.
_SETTINGS: Final = {
    "CMT_LOG_FORMAT": "json",
    "CMT_MEMPOOL_MAX_TX_BYTES": str(MAX_BATCH_BYTES),
    "CMT_RPC_MAX_BODY_BYTES": str(_JSON_OVERHEAD * MAX_BATCH_BYTES),
    "CMT_RPC_MAX_REQUEST_BATCH_SIZE": "0",
}
_log = structlog.get_logger("cometbft")


class CometProcess:
    """The process. Use `start`, then `stop`."""

    def __init__(
        self,
        program: str,
        home: Path,
        *,
        proxy_app: str,
        rpc: str,
        on_failure: Callable[[Exception], None],
    ) -> None:
        """Prepare it.

        Args:
            program: `cometbft`, or its path.
            home: Its folder, with `config` and `data`.
            proxy_app: Where it finds the node.
            rpc: `host:port` of its RPC.
            on_failure: Told when it ends by itself, or can decide nothing more.

        Raises:
            ConfigError: There is no such program.
        """
        found = shutil.which(program)
        if found is None:
            raise ConfigError(
                f"{program}: there is no such program; install CometBFT, or say in "
                "`cometbft.program` where it is"
            )
        self._command = [
            found,
            "start",
            f"--home={home}",
            "--abci=socket",
            f"--proxy_app={proxy_app}",
            f"--rpc.laddr=tcp://{rpc}",
        ]
        self._home = home
        self._on_failure = on_failure
        self._stopping = False
        self._last_error = ""
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._read, name="cometbft")

    def start(self) -> None:
        """Start the process, once one that was left behind has ended.

        Raises:
            ConfigError: The program cannot be run, or another one runs in its folder.
        """
        self._wait_for_the_one_before()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the operator says which program
                self._command,
                env=os.environ | _SETTINGS,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                # A Ctrl-C at the terminal is for the node, which stops its CometBFT itself.
                start_new_session=True,
            )
        except OSError as error:
            raise ConfigError(f"{self._command[0]} cannot be run: {error.strerror}") from None
        self._thread.start()

    def _wait_for_the_one_before(self) -> None:
        """Return when nobody holds the store: the CometBFT of a killed node ends by itself."""
        path, deadline = self._home / _LOCK, time.monotonic() + _STOP_S
        while _is_locked(path):
            if time.monotonic() > deadline:
                raise ConfigError(f"{self._home}: another CometBFT runs in this folder; stop it")
            time.sleep(_PAUSE_S)

    def stop(self) -> None:
        """Stop the process, and wait until it has ended."""
        self._stopping = True
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()

    def _read(self) -> None:
        """Pass on what CometBFT says, until it ends."""
        process = self._process
        if process is None or process.stdout is None:
            return
        with process.stdout as lines:
            for line in lines:
                self._note(line.rstrip())
        code = process.wait()
        if not self._stopping:
            self._on_failure(
                _failure(f"CometBFT has ended with code {code}: {self._last_error or 'no reason'}")
            )

    def _note(self, line: str) -> None:
        try:
            fields: dict[str, Any] = json.loads(line)
            level, text = str(fields.pop("level")), str(fields.pop("_msg"))
        except (ValueError, KeyError, AttributeError):
            # Before its log is set up, and in a panic, it writes plain lines.
            if "ERROR" in line or "panic" in line:
                self._last_error = line
            _log.info(line)
            return
        fields.pop("stack", None)
        fields.pop("ts", None)
        if level == "error":
            self._last_error = f"{text} {fields.get('err', '')}".strip()
        getattr(_log, _LEVELS.get(level, "info"))(text, **_renamed(fields))
        if self._stopping:
            return
        if _CONSENSUS_FAILURE in text:
            self._on_failure(_failure(f"CometBFT can decide no more: {self._last_error}"))
        elif text == _CATCHING_UP_FAILURE and _WRONG_HEADER in self._last_error:
            # It looks at the header of a past block once it has found that the others signed it,
            # and would ask one peer after another for a better one.
            self._on_failure(_failure(f"CometBFT cannot catch up: {self._last_error}"))


def _is_locked(path: Path) -> bool:
    """Tell whether a process holds a lock, as CometBFT's store takes it (flock)."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _renamed(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields under names that do not meet those of our own log."""
    return {
        f"comet_{name}" if name in ("event", "level", "timestamp") else name: value
        for name, value in fields.items()
    }


def _failure(text: str) -> ReplicationError:
    if _WRONG_VERSION in text:
        return DivergenceError(
            f"this peer decides by rules of another version than the others: {text}; see Upgrade "
            "in docs/operations.md, and join anew by state sync with their version"
        )
    if any(word in text for word in _WRONG_HASHES):
        return DivergenceError(
            f"this peer computed another state than the others: {text}; keep its folder for "
            "whoever looks for the reason, and join anew by state sync"
        )
    return ReplicationError(text)
