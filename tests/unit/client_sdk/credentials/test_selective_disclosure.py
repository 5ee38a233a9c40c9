"""Conceal, select, reveal: what goes in comes out, and every rejection of RFC 9901 section 7.1."""

import json
from collections.abc import Callable, Collection, Iterable
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.encoding import JsonObject, JsonValue, encode_base64url
from client_sdk.credentials import selective_disclosure as sd
from client_sdk.credentials.sd_jwt import Disclosure, parse_sd_jwt
from client_sdk.errors import CredentialFormatError, DisclosureError, RequestError
from client_sdk.strict_json import MAX_DEPTH

CASES = json.loads(
    (Path(__file__).parents[3] / "vectors/sd_jwt/disclosure_cases.json").read_text("utf-8")
)["cases"]

SALTS = count()


def select(
    payload: JsonObject, disclosures: Iterable[Disclosure], paths: Collection[sd.PathPattern]
) -> tuple[Disclosure, ...]:
    revealed = sd.reveal(payload, disclosures, counts_concealed=False)
    return sd.select_disclosures(revealed, paths)


def disclose(*contents: JsonValue) -> Disclosure:
    """Build a disclosure of (value) or (name, value)."""
    text = json.dumps([f"salt {next(SALTS)}", *contents])
    encoded = encode_base64url(text.encode())
    return parse_sd_jwt(f"e30.e30.e30~{encoded}~").disclosures[0]


def nest(value: JsonValue, levels: int) -> JsonValue:
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_cases_of_the_reference_implementation(case: dict) -> None:
    concealed = [tuple(path) for path in case["concealed"]]
    result = sd.conceal(case["claims"], concealed, decoy_count=2)
    full = sd.reveal(result.payload, result.disclosures)
    assert full.claims == case["claims"]
    assert set(full.paths) == set(concealed)
    shown = select(result.payload, result.disclosures, [tuple(path) for path in case["shown"]])
    assert sd.reveal(result.payload, shown).claims == case["expected"]


def test_a_concealed_payload_shows_nothing_but_digests() -> None:
    claims: JsonObject = {"open": 1, "b": "x", "a": {"c": "y"}, "list": ["p", "q"]}
    result = sd.conceal(claims, [("b",), ("a",), ("a", "c"), ("list", 1)])
    payload = result.payload
    assert set(payload) == {"open", "list", "_sd", "_sd_alg"}
    assert payload["_sd_alg"] == "sha-256"
    digests = payload["_sd"]
    assert isinstance(digests, list)
    assert digests == sorted(digests, key=str)
    assert len(digests) == 2
    (first, second) = payload["list"]  # type: ignore[misc]
    assert first == "p"
    assert set(second) == {"..."}  # type: ignore[arg-type]
    assert sd.reveal(payload, []).claims == {"open": 1, "list": ["p"]}
    assert claims == {"open": 1, "b": "x", "a": {"c": "y"}, "list": ["p", "q"]}


def test_every_salt_is_new_and_of_128_bits() -> None:
    claims: JsonObject = {"a": 1, "b": 1}
    results = [sd.conceal(claims, [("a",), ("b",)]) for _ in range(2)]
    salts = {item.salt for result in results for item in result.disclosures}
    assert len(salts) == 4
    assert {len(salt) for salt in salts} == {22}


def test_nothing_concealed_leaves_the_claims_alone() -> None:
    assert sd.conceal({"a": [1]}, []).payload == {"a": [1]}


def test_decoys_hide_the_number_of_claims() -> None:
    result = sd.conceal({"a": 1, "list": [1, 2]}, [("a",), ("list", 0)], decoy_count=3)
    assert len(result.payload["_sd"]) == 4  # type: ignore[arg-type]
    assert len(result.payload["list"]) == 5  # type: ignore[arg-type]
    assert len(result.disclosures) == 2


