"""What an issuer publishes of itself (OpenID4VCI 1.0 section 12.2, SD-JWT VC section 3).

Both sides share these forms: what a service publishes is what a wallet reads.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

from chaincode.encoding import JsonObject, JsonValue
from chaincode.ids import ACCOUNT_ID, DOMAIN_ID, HASH
from client_sdk.credentials.jose import (
    ALGORITHMS,
    Key,
    export_public_jwk,
    parse_public_jwk,
    thumbprint,
)
from client_sdk.credentials.jwe import CONTENT_ALGORITHMS, KEY_ALGORITHM
from client_sdk.credentials.w3c_vc import CREDENTIAL_TYPE
from client_sdk.errors import KeyFormatError, OfferError
from client_sdk.formats import FORMATS
from client_sdk.formats.ldp_vc import LdpVc
from client_sdk.formats.w3c_document import CONTEXTS
from client_sdk.openid4vci.credential_offer import parse_url
from client_sdk.openid4vci.key_attestation import KeyDemand
from client_sdk.openid4vci.message_encryption import MessageEncryption
from client_sdk.strict_json import text_list

FORMAT: Final = "dc+sd-jwt"
ISSUER_METADATA: Final = "openid-credential-issuer"
KEY_METADATA: Final = "jwt-vc-issuer"
MAX_BATCH_SIZE: Final = 100
"""For how many keys a wallet asks at most, whatever the issuer would take."""
_EXTENSION: Final = "tegata"


def well_known_url(identifier: str, name: str) -> str:
    """Return where metadata is: `/.well-known/<name>` goes between host and path (RFC 8615).

    Args:
        identifier: The issuer's URL.
        name: Such as `ISSUER_METADATA`.
    """
    parts = urlsplit(identifier)
    path = f"/.well-known/{name}{parts.path.rstrip('/')}"
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofType:
    """One way in which an issuer takes proofs of keys (appendix F).

    Attributes:
        algorithms: What they may be signed with.
        demand: What the keys must be attested to be; None where they need no attestation.
    """

    algorithms: tuple[str, ...] = ALGORITHMS
    demand: KeyDemand | None = None

    def to_fields(self) -> JsonObject:
        """Return it as `proof_types_supported` holds it."""
        fields: JsonObject = {"proof_signing_alg_values_supported": list(self.algorithms)}
        if self.demand is not None:
            fields["key_attestations_required"] = self.demand.to_fields()
        return fields


JWT_PROOF: Final = "jwt"
ATTESTATION_PROOF: Final = "attestation"


def jwt_alone() -> Mapping[str, ProofType]:
    """Return how keys are proven where an issuer says nothing of it: by JWTs."""
    return {JWT_PROOF: ProofType()}


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialConfiguration:
    """One kind of credential that an issuer has.

    Attributes:
        credential_type: Its `vct`, or its type beside `VerifiableCredential`.
        format: The identifier of its format.
        name: What people call it; empty where the issuer does not say.
        claims: The paths of its claims; for publishing only.
        signing_algorithms: What it is signed with; for publishing only.
        proof_types: How the holder's keys are proven, by the names of the ways.
        scope: What an authorization request names it by; None where it has no such name.
    """

    credential_type: str
    format: str = FORMAT
    name: str = ""
    claims: tuple[tuple[str, ...], ...] = ()
    signing_algorithms: tuple[str, ...] = ALGORITHMS
    proof_types: Mapping[str, ProofType] = field(default_factory=jwt_alone)
    scope: str | None = None

    def _type_fields(self) -> JsonObject:
        if self.format == FORMAT:
            return {"vct": self.credential_type}
        definition: JsonObject = {"type": [CREDENTIAL_TYPE, self.credential_type]}
        if self.format == LdpVc.identifier:
            definition["@context"] = [*CONTEXTS]
        return {"credential_definition": definition}

    def to_fields(self) -> JsonObject:
        """Return it as `credential_configurations_supported` holds it."""
        claims: list[JsonValue] = [{"path": list(path)} for path in self.claims]
        named: JsonObject = {} if self.scope is None else {"scope": self.scope}
        return {
            **named,
            "format": self.format,
            **self._type_fields(),
            "credential_signing_alg_values_supported": list(self.signing_algorithms),
            "cryptographic_binding_methods_supported": ["jwk"],
            "proof_types_supported": {
                name: proof_type.to_fields() for name, proof_type in self.proof_types.items()
            },
            "credential_metadata": {
                "display": [{"name": self.name, "locale": "en"}],
                "claims": claims,
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountService:
    """An extension of ours, `tegata`: where holders get an account on the ledger.

    Attributes:
        accounts_endpoint: Where a wallet registers its account.
        holder_domain: The domain of holders' accounts.
        ledger_id: The ledger's id, 64 hex digits.
        issuer_account: The issuer's own account.
    """

    accounts_endpoint: str
    holder_domain: str
    ledger_id: str
    issuer_account: str

    def to_fields(self) -> JsonObject:
        """Return it as a JSON object."""
        return {
            "accounts_endpoint": self.accounts_endpoint,
            "holder_domain": self.holder_domain,
            "ledger": self.ledger_id,
            "issuer": self.issuer_account,
        }

    @classmethod
    def from_fields(cls, fields: JsonObject) -> Self:
        """Return what a JSON object stands for.

        Raises:
            OfferError: A member is missing or not acceptable.
        """
        domain, ledger_id = fields.get("holder_domain"), fields.get("ledger")
        account = fields.get("issuer")
        if not isinstance(domain, str) or not DOMAIN_ID.fullmatch(domain):
            raise OfferError("issuer metadata: tegata.holder_domain is not a domain")
        if not isinstance(ledger_id, str) or not HASH.fullmatch(ledger_id):
            raise OfferError("issuer metadata: tegata.ledger is not 64 hex digits")
        if not isinstance(account, str) or not ACCOUNT_ID.fullmatch(account):
            raise OfferError("issuer metadata: tegata.issuer is not an account id")
        return cls(
            accounts_endpoint=parse_url(fields.get("accounts_endpoint"), "accounts_endpoint"),
            holder_domain=domain,
            ledger_id=ledger_id,
            issuer_account=account,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerMetadata:
    """An issuer's endpoints and credentials.

    Attributes:
        credential_issuer: Its identifier.
        credential_endpoint: Where credentials are had.
        nonce_endpoint: Where nonces are had; None where proofs need none.
        authorization_servers: Who gives tokens; empty where the issuer itself does.
        configurations: Its kinds of credentials in the formats that are known here, by their names.
        accounts: Where holders get an account; None where this is no issuer of Tegata.
        deferred_endpoint: Where deferred credentials are had; None where none are deferred.
        notification_endpoint: Where wallets say what became of credentials; None for nowhere.
        batch_size: How many proofs a credential request may have, `MAX_BATCH_SIZE` as read at most.
        request_encryption: How requests are encrypted; None where they are not.
        response_encryption: Whether answers can be encrypted so that we can read them.
        encryption_required: Whether requests and answers must be encrypted.
    """

    credential_issuer: str
    credential_endpoint: str
    nonce_endpoint: str | None
    authorization_servers: tuple[str, ...] = ()
    configurations: Mapping[str, CredentialConfiguration]
    accounts: AccountService | None = None
    deferred_endpoint: str | None = None
    notification_endpoint: str | None = None
    batch_size: int = 1
    request_encryption: MessageEncryption | None = None
    response_encryption: bool = False
    encryption_required: bool = False

    def to_fields(self) -> JsonObject:
        """Return the metadata as a JSON object."""
        fields: JsonObject = {
            "credential_issuer": self.credential_issuer,
            "credential_endpoint": self.credential_endpoint,
            "credential_configurations_supported": {
                name: configuration.to_fields()
                for name, configuration in self.configurations.items()
            },
        }
        for name, url in (
            ("nonce_endpoint", self.nonce_endpoint),
            ("deferred_credential_endpoint", self.deferred_endpoint),
            ("notification_endpoint", self.notification_endpoint),
        ):
            if url is not None:
                fields[name] = url
        if self.batch_size > 1:
            fields["batch_credential_issuance"] = {"batch_size": self.batch_size}
        algorithms: JsonObject = {
            "enc_values_supported": [*CONTENT_ALGORITHMS],
            "encryption_required": self.encryption_required,
        }
        if self.request_encryption is not None:
            jwks: JsonObject = {"keys": [self.request_encryption.key.to_jwk()]}
            fields["credential_request_encryption"] = {"jwks": jwks, **algorithms}
        if self.response_encryption:
            fields["credential_response_encryption"] = {
                "alg_values_supported": [KEY_ALGORITHM],
                **algorithms,
            }
        if self.authorization_servers:
            fields["authorization_servers"] = list(self.authorization_servers)
        if self.accounts is not None:
            fields[_EXTENSION] = self.accounts.to_fields()
        return fields

    @classmethod
    def from_fields(cls, fields: JsonObject, *, expected_issuer: str) -> Self:
        """Return what an issuer published; members that are not known are ignored.

        Args:
            fields: The JSON object.
            expected_issuer: The identifier that its address was made from.

        Raises:
            OfferError: Of another issuer, or a member is missing or not acceptable.
        """
        if fields.get("credential_issuer") != expected_issuer:
            raise OfferError("issuer metadata: it is another issuer's (credential_issuer)")
        supported = fields.get("credential_configurations_supported")
        if not isinstance(supported, dict):
            raise OfferError("issuer metadata: credential_configurations_supported is an object")
        servers = fields.get("authorization_servers")
        extension = fields.get(_EXTENSION)
        return cls(
            credential_issuer=expected_issuer,
            credential_endpoint=parse_url(fields.get("credential_endpoint"), "credential_endpoint"),
            nonce_endpoint=_optional_url(fields, "nonce_endpoint"),
            deferred_endpoint=_optional_url(fields, "deferred_credential_endpoint"),
            notification_endpoint=_optional_url(fields, "notification_endpoint"),
            batch_size=_batch_size(fields),
            request_encryption=_request_encryption(fields),
            response_encryption=_encrypts_responses(fields),
            encryption_required=any(
                isinstance(member := fields.get(f"credential_{name}_encryption"), dict)
                and member.get("encryption_required") is True
                for name in ("request", "response")
            ),
            authorization_servers=tuple(
                parse_url(server, "authorization_servers") for server in text_list(servers)
            ),
            configurations={
                name: CredentialConfiguration(
                    credential_type=kind,
                    format=str(configuration["format"]),
                    name=_display_name(configuration),
                    proof_types=_proof_types(configuration.get("proof_types_supported")),
                    scope=scope if isinstance(scope := configuration.get("scope"), str) else None,
                )
                for name, configuration in supported.items()
                if isinstance(configuration, dict)
                and (kind := _credential_type(configuration)) is not None
            },
            accounts=(
                AccountService.from_fields(extension) if isinstance(extension, dict) else None
            ),
        )


def build_key_metadata(issuer: str, keys: tuple[Key, ...]) -> JsonObject:
    """Return the `jwt-vc-issuer` document: the public keys that credentials are signed with."""
    jwks: list[JsonValue] = [
        {**export_public_jwk(key), "kid": thumbprint(key), "use": "sig"} for key in keys
    ]
    return {"issuer": issuer, "jwks": {"keys": jwks}}


def find_published_key(fields: JsonObject, *, expected_issuer: str, kid: JsonValue) -> Key:
    """Return the key of a `jwt-vc-issuer` document that a credential's header names.

    Raises:
        OfferError: The document is another issuer's, or holds no such key by value.
    """
    if fields.get("issuer") != expected_issuer:
        raise OfferError("issuer keys: the document is another issuer's (issuer)")
    jwks = fields.get("jwks")
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    for jwk in keys if isinstance(keys, list) else []:
        if isinstance(jwk, dict) and isinstance(kid, str) and jwk.get("kid") == kid:
            try:
                return parse_public_jwk(jwk)
            except KeyFormatError as error:
                raise OfferError(f"issuer keys: {error}") from None
    raise OfferError("issuer keys: the credential is signed with a key that is not published")


def _optional_url(fields: JsonObject, name: str) -> str | None:
    value = fields.get(name)
    return None if value is None else parse_url(value, name)


def _batch_size(fields: JsonObject) -> int:
    match fields.get("batch_credential_issuance"):
        case None:
            return 1
        case {"batch_size": int() as size} if size >= 2:
            return min(size, MAX_BATCH_SIZE)
        case _:
            raise OfferError("issuer metadata: batch_credential_issuance.batch_size is 2 or more")


def _request_encryption(fields: JsonObject) -> MessageEncryption | None:
    """Return how requests are encrypted, by the first key that we can use; None for none."""
    match fields.get("credential_request_encryption"):
        case {"jwks": {"keys": list() as keys}, "enc_values_supported": list() as known}:
            pass
        case _:
            return None
    algorithm = next((name for name in CONTENT_ALGORITHMS if name in known), None)
    for jwk in keys:
        with suppress(KeyFormatError):
            return MessageEncryption.from_jwk(jwk, content_algorithm=algorithm)
    return None


def _encrypts_responses(fields: JsonObject) -> bool:
    match fields.get("credential_response_encryption"):
        case {"alg_values_supported": list() as keys, "enc_values_supported": list() as known}:
            return KEY_ALGORITHM in keys and CONTENT_ALGORITHMS[0] in known
        case _:
            return False


def _proof_types(value: JsonValue) -> Mapping[str, ProofType]:
    """Return the ways that are known here; that of JWTs where an issuer names none at all."""
    if not isinstance(value, dict):
        return jwt_alone()
    return {
        name: ProofType(
            algorithms=text_list(described.get("proof_signing_alg_values_supported")),
            demand=KeyDemand.from_fields(described.get("key_attestations_required")),
        )
        for name in (JWT_PROOF, ATTESTATION_PROOF)
        if isinstance(described := value.get(name), dict)
    }


def _credential_type(configuration: JsonObject) -> str | None:
    """Return the type of a credential of a known format; None for any other (Appendix A)."""
    vct = configuration.get("vct")
    match configuration:
        case {"format": "dc+sd-jwt"}:
            return vct if isinstance(vct, str) else None
        case {"format": str(name), "credential_definition": {"type": [*types]}} if name in FORMATS:
            own = [kind for kind in types if isinstance(kind, str) and kind != CREDENTIAL_TYPE]
            return own[0] if len(own) == 1 else None
        case _:
            return None


def _display_name(configuration: JsonObject) -> str:
    match configuration.get("credential_metadata"):
        case {"display": [{"name": str() as name}, *_]}:
            return name[:100]
        case _:
            return ""
