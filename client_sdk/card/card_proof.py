"""A card's proof to an issuer: it is here, and these are its holder's attributes (ADR 0028).

The signing key signs the issuer's nonce, so the proof cannot be shown again or elsewhere; its
certificate names the attributes, so nobody has to trust the reader or the wallet for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from chaincode.encoding import JsonObject, decode_base64url, encode_base64url, encode_canonical_json
from chaincode.errors import DecodeError
from client_sdk.card.jpki import attributes_of, verify_certificate, verify_signature
from client_sdk.card.my_number_card import CardAttributes, MyNumberCard
from client_sdk.errors import CardFormatError

CONTEXT: Final = "tegata card proof 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardProof:
    """What travels from the wallet to the issuer. Its repr shows nothing of the holder.

    Attributes:
        certificate: The signing certificate, DER.
        signature: Over the challenge, by the key of that certificate.
    """

    certificate: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    def to_json(self) -> JsonObject:
        """Return the proof as a JSON object."""
        return {
            "certificate": encode_base64url(self.certificate),
            "signature": encode_base64url(self.signature),
        }

    @classmethod
    def from_json(cls, value: JsonObject) -> Self:
        """Return the proof that a JSON object stands for.

        Raises:
            CardFormatError: A member is missing or not base64url.
        """
        try:
            return cls(
                certificate=decode_base64url(str(value["certificate"])),
                signature=decode_base64url(str(value["signature"])),
            )
        except (KeyError, DecodeError):
            raise CardFormatError("card proof: certificate and signature are expected") from None


def challenge_of(*, audience: str, nonce: str) -> bytes:
    """Return the bytes that a card signs for one issuer and one nonce."""
    return encode_canonical_json({"context": CONTEXT, "aud": audience, "nonce": nonce})


def prove_card(card: MyNumberCard, *, password: str, audience: str, nonce: str) -> CardProof:
    """Let a card prove itself to an issuer.

    Args:
        card: The card, on its reader.
        password: Of the signing key, 6 to 16 letters and digits.
        audience: The issuer, as its metadata names it.
        nonce: The issuer's.

    Raises:
        CardError: The password is wrong, blocked or at its last try, or the card failed.
    """
    certificate = card.read_signing_certificate(password)
    signature = card.sign(challenge_of(audience=audience, nonce=nonce), password)
    return CardProof(certificate=certificate.public_bytes(Encoding.DER), signature=signature)


def verify_card_proof(
    proof: CardProof,
    *,
    expected_audience: str,
    expected_nonce: str,
    trust_anchors: Sequence[x509.Certificate],
    revocation_lists: Sequence[x509.CertificateRevocationList],
    now: datetime,
) -> CardAttributes:
    """Return the attributes that a card proved.

    Args:
        proof: What the wallet sent.
        expected_audience: This issuer.
        expected_nonce: The nonce that it gave; the caller sees to its single use.
        trust_anchors: The certificates of the card's authority.
        revocation_lists: Its current revocation lists.
        now: The time, with its zone.

    Raises:
        CardProofError: The certificate or the signature does not verify; the text says which.
        CardFormatError: The certificate cannot be read, or does not name the attributes.
    """
    try:
        certificate = x509.load_der_x509_certificate(proof.certificate)
    except (ValueError, x509.InvalidVersion):
        raise CardFormatError("card proof: the certificate is not X.509") from None
    key = verify_certificate(
        certificate, trust_anchors=trust_anchors, revocation_lists=revocation_lists, now=now
    )
    challenge = challenge_of(audience=expected_audience, nonce=expected_nonce)
    verify_signature(key, proof.signature, challenge)
    return attributes_of(certificate)
