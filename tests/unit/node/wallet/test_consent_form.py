"""The choices of the consent page: what the page did not list is never shown."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.grant_world import GrantWorld

from chaincode.encoding import JsonObject
from client_sdk.errors import RequestError
from client_sdk.openid4vp.dcql import parse_query
from client_sdk.wallet.consent import PendingRequest
from node.wallet.consent_form import apply_choices, choices_of, digest_of

VCT = "urn:tegata:credential:resident:1"


def query_for(query_id: str, *names: str) -> JsonObject:
    return {
        "id": query_id,
        "format": "dc+sd-jwt",
        "meta": {"vct_values": [VCT]},
        "claims": [{"path": [name]} for name in names],
    }


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GrantWorld]:
    made = GrantWorld(tmp_path)
    yield made
    made.close()


@pytest.fixture
def pending(world: GrantWorld) -> PendingRequest:
    """The address, on wish the date of birth, and either the name or name and date of birth."""
    query = parse_query(
        {
            "credentials": [
                query_for("home", "address"),
                query_for("born", "birth_date"),
                query_for("called", "name"),
                query_for("whole", "name", "birth_date"),
            ],
            "credential_sets": [
                {"options": [["home"]]},
                {"options": [["born"]], "required": False},
                {"options": [["called"], ["whole"]]},
            ],
        }
    )
    with world.verifier() as city:
        created = city.ask_query(query, purpose="Certificate of residence")
    return world.wallet.presentation.read_request(created.link)


def shown(pending: PendingRequest) -> set[str]:
    return {str(share.path[0]) for share in pending.shares}


def test_what_there_is_to_choose(pending: PendingRequest) -> None:
    switch, either = choices_of(pending)
    assert (switch.name, switch.is_switch) == ("set-1", True)
    assert (either.name, either.is_switch, len(either.options)) == ("set-2", False, 2)


def test_a_switch_that_is_off_shows_nothing(pending: PendingRequest) -> None:
    assert shown(apply_choices(pending, {"set-2": "0"})) == {"address", "name"}
    chosen = apply_choices(pending, {"set-1": "0", "set-2": "1"})
    assert shown(chosen) == {"address", "name", "birth_date"}


@pytest.mark.parametrize(
    "form", [{}, {"set-2": "none"}, {"set-2": "2"}, {"set-2": "-1"}, {"set-1": "x", "set-2": "0"}]
)
def test_a_choice_that_the_page_has_not_is_refused(
    pending: PendingRequest, form: dict[str, str]
) -> None:
    with pytest.raises(RequestError):
        apply_choices(pending, form)


def test_each_listing_has_a_digest_of_its_own(pending: PendingRequest) -> None:
    forms = ({"set-2": "0"}, {"set-2": "1"}, {"set-1": "0", "set-2": "0"})
    assert len({digest_of(apply_choices(pending, form)) for form in forms}) == 3
    assert digest_of(apply_choices(pending, forms[0])) == digest_of(
        apply_choices(pending, {**forms[0], "set-0": "nonsense"})
    )
