"""Three agents as processes, threshold two: what is lost comes back, and nobody else gets it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
from support.escrow_town import EscrowAgent, EscrowTown
from support.processes import wait_until

from chaincode.encoding import JsonObject, encode_base64url
from client_sdk.credentials.jose import thumbprint
from client_sdk.errors import (
    ServiceRefusedError,
    TooFewAgentsError,
    TransportError,
    WrongPasswordError,
)
from client_sdk.escrow.access_log import verify_head, verify_log
from client_sdk.escrow.agent_client import AgentClient, SealedBackup
from client_sdk.escrow.agent_set import guesses_bound
from client_sdk.escrow.backup import derive_keys, oprf_input
from client_sdk.escrow.deposit_statement import DepositStatement
from client_sdk.escrow.protection import Protection, protect, update_backup
from client_sdk.escrow.recovery import recover
from client_sdk.escrow.recovery_card import RecoveryCard
from client_sdk.http.client import HttpClient
from client_sdk.sealing.vault import CHEAPEST
from client_sdk.threshold_oprf import (
    Evaluation,
    KeyShare,
    blind,
    combine,
    evaluate,
    public_share,
)
from client_sdk.threshold_oprf.ristretto255 import (
    Scalar,
    multiply,
    scalar_invert,
    scalar_of,
    scalar_subtract,
)
from client_sdk.threshold_oprf.voprf import finalize
from node.cli.demo.free_ports import free_addresses
from node.escrow.sealing import StoreSealer, share_place
from node.escrow.store import EscrowStore, StoredDeposit
from node.ledger.daemon import now_ms

pytestmark = pytest.mark.xdist_group("escrow")

PASSWORD = "canary-Password-4821-tsubaki"
CONTENTS: JsonObject = {"credentials": ["canary-credential-3f70"], "grants": []}
KILLS = 15 if os.environ.get("TEGATA_SOAK") else 4


@pytest.fixture
def http() -> Iterator[HttpClient]:
    client = HttpClient(timeout_s=30)
    yield client
    client.close()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EscrowTown]:
    settings = "[guessing]\nfirst_delay_seconds = 3600\n"
    with EscrowTown(tmp_path_factory.mktemp("agents"), settings=settings) as town:
        yield town


def _protect(town: EscrowTown, http: HttpClient) -> tuple[RecoveryCard, Protection]:
    return protect(
        CONTENTS, town.urls, PASSWORD, threshold=2, http=http, now_ms=now_ms, kdf=CHEAPEST
    )


def test_any_one_agent_may_be_lost_and_two_are_too_many(town: EscrowTown, http: HttpClient) -> None:
    card, protection = _protect(town, http)
    protection, findings = update_backup(protection, {"phone": "old"}, http=http)
    assert findings == ()
    for lost in town.agents:
        lost.stop()
        recovered = recover(card, PASSWORD, http=http)
        assert recovered.contents == {"phone": "old"}
        assert [(item.url, item.fault) for item in recovered.findings] == [
            (lost.url, "unreachable")
        ]
        lost.start()
    for lost in town.agents[:2]:
        lost.kill()
    with pytest.raises(TooFewAgentsError) as refused:
        recover(card, PASSWORD, http=http)
    assert "2 agents are needed and 1 did their part" in str(refused.value)
    assert all(f"{lost.url} cannot be reached" in str(refused.value) for lost in town.agents[:2])
    for lost in town.agents[:2]:
        lost.start()
    assert recover(card, PASSWORD, http=http).contents == {"phone": "old"}


def test_guessing_at_full_speed_gets_what_the_policy_gives(
    town: EscrowTown, http: HttpClient
) -> None:
    card, protection = _protect(town, http)
    blinded = blind(oprf_input(handle=card.handle, agent_set=card.agent_set, secret="guess"))
    given: list[str] = []
    refused: list[str] = []

    def guess(url: str) -> None:
        agent = AgentClient(url, http)
        for _ in range(15):
            try:
                agent.evaluate(
                    card.key,
                    card.handle,
                    epoch=protection.epoch,
                    blinded_element=blinded.element,
                )
                given.append(url)
            except ServiceRefusedError as error:
                refused.append(error.code)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(guess, town.urls * 4))
    # Two at once from each agent, and then an hour passes until the next.
    assert sorted(given) == sorted(town.urls * 2)
    assert set(refused) == {"too_early"}
    assert len(given) // 2 <= guesses_bound(agents=3, threshold=2, budget=2)


class Store:
    """What a thief has who took an agent's folder: store, key and all."""

    def __init__(self, agent: EscrowAgent, handle: str) -> None:
        store = EscrowStore(f"sqlite:///{agent.database}")
        try:
            deposit: StoredDeposit = store.change(
                handle, lambda transaction: transaction.deposits()[0]
            )
        finally:
            store.close()
        self.terms: DepositStatement = deposit.terms
        self.index = self.terms.agents.index_of(thumbprint(agent.key))
        assert deposit.sealed_share is not None
        self.sealed_share = deposit.sealed_share
        place = share_place(handle, deposit.epoch, self.index)
        self.share = StoreSealer(agent.key).open(deposit.sealed_share, place=place)

    @property
    def key_share(self) -> KeyShare:
        return KeyShare(index=self.index, secret=Scalar(self.share))

    def opens(self, output: bytes) -> bool:
        """Tell whether an output of the OPRF is the right one: all that a thief can compare."""
        keys = derive_keys(
            output, handle=self.terms.handle, agent_set=self.terms.agents.id, kdf=self.terms.kdf
        )
        return thumbprint(keys.success_key) == self.terms.success_key


