"""The gateway's configuration: one TOML file."""

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from client_sdk.errors import LightBlockError, RequestError
from client_sdk.face.demand import MAX_SERVICES
from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.ledger.light_client import parse_trusted_header
from client_sdk.openid4vp.verifier_registration import MAX_REGISTRATIONS
from node.config import ConfigPath, LedgerAccess, ProcessConfig, in_folder
from node.database import DatabaseUrl
from node.jwk_files import TrustedSigner
from node.web.logins import LoginConfig, check_logins
from node.web.rate_limit import Rate

FILE_NAME: Final = "gateway.toml"


def _endpoint(text: str) -> str:
    try:
        return parse_endpoint(text.rstrip("/"), "the address")
    except RequestError as error:
        raise ValueError(str(error)) from None


def _trusted_header(text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        return parse_trusted_header(text)
    except LightBlockError as error:
        raise ValueError(str(error)) from None


class VerifierConfig(BaseModel):
    """One verifier that this gateway serves.

    Attributes:
        id: A short name for logs and configuration.
        client_id_prefix: How wallets know it (OpenID4VP 1.0 section 5.9.3): by its certificate
            (`x509_hash`), by a DNS name in it that this service has (`x509_san_dns`), by a DID
            (`decentralized_identifier`), or not at all (`redirect_uri`: wallets warn).
        certificate_chain_file: PEM; the verifier's certificate first. For the kinds of X.509.
        private_key_file: PEM; the key of that certificate or of the DID.
        did_key: Which key of which DID that is, such as `did:web:city.example#key-1`; without it
            the key's own `did:jwk` is used.
        registration_files: Registration certificates: what it may ask, for which purpose.
        may_exceed_registration: Whether requests for more are made all the same; wallets warn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9_-]{1,64}$")
    client_id_prefix: Literal[
        "x509_hash", "x509_san_dns", "decentralized_identifier", "redirect_uri"
    ] = "x509_hash"
    certificate_chain_file: Annotated[Path, AfterValidator(in_folder)] | None = None
    private_key_file: Annotated[Path, AfterValidator(in_folder)] | None = None
    did_key: str | None = None
    registration_files: tuple[Annotated[Path, AfterValidator(in_folder)], ...] = Field(
        default=(), max_length=MAX_REGISTRATIONS
    )
    may_exceed_registration: bool = False

    @model_validator(mode="after")
    def _what_its_prefix_needs(self) -> Self:
        by_certificate = self.client_id_prefix.startswith("x509_")
        if by_certificate is not (self.certificate_chain_file is not None):
            raise ValueError("certificate_chain_file: for the prefixes of X.509, and no others")
        if (self.client_id_prefix == "redirect_uri") is (self.private_key_file is not None):
            raise ValueError("private_key_file: for every prefix but redirect_uri")
        if self.did_key is not None and self.client_id_prefix != "decentralized_identifier":
            raise ValueError("did_key: for the prefix decentralized_identifier alone")
        return self


IssuerDid = Annotated[str, Field(pattern=r"^did:(web|key|jwk):[A-Za-z0-9._:%-]+$")]


class VerifierLogin(LoginConfig):
    """`[[logins]]`: somebody who works at the verifier's page.

    Attributes:
        verifier: The verifier that this person works for.
    """

    verifier: str


class TrustedFaceService(TrustedSigner):
    """A face service whose tests this gateway's verifiers may demand.

    Attributes:
        url: Where wallets reach it.
    """

    url: Annotated[str, AfterValidator(_endpoint)]


class GatewayConfig(ProcessConfig):
    """`gateway.toml`. Relative paths are taken from the file's folder.

    Attributes:
        public_url: Where wallets reach this service; https, or http on this machine.
        listen: `host:port` to bind; port 0 takes any free one.
        metrics: `host:port` where Prometheus finds `/metrics`; nowhere where it is left out.
        database_url: SQLAlchemy's URL of the store of requests.
        request_seconds: How long a wallet has to answer.
        result_seconds: How long a verifier can read a result before its values are deleted.
        encrypt_responses: Whether wallets must encrypt their responses to a key of each request
            (`direct_post.jwt`); without it they travel under TLS alone.
        haip: Whether every request keeps to the OpenID4VC High Assurance Interoperability Profile
            1.0: `x509_hash`, encrypted responses, certificates that an authority signed. Those for
            standing grants have no encrypted responses: the deposit is sealed to the verifier.
        waci: Whether each request is also an invitation of WACI-DIDComm 1.0.
        verifier_rate: How often one API key may call, such as `600/minute`.
        wallet_rate: How often one address may call what is for wallets; of IPv6 one network (/64).
        trusted_proxy: The address of the proxy whose `X-Forwarded-For` tells who calls; None where
            callers reach this service themselves.
        workers: How many processes share the address and the database.
        max_streams: How many verifiers may follow requests at the same time in each process, by a
            thread each.
        webhooks_to_this_machine: Whether webhooks may go to loopback; never to other private
            networks.
        prove_ledger: Whether what is read of the ledger must be proven, so that the node is not
            trusted with it. An irohad proves nothing.
        checkpoint_file: Where the newest checkpoint of a proven ledger is kept.
        headers: The RPC of CometBFT nodes of a replicated ledger, such as
            `http://ledger1.example:26657`: what its peers decided together counts then, and no
            single peer's checkpoint. The first is followed, at least one other must agree.
        trusted_header: `HEIGHT:HASH` of a header that somebody vouches for, to begin with; left
            out, the peers count that the ledger began with.
        header_file: Where the newest header is kept.
        ledger: The ledger.
        verifiers: Who may ask.
        logins: Who may work at the verifier's page, `/verifier/`; there is none where nobody may.
        face_services: Whose face tests requests may demand.
        issuer_authorities_file: The authorities, in PEM, that must vouch for the certificates of
            issuers (`x5c`), besides the registry. With `haip` every credential must have some.
        issuer_dids: Issuers' DIDs that are resolved, such as `did:web:city.example`; their
            documents and the registry must agree on the key.
    """

    environment_prefix = "TEGATA_GATEWAY_"

    public_url: Annotated[str, AfterValidator(_endpoint)]
    listen: str = "127.0.0.1:8080"
    metrics: str | None = None
    database_url: DatabaseUrl = "sqlite:///gateway.db"
    request_seconds: int = Field(default=300, ge=30, le=3600)
    result_seconds: int = Field(default=600, ge=10, le=86_400)
    encrypt_responses: bool = True
    haip: bool = False
    waci: bool = False
    verifier_rate: Rate = "600/minute"
    wallet_rate: Rate = "300/minute"
    trusted_proxy: str | None = None
    workers: int = Field(default=1, ge=1, le=64)
    max_streams: int = Field(default=256, ge=0, le=4096)
    webhooks_to_this_machine: bool = False
    prove_ledger: bool = False
    checkpoint_file: ConfigPath = Path("ledger.checkpoint")
    headers: tuple[Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+$")], ...] = Field(
        default=(), max_length=16
    )
    trusted_header: Annotated[tuple[int, bytes] | None, BeforeValidator(_trusted_header)] = None
    header_file: ConfigPath = Path("ledger.header")
    ledger: LedgerAccess
    verifiers: tuple[VerifierConfig, ...] = Field(min_length=1)
    logins: tuple[VerifierLogin, ...] = ()
    face_services: tuple[TrustedFaceService, ...] = Field(default=(), max_length=MAX_SERVICES)
    issuer_authorities_file: Annotated[Path, AfterValidator(in_folder)] | None = None
    issuer_dids: tuple[IssuerDid, ...] = ()

    @model_validator(mode="after")
    def _what_haip_needs(self) -> Self:
        if self.haip and not self.encrypt_responses:
            raise ValueError("haip: encrypt_responses is needed")
        if self.haip and any(one.client_id_prefix != "x509_hash" for one in self.verifiers):
            raise ValueError("haip: every verifier has the client_id_prefix x509_hash")
        return self

    @model_validator(mode="after")
    def _headers_below_proofs(self) -> Self:
        if self.headers and not self.prove_ledger:
            raise ValueError("headers: prove_ledger is needed")
        return self

    @model_validator(mode="after")
    def _each_verifier_once(self) -> Self:
        if len({verifier.id for verifier in self.verifiers}) != len(self.verifiers):
            raise ValueError("verifiers: two have the same id")
        return self

    @model_validator(mode="after")
    def _logins_of_verifiers(self) -> Self:
        check_logins(self.logins)
        known = {verifier.id for verifier in self.verifiers}
        if unknown := {login.verifier for login in self.logins} - known:
            raise ValueError(f"logins: there is no verifier {min(unknown)!r}")
        return self
