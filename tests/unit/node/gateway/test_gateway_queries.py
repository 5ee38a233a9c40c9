"""Whole queries at the gateway: several credentials, combinations, sets (OpenID4VP 1.0, 6)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.gateway_world import GatewayWorld
from support.presentation_world import ATTRIBUTES, ISSUER, RESIDENT

from chaincode.encoding import JsonObject
from client_sdk.credentials.sd_jwt_vc import disclose_credential
from client_sdk.errors import RequestError
from client_sdk.openid4vp.dcql import parse_query
from client_sdk.openid4vp.grant_offer import GrantProof
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.openid4vp.response import build_response
from node.gateway.presentations import ResponseRefusedError
from node.gateway.question import Question
from node.gateway.store import StoredRequest

NO_GRANT = GrantProof(ledger="", account="", grant="", receipt_key=b"", opening="")
"""Where the terms of a grant are not signed, because none is asked for."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayWorld]:
    world = GatewayWorld(tmp_path)
    yield world
    world.close()


def credential(query_id: str, *names: str, **members: Any) -> JsonObject:
    claims: JsonObject = {"claims": [{"path": [name], "id": name} for name in names]}
    return {
        "id": query_id,
        "format": "dc+sd-jwt",
        "meta": {"vct_values": [RESIDENT]},
        **(claims if names else {}),
        **members,
    }


def ask(
    gateway: GatewayWorld, *credentials: JsonObject, **members: Any
) -> tuple[StoredRequest, PresentationRequest]:
    query = parse_query({"credentials": [*credentials], **members})
    question = Question(query=query, purpose="A test", grant_seconds=600)
    stored = gateway.presentations.create("city", question)
    link = {"link": gateway.presentations.link(stored)}
    return stored, gateway.fetch(link).request


def send(
    gateway: GatewayWorld, stored: StoredRequest, request: PresentationRequest, **shown: list[str]
) -> StoredRequest:
    form = build_response(shown, request=request)
    gateway.presentations.answer(stored.id, form.items())
    return gateway.presentations.find("city", stored.id)


def refused(
    gateway: GatewayWorld, stored: StoredRequest, request: PresentationRequest, **shown: list[str]
) -> tuple[str, str]:
    """Return the check that failed, and why."""
    with pytest.raises(ResponseRefusedError):
        send(gateway, stored, request, **shown)
    checks = gateway.presentations.find("city", stored.id).checks or []
    (failed,) = [check for check in checks if check["passed"] is False]
    return failed["name"], failed["detail"]


def test_two_credentials_with_a_grant_each(gateway: GatewayWorld) -> None:
    stored, request = ask(gateway, credential("a", "address"), credential("n", "name"))
    assert len(request.transaction_data) == 2
    shown = {name: [gateway.world.present(request, query_id=name)] for name in ("a", "n")}
    result = send(gateway, stored, request, **shown)
    assert result.state == "accepted"
    assert result.shown == {name: ATTRIBUTES[name] for name in ("address", "name")}
    assert [one["query_id"] for one in result.credentials or []] == ["a", "n"]
    assert [one["issuer"] for one in result.credentials or []] == [ISSUER] * 2
    assert len({one["grant"] for one in result.credentials or []}) == 2


def test_section_8_6_every_required_credential_is_needed(gateway: GatewayWorld) -> None:
    stored, request = ask(gateway, credential("a", "address"), credential("n", "name"))
    shown = gateway.world.present(request, query_id="a")
    check, why = refused(gateway, stored, request, a=[shown])
    assert check == "request_match"
    assert "every credential" in why


def test_a_grant_of_one_credential_does_not_do_for_another(gateway: GatewayWorld) -> None:
    stored, request = ask(gateway, credential("a", "address"), credential("n", "name"))
    shown = gateway.world.present(request, query_id="a")
    assert refused(gateway, stored, request, a=[shown], n=[shown])[0] == "holder_binding"


def test_section_8_1_one_presentation_unless_several_are_asked_for(gateway: GatewayWorld) -> None:
    stored, request = ask(gateway, credential("a", "address"))
    shown = [gateway.world.present(request) for _ in range(2)]
    assert refused(gateway, stored, request, a=shown)[0] == "request_match"
    stored, request = ask(gateway, credential("a", "address", multiple=True))
    shown = [gateway.world.present(request) for _ in range(2)]
    assert len(send(gateway, stored, request, a=shown).credentials or []) == 2


def test_section_8_1_nothing_that_was_not_asked_for(gateway: GatewayWorld) -> None:
    stored, request = ask(gateway, credential("a", "address"))
    shown = gateway.world.present(request)
    assert refused(gateway, stored, request, a=[shown], other=[shown])[0] == "request_match"


class TestCombinations:
    def ask(self, gateway: GatewayWorld) -> tuple[StoredRequest, PresentationRequest]:
        names = ("birth_date", "name", "address")
        sets = [["birth_date"], ["name", "address"]]
        return ask(gateway, credential("a", *names, claim_sets=sets))

    def test_one_of_them_is_granted_and_shown(self, gateway: GatewayWorld) -> None:
        stored, request = self.ask(gateway)
        paths = (("address",), ("name",))
        proof = gateway.world.grant(request, attributes=paths)
        shown = gateway.world.present(request, proof, paths=paths)
        result = send(gateway, stored, request, a=[shown])
        assert result.shown == {name: ATTRIBUTES[name] for name in ("address", "name")}

    def test_a_grant_of_another_combination(self, gateway: GatewayWorld) -> None:
        stored, request = self.ask(gateway)
        proof = gateway.world.grant(request, attributes=(("birth_date",),))
        shown = gateway.world.present(request, proof, paths=[("address",), ("name",)])
        assert refused(gateway, stored, request, a=[shown])[0] == "grant"

    def test_half_of_one_or_more_than_one(self, gateway: GatewayWorld) -> None:
        stored, request = self.ask(gateway)
        for paths in ([("name",)], [("name",), ("birth_date",)]):
            shown = gateway.world.present(request, paths=paths)
            assert refused(gateway, stored, request, a=[shown])[0] == "request_match"


