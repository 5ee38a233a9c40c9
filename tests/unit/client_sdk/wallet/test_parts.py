"""Parts of a wallet: two colluding verifiers and the gateway's log cannot know a holder again."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.grant_world import GrantWorld
from support.memory_ledger import named_key
from support.presentation_world import GATEWAY, ISSUER, LEDGER_ID, RESIDENT, key_of_account

from chaincode.encoding import JsonValue, decode_base64url
from client_sdk.credentials.jose import parse_compact
from client_sdk.credentials.sd_jwt import parse_sd_jwt
from client_sdk.errors import RequestError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import add_signatory
from client_sdk.ledger.grants import new_record_id
from client_sdk.wallet import Wallet
from client_sdk.wallet.records import LedgerAccount, StoredCredential

# What presentations of different holders share as well: it tells nobody from another. The times are
# those of the credential's issuance; docs/grants.md says what they tell.
SHARED_BY_ALL = {
    "alg", "typ", "kid", "iss", "vct", "issuer", "credential_type", "_sd_alg", "kty", "crv",
    "ledger", "iat", "exp", "transaction_data_hashes_alg", "schema_version",
    "lawful_basis", "party_role", "event_type", "event_state", "collection_method", "gateway",
    "purpose_type", "purpose_term", "pii_optional", "uses", "query_id", "passed", "name", "detail",
    "status", "type", "credential_ids",
}  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GrantWorld]:
    made = GrantWorld(tmp_path)
    yield made
    made.close()


def enrol(world: GrantWorld, verifier: str, name: str) -> Wallet:
    """Give a verifier its part of the wallet: an account, and a credential of its own."""
    profile = world.gateway.presentations._profiles[verifier]
    client_id = profile.identify("https://gateway.example/response").client_id
    part = world.wallet.part_for(client_id)
    session = part._session
    account = f"{name}@holder"
    key = AccountKey(session.contents.seed)
    world.ledger.add_account(account)
    world.ledger.keys[account] = named_key(account)
    assert world.ledger.submit(account, add_signatory(account, key.public_key)).code == 0
    small = world.gateway.world
    small.record_id = new_record_id()
    text = small.issue(
        place={"account": account, "record": small.record_id}, holder_key=key_of_account(key)
    )
    credential = StoredCredential(
        record_id=small.record_id,
        credential_type=RESIDENT,
        issuer=ISSUER,
        expires_at_ms=small.now_ms + 86_400_000,
        text=text,
    )
    session.update(
        lambda contents: replace(
            contents,
            account=LedgerAccount(
                account_id=account,
                ledger_id=LEDGER_ID,
                torii="memory.invalid:1",
                registered_by=ISSUER,
                issuer_url="https://issuer.example",
            ),
            credentials={credential.record_id: credential},
        )
    )
    session._ledger = world.ledger.client(account, key)
    return part


def leaves(value: JsonValue, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield every value with the name that it stands under; numbers and flags as text."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from leaves(member, key)
    elif isinstance(value, list):
        for element in value:
            yield from leaves(element, name)
    elif value is not None:
        yield name, str(value)


def seen_by(world: GrantWorld, verifier: str, attribute: str) -> set[tuple[str, str]]:
    """Let a verifier ask; return all that it and its gateway get to see, down to each value."""
    reports: list[str] = []
    checker = world.gateway.presentations._verifier
    genuine = checker.report

    def report(answer: Any, request: Any) -> Any:
        reports.extend(text for texts in answer.values() for text in texts)
        return genuine(answer, request)

    checker.report = report  # type: ignore[method-assign]
    with world.verifier(verifier) as office:
        created = office.ask([attribute], purpose=f"purpose of {verifier}")
        world.consent(world.wallet.presentation.read_request(created.link))
        result = office.result(created.request_id)
        assert result.state == "accepted"
    checker.report = genuine  # type: ignore[method-assign]
    (presentation,) = reports
    sd_jwt = parse_sd_jwt(presentation)
    found: set[tuple[str, str]] = set()
    (record,) = result.consents
    for token in (sd_jwt.issuer_jwt, str(sd_jwt.key_binding_jwt), record.token):
        parsed = parse_compact(token)
        found |= set(leaves(parsed.unverified_header)) | set(leaves(parsed.unverified_payload))
        found.add(("signature", token.rpartition(".")[2]))
    for disclosure in presentation.split("~")[1:-1]:
        found |= set(leaves(json.loads(decode_base64url(disclosure)), "disclosure"))
    found |= set(leaves(result.attributes, "attributes"))
    return found


def test_two_verifiers_and_the_gateways_log_have_nothing_in_common(
    world: GrantWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    enrol(world, "city", "k4f2q")
    enrol(world, "bank", "z9t7w")
    capsys.readouterr()
    city = seen_by(world, "city", "address")
    city_log = capsys.readouterr().out
    world.wait(61_000)
    bank = seen_by(world, "bank", "birth_date")
    bank_log = capsys.readouterr().out
    common = {(name, value) for name, value in city & bank if name not in SHARED_BY_ALL}
    # The gateway and the issuer are parties of both; the ledger is the same.
    assert {value for _, value in common} <= {GATEWAY, ISSUER, LEDGER_ID}, common
    # Not even under another name, and not in what the gateway logged.
    known = {value for name, value in city if name not in SHARED_BY_ALL and len(value) > 8}
    known -= {GATEWAY, ISSUER, LEDGER_ID}
    assert not known & {value for _, value in bank}
    assert not any(value in bank_log for value in known)
    assert not any(value in city_log for _, value in bank if len(value) > 20 and value in known)


def test_without_parts_they_could(world: GrantWorld) -> None:
    """The same two verifiers, met with the wallet itself: account, key and credential tell all."""
    city = seen_by(world, "city", "address")
    bank = seen_by(world, "bank", "birth_date")
    common = {name for name, _ in city & bank if name not in SHARED_BY_ALL}
    assert {"account", "record", "x", "signature", "pii_principal_id"} <= common


def test_the_ledger_does_not_tie_the_accounts_together(world: GrantWorld) -> None:
    enrol(world, "city", "k4f2q")
    enrol(world, "bank", "z9t7w")
    seen_by(world, "city", "address")
    seen_by(world, "bank", "birth_date")
    details = [
        world.ledger.client(GATEWAY).details_by_writer(f"{name}@holder")
        for name in ("k4f2q", "z9t7w")
    ]
    first, second = ({value for w in found.values() for value in w.values()} for found in details)
    assert first
    assert second
    assert not first & second


def test_the_wallet_answers_with_the_part_by_itself(world: GrantWorld) -> None:
    part = enrol(world, "city", "k4f2q")
    seen_by(world, "city", "address")
    seen_by(world, "bank", "birth_date")
    (of_part,) = part.grants.made
    assert len(world.wallet.grants.made) == 2
    assert [entry.finding for entry in world.wallet.history()] == [None, None]
    assert world.wallet.grants.consent_record(of_part.grant_id).account == "k4f2q@holder"
    world.wallet.grants.revoke(of_part.grant_id)
    assert part.grants.state(of_part.grant_id).state == "revoked"


def test_a_part_that_has_nothing_to_show_yet_is_not_met(world: GrantWorld) -> None:
    with world.verifier("bank") as bank:
        created = bank.ask(["address"], purpose="an account")
        pending = world.wallet.presentation.read_request(created.link)
        world.wallet.part_for(pending.verifier)
        assert not world.wallet.meets_part(pending.verifier)
        world.consent(world.wallet.presentation.find_answer(pending.request))
        assert bank.result(created.request_id).state == "accepted"


def test_what_was_read_before_a_part_was_made_is_not_answered_by_it(world: GrantWorld) -> None:
    with world.verifier("bank") as bank:
        created = bank.ask(["address"], purpose="an account")
        pending = world.wallet.presentation.read_request(created.link)
        enrol(world, "bank", "k4f2q")
        assert world.wallet.meets_part(pending.verifier)
        with pytest.raises(RequestError, match="read it again"):
            world.wallet.presentation.prepare(pending)
        world.consent(world.wallet.presentation.find_answer(pending.request))
        (grant,) = world.wallet.part_for(pending.verifier).grants.made
        assert world.wallet.grants.consent_record(grant.grant_id).account == "k4f2q@holder"


def test_a_part_is_made_once_and_has_no_parts(world: GrantWorld) -> None:
    part = world.wallet.part_for("x509_hash:v")
    assert world.wallet.part_for("x509_hash:v").public_key == part.public_key
    assert world.wallet.separated == ("x509_hash:v",)
    assert part.part_for("x509_hash:w").public_key == part.public_key
    assert part.public_key != world.wallet.public_key
    assert not part.is_registered


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("x509_san_dns:City.Example", "x509_san_dns:city.example", True),
        ("redirect_uri:https://City.example/CB", "redirect_uri:HTTPS://city.example/CB", True),
        ("redirect_uri:https://city.example/CB", "redirect_uri:https://city.example/cb", False),
        (
            "decentralized_identifier:did:web:City.example:u",
            "decentralized_identifier:did:web:city.example:u",
            True,
        ),
        ("x509_hash:AbC", "x509_hash:abc", False),
        ("decentralized_identifier:did:key:zA", "decentralized_identifier:did:key:za", False),
    ],
)
def test_a_verifier_gets_no_second_part_by_another_spelling(
    world: GrantWorld, one: str, other: str, is_same: bool
) -> None:
    part = world.wallet.part_for(one)
    assert (world.wallet.part_for(other).public_key == part.public_key) is is_same
    assert len(world.wallet.separated) == (1 if is_same else 2)


def test_parts_come_back_from_a_backup(world: GrantWorld) -> None:
    part = enrol(world, "city", "k4f2q")
    backup = world.wallet._session.contents.to_backup()
    parts: Any = backup["parts"]
    (kept,) = parts.values()
    assert kept == part._session.contents.to_fields()
