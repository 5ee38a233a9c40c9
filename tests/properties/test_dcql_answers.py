"""Wallet and verifier agree on any query: what one answers the other accepts, and nothing more."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support import simple_dcql

from chaincode.encoding import JsonValue
from client_sdk.credentials.selective_disclosure import (
    Disclosure,
    conceal,
    reveal,
    select_disclosures,
)
from client_sdk.errors import DisclosureError, RequestError, RequestMismatchError
from client_sdk.openid4vp.claims_path import ClaimsPath
from client_sdk.openid4vp.dcql import parse_query
from client_sdk.openid4vp.dcql_evaluation import check_answer, check_credential
from client_sdk.openid4vp.dcql_selection import CredentialView, find_sets, select_claims

NAMES = st.sampled_from(["a", "b", "c"])
SCALARS = st.sampled_from(["x", "y", 1, True])
CLAIMS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, min_size=1, max_size=3)
            | st.dictionaries(NAMES, inner, min_size=1, max_size=3)
        ),
        max_leaves=6,
    ),
    min_size=1,
    max_size=3,
)
TYPES = st.sampled_from(["t1", "t2"])
PATHS = st.lists(NAMES | st.none() | st.integers(0, 2), max_size=2).flatmap(
    lambda rest: NAMES.map(lambda first: [first, *rest])
)


@st.composite
def credential_queries(draw: st.DrawFn, query_id: str) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": query_id,
        "format": "dc+sd-jwt",
        "meta": {"vct_values": draw(st.lists(TYPES, min_size=1, max_size=2))},
    }
    paths = draw(st.lists(PATHS, max_size=3, unique_by=tuple))
    if not paths:
        return fields
    fields["claims"] = [{"id": f"c{place}", "path": path} for place, path in enumerate(paths)]
    for claim in fields["claims"]:
        if draw(st.booleans()):
            claim["values"] = draw(st.lists(SCALARS, min_size=1, max_size=2))
    if draw(st.booleans()):
        names = st.sampled_from([claim["id"] for claim in fields["claims"]])
        fields["claim_sets"] = draw(
            st.lists(st.lists(names, min_size=1, max_size=3, unique=True), min_size=1, max_size=3)
        )
    return fields


@st.composite
def queries(draw: st.DrawFn) -> dict[str, Any]:
    ids = [f"q{place}" for place in range(draw(st.integers(1, 3)))]
    fields: dict[str, Any] = {"credentials": [draw(credential_queries(name)) for name in ids]}
    if draw(st.booleans()):
        option = st.lists(st.sampled_from(ids), min_size=1, max_size=3, unique=True)
        sets = st.fixed_dictionaries(
            {"options": st.lists(option, min_size=1, max_size=3)},
            optional={"required": st.booleans()},
        )
        fields["credential_sets"] = draw(st.lists(sets, min_size=1, max_size=2))
    return fields


@st.composite
def held_credentials(draw: st.DrawFn) -> dict[str, Any]:
    claims = draw(CLAIMS)
    places = sorted(_places(claims), key=repr)
    concealed = draw(st.lists(st.sampled_from(places), unique=True))
    made = conceal(claims, concealed, decoy_count=draw(st.integers(0, 1)))
    return {
        "format": "dc+sd-jwt",
        "vct": draw(TYPES),
        "claims": claims,
        "payload": made.payload,
        "disclosures": made.disclosures,
    }


def _places(value: JsonValue, place: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    items: list[tuple[str | int, JsonValue]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    below = (_places(member, (*place, name)) for name, member in items)
    return set().union({place} if place else set(), *below)


def view(held: Mapping[str, Any], disclosures: tuple[Disclosure, ...]) -> CredentialView:
    revealed = reveal(held["payload"], disclosures)
    return CredentialView(
        format="dc+sd-jwt",
        types=frozenset({held["vct"]}),
        claims=revealed.claims,
        disclosed_paths=revealed.paths,
    )


@given(queries(), st.lists(held_credentials(), max_size=3))
def test_what_a_wallet_answers_a_verifier_accepts(
    fields: dict[str, Any], wallet: list[dict[str, Any]]
) -> None:
    query = parse_query(fields)
    unanswered: dict[str, str] = {}
    candidates: dict[
        str, tuple[dict[str, Any], tuple[ClaimsPath, ...], tuple[ClaimsPath, ...]]
    ] = {}
    for asked, plain in zip(query.credentials, fields["credentials"], strict=True):
        for held in wallet:
            expected = simple_dcql.chosen_claims(held, plain)
            try:
                selected = select_claims(asked, view(held, held["disclosures"]))
            except RequestError as error:
                assert expected is None
                unanswered.setdefault(asked.id, str(error))
                continue
            # The oracle chooses the same combination of claims.
            assert expected is not None
            assert {tuple(claim["path"]) for claim in expected} == set(selected.asked)
            values = [simple_dcql.select(held["claims"], list(place)) for place in selected.places]
            assert sorted(values, key=repr) == sorted(
                ([value] for value in simple_dcql.wanted_values(held["claims"], expected)), key=repr
            )
            candidates.setdefault(asked.id, (held, selected.places, selected.asked))
        if asked.id not in candidates:
            unanswered.setdefault(asked.id, "nothing")
    for answered in candidates:
        unanswered.pop(answered, None)
    try:
        sets = find_sets(query, unanswered)
    except RequestError:
        assert not simple_dcql.can_answer(fields, set(candidates))
        return
    assert simple_dcql.can_answer(fields, set(candidates))
    shown = {name for asked in sets if asked.options for name in asked.options[0]}
    check_answer(query, {name: [name] for name in shown})
    for name in shown:
        held, places, combination = candidates[name]
        asked_query = query.find(name)
        assert asked_query is not None
        revealed = reveal(held["payload"], held["disclosures"])
        chosen = select_disclosures(revealed, places)
        assert combination in check_credential(asked_query, view(held, chosen))
        # Each disclosure is of a claim that is asked for, leads to one, or is within one.
        place_of = {disclosure.encoded: place for place, disclosure in revealed.disclosed}
        for disclosure in chosen:
            assert any(
                all(a == b for a, b in zip(place_of[disclosure.encoded], place, strict=False))
                for place in places
            )


@given(queries(), held_credentials(), st.data())
def test_a_verifier_refuses_what_was_not_asked_for(
    fields: dict[str, Any], held: dict[str, Any], data: st.DataObject
) -> None:
    """Whatever is disclosed: accepted are only answers without a claim that nobody asked for."""
    query = parse_query({"credentials": fields["credentials"][:1]}).credentials[0]
    chosen = tuple(disclosure for disclosure in held["disclosures"] if data.draw(st.booleans()))
    try:
        presented = view(held, chosen)
    except DisclosureError:  # One without the one that holds it.
        return
    try:
        combinations = check_credential(query, presented)
    except RequestMismatchError:
        return
    for combination in combinations:
        for path in combination:
            loose = [None if isinstance(step, int) else step for step in path]
            assert simple_dcql.select(presented.claims, loose)
    asked = [claim.path for claim in query.claims]
    for place in presented.disclosed_paths:
        assert any(
            all(
                step == wanted or (isinstance(step, int) and not isinstance(wanted, str))
                for step, wanted in zip(place, path, strict=False)
            )
            for path in asked
        )


@given(queries(), st.sets(st.sampled_from(["q0", "q1", "q2", "q3"])))
def test_the_credentials_of_an_answer(fields: dict[str, Any], shown: set[str]) -> None:
    query = parse_query(fields)
    known = {credential.id for credential in query.credentials}
    try:
        check_answer(query, {name: ["presentation"] for name in shown})
    except RequestMismatchError:
        in_an_option = {
            name
            for asked in query.sets
            for option in asked.options
            if set(option) <= shown
            for name in option
        }
        is_expected = shown <= known and shown <= in_an_option
        assert not (is_expected and simple_dcql.is_answer(fields, shown))
    else:
        assert shown <= known
        assert simple_dcql.is_answer(fields, shown)
