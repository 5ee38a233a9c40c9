"""`tegata up`: everything on this machine, in one folder, with one command."""

import json
import queue
import secrets
import signal
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from node.cli.demo.town import ServiceGroup, ServiceProcess, run
from node.cli.output import json_option, plain
from node.config import load_config, save_secret
from node.errors import ConfigError
from node.gateway.config import FILE_NAME as GATEWAY_FILE
from node.gateway.config import GatewayConfig
from node.issuer.config import FILE_NAME as ISSUER_FILE
from node.issuer.config import IssuerConfig
from node.ledger.config import FILE_NAME as NODE_FILE
from node.observer.config import FILE_NAME as PAGE_FILE
from node.observer.config import ObserverConfig

ISSUER_ACCOUNT: Final = "city@issuer"
VERIFIER: Final = "counter"
LOGIN: Final = "operator"
_MAY_ASK: Final = "ServiceProvision=name,address,municipality,birth_date,age_over_18,sex"
_SHOWN_LINES: Final = 14
_LOOK_S: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line that a service logged."""

    service: str
    text: str


class View(Protocol):
    """How what happens is shown."""

    def tell(self, text: str) -> None:
        """Say what is being done."""

    def show(self, line: Line) -> None:
        """Show a line of a service's log."""


class Machine(ServiceGroup):
    """A ledger node, an issuer, a gateway and the operator's page, all in one folder. A context.

    What is not there yet is made. On leaving, all are stopped; the folder stays.
    """

    def __init__(self, folder: Path, port: int, view: View) -> None:
        """Prepare; nothing is started yet.

        Args:
            folder: Where everything is kept.
            port: The first of four ports, for what is made now.
            view: Is told what is being done.
        """
        super().__init__()
        self.folder = folder
        self.lines: queue.SimpleQueue[Line] = queue.SimpleQueue()
        self._port = port
        self._view = view
        self._running: dict[str, ServiceProcess] = {}

    @property
    def secrets_folder(self) -> Path:
        """Where the password of the pages, the operator's token and the API key stand."""
        return self.folder / "secrets"

    def pages(self) -> dict[str, str]:
        """Return the addresses that a person opens, by service."""
        gateway = load_config(self.folder / "gateway" / GATEWAY_FILE, GatewayConfig)
        issuer = load_config(self.folder / "issuer" / ISSUER_FILE, IssuerConfig)
        page = load_config(self.folder / "page" / PAGE_FILE, ObserverConfig)
        return {
            "gateway": f"{gateway.public_url}/verifier/",
            "issuer": f"{issuer.public_url}/counter/",
            "page": f"{page.public_url}/",
        }

    def ended(self) -> str | None:
        """Return the name of a service that has ended by itself; None while all run."""
        return next(
            (name for name, one in self._running.items() if one.process.poll() is not None), None
        )

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        ledger, issuer, gateway, page = (
            str(self.folder / name) for name in ("ledger", "issuer", "gateway", "page")
        )
        password = self._keep_secret("password", lambda: secrets.token_urlsafe(16))
        with_password = ("--password-file", str(password))
        if not (self.folder / "ledger" / NODE_FILE).exists():
            self._do("node", "init", ledger, "--torii", self._address(3))
        self._serve("ledger", "node", "start", ledger)
        network = ("--network", ledger)
        if not (self.folder / "issuer" / ISSUER_FILE).exists():
            made = self._do(
                *("issuer", "init", issuer, *network, "--account", ISSUER_ACCOUNT),
                *("--listen", self._address(1)),
            )
            self._keep_secret("operator_token", lambda: made["operator_token"])
        if not load_config(self.folder / "issuer" / ISSUER_FILE, IssuerConfig).logins:
            self._do("issuer", "add-login", issuer, LOGIN, *with_password)
        self._serve("issuer", "issuer", "start", issuer)
        if not (self.folder / "gateway" / GATEWAY_FILE).exists():
            self._do("gateway", "init", gateway, *network, "--listen", self._address(0))
        if not (self.folder / "gateway" / f"verifier_{VERIFIER}.crt").exists():
            added = self._do(
                *("gateway", "add-verifier", gateway, VERIFIER, "--name", "Tegata counter"),
                *("--may-ask", _MAY_ASK),
                *("--may-ask", "AgeVerification=age_over_18"),
                *("--may-ask", "IdentityVerification=name,address,birth_date"),
            )
            self._keep_secret("api_key", lambda: added["api_key"])
        if not load_config(self.folder / "gateway" / GATEWAY_FILE, GatewayConfig).logins:
            self._do("gateway", "add-login", gateway, LOGIN, "--verifier", VERIFIER, *with_password)
        self._serve("gateway", "gateway", "start", gateway)
        if not (self.folder / "page" / PAGE_FILE).exists():
            self._do("node", "page", "init", page, *network, "--listen", self._address(2))
        if not load_config(self.folder / "page" / PAGE_FILE, ObserverConfig).logins:
            self._do("node", "page", "add-login", page, LOGIN, *with_password)
        self._serve("page", "node", "page", "start", page)

    def _address(self, offset: int) -> str:
        return f"127.0.0.1:{self._port + offset}"

    def _do(self, *arguments: str) -> dict[str, str]:
        # Without the folder and what follows: a password's place is nobody's business.
        self._view.tell("tegata " + " ".join(arguments[:2]))
        return run(*arguments)

    def _serve(self, name: str, *arguments: str) -> None:
        self._view.tell(f"starting {name}")
        service = ServiceProcess(
            arguments,
            self.folder / f"{name}.log",
            on_line=lambda line: self.lines.put(Line(service=name, text=line.rstrip("\n"))),
        )
        self._running[name] = service
        self._processes.callback(service.stop)

    def _keep_secret(self, name: str, make: Callable[[], str]) -> Path:
        path = self.secrets_folder / name
        if not path.exists():
            self.secrets_folder.mkdir(mode=0o700, exist_ok=True)
            save_secret(path, make() + "\n")
        return path


