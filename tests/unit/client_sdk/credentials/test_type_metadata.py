"""Type Metadata by its clauses (draft-ietf-oauth-sd-jwt-vc-18 sections 4 and 5)."""

import base64
import contextlib
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sdk.credentials.type_metadata import (
    MAX_DOCUMENT_BYTES,
    MAX_EXTENSIONS,
    TypeMetadata,
    TypeMetadataResolver,
    verify_integrity,
)
from client_sdk.errors import ClientError, CredentialFormatError, TransportError
from client_sdk.http.client import HttpAnswer

BASE, CITY = "https://types.example/base", "https://types.example/city"


class Shelf:
    """Serves documents, and counts how often."""

    def __init__(self, **headers: str) -> None:
        self.documents: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def put(self, vct: str, **fields: Any) -> str:
        """Publish a document, and return its integrity metadata."""
        data = json.dumps({"vct": vct, **fields}).encode()
        self.documents[vct] = data
        return integrity_of(data)

    def get(self, url: str, *, accept: str = "application/json") -> HttpAnswer:
        self.asked.append(url)
        found = self.documents.get(url)
        return HttpAnswer(
            status=404 if found is None else 200,
            media_type=accept,
            body=found or b"{}",
            headers=self.headers,
        )


def integrity_of(data: bytes, name: str = "sha256") -> str:
    return f"{name}-{base64.b64encode(hashlib.new(name, data).digest()).decode()}"


def resolve(shelf: Shelf, vct: str = CITY, **more: Any) -> TypeMetadata:
    return TypeMetadataResolver(shelf).resolve(vct, **more)


def shelf_with(claims: list[Any], base_claims: list[Any] | None = None) -> Shelf:
    shelf = Shelf()
    shelf.put(BASE, claims=base_claims or [])
    shelf.put(CITY, claims=claims, extends=BASE)
    return shelf


def test_4_4_a_type_inherits_claims_and_display() -> None:
    shelf = Shelf()
    shelf.put(
        BASE,
        display=[{"locale": "en", "name": "Base"}],
        claims=[
            {"path": ["name"], "mandatory": True, "display": [{"locale": "en", "label": "Name"}]},
            {"path": ["degrees", None, "type"], "sd": "always"},
        ],
    )
    shelf.put(CITY, extends=BASE, claims=[{"path": ["name"], "sd": "always"}])
    found = resolve(shelf)
    assert found.extends == (BASE,)
    assert found.names == {"en": "Base"}
    name = found.claims["name",]
    assert (name.sd, name.mandatory, name.labels) == ("always", True, {"en": "Name"})
    assert found.claims["degrees", None, "type"].sd == "always"