def test_section_6_4_2_an_optional_credential_may_stay_away(gateway: GatewayWorld) -> None:
    sets = [{"options": [["a"]]}, {"options": [["n"]], "required": False}]
    for names in (["a"], ["a", "n"]):
        stored, request = ask(
            gateway, credential("a", "address"), credential("n", "name"), credential_sets=sets
        )
        shown = {name: [gateway.world.present(request, query_id=name)] for name in names}
        assert send(gateway, stored, request, **shown).state == "accepted"
    stored, request = ask(
        gateway, credential("a", "address"), credential("n", "name"), credential_sets=sets
    )
    shown = {"n": [gateway.world.present(request, query_id="n")]}
    assert refused(gateway, stored, request, **shown)[0] == "request_match"


def test_section_6_4_1_without_claims_nothing_is_disclosed(gateway: GatewayWorld) -> None:
    stored, request = ask(gateway, credential("a"))
    result = send(gateway, stored, request, a=[gateway.world.present(request)])
    assert result.shown == {}
    stored, request = ask(gateway, credential("a"))
    shown = gateway.world.present(request, paths=[("name",)])
    assert refused(gateway, stored, request, a=[shown])[0] == "request_match"


class TestWithoutHolderBinding:
    """Section 5.3: a verifier may ask for a credential without a proof of its holder."""

    QUERY = credential("a", "address", require_cryptographic_holder_binding=False)

    def test_the_checks_of_the_holder_are_waived(self, gateway: GatewayWorld) -> None:
        stored, request = ask(gateway, self.QUERY)
        assert request.transaction_data == ()
        shown = disclose_credential(gateway.world.credential, paths=[("address",)])
        result = send(gateway, stored, request, a=[shown])
        assert result.shown == {"address": ATTRIBUTES["address"]}
        passed = {check["name"]: check["passed"] for check in result.checks or []}
        waived = {"holder_binding", "nonce", "holder_key", "recovery", "grant"}
        assert {name for name, value in passed.items() if value is None} == waived
        assert False not in passed.values()

    def test_a_proof_that_is_there_is_checked(self, gateway: GatewayWorld) -> None:
        stored, request = ask(gateway, self.QUERY)
        shown = gateway.world.present(request, NO_GRANT, extra_claims={})
        assert send(gateway, stored, request, a=[shown]).state == "accepted"
        stored, request = ask(gateway, self.QUERY)
        replayed = gateway.world.present(request, NO_GRANT, extra_claims={}, nonce="n" * 22)
        assert refused(gateway, stored, request, a=[replayed])[0] == "nonce"

    def test_section_8_6_elsewhere_it_is_required(self, gateway: GatewayWorld) -> None:
        stored, request = ask(gateway, credential("a", "address"))
        shown = disclose_credential(gateway.world.credential, paths=[("address",)])
        assert refused(gateway, stored, request, a=[shown])[0] == "holder_binding"


def test_a_format_that_is_not_verified_here_is_not_asked_for(gateway: GatewayWorld) -> None:
    with pytest.raises(RequestError, match="format mso_mdoc is not verified"):
        ask(gateway, {"id": "m", "format": "mso_mdoc", "meta": {}})


def test_an_issuer_by_its_ledger(gateway: GatewayWorld) -> None:
    for ledger, state in (("ab" * 32, "accepted"), ("cd" * 32, "refused")):
        trusted = [{"type": "tegata_ledger", "values": [ledger]}]
        stored, request = ask(gateway, credential("a", "address", trusted_authorities=trusted))
        shown = [gateway.world.present(request)]
        if state == "accepted":
            assert send(gateway, stored, request, a=shown).state == state
        else:
            assert refused(gateway, stored, request, a=shown)[0] == "request_match"


class TestOverHttp:
    """A verifier asks by a whole query instead of attributes."""

    def ask(self, gateway: GatewayWorld, **fields: Any) -> Any:
        body = {"purpose": "A test", **fields}
        return gateway.client.post("/requests", json=body, headers=gateway.headers())

    def test_a_query_and_its_result_by_credential(self, gateway: GatewayWorld) -> None:
        query = {"credentials": [credential("a", "address"), credential("n", "name")]}
        created = self.ask(gateway, dcql_query=query).get_json()
        request = gateway.fetch(created).request
        assert request.query.to_fields() == parse_query(query).to_fields()
        shown = {name: [gateway.world.present(request, query_id=name)] for name in ("a", "n")}
        form = build_response(shown, request=request)
        path = f"/oid4vp/responses/{created['id']}"
        assert gateway.client.post(path, data=form).status_code == 200
        result = gateway.read(created["id"])
        assert result["requested"] == ["address", "name"]
        assert {one["query_id"]: one["attributes"] for one in result["credentials"]} == {
            "a": {"address": ATTRIBUTES["address"]},
            "n": {"name": ATTRIBUTES["name"]},
        }

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"attributes": ["name"], "dcql_query": {"credentials": [credential("a")]}},
            {"attributes": None},
            {"dcql_query": None},
            {"dcql_query": {}},
            {"dcql_query": {"credentials": [credential("a", format="mso_mdoc")]}},
            {"dcql_query": {"credentials": [credential("a"), credential("a")]}},
        ],
    )
    def test_what_is_no_question(self, gateway: GatewayWorld, fields: dict[str, Any]) -> None:
        assert self.ask(gateway, **fields).status_code == 422
