"""DCQL: what is read, what is refused, what a credential has to show."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.errors import RequestError, RequestMismatchError
from client_sdk.openid4vp.claims_path import name_path, resolve_path
from client_sdk.openid4vp.dcql import build_query, parse_query
from client_sdk.openid4vp.dcql_evaluation import check_credential, only_asked
from client_sdk.openid4vp.dcql_query import ClaimsQuery, CredentialQuery, DcqlQuery
from client_sdk.openid4vp.dcql_selection import CredentialView, select_claims

VCT = "urn:tegata:credential:resident:1"
# The credential of the specification's claims path pointer example (OpenID4VP 1.0 section 7.3).
DEGREES: dict[str, Any] = {
    "name": "Arthur Dent",
    "address": {"street_address": "42 Market Street", "locality": "Milliways"},
    "degrees": [
        {"type": "Bachelor of Science", "university": "University of Betelgeuse"},
        {"type": "Master of Science", "university": "University of Betelgeuse"},
    ],
    "nationalities": ["British", "Betelgeusian"],
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


def query_with(**members: Any) -> dict[str, Any]:
    credential = {
        "id": "resident",
        "format": "dc+sd-jwt",
        "meta": {"vct_values": [VCT]},
        "claims": [{"path": ["address"]}],
        **members,
    }
    return {"credentials": [{name: value for name, value in credential.items() if value != ...}]}


def of_specification(**members: Any) -> dict[str, Any]:
    """The example `simple` of OpenID4VP 1.0 section 7.4, with members added or replaced."""
    credential = {
        "id": "my_credential",
        "format": "dc+sd-jwt",
        "meta": {"vct_values": ["https://credentials.example.com/identity_credential"]},
        "claims": [
            {"path": ["family_name"]},
            {"path": ["given_name"]},
            {"path": ["address", "street_address"]},
        ],
        **members,
    }
    return {"credentials": [credential]}


def test_examples_of_the_specification() -> None:
    (simple,) = parse_query(of_specification()).credentials
    assert simple.id == "my_credential"
    assert [claim.path for claim in simple.claims] == [
        ("family_name",),
        ("given_name",),
        ("address", "street_address"),
    ]
    # Its examples of value matching, of alternatives, and of another format.
    values = [{"path": ["postal_code"], "values": ["90210", "90211"]}]
    (matching,) = parse_query(of_specification(claims=values)).credentials
    assert matching.claims[0].values == ("90210", "90211")
    alternatives = of_specification(
        claims=[{"id": "a", "path": ["family_name"]}, {"id": "b", "path": ["postal_code"]}],
        claim_sets=[["a", "b"], ["a"]],
    )
    (claim_sets,) = parse_query(alternatives).credentials
    assert claim_sets.claim_sets == (("a", "b"), ("a",))
    # A format that is not known here is read, since a set may have another option.
    mdoc = of_specification(format="mso_mdoc", meta={"doctype_value": "org.iso.7367.1.mVRC"})
    assert parse_query(mdoc).credentials[0].format == "mso_mdoc"


def test_a_query_for_top_level_claims() -> None:
    query = build_query(query_id="resident", vct=VCT, attributes=("address", "name"))
    assert query.to_fields() == {
        "credentials": [
            {
                "id": "resident",
                "format": "dc+sd-jwt",
                "meta": {"vct_values": [VCT]},
                "claims": [{"path": ["address"]}, {"path": ["name"]}],
            }
        ]
    }
    assert parse_query(query.to_fields()) == query


@pytest.mark.parametrize("attributes", [("a", "a"), ("",), ("a" * 257,)])
def test_a_query_that_no_wallet_reads_is_not_built(attributes: tuple[str, ...]) -> None:
    with pytest.raises(RequestError):
        build_query(query_id="resident", vct=VCT, attributes=attributes)


def test_unknown_members_are_ignored_and_duplicates_counted_once() -> None:
    value = query_with(
        claims=[{"path": ["a"], "intent_to_retain": True}, {"path": ["a"]}], colour="red"
    )
    (credential,) = parse_query({**value, "future": 1}).credentials
    assert credential.claims == (ClaimsQuery(path=("a",)),)


def test_ids_values_and_all_kinds_of_path_elements() -> None:
    claims = [{"id": "d", "path": ["degrees", None, 0, "type"], "values": ["x", 1, True]}]
    (credential,) = parse_query(query_with(claims=claims)).credentials
    assert credential.claims == (
        ClaimsQuery(id="d", path=("degrees", None, 0, "type"), values=("x", 1, True)),
    )
    query = DcqlQuery(credentials=(credential,))
    assert parse_query(query.to_fields()) == query


@pytest.mark.parametrize(
    "members",
    [
        {"claim_sets": [["a"]]},
        {"claim_sets": [["a"]], "claims": ...},
        {"claim_sets": [["b"]], "claims": [{"path": ["a"], "id": "a"}]},
        {"claim_sets": [[]], "claims": [{"path": ["a"], "id": "a"}]},
        {"claim_sets": [], "claims": [{"path": ["a"], "id": "a"}]},
        {"claim_sets": ["a"], "claims": [{"path": ["a"], "id": "a"}]},
        {"claim_sets": [["a"]], "claims": [{"path": ["a"], "id": "a"}, {"path": ["b"]}]},
        {"trusted_authorities": []},
        {"trusted_authorities": [{"type": "aki", "values": []}]},
        {"trusted_authorities": [{"values": ["x"]}]},
        {"trusted_authorities": ["aki"]},
        {"multiple": 1},
        {"multiple": None},
        {"require_cryptographic_holder_binding": "no"},
        {"format": "ldp_vc"},
        {"format": "ldp_vc", "meta": {"type_values": [[]]}},
        {"format": "jwt_vc_json", "meta": {"type_values": ["x"]}},
        {"format": ...},
        {"meta": ...},
        {"meta": {}},
        {"meta": {"vct_values": []}},
        {"meta": {"vct_values": [1]}},
        {"id": ...},
        {"id": ""},
        {"id": "with space"},
        {"id": "a\n"},
        {"claims": []},
        {"claims": [{}]},
        {"claims": [{"path": []}]},
        {"claims": [{"path": [-1]}]},
        {"claims": [{"path": [True]}]},
        {"claims": [{"path": [1.5]}]},
        {"claims": [{"path": "address"}]},
        {"claims": [{"path": ["a"], "values": []}]},
        {"claims": [{"path": ["a"], "values": [None]}]},
        {"claims": [{"path": ["a"], "id": "x"}, {"path": ["b"], "id": "x"}]},
        {"claims": [{"path": ["a"]}] * 65},
        {"claims": [{"path": ["a"] * 17}]},
    ],
)
def test_section_6_what_is_no_credential_query_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="dcql_query"):
        parse_query(query_with(**members))


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"credentials": []},
        {"credentials": [1]},
        {**query_with(), "credential_sets": []},
        {**query_with(), "credential_sets": [[["resident"]]]},
        {**query_with(), "credential_sets": [{"options": []}]},
        {**query_with(), "credential_sets": [{"options": [[]]}]},
        {**query_with(), "credential_sets": [{"options": [["other"]]}]},
        {**query_with(), "credential_sets": [{"options": [["resident"]], "required": "yes"}]},
        {"credentials": query_with()["credentials"] * 2},
        {"credentials": query_with()["credentials"] * 17},
    ],
)
def test_queries_as_a_whole_are_refused(value: Any) -> None:
    with pytest.raises(RequestError):
        parse_query(value)


@given(json_values)
def test_any_json_is_a_query_or_a_request_error(value: Any) -> None:
    for candidate in (value, {"credentials": [value]}, query_with(claims=[value])):
        with contextlib.suppress(RequestError):
            parse_query(candidate)


@pytest.mark.parametrize(
    ("path", "selected"),
    [
        (("name",), ["Arthur Dent"]),
        (("address", "street_address"), ["42 Market Street"]),
        (("degrees", None, "type"), ["Bachelor of Science", "Master of Science"]),
        (("degrees", 1, "type"), ["Master of Science"]),
        (("nationalities", 7), []),
        (("nationalities", "x"), []),
        (("name", None), []),
        (("nobody",), []),
    ],
)
def test_claims_path_pointers(path: tuple[Any, ...], selected: list[Any]) -> None:
    assert list(resolve_path(DEGREES, path).values()) == selected


def asked(*paths: tuple[Any, ...], values: tuple[Any, ...] = (), **members: Any) -> CredentialQuery:
    claims = tuple(ClaimsQuery(path=path, values=values) for path in paths)
    return CredentialQuery(id="resident", vct_values=(VCT,), claims=claims, **members)


def view(claims: JsonObject = DEGREES, disclosed: tuple[Any, ...] = (), **facts: Any) -> Any:
    fields = {"format": "dc+sd-jwt", "types": frozenset({VCT}), **facts}
    return CredentialView(claims=claims, disclosed_paths=disclosed, **fields)


def test_a_held_credential_satisfies_a_query() -> None:
    selected = select_claims(asked(("name",), ("degrees", None, "type")), view())
    assert selected.asked == (("degrees", None, "type"), ("name",))
    assert selected.places == (("name",), ("degrees", 0, "type"), ("degrees", 1, "type"))
    # Of an array only the elements with a value that is asked for are selected.
    wanted = asked(("nationalities", None), values=("British",))
    assert select_claims(wanted, view()).places == (("nationalities", 0),)


@pytest.mark.parametrize(
    ("query", "facts", "words"),
    [
        (asked(("name",)), {"types": frozenset({"urn:other"})}, "another type"),
        (asked(("name",)), {"format": "ldp_vc"}, "the format dc"),
        (asked(("name",)), {"is_bound": False}, "bound to its holder"),
        (asked(("age",)), {}, "has no age"),
        (asked(("name",), values=("Ford",)), {}, "none of the values"),
        (asked(("name",), values=(True,)), {}, "none of the values"),
    ],
)
def test_a_held_credential_that_does_not_satisfy(
    query: CredentialQuery, facts: dict[str, Any], words: str
) -> None:
    with pytest.raises(RequestError, match=words) as caught:
        select_claims(query, view(**facts))
    assert "Arthur" not in str(caught.value)


def test_values_match_by_type_as_well() -> None:
    with pytest.raises(RequestError):
        select_claims(asked(("over_18",), values=(1,)), view({"over_18": True}))


def test_section_6_1_1_an_authority_that_certified_the_issuer() -> None:
    (query,) = parse_query(
        query_with(
            claims=...,
            trusted_authorities=[
                {"type": "aki", "values": ["AAAA", "s9tIpPmhxdiuNkHMEWNpYim8S8Y"]},
                {"type": "etsi_tl", "values": ["https://lotl.example.com"]},
            ],
        )
    ).credentials
    select_claims(query, view(authorities=frozenset({("aki", "s9tIpPmhxdiuNkHMEWNpYim8S8Y")})))
    for others in (frozenset(), {("aki", "BBBB")}, {("tegata_ledger", "AAAA")}):
        with pytest.raises(RequestError, match="another authority"):
            select_claims(query, view(authorities=frozenset(others)))


def test_section_6_4_1_the_first_combination_that_is_there() -> None:
    (query,) = parse_query(
        query_with(
            claims=[
                {"id": "a", "path": ["age"]},
                {"id": "b", "path": ["name"], "values": ["Ford"]},
                {"id": "c", "path": ["nationalities", 0]},
            ],
            claim_sets=[["a"], ["b", "c"], ["c"]],
        )
    ).credentials
    assert select_claims(query, view()).places == (("nationalities", 0),)
    with pytest.raises(RequestError, match="has no age"):
        select_claims(query, view({"name": "Arthur Dent"}))


def test_appendix_b_1_types_of_w3c_credentials() -> None:
    types = [["urn:vc", "urn:alumni", "urn:degree"], ["urn:vc", "urn:university"], ["Identity"]]
    (query,) = parse_query(
        query_with(format="ldp_vc", meta={"type_values": types}, claims=...)
    ).credentials
    for held in ({"urn:vc", "urn:university"}, {"Identity"}, {"Identity", "urn:more"}):
        select_claims(query, view(format="ldp_vc", types=frozenset(held)))
    for held in ({"urn:vc"}, {"urn:university"}, set()):
        with pytest.raises(RequestError, match="another type"):
            select_claims(query, view(format="ldp_vc", types=frozenset(held)))


@pytest.mark.parametrize(
    "disclosed",
    [
        (("address",),),
        (("address",), ("address", "locality")),
        (),
    ],
)
def test_what_was_asked_may_be_shown_whole_or_in_parts(disclosed: tuple[Any, ...]) -> None:
    check_credential(asked(("address",)), view(DEGREES, disclosed))


def test_the_way_to_a_claim_may_be_shown() -> None:
    query = asked(("degrees", None, "type"))
    paths = (("degrees",), ("degrees", 0), ("degrees", 0, "type"))
    assert check_credential(query, view(DEGREES, paths)) == ((("degrees", None, "type"),),)


@pytest.mark.parametrize(
    ("disclosed", "words"),
    [
        ((("address",), ("name",)), "showed name"),
        ((("degrees", 0, "university"),), r"showed degrees\[0\].university"),
    ],
)
def test_more_than_was_asked(disclosed: tuple[Any, ...], words: str) -> None:
    query = asked(("address",), ("degrees", None, "type"))
    with pytest.raises(RequestMismatchError, match=words):
        check_credential(query, view(DEGREES, disclosed))


def test_section_6_4_more_may_be_shown_for_another_query_of_the_same_credential() -> None:
    shown = view(DEGREES, (("address",), ("name",)))
    assert check_credential(asked(("address",)), shown, also_asked=[asked(("name",))])


def test_less_than_was_asked_and_another_type() -> None:
    with pytest.raises(RequestMismatchError, match="did not show age"):
        check_credential(asked(("age",)), view())
    with pytest.raises(RequestMismatchError, match="another type"):
        check_credential(asked(("name",)), view(types=frozenset({"urn:x"})))


def test_one_position_of_an_array_is_one_element_wherever_it_stood() -> None:
    query = asked(("nationalities", 1))
    # Elements that are not shown leave no trace in the claims, and decoys count as well.
    one: JsonObject = {"nationalities": ["Betelgeusian"]}
    two: JsonObject = {"nationalities": ["British", "Betelgeusian"]}
    assert check_credential(query, view(one, (("nationalities", 4),)))
    with pytest.raises(RequestMismatchError, match="more of nationalities"):
        check_credential(query, view(two, (("nationalities", 0), ("nationalities", 1))))
    with pytest.raises(RequestMismatchError, match="did not show"):
        check_credential(query, view(one))
    both = asked(("nationalities", 0), ("nationalities", 1))
    assert check_credential(both, view(two, (("nationalities", 0), ("nationalities", 1))))


def test_paths_are_named_as_people_read_them() -> None:
    assert name_path(("degrees", None, "type")) == "degrees[*].type"
    assert name_path(("nationalities", 0)) == "nationalities[0]"


@pytest.mark.parametrize(
    ("paths", "kept"),
    [
        ([["name"]], {"name": "A"}),
        ([["address", "city"]], {"address": {"city": "K"}}),
        ([["address"]], {"address": {"city": "K", "street": "S"}}),
        ([["address", "city"], ["address"]], {"address": {"city": "K", "street": "S"}}),
        ([["address"], ["address", "city"]], {"address": {"city": "K", "street": "S"}}),
        ([["cars", None, "plate"]], {"cars": [{"plate": "1"}]}),
        ([["missing", "city"]], {}),
    ],
)
def test_only_what_is_asked_is_kept(paths: list[JsonValue], kept: JsonObject) -> None:
    claims: JsonObject = {
        "name": "A",
        "address": {"city": "K", "street": "S"},
        "cars": [{"plate": "1"}],
        "other": "never",
    }
    query: JsonObject = {
        "id": "q",
        "format": "dc+sd-jwt",
        "meta": {"vct_values": ["v"]},
        "claims": [{"path": path} for path in paths],
    }
    parsed = parse_query({"credentials": [query]})
    assert only_asked([claim.path for claim in parsed.credentials[0].claims], claims) == kept
