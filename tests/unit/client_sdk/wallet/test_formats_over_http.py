"""A credential of each format, from a wallet to a gateway: asked for by a query, over HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.grant_world import GrantWorld
from support.presentation_world import ATTRIBUTES, ISSUER, NOW_MS, RESIDENT

from client_sdk.errors import TransportError
from client_sdk.formats import FORMATS, find_format
from client_sdk.ledger.grants import new_record_id
from client_sdk.openid4vp.dcql_query import ClaimsQuery, CredentialQuery, DcqlQuery
from client_sdk.wallet.records import StoredCredential

# An address is seldom ASCII.
ADDRESS = "東京都港区芝公園1-5-25"
every_format = pytest.mark.parametrize("name", FORMATS)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GrantWorld]:
    # Responses that are not encrypted can be looked at on their way.
    made = GrantWorld(tmp_path, encrypt_responses=False)
    yield made
    made.close()


def hold(world: GrantWorld, name: str) -> None:
    """Put a credential of a format into the wallet."""
    kind, parts = find_format(name), world.gateway.world
    parts.record_id = new_record_id()
    terms = parts.terms(attributes={**ATTRIBUTES, "address": ADDRESS})
    text = kind.issue(terms, parts.issuer_key)
    parts.anchor(text, name)
    credential = StoredCredential(
        record_id=parts.record_id,
        credential_type=RESIDENT,
        issuer=ISSUER,
        expires_at_ms=NOW_MS + 86_400_000,
        text=text,
        format=name,
    )
    world.wallet._session.update(lambda contents: contents.with_credential(credential))


def query_for(name: str) -> DcqlQuery:
    """Return a query for the address in a credential of a format."""
    is_sd_jwt_vc = name == "dc+sd-jwt"
    query = CredentialQuery(
        id="resident",
        format=name,
        vct_values=(RESIDENT,) if is_sd_jwt_vc else (),
        type_values=() if is_sd_jwt_vc else ((RESIDENT,),),
        claims=(ClaimsQuery(path=(*map(str, find_format(name).attribute_prefix), "address")),),
    )
    return DcqlQuery(credentials=(query,))


@every_format
def test_a_query_is_answered_and_the_look_stands_in_the_history(
    world: GrantWorld, name: str
) -> None:
    hold(world, name)
    with world.verifier() as city:
        created = city.ask_query(query_for(name), purpose="Residence certificate")
        world.consent(world.wallet.presentation.read_request(created.link))
        result = city.result(created.request_id)
    assert (result.state, result.refusal) == ("accepted", None)
    shown: Any = result.attributes
    for step in find_format(name).attribute_prefix:
        shown = shown[step]
    assert shown == {"address": ADDRESS}
    (entry,) = world.wallet.history()
    assert entry.finding is None


@every_format
def test_a_presentation_travels_as_the_specification_says(world: GrantWorld, name: str) -> None:
    """OpenID4VP 1.0 section 8.1: an object where the format is JSON, a text elsewhere."""
    hold(world, name)
    with world.verifier() as city:
        created = city.ask_query(query_for(name), purpose="Residence certificate")
    pending = world.wallet.presentation.read_request(created.link)
    assert name in pending.request.formats
    world.wallet_line.kept = []
    with pytest.raises(TransportError):
        world.consent(pending)
    (form,) = world.wallet_line.kept
    ((presentation,),) = json.loads(form["vp_token"]).values()
    assert isinstance(presentation, dict if name == "ldp_vc" else str)


def test_the_request_lists_exactly_the_formats_that_are_verified(world: GrantWorld) -> None:
    with world.verifier() as city:
        created = city.ask(["address"], purpose="Residence certificate")
    pending = world.wallet.presentation.read_request(created.link)
    assert pending.request.formats.keys() == FORMATS.keys()