def test_the_store_of_fewer_agents_than_needed_tests_no_guess_by_itself(
    town: EscrowTown, http: HttpClient
) -> None:
    card, protection = _protect(town, http)
    stolen = Store(town.agents[0], card.handle)
    terms = stolen.terms
    guesses = ["Password-1234-sakura", PASSWORD, "Another-9999-momiji"]
    inputs = [
        blind(oprf_input(handle=card.handle, agent_set=card.agent_set, secret=guess))
        for guess in guesses
    ]

    # Offline: what the stolen share makes of any guess, the right one too, opens nothing.
    secret = Scalar(stolen.share)
    for blinded in inputs:
        for scalar in (
            secret,
            scalar_invert(secret),
            scalar_subtract(scalar_of(2), secret),
        ):
            assert not stolen.opens(finalize(blinded, multiply(scalar, blinded.element)))

    # Online: one answer of one more agent tests one guess, and no other.
    own = [
        evaluate(stolen.key_share, public_share(terms.commitments, stolen.index), blinded.element)
        for blinded in inputs
    ]
    second = AgentClient(town.urls[1], http)
    answers: list[Evaluation] = []
    for blinded in inputs[:2]:
        answer, _ = second.evaluate(
            card.key, card.handle, epoch=protection.epoch, blinded_element=blinded.element
        )
        answers.append(answer)
    outputs = [
        combine(blinded, [mine, theirs], terms.commitments).value
        for blinded, mine, theirs in zip(inputs[:2], own[:2], answers, strict=True)
    ]
    assert [stolen.opens(output) for output in outputs] == [False, True]
    with pytest.raises(ServiceRefusedError) as refused:
        second.evaluate(
            card.key, card.handle, epoch=protection.epoch, blinded_element=inputs[2].element
        )
    assert refused.value.code == "too_early"
    for answer in answers:
        with pytest.raises(Exception, match="2 are needed"):
            combine(inputs[2], [own[2], answer], terms.commitments)


class Caller:
    """Asks an agent for evaluations and leaves backups with it, until it dies."""

    def __init__(self, url: str, card: RecoveryCard, protection: Protection) -> None:
        self.url, self.card, self.protection = url, card, protection
        self.blinded = blind(
            oprf_input(handle=card.handle, agent_set=card.agent_set, secret="guess")
        )
        self.answered = 0
        self.stored = protection.version
        self.is_answered = threading.Event()

    def guess(self) -> None:
        with suppress(TransportError), closing(HttpClient(timeout_s=10)) as http:
            for _ in range(5):
                AgentClient(self.url, http).evaluate(
                    self.card.key,
                    self.card.handle,
                    epoch=self.protection.epoch,
                    blinded_element=self.blinded.element,
                )
                self.answered += 1
                self.is_answered.set()

    def store(self) -> None:
        with suppress(TransportError), closing(HttpClient(timeout_s=10)) as http:
            for number in range(self.stored + 1, self.stored + 6):
                AgentClient(self.url, http).store_backup(
                    self.protection.secret.owner_key,
                    self.card.handle,
                    epoch=self.protection.epoch,
                    backup=SealedBackup(version=number, sealed=b"%d" % number),
                )
                self.stored = number

    def call_until(self, kill: Callable[[], None]) -> None:
        self.is_answered.clear()
        with ThreadPoolExecutor(2) as pool:
            calls = [pool.submit(self.guess), pool.submit(self.store)]
            assert self.is_answered.wait(60)
            kill()
        for call in calls:
            call.result()