@pytest.mark.parametrize(
    "claims",
    [
        {"_sd": []},
        {"a": {"...": "x"}},
        {"a": [{"_sd_alg": "sha-256"}]},
        {"a": object()},
        {"a": float("inf")},
        {"a": "\udfff"},
        {"a": nest(1, MAX_DEPTH)},
    ],
)
def test_claims_that_cannot_be_concealed_are_refused(claims: JsonObject) -> None:
    with pytest.raises(CredentialFormatError):
        sd.conceal(claims, [("a",)] if "a" in claims else [])


@pytest.mark.parametrize("path", [(), ("b",), ("a", "b"), ("a", 2), ("a", -1), ("a", 0, "x")])
def test_a_path_to_no_claim_is_refused(path: sd.Path) -> None:
    with pytest.raises(CredentialFormatError, match="no claim"):
        sd.conceal({"a": [1, 2]}, [path])
    result = sd.conceal({"a": [1, 2]}, [("a", 0)])
    with pytest.raises(RequestError, match="no claim"):
        select(result.payload, result.disclosures, [path])


def test_a_selection_brings_parents_and_what_is_within_and_no_more() -> None:
    claims: JsonObject = {
        "address": {"street": 1, "town": {"name": 2, "code": 3}},
        "names": ["a", "b"],
        "age": 5,
    }
    concealed: list[sd.Path] = [
        ("address",),
        ("address", "street"),
        ("address", "town"),
        ("address", "town", "name"),
        ("names", 0),
        ("names", 1),
        ("age",),
    ]
    result = sd.conceal(claims, concealed)

    def shown(*paths: sd.PathPattern) -> set[sd.Path]:
        chosen = select(result.payload, result.disclosures, paths)
        return set(sd.reveal(result.payload, chosen).paths)

    assert shown() == set()
    assert shown(("age",)) == {("age",)}
    assert shown(("address", "street")) == {("address",), ("address", "street")}
    town = {("address",), ("address", "town"), ("address", "town", "name")}
    assert shown(("address", "town", "name")) == town
    assert shown(("address", "town")) == town
    assert shown(("address", "town", "code")) == {("address",), ("address", "town")}
    assert shown(("address",)) == town | {("address", "street")}
    assert shown(("names", 1)) == {("names", 1)}
    assert shown(("names", None)) == {("names", 0), ("names", 1)}
    assert shown(("names",)) == {("names", 0), ("names", 1)}


def test_positions_for_the_holder_skip_the_decoys_of_other_issuers() -> None:
    first, second = disclose("a"), disclose("b")
    payload: JsonObject = {
        "list": [{"...": "decoy"}, {"...": first.digest()}, {"...": second.digest()}]
    }
    assert sd.reveal(payload, [first, second]).claims == {"list": ["a", "b"]}
    assert select(payload, [first, second], [("list", 1)]) == (second,)


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-384", "sha-512"])
def test_every_supported_hash_reveals(algorithm: str) -> None:
    item = disclose("a", 1)
    payload: JsonObject = {"_sd": [item.digest(algorithm)], "_sd_alg": algorithm}
    assert sd.reveal(payload, [item]).claims == {"a": 1}


@pytest.mark.parametrize("algorithm", ["sha-1", "SHA-256", "md5", "sha-256-32", "", None, 256, []])
def test_7_1_2_d_an_unknown_hash_is_refused(algorithm: JsonValue) -> None:
    with pytest.raises(DisclosureError, match="_sd_alg"):
        sd.reveal({"_sd_alg": algorithm}, [])


@pytest.mark.parametrize("digests", [None, "text", {}, [1], [None], [["x"]]])
def test_4_2_4_1_digests_of_another_form_are_refused(digests: JsonValue) -> None:
    with pytest.raises(DisclosureError):
        sd.reveal({"_sd": digests}, [])


@pytest.mark.parametrize(
    "payload",
    [
        {"...": "x"},
        {"a": {"...": "x"}},
        {"a": [{"...": "x", "b": 1}]},
        {"a": [{"...": 1}]},
        {"a": [{"...": None}]},
        {"a": {"_sd_alg": "sha-256"}},
        {"a": [{"_sd_alg": "sha-256"}]},
    ],
)
def test_reserved_names_in_the_wrong_place_are_refused(payload: JsonObject) -> None:
    with pytest.raises(DisclosureError):
        sd.reveal(payload, [])


