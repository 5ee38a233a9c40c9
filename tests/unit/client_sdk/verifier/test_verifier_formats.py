"""The same named checks on every format, from the issuer's terms to the verified attribute."""

from typing import Any

import pytest
from support.format_world import FormatWorld, failed
from support.presentation_world import ATTRIBUTES, HOLDER, LEDGER_ID, RESIDENT

from client_sdk.credentials.jose import export_public_jwk, generate_key
from client_sdk.did.ledger_did import ledger_did
from client_sdk.errors import ClientError
from client_sdk.formats import FORMATS

W3C = [name for name in FORMATS if name != "dc+sd-jwt"]
every_format = pytest.mark.parametrize("name", FORMATS)


@every_format
def test_a_genuine_presentation_passes_every_check(name: str) -> None:
    made = FormatWorld(name)
    report = made.report()
    assert failed(report) is None
    assert all(check.passed for check in report.checks)
    shown: Any = report.attributes
    for step in made.kind.attribute_prefix:
        shown = shown[step]
    assert shown == {"address": ATTRIBUTES["address"]}
    assert report.credentials[0].credential_type == RESIDENT


@every_format
def test_a_revoked_credential_is_refused(name: str) -> None:
    made = FormatWorld(name)
    made.anchor(state="revoked")
    assert failed(made.report()) == "status"


@every_format
def test_a_credential_that_is_not_the_anchored_one_is_refused(name: str) -> None:
    made = FormatWorld(name)
    made.anchor(salted_hash=bytes(32))
    assert failed(made.report()) == "anchor"


@every_format
def test_an_issuer_that_is_not_registered_for_the_type_is_refused(name: str) -> None:
    made = FormatWorld(name)
    made.world.register(credential_types=("urn:library",))
    assert failed(made.report()) == "issuer_trusted"


@every_format
def test_an_unregistered_key_is_refused(name: str) -> None:
    made = FormatWorld(name)
    made.world.register(keys=(export_public_jwk(generate_key()),))
    assert failed(made.report()) == "issuer_trusted"


@every_format
def test_a_replaced_key_of_the_holder_is_refused(name: str) -> None:
    made = FormatWorld(name)
    made.world.ledger.keys[HOLDER] = frozenset({f"ed0120{'ab' * 32}"})
    assert failed(made.report()) == "holder_key"


@pytest.mark.parametrize("name", W3C)
def test_a_credential_that_names_another_issuer_than_its_anchor_is_refused(name: str) -> None:
    made = FormatWorld(name, changes={"issuer_did": ledger_did(LEDGER_ID, "other@tegata")})
    assert failed(made.report()) == "issuer_trusted"


def test_a_second_type_needs_a_registration_too() -> None:
    """`aka_vcts` would let a library card pass for a residence certificate."""
    made = FormatWorld(
        "dc+sd-jwt",
        changes={
            "credential_type": "urn:library",
            "attributes": {**ATTRIBUTES, "aka_vcts": [RESIDENT]},
        },
    )
    made.world.register(credential_types=("urn:library",))
    assert failed(made.report()) == "issuer_trusted"
    made.world.register(credential_types=("urn:library", RESIDENT))
    assert failed(made.report()) is None


@every_format
def test_an_answer_of_another_format_is_refused(name: str) -> None:
    made = FormatWorld(name)
    other = FormatWorld("ldp_vc" if name != "ldp_vc" else "dc+sd-jwt").present()
    with pytest.raises(ClientError):
        made.world.verifier.verify_answer({"resident": [other]}, made.request)
