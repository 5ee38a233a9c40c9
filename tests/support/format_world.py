"""A presentation world of any credential format: a query for the address, and its answer."""

from dataclasses import dataclass, field
from typing import Any

from support.presentation_world import (
    GATEWAY,
    LEDGER_ID,
    NOW_MS,
    RESIDENT,
    World,
    key_of_account,
)

from client_sdk.checks import VerificationReport
from client_sdk.formats import HolderBinding, find_format
from client_sdk.openid4vp.dcql_query import ClaimsQuery, CredentialQuery, DcqlQuery
from client_sdk.openid4vp.grant_offer import GrantOffer, encode_grant_offer
from client_sdk.openid4vp.request_object import PresentationRequest


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
    """Return the name of the check that failed."""
    return next((check.name for check in report.checks if check.passed is False), None)


def refusal(report: VerificationReport) -> tuple[str, str]:
    """Return the name and the words of the check that failed."""
    return next((check.name, check.detail) for check in report.checks if check.passed is False)
