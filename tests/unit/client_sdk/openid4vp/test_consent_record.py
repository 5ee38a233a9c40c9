"""The record of a consent (ISO/IEC TS 27560:2023): both sides have it, and both verify it."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.grant_world import GrantWorld
from support.presentation_world import ATTRIBUTES, HOLDER, LEDGER_ID, World, key_of_account

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import generate_key, sign_compact
from client_sdk.errors import ConsentError
from client_sdk.openid4vp.consent_record import (
    CONSENT_TYP,
    ConsentRecord,
    sign_consent,
    verify_consent,
)
from client_sdk.openid4vp.signed_request import read_own_request, verify_request
from client_sdk.sealing.hpke import SealingKey

GRANT = "0123456789abcdef" * 2
KEY = generate_key()
SMALL = World()
(TERMS,) = SMALL.request("address").transaction_data
OTHER_TERMS = SMALL.request("address", "name").transaction_data[0]


def sign(**changes: Any) -> str:
    fields: dict[str, Any] = {
        "grant": GRANT,
        "account": HOLDER,
        "attributes": (("address",),),
        "holder_key": KEY,
        "given_at_s": 1_790_000_000,
        **changes,
    }
    return sign_consent(fields.pop("terms", TERMS), **fields)


def test_its_members_are_those_of_the_standard() -> None:
    claims = verify_consent(sign(), terms=TERMS).claims
    assert claims["schema_version"] == "ISO/IEC TS 27560:2023"
    assert claims["record_id"] == GRANT
    assert claims["pii_principal_id"] == HOLDER
    processing: Any = claims["pii_processing"]
    (purpose,) = processing["purposes"]
    assert purpose["purpose"] == "Residence certificate"
    assert purpose["purpose_type"].startswith("https://w3id.org/dpv#")
    assert purpose["lawful_basis"] == "https://w3id.org/dpv#Consent"
    assert purpose["pii_information"] == [{"pii_type": "address", "pii_optional": False}]
    assert purpose["withdrawal_method"].startswith(f"tg_grant_{GRANT}")
    parties: Any = claims["party_identification"]
    assert [party["party_role"].rpartition("#")[2] for party in parties] == [
        "DataController",
        "DataProcessor",
    ]
    events: Any = claims["event"]
    (event,) = events
    assert event["event_state"] == "https://w3id.org/dpv#ConsentGiven"
    assert event["event_time"] == "2026-09-21T14:13:20+00:00"


def test_it_is_for_these_terms_only() -> None:
    with pytest.raises(ConsentError, match="other terms"):
        verify_consent(sign(), terms=OTHER_TERMS)


def test_it_never_grants_more_than_was_asked_for() -> None:
    with pytest.raises(ConsentError, match="more than was asked"):
        sign(attributes=(("name",),))


@pytest.mark.parametrize("name", sorted(verify_consent(sign(), terms=TERMS).claims))
def test_a_member_that_is_changed_or_missing(name: str) -> None:
    genuine = verify_consent(sign(), terms=TERMS).claims
    header: JsonObject = {"typ": CONSENT_TYP, "jwk": {k: KEY[k] for k in ("kty", "crv", "x")}}
    without = {key: value for key, value in genuine.items() if key != name}
    for claims in (without, {**genuine, name: "other"}, {**genuine, "more": 1}):
        if name not in {"record_id", "pii_principal_id"} or claims.get(name) != "other":
            with pytest.raises(ConsentError):
                verify_consent(sign_compact(header, claims, KEY), terms=TERMS)


def test_another_signature() -> None:
    token = sign()
    head, _, signature = token.rpartition(".")
    flipped = "A" if signature[10] != "A" else "B"
    with pytest.raises(ConsentError):
        verify_consent(f"{head}.{signature[:10]}{flipped}{signature[11:]}", terms=TERMS)
    with pytest.raises(ConsentError, match="key of a ledger account"):
        verify_consent(sign(holder_key=generate_key("ES256")), terms=TERMS)


@given(token=st.text(max_size=60))
def test_any_text(token: str) -> None:
    with pytest.raises(ConsentError):
        verify_consent(token, terms=TERMS)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GrantWorld]:
    made = GrantWorld(tmp_path)
    yield made
    made.close()


def check_both_halves(world: GrantWorld, theirs: ConsentRecord) -> None:
    """Check what wallet and verifier hold of the newest grant."""
    grant = world.wallet.grants.made[-1]
    ours = world.wallet.grants.consent_record(grant.grant_id)
    assert ours == theirs
    assert (ours.grant, ours.account, ours.ledger) == (grant.grant_id, HOLDER, LEDGER_ID)
    assert ours.signatory == world.wallet.public_key
    assert str(ATTRIBUTES["address"]) not in str(ours.claims)
    # The verifier's half is its own signature over the terms.
    asked = verify_request(
        grant.request_object,
        expected_client_id=grant.terms.verifier,
        trust_anchors=world.gateway.world.authority.chain,
        now_s=world.now_ms // 1000,
    )
    assert asked.is_anchored
    assert verify_consent(ours.token, terms=asked.request.transaction_data[0]) == ours


def test_both_sides_have_it_of_one_look(world: GrantWorld) -> None:
    with world.verifier() as city:
        created = city.ask(["address"], purpose="Certificate of residence")
        world.consent(world.wallet.presentation.read_request(created.link))
        (record,) = city.result(created.request_id).consents
    check_both_halves(world, record)


def test_both_sides_have_it_of_a_standing_grant(world: GrantWorld) -> None:
    key = SealingKey.generate()
    with world.standing_client() as office:
        created = office.ask(
            ["address"], purpose="Notice", uses=3, days=30, deposit_key=key.public_bytes
        )
        world.consent(world.wallet.presentation.read_request(created.link))
        grant = world.wallet.grants.made[-1].grant_id
        found = office.look_up(grant, key, now_ms=lambda: world.now_ms)
    check_both_halves(world, found.consent)


def forge_standing_consent(world: GrantWorld, **changes: Any) -> ConsentRecord:
    """Let the gateway hand out another record of a consent than the holder signed."""
    key = SealingKey.generate()
    with world.standing_client() as office:
        created = office.ask(
            ["address"], purpose="Notice", uses=3, days=30, deposit_key=key.public_bytes
        )
        world.consent(world.wallet.presentation.read_request(created.link))
        grant = world.wallet.grants.made[-1]
        (terms,) = read_own_request(grant.request_object).transaction_data
        fields = {"grant": grant.grant_id, "holder_key": world.wallet._session.holder_key}
        forged = sign(terms=terms, **{**fields, **changes})
        with sqlite3.connect(world.folder / "gateway.db") as connection:
            connection.execute("UPDATE standing_grant SET consent = ?", (forged,))
        found = office.look_up(grant.grant_id, key, now_ms=lambda: world.now_ms)
    return found.consent


def test_a_gateway_cannot_make_up_the_holders_consent(world: GrantWorld) -> None:
    forge_standing_consent(world)
    with pytest.raises(ConsentError, match="not signed by a key of the account"):
        forge_standing_consent(world, holder_key=KEY)
    for change in ({"grant": GRANT}, {"account": "other@tegata"}):
        with pytest.raises(ConsentError, match="of another grant"):
            forge_standing_consent(world, **change)


def test_a_consent_that_no_key_of_the_account_signed_is_refused() -> None:
    small = World()
    request = small.request("address")
    proof = small.grant(request)
    for key, is_taken in ((key_of_account(small.holder), True), (KEY, False)):
        consent = sign(grant=proof.grant, holder_key=key, terms=request.transaction_data[0])
        shown = small.present(request, replace(proof, consent=consent))
        report = small.verifier.report(shown, request)
        assert report.accepted is is_taken
    (failed,) = [check for check in report.checks if check.passed is False]
    assert "the consent record is not signed by a key of the account" in failed.detail


def test_a_record_of_another_grant_is_refused(world: GrantWorld) -> None:
    with world.verifier() as city:
        created = city.ask(["address"], purpose="Certificate of residence")
        world.consent(world.wallet.presentation.read_request(created.link))
    grant = world.wallet.grants.made[-1]
    other = replace(grant, grant_id="f" * 32)
    session = world.wallet._session
    session.update(lambda contents: contents.with_grant(other))
    with pytest.raises(ConsentError):
        world.wallet.grants.consent_record("f" * 32)
    unsigned = replace(grant, request_object="")
    session.update(lambda contents: contents.with_grant(unsigned))
    with pytest.raises(ConsentError, match="did not sign"):
        world.wallet.grants.consent_record(grant.grant_id)
