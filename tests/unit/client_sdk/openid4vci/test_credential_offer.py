import contextlib
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sdk.errors import ClientError, OfferError
from client_sdk.openid4vci.credential_offer import (
    AuthorizationCodeGrant,
    CredentialOffer,
    OfferReference,
    TransactionCode,
    build_offer_link,
    parse_offer,
    parse_offer_link,
)

PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
# OpenID4VCI 1.0 section 4.1.2, the example of a link, with a transaction code.
EXAMPLE: dict[str, Any] = {
    "credential_issuer": "https://credential-issuer.example.com",
    "credential_configuration_ids": ["org.iso.18013.5.1.mDL"],
    "grants": {
        PRE_AUTHORIZED: {
            "pre-authorized_code": "oaKazRN8I0IbtZ0C7JuMn5",
            "tx_code": {
                "input_mode": "text",
                "description": "Please enter the serial number of your physical drivers license",
            },
        }
    },
}
EXAMPLE_LINK = (
    "openid-credential-offer://?"
    "credential_offer=%7B%22credential_issuer%22:%22https://credential-issuer.exam"
    "ple.com%22,%22credential_configuration_ids%22:%5B%22org.iso.18013.5.1.mDL%22%"
    "5D,%22grants%22:%7B%22urn:ietf:params:oauth:grant-type:pre-authorized_code%22"
    ":%7B%22pre-authorized_code%22:%22oaKazRN8I0IbtZ0C7JuMn5%22,%22tx_code%22:%7B%"
    "22input_mode%22:%22text%22,%22description%22:%22Please%20enter%20the%20serial"
    "%20number%20of%20your%20physical%20drivers%20license%22%7D%7D%7D%7D"
)


def changed(**changes: object) -> bytes:
    fields = {**EXAMPLE, **changes}
    return json.dumps({n: v for n, v in fields.items() if v is not None}).encode()


def with_grant(**changes: object) -> bytes:
    return changed(grants={PRE_AUTHORIZED: {**EXAMPLE["grants"][PRE_AUTHORIZED], **changes}})


def link(**parameters: str) -> str:
    return f"openid-credential-offer://?{urlencode(parameters)}"


def test_specifications_example_is_read() -> None:
    offer = parse_offer_link(EXAMPLE_LINK)
    assert offer == CredentialOffer(
        credential_issuer="https://credential-issuer.example.com",
        configuration_ids=("org.iso.18013.5.1.mDL",),
        pre_authorized_code="oaKazRN8I0IbtZ0C7JuMn5",
        transaction_code=TransactionCode(
            input_mode="text",
            description="Please enter the serial number of your physical drivers license",
        ),
    )
    assert offer.to_fields() == EXAMPLE


def test_reference_of_the_specification_is_read() -> None:
    offer = parse_offer_link(
        "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fserver%2Eexample%2Ecom"
        "%2Fcredential-offer%2FGkurKxf5T0Y-mnPFCHqWOMiZi4VS138cQO_V7PZHAdM"
    )
    assert offer == OfferReference(
        uri="https://server.example.com/credential-offer/"
        "GkurKxf5T0Y-mnPFCHqWOMiZi4VS138cQO_V7PZHAdM"
    )


def test_empty_tx_code_asks_for_a_code_and_absent_one_does_not() -> None:
    asked = parse_offer(with_grant(tx_code={}))
    grant = {"pre-authorized_code": "x"}
    assert asked.transaction_code == TransactionCode(input_mode="numeric", length=None)
    assert parse_offer(changed(grants={PRE_AUTHORIZED: grant})).transaction_code is None


