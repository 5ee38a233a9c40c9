"""The escrow agent's configuration: one TOML file."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from chaincode.ids import ACCOUNT_ID
from client_sdk.errors import RequestError
from client_sdk.http.endpoint_url import parse_endpoint
from node.config import ConfigPath, LedgerAccess, ProcessConfig
from node.database import DatabaseUrl
from node.escrow.policy import GuessPolicy
from node.jwk_files import TrustedSigner


def _endpoint(text: str) -> str:
    try:
        return parse_endpoint(text.rstrip("/"), "URL")
    except RequestError as error:
        raise ValueError(str(error)) from None


class Guessing(BaseModel):
    """How often a password may be tried (`node.escrow.policy.GuessPolicy`).

    Attributes:
        budget: How many attempts without success there are before the share is erased.
        unaided: How many of them need no word of an issuer's counter.
        prompt: How many of them need no delay.
        first_delay_seconds: The delay after those; it doubles each time.
        longest_delay_seconds: Where it stops doubling.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    budget: int = Field(default=10, ge=1, le=100)
    unaided: int = Field(default=6, ge=1)
    prompt: int = Field(default=2, ge=1)
    first_delay_seconds: int = Field(default=30, ge=1)
    longest_delay_seconds: int = Field(default=86_400, ge=1)

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if not self.prompt <= self.unaided <= self.budget:
            raise ValueError("prompt <= unaided <= budget is expected")
        return self

    @property
    def policy(self) -> GuessPolicy:
        """The rules' form of it."""
        return GuessPolicy(
            budget=self.budget,
            unaided=self.unaided,
            prompt=self.prompt,
            first_delay_ms=self.first_delay_seconds * 1000,
            longest_delay_ms=self.longest_delay_seconds * 1000,
        )


class TrustedFaceService(TrustedSigner):
    """A face service whose tests this agent takes.

    Attributes:
        url: Where wallets reach it, as this agent tells them; None where it does not tell.
    """

    url: Annotated[str, AfterValidator(_endpoint)] | None = None


class RecoveryKey(BaseModel):
    """What an agent needs to sign for the escrow account together with the others.

    Attributes:
        escrow_account: The account whose key the agents share.
        share_file: This agent's share, as `keygen` wrote it.
        ledger: The ledger, and the account as which this agent reads it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    escrow_account: str = Field(pattern=f"^{ACCOUNT_ID.pattern}$")
    share_file: ConfigPath
    ledger: LedgerAccess


class EscrowConfig(ProcessConfig):
    """`escrow.toml`. Relative paths are taken from the file's folder.

    Attributes:
        name: Who runs this agent, as holders will see it.
        public_url: Where wallets reach it; https, or http on this machine.
        listen: `host:port` to bind; port 0 takes any free one.
        metrics: `host:port` where Prometheus finds `/metrics`; nowhere where it is left out.
        database_url: SQLAlchemy's URL of the store.
        signing_key_file: The agent's private JWK, Ed25519: holders know the agent by it, and the
            store's shares are sealed under it.
        guessing: How often a password may be tried.
        withdrawal_delay_seconds: How long a withdrawal by one who only holds the wallet waits, so
            that its owner can still recover, and veto it with the card.
        face_required: Whether each evaluation needs a face attestation.
        max_deposits: How many deposits this agent keeps at most.
        issuers: Whose counters it trusts.
        face_services: Whose face tests it trusts.
        recovery: The share with which it signs recoveries; None for an agent that only keeps
            deposits.
    """

    environment_prefix = "TEGATA_ESCROW_"

    name: str = Field(min_length=1, max_length=100)
    public_url: Annotated[str, AfterValidator(_endpoint)]
    listen: str = "127.0.0.1:8082"
    metrics: str | None = None
    database_url: DatabaseUrl = "sqlite:///escrow.db"
    signing_key_file: ConfigPath
    guessing: Guessing = Guessing()
    withdrawal_delay_seconds: int = Field(default=3 * 86_400, ge=0)
    face_required: bool = False
    max_deposits: int = Field(default=1_000_000, ge=1)
    issuers: tuple[TrustedSigner, ...] = ()
    face_services: tuple[TrustedFaceService, ...] = ()
    recovery: RecoveryKey | None = None

    @model_validator(mode="after")
    def _has_face_services(self) -> Self:
        if self.face_required and not self.face_services:
            raise ValueError("face_required: without face_services nobody could pass")
        return self
