"""Standing grants from end to end: wallet, gateway, verifier and ledger, all real."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from support.databases import dump_database
from support.grant_world import GrantWorld
from support.presentation_world import ATTRIBUTES, GATEWAY, HOLDER, ISSUER, LEDGER_ID

from chaincode.encoding import encode_base64url
from chaincode.records import CredentialRecord, GrantRecord
from client_sdk.checks import CHECKS
from client_sdk.credentials.jose import generate_key
from client_sdk.errors import (
    DepositError,
    ProofError,
    RequestError,
    RevokedError,
    ServiceRefusedError,
    TransportError,
)
from client_sdk.ledger.receipts import open_receipt, receipt_key
from client_sdk.openid4vp.grant_offer import GrantProof, parse_grant_offer
from client_sdk.openid4vp.standing import Deposit, build_deposit
from client_sdk.sealing.hpke import SealingKey
from client_sdk.verifier.standing_client import LookedUp, ReceiptReader, StandingClient
from node.gateway.app import build_standing

KEY = SealingKey(bytes(range(32)))
DAY_MS = 86_400_000
PURPOSE = "Yearly tax notice"


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[GrantWorld]:
    made = GrantWorld(tmp_path, changes={"database_url": database_url})
    yield made
    made.close()


@pytest.fixture
def tax_office(world: GrantWorld) -> Iterator[StandingClient]:
    with world.standing_client() as client:
        yield client


def make_grant(world: GrantWorld, office: StandingClient, *, uses: int = 3, days: int = 365) -> str:
    """Ask for a standing grant of the address, let the holder make it, and return its id."""
    created = office.ask(
        ["address"], purpose=PURPOSE, uses=uses, days=days, deposit_key=KEY.public_bytes
    )
    answer = world.consent(world.wallet.presentation.read_request(created.link))
    status = office.status(created.request_id)
    assert status.state == "live"
    assert status.grant == answer.grant_ids[0]
    return str(status.grant)


def look(world: GrantWorld, office: StandingClient, grant: str, **options: Any) -> LookedUp:
    return office.look_up(grant, KEY, now_ms=lambda: world.now_ms, **options)


def refused(world: GrantWorld, office: StandingClient, grant: str) -> str:
    """Return the code of the gateway's refusal; nothing may be handed out."""
    with pytest.raises(ServiceRefusedError) as caught:
        look(world, office, grant)
    return caught.value.code


