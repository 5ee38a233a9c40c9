"""Access certificates: who a verifier is, and which authority says so."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from support.presentation_world import NOW_MS, make_identity

from client_sdk.errors import KeyFormatError
from client_sdk.openid4vp.access_certificate import (
    certify_verifier,
    client_id_of,
    create_access_authority,
    find_anchor,
    load_certificates,
    load_der_certificate,
    load_identity,
    organization_of,
    public_key_of,
)

NOW_S = NOW_MS // 1000
NOW = datetime.fromtimestamp(NOW_S, tz=UTC)
AUTHORITY, IDENTITY = make_identity()


def self_signed(name: list[x509.NameAttribute], key: ec.EllipticCurvePrivateKey) -> bytes:
    subject = x509.Name(name)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def pem_key(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_an_identity_survives_its_files() -> None:
    loaded = load_identity(chain_pem=IDENTITY.encode_chain(), key_pem=IDENTITY.encode_key())
    assert loaded.client_id == IDENTITY.client_id
    assert loaded.name == "Minato City Hall"
    assert loaded.signing_key.is_private
    assert "key" not in repr(loaded).replace("_key", "")


def test_a_client_id_is_the_hash_of_the_certificate() -> None:
    prefix, _, digest = IDENTITY.client_id.partition(":")
    assert prefix == "x509_hash"
    assert len(digest) == 43
    assert IDENTITY.chain[0].fingerprint(hashes.SHA256()).hex() != digest


def test_the_authority_is_found_and_another_is_not() -> None:
    other, _ = make_identity()
    found = find_anchor(
        IDENTITY.chain, trust_anchors=(other.chain[0], AUTHORITY.chain[0]), now_s=NOW_S
    )
    assert found == AUTHORITY.chain[0]
    assert find_anchor(IDENTITY.chain, trust_anchors=other.chain, now_s=NOW_S) is None
    assert find_anchor(IDENTITY.chain, trust_anchors=(), now_s=NOW_S) is None


def test_a_certificate_out_of_its_time_leads_nowhere() -> None:
    for now_s in (NOW_S - 3600, NOW_S + 91 * 86_400):
        assert find_anchor(IDENTITY.chain, trust_anchors=AUTHORITY.chain, now_s=now_s) is None


def test_a_verifier_cannot_certify_another() -> None:
    impostor = certify_verifier(
        IDENTITY, name="Bank", url="https://bank.example", host="bank.example", now=NOW, days=1
    )
    chain = (*impostor.chain, *IDENTITY.chain)
    assert find_anchor(chain, trust_anchors=AUTHORITY.chain, now_s=NOW_S) is None


@pytest.mark.parametrize("for_signatures", [True, False])
def test_a_certificate_for_another_use_leads_nowhere(for_signatures: bool) -> None:
    genuine = IDENTITY.chain[0]
    builder = x509.CertificateBuilder().subject_name(genuine.subject).issuer_name(genuine.issuer)
    builder = builder.public_key(public_key_of(genuine)).serial_number(1)
    builder = builder.not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
    for extension in genuine.extensions:
        if not isinstance(extension.value, x509.KeyUsage):
            builder = builder.add_extension(extension.value, critical=extension.critical)
    usage = x509.KeyUsage(
        digital_signature=for_signatures,
        content_commitment=not for_signatures,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = builder.add_extension(usage, critical=True)
    authority_key = load_pem_private_key(AUTHORITY.encode_key(), password=None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    chain = (builder.sign(authority_key, hashes.SHA256()),)
    found = find_anchor(chain, trust_anchors=AUTHORITY.chain, now_s=NOW_S)
    assert (found is not None) is for_signatures


def test_an_organization_may_have_a_japanese_name() -> None:
    _, identity = make_identity("東京都\u3000港区役所")
    assert identity.name == "東京都\u3000港区役所"


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 65])
def test_names_that_cannot_stand_in_a_certificate(name: str) -> None:
    with pytest.raises(KeyFormatError):
        create_access_authority(name=name, now=NOW)


def test_a_host_that_cannot_stand_in_a_certificate() -> None:
    with pytest.raises(KeyFormatError, match="host or url"):
        certify_verifier(
            AUTHORITY, name="A", url="https://a.example", host="é.example", now=NOW, days=1
        )


def test_keys_that_do_not_fit_are_refused() -> None:
    chain = IDENTITY.encode_chain()
    for key_pem in (
        b"",
        b"not pem",
        AUTHORITY.encode_key(),
        pem_key(ec.generate_private_key(ec.SECP384R1())),
        pem_key(rsa.generate_private_key(65537, 2048)),
    ):
        with pytest.raises(KeyFormatError):
            load_identity(chain_pem=chain, key_pem=key_pem)


def test_a_certificate_must_name_one_organization_and_use_p256() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    one = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "A")
    for name in ([], [one, one], [x509.NameAttribute(NameOID.COMMON_NAME, "A")]):
        (certificate,) = load_certificates(self_signed(name, key))
        with pytest.raises(KeyFormatError, match="organization"):
            organization_of(certificate)
    (certificate,) = load_certificates(self_signed([one], ec.generate_private_key(ec.SECP384R1())))
    with pytest.raises(KeyFormatError, match="P-256"):
        public_key_of(certificate)


@given(st.binary(max_size=64))
def test_any_bytes_are_certificates_or_an_own_error(data: bytes) -> None:
    with pytest.raises(KeyFormatError):
        load_certificates(data)
    with pytest.raises(KeyFormatError):
        load_der_certificate(data)


# Of a serial number below 1 the library warns today, and will refuse it.
@pytest.mark.filterwarnings("ignore:Parsed a serial number:Warning")
@given(st.data())
def test_a_damaged_certificate_is_read_or_is_an_own_error(data: st.DataObject) -> None:
    der = bytearray(IDENTITY.chain[0].public_bytes(Encoding.DER))
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(KeyFormatError):
        certificate = load_der_certificate(bytes(der))
        client_id_of(certificate)
        find_anchor((certificate,), trust_anchors=AUTHORITY.chain, now_s=NOW_S)
        organization_of(certificate)
        public_key_of(certificate)
