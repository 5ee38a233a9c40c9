"""The processes of the story: a ledger node, a city's issuer service, a gateway."""

import io
import json
import os
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import Final, Self

import click

from chaincode.errors import ChaincodeError
from client_sdk.errors import ClientError
from node.cli.demo.free_ports import free_addresses
from node.cli.face import FILE_NAME as FACE_FILE
from node.cli.face_trust import trust_service
from node.cli.main import tegata
from node.errors import ConfigError, NodeError
from node.gateway.config import FILE_NAME as GATEWAY_FILE

ISSUER_ACCOUNT: Final = "aoba_city@issuer"
READY_SECONDS: Final = 60.0
_MOST_PRINTED_BYTES: Final = 65_536
_READY: Final = frozenset({"ready", "ledger node ready"})


class ServiceProcess:
    """One `tegata ... start` as a process of its own, its log in a file."""

    def __init__(
        self,
        arguments: Sequence[str],
        log_file: Path,
        *,
        on_line: Callable[[str], None] = lambda _line: None,
        prints: bool = False,
        waits: bool = True,
    ) -> None:
        """Start the process and wait until it says that it is ready.

        Args:
            arguments: What `tegata` is called with.
            log_file: Where its log is appended.
            on_line: Is told each line of it, by a thread of its own.
            prints: Whether it prints JSON before it is ready, for `printed`.
            waits: Whether to wait here; `wait_until_ready` does it later.

        Raises:
            ConfigError: It ended, or was not ready in time; the text names its log.
        """
        self._arguments = arguments
        self._log_file = log_file
        self._on_line = on_line
        self._ready = threading.Event()
        self.process = subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, "-m", "node.cli.main", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if prints else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        if waits:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until the process says that it is ready.

        Raises:
            ConfigError: It ended, or was not ready in time; the text names its log.
        """
        self._ready.wait(READY_SECONDS)
        if not self._is_ready:
            self.stop()
            words = " ".join(self._arguments)
            raise ConfigError(f"tegata {words}: did not start; see {self._log_file}")

    def printed(self) -> dict[str, str]:
        """Return what it printed as JSON before it was ready, once."""
        assert self.process.stdout is not None
        told: dict[str, str] = json.loads(
            os.read(self.process.stdout.fileno(), _MOST_PRINTED_BYTES)
        )
        return told

    def stop(self) -> None:
        """End the process and wait until it has ended."""
        self.process.terminate()
        self.process.wait(READY_SECONDS)
        self._reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    _is_ready = False

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        with self._log_file.open("a", encoding="utf-8") as log:
            for line in self.process.stderr:
                log.write(line)
                log.flush()
                self._on_line(line)
                if not self._is_ready and _event_of(line) in _READY:
                    self._is_ready = True
                    self._ready.set()
        self._ready.set()


class ServiceGroup(ABC):
    """Processes that run together. Use it as a context; `_start` starts them."""

    def __init__(self) -> None:
        self._processes = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._processes.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.close()

    @abstractmethod
    def _start(self) -> None:
        """Start them; whatever is under way is stopped where this fails."""


class Town(ServiceGroup):
    """A city with everything that the story needs, in one folder. Use it as a context."""

    def __init__(self, folder: Path, *, with_face: bool = False) -> None:
        """Prepare; nothing is started yet.

        Args:
            folder: Where everything is kept.
            with_face: Whether there is a face service, whose word the gateway takes.
        """
        super().__init__()
        self.folder = folder
        self.has_face = with_face
        self.torii, listen_issuer, listen_gateway = free_addresses(3)
        self.issuer_url = f"http://{listen_issuer}"
        self.gateway_url = f"http://{listen_gateway}"
        self._listen_issuer = listen_issuer
        self._listen_gateway = listen_gateway

    @property
    def ledger_folder(self) -> Path:
        """Where the ledger keeps its files."""
        return self.folder / "ledger"

    @property
    def logs(self) -> list[Path]:
        """The logs of the processes."""
        return sorted(self.folder.glob("*.log"))

    @property
    def trust_anchors(self) -> str:
        """The certificate of the authority that vouches for verifiers, PEM."""
        return (self.folder / "gateway" / "access_authority.crt").read_text(encoding="ascii")

    def run(self, *arguments: str) -> dict[str, str]:
        """Run `tegata ... --json` to its end and return what it printed.

        Raises:
            ConfigError: It failed; the text is what it said.
        """
        return run(*arguments)

    def _start(self) -> None:
        ledger, issuer, gateway = (
            str(self.folder / name) for name in ("ledger", "issuer", "gateway")
        )
        self.run("node", "init", ledger, "--torii", self.torii)
        self.ledger_process = self._serve("node", "start", ledger)
        made = self.run(
            *("issuer", "init", issuer, "--network", ledger, "--account", ISSUER_ACCOUNT),
            *("--listen", self._listen_issuer, "--waci", *self._issuer_options()),
        )
        self.operator_token = made["operator_token"]
        self.run(
            *("gateway", "init", gateway, "--network", ledger),
            *("--listen", self._listen_gateway, "--waci"),
        )
        added = self.run(
            *("gateway", "add-verifier", gateway, "ward_office", "--name", "Aoba Ward Office"),
            *("--may-ask", "ServiceProvision=name,address,municipality,birth_date,age_over_18,sex"),
        )
        self.api_key = added["api_key"]
        self.shop_api_key = self.run(
            *("gateway", "add-verifier", gateway, "sake_shop", "--name", "Yamada Sake Shop"),
            *("--may-ask", "AgeVerification=birth_date", "--may-exceed"),
        )["api_key"]
        if self.has_face:
            face, (listen,) = str(self.folder / "face"), free_addresses(1)
            self.run("face", "init", face, "--name", "Aoba face test", "--listen", listen)
            with (self.folder / "face" / FACE_FILE).open("a", encoding="utf-8") as file:
                # This machine does the work of all at once.
                file.write("prompt_seconds = 30\ntest_seconds = 300\n")
            trust_service(self.folder / "gateway" / GATEWAY_FILE, self.folder / "face")
            self._serve("face", "start", face)
        self._serve("issuer", "start", issuer)
        self._serve("gateway", "start", gateway)

    def _issuer_options(self) -> Sequence[str]:
        """Return what else `tegata issuer init` is told; the ledger runs by then."""
        return ()

    def _serve(self, *arguments: str) -> ServiceProcess:
        service = ServiceProcess(arguments, self.folder / f"{arguments[0]}.log")
        self._processes.callback(service.stop)
        return service


def run(*arguments: str) -> dict[str, str]:
    """Run `tegata ... --json` inside this process and return what it printed.

    Raises:
        ConfigError: It failed; the text is what it says.
    """
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            tegata.main([*arguments, "--json"], prog_name="tegata", standalone_mode=False)
    except click.Abort:  # click's word for Ctrl-C
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        raise ConfigError(f"tegata {' '.join(arguments)}: {error.format_message()}") from None
    except (ChaincodeError, ClientError, NodeError) as error:
        raise ConfigError(f"tegata {' '.join(arguments)}: {error}") from None
    told: dict[str, str] = json.loads(printed.getvalue())
    return told


def _event_of(line: str) -> str | None:
    try:
        event = json.loads(line).get("event")
    except (ValueError, AttributeError):
        return None
    return event if isinstance(event, str) else None