def test_the_verifier_looks_as_often_as_was_granted(
    world: GrantWorld, tax_office: StandingClient
) -> None:
    grant = make_grant(world, tax_office, uses=2)
    for use in (1, 2):
        found = look(world, tax_office, grant)
        assert (found.use, found.attributes) == (use, {"address": ATTRIBUTES["address"]})
        assert [check.name for check in found.checks] == [*CHECKS, "receipt"]
        assert all(check.passed for check in found.checks)
        world.wait(DAY_MS // 4)
    assert refused(world, tax_office, grant) == "grant_over"
    assert [use for _, use, _ in world.receipts()] == [1, 2]


def test_nothing_is_seen_before_the_first_look(
    world: GrantWorld, tax_office: StandingClient
) -> None:
    make_grant(world, tax_office)
    assert world.wallet.history() == ()


def test_the_holder_reads_each_look(world: GrantWorld, tax_office: StandingClient) -> None:
    grant = make_grant(world, tax_office)
    look(world, tax_office, grant)
    world.wait(3_600_000)
    look(world, tax_office, grant)
    entries = world.wallet.history()
    assert [(entry.use, entry.purpose, entry.finding) for entry in entries] == [
        (1, PURPOSE, None),
        (2, PURPOSE, None),
    ]
    assert entries[1].at_ms == world.now_ms


def test_the_receipt_is_there_before_anything_is_handed_out(
    world: GrantWorld, tax_office: StandingClient
) -> None:
    grant = make_grant(world, tax_office)
    world.ledger.reachable = False
    with pytest.raises((TransportError, ServiceRefusedError)):
        look(world, tax_office, grant)
    world.ledger.reachable = True
    assert world.receipts() == []
    assert look(world, tax_office, grant).use in (1, 2)


def test_after_revocation_nothing_more_is_handed_out(
    world: GrantWorld, tax_office: StandingClient
) -> None:
    grant = make_grant(world, tax_office)
    access = "1" * 32
    look(world, tax_office, grant, access_id=access)
    world.wallet.grants.revoke(grant)
    # Neither a new access nor one whose receipt was written before.
    with pytest.raises(ServiceRefusedError, match="revoked"):
        look(world, tax_office, grant, access_id=access)
    assert refused(world, tax_office, grant) == "grant_over"
    assert len(world.receipts()) == 1
    stored = world.standing_store.find_grant("city", grant)
    assert stored is not None
    assert stored.sealed is None


def test_after_its_end_nothing_more_is_handed_out(
    world: GrantWorld, tax_office: StandingClient
) -> None:
    grant = make_grant(world, tax_office, days=1)
    world.wait(DAY_MS)
    assert refused(world, tax_office, grant) == "grant_over"
    world.standing.grants.tend()
    stored = world.standing_store.find_grant("city", grant)
    assert stored is not None
    assert (stored.sealed, stored.state) == (None, "ended")
    world.wait(2 * DAY_MS)
    world.standing.grants.tend()
    assert world.standing_store.find_grant("city", grant) is None


def test_asking_again_for_a_lost_answer_is_the_same_access(
    world: GrantWorld, tax_office: StandingClient
) -> None:
    grant = make_grant(world, tax_office)
    access = "2" * 32
    line = world.lines[-1]
    line.is_cut = True
    with pytest.raises(TransportError):
        look(world, tax_office, grant, access_id=access)
    line.is_cut = False
    assert look(world, tax_office, grant, access_id=access).use == 1
    assert len(world.receipts()) == 1


def test_a_gateway_that_lost_its_store_of_accesses_goes_on_counting(
    world: GrantWorld, tax_office: StandingClient
) -> None:
    grant = make_grant(world, tax_office)
    look(world, tax_office, grant, access_id="3" * 32)
    world.standing_store.drop_access("3" * 32)
    assert look(world, tax_office, grant).use == 2


def test_an_access_id_belongs_to_one_grant(world: GrantWorld, tax_office: StandingClient) -> None:
    first, second = make_grant(world, tax_office), make_grant(world, tax_office)
    look(world, tax_office, first, access_id="4" * 32)
    with pytest.raises(ServiceRefusedError) as caught:
        look(world, tax_office, second, access_id="4" * 32)
    assert caught.value.code == "access_id_used"


def test_another_verifier_gets_nothing(world: GrantWorld, tax_office: StandingClient) -> None:
    grant = make_grant(world, tax_office)
    with world.standing_client("bank") as bank:
        assert refused(world, bank, grant) == "unknown_grant"
        assert bank.grants() == ()
    (listed,) = tax_office.grants()
    assert (listed.grant, listed.used, listed.uses) == (grant, 0, 3)


def test_the_gateway_cannot_read_what_it_holds(
    world: GrantWorld, tax_office: StandingClient, capsys: pytest.CaptureFixture[str]
) -> None:
    grant = make_grant(world, tax_office)
    look(world, tax_office, grant)
    dump = dump_database(world.gateway.config.database_url)
    assert grant in dump
    logs = capsys.readouterr().out
    for value in ATTRIBUTES.values():
        for form in (str(value), encode_base64url(str(value).encode())):
            assert form not in dump
            assert form not in logs
    stored = world.standing_store.find_grant("city", grant)
    assert stored is not None
    sealed = Deposit(sealed=str(stored.sealed), statement="")
    ((_, _, record),) = world.receipts()
    secret = world.wallet._session.contents.receipt_secret
    access = open_receipt(
        record,
        receipt_key(secret, grant),
        ledger=LEDGER_ID,
        account=HOLDER,
        grant=grant,
        use=1,
    )
    assert access.shown == sealed.digest


def test_only_the_verifiers_key_opens_it(world: GrantWorld, tax_office: StandingClient) -> None:
    grant = make_grant(world, tax_office)
    with pytest.raises(DepositError, match="another key"):
        tax_office.look_up(grant, SealingKey(bytes(32)), now_ms=lambda: world.now_ms)


def test_the_issuer_can_still_revoke_the_credential(
    world: GrantWorld, tax_office: StandingClient
) -> None:
    grant = make_grant(world, tax_office)
    small = world.gateway.world
    record = world.ledger.client(GATEWAY).record(ISSUER, small.record_id, CredentialRecord)
    assert record is not None
    small.ledger.put(ISSUER, small.record_id, replace(record, state="revoked"))
    with pytest.raises(RevokedError):
        look(world, tax_office, grant)


def test_the_holder_declines(world: GrantWorld, tax_office: StandingClient) -> None:
    created = tax_office.ask(
        ["address"], purpose=PURPOSE, uses=1, days=1, deposit_key=KEY.public_bytes
    )
    world.wallet.presentation.decline(world.wallet.presentation.read_request(created.link))
    assert tax_office.status(created.request_id).state == "declined"
    assert world.wallet.grants.made == ()


def test_a_request_ends(world: GrantWorld, tax_office: StandingClient) -> None:
    created = tax_office.ask(
        ["address"], purpose=PURPOSE, uses=1, days=1, deposit_key=KEY.public_bytes
    )
    pending = world.wallet.presentation.read_request(created.link)
    world.wait(301_000)
    assert tax_office.status(created.request_id).state == "expired"
    with pytest.raises(RequestError):
        world.wallet.presentation.read_request(created.link)
    with pytest.raises(RequestError):
        world.consent(pending)


def test_a_request_takes_one_deposit(world: GrantWorld, tax_office: StandingClient) -> None:
    created = tax_office.ask(
        ["address"], purpose=PURPOSE, uses=1, days=1, deposit_key=KEY.public_bytes
    )
    pending = world.wallet.presentation.read_request(created.link)
    world.consent(pending)
    with pytest.raises(RequestError):
        world.consent(pending)


class TestTheDeposit:
    """What is not the holder's, or not for this request, is not kept."""

    @pytest.fixture
    def form(self, world: GrantWorld, tax_office: StandingClient) -> dict[str, str]:
        """Return a genuine deposit, kept back on its way."""
        created = tax_office.ask(
            ["address"], purpose=PURPOSE, uses=1, days=1, deposit_key=KEY.public_bytes
        )
        self.path = f"/standing/deposits/{created.request_id}"
        pending = world.wallet.presentation.read_request(created.link)
        self.request = pending.request.request
        world.wallet_line.kept = []
        with pytest.raises(TransportError):
            world.consent(pending)
        (body,) = world.wallet_line.kept
        world.wallet_line.kept = None
        return body

    def post(self, world: GrantWorld, form: dict[str, str]) -> int:
        status: int = world.app.test_client().post(self.path, data=form).status_code
        return status

    def test_the_genuine_one_is_kept(self, world: GrantWorld, form: dict[str, str]) -> None:
        assert self.post(world, form) == 200
        assert self.post(world, form) == 400

    @pytest.mark.parametrize("name", ["deposit", "statement", "state"])
    def test_a_missing_field(self, world: GrantWorld, form: dict[str, str], name: str) -> None:
        del form[name]
        assert self.post(world, form) == 400

    @pytest.mark.parametrize("name", ["deposit", "statement", "state"])
    def test_a_changed_field(self, world: GrantWorld, form: dict[str, str], name: str) -> None:
        text = form[name]
        form[name] = text[:10] + ("A" if text[10] != "A" else "B") + text[11:]
        assert self.post(world, form) == 400

    def test_a_stranger_who_signs_for_the_account(
        self, world: GrantWorld, form: dict[str, str]
    ) -> None:
        request = self.request
        proof = GrantProof(
            ledger=LEDGER_ID,
            account=HOLDER,
            grant=world.wallet.grants.made[-1].grant_id,
            receipt_key=KEY.public_bytes,
            opening="A" * 22,
        )
        forged = build_deposit(
            "not the holder's",
            offer=parse_grant_offer(request.transaction_data[0]),
            proof=proof,
            request=request,
            holder_key=generate_key(),
            issued_at=world.now_ms // 1000,
        )
        assert self.post(world, forged.to_form(state=request.state)) == 400
        # The holder's own is still taken.
        assert self.post(world, form) == 200

    def test_a_grant_that_is_revoked_meanwhile(
        self, world: GrantWorld, form: dict[str, str]
    ) -> None:
        world.wallet.grants.revoke(world.wallet.grants.made[-1].grant_id)
        assert self.post(world, form) == 400

    def test_a_statement_of_another_time(self, world: GrantWorld, form: dict[str, str]) -> None:
        world.wait(-120_000)
        assert self.post(world, form) == 400

    def test_what_is_no_deposit(self, world: GrantWorld, form: dict[str, str]) -> None:
        for changes in ({"deposit": "é"}, {"deposit": ""}, {"statement": "a.b.c"}):
            assert self.post(world, {**form, **changes}) == 400


def test_where_the_ledger_must_be_proven_nothing_else_is_believed(
    world: GrantWorld, tax_office: StandingClient
) -> None:
    class Unproven:
        def record(self, *_place: object, **_options: object) -> None:
            raise ProofError("the node proves nothing")

        signatories = record

    grant = make_grant(world, tax_office)
    standing = build_standing(
        world.gateway.config,
        store=world.standing_store,
        ledger=world.ledger.client(GATEWAY),
        reader=cast(ReceiptReader, Unproven()),
        now_ms=lambda: world.now_ms,
    )
    with pytest.raises(ProofError):
        standing.grants.access("city", grant, "a" * 32)
    assert world.receipts() == []


def test_the_ledger_counts_what_a_gateway_does_not(
    world: GrantWorld, tax_office: StandingClient
) -> None:
    """A gateway that skips its own checks still cannot write a receipt after revocation."""
    grant = make_grant(world, tax_office)
    world.wallet.grants.revoke(grant)
    record = world.ledger.client(GATEWAY).record(HOLDER, grant, GrantRecord)
    assert record is not None
    assert record.state == "revoked"
    assert refused(world, tax_office, grant) == "grant_over"
    assert world.receipts() == []


def test_records_are_read_through_the_gateway(
    world: GrantWorld, tax_office: StandingClient
) -> None:
    assert tax_office.read_record(HOLDER, "tg_grant_" + "0" * 32, writer=HOLDER) is None
    assert tax_office.read_record("nobody@nowhere", "tg_guard", writer=HOLDER) is None
    assert tax_office.read_signatories("nobody@nowhere") == frozenset()
    keys = tax_office.read_signatories(HOLDER)
    assert keys == {world.wallet.public_key}
    for key in ("note", "tg_", "tg_x/../y"):
        with pytest.raises(ServiceRefusedError):
            tax_office.read_record(HOLDER, key, writer=HOLDER)
    with pytest.raises(ServiceRefusedError):
        tax_office.read_signatories("no account")


def test_two_deposits_of_the_same_are_sealed_differently(
    world: GrantWorld, tax_office: StandingClient
) -> None:
    grants = [make_grant(world, tax_office) for _ in range(2)]
    sealed = {str(world.standing_store.find_grant("city", g).sealed) for g in grants}  # type: ignore[union-attr]
    assert len({hashlib.sha256(text.encode()).digest() for text in sealed}) == 2
