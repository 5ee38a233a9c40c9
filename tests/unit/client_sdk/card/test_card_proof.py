"""A card's proof to an issuer: the attributes are those that the authority certified."""

from datetime import date, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from support.virtual_card import (
    ADDRESS,
    BIRTH_DATE,
    NAME,
    NOW,
    PASSWORD,
    SEX,
    Authority,
    VirtualCard,
    new_key,
    usage,
)

from chaincode.encoding import JsonObject
from client_sdk.card.card_proof import CardProof, prove_card, verify_card_proof
from client_sdk.card.my_number_card import CardAttributes, MyNumberCard
from client_sdk.errors import CardFormatError, CardProofError, WrongPinError

AUTHORITY = Authority()
KEY = new_key()
ISSUER = "https://issuer.example"
NONCE = "n-0S6_WzA2Mj"


def card_with(certificate: x509.Certificate, key: rsa.RSAPrivateKey = KEY) -> MyNumberCard:
    virtual = VirtualCard(AUTHORITY, certificate=certificate)
    virtual.key = key
    return MyNumberCard(virtual)


def proof_of(certificate: x509.Certificate) -> CardProof:
    return prove_card(card_with(certificate), password=PASSWORD, audience=ISSUER, nonce=NONCE)


def verify(
    proof: CardProof,
    *,
    audience: str = ISSUER,
    nonce: str = NONCE,
    anchors: tuple[x509.Certificate, ...] = (AUTHORITY.certificate,),
    lists: tuple[x509.CertificateRevocationList, ...] | None = None,
    now: datetime = NOW,
) -> CardAttributes:
    return verify_card_proof(
        proof,
        expected_audience=audience,
        expected_nonce=nonce,
        trust_anchors=anchors,
        revocation_lists=(AUTHORITY.revocation_list(),) if lists is None else lists,
        now=now,
    )


def test_the_issuer_learns_the_certified_attributes() -> None:
    found = verify(proof_of(AUTHORITY.issue(KEY)))
    assert (found.name, found.address, found.sex) == (NAME, ADDRESS, SEX)
    assert found.birth_date == date(1980, 1, 31)


def test_a_proof_survives_its_json_form_and_shows_nothing() -> None:
    proof = proof_of(AUTHORITY.issue(KEY))
    assert CardProof.from_json(proof.to_json()) == proof
    assert repr(proof) == "CardProof()"


@pytest.mark.parametrize(
    "value", [{}, {"certificate": "AA"}, {"certificate": "%", "signature": ""}]
)
def test_a_malformed_proof_is_refused(value: JsonObject) -> None:
    with pytest.raises(CardFormatError, match="card proof"):
        CardProof.from_json(value)


def test_a_proof_counts_for_one_issuer_and_one_nonce() -> None:
    proof = proof_of(AUTHORITY.issue(KEY))
    with pytest.raises(CardProofError, match="signature"):
        verify(proof, nonce="another")
    with pytest.raises(CardProofError, match="signature"):
        verify(proof, audience="https://other.example")


def test_a_copied_certificate_without_the_card_proves_nothing() -> None:
    certificate = AUTHORITY.issue(KEY)
    thief = card_with(certificate, key=new_key())
    proof = prove_card(thief, password=PASSWORD, audience=ISSUER, nonce=NONCE)
    with pytest.raises(CardProofError, match="signature"):
        verify(proof)


def test_another_authority_counts_for_nothing() -> None:
    proof = proof_of(AUTHORITY.issue(KEY))
    with pytest.raises(CardProofError, match="none of the trusted"):
        verify(proof, anchors=(Authority().certificate,))
    with pytest.raises(CardProofError, match="none of the trusted"):
        verify(proof, anchors=())


def test_a_revoked_certificate_is_refused() -> None:
    certificate = AUTHORITY.issue(KEY)
    with pytest.raises(CardProofError, match="revoked"):
        verify(proof_of(certificate), lists=(AUTHORITY.revocation_list(certificate),))


def test_without_a_current_revocation_list_nothing_is_known() -> None:
    proof = proof_of(AUTHORITY.issue(KEY))
    stale = AUTHORITY.revocation_list(next_update=NOW - timedelta(seconds=1))
    # Of the same name, but signed by another key.
    forged = Authority().revocation_list()
    with pytest.raises(CardProofError, match="no current revocation list"):
        verify(proof, lists=(stale, forged))


@pytest.mark.parametrize("now", [NOW - timedelta(days=2), NOW + timedelta(days=2000)])
def test_a_certificate_out_of_its_time_is_refused(now: datetime) -> None:
    with pytest.raises(CardProofError, match="not valid at this time"):
        verify(proof_of(AUTHORITY.issue(KEY)), now=now)


def test_a_card_older_than_its_authority_is_still_held_to_its_own_time() -> None:
    early = AUTHORITY.issue(KEY, starts=NOW + timedelta(days=1))
    with pytest.raises(CardProofError, match="not valid at this time"):
        verify(proof_of(early))


def test_a_key_for_another_use_is_refused() -> None:
    with pytest.raises(CardProofError, match="not for signatures"):
        verify(proof_of(AUTHORITY.issue(KEY, key_usage=usage(key_agreement=True))))


def test_an_authority_that_may_not_issue_is_refused() -> None:
    pretender = Authority(is_ca=False)
    with pytest.raises(CardProofError, match="may not issue"):
        verify(
            proof_of(pretender.issue(KEY)),
            anchors=(pretender.certificate,),
            lists=(pretender.revocation_list(),),
        )


def test_an_authoritys_own_certificate_is_no_cards() -> None:
    proof = CardProof(certificate=AUTHORITY.certificate.public_bytes(Encoding.DER), signature=b"x")
    with pytest.raises(CardProofError, match="not for signatures"):
        verify(proof)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {1: NAME, 3: SEX, 4: "3" + BIRTH_DATE},
        {1: NAME, 3: SEX, 4: "3" + "19800000", 5: ADDRESS},
    ],
)
def test_attributes_that_are_not_whole_are_refused(attributes: dict[int, str]) -> None:
    with pytest.raises(CardFormatError):
        verify(proof_of(AUTHORITY.issue(KEY, attributes=attributes)))


def test_bytes_that_are_no_certificate_are_refused() -> None:
    with pytest.raises(CardFormatError, match=r"X\.509"):
        verify(CardProof(certificate=b"no", signature=b""))


def test_a_wrong_password_is_told_by_the_card() -> None:
    card = MyNumberCard(VirtualCard(AUTHORITY))
    with pytest.raises(WrongPinError, match="4 tries"):
        prove_card(card, password="WRONG1", audience=ISSUER, nonce=NONCE)
