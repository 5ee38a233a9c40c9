"""An issuer's client of its authorities: each holds a share of the key that credentials bear."""

from collections.abc import Sequence
from typing import Final

from chaincode.encoding import JsonObject, encode_base64url
from chaincode.signatures import KeyAlgorithm
from client_sdk.credentials.jose import Key, parse_public_jwk
from client_sdk.errors import FrostFormatError, TransportError
from client_sdk.frost.coordinator import sign_together
from client_sdk.frost.keys import GroupKey
from client_sdk.frost.signing import SignatureShare, SigningCommitment, SigningPackage
from client_sdk.http.request_signature import RequestSigner
from client_sdk.http.service_client import ServiceClient, content_of, text_of
from client_sdk.strict_json import encode_json

ISSUER: Final = "issuer"
"""The name that a signer knows its issuer by."""


class AuthorityClient(ServiceClient):
    """The issuer's connection to one authority's signer: each request is signed."""

    def __init__(self, url: str, token: str, *, timeout_s: float = 15) -> None:
        """Prepare a connection.

        Args:
            url: The signer's address: scheme, host and port.
            token: What the authority's operator gave the issuer; it signs and is never sent.
            timeout_s: How long one call may wait, in seconds.
        """
        super().__init__(url, token, timeout_s=timeout_s)
        self._signer = RequestSigner(ISSUER, token)

    def commit(self) -> tuple[str, SigningCommitment]:
        """Begin a signature: return the session's name and the authority's commitment.

        Raises:
            ServiceRefusedError: The signature is not the issuer's.
            FrostFormatError: The commitment is none.
            TransportError: The authority cannot be reached.
        """
        answer = self._post("/commitments", {}, expected_status=201)
        commitment = answer.get("commitment")
        if not isinstance(commitment, dict):
            raise TransportError("the authority's answer has no commitment")
        return text_of(answer, "session"), SigningCommitment.from_fields(commitment)

    def sign(
        self, session: str, package: SigningPackage, disclosures: Sequence[str]
    ) -> SignatureShare:
        """Return the authority's part of a credential's signature.

        Raises:
            ServiceRefusedError: The authority does not sign this credential; the text says why.
            FrostFormatError: Its part is none.
            TransportError: The authority cannot be reached.
        """
        body: JsonObject = {
            "session": session,
            "commitments": [commitment.to_fields() for commitment in package.commitments],
            "signing_input": package.payload.decode("ascii"),
            "disclosures": list(disclosures),
        }
        answer = self._post("/signature-shares", body, expected_status=200)
        return SignatureShare.from_fields(answer)

    def _post(self, path: str, body: JsonObject, *, expected_status: int) -> JsonObject:
        url, data = f"{self._url}{path}", encode_json(body)
        headers = self._signer.headers("POST", url, data)
        answer = self._http.send("POST", url, body=data, headers=headers)
        return content_of(answer, expected_status=expected_status)


class ThresholdSigner:
    """Signs credentials through any of the authorities that answer."""

    def __init__(self, group: GroupKey, authorities: dict[int, AuthorityClient]) -> None:
        """Take the key and its holders.

        Args:
            group: The issuer's key, of the algorithm that JWTs know (`EdDSA`).
            authorities: A connection to each authority, by its identifier in the key.

        Raises:
            FrostFormatError: A key of Iroha's own scheme, or an authority that has no share of it.
        """
        if group.algorithm is not KeyAlgorithm.ED25519_SHA2:
            raise FrostFormatError("credentials are signed under a key of ed25519_sha2_256 (EdDSA)")
        if not group.verifying_shares.keys() >= authorities.keys():
            raise FrostFormatError("an authority is named that has no share of the key")
        self._group = group
        self._authorities = authorities
        self._public_key = parse_public_jwk(group_jwk(group))

    @property
    def public_key(self) -> Key:
        """The public half of the issuer's key."""
        return self._public_key

    def sign(self, signing_input: bytes, disclosures: tuple[str, ...]) -> bytes:
        """Return the signature of a credential.

        Raises:
            NotEnoughSignersError: Too few authorities signed; it says what each of them answered.
        """
        signers = [
            _CredentialSession(identifier, authority, disclosures)
            for identifier, authority in self._authorities.items()
        ]
        return sign_together(self._group, signing_input, signers).signature


class _CredentialSession:
    """One authority, asked for one credential."""

    def __init__(
        self, identifier: int, authority: AuthorityClient, disclosures: Sequence[str]
    ) -> None:
        self.identifier = identifier
        self._authority = authority
        self._disclosures = disclosures

    def commit(self) -> tuple[str, SigningCommitment]:
        return self._authority.commit()

    def sign(self, session: str, package: SigningPackage) -> SignatureShare:
        return self._authority.sign(session, package, self._disclosures)


def group_jwk(group: GroupKey) -> JsonObject:
    """Return a group's public key as a JWK (RFC 8037)."""
    return {"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(group.public_key)}