def test_4_5_2_own_display_replaces_the_inherited_one() -> None:
    shelf = Shelf()
    shelf.put(BASE, display=[{"locale": "en", "name": "Base"}])
    shelf.put(CITY, extends=BASE, display=[{"locale": "ja", "name": "市"}])
    assert resolve(shelf).names == {"ja": "市"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"sd": "always"}, {"sd": "never"}),
        ({"sd": "never"}, {"sd": "always"}),
        ({"sd": "always"}, {"sd": "allowed"}),
        ({"mandatory": True}, {"mandatory": False}),
    ],
)
def test_4_6_5_1_what_is_settled_is_not_changed(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    shelf = shelf_with([{"path": ["a"], **after}], [{"path": ["a"], **before}])
    with pytest.raises(CredentialFormatError):
        resolve(shelf)


def test_4_3_1_a_document_of_another_type_is_refused() -> None:
    shelf = Shelf()
    shelf.documents[CITY] = json.dumps({"vct": BASE}).encode()
    with pytest.raises(CredentialFormatError, match="another type"):
        resolve(shelf)


@pytest.mark.parametrize("vct", ["urn:city", "http://types.example/x", "data:,x", "x", ""])
def test_2_6_only_https_is_fetched(vct: str) -> None:
    shelf = Shelf()
    with pytest.raises(CredentialFormatError):
        resolve(shelf, vct)
    assert shelf.asked == []


def test_2_6_an_error_page_is_no_document() -> None:
    with pytest.raises(TransportError, match="404"):
        resolve(Shelf())


def test_2_6_a_document_is_bounded() -> None:
    shelf = Shelf()
    shelf.put(CITY, description="x" * MAX_DOCUMENT_BYTES)
    with pytest.raises(CredentialFormatError, match="bytes"):
        resolve(shelf)


def test_4_3_2_a_known_type_is_not_fetched() -> None:
    shelf = Shelf()
    known = {"urn:city": b'{"vct":"urn:city","display":[{"locale":"en","name":"City"}]}'}
    assert TypeMetadataResolver(shelf, known=known).resolve("urn:city").names == {"en": "City"}
    assert shelf.asked == []


def test_6_circular_extends_are_refused() -> None:
    shelf = Shelf()
    shelf.put(BASE, extends=CITY)
    shelf.put(CITY, extends=BASE)
    with pytest.raises(CredentialFormatError, match="circle"):
        resolve(shelf)


def test_6_a_chain_is_bounded() -> None:
    shelf = Shelf()
    for place in range(MAX_EXTENSIONS + 2):
        shelf.put(f"{CITY}/{place}", extends=f"{CITY}/{place + 1}")
    with pytest.raises(CredentialFormatError, match="extensions"):
        resolve(shelf, f"{CITY}/0")


def test_5_integrity_is_checked_all_along_the_chain() -> None:
    shelf = Shelf()
    base = shelf.put(BASE)
    city = shelf.put(CITY, extends=BASE, **{"extends#integrity": base})
    assert resolve(shelf, integrity=city).extends == (BASE,)
    shelf.put(BASE, display=[{"locale": "en", "name": "Changed"}])
    with pytest.raises(CredentialFormatError, match="not the one"):
        resolve(shelf, integrity=city)
    with pytest.raises(CredentialFormatError, match="not the one"):
        resolve(shelf, integrity=integrity_of(b"{}"))


def test_5_the_strongest_algorithm_decides() -> None:
    good, bad = b"document", b"another"
    verify_integrity(good, f"{integrity_of(bad)} {integrity_of(good, 'sha512')}")
    verify_integrity(good, f"{integrity_of(bad, 'sha384')} {integrity_of(good, 'sha384')}?option")
    with pytest.raises(CredentialFormatError):
        verify_integrity(good, f"{integrity_of(good)} {integrity_of(bad, 'sha512')}")


@pytest.mark.parametrize("integrity", ["", "md5-AAAA", "sha256", "sha256-", "sha256-%%%", "AAAA"])
def test_5_integrity_of_no_known_kind_refuses(integrity: str) -> None:
    with pytest.raises(CredentialFormatError):
        verify_integrity(b"document", integrity)


def test_4_3_4_a_document_with_integrity_is_kept_for_good() -> None:
    shelf, now = Shelf(cache_control="no-store"), [0.0]
    integrity = shelf.put(CITY)
    resolver = TypeMetadataResolver(shelf, clock=lambda: now[0])
    resolver.resolve(CITY, integrity=integrity)
    now[0] = 1e9
    resolver.resolve(CITY, integrity=integrity)
    assert shelf.asked == [CITY]


def test_4_3_4_otherwise_as_long_as_its_server_allows() -> None:
    shelf, now = Shelf(cache_control="public, max-age=60"), [0.0]
    shelf.put(CITY)
    resolver = TypeMetadataResolver(shelf, clock=lambda: now[0])
    for time_s in (0, 59, 60, 61):
        now[0] = time_s
        resolver.resolve(CITY)
    assert len(shelf.asked) == 2


def test_rfc9111_1_2_2_a_lifetime_too_long_to_read_is_the_longest() -> None:
    shelf, now = Shelf(cache_control=f"max-age={'9' * 5000}"), [0.0]
    shelf.put(CITY)
    resolver = TypeMetadataResolver(shelf, clock=lambda: now[0])
    for time_s in (0, 86_399, 86_401):
        now[0] = time_s
        resolver.resolve(CITY)
    assert len(shelf.asked) == 2


@pytest.mark.parametrize("header", ["", "no-store", "no-cache, max-age=60", "max-age=x"])
def test_4_3_4_without_a_lifetime_it_is_fetched_anew(header: str) -> None:
    shelf = Shelf(cache_control=header)
    shelf.put(CITY)
    resolver = TypeMetadataResolver(shelf, clock=lambda: 0.0)
    resolver.resolve(CITY)
    resolver.resolve(CITY)
    assert len(shelf.asked) == 2


@pytest.mark.parametrize(
    ("claim", "disclosed", "is_complete"),
    [
        ({"path": ["name"], "sd": "never"}, [("name",)], False),
        ({"path": ["name"], "sd": "always"}, [], False),
        ({"path": ["list", None], "sd": "always"}, [("list", 0)], False),
        ({"path": ["list", 1], "sd": "always"}, [("list", 0)], True),
        ({"path": ["salary"], "mandatory": True}, [], True),
    ],
)
def test_4_6_a_credential_against_its_type_is_refused(
    claim: dict[str, Any], disclosed: list[Any], is_complete: bool
) -> None:
    found = resolve(shelf_with([claim]))
    with pytest.raises(CredentialFormatError, match="type metadata"):
        found.check_credential(
            {"name": "x", "list": ["a", "b"]},
            disclosed_paths=tuple(disclosed),
            is_complete=is_complete,
        )


def test_4_6_a_verifier_does_not_take_absence_for_omission() -> None:
    found = resolve(shelf_with([{"path": ["salary"], "mandatory": True, "sd": "always"}]))
    found.check_credential({"name": "x"}, disclosed_paths=(), is_complete=False)


@pytest.mark.parametrize(
    "fields",
    [
        {"claims": "x"},
        {"claims": ["x"]},
        {"claims": [{}]},
        {"claims": [{"path": []}]},
        {"claims": [{"path": [True]}]},
        {"claims": [{"path": [-1]}]},
        {"claims": [{"path": ["a"]}, {"path": ["a"]}]},
        {"claims": [{"path": ["a"], "sd": "maybe"}]},
        {"claims": [{"path": ["a"], "mandatory": 1}]},
        {"claims": [{"path": ["a"], "svg_id": 1}]},
        {"claims": [{"path": ["a"], "display": [{"locale": "en"}]}]},
        {"display": [{"name": "x"}]},
        {"display": {}},
        {"extends": 1},
        {"extends": BASE, "extends#integrity": 1},
    ],
)
def test_a_malformed_document_is_refused(fields: dict[str, Any]) -> None:
    shelf = Shelf()
    shelf.put(BASE)
    shelf.put(CITY, **fields)
    with pytest.raises(CredentialFormatError):
        resolve(shelf)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(
    fields=st.fixed_dictionaries(
        {},
        optional={
            "claims": JSON | st.lists(st.dictionaries(st.sampled_from(["path", "sd"]), JSON)),
            "display": JSON,
            "extends": JSON,
            "extends#integrity": JSON,
        },
    )
)
def test_only_errors_of_ours_come_of_any_document(fields: dict[str, Any]) -> None:
    shelf = Shelf()
    shelf.put(CITY, **fields)
    with contextlib.suppress(ClientError):
        resolve(shelf)
