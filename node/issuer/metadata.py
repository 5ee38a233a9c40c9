"""What the issuer publishes of itself: its own metadata and its authorization server's."""

from collections.abc import Callable, Collection, Mapping

from joserfc.jwk import ECKey

from client_sdk.credentials.jose import ES256, Key, algorithm_of
from client_sdk.credentials.resident import RESIDENT_CLAIMS, RESIDENT_CREDENTIAL_TYPE
from client_sdk.errors import KeyFormatError
from client_sdk.formats import find_format
from client_sdk.openid4vci.issuer_metadata import (
    ATTESTATION_PROOF,
    JWT_PROOF,
    AccountService,
    CredentialConfiguration,
    IssuerMetadata,
    ProofType,
)
from client_sdk.openid4vci.message_encryption import encryption_to
from client_sdk.openid4vci.server_metadata import ServerMetadata
from client_sdk.openid4vci.signed_metadata import sign_metadata
from client_sdk.openid4vp.access_certificate import load_identity
from node.errors import ConfigError
from node.issuer.config import IssuerConfig
from node.issuer.configurations import scope_of

Signer = Callable[[], str]


def build_metadata(
    config: IssuerConfig,
    signing_key: Key,
    encryption_key: ECKey,
    configurations: Mapping[str, str],
) -> IssuerMetadata:
    """Return what the issuer publishes of itself.

    Args:
        config: The configuration.
        signing_key: The key that credentials are verified with.
        encryption_key: The key that requests are encrypted to.
        configurations: The formats of its credential configurations.
    """
    url = config.public_url
    return IssuerMetadata(
        credential_issuer=url,
        credential_endpoint=f"{url}/credential",
        nonce_endpoint=f"{url}/nonce",
        deferred_endpoint=f"{url}/deferred_credential",
        notification_endpoint=f"{url}/notification",
        batch_size=config.batch_size,
        request_encryption=encryption_to(encryption_key),
        response_encryption=True,
        encryption_required=config.encryption_required,
        configurations={
            name: CredentialConfiguration(
                credential_type=RESIDENT_CREDENTIAL_TYPE,
                format=kind,
                name=config.display_name,
                claims=tuple(
                    (*map(str, find_format(kind).attribute_prefix), claim)
                    for claim in RESIDENT_CLAIMS
                ),
                signing_algorithms=(algorithm_of(signing_key),),
                proof_types=_proof_types(config),
                scope=scope_of(name),
            )
            for name, kind in configurations.items()
        },
        accounts=AccountService(
            accounts_endpoint=f"{url}/accounts",
            holder_domain=config.holder_domain,
            ledger_id=config.ledger.ledger_id,
            issuer_account=config.ledger.account,
        ),
    )


def _proof_types(config: IssuerConfig) -> Mapping[str, ProofType]:
    demand = None
    if config.key_attestations is not None:
        demand = config.key_attestations.demand()
    ways = {JWT_PROOF: ProofType(demand=demand)}
    if config.wallet_providers_file is not None:
        # Providers sign under certificates on P-256.
        ways[ATTESTATION_PROOF] = ProofType(algorithms=(ES256,), demand=demand)
    return ways


def build_server_metadata(config: IssuerConfig, configurations: Collection[str]) -> ServerMetadata:
    """Return what the authorization server, which is the same service, publishes of itself.

    Args:
        config: The configuration.
        configurations: The issuer's credential configurations.
    """
    url = config.public_url
    return ServerMetadata(
        issuer=url,
        token_endpoint=f"{url}/token",
        authorization_endpoint=f"{url}/authorize",
        push_endpoint=f"{url}/par",
        challenge_endpoint=f"{url}/challenge",
        scopes=tuple(map(scope_of, configurations)),
        takes_cards=config.card is not None and config.card.self_service != "off",
        gives_refresh_tokens=config.refresh_days > 0,
        is_push_required=config.haip,
        takes_attestations=config.wallet_providers_file is not None,
        is_attestation_required=config.haip,
        binds_tokens=True,
        names_itself=True,
    )


def metadata_signer(
    config: IssuerConfig, metadata: IssuerMetadata, now_ms: Callable[[], int]
) -> Signer | None:
    """Return what signs the issuer's metadata; None where it has no certificate.

    Raises:
        ConfigError: The certificate or key cannot be read, or the certificate is self-signed.
    """
    files = config.metadata_certificate
    if files is None:
        return None
    try:
        identity = load_identity(
            chain_pem=files.chain_file.read_bytes(), key_pem=files.key_file.read_bytes()
        )
    except OSError as error:
        raise ConfigError(f"metadata_certificate: {error.filename}: {error.strerror}") from None
    except KeyFormatError as error:
        raise ConfigError(f"metadata_certificate: {error}") from None
    # HAIP 1.0 section 4.1: the anchor is not sent, and does not sign.
    chain = [link for link in identity.chain if link.issuer != link.subject]
    if chain[:1] != [identity.chain[0]]:
        raise ConfigError("metadata_certificate: the certificate is self-signed")
    fields = metadata.to_fields()

    def sign() -> str:
        return sign_metadata(fields, key=identity.signing_key, chain=chain, now_s=now_ms() // 1000)

    return sign
