"""What a wallet keeps comes back as it was; anything else is refused in our own words."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sdk.errors import OfferError, VaultFormatError
from client_sdk.ledger.batches import Inclusion
from client_sdk.ledger.grants import GrantTerms
from client_sdk.strict_json import encode_json, parse_strict_json_object
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.records import (
    LedgerAccount,
    StoredCredential,
    StoredGrant,
    StoredPresentation,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TIMES = st.integers(min_value=0, max_value=2**53)
PATHS = st.lists(TEXTS, min_size=1, max_size=3).map(tuple)
ACCOUNTS = st.builds(
    LedgerAccount,
    account_id=TEXTS,
    ledger_id=TEXTS,
    torii=TEXTS,
    registered_by=TEXTS,
    issuer_url=TEXTS,
    root_certificates=st.none() | TEXTS,
)
CREDENTIALS = st.builds(
    StoredCredential,
    record_id=TEXTS,
    credential_type=TEXTS,
    issuer=TEXTS,
    expires_at_ms=TIMES,
    text=TEXTS,
)
GRANTS = st.builds(
    StoredGrant,
    grant_id=TEXTS,
    verifier_name=TEXTS,
    terms=st.builds(
        GrantTerms,
        verifier=TEXTS,
        credential=TEXTS,
        attributes=st.lists(PATHS, max_size=3).map(tuple),
        purpose=TEXTS,
    ),
    gateway=TEXTS,
    granted_at_ms=TIMES,
    expires_at_ms=TIMES,
    uses=TIMES,
    opening=TEXTS,
    consent=TEXTS,
    request_object=TEXTS,
)
PRESENTATIONS = st.builds(
    StoredPresentation,
    verifier=TEXTS,
    verifier_name=TEXTS,
    attributes=st.lists(PATHS, max_size=3).map(tuple),
    purpose=st.none() | TEXTS,
    grant=st.none() | TEXTS,
    sent_at_ms=TIMES,
    shown=st.binary(max_size=32),
    is_taken=st.booleans(),
    is_deposit=st.booleans(),
)
CONTENTS = st.builds(
    WalletContents,
    seed=st.binary(min_size=32, max_size=32),
    receipt_secret=st.binary(min_size=32, max_size=32),
    trust_anchors=TEXTS,
    account=st.none() | ACCOUNTS,
    credentials=st.lists(CREDENTIALS, max_size=3).map(lambda c: {x.record_id: x for x in c}),
    grants=st.lists(GRANTS, max_size=3).map(lambda g: {x.grant_id: x for x in g}),
    presentations=st.lists(PRESENTATIONS, max_size=3).map(tuple),
    receipt_writers=st.lists(TEXTS, max_size=3).map(tuple),
    checkpoint=TEXTS,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def full_contents() -> WalletContents:
    terms = GrantTerms(
        verifier="x509_hash:v", credential="c0", attributes=(("address",),), purpose="why"
    )
    grant = StoredGrant(
        grant_id="g0",
        verifier_name="Ward Office",
        terms=terms,
        gateway="gateway_1@gateway",
        granted_at_ms=1,
        expires_at_ms=2,
        uses=3,
        opening="opening-that-is-secret",
        consent="consent-that-is-secret",
        request_object="request-that-is-secret",
    )
    credential = StoredCredential(
        record_id="c0",
        credential_type="urn:x",
        issuer="aoba_city@issuer",
        expires_at_ms=3,
        text="credential-that-is-secret",
    )
    account = LedgerAccount(
        account_id="a@holder",
        ledger_id="ab" * 32,
        torii="127.0.0.1:1",
        registered_by="aoba_city@issuer",
        issuer_url="https://city.example",
    )
    contents = WalletContents(seed=b"seed-that-is-secret-............", trust_anchors="")
    return WalletContents(
        seed=contents.seed,
        trust_anchors="",
        account=account,
        credentials={"c0": credential},
        grants={"g0": grant},
        presentations=(
            StoredPresentation(
                verifier="x509_hash:v",
                verifier_name="Ward Office",
                attributes=(("address",),),
                purpose=None,
                grant="g0",
                sent_at_ms=1,
                shown=b"shown",
                is_taken=True,
                is_deposit=False,
            ),
        ),
        receipt_writers=("gateway_1@gateway",),
    )


@given(CONTENTS)
def test_contents_come_back_through_a_file(contents: WalletContents) -> None:
    fields = parse_strict_json_object(encode_json(contents.to_fields()))
    again = WalletContents.from_fields(fields)
    assert again == contents
    assert list(again.credentials) == list(contents.credentials)
    assert list(again.grants) == list(contents.grants)


@given(JSON)
def test_other_json_is_refused(value: Any) -> None:
    with pytest.raises(VaultFormatError):
        WalletContents.from_fields(value)


def _places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [place] if place else []
    if isinstance(value, dict | list):
        steps = value.items() if isinstance(value, dict) else enumerate(value)
        for step, inner in steps:
            found += _places(inner, (*place, step))
    return found


PLACES = _places(full_contents().to_fields())
OPTIONAL = {
    ("account",),
    ("account", "root_certificates"),
    ("protection",),
    ("presentations", 0, "purpose"),
    ("presentations", 0, "grant"),
}


@given(st.sampled_from(PLACES), JSON)
def test_a_member_of_another_kind_is_refused_or_kept(place: tuple[Any, ...], value: Any) -> None:
    fields: Any = full_contents().to_fields()
    inner = fields
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    try:
        contents = WalletContents.from_fields(fields)
    except VaultFormatError:
        return
    # What was accepted was understood whole: nothing of it is dropped.
    assert contents.to_fields() == fields


def test_the_proof_of_a_batch_is_kept() -> None:
    contents = full_contents()
    inclusion = Inclusion(batch="0" * 32, index=3, path=(b"n" * 32,))
    member = replace(contents.credentials["c0"], inclusion=inclusion)
    kept = replace(contents, credentials={"c0": member})
    fields: Any = kept.to_fields()
    assert WalletContents.from_fields(fields) == kept
    for spoilt in (None, {}, {"batch": "0" * 32, "index": 3, "path": ["short"]}):
        fields["credentials"][0]["inclusion"] = spoilt
        with pytest.raises(VaultFormatError, match=r"the wallet's contents: .*inclusion"):
            WalletContents.from_fields(fields)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_a_missing_member_is_refused(place: tuple[Any, ...]) -> None:
    fields: Any = full_contents().to_fields()
    inner = fields
    for step in place[:-1]:
        inner = inner[step]
    if isinstance(inner, list) or place in OPTIONAL:
        return
    del inner[place[-1]]
    with pytest.raises(VaultFormatError, match="the wallet's contents"):
        WalletContents.from_fields(fields)


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.update(seed="AAAA"),
        lambda fields: fields.update(seed="A" * 43 + "="),
        lambda fields: fields["grants"][0].update(attributes=[["address", 5.5]]),
        lambda fields: fields["grants"][0].update(attributes=[[]]),
        lambda fields: fields["grants"][0].update(attributes=["address"]),
        lambda fields: fields["grants"][0].update(attributes=None),
        lambda fields: fields["grants"][0].update(expires_at_ms=True),
        lambda fields: fields["credentials"][0].update(expires_at_ms=1.0),
        lambda fields: fields.update(account=[]),
    ],
)
def test_what_is_nearly_right_is_refused(change: Callable[[Any], None]) -> None:
    fields = full_contents().to_fields()
    change(fields)
    with pytest.raises(VaultFormatError):
        WalletContents.from_fields(fields)


def test_no_secret_is_shown() -> None:
    assert "secret" not in repr(full_contents())
    assert "secret" not in str(full_contents().grants)


def test_one_more_and_one_less() -> None:
    contents = full_contents()
    (grant,) = contents.grants.values()
    assert contents.without_grant("g0").grants == {}
    assert contents.without_grant("unknown") == contents
    assert contents.without_grant("g0").with_grant(grant) == contents
    (credential,) = contents.credentials.values()
    more = contents.with_credential(replace(credential, record_id="c1"))
    assert list(more.credentials) == ["c0", "c1"]


def test_no_credential_replaces_another() -> None:
    contents = full_contents()
    (credential,) = contents.credentials.values()
    forged = replace(credential, issuer="evil@issuer", text="forged")
    for another in (credential, forged):
        with pytest.raises(OfferError, match="already"):
            contents.with_credential(another)
