"""A verifier behind the gateway: how wallets know it, and what it registered to ask."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeAlias
from urllib.parse import urlsplit

from client_sdk.errors import KeyFormatError, RegistrationError, RequestError
from client_sdk.openid4vp.access_certificate import dns_names_of, load_identity, load_signing_key
from client_sdk.openid4vp.dcql_query import DcqlQuery
from client_sdk.openid4vp.haip import check_chain
from client_sdk.openid4vp.verifier_identity import (
    DidIdentity,
    DnsIdentity,
    RedirectUriIdentity,
    VerifierIdentity,
)
from client_sdk.openid4vp.verifier_registration import (
    Registration,
    asked_claims,
    find_exceeding,
    read_registration,
)
from client_sdk.purposes import PurposeTerm
from node.errors import ApiError, ConfigError
from node.gateway.config import VerifierConfig

Identify: TypeAlias = Callable[[str], VerifierIdentity]
"""Gives the identity of a request whose response goes to a given URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierProfile:
    """Who a verifier is, and what it may ask.

    Attributes:
        identify: How its requests are signed, and under which client identifier.
        registration_tokens: Its registration certificates, as its requests carry them.
        registrations: What they say.
        may_exceed: Whether it may ask for more all the same.
    """

    identify: Identify
    registration_tokens: tuple[str, ...] = ()
    registrations: tuple[Registration, ...] = ()
    may_exceed: bool = False

    @classmethod
    def load(cls, config: VerifierConfig, *, public_url: str, haip: bool = False) -> Self:
        """Read a verifier's files.

        Args:
            config: Which.
            public_url: Where wallets reach the gateway.
            haip: Whether its certificates must be those of the high assurance profile.

        Raises:
            ConfigError: A file cannot be read, is not what it should be, or does not fit the client
                identifier prefix.
        """
        try:
            identify = _load_identity(config, public_url, haip=haip)
            tokens = tuple(
                path.read_bytes().decode("ascii", errors="replace").strip()
                for path in config.registration_files
            )
            registrations = tuple(read_registration(token) for token in tokens)
        except (OSError, KeyFormatError, RegistrationError, RequestError) as error:
            raise ConfigError(f"verifier {config.id}: {error}") from None
        client_id = identify(public_url).client_id
        if any(found.client_id != client_id for found in registrations):
            raise ConfigError(f"verifier {config.id}: a registration is of another certificate")
        return cls(
            identify=identify,
            registration_tokens=tokens,
            registrations=registrations,
            may_exceed=config.may_exceed_registration,
        )

    def check_registered(self, query: DcqlQuery, purpose: PurposeTerm) -> None:
        """Refuse what a wallet would warn its holder of; nothing where there is no registration.

        Raises:
            ApiError: The query asks for more than is registered for the purpose.
        """
        if self.may_exceed or not self.registrations:
            return
        beyond = find_exceeding(asked_claims(query), self.registrations, purpose=purpose)
        if beyond:
            names = ", ".join(dict.fromkeys(claim.name for claim in beyond))
            raise ApiError(
                403,
                "exceeds_registration",
                "The verifier is not registered to ask this",
                f"Not registered for {purpose.iri}: {names}. Ask for less, or register it.",
            )


def _load_identity(config: VerifierConfig, public_url: str, *, haip: bool) -> Identify:
    if config.private_key_file is None:
        return lambda response_uri: RedirectUriIdentity(response_uri=response_uri)
    key_pem = config.private_key_file.read_bytes()
    identity: VerifierIdentity
    if config.certificate_chain_file is None:
        key = load_signing_key(key_pem)
        identity = (
            DidIdentity.by_did_jwk(key)
            if config.did_key is None
            else DidIdentity.by_key_of_did(config.did_key, key)
        )
        return lambda _: identity
    access = load_identity(chain_pem=config.certificate_chain_file.read_bytes(), key_pem=key_pem)
    if haip:
        check_chain(access.chain)
    identity = access
    if config.client_id_prefix == "x509_san_dns":
        host = urlsplit(public_url).hostname or ""
        if host not in dns_names_of(access.chain[0]):
            raise KeyFormatError(f"certificate: it does not name {host}, where wallets answer")
        identity = DnsIdentity(access=access, host=host)
    return lambda _: identity
