"""Sealing to a public key: the suite that RFC 9180 describes, and its refusals."""

import pytest
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hypothesis import given
from hypothesis import strategies as st

from client_sdk.errors import KeyFormatError, SealError
from client_sdk.sealing.hpke import OVERHEAD_BYTES, SealingKey, seal

KEY = SealingKey(bytes(range(32)))


def test_the_suite_is_that_of_rfc_9180_appendix_a_2() -> None:
    """A.2.1, base mode, sequence number 0. The vector has additional data, which we never use."""
    enc = "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"
    ciphertext = (
        "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"
    )
    private = "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb"
    content = openssl.hpke._decrypt_with_aad(
        Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305),
        bytes.fromhex(enc + ciphertext),
        X25519PrivateKey.from_private_bytes(bytes.fromhex(private)),
        info=bytes.fromhex("4f6465206f6e2061204772656369616e2055726e"),
        aad=bytes.fromhex("436f756e742d30"),
    )
    assert content == b"Beauty is truth, truth beauty"


@given(content=st.binary(max_size=2_000), info=st.binary(max_size=200))
def test_what_is_sealed_comes_back(content: bytes, info: bytes) -> None:
    sealed = seal(content, KEY.public_bytes, info=info)
    assert len(sealed) == len(content) + OVERHEAD_BYTES
    assert KEY.open(sealed, info=info) == content


def test_the_same_content_is_sealed_differently_each_time() -> None:
    assert len({seal(b"same", KEY.public_bytes, info=b"") for _ in range(8)}) == 8


@given(change=st.integers(min_value=0, max_value=8 * (OVERHEAD_BYTES + 4) - 1))
def test_a_changed_bit_is_noticed(change: int) -> None:
    sealed = bytearray(seal(b"text", KEY.public_bytes, info=b"here"))
    sealed[change // 8] ^= 1 << change % 8
    if bytes(sealed[:32]) == KEY.public_bytes:
        return
    with pytest.raises(SealError):
        KEY.open(bytes(sealed), info=b"here")


@given(sealed=st.binary(max_size=100))
def test_any_bytes(sealed: bytes) -> None:
    with pytest.raises(SealError):
        KEY.open(sealed, info=b"")


def test_another_place_or_another_key_opens_nothing() -> None:
    sealed = seal(b"text", KEY.public_bytes, info=b"here")
    with pytest.raises(SealError, match="another key or for another place"):
        KEY.open(sealed, info=b"there")
    with pytest.raises(SealError):
        SealingKey(bytes(32)).open(sealed, info=b"here")


@pytest.mark.parametrize("public", [b"", bytes(31), bytes(33), bytes(32)])
def test_what_is_no_public_key_is_refused(public: bytes) -> None:
    with pytest.raises(KeyFormatError):
        seal(b"text", public, info=b"")


def test_what_is_no_private_key_is_refused() -> None:
    with pytest.raises(KeyFormatError):
        SealingKey(bytes(31))


def test_a_derived_key_follows_from_secret_and_purpose() -> None:
    derived = SealingKey.derive(bytes(32), b"one")
    assert derived.public_bytes == SealingKey.derive(bytes(32), b"one").public_bytes
    assert derived.public_bytes != SealingKey.derive(bytes(32), b"two").public_bytes
    assert SealingKey(derived.private_bytes).public_bytes == derived.public_bytes


def test_its_repr_has_no_secret() -> None:
    assert KEY.private_bytes.hex() not in repr(KEY)
