"""Who must vouch for issuers' keys at this gateway, besides the ledger's registry."""

from client_sdk.did.caching import CachedDidMethod
from client_sdk.did.resolution import DidJwk, DidKey, DidResolver, DidWeb
from client_sdk.errors import KeyFormatError
from client_sdk.http.client import HttpClient
from client_sdk.openid4vp.access_certificate import load_certificates
from client_sdk.verification.issuer_trust import IssuerTrust
from node.errors import ConfigError
from node.gateway.config import GatewayConfig


def load_issuer_trust(config: GatewayConfig, http: HttpClient | None = None) -> IssuerTrust:
    """Return the policy that the configuration sets.

    Args:
        config: The configuration.
        http: How documents of `did:web` are fetched; by default a new session.

    Raises:
        ConfigError: The authorities' file cannot be read, or holds no certificate.
    """
    path, http = config.issuer_authorities_file, http or HttpClient()
    try:
        anchors = () if path is None else load_certificates(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"issuer_authorities_file: {path}: {error.strerror}") from None
    except KeyFormatError as error:
        raise ConfigError(f"issuer_authorities_file: {path}: {error}") from None
    resolver = DidResolver({"web": CachedDidMethod(DidWeb(http)), "key": DidKey(), "jwk": DidJwk()})
    return IssuerTrust(
        http,
        anchors=anchors,
        dids=config.issuer_dids,
        resolver=resolver,
        certificates_required=config.haip and bool(anchors),
    )
