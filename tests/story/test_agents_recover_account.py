"""Three agents share the escrow account's key, and give a lost account back: all real processes.

The guard's delay is seconds here. What an agent was asked before it was killed is never answered.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.command_line import run_inside
from support.escrow_town import EscrowTown
from support.moments import let_pass
from support.story_town import canary_resident

from chaincode.protocol.primitive_pb2 import Signature
from client_sdk.errors import (
    GuardRefusedError,
    NotEnoughSignersError,
    ServiceRefusedError,
    TransactionFailedError,
)
from client_sdk.escrow.agent_client import AgentClient
from client_sdk.escrow.recovery import recover
from client_sdk.escrow.recovery_card import RecoveryCard
from client_sdk.frost.signing import SigningPackage, aggregate, commit, sign_share
from client_sdk.http.client import HttpClient
from client_sdk.issuer.client import IssuerClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.grants import new_record_id
from client_sdk.ledger.guard_commands import open_recovery
from client_sdk.sealing.vault import CHEAPEST
from client_sdk.verifier.gateway_client import GatewayClient
from client_sdk.wallet import Wallet
from node.cli.demo.town import ISSUER_ACCOUNT, Town
from node.cli.network import Network
from node.errors import ConfigError
from node.threshold.share_file import load_group, load_share

pytestmark = pytest.mark.xdist_group("agents")

PASSPHRASE, PASSWORD = "a passphrase for this test", "canary-Password-4821-tsubaki"
ESCROW = "agents@holder"
DELAY_MS = 4_000
AGENTS = ("agent1", "agent2", "agent3")


def run_command(*arguments: str | Path, env: dict[str, str] | None = None) -> dict[str, Any]:
    result = run_inside(*arguments, "--json", env=env)
    assert result.exit_code == 0, (result.output, result.exception)
    printed: dict[str, Any] = json.loads(result.stdout)
    return printed


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with Town(tmp_path_factory.mktemp("town")) as town:
        yield town


@pytest.fixture(scope="module")
def agents(town: Town) -> Iterator[EscrowTown]:
    """Three agents that made their key over a board, and joined the ledger."""
    agents = EscrowTown(town.folder)
    fingerprint: tuple[str, ...] = ()
    for _ in range(6):
        for name in AGENTS:
            told = run_command(
                *("escrow", "keygen", town.folder / name, "--threshold", "2", "--parties", "3"),
                *("--board", town.folder / "board", "--name", name, *fingerprint),
            )
        fingerprint = ("--fingerprint", told["fingerprint"])
    for name in AGENTS:
        run_command(
            *("escrow", "join", town.folder / name, "--network", town.ledger_folder),
            *("--account", f"{name}@gateway", "--escrow-account", ESCROW),
        )
    with agents:
        yield agents


class Resident:
    """A resident with a guarded account and a recovery card."""

    def __init__(self, town: Town, agents: EscrowTown, folder: Path) -> None:
        self.town, self.agents, self.folder = town, agents, folder
        self.wallet = Wallet.create(
            folder / "old", PASSPHRASE, trust_anchors=town.trust_anchors, profile=CHEAPEST
        )
        with IssuerClient(town.issuer_url, town.operator_token) as city:
            self.wallet.register(town.issuer_url, city.enrol(), torii=town.torii)
            offer = city.offer(canary_resident())
        self.wallet.issuance.receive(offer.link, tx_code=offer.tx_code)
        self.card: RecoveryCard = self.wallet.escrow.protect(
            agents.urls, PASSWORD, profile=CHEAPEST
        )
        assert self.wallet.escrow.bind_account() == ()
        self.wallet.guard.stand(escrow=ESCROW, issuer=ISSUER_ACCOUNT, delay_ms=DELAY_MS)

    def show_address(self, wallet: Wallet) -> bool:
        with GatewayClient(self.town.gateway_url, self.town.api_key) as office:
            request = office.ask(["address"], purpose="Certificate of residence")
            wallet.presentation.answer(wallet.presentation.read_request(request.link))
            return office.wait(request.request_id).attributes is not None


@pytest.fixture
def resident(town: Town, agents: EscrowTown, tmp_path: Path) -> Iterator[Resident]:
    resident = Resident(town, agents, tmp_path)
    yield resident
    resident.wallet.close()


@pytest.fixture
def http() -> Iterator[HttpClient]:
    client = HttpClient(timeout_s=30)
    yield client
    client.close()


def test_card_and_password_bring_the_account_back(
    resident: Resident, agents: EscrowTown, http: HttpClient
) -> None:
    lost_key = resident.wallet.public_key
    agents.agents[0].kill()
    recovered = recover(resident.card, PASSWORD, http=http)
    with Wallet.recover(resident.folder / "new", PASSPHRASE, recovered, profile=CHEAPEST) as wallet:
        assert recovered.success_key is not None
        opened = wallet.recovery.open(wallet.escrow.signing_agents(recovered.success_key))
        assert (opened.lost_key, opened.new_key) == (lost_key, wallet.public_key)
        with pytest.raises((GuardRefusedError, NotEnoughSignersError)):
            wallet.recovery.finish(wallet.escrow.signing_agents())
        agents.agents[0].start()
        agents.agents[1].kill()
        let_pass(opened.window.matures_at_ms)
        wallet.recovery.finish(wallet.escrow.signing_agents())
        (renewal,) = wallet.recovery.renew_credentials()
        assert renewal.problem == ""
        assert resident.show_address(wallet)
        assert wallet.escrow.bind_account() != ()  # agent2 is down, and is told again later.
        agents.agents[1].start()
        assert wallet.escrow.bind_account() == ()
    with pytest.raises(TransactionFailedError):
        resident.wallet.guard.veto(opened.record_id)


def test_the_same_on_the_command_line(resident: Resident, agents: EscrowTown) -> None:
    new = resident.folder / "new"
    secrets = {
        "TEGATA_PASSPHRASE": PASSPHRASE,
        "TEGATA_RECOVERY_CARD": resident.card.encode(),
        "TEGATA_RECOVERY_PASSWORD": PASSWORD,
    }
    told = run_command("wallet", "recover", new, env=secrets)
    assert told["account"].startswith("will have this wallet's key from ")
    recovery = resident.wallet.guard.state().recovery
    assert recovery is not None
    assert (recovery.record_id, recovery.new_key) == (told["recovery"], told["public_key"])
    let_pass(recovery.window.matures_at_ms)
    finished = run_command("wallet", "finish-recovery", new, env=secrets)
    assert len(finished["renewed"]) == 1
    assert (finished["not_renewed"], finished["agents_at_fault"]) == ([], [])
    with Wallet.open(new, PASSPHRASE) as wallet:
        assert resident.show_address(wallet)


def test_an_agent_joins_once(agents: EscrowTown, town: Town) -> None:
    join = ("--network", town.ledger_folder, "--account", "agent1@gateway")
    result = run_inside(
        *("escrow", "join", town.folder / AGENTS[0], *join, "--escrow-account", ESCROW)
    )
    assert isinstance(result.exception, ConfigError)
    assert "joined already" in str(result.exception)
    with Network(town.ledger_folder) as network, pytest.raises(ConfigError, match="another key"):
        network.ensure_account(ESCROW, AccountKey.generate().public_key)


def test_an_agent_that_is_killed_between_the_rounds(
    resident: Resident, agents: EscrowTown, http: HttpClient
) -> None:
    """It forgets what it committed to. Its files tell nothing of it, and a new round works."""
    key = recover(resident.card, PASSWORD, http=http).success_key
    assert key is not None
    handle, account = resident.card.handle, resident.wallet.account.account_id
    agent, client = agents.agents[0], AgentClient(agents.urls[0], http)
    own = load_share(agents.folder / AGENTS[1] / "share.json")
    group = load_group(agents.folder / AGENTS[1] / "group.json")
    with LedgerClient(resident.town.torii, ESCROW, AccountKey.generate()) as ledger:
        transaction = ledger.build_transaction(
            open_recovery(
                account,
                new_record_id(),
                new_key=AccountKey.generate().public_key,
                lost_key=resident.wallet.public_key,
            )
        )
        payload = transaction.payload.SerializeToString()
        nonces = commit(own)
        session, commitment = client.begin_signature(
            key, handle, payload=payload, counter_token=None
        )
        agent.kill()
        agent.start()
        commitments = sorted((commitment, nonces.commitment), key=lambda each: each.identifier)
        package = SigningPackage(payload=payload, commitments=tuple(commitments))
        with pytest.raises(ServiceRefusedError, match="lost when this signer restarted"):
            client.sign(key, handle, session=session, package=package, counter_token=None)

        session, commitment = client.begin_signature(
            key, handle, payload=payload, counter_token=None
        )
        commitments = sorted((commitment, nonces.commitment), key=lambda each: each.identifier)
        package = SigningPackage(payload=payload, commitments=tuple(commitments))
        parts = [
            client.sign(key, handle, session=session, package=package, counter_token=None),
            sign_share(own, nonces, package),
        ]
        signature = aggregate(group, package, parts)
        transaction.signatures.append(
            Signature(public_key=group.ledger_key, signature=signature.hex())
        )
        ledger.send(transaction)
    recovery = resident.wallet.guard.state().recovery
    assert recovery is not None
    assert recovery.state == "open"


def test_no_share_and_no_password_is_in_a_log(agents: EscrowTown) -> None:
    secrets = [
        json.loads((agents.folder / name / "share.json").read_text())["secret"] for name in AGENTS
    ]
    for agent in agents.agents:
        told = json.dumps(agent.log)
        assert PASSWORD not in told
        assert not [secret for secret in secrets if secret in told]
