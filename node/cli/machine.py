"""Everything on this machine, in one folder: what `tegata up` makes, starts and stops."""

import queue
import secrets
import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from node.cli.config_file import replace_config
from node.cli.demo.agents import AGENTS, make_agents
from node.cli.demo.town import ServiceGroup, ServiceProcess, run
from node.cli.escrow import FILE_NAME as ESCROW_FILE
from node.cli.face import FILE_NAME as FACE_FILE
from node.cli.face import INSTALL as INSTALL_FACE
from node.cli.face import is_installed as is_face_installed
from node.cli.face_trust import trust_service
from node.config import load_config, save_secret
from node.escrow.config import EscrowConfig
from node.gateway.config import FILE_NAME as GATEWAY_FILE
from node.gateway.config import GatewayConfig
from node.issuer.config import FILE_NAME as ISSUER_FILE
from node.issuer.config import IssuerConfig
from node.ledger.config import FILE_NAME as NODE_FILE
from node.ledger.config import NodeConfig
from node.observer.config import FILE_NAME as PAGE_FILE
from node.observer.config import ObserverConfig

ISSUER_ACCOUNT: Final = "city@issuer"
VERIFIER: Final = "counter"
LOGIN: Final = "operator"
OPTIONAL: Final = ("agents", "face", "wallet")
"""What a machine can be without."""
PORTS: Final = ("gateway", "issuer", "page", "ledger", "wallet", "face", *AGENTS)
"""Who takes which of the ports in a row."""
_FACE_NAME: Final = "Tegata face test"
_MAY_ASK: Final = "ServiceProvision=name,address,municipality,birth_date,age_over_18,sex"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line that a service logged."""

    service: str
    text: str


class View(Protocol):
    """How what happens is shown."""

    def tell(self, text: str) -> None:
        """Say what is being done."""

    def note(self, text: str) -> None:
        """Say what the person should know, also later."""

    def show(self, line: Line) -> None:
        """Show a line of a service's log."""