class TerminalView:
    """A table of the services over the last lines of their logs. Use it as a context."""

    def __init__(self, console: Console) -> None:
        self._lines: deque[Line] = deque(maxlen=_SHOWN_LINES)
        self._doing = ""
        self._pages: dict[str, str] = {}
        self._secrets = ""
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=5)

    def tell(self, text: str) -> None:
        """Say what is being done."""
        self._doing = text

    def show(self, line: Line) -> None:
        """Show a line of a service's log."""
        self._lines.append(line)

    def is_up(self, machine: Machine) -> None:
        """Say that all runs, and where."""
        self._doing = "Everything runs. Ctrl-C stops it; the folder is kept."
        self._pages = machine.pages()
        self._secrets = str(machine.secrets_folder / "password")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _render(self) -> Group:
        table = Table.grid(padding=(0, 2))
        for name, url in self._pages.items():
            table.add_row(Text(name, "cyan"), Text(url, "bold"))
        if self._pages:
            table.add_row(Text("login", "cyan"), Text(f"{LOGIN}, password in {self._secrets}"))
        lines = [Text(f"{line.service:<8} ", "cyan") + plain(line.text) for line in self._lines]
        for line in lines:
            line.no_wrap = True
        return Group(Text(self._doing, "green"), table, *lines)


class PlainView:
    """Lines of text, or of JSON, one after the other."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def tell(self, text: str) -> None:
        """Say what is being done."""
        self._print("up", text)

    def show(self, line: Line) -> None:
        """Show a line of a service's log."""
        self._print(line.service, line.text)

    def is_up(self, machine: Machine) -> None:
        """Say that all runs, and where."""
        where = {**machine.pages(), "login": LOGIN, "secrets": str(machine.secrets_folder)}
        if self._as_json:
            click.echo(json.dumps({"service": "up", "event": "ready", **where}))
        else:
            self._print("up", "ready: " + ", ".join(f"{n} {text}" for n, text in where.items()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def _print(self, service: str, text: str) -> None:
        if self._as_json:
            click.echo(json.dumps({"service": service, "line": text}))
        else:
            click.echo(f"{service:<8} {plain(text).plain}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--port",
    type=click.IntRange(1024, 65_532),
    default=8080,
    show_default=True,
    help="The first of four ports, the first time: gateway, issuer, operator's page, ledger.",
)
@json_option
def up(folder: Path, port: int, as_json: bool) -> None:
    """Run a ledger node, an issuer, a gateway and the operator's page from FOLDER.

    The first time all is made in FOLDER; `secrets/` holds the pages' password, the issuer's
    operator token and the verifier's API key. Logs are shown as they come, and kept as
    FOLDER/NAME.log. Ctrl-C stops everything and keeps the folder.
    """
    console = Console(highlight=False)
    is_live = console.is_terminal and not as_json
    # Also where whoever started it, such as a script in the background, has Ctrl-C ignored.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    with TerminalView(console) if is_live else PlainView(as_json=as_json) as view:
        try:
            with Machine(folder, port, view) as machine:
                view.is_up(machine)
                _follow(machine, view)
        except KeyboardInterrupt:
            view.tell("stopped")


def _follow(machine: Machine, view: View) -> None:
    while True:
        try:
            view.show(machine.lines.get(timeout=_LOOK_S))
        except queue.Empty:
            if (name := machine.ended()) is not None:
                raise ConfigError(f"{name} has ended; see {machine.folder / name}.log") from None


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt
