"""The issuer service's configuration: one TOML file."""

from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from cryptography import x509
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from chaincode.ids import DOMAIN_ID, RECORD_ID
from client_sdk.credentials.jose import Key
from client_sdk.credentials.resident import MAX_MUNICIPALITY_CHARS
from client_sdk.errors import FrostFormatError, RequestError
from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.issuer.authority_client import AuthorityClient, ThresholdSigner
from client_sdk.openid4vci.key_attestation import KeyDemand
from node.config import ConfigPath, LedgerAccess, ProcessConfig, in_folder
from node.database import DatabaseUrl
from node.errors import ConfigError
from node.jwk_files import TrustedSigner, load_signing_key
from node.threshold.share_file import load_group
from node.web.logins import LoginConfig, check_logins

FILE_NAME: Final = "issuer.toml"


def _service_url(text: str) -> str:
    try:
        url = parse_endpoint(text.rstrip("/"), "URL")
    except RequestError as error:
        raise ValueError(str(error)) from None
    if urlsplit(url).path or urlsplit(url).query:
        raise ValueError("scheme, host and port only: each service has its own host")
    return url


class AuthorityAccess(BaseModel):
    """Where an authority that signs for this issuer is reached, and what signs requests to it.

    Attributes:
        identifier: The authority's identifier in the issuer's key.
        url: Its signer's address; https, or http on this machine.
        token_file: The token that the signer's operator gave; it signs requests and is never sent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    identifier: int
    url: Annotated[str, AfterValidator(_service_url)]
    token_file: ConfigPath


class Authorities(BaseModel):
    """Those who hold the shares of the issuer's key.

    Attributes:
        group_key_file: The public key, as `tegata issuer keygen` wrote it.
        signers: Where they are reached; at least as many as its threshold, better all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    group_key_file: ConfigPath
    signers: tuple[AuthorityAccess, ...] = Field(min_length=2)


class WalletClient(BaseModel):
    """A wallet that may use the authorization endpoint without an attestation.

    Attributes:
        client_id: Its name.
        redirect_uris: Where the holder's browser may go back to; on this machine to any port.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: str = Field(min_length=1, max_length=256)
    redirect_uris: tuple[str, ...] = Field(min_length=1)


class CardConfig(BaseModel):
    """`[card]`: who vouches for My Number cards, and whose cards this city takes.

    Attributes:
        authority_file: The certificates, in PEM, of the authority that signs cards' certificates.
        revocation_list_files: Its current revocation lists, PEM or DER; they are read at each use.
        municipality: What city this is, as its credentials say.
        addresses: How the addresses of its residents begin.
        self_service: Whether a card suffices without an offer from the counter: `off`, `reviewed`
            by the counter before it is issued, or `on`.
        reader: Where the counter's page finds the card reader of its own desk (`tegata
            card-reader`), such as `http://127.0.0.1:8085`; None where desks have none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    authority_file: ConfigPath
    revocation_list_files: tuple[Annotated[Path, AfterValidator(in_folder)], ...] = Field(
        min_length=1
    )
    municipality: str = Field(min_length=1, max_length=MAX_MUNICIPALITY_CHARS)
    addresses: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    self_service: Literal["off", "reviewed", "on"] = "off"
    reader: Annotated[str, AfterValidator(_service_url)] | None = None


class MetadataCertificate(BaseModel):
    """`[metadata_certificate]`: what the issuer's metadata is signed with (HAIP 1.0 section 4.1).

    Attributes:
        chain_file: Its certificates, in PEM, its own first.
        key_file: The private key of the first, in PEM.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    chain_file: ConfigPath
    key_file: ConfigPath


class FaceTestConfig(TrustedSigner):
    """`[face]`: the service that tests the faces of those who are to have a credential.

    Attributes:
        url: Where it is reached; the portraits of offers go there.
        at: When faces are tested: at `issuance`, before the wallet gets the credential, or at the
            `counter`, before its page makes the offer. Programs that make offers do it themselves.
    """

    url: Annotated[str, AfterValidator(_service_url)]
    at: Literal["issuance", "counter"] = "issuance"


class KeyAttestations(BaseModel):
    """`[key_attestations]`: how wallets must keep the keys of credentials (OpenID4VCI 1.0 D.2).

    Attributes:
        key_storage: What is accepted of where they are kept, such as `iso_18045_high`; nothing for
            whatever the provider vouches for.
        user_authentication: What is accepted of how the holder unlocks them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key_storage: tuple[Annotated[str, Field(min_length=1, max_length=256)], ...] = ()
    user_authentication: tuple[Annotated[str, Field(min_length=1, max_length=256)], ...] = ()

    def demand(self) -> KeyDemand:
        """Return it as wallets are told."""
        return KeyDemand(key_storage=self.key_storage, user_authentication=self.user_authentication)


OWN_WALLET: Final = WalletClient(
    client_id="tegata-wallet", redirect_uris=("http://127.0.0.1/callback",)
)