def test_unknown_members_are_ignored() -> None:
    offer = parse_offer(changed(more={"a": 1}))
    assert offer == parse_offer(changed())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"credential_issuer":"https://a.example","credential_issuer":"https://b.example"}',
        b"\xff",
        b"[" * 100_000,
        changed(credential_issuer=None),
        changed(credential_issuer=7),
        changed(credential_issuer="http://issuer.example"),
        changed(credential_issuer="https://user:pw@issuer.example"),
        changed(credential_issuer="https://issuer.example#x"),
        changed(credential_issuer="https://issuer.example?x=1"),
        changed(credential_issuer="javascript:alert(1)"),
        changed(credential_configuration_ids=[]),
        changed(credential_configuration_ids=["a", "a"]),
        changed(credential_configuration_ids=["a", 1]),
        changed(credential_configuration_ids=[""]),
        changed(credential_configuration_ids=[f"{n}" for n in range(33)]),
        changed(grants={"other": {}}),
        changed(grants={"authorization_code": "x"}),
        changed(grants={"authorization_code": {"issuer_state": 7}}),
        changed(grants={"authorization_code": {"issuer_state": "x" * 2049}}),
        changed(grants={"authorization_code": {"authorization_server": "ftp://x.example"}}),
        changed(grants=[]),
        changed(grants={PRE_AUTHORIZED: "x"}),
        with_grant(**{"pre-authorized_code": ""}),
        with_grant(**{"pre-authorized_code": "x" * 2049}),
        with_grant(**{"pre-authorized_code": 5}),
        with_grant(tx_code="1234"),
        with_grant(tx_code=None),
        with_grant(tx_code={"input_mode": "voice"}),
        with_grant(tx_code={"length": 0}),
        with_grant(tx_code={"length": True}),
        with_grant(tx_code={"length": "6"}),
        with_grant(tx_code={"description": "x" * 301}),
        with_grant(authorization_server="ftp://x.example"),
    ],
)
def test_unacceptable_offer_is_refused(data: bytes) -> None:
    with pytest.raises(OfferError):
        parse_offer(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://issuer.example/?credential_offer_uri=https://a.example",
        "openid-credential-offer://",
        link(other="x"),
        link(credential_offer="{}", credential_offer_uri="https://a.example"),
        link(credential_offer_uri="http://issuer.example/o"),
        link(credential_offer_uri="file:///etc/passwd"),
        link(credential_offer_uri="https://[::1"),
        link(credential_offer_uri="https://a.example/x")
        + "&credential_offer_uri=https://b.example",
        "openid-credential-offer://?credential_offer=%ff",
        link(credential_offer="x" * 20_000),
        "openid-credential-offer://[",
    ],
)
def test_unacceptable_link_is_refused(text: str) -> None:
    with pytest.raises(OfferError):
        parse_offer_link(text)


@pytest.mark.parametrize("host", ["127.0.0.1:8081", "localhost", "[::1]:80"])
def test_plain_http_is_taken_on_this_machine_only(host: str) -> None:
    offer = parse_offer_link(link(credential_offer_uri=f"http://{host}/offers/1"))
    assert offer == OfferReference(uri=f"http://{host}/offers/1")


@given(
    code=st.text(min_size=1, max_size=50).filter(lambda text: text.isprintable()),
    names=st.lists(st.text("abc.:_-", min_size=1, max_size=9), min_size=1, unique=True),
    length=st.none() | st.integers(1, 128),
)
def test_link_holds_the_whole_offer(code: str, names: list[str], length: int | None) -> None:
    offer = CredentialOffer(
        credential_issuer="https://issuer.example/tenant",
        configuration_ids=tuple(names[:32]),
        pre_authorized_code=code,
        transaction_code=TransactionCode(length=length),
    )
    assert parse_offer_link(build_offer_link(offer)) == offer


def test_codes_are_not_in_reprs_or_errors() -> None:
    assert "oaKazRN8I0IbtZ0C7JuMn5" not in repr(parse_offer(changed()))
    assert "x1y2" not in repr(OfferReference(uri="https://a.example/x1y2"))
    with pytest.raises(OfferError) as caught:
        parse_offer(with_grant(tx_code="x1y2"))
    assert "x1y2" not in str(caught.value)
    assert "oaKazRN8I0IbtZ0C7JuMn5" not in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


@given(text=st.text(max_size=200), offer=st.one_of(st.binary(max_size=100)), value=json_values)
def test_parsers_raise_only_our_own_errors(text: str, offer: bytes, value: object) -> None:
    encoded = json.dumps(value)
    texts = [text, f"openid-credential-offer://?{text}", link(credential_offer=encoded)]
    for candidate in [*texts, link(credential_offer_uri=text.encode("utf-8", "replace").decode())]:
        with contextlib.suppress(ClientError):
            parse_offer_link(candidate)
    for name in ("credential_issuer", "credential_configuration_ids", "grants"):
        for data in (offer, json.dumps({**EXAMPLE, name: value}).encode()):
            with contextlib.suppress(ClientError):
                parse_offer(data)


@pytest.mark.parametrize("grants", [{}, {"authorization_code": {}}])
def test_offer_without_a_code_leads_to_the_issuers_page(grants: dict[str, object]) -> None:
    offer = parse_offer(changed(grants=grants))
    assert offer.pre_authorized_code is None
    assert offer.authorization_code == AuthorizationCodeGrant()


def test_both_grants_stand_in_one_offer() -> None:
    offer = CredentialOffer(
        credential_issuer="https://issuer.example",
        configuration_ids=("resident",),
        pre_authorized_code="c0de",
        authorization_code=AuthorizationCodeGrant(
            issuer_state="st4te", authorization_server="https://as.example"
        ),
    )
    assert parse_offer_link(build_offer_link(offer)) == offer
    assert "st4te" not in repr(offer)
