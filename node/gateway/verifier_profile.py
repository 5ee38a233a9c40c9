"""A verifier behind the gateway: its certificate and key, and what it registered to ask."""

from dataclasses import dataclass
from typing import Self

from client_sdk.errors import KeyFormatError, RegistrationError
from client_sdk.openid4vp.access_certificate import AccessIdentity, load_identity
from client_sdk.openid4vp.claims_path import name_path
from client_sdk.openid4vp.dcql_query import DcqlQuery
from client_sdk.openid4vp.verifier_registration import (
    Registration,
    asked_claims,
    find_exceeding,
    read_registration,
)
from client_sdk.purposes import PurposeTerm
from node.errors import ApiError, ConfigError
from node.gateway.config import VerifierConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierProfile:
    """Who a verifier is, and what it may ask.

    Attributes:
        identity: Its certificate and key.
        registration_tokens: Its registration certificates, as its requests carry them.
        registrations: What they say.
        may_exceed: Whether it may ask for more all the same.
    """

    identity: AccessIdentity
    registration_tokens: tuple[str, ...] = ()
    registrations: tuple[Registration, ...] = ()
    may_exceed: bool = False

    @classmethod
    def load(cls, config: VerifierConfig) -> Self:
        """Read a verifier's files.

        Raises:
            ConfigError: A file cannot be read, or is not what it should be.
        """
        try:
            identity = load_identity(
                chain_pem=config.certificate_chain_file.read_bytes(),
                key_pem=config.private_key_file.read_bytes(),
            )
            tokens = tuple(
                path.read_bytes().decode("ascii", errors="replace").strip()
                for path in config.registration_files
            )
            registrations = tuple(read_registration(token) for token in tokens)
        except (OSError, KeyFormatError, RegistrationError) as error:
            raise ConfigError(f"verifier {config.id}: {error}") from None
        if any(found.client_id != identity.client_id for found in registrations):
            raise ConfigError(f"verifier {config.id}: a registration is of another certificate")
        return cls(
            identity=identity,
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
            names = ", ".join(dict.fromkeys(name_path(claim.path) for claim in beyond))
            raise ApiError(
                403,
                "exceeds_registration",
                "The verifier is not registered to ask this",
                f"Not registered for {purpose.iri}: {names}. Ask for less, or register it.",
            )