class IssuerConfig(ProcessConfig):
    """`issuer.toml`. Relative paths are taken from the file's folder.

    Attributes:
        public_url: The issuer's identifier: where wallets reach this service; https, or http on
            this machine.
        listen: `host:port` to bind; port 0 takes any free one.
        metrics: `host:port` where Prometheus finds `/metrics`; nowhere where it is left out.
        trusted_proxy: The address of the proxy whose `X-Forwarded-For` tells who tries to log in;
            None where browsers reach this service themselves.
        database_url: SQLAlchemy's URL of the store.
        display_name: What wallets show as the issuer's and the credential's name.
        operator_token_sha256: SHA-256 of the operator's token, 64 hex digits; the token has at
            least 128 random bits.
        signing_key_file: The private JWK that credentials are signed with.
        credential_chain_file: The certificates of that key, in PEM, its own first: SD-JWT VCs carry
            them (`x5c`). The key is on P-256 (ES256) then.
        authorities: Those who sign instead, where the key is shared among several.
        issuer_record: The id of the issuer's record in the registry, 32 hex digits.
        holder_domain: The domain of holders' accounts.
        credential_days: How long a credential lasts.
        refresh_days: How long a wallet may ask for the same credentials again, by a refresh token;
            0 for not at all. So long the service keeps attributes, sealed under that token.
        offer_seconds: How long an offer waits for its wallet.
        enrolment_seconds: How long an enrolment code lasts.
        status_list_entries: How many credentials share one status list; the least number hides one
            among many.
        status_ttl_seconds: How long a verifier may keep a copy of a list.
        wallets: The wallets that are known by their name; by default our own.
        wallet_providers_file: Certificates, in PEM, of those who vouch for providers of wallets.
        haip: Whether every wallet must meet the High Assurance Interoperability Profile 1.0:
            wallet attestation, pushed requests, and access tokens bound to a key.
        waci: Whether each offer is also an invitation of WACI-DIDComm 1.0.
        batch_size: How many keys a wallet may have credentials bound to at once.
        encryption_required: Whether wallets must encrypt credential requests and have the answers
            encrypted, on top of TLS.
        ledger: The ledger.
        card: How My Number cards are taken; None where they are not.
        metadata_certificate: What the metadata is signed with; None where it is not signed.
        logins: Who may work at the counter's page, `/counter/`; there is none where nobody may.
        key_attestations: How wallets must keep keys, by the word of their providers; None where
            they need not say.
        face: Who tests faces before a credential is issued or offered; None where nobody does.
    """

    environment_prefix = "TEGATA_ISSUER_"

    public_url: Annotated[str, AfterValidator(_service_url)]
    listen: str = "127.0.0.1:8081"
    metrics: str | None = None
    trusted_proxy: str | None = None
    database_url: DatabaseUrl = "sqlite:///issuer.db"
    display_name: str = Field(default="Certificate of residence", min_length=1, max_length=100)
    operator_token_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    signing_key_file: Annotated[Path, AfterValidator(in_folder)] | None = None
    credential_chain_file: Annotated[Path, AfterValidator(in_folder)] | None = None
    authorities: Authorities | None = None
    issuer_record: str = Field(pattern=f"^{RECORD_ID.pattern}$")
    holder_domain: str = Field(default="holder", pattern=f"^{DOMAIN_ID.pattern}$")
    credential_days: int = Field(default=365, ge=1, le=3660)
    refresh_days: int = Field(default=0, ge=0, le=366)
    offer_seconds: int = Field(default=900, ge=30, le=86_400)
    enrolment_seconds: int = Field(default=86_400, ge=60, le=30 * 86_400)
    status_list_entries: int = Field(default=131_072, ge=131_072, le=1 << 20)
    status_ttl_seconds: int = Field(default=300, ge=10, le=86_400)
    wallets: tuple[WalletClient, ...] = (OWN_WALLET,)
    wallet_providers_file: Annotated[Path, AfterValidator(in_folder)] | None = None
    haip: bool = False
    waci: bool = False
    batch_size: int = Field(default=10, ge=1, le=100)
    encryption_required: bool = False
    ledger: LedgerAccess
    card: CardConfig | None = None
    metadata_certificate: MetadataCertificate | None = None
    key_attestations: KeyAttestations | None = None
    logins: tuple[LoginConfig, ...] = ()
    face: FaceTestConfig | None = None

    @model_validator(mode="after")
    def _each_login_once(self) -> Self:
        check_logins(self.logins)
        return self

    @model_validator(mode="after")
    def _check_haip(self) -> Self:
        if self.haip and self.wallet_providers_file is None:
            raise ValueError("haip needs wallet_providers_file: who vouches for wallets")
        if self.key_attestations is not None and self.wallet_providers_file is None:
            raise ValueError("key_attestations needs wallet_providers_file: who vouches for keys")
        if self.haip and self.waci:
            raise ValueError("waci: its messages prove no wallet, as haip demands")
        return self


def load_wallet_providers(config: IssuerConfig) -> tuple[x509.Certificate, ...]:
    """Read the certificates of those who vouch for providers of wallets; none where none are.

    Raises:
        ConfigError: The file cannot be read, or is no PEM text of certificates.
    """
    path = config.wallet_providers_file
    if path is None:
        return ()
    try:
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{path}: no PEM text of certificates") from None


def load_signer(config: IssuerConfig) -> Key | ThresholdSigner:
    """Return what credentials are signed with: a key of this service, or authorities elsewhere.

    Raises:
        ConfigError: A file cannot be read, or holds no key of the kind that is needed.
    """
    match config.signing_key_file, config.authorities:
        case Path() as path, None:
            return load_signing_key(path)
        case None, Authorities() as authorities:
            group = load_group(authorities.group_key_file)
            clients = {
                signer.identifier: AuthorityClient(signer.url, load_token(signer.token_file))
                for signer in authorities.signers
            }
            try:
                return ThresholdSigner(group, clients)
            except FrostFormatError as error:
                raise ConfigError(f"{authorities.group_key_file}: {error}") from None
        case _:
            raise ConfigError("either signing_key_file or [authorities] is needed")


def load_token(path: Path) -> str:
    """Read a token.

    Raises:
        ConfigError: The file cannot be read.
    """
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        raise ConfigError(f"{path}: cannot be read as a token") from None
