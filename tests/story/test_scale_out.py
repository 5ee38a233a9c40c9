"""Two gateways and two issuers on PostgreSQL, behind one proxy, and one of them is killed."""

import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.databases import PostgreSql
from support.proxy import find_caddy, running_proxy
from support.resident_wallet import resident_wallet
from support.story_town import canary_resident

from client_sdk.errors import TransportError
from client_sdk.issuer.client import IssuerClient
from client_sdk.verifier.gateway_client import GatewayClient
from client_sdk.wallet import Wallet
from node.cli.demo.free_ports import free_addresses
from node.cli.demo.town import ServiceProcess, Town, run

DIES = Path(__file__).parents[1] / "crash" / "die_at_release.py"
pytestmark = [
    pytest.mark.skipif(find_caddy() is None, reason="Caddy is not installed"),
    pytest.mark.xdist_group("town"),
]


@dataclass
class Pair:
    """Two instances of a service, in a folder each."""

    kind: str
    folders: tuple[Path, Path]
    listen: tuple[str, str]
    running: dict[int, ServiceProcess] = field(default_factory=dict)

    def start(self, number: int) -> None:
        folder = self.folders[number]
        self.running[number] = ServiceProcess(
            (self.kind, "start", str(folder)), folder.with_suffix(".log")
        )

    def kill(self, number: int) -> None:
        service = self.running.pop(number)
        service.process.send_signal(signal.SIGKILL)
        service.stop()

    def stop(self) -> None:
        for number in [*self.running]:
            self.running.pop(number).stop()

    def requests(self, number: int) -> int:
        log = self.folders[number].with_suffix(".log").read_text(encoding="utf-8")
        return log.count('"event": "request"')


def use_database(config: Path, url: str) -> None:
    text = config.read_text(encoding="utf-8")
    config.write_text(f'database_url = "{url}"\n{text}', encoding="utf-8")


def make_pair(kind: str, folder: Path, listen: str) -> Pair:
    """Copy a service's folder, and let each listen on an address of its own."""
    folders = (folder, folder.with_name(f"{folder.name}_2"))
    shutil.copytree(*folders)
    addresses = free_addresses(2)
    for place, address in zip(folders, addresses, strict=True):
        config = place / f"{kind}.toml"
        text = config.read_text(encoding="utf-8")
        config.write_text(
            text.replace(f'listen = "{listen}"', f'listen = "{address}"'), encoding="utf-8"
        )
    return Pair(kind, folders, (addresses[0], addresses[1]))


@dataclass
class City:
    """Both services, and who uses them."""

    issuers: Pair
    gateways: Pair
    issuer_url: str
    operator_token: str
    gateway_url: str
    api_key: str
    torii: str
    trust_anchors: str


@pytest.fixture(scope="module")
def city(
    town: Town, postgresql: PostgreSql, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[City]:
    folder = tmp_path_factory.mktemp("scale_out")
    issuer, gateway = folder / "issuer", folder / "gateway"
    at_issuer, at_gateway = free_addresses(2)
    made = run(
        *("issuer", "init", str(issuer), "--network", str(town.ledger_folder)),
        *("--account", "wide_city@issuer", "--listen", at_issuer),
    )
    run(
        *("gateway", "init", str(gateway), "--network", str(town.ledger_folder)),
        *("--account", "wide@gateway", "--listen", at_gateway),
    )
    use_database(issuer / "issuer.toml", postgresql.new_database())
    use_database(gateway / "gateway.toml", postgresql.new_database())
    added = run(
        *("gateway", "add-verifier", str(gateway), "office", "--name", "Wide Office"),
        *("--may-ask", "ServiceProvision=address"),
    )
    issuers = make_pair("issuer", issuer, at_issuer)
    gateways = make_pair("gateway", gateway, at_gateway)
    with ExitStack() as stack:
        for pair in (issuers, gateways):
            stack.callback(pair.stop)
            pair.start(0)
            pair.start(1)
        sites = {at_issuer: issuers.listen, at_gateway: gateways.listen}
        stack.enter_context(running_proxy(folder, sites))
        yield City(
            issuers=issuers,
            gateways=gateways,
            issuer_url=f"http://{at_issuer}",
            operator_token=made["operator_token"],
            gateway_url=f"http://{at_gateway}",
            api_key=added["api_key"],
            torii=town.torii,
            trust_anchors=(gateway / "access_authority.crt").read_text(encoding="ascii"),
        )


@pytest.fixture(scope="module")
def wallet(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wallet]:
    file = tmp_path_factory.mktemp("wide_wallet") / "wallet"
    with resident_wallet(file, city, canary_resident()) as wallet:
        yield wallet


def present(city: City, wallet: Wallet) -> str:
    """Ask and answer; return the request's id, also where nobody told the wallet of its end."""
    with GatewayClient(city.gateway_url, city.api_key) as office:
        created = office.ask(["address"], purpose="Certificate of residence")
    with suppress(TransportError):
        wallet.presentation.answer(wallet.presentation.read_request(created.link))
    return created.request_id


def results(city: City, requests: list[str]) -> Counter[str]:
    with GatewayClient(city.gateway_url, city.api_key) as office:
        return Counter(office.wait(request, timeout_s=60).state for request in requests)


def test_both_share_the_work(city: City, wallet: Wallet) -> None:
    asked = [present(city, wallet) for _ in range(4)]
    assert results(city, asked) == {"accepted": 4}
    for pair in (city.issuers, city.gateways):
        assert all(pair.requests(number) > 0 for number in (0, 1))


def test_a_gateway_that_is_killed_in_the_middle_loses_nothing(city: City, wallet: Wallet) -> None:
    gateways = city.gateways
    gateways.kill(0)
    # In its place one that dies once it has kept an answer, before the receipt is sent.
    with subprocess.Popen(
        [sys.executable, str(DIES), "held", str(gateways.folders[0])],
        stderr=subprocess.PIPE,
        text=True,
    ) as dying:
        assert dying.stderr is not None
        for line in dying.stderr:
            if '"event": "ready"' in line:
                break
        asked = []
        while dying.poll() is None:
            asked.append(present(city, wallet))
            assert len(asked) < 50
        assert dying.returncode == -signal.SIGKILL
    asked.append(present(city, wallet))
    assert results(city, asked) == {"accepted": len(asked)}
    gateways.start(0)


def test_an_issuer_that_is_killed_loses_nothing(city: City, wallet: Wallet) -> None:
    with IssuerClient(city.issuer_url, city.operator_token) as counter:
        offers = [counter.offer(canary_resident(), reference="killed") for _ in range(2)]
        city.issuers.kill(0)
        for offer in offers:
            wallet.issuance.receive(offer.link, tx_code=offer.tx_code)
        city.issuers.start(0)
        city.issuers.kill(1)
        listed = counter.credentials("killed")
        assert [credential.state for credential in listed] == ["active", "active"]
        counter.change_state(listed[0].record_id, "revoke")
        city.issuers.start(1)
        city.issuers.kill(0)
        listed = counter.credentials("killed")
        assert [credential.state for credential in listed] == ["revoked", "active"]
