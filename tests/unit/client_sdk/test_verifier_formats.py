"""The same named checks on every format, from the issuer's terms to the verified attribute."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from support.presentation_world import (
    ATTRIBUTES,
    GATEWAY,
    HOLDER,
    LEDGER_ID,
    NOW_MS,
    RESIDENT,
    World,
    key_of_account,
)

from client_sdk.checks import VerificationReport
from client_sdk.credentials.jose import export_public_jwk, generate_key
from client_sdk.did.ledger_did import ledger_did
from client_sdk.errors import ClientError
from client_sdk.formats import FORMATS, HolderBinding, find_format
from client_sdk.openid4vp.dcql_query import ClaimsQuery, CredentialQuery, DcqlQuery
from client_sdk.openid4vp.grant_offer import GrantOffer, encode_grant_offer
from client_sdk.openid4vp.request_object import PresentationRequest

W3C = [name for name in FORMATS if name != "dc+sd-jwt"]
every_format = pytest.mark.parametrize("name", FORMATS)


@dataclass
class FormatWorld:
    """An issuer, a holder and a verifier of one format."""

    name: str
    world: World = field(default_factory=World)
    changes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kind = find_format(self.name)
        self.request = self.make_request()
        self.credential = self.kind.issue(self.world.terms(**self.changes), self.world.issuer_key)
        self.anchor()

    def anchor(self, **changes: Any) -> None:
        self.world.anchor(self.credential, self.name, **changes)

    def make_request(self) -> PresentationRequest:
        path = (*map(str, self.kind.attribute_prefix), "address")
        is_sd_jwt_vc = self.name == "dc+sd-jwt"
        query = CredentialQuery(
            id="resident",
            format=self.name,
            vct_values=(RESIDENT,) if is_sd_jwt_vc else (),
            type_values=() if is_sd_jwt_vc else ((RESIDENT, "VerifiableCredential"),),
            claims=(ClaimsQuery(path=path),),
        )
        offer = GrantOffer(
            query_id="resident",
            verifier=self.world.identity.client_id,
            verifier_name=self.world.identity.name,
            attributes=(path,),
            purpose="Residence certificate",
            expires_at_ms=NOW_MS + 600_000,
            uses=1,
            gateway=GATEWAY,
            ledger=LEDGER_ID,
        )
        return self.world.request(
            query=DcqlQuery(credentials=(query,)), transaction_data=(encode_grant_offer(offer),)
        )

    def present(self) -> Any:
        proof = self.world.grant(self.request)
        presentation = self.kind.present(
            self.credential,
            paths=[(*self.kind.attribute_prefix, "address")],
            holder_key=key_of_account(self.world.holder),
            binding=HolderBinding(
                audience=self.request.client_id,
                nonce=self.request.nonce,
                issued_at=NOW_MS // 1000,
                extra_claims=proof.to_claims(self.request.transaction_data),
            ),
        )
        return self.kind.to_wire(presentation)

    def report(self) -> VerificationReport:
        return self.world.verifier.report({"resident": [self.present()]}, self.request)


def failed(report: VerificationReport) -> str | None:
    return next((check.name for check in report.checks if check.passed is False), None)


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
