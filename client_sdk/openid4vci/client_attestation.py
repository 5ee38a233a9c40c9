"""Wallet attestations: which wallet asks (OpenID4VCI 1.0 appendix E, HAIP 1.0 section 4.4.1).

A wallet's provider attests the wallet's instance key; the wallet proves that it has that key
(OAuth 2.0 Attestation-Based Client Authentication, draft 7).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    parse_compact,
    parse_public_jwk,
    sign_compact,
    thumbprint,
    validate_times,
)
from client_sdk.errors import ClientAttestationError
from client_sdk.openid4vci.certificate_chain import encode_x5c, verify_x5c

AUTH_METHOD: Final = "attest_jwt_client_auth"
ATTESTATION_HEADER: Final = "OAuth-Client-Attestation"
PROOF_HEADER: Final = "OAuth-Client-Attestation-PoP"
ATTESTATION_TYP: Final = "oauth-client-attestation+jwt"
PROOF_TYP: Final = "oauth-client-attestation-pop+jwt"
MAX_PROOF_AGE_S: Final = 300
_MAX_TEXT_CHARS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletAttestation:
    """What a wallet shows to an authorization server. Its repr shows neither.

    Attributes:
        attestation: The provider's JWT.
        key: The private key that it attests.
    """

    attestation: str = field(repr=False)
    key: Key = field(repr=False)

    @property
    def client_id(self) -> str:
        """The client identifier, the same for all wallets of the provider (`sub`)."""
        return str(parse_compact(self.attestation).unverified_payload.get("sub"))

    def sign_headers(
        self, *, audience: str, proof_id: str, challenge: str | None, now_s: int
    ) -> dict[str, str]:
        """Return the headers of one request.

        Args:
            audience: The authorization server's identifier.
            proof_id: Random, used once.
            challenge: The server's, where it gives one.
            now_s: Seconds since 1970-01-01 UTC.
        """
        payload: JsonObject = {
            "iss": self.client_id,
            "aud": audience,
            "jti": proof_id,
            "iat": now_s,
        }
        if challenge is not None:
            payload["challenge"] = challenge
        proof = sign_compact({"typ": PROOF_TYP}, payload, self.key)
        return {ATTESTATION_HEADER: self.attestation, PROOF_HEADER: proof}


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestedClient:
    """A wallet whose provider is known.

    Attributes:
        client_id: The client identifier.
        jkt: The thumbprint of the instance's key.
        proof_id: The proof's id; the server sees to its single use.
        challenge: The server's challenge that it answers; None for none.
    """

    client_id: str
    jkt: str
    proof_id: str
    challenge: str | None


def sign_wallet_attestation(
    *,
    provider_key: Key,
    chain: Sequence[x509.Certificate],
    client_id: str,
    instance_key: Key,
    now_s: int,
    lifetime_s: int,
) -> str:
    """Return a provider's attestation of a wallet's key.

    Args:
        provider_key: The private key of the chain's first certificate.
        chain: The provider's certificates, without the trust anchor.
        client_id: The same for all wallets of this provider.
        instance_key: The wallet's key, of which the public half is attested.
        now_s: Seconds since 1970-01-01 UTC.
        lifetime_s: How long the attestation is good.
    """
    payload: JsonObject = {
        "sub": client_id,
        "iat": now_s,
        "exp": now_s + lifetime_s,
        "cnf": {"jwk": export_public_jwk(instance_key)},
    }
    return sign_compact({"typ": ATTESTATION_TYP, "x5c": encode_x5c(chain)}, payload, provider_key)


def verify_wallet_attestation(
    attestation: str,
    proof: str,
    *,
    audience: str,
    anchors: Sequence[x509.Certificate],
    now_s: int,
    leeway_s: int,
) -> AttestedClient:
    """Return which wallet it is that sent two headers; challenge and single use are the caller's.

    Args:
        attestation: The value of `OAuth-Client-Attestation`.
        proof: The value of `OAuth-Client-Attestation-PoP`.
        audience: This authorization server's identifier.
        anchors: Certificates of the authorities that vouch for providers.
        now_s: Seconds since 1970-01-01 UTC.
        leeway_s: How many seconds two clocks may differ.

    Raises:
        CredentialFormatError: Not signed JWTs of their types.
        SignatureError: No trusted provider signed it, or the proof is of another key.
        KeyFormatError: A key is of no allowed kind.
        ExpiredError: Attestation or proof is not valid at this time.
        ClientAttestationError: A claim is missing, or the proof is for another server.
    """
    token = parse_compact(attestation)
    provider_key = verify_x5c(token.unverified_header, anchors=anchors, now_s=now_s)
    _, claims = token.verify(key=provider_key, expected_typ=ATTESTATION_TYP)
    validate_times(claims, now_s=now_s, leeway_s=leeway_s)
    client_id, expires, cnf = claims.get("sub"), claims.get("exp"), claims.get("cnf")
    if not isinstance(client_id, str) or not 1 <= len(client_id) <= _MAX_TEXT_CHARS:
        raise ClientAttestationError("wallet attestation: sub, the client id, is missing")
    if not isinstance(expires, int):
        raise ClientAttestationError("wallet attestation: exp is missing")
    key = parse_public_jwk(cnf.get("jwk") if isinstance(cnf, dict) else None)
    _, payload = parse_compact(proof).verify(key=key, expected_typ=PROOF_TYP)
    if payload.get("aud") != audience:
        raise ClientAttestationError("wallet attestation proof: it is for another server (aud)")
    if payload.get("iss", client_id) != client_id:
        raise ClientAttestationError("wallet attestation proof: it is another client's (iss)")
    validate_times(payload, now_s=now_s, leeway_s=leeway_s)
    issued_at = payload.get("iat")
    if not isinstance(issued_at, int) or issued_at < now_s - MAX_PROOF_AGE_S:
        raise ClientAttestationError("wallet attestation proof: iat is missing or too old")
    proof_id, challenge = payload.get("jti"), payload.get("challenge")
    if not isinstance(proof_id, str) or not 1 <= len(proof_id) <= _MAX_TEXT_CHARS:
        raise ClientAttestationError("wallet attestation proof: jti is missing")
    if not isinstance(challenge, str | None):
        raise ClientAttestationError("wallet attestation proof: challenge is a text")
    return AttestedClient(
        client_id=client_id, jkt=thumbprint(key), proof_id=proof_id, challenge=challenge
    )