@pytest.mark.parametrize("value", [{"_sd_alg": "sha-256"}, {"...": "x"}, [{"...": 1}], {"_sd": 1}])
def test_reserved_names_within_a_disclosure_are_refused(value: JsonValue) -> None:
    member, element = disclose("a", value), disclose(value)
    with pytest.raises(DisclosureError):
        sd.reveal({"_sd": [member.digest()]}, [member])
    with pytest.raises(DisclosureError):
        sd.reveal({"a": [{"...": element.digest()}]}, [element])


@pytest.mark.parametrize("name", ["_sd", "...", "_sd_alg"])
def test_7_1_3_c_a_disclosure_of_a_reserved_name_is_refused(name: str) -> None:
    item = disclose(name, "sha-256")
    with pytest.raises(DisclosureError, match="may not be named"):
        sd.reveal({"_sd": [item.digest()]}, [item])


def test_7_1_3_c_a_name_that_is_taken_by_an_open_claim_is_refused() -> None:
    item = disclose("a", 2)
    with pytest.raises(DisclosureError, match="already taken"):
        sd.reveal({"a": 1, "_sd": [item.digest()]}, [item])


def test_a_name_that_is_taken_by_another_disclosure_is_refused() -> None:
    items = [disclose("a", 1), disclose("a", 2)]
    with pytest.raises(DisclosureError, match="already taken"):
        sd.reveal({"_sd": [item.digest() for item in items]}, items)


def test_7_1_3_c_a_member_in_place_of_an_element_is_refused() -> None:
    item = disclose("a", 1)
    with pytest.raises(DisclosureError, match="element is expected"):
        sd.reveal({"a": [{"...": item.digest()}]}, [item])


def test_an_element_in_place_of_a_member_is_refused() -> None:
    item = disclose(1)
    with pytest.raises(DisclosureError, match="member is expected"):
        sd.reveal({"_sd": [item.digest()]}, [item])


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize(
    "where",
    [
        lambda digest: {"_sd": [digest, digest]},
        lambda digest: {"_sd": [digest], "b": {"_sd": [digest]}},
        lambda digest: {"b": {"_sd": [digest]}, "c": [{"...": digest}]},
        lambda digest: {"c": [{"...": digest}, {"...": digest}]},
    ],
)
def test_a_digest_twice_is_refused_even_undisclosed(
    where: Callable[[str], JsonObject], shown: bool
) -> None:
    item = disclose("a", 1)
    with pytest.raises(DisclosureError):
        sd.reveal(where(item.digest()), [item] if shown else [])


def test_7_1_4_a_digest_twice_through_recursion_is_refused() -> None:
    inner = disclose("a", 1)
    outer = disclose("b", {"_sd": [inner.digest()]})
    payload: JsonObject = {"_sd": [outer.digest(), inner.digest()]}
    with pytest.raises(DisclosureError, match="digest stands there twice"):
        sd.reveal(payload, [outer, inner])
    assert sd.reveal({"_sd": [outer.digest()]}, [outer, inner]).claims == {"b": {"a": 1}}


def test_a_disclosure_twice_is_refused() -> None:
    item = disclose("a", 1)
    with pytest.raises(DisclosureError, match="twice"):
        sd.reveal({"_sd": [item.digest()]}, [item, item])


def test_7_1_5_a_disclosure_that_nothing_refers_to_is_refused() -> None:
    with pytest.raises(DisclosureError, match="do not belong"):
        sd.reveal({"a": 1}, [disclose("b", 2)])


def test_a_disclosure_without_its_parent_is_refused() -> None:
    inner = disclose("a", 1)
    outer = disclose("b", {"_sd": [inner.digest()]})
    with pytest.raises(DisclosureError, match="do not belong"):
        sd.reveal({"_sd": [outer.digest()]}, [inner])


def test_a_disclosure_under_another_hash_is_refused() -> None:
    item = disclose("a", 1)
    with pytest.raises(DisclosureError, match="do not belong"):
        sd.reveal({"_sd": [item.digest("sha-256")], "_sd_alg": "sha-512"}, [item])


