"""Purposes: identifiers of the W3C Data Privacy Vocabulary, each with words for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.encoding import JsonValue
from client_sdk.errors import UnknownPurposeError
from client_sdk.purposes import (
    DEFAULT_TERM,
    PURPOSE_TERMS,
    PurposeTerm,
    find_term,
    parse_identifier,
)

TERMS = list(PURPOSE_TERMS.values())


def test_a_term_is_found_by_its_identifier_and_by_its_name() -> None:
    found = parse_identifier("https://w3id.org/dpv#AgeVerification")
    assert found is find_term("AgeVerification")
    assert found.iri == "https://w3id.org/dpv#AgeVerification"
    assert (found.english, found.japanese) == ("Age verification", "年齢確認")


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)
def test_every_term_has_words_and_leads_to_the_top(term: PurposeTerm) -> None:
    assert term.english.isascii()
    assert any(char > "\u3000" for char in term.japanese)
    assert 1 <= sum(term.is_within(other) for other in TERMS) <= 5


@pytest.mark.parametrize(
    ("narrow", "wide", "expected"),
    [
        ("AgeVerification", "Verification", True),
        ("AgeVerification", "EnforceSecurity", True),
        ("CounterMoneyLaundering", "EnforceSecurity", True),
        ("AgeVerification", "AgeVerification", True),
        ("Verification", "AgeVerification", False),
        ("AgeVerification", "IdentityVerification", False),
        ("DirectMarketing", "ServiceProvision", False),
    ],
)
def test_a_narrower_purpose_is_within_a_wider_one(narrow: str, wide: str, expected: bool) -> None:
    assert find_term(narrow).is_within(find_term(wide)) is expected


def test_a_request_without_a_term_is_for_a_service() -> None:
    assert DEFAULT_TERM.is_within(find_term("ServiceProvision"))


@given(st.text())
def test_what_is_no_term_is_refused(text: str) -> None:
    if text in PURPOSE_TERMS:
        return
    with pytest.raises(UnknownPurposeError, match=r"w3id\.org/dpv"):
        find_term(text)


@pytest.mark.parametrize(
    "value", ["AgeVerification", "https://w3id.org/dpv#", "https://w3id.org/dpv#Nothing", 1, None]
)
def test_what_is_no_identifier_is_refused(value: JsonValue) -> None:
    with pytest.raises(UnknownPurposeError, match=r"w3id\.org/dpv"):
        parse_identifier(value)