def test_a_killed_agent_forgets_no_attempt_and_no_backup(tmp_path: Path, http: HttpClient) -> None:
    settings = "[guessing]\nbudget = 100\nunaided = 100\nprompt = 100\n"
    (address,) = free_addresses(1)
    agent = EscrowAgent(tmp_path / "agent", address, settings=settings)
    agent.start(is_measured=False)
    card, protection = protect(
        CONTENTS, [agent.url], PASSWORD, threshold=1, http=http, now_ms=now_ms, kdf=CHEAPEST
    )
    client, caller = AgentClient(agent.url, http), Caller(agent.url, card, protection)
    for _ in range(KILLS):
        caller.call_until(agent.kill)
        agent.start(is_measured=False)
        status = client.status(card.key, card.handle)
        # What was answered is counted; what was counted at the kill may have had no answer.
        assert 100 - status.attempts_left >= caller.answered
        assert status.deposits[0].backup_version >= caller.stored
        caller.answered = 100 - status.attempts_left
        caller.stored = status.deposits[0].backup_version
    entries, token = client.log(card.key, card.handle)
    verify_log(entries, verify_head(token, expected_handle=card.handle))
    assert [entry.event for entry in entries].count("evaluated") == caller.answered
    agent.stop()


def _read_all(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def test_no_secret_is_in_a_store_a_log_or_a_process_listing(
    town: EscrowTown, http: HttpClient
) -> None:
    card, protection = _protect(town, http)
    with pytest.raises(WrongPasswordError):
        recover(card, "canary-Wrong-7777", http=http)
    recovered = recover(card, PASSWORD, http=http)
    shares = [Store(agent, card.handle) for agent in town.agents]
    secrets = [
        PASSWORD.encode(),
        b"canary-Wrong-7777",
        b"canary-credential-3f70",
        card.secret,
        encode_base64url(card.secret).encode(),
        protection.secret.value,
        encode_base64url(recovered.protection.secret.value).encode(),
        protection.secret.backup_key,
        *(stolen.share for stolen in shares),
        *(encode_base64url(stolen.share).encode() for stolen in shares),
        *(stolen.share.hex().encode() for stolen in shares),
    ]
    listings = [Path(f"/proc/{agent.pid}/cmdline").read_bytes() for agent in town.agents]
    logs = repr([agent.log for agent in town.agents]).encode()
    assert b"evaluated" in logs
    kept = _read_all(town.folder)
    assert shares[0].sealed_share in kept
    for secret in secrets:
        assert secret not in kept
        assert secret not in logs
        assert all(secret not in listing for listing in listings)


def test_a_withdrawn_share_is_overwritten_on_disk(town: EscrowTown, http: HttpClient) -> None:
    card, protection = _protect(town, http)
    sealed = [Store(agent, card.handle).sealed_share for agent in town.agents]
    assert all(
        share in _read_all(agent.folder) for share, agent in zip(sealed, town.agents, strict=True)
    )
    # Whoever knows the password withdraws at once.
    terms = Store(town.agents[0], card.handle).terms
    blinded = blind(oprf_input(handle=card.handle, agent_set=card.agent_set, secret=PASSWORD))
    answers = [
        AgentClient(url, http).evaluate(
            card.key, card.handle, epoch=protection.epoch, blinded_element=blinded.element
        )[0]
        for url in town.urls[:2]
    ]
    output = combine(blinded, answers, terms.commitments).value
    keys = derive_keys(output, handle=card.handle, agent_set=card.agent_set, kdf=CHEAPEST)
    for agent, share in zip(town.agents, sealed, strict=True):
        AgentClient(agent.url, http).withdraw(keys.success_key, card.handle)
        assert share not in _read_all(agent.folder)


def test_the_password_is_in_no_process_listing(town: EscrowTown, tmp_path: Path) -> None:
    wallet, page = tmp_path / "wallet", tmp_path / "card.html"
    secrets = {"TEGATA_PASSPHRASE": "a passphrase", "TEGATA_RECOVERY_PASSWORD": PASSWORD}
    command = [sys.executable, "-m", "node.cli.main", "wallet"]
    environment = {**os.environ, **secrets}
    agents = [part for url in town.urls for part in ("--agent", url)]
    subprocess.run([*command, "create", wallet], check=True, env=environment, capture_output=True)
    # It waits for this agent, and so cannot end before it is looked at.
    held = town.agents[0].pid
    os.kill(held, signal.SIGSTOP)
    try:
        process = subprocess.Popen(
            [*command, "protect", wallet, *agents, "--card", page],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        place = Path(f"/proc/{process.pid}/cmdline")
        # Right after its start there is nothing yet.
        wait_until(lambda: b"protect" in place.read_bytes(), "the process in the listing")
        listing = place.read_bytes()
    finally:
        os.kill(held, signal.SIGCONT)
    out, err = process.communicate()
    assert process.returncode == 0, err
    for secret in secrets.values():
        assert secret.encode() not in listing + out + err