def test_nesting_is_limited_through_disclosures_too() -> None:
    assert sd.reveal({"a": nest(1, MAX_DEPTH - 1)}, [])
    with pytest.raises(DisclosureError, match="deeper"):
        sd.reveal({"a": nest(1, MAX_DEPTH)}, [])
    with pytest.raises(DisclosureError, match="deeper"):
        sd.reveal({"a": nest({}, MAX_DEPTH - 1)}, [])
    chain = [disclose("a", 1)]
    for _ in range(MAX_DEPTH):
        chain.append(disclose("a", {"_sd": [chain[-1].digest()]}))
    with pytest.raises(DisclosureError, match="deeper"):
        sd.reveal({"_sd": [chain[-1].digest()]}, chain)


def test_no_error_or_repr_shows_a_value() -> None:
    item = disclose("name", "secret value")
    with pytest.raises(DisclosureError) as caught:
        sd.reveal({"name": "other secret", "_sd": [item.digest()]}, [item])
    assert "secret" not in str(caught.value)
    result = sd.conceal({"a": "secret value"}, [("a",)])
    assert "secret" not in repr(result) + repr(sd.reveal(result.payload, result.disclosures))


NAMES = st.text(max_size=6).filter(lambda name: name not in {"_sd", "...", "_sd_alg"})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


def all_paths(value: JsonValue, path: sd.Path = ()) -> list[sd.Path]:
    items: list[tuple[str | int, JsonValue]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    paths: list[sd.Path] = []
    for step, inner in items:
        paths += [(*path, step), *all_paths(inner, (*path, step))]
    return paths


def without(value: JsonValue, hidden: set[sd.Path], path: sd.Path = ()) -> JsonValue:
    """Return the value less what is at or below a hidden path."""
    if isinstance(value, dict):
        return {
            name: without(inner, hidden, (*path, name))
            for name, inner in value.items()
            if (*path, name) not in hidden
        }
    if isinstance(value, list):
        return [
            without(inner, hidden, (*path, position))
            for position, inner in enumerate(value)
            if (*path, position) not in hidden
        ]
    return value


@given(data=st.data(), claims=st.dictionaries(NAMES, VALUES, max_size=4), decoys=st.integers(0, 2))
def test_any_subset_of_disclosures_reveals_exactly_its_claims(
    data: st.DataObject, claims: JsonObject, decoys: int
) -> None:
    candidates = all_paths(claims)
    choose = st.lists(st.sampled_from(candidates), unique=True) if candidates else st.just([])
    concealed = set(data.draw(choose))
    result = sd.conceal(claims, concealed, decoy_count=decoys)
    by_path = dict(sd.reveal(result.payload, result.disclosures).disclosed)
    assert set(by_path) == concealed
    wanted = data.draw(st.sets(st.sampled_from(sorted(concealed, key=str)))) if concealed else set()
    # A disclosure needs its concealed parents.
    shown = {path for path in concealed if any(path == item[: len(path)] for item in wanted)}
    revealed = sd.reveal(result.payload, [by_path[path] for path in shown])
    assert set(revealed.paths) == shown
    assert revealed.claims == without(claims, concealed - shown)
    selected = select(result.payload, result.disclosures, wanted)
    below = {path for path in concealed if any(path[: len(item)] == item for item in wanted)}
    assert set(selected) == {by_path[path] for path in shown | below}


@given(payload=st.dictionaries(
    st.sampled_from(["_sd", "...", "_sd_alg", "a"]),
    st.recursive(
        st.none() | st.sampled_from(["sha-256", "x"]),
        lambda inner: st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["_sd", "...", "_sd_alg", "a"]), inner, max_size=2),
        max_leaves=8,
    ),
    max_size=4,
))  # fmt: skip
def test_any_payload_reveals_clean_claims_or_raises_our_error(payload: JsonObject) -> None:
    try:
        claims = sd.reveal(payload, []).claims
    except DisclosureError:
        return
    assert not {"_sd", "...", "_sd_alg"} & {
        step for path in all_paths(claims) for step in path if isinstance(step, str)
    }
