"""The consent screen lists exactly what a presentation shows, whatever the credential's shape."""

from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.jose import export_public_jwk, generate_key, parse_compact
from client_sdk.credentials.sd_jwt import parse_sd_jwt
from client_sdk.credentials.sd_jwt_vc import issue_credential, present_credential
from client_sdk.credentials.selective_disclosure import reveal
from client_sdk.errors import RequestError
from client_sdk.openid4vp.dcql import parse_query
from client_sdk.openid4vp.dcql_query import DcqlQuery
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.openid4vp.signed_request import VerifiedRequest
from client_sdk.wallet.consent import PendingRequest, find_answer
from client_sdk.wallet.records import StoredCredential

VCT = "urn:example:credential"
ISSUER_KEY, HOLDER_KEY = generate_key(), generate_key()
NOW_MS = 1_000_000
ALWAYS_SHOWN = {"iss", "iat", "exp", "cnf", "vct", "tegata"}


def credential(claims: JsonObject, *concealed: tuple[str | int, ...]) -> StoredCredential:
    sd_jwt = issue_credential(
        claims=claims,
        concealed=concealed,
        vct=VCT,
        issuer="https://issuer.example",
        issuer_key=ISSUER_KEY,
        issued_at=1,
        holder_key=export_public_jwk(HOLDER_KEY),
    )
    return StoredCredential(
        record_id="ab" * 16,
        credential_type=VCT,
        issuer="city@issuer",
        expires_at_ms=NOW_MS + 1,
        text=sd_jwt,
    )


def request(*paths: list[JsonValue], count: int = 1) -> VerifiedRequest:
    """Ask for the same claims `count` times."""
    query: JsonObject = {
        "id": "q",
        "format": "dc+sd-jwt",
        "meta": {"vct_values": [VCT]},
        "claims": [{"path": list(path)} for path in paths],
    }
    queries: list[JsonValue] = [{**query, "id": f"q{number}"} for number in range(count)]
    return ask({"credentials": queries})


def ask(query: JsonObject) -> VerifiedRequest:
    parsed: DcqlQuery = parse_query(query)
    return VerifiedRequest(
        request=PresentationRequest(
            client_id="x509_hash:" + "A" * 43,
            response_uri="https://gateway.example/responses/1",
            nonce="n" * 22,
            state=None,
            query=parsed,
            transaction_data=(),
            issued_at=1,
            expires_at=2,
        ),
        verifier_name="Somebody",
        is_anchored=True,
    )


def seen_by_verifier(pending: PendingRequest) -> JsonObject:
    presented = present_credential(
        pending.shown[0].credential.text,
        paths=pending.shown[0].paths,
        holder_key=HOLDER_KEY,
        audience="a",
        nonce="n",
        issued_at=2,
    )
    sd_jwt = parse_sd_jwt(presented)
    payload = parse_compact(sd_jwt.issuer_jwt).unverified_payload
    claims = reveal(payload, sd_jwt.disclosures).claims
    return {name: claim for name, claim in claims.items() if name not in ALWAYS_SHOWN}


def listed(pending: PendingRequest) -> set[tuple[tuple[str | int | None, ...], str]]:
    return {(share.path, repr(share.value)) for share in pending.shares}


