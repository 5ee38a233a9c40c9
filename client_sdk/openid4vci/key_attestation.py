"""Key attestations: what a wallet's provider says of its keys (OpenID4VCI 1.0 appendix D, HAIP).

They are signed under a certificate that a trusted authority vouches for (`x5c`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

from cryptography import x509

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    parse_compact,
    parse_public_jwk,
    sign_compact,
    thumbprint,
    validate_times,
)
from client_sdk.errors import KeyAttestationError
from client_sdk.openid4vci.certificate_chain import encode_x5c, verify_x5c
from client_sdk.strict_json import text_list

ATTESTATION_TYP: Final = "key-attestation+jwt"
MAX_KEYS: Final = 100

KeyAttester: TypeAlias = Callable[[Sequence[Key], str | None], str]
"""Has a wallet's provider vouch for keys, with the issuer's nonce: returns the key attestation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDemand:
    """What an issuer demands of how keys are kept (section 12.2.4, `key_attestations_required`).

    Attributes:
        key_storage: What it accepts of where they are kept; empty where it does not ask.
        user_authentication: What it accepts of how the holder unlocks them; empty as before.
    """

    key_storage: tuple[str, ...] = ()
    user_authentication: tuple[str, ...] = ()

    def to_fields(self) -> JsonObject:
        """Return it as issuer metadata holds it."""
        members: dict[str, tuple[str, ...]] = {
            "key_storage": self.key_storage,
            "user_authentication": self.user_authentication,
        }
        return {name: list(values) for name, values in members.items() if values}

    @classmethod
    def from_fields(cls, value: JsonValue) -> Self | None:
        """Return what issuer metadata demands; None for nothing."""
        if not isinstance(value, dict):
            return None
        return cls(
            key_storage=text_list(value.get("key_storage")),
            user_authentication=text_list(value.get("user_authentication")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAttestation:
    """Keys whose storage a trusted provider vouches for.

    Attributes:
        keys: The public JWKs, all different.
        nonce: The issuer's nonce that it was made for; None where it names none.
        expires_at: Until when, seconds since 1970-01-01 UTC; None where it does not say.
        key_storage: Where the keys are kept, in the words of section D.2.
        user_authentication: How the holder unlocks them.
    """

    keys: tuple[JsonObject, ...]
    nonce: str | None
    expires_at: int | None
    key_storage: tuple[str, ...]
    user_authentication: tuple[str, ...]

    def check_demand(self, demand: KeyDemand) -> None:
        """Refuse keys that are not kept as an issuer demands.

        Raises:
            KeyAttestationError: They are not.
        """
        for name, stated, accepted in (
            ("key_storage", self.key_storage, demand.key_storage),
            ("user_authentication", self.user_authentication, demand.user_authentication),
        ):
            if accepted and not set(stated) & set(accepted):
                raise KeyAttestationError(f"key attestation: {name} is none that is accepted here")


def sign_key_attestation(
    keys: Sequence[Key],
    *,
    provider_key: Key,
    chain: Sequence[x509.Certificate],
    nonce: str | None,
    now_s: int,
    lifetime_s: int,
    key_storage: Sequence[str] = (),
    user_authentication: Sequence[str] = (),
) -> str:
    """Return a provider's attestation of keys.

    Args:
        keys: The wallet's keys, of which the public halves are attested.
        provider_key: The private key of the chain's first certificate.
        chain: The provider's certificates, without the trust anchor.
        nonce: The issuer's nonce; None where it has none.
        now_s: Seconds since 1970-01-01 UTC.
        lifetime_s: How long the attestation is good.
        key_storage: Where the keys are kept, in the words of section D.2.
        user_authentication: How the holder unlocks them.
    """
    demand = KeyDemand(
        key_storage=tuple(key_storage), user_authentication=tuple(user_authentication)
    )
    payload: JsonObject = {
        "iat": now_s,
        "exp": now_s + lifetime_s,
        "attested_keys": [export_public_jwk(key) for key in keys],
        **demand.to_fields(),
    }
    if nonce is not None:
        payload["nonce"] = nonce
    return sign_compact({"typ": ATTESTATION_TYP, "x5c": encode_x5c(chain)}, payload, provider_key)


def verify_key_attestation(
    token: str, *, anchors: Sequence[x509.Certificate], now_s: int, leeway_s: int
) -> KeyAttestation:
    """Return what a trusted provider says of keys; whether the nonce is good is the caller's.

    Args:
        token: The attestation.
        anchors: Certificates of the authorities that vouch for providers.
        now_s: Seconds since 1970-01-01 UTC.
        leeway_s: How many seconds two clocks may differ.

    Raises:
        CredentialFormatError: Not a signed JWT of this type.
        SignatureError: No trusted provider signed it.
        KeyFormatError: An attested key is of no allowed kind.
        ExpiredError: It is not valid at this time.
        KeyAttestationError: A member is missing or malformed, or a key stands there twice.
    """
    unverified = parse_compact(token)
    provider_key = verify_x5c(unverified.unverified_header, anchors=anchors, now_s=now_s)
    _, claims = unverified.verify(key=provider_key, expected_typ=ATTESTATION_TYP)
    validate_times(claims, now_s=now_s, leeway_s=leeway_s)
    listed, nonce, expires_at = claims.get("attested_keys"), claims.get("nonce"), claims.get("exp")
    if not isinstance(claims.get("iat"), int):
        raise KeyAttestationError("key attestation: iat is missing")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_KEYS:
        raise KeyAttestationError(f"key attestation: attested_keys: 1 to {MAX_KEYS} keys")
    keys = [parse_public_jwk(jwk) for jwk in listed]
    if len(set(map(thumbprint, keys))) != len(keys):
        raise KeyAttestationError("key attestation: a key stands there twice")
    if not isinstance(nonce, str | None) or not isinstance(expires_at, int | None):
        raise KeyAttestationError("key attestation: nonce is a text, exp a whole number")
    return KeyAttestation(
        keys=tuple(map(export_public_jwk, keys)),
        nonce=nonce,
        expires_at=expires_at,
        key_storage=text_list(claims.get("key_storage")),
        user_authentication=text_list(claims.get("user_authentication")),
    )
