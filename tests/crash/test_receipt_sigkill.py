"""A gateway killed between receipt and release loses nothing, and shows nothing without receipt."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from support.resident_wallet import resident_wallet

from client_sdk.credentials.resident import ResidentAttributes
from client_sdk.errors import ServiceRefusedError, TransportError
from client_sdk.ledger.grants import new_record_id
from client_sdk.sealing.hpke import SealingKey
from client_sdk.verifier.gateway_client import GatewayClient
from client_sdk.verifier.standing_client import StandingClient
from client_sdk.wallet import Wallet
from node.cli.demo.town import ServiceProcess, Town

POINTS = ["held", "written"]
ADDRESS = "青葉市緑町 1-2-3"
RESIDENT = ResidentAttributes(
    name="手形 太郎",
    address=ADDRESS,
    municipality="青葉市",
    birth_date=date(1980, 12, 24),
    sex="1",
)
SCRIPT = Path(__file__).with_name("die_at_release.py")


class FragileTown(Town):
    """A town whose gateway can be ended and started again."""

    gateway: ServiceProcess | None = None

    def _serve(self, *arguments: str) -> ServiceProcess:
        if arguments[0] != "gateway":
            return super()._serve(*arguments)
        self.gateway = ServiceProcess(arguments, self.folder / "gateway.log")
        return self.gateway

    def start_gateway(self) -> None:
        self._serve("gateway", "start", str(self.folder / "gateway"))

    def stop_gateway(self) -> None:
        if self.gateway is not None:
            self.gateway.stop()
            self.gateway = None

    @contextmanager
    def dying_gateway(self, point: str) -> Iterator[None]:
        """Run a gateway that dies at this point; it must be dead at the end."""
        self.stop_gateway()
        with subprocess.Popen(
            [sys.executable, str(SCRIPT), point, str(self.folder / "gateway")],
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if '"event": "ready"' in line:
                    break
            try:
                yield
                assert process.wait(60) < 0
            finally:
                process.kill()
        self.start_gateway()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FragileTown]:
    with FragileTown(tmp_path_factory.mktemp("fragile_town")) as town:
        try:
            yield town
        finally:
            town.stop_gateway()


@pytest.fixture(scope="module")
def wallet(town: FragileTown, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wallet]:
    file = tmp_path_factory.mktemp("wallet") / "wallet"
    with resident_wallet(file, town, RESIDENT) as wallet:
        yield wallet


@pytest.mark.parametrize("point", POINTS)
def test_what_was_held_is_shown_after_the_restart(
    town: FragileTown, wallet: Wallet, point: str
) -> None:
    before = len([entry for entry in wallet.history() if entry.use])
    with town.dying_gateway(point):
        with GatewayClient(town.gateway_url, town.api_key) as office:
            asked = office.ask(["address"], purpose="Certificate of residence")
        pending = wallet.presentation.read_request(asked.link)
        with pytest.raises(TransportError):
            wallet.presentation.answer(pending)
        receipts = [entry for entry in wallet.history() if entry.use]
        assert len(receipts) - before == (1 if point == "written" else 0)
    with GatewayClient(town.gateway_url, town.api_key) as office:
        result = office.wait(asked.request_id)
    assert (result.state, result.attributes) == ("accepted", {"address": ADDRESS})
    after = [entry for entry in wallet.history() if entry.use]
    assert len(after) - before == 1
    assert after[-1].finding is None


@pytest.mark.parametrize("point", POINTS)
def test_a_look_that_was_lost_is_asked_for_again(
    town: FragileTown, wallet: Wallet, point: str
) -> None:
    key, access = SealingKey.generate(), new_record_id()
    with StandingClient(town.gateway_url, town.api_key) as office:
        asked = office.ask(
            ["address"], purpose="Notice", uses=1, days=1, deposit_key=key.public_bytes
        )
        (grant,) = wallet.presentation.answer(
            wallet.presentation.read_request(asked.link)
        ).grant_ids
    with (
        town.dying_gateway(point),
        StandingClient(town.gateway_url, town.api_key) as office,
        pytest.raises(TransportError),
    ):
        office.look_up(grant, key, access_id=access)
    with StandingClient(town.gateway_url, town.api_key) as office:
        found = office.look_up(grant, key, access_id=access)
        assert (found.use, found.attributes) == (1, {"address": ADDRESS})
        with pytest.raises(ServiceRefusedError):
            office.look_up(grant, key)
    uses = [entry.use for entry in wallet.history() if entry.grant == grant]
    assert uses == [1]
