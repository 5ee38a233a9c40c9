"""The whole path with real processes: what each party sees, and each refusal with its reason."""

import sqlite3

import pytest
from support.story_town import CANARIES, ToldStory

from client_sdk.checks import CHECKS
from client_sdk.wallet import Wallet

# One worker tells the story, once.
pytestmark = pytest.mark.xdist_group("told")


def test_the_verifier_sees_the_address_and_nothing_else(told: ToldStory) -> None:
    (result,) = told.accepted
    assert result.attributes == {"address": CANARIES["address"]}


def test_the_verifier_learns_exactly_what_the_consent_screen_listed(told: ToldStory) -> None:
    pending = told.consents[0]
    (result,) = told.accepted
    listed = {str(share.path[0]): share.value for share in pending.shares}
    assert listed == result.attributes


def test_the_consent_screen_says_who_asks_and_why(told: ToldStory) -> None:
    pending = told.consents[0]
    assert pending.verifier_name == "Aoba Ward Office"
    assert pending.is_verified
    assert pending.offer is not None
    assert pending.offer.purpose == "Certificate of residence"


def test_every_check_is_named_and_passed(told: ToldStory) -> None:
    (result,) = told.accepted
    assert [check.name for check in result.checks] == [*CHECKS, "receipt"]
    assert all(check.passed for check in result.checks)


def test_what_was_seen_stands_beside_what_is_stored(told: ToldStory) -> None:
    titles = ("What the ward office sees", "All that the ledger stores")
    assert any(all(title in line for title in titles) for line in told.text.splitlines())


def test_each_refusal_has_its_own_reason(told: ToldStory) -> None:
    failed = [result.refusal for result in told.refused]
    assert [check.name if check else None for check in failed] == [
        "disclosures",  # a disclosure was changed
        "nonce",  # an answer was sent to another request
        "holder_binding",  # a stranger signed
        "grant",  # the holder revoked the grant
        "status",  # the city revoked the credential
    ]
    assert all(result.attributes == {} for result in told.refused)
    assert len({check.detail for check in failed if check}) == len(failed)


def test_the_grant_is_on_the_ledger_before_the_answer(told: ToldStory, wallet: Wallet) -> None:
    (entry,) = [entry for entry in told.entries if "commitment" in entry.fields]
    assert entry.creator == wallet.account.account_id
    assert entry.fields["state"] == "live"


def test_the_account_has_a_random_name(wallet: Wallet) -> None:
    name, _, domain = wallet.account.account_id.partition("@")
    assert domain == "holder"
    assert len(name) == 32
    assert not any(canary in name for canary in CANARIES.values())


def test_the_credential_number_is_never_an_individual_number(wallet: Wallet) -> None:
    (credential,) = wallet.credentials
    number = str(wallet.attributes(credential.record_id)["credential_number"])
    assert not number.replace("-", "").isdigit()


def test_the_issuer_keeps_no_attribute_after_issuance(told: ToldStory) -> None:
    database = told.town.folder / "issuer" / "issuer.db"
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        dump = "\n".join(connection.iterdump())
    assert "credential" in dump
    assert not any(canary in dump for canary in CANARIES.values())