def leaves(
    value: JsonValue, path: tuple[str | int, ...] = ()
) -> set[tuple[tuple[str | int, ...], str]]:
    items: list[tuple[str | int, JsonValue]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    if not items:
        return {(path, repr(value))}
    return set().union(*(leaves(member, (*path, name)) for name, member in items))


def test_what_comes_along_with_a_claim_is_listed() -> None:
    held = credential({"address": {"locality": "Kyoto", "street": "Secret 1"}}, ("address",))
    pending = find_answer(request(["address", "locality"]), [held], now_ms=NOW_MS)
    assert listed(pending) == {
        (("address", "locality"), "'Kyoto'"),
        (("address", "street"), "'Secret 1'"),
    }


def test_what_the_issuer_left_open_is_listed() -> None:
    held = credential({"name": "A", "birth_date": "1990-01-01"}, ("name",))
    pending = find_answer(request(["name"]), [held], now_ms=NOW_MS)
    assert {share.path for share in pending.shares} == {("name",), ("birth_date",)}


def test_only_what_is_asked_of_a_finely_concealed_credential_is_listed() -> None:
    held = credential(
        {"address": {"locality": "Kyoto", "street": "Secret 1"}},
        *(("address", "locality"), ("address", "street")),
    )
    pending = find_answer(request(["address", "locality"]), [held], now_ms=NOW_MS)
    assert listed(pending) == {(("address", "locality"), "'Kyoto'")}


class TestSets:
    """OpenID4VP 1.0 section 6.4.2: credential sets, as the holder is asked about them."""

    QUERY: ClassVar[JsonObject] = {
        "credentials": [
            {
                "id": name,
                "format": "dc+sd-jwt",
                "meta": {"vct_values": [VCT]},
                "claims": [{"path": [name]}],
            }
            for name in ("name", "address", "phone", "car")
        ],
        "credential_sets": [
            {"options": [["car"], ["name", "address"], ["name"]]},
            {"options": [["phone"]], "required": False},
            {"options": [["car"]], "required": False},
        ],
    }

    def pending(self) -> PendingRequest:
        held = credential({"name": "A", "address": "K", "phone": "0"}, ("name",), ("address",))
        return find_answer(ask(self.QUERY), [held], now_ms=NOW_MS)

    def test_the_first_option_that_is_there_and_nothing_optional(self) -> None:
        pending = self.pending()
        assert [shown.query_id for shown in pending.shown] == ["name", "address"]
        assert [asked.options for asked in pending.sets] == [
            (("name", "address"), ("name",)),
            (("phone",),),
            (),
        ]
        assert [asked.required for asked in pending.sets] == [True, False, False]

    def test_the_holder_chooses(self) -> None:
        pending = self.pending().choose(0, 1).choose(1, 0)
        assert [shown.query_id for shown in pending.shown] == ["name", "phone"]
        assert [shown.query_id for shown in pending.choose(1, None).shown] == ["name"]

    def test_what_cannot_be_chosen(self) -> None:
        pending = self.pending()
        for place, option in ((0, None), (0, 2), (0, -1), (2, 0), (3, 0), (-1, 0)):
            with pytest.raises(RequestError):
                pending.choose(place, option)

    def test_nothing_for_a_required_set(self) -> None:
        held = credential({"phone": "0"}, ("phone",))
        with pytest.raises(RequestError, match="the credential has no car"):
            find_answer(ask(self.QUERY), [held], now_ms=NOW_MS)


def test_all_credentials_of_a_query_without_sets() -> None:
    held = credential({"name": "A", "car": "B"}, ("name",), ("car",))
    asked = request(["name"], count=2)
    assert [shown.query_id for shown in find_answer(asked, [held], now_ms=NOW_MS).shown] == [
        "q0",
        "q1",
    ]


def test_another_credential_or_several_of_them() -> None:
    one, two = credential({"name": "A"}, ("name",)), credential({"name": "B"}, ("name",))
    two = replace(two, record_id="cd" * 16)
    pending = find_answer(request(["name"]), [one, two], now_ms=NOW_MS)
    assert [share.value for share in pending.shares] == ["A"]
    assert [share.value for share in pending.use("q0", two.record_id).shares] == ["B"]
    for records in ((), ("ef" * 16,), (one.record_id, two.record_id)):
        with pytest.raises(RequestError):
            pending.use("q0", *records)
    query = request(["name"]).request.query.to_fields()
    query["credentials"][0]["multiple"] = True  # type: ignore[index,call-overload]
    many = find_answer(ask(query), [one, two], now_ms=NOW_MS)
    assert [share.value for share in many.shares] == ["A"]
    both = many.use("q0", one.record_id, two.record_id)
    assert [share.value for share in both.shares] == ["A", "B"]


NAMES = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.recursive(
    st.text(max_size=5) | st.booleans(),
    lambda inner: (
        st.dictionaries(NAMES, inner, min_size=1, max_size=3)
        | st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@given(claims=st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), data=st.data())
def test_the_list_is_what_the_verifier_sees(claims: JsonObject, data: st.DataObject) -> None:
    places = [path for path, _ in leaves(claims)]
    prefixes = sorted({path[: n + 1] for path in places for n in range(len(path))}, key=repr)
    concealed = data.draw(st.lists(st.sampled_from(prefixes), unique=True))
    asked = data.draw(st.sampled_from(prefixes))
    pending = find_answer(request(list(asked)), [credential(claims, *concealed)], now_ms=NOW_MS)
    assert listed(pending) == leaves(seen_by_verifier(pending))
