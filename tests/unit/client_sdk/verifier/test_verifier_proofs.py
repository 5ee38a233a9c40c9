"""A verifier that believes only what a ledger proves: the same verdicts, by one proof an answer."""

import pytest
from support.grant_world import RealRecords
from support.memory_ledger import MemoryLedger, named_key
from support.presentation_world import GATEWAY, HOLDER, ISSUER, LEDGER_ID, NOW_MS, World
from support.status_world import StatusWorld

from chaincode.protocol.proofs_pb2 import ProofRequest, ProofResponse
from client_sdk import errors
from client_sdk.credentials.token_status_list import Status
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.grants import new_record_id
from client_sdk.ledger.proofs import LedgerTrust
from client_sdk.ledger.proven_ledger import ProvenLedger
from client_sdk.verification.status_lists import StatusLists
from client_sdk.verifier import Verifier


class CountingClient:
    """A client that remembers how many entries each proof was asked for."""

    def __init__(self, client: LedgerClient) -> None:
        self._client = client
        self.asked: list[int] = []

    def prove(self, payload: ProofRequest.Payload) -> ProofResponse:
        self.asked.append(len(payload.entries))
        return self._client.prove(payload)


@pytest.fixture
def ledger() -> MemoryLedger:
    ledger = MemoryLedger.tegata(clock=lambda: NOW_MS)
    ledger.add_account(ISSUER, roles=("issuer",))
    ledger.add_account(GATEWAY, roles=("gateway",))
    ledger.add_account(HOLDER)
    return ledger


@pytest.fixture
def world(ledger: MemoryLedger) -> World:
    return World(ledger=RealRecords(ledger), holder=named_key(HOLDER))


@pytest.fixture
def client(ledger: MemoryLedger) -> CountingClient:
    return CountingClient(ledger.client(GATEWAY))


def verifier_of(
    ledger: MemoryLedger, client: CountingClient, status_lists: StatusLists | None = None
) -> Verifier:
    trust = LedgerTrust.from_genesis(ledger.blocks[0], ledger.ledger_id())
    proven = ProvenLedger(client, ledger.ledger_id(), trust=trust, now_ms=lambda: NOW_MS)
    return Verifier(
        proven,
        LEDGER_ID,
        gateway=GATEWAY,
        status_lists=status_lists,
        now_ms=lambda: NOW_MS,
    )


@pytest.fixture
def verifier(ledger: MemoryLedger, client: CountingClient) -> Verifier:
    return verifier_of(ledger, client)


def test_one_proof_is_enough_once_the_issuers_registration_is_known(
    world: World, verifier: Verifier, client: CountingClient
) -> None:
    for expected in ([4, 1], [5]):
        client.asked.clear()
        request = world.request("address")
        verified = verifier.verify(world.present(request), request)
        assert all(check.passed for check in verified.checks)
        assert client.asked == expected


def test_what_was_read_for_one_answer_is_not_believed_for_the_next(
    world: World, verifier: Verifier
) -> None:
    request = world.request("address")
    presentation = world.present(request)
    verifier.verify(presentation, request)
    world.anchor(world.credential, state="suspended")
    with pytest.raises(errors.RevokedError, match="suspended"):
        verifier.verify(presentation, request)
    world.anchor(world.credential, state="active")
    world.register(state="withdrawn")
    with pytest.raises(errors.IssuerNotTrustedError, match="withdrawn"):
        verifier.verify(presentation, request)


def test_another_registration_of_the_issuer_is_found(
    world: World, verifier: Verifier, client: CountingClient
) -> None:
    request = world.request("address")
    verifier.verify(world.present(request), request)
    world.registry_id, world.record_id = new_record_id(), new_record_id()
    world.register()
    credential = world.issue()
    client.asked.clear()
    request = world.request("address")
    verifier.verify(world.present(request, credential=credential), request)
    assert client.asked == [5, 1]


@pytest.mark.parametrize("account", ["nobody@holder", "nobody@nowhere", ISSUER])
def test_an_account_that_is_not_the_holders_is_no_holder(
    world: World, verifier: Verifier, account: str
) -> None:
    world.record_id = new_record_id()
    credential = world.issue(place={"account": account})
    request = world.request("address")
    with pytest.raises(errors.HolderKeyError):
        verifier.verify(world.present(request, credential=credential), request)


def test_a_grant_that_does_not_exist_is_none(world: World, verifier: Verifier) -> None:
    request = world.request("address")
    proof = world.grant(request)
    other = type(proof)(
        ledger=proof.ledger,
        account=proof.account,
        grant=new_record_id(),
        receipt_key=proof.receipt_key,
        opening=proof.opening,
    )
    with pytest.raises(errors.GrantError, match="no such grant"):
        verifier.verify(world.present(request, proof=other), request)


def test_what_may_not_be_read_is_told_in_its_turn(ledger: MemoryLedger, world: World) -> None:
    """Reading ahead fails for an account without the right; the checks before it are made."""
    ledger.add_account("stranger@holder")
    client = CountingClient(ledger.client("stranger@holder"))
    verifier = verifier_of(ledger, client)
    request = world.request("address")
    with pytest.raises(errors.NonceMismatchError):
        verifier.verify(world.present(request, nonce="another-nonce-than-this"), request)
    with pytest.raises(errors.QueryFailedError):
        verifier.verify(world.present(request), request)


def test_one_proof_is_enough_for_a_member_of_a_batch(
    ledger: MemoryLedger, client: CountingClient
) -> None:
    world = StatusWorld(ledger=RealRecords(ledger), holder=named_key(HOLDER))
    verifier = verifier_of(ledger, client, world.status_lists)
    for expected in ([5, 1], [6]):
        client.asked.clear()
        request = world.request("address")
        verified = verifier.verify(world.present(request), request)
        assert all(check.passed for check in verified.checks)
        assert client.asked == expected


def test_a_list_that_changes_meanwhile_is_read_again(
    ledger: MemoryLedger, client: CountingClient
) -> None:
    """It changes after the ledger was read, and before it is fetched."""
    world = StatusWorld(ledger=RealRecords(ledger), holder=named_key(HOLDER))

    def change() -> None:
        world.statuses[0] = Status.INVALID
        world.publish()

    world.before_fetch = change
    request = world.request("address")
    verifier = verifier_of(ledger, client, world.status_lists)
    assert verifier.report(world.present(request), request).accepted
    assert client.asked == [5, 1, 1]
