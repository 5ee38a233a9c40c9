"""A town whose services a test can stop and start again, with its escrow agents.

Its services and wallets reach the ledger node over TLS.
"""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.serialization import Encoding
from support.face_stand import FaceStand
from support.tls_files import TlsFiles, make_tls_files
from support.virtual_card import Authority, VirtualCard, new_key

from node.cli.demo.agents import EscrowAgents
from node.cli.demo.free_ports import free_addresses
from node.cli.demo.town import ServiceProcess, Town
from node.wallet.desk import Suggestions


class SeeingAgents(EscrowAgents):
    """Agents that want to see a face at each attempt."""

    def __init__(self, town: "WalletTown", faces: FaceStand) -> None:
        super().__init__(town)
        self._city = town
        self._faces = faces
        self._started: dict[str, ServiceProcess] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, in the order of their addresses."""
        return tuple(self._started)

    def stop(self, name: str) -> None:
        """Stop an agent."""
        self._started[name].stop()

    def start(self, name: str) -> None:
        """Start it again."""
        self._serve(name)

    def _serve(self, name: str) -> ServiceProcess:
        if name not in self._started:
            folder = Path(self._place(name))
            config = folder / "escrow.toml"
            trusted = self._faces.trust(folder)
            config.write_text(f"face_required = true\n{config.read_text()}{trusted}")
            self._city.have_tls(config)
        self._started[name] = super()._serve(name)
        return self._started[name]


class WalletTown(Town):
    """A ledger node, an issuer, a gateway and three agents, as processes."""

    def __init__(self, folder: Path, faces: FaceStand) -> None:
        """Prepare; nothing is started yet.

        Args:
            folder: An empty folder.
            faces: The face service that gateway and agents trust.
        """
        super().__init__(folder)
        self.faces = faces
        self.today = datetime.now(UTC)
        self.card_authority = Authority(starts=self.today - timedelta(days=1))
        (self.torii_tls,) = free_addresses(1)
        self._tls: TlsFiles = make_tls_files(folder)
        self.agents = SeeingAgents(self, faces)
        self._started: dict[str, tuple[tuple[str, ...], ServiceProcess]] = {}
        self._stack = ExitStack()

    @property
    def suggestions(self) -> Suggestions:
        """What a wallet's forms are filled in with here."""
        return Suggestions(
            issuer=self.issuer_url,
            torii=self.torii_tls,
            root_certificates=self.root_certificates.decode(),
            agents=tuple(self.agents.urls),
        )

    @property
    def root_certificates(self) -> bytes:
        """What the node's certificate leads to, PEM."""
        return self._tls.root.read_bytes()

    def have_tls(self, config: Path) -> None:
        """Have a service reach the node over TLS, by its configuration file."""
        text = config.read_text()
        plain = f'address = "{self.torii}"'
        assert plain in text
        roots = f'root_certificates_file = "{self._tls.root}"'
        config.write_text(text.replace(plain, f'address = "{self.torii_tls}"\n{roots}'))

    def stop(self, name: str) -> None:
        """Stop `node`, `issuer` or `gateway`."""
        self._started[name][1].stop()

    def start(self, name: str) -> None:
        """Start it again."""
        self._serve(*self._started[name][0])

    def _serve(self, *arguments: str) -> ServiceProcess:
        if arguments[0] not in self._started:
            self._prepare(arguments[0])
        service = super()._serve(*arguments)
        self._started[arguments[0]] = (arguments, service)
        return service

    def _prepare(self, name: str) -> None:
        folder = self.folder / ("ledger" if name == "node" else name)
        config = folder / f"{name}.toml"
        more = ""
        if name == "node":
            tls = self._tls
            more = (
                f'[torii_tls]\naddress = "{self.torii_tls}"\n'
                f'certificate = "{tls.certificate}"\nprivate_key = "{tls.private_key}"\n'
            )
        else:
            self.have_tls(config)
            if name == "gateway":
                more = self.faces.trust(folder)
            if name == "issuer":
                more = self._take_cards(folder)
        with config.open("a", encoding="utf-8") as file:
            file.write(more)

    def _take_cards(self, folder: Path) -> str:
        """Return what lets the issuer take My Number cards, also without an offer."""
        authority = self.card_authority
        listed = authority.revocation_list(
            last_update=self.today - timedelta(days=1), next_update=self.today + timedelta(days=1)
        )
        (folder / "cards.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
        (folder / "cards.crl").write_bytes(listed.public_bytes(Encoding.DER))
        return (
            '\n[card]\nauthority_file = "cards.pem"\nrevocation_list_files = ["cards.crl"]\n'
            'municipality = "仙台市"\naddresses = ["宮城県仙台市"]\nself_service = "on"\n'
        )

    def new_card(self) -> VirtualCard:
        """Return a My Number card that its authority vouches for."""
        key, starts = new_key(), self.today - timedelta(days=1)
        certificate = self.card_authority.issue(key, starts=starts)
        return VirtualCard(self.card_authority, key=key, certificate=certificate)

    def __enter__(self) -> Self:
        super().__enter__()
        self._stack.enter_context(self.agents)
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()
        super().__exit__(*raised)