class Machine(ServiceGroup):
    """All services, each a process, in one folder. A context.

    What is not there yet is made. On leaving, all are stopped; the folder stays.
    """

    def __init__(
        self, folder: Path, port: int, view: View, *, without: Collection[str] = ()
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            folder: Where everything is kept.
            port: The first of the ports, for what is made now.
            view: Is told what is being done.
            without: What is left out, of `OPTIONAL`.
        """
        super().__init__()
        self.folder = folder
        self.lines: queue.SimpleQueue[Line] = queue.SimpleQueue()
        self.pages: dict[str, str] = {}
        self._environment: dict[str, str] = {}
        self._port = port
        self._view = view
        self._without = set(without)
        self._running: dict[str, ServiceProcess] = {}

    @property
    def secrets_folder(self) -> Path:
        """Where the password of the pages, the operator's token and the API key stand."""
        return self.folder / "secrets"

    @property
    def environment_file(self) -> Path:
        """What a shell reads so that `tegata` knows all addresses and secrets."""
        return self.folder / "env"

    def ended(self) -> str | None:
        """Return the name of a service that has ended by itself; None while all run."""
        return next(
            (name for name, one in self._running.items() if one.process.poll() is not None), None
        )

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if "face" not in self._without and not is_face_installed():
            self._view.note(f"There is no face service: it is not installed. {INSTALL_FACE}")
            self._without.add("face")
        self._make_ledger()
        self._serve("ledger", "node", "start", self._place("ledger"))
        self._running["ledger"].wait_until_ready()
        self._make_services()
        self._serve("issuer", "issuer", "start", self._place("issuer"))
        self._serve("gateway", "gateway", "start", self._place("gateway"))
        self._serve("page", "node", "page", "start", self._place("page"))
        if "face" not in self._without:
            self._serve("face", "face", "start", self._place("face"))
        if "agents" not in self._without:
            for name in AGENTS:
                self._serve(name, "escrow", "start", str(self.folder / "agents" / name))
        self._know_addresses()
        if "wallet" not in self._without:
            self._serve_wallet()
        # Told first, then waited for one after the other.
        self._processes.callback(self._end_all)
        for service in self._running.values():
            service.wait_until_ready()
        if "wallet" in self._running:
            # Opens once: it pairs the browser that comes with it.
            self.pages = {"wallet": self._running["wallet"].printed()["open_once"], **self.pages}

    def _end_all(self) -> None:
        for service in self._running.values():
            service.process.terminate()

    def _make_ledger(self) -> None:
        if not (self.folder / "ledger" / NODE_FILE).exists():
            self._do("node", "init", self._place("ledger"), "--torii", self._address("ledger"))

    def _make_services(self) -> None:
        """Make what there is not yet of the others; the ledger runs."""
        password = self._keep_secret("password", lambda: secrets.token_urlsafe(16))
        with_password = ("--password-file", str(password))
        network = ("--network", self._place("ledger"))
        self._make_issuer(network, with_password)
        self._make_gateway(network, with_password)
        page = self._place("page")
        if not (self.folder / "page" / PAGE_FILE).exists():
            self._do("node", "page", "init", page, *network, "--listen", self._address("page"))
        if not load_config(self.folder / "page" / PAGE_FILE, ObserverConfig).logins:
            self._do("node", "page", "add-login", page, LOGIN, *with_password)
        if "face" not in self._without:
            self._make_face()
        if "agents" not in self._without:
            make_agents(
                self.folder / "agents",
                self.folder / "ledger",
                [self._address(name) for name in AGENTS],
                self._do,
            )

    def _make_issuer(self, network: tuple[str, ...], with_password: tuple[str, ...]) -> None:
        issuer = self._place("issuer")
        if not (self.folder / "issuer" / ISSUER_FILE).exists():
            made = self._do(
                *("issuer", "init", issuer, *network, "--account", ISSUER_ACCOUNT),
                *("--listen", self._address("issuer")),
            )
            self._keep_secret("operator_token", lambda: made["operator_token"])
        if not load_config(self.folder / "issuer" / ISSUER_FILE, IssuerConfig).logins:
            self._do("issuer", "add-login", issuer, LOGIN, *with_password)

    def _make_gateway(self, network: tuple[str, ...], with_password: tuple[str, ...]) -> None:
        gateway = self._place("gateway")
        if not (self.folder / "gateway" / GATEWAY_FILE).exists():
            self._do("gateway", "init", gateway, *network, "--listen", self._address("gateway"))
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

    def _make_face(self) -> None:
        face = self.folder / "face"
        if not (face / FACE_FILE).exists():
            self._do(
                *("face", "init", str(face), "--name", _FACE_NAME),
                *("--listen", self._address("face")),
            )
        trust_service(self.folder / "gateway" / GATEWAY_FILE, face)

    def _know_addresses(self) -> None:
        """Find out where everything is, and write it down for shells."""
        gateway = load_config(self.folder / "gateway" / GATEWAY_FILE, GatewayConfig).public_url
        issuer = load_config(self.folder / "issuer" / ISSUER_FILE, IssuerConfig).public_url
        page = load_config(self.folder / "page" / PAGE_FILE, ObserverConfig).public_url
        self.pages = {"issuer": f"{issuer}/counter/", "gateway": f"{gateway}/verifier/"}
        self.pages["page"] = f"{page}/"
        self._environment = {
            "TEGATA_TORII": load_config(self.folder / "ledger" / NODE_FILE, NodeConfig).torii,
            "TEGATA_ISSUER": issuer,
            "TEGATA_OPERATOR_TOKEN": self._read_secret("operator_token"),
            "TEGATA_GATEWAY": gateway,
            "TEGATA_API_KEY": self._read_secret("api_key"),
            "TEGATA_TRUST": str((self.folder / "gateway" / "access_authority.crt").absolute()),
        }
        if "agents" not in self._without:
            folders = [self.folder / "agents" / name for name in AGENTS]
            agents = [load_config(place / ESCROW_FILE, EscrowConfig) for place in folders]
            self._environment["TEGATA_AGENTS"] = " ".join(agent.public_url for agent in agents)
        lines = [f"export {name}={shlex.quote(text)}" for name, text in self._environment.items()]
        replace_config(self.environment_file, "\n".join(lines) + "\n")

    def _serve_wallet(self) -> None:
        folder, known = self.folder / "wallet", self._environment
        folder.mkdir(mode=0o700, exist_ok=True)
        options = [
            part for url in known.get("TEGATA_AGENTS", "").split() for part in ("--agent", url)
        ]
        self._serve(
            "wallet",
            *("wallet", "serve", str(folder / "my.wallet"), "--listen", self._address("wallet")),
            *("--trust", known["TEGATA_TRUST"], "--issuer", known["TEGATA_ISSUER"]),
            *("--torii", known["TEGATA_TORII"], *options, "--json"),
            prints=True,
        )

    def _place(self, name: str) -> str:
        return str(self.folder / name)

    def _address(self, name: str) -> str:
        return f"127.0.0.1:{self._port + PORTS.index(name)}"

    def _do(self, *arguments: str) -> dict[str, str]:
        # Without the folder and what follows: a password's place is nobody's business.
        self._view.tell("tegata " + " ".join(arguments[:2]))
        return run(*arguments)

    def _serve(self, name: str, *arguments: str, prints: bool = False) -> None:
        self._view.tell(f"starting {name}")
        service = ServiceProcess(
            arguments,
            self.folder / f"{name}.log",
            on_line=lambda line: self.lines.put(Line(service=name, text=line.rstrip("\n"))),
            prints=prints,
            waits=False,
        )
        self._running[name] = service
        self._processes.callback(service.stop)

    def _keep_secret(self, name: str, make: Callable[[], str]) -> Path:
        path = self.secrets_folder / name
        if not path.exists():
            self.secrets_folder.mkdir(mode=0o700, exist_ok=True)
            save_secret(path, make() + "\n")
        return path

    def _read_secret(self, name: str) -> str:
        return (self.secrets_folder / name).read_text(encoding="ascii").strip()
