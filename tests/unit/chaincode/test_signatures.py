"""Both signature schemes: published and recorded figures, and every edge of the curve."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nacl import bindings as sodium

from chaincode import signatures
from chaincode.errors import DecodeError, SignatureInvalidError
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.signatures import (
    KeyAlgorithm,
    PublicKey,
    SignatureClaim,
    parse_public_key,
    verify_many_by_libsodium,
    verify_signature,
    verify_signatures,
)
from chaincode.stateless import validate_transaction
from chaincode.transactions import block_hash, transaction_hash
from client_sdk.ledger.account_key import AccountKey

VECTORS = Path(__file__).parents[2] / "vectors" / "signatures"
IROHA: dict[str, Any] = json.loads((VECTORS / "iroha1.json").read_text())
RFC8032: list[dict[str, str]] = json.loads((VECTORS / "rfc8032.json").read_text())["vectors"]

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
SEED = bytes(range(32))
MESSAGE = b"a serialised payload"
# The canonical encodings of the eight points whose order divides 8; the sign bit tells pairs apart.
_ORDER_8 = tuple(
    bytes.fromhex(point)
    for point in (
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
)
IDENTITY = (1).to_bytes(32, "little")
TORSION = [
    IDENTITY,
    (P - 1).to_bytes(32, "little"),
    bytes(32),
    bytes(31) + b"\x80",
    *_ORDER_8,
    *(point[:31] + bytes([point[31] | 0x80]) for point in _ORDER_8),
]
OFF_CURVE = (2).to_bytes(32, "little")


@dataclass(frozen=True)
class Scheme:
    """One of the two algorithms, spelled out: its inner hash and what it signs."""

    algorithm: KeyAlgorithm
    inner: Callable[[bytes], bytes]
    signed: Callable[[bytes], bytes]

    def key_text(self, raw: bytes) -> str:
        return PublicKey(self.algorithm, raw).encode()

    def challenge(self, r: bytes, a: bytes, payload: bytes) -> bytes:
        digest = self.inner(r + a + self.signed(payload))
        return sodium.crypto_core_ed25519_scalar_reduce(digest)

    def secret_scalar(self) -> bytes:
        digest = bytearray(self.inner(SEED)[:32])
        digest[0] &= 248
        digest[31] = digest[31] & 63 | 64
        return sodium.crypto_core_ed25519_scalar_reduce(bytes(digest) + bytes(32))

    def forge(self, r_point: bytes, a_point: bytes, r: int, payload: bytes = MESSAGE) -> str:
        """Return R and S = r + k*a, whatever points are put in for R and A."""
        k = self.challenge(r_point, a_point, payload)
        product = sodium.crypto_core_ed25519_scalar_mul(k, self.secret_scalar())
        return (r_point + sodium.crypto_core_ed25519_scalar_add(scalar(r), product)).hex()


def scalar(value: int) -> bytes:
    return value.to_bytes(32, "little")


def base_times(value: int) -> bytes:
    return sodium.crypto_scalarmult_ed25519_base_noclamp(scalar(value))


SCHEMES = [
    Scheme(
        KeyAlgorithm.ED25519_SHA3,
        lambda data: hashlib.sha3_512(data).digest(),
        lambda payload: hashlib.sha3_256(payload).digest(),
    ),
    Scheme(
        KeyAlgorithm.ED25519_SHA2,
        lambda data: hashlib.sha512(data).digest(),
        lambda payload: payload,
    ),
]


# Both, where both are: they must give the same verdicts (ADR 0029).
IMPLEMENTATIONS = {"libsodium": verify_many_by_libsodium, "built": signatures._verify_many}


@pytest.fixture(params=IMPLEMENTATIONS, autouse=True)
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name: str = request.param
    monkeypatch.setattr(signatures, "_verify_many", IMPLEMENTATIONS[name])
    return name


@pytest.fixture(params=SCHEMES, ids=lambda scheme: scheme.algorithm.name)
def scheme(request: pytest.FixtureRequest) -> Scheme:
    chosen: Scheme = request.param
    return chosen


def refuses(key: str, signature: str, payload: bytes = MESSAGE) -> bool:
    try:
        verify_signature(public_key=key, signature=signature, payload=payload)
    except SignatureInvalidError:
        return True
    return False


@pytest.mark.parametrize("vector", RFC8032, ids=lambda vector: vector["name"])
def test_rfc8032_vectors(vector: dict[str, str]) -> None:
    public_key, message = "ed0120" + vector["public_key"], bytes.fromhex(vector["message"])
    key = AccountKey(bytes.fromhex(vector["seed"]), KeyAlgorithm.ED25519_SHA2)
    assert key.public_key == public_key
    assert key.sign(message) == vector["signature"]
    found = verify_signature(public_key=public_key, signature=vector["signature"], payload=message)
    assert found == PublicKey(KeyAlgorithm.ED25519_SHA2, bytes.fromhex(vector["public_key"]))
    assert refuses(public_key, vector["signature"], message + b"\x00")


@pytest.mark.parametrize(
    ("vector", "algorithm"),
    [(vector, KeyAlgorithm.ED25519_SHA3) for vector in IROHA["ed25519_sha3"]]
    + [(vector, KeyAlgorithm.ED25519_SHA2) for vector in IROHA["ed25519_sha2"]],
    ids=lambda value: value["name"] if isinstance(value, dict) else value.name,
)
def test_keys_of_iroha(vector: dict[str, str], algorithm: KeyAlgorithm) -> None:
    assert AccountKey(bytes.fromhex(vector["seed"]), algorithm).public_key == vector["public_key"]
    assert parse_public_key(vector["public_key"]).algorithm is algorithm


@pytest.mark.parametrize("vector", IROHA["transactions"], ids=lambda vector: vector["name"])
def test_transactions_of_iroha(vector: dict[str, str]) -> None:
    message = Transaction.FromString(bytes.fromhex(vector["message"]))
    assert transaction_hash(message).hex() == vector["hash"]
    assert message.payload.SerializeToString().hex() == vector["payload"]
    verify_signature(
        public_key=vector["public_key"],
        signature=vector["signature"],
        payload=bytes.fromhex(vector["payload"]),
    )
    transaction = validate_transaction(message, None)
    assert transaction.hash.hex() == vector["hash"]
    assert transaction.signatories == {vector["public_key"]}


@pytest.mark.parametrize("vector", IROHA["blocks"], ids=lambda vector: str(vector["height"]))
def test_blocks_of_iroha(vector: dict[str, str]) -> None:
    block = Block.FromString(bytes.fromhex(vector["message"]))
    assert block_hash(block).hex() == vector["hash"] == vector["hash_in_the_next_block"]
    (signature,) = block.block_v1.signatures
    verify_signature(
        public_key=signature.public_key,
        signature=signature.signature,
        payload=block.block_v1.payload.SerializeToString(),
    )


def test_an_honest_signature_verifies_in_either_case(scheme: Scheme) -> None:
    key = AccountKey(SEED, scheme.algorithm)
    signature = key.sign(MESSAGE)
    expected = PublicKey(scheme.algorithm, key.raw_public_key)
    for key_text, text in (
        (key.public_key, signature),
        (key.public_key.upper(), signature.upper()),
    ):
        assert verify_signature(public_key=key_text, signature=text, payload=MESSAGE) == expected
    assert expected.encode() == key.public_key


def test_every_flipped_bit_is_noticed(scheme: Scheme) -> None:
    key = AccountKey(SEED, scheme.algorithm)
    signature = bytes.fromhex(key.sign(MESSAGE))
    for bit in range(0, 512, 7):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        assert refuses(key.public_key, flipped.hex())
    assert refuses(key.public_key, signature.hex(), MESSAGE + b"\x00")
    assert refuses(AccountKey(bytes(32), scheme.algorithm).public_key, signature.hex())


def test_a_signature_of_one_scheme_is_none_of_the_other() -> None:
    one, other = (AccountKey(SEED, scheme.algorithm) for scheme in SCHEMES)
    assert refuses(one.public_key, other.sign(MESSAGE))
    assert refuses(other.public_key, one.sign(MESSAGE))
    # Nor by calling the same point by the other scheme's name.
    assert refuses("ed0120" + one.public_key, one.sign(MESSAGE))
    assert refuses(other.public_key.removeprefix("ed0120"), other.sign(MESSAGE))


def test_forging_with_the_secret_is_what_signing_is(scheme: Scheme) -> None:
    """The helper that the next tests forge with makes signatures that verify."""
    key = AccountKey(SEED, scheme.algorithm)
    assert not refuses(key.public_key, scheme.forge(base_times(5), key.raw_public_key, 5))


@pytest.mark.parametrize("multiple", range(1, 16))
def test_s_past_the_order_is_malleable_and_refused(scheme: Scheme, multiple: int) -> None:
    key = AccountKey(SEED, scheme.algorithm)
    signature = bytes.fromhex(key.sign(MESSAGE))
    s = int.from_bytes(signature[32:], "little") + multiple * L
    if s < 2**256:
        assert refuses(key.public_key, (signature[:32] + scalar(s)).hex())


@pytest.mark.parametrize("point", TORSION, ids=bytes.hex)
def test_a_key_of_small_order_is_refused(scheme: Scheme, point: bytes) -> None:
    # k*A is the identity for every eighth k or more often: S*B == R then holds with S = r.
    r_point = base_times(7)
    for counter in range(64):
        payload = MESSAGE + bytes([counter])
        assert refuses(scheme.key_text(point), (r_point + scalar(7)).hex(), payload)
        assert refuses(scheme.key_text(point), (IDENTITY + scalar(0)).hex(), payload)
        assert refuses(scheme.key_text(point), (point + scalar(0)).hex(), payload)


def messages_with_challenge_of_eight(
    scheme: Scheme, r_point: bytes, a_point: bytes
) -> Iterator[bytes]:
    for counter in range(200):
        payload = MESSAGE + bytes([counter])
        if scheme.challenge(r_point, a_point, payload)[0] % 8 == 0:
            yield payload


@pytest.mark.parametrize("torsion", TORSION[1:], ids=bytes.hex)
def test_a_key_of_mixed_order_is_refused(scheme: Scheme, torsion: bytes) -> None:
    honest = AccountKey(SEED, scheme.algorithm).raw_public_key
    mixed = sodium.crypto_core_ed25519_add(honest, torsion)
    r_point = base_times(7)
    payloads = list(messages_with_challenge_of_eight(scheme, r_point, mixed))
    assert payloads
    for payload in payloads:
        signature = scheme.forge(r_point, mixed, 7, payload)
        assert refuses(scheme.key_text(mixed), signature, payload)
        if scheme.algorithm is KeyAlgorithm.ED25519_SHA2:
            # libsodium alone takes it: the check of the key is what refuses it.
            sodium.crypto_sign_open(bytes.fromhex(signature) + payload, mixed)


@pytest.mark.parametrize("sign_bit", [0, 1 << 255])
@pytest.mark.parametrize("above", range(19))
def test_a_key_that_is_not_canonical_is_refused(scheme: Scheme, above: int, sign_bit: int) -> None:
    point = (P + above | sign_bit).to_bytes(32, "little")
    assert refuses(scheme.key_text(point), (base_times(7) + scalar(7)).hex())


def test_r_that_is_not_canonical_is_refused(scheme: Scheme) -> None:
    key = AccountKey(SEED, scheme.algorithm)
    not_canonical = (P + 1).to_bytes(32, "little")
    assert refuses(key.public_key, scheme.forge(not_canonical, key.raw_public_key, 0))


@pytest.mark.parametrize("torsion", TORSION[1:], ids=bytes.hex)
def test_r_with_a_torsion_part_is_refused(scheme: Scheme, torsion: bytes) -> None:
    key = AccountKey(SEED, scheme.algorithm)
    mixed = sodium.crypto_core_ed25519_add(base_times(7), torsion)
    assert refuses(key.public_key, scheme.forge(mixed, key.raw_public_key, 7))
    assert refuses(key.public_key, scheme.forge(torsion, key.raw_public_key, 0))


def test_points_off_the_curve_are_refused(scheme: Scheme) -> None:
    key = AccountKey(SEED, scheme.algorithm)
    assert refuses(scheme.key_text(OFF_CURVE), (base_times(7) + scalar(7)).hex())
    assert refuses(key.public_key, scheme.forge(OFF_CURVE, key.raw_public_key, 7))


@pytest.mark.parametrize("s", [0, 1, L - 1, L, L + 1, 2**255, 2**256 - 1])
def test_any_s_of_a_stranger_is_refused(scheme: Scheme, s: int) -> None:
    key = AccountKey(SEED, scheme.algorithm)
    for r_point in (base_times(7), IDENTITY, bytes(32), b"\xff" * 32):
        assert refuses(key.public_key, (r_point + scalar(s)).hex())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:0],
        lambda text: text[:-1],
        lambda text: text[:-2],
        lambda text: text + "00",
        lambda text: text + "0",
        lambda text: "zz" + text[2:],
        lambda text: "é" + text[1:],
        lambda text: " " + text,
        lambda text: text + "\n",
        lambda text: text[:2] + " " + text[2:],
        lambda text: text + " " * len(text),
        lambda text: "0x" + text,
    ],
    ids=[
        "empty",
        "odd",
        "short",
        "long",
        "odd and long",
        "not hex",
        "not ASCII",
        "space before",
        "line end",
        "space inside",
        "many spaces",
        "0x",
    ],
)
def test_only_hex_of_the_right_length_is_read(scheme: Scheme, spoil: Callable[[str], str]) -> None:
    key = AccountKey(SEED, scheme.algorithm)
    signature = key.sign(MESSAGE)
    assert refuses(key.public_key, spoil(signature))
    assert refuses(spoil(key.public_key), signature)
    with pytest.raises(DecodeError):
        parse_public_key(spoil(key.public_key))


@pytest.mark.parametrize("prefix", ["ed0121", "ee0120", "ed012000", "ed01", "1205"])
def test_other_multihashes_are_refused(prefix: str) -> None:
    with pytest.raises(DecodeError, match="64 hex digits"):
        parse_public_key(prefix + "00" * 32)


def test_errors_show_no_bytes() -> None:
    key = AccountKey(SEED)
    with pytest.raises(SignatureInvalidError) as refused:
        verify_signature(public_key=key.public_key, signature="ab" * 64, payload=b"secret")
    for text in ("ab" * 8, "secret", key.public_key):
        assert text not in str(refused.value)


def test_many_are_told_apart_in_their_order(scheme: Scheme) -> None:
    key = AccountKey(SEED, scheme.algorithm)
    good = SignatureClaim(key.public_key, key.sign(MESSAGE), MESSAGE)
    claims = [
        good,
        replace(good, payload=b"another"),
        replace(good, signature="ab"),
        good,
        replace(good, public_key="zz"),
        replace(good, signature=good.signature[::-1]),
        good,
    ]
    verdicts = verify_signatures(claims)
    assert [isinstance(verdict, PublicKey) for verdict in verdicts] == [
        claim == good for claim in claims
    ]
    assert verify_signatures([]) == []


@pytest.mark.parametrize("algorithm", KeyAlgorithm, ids=lambda algorithm: algorithm.name)
def test_a_neutral_r_is_decided_alike(algorithm: KeyAlgorithm) -> None:
    # Only the key's owner can make one. libsodium's own scheme refuses it, the composed one not.
    (chosen,) = (scheme for scheme in SCHEMES if scheme.algorithm is algorithm)
    key = AccountKey(SEED, algorithm)
    forged = chosen.forge(IDENTITY, key.raw_public_key, 0)
    assert refuses(key.public_key, forged) is (algorithm is KeyAlgorithm.ED25519_SHA2)


@given(
    flip=st.integers(0, 64 * 8 - 1),
    key_flip=st.none() | st.integers(0, 32 * 8 - 1),
    seed=st.binary(min_size=32, max_size=32),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_bit_is_decided_alike(
    scheme: Scheme, flip: int, key_flip: int | None, seed: bytes
) -> None:
    key = AccountKey(seed, scheme.algorithm)
    raw, signature = bytearray(key.raw_public_key), bytearray.fromhex(key.sign(MESSAGE))
    signature[flip // 8] ^= 1 << flip % 8
    if key_flip is not None:
        raw[key_flip // 8] ^= 1 << key_flip % 8
    assert refuses(scheme.key_text(bytes(raw)), signature.hex())


def peak_bytes() -> int:
    """Return the most memory that the process has used since its peak was set back."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells the memory")
def test_many_signatures_of_a_long_payload_do_not_copy_it_each() -> None:
    """Anybody may send one of 16 MiB with 256 signatures: it must not become 4 GiB."""
    payload = bytes(4 * 1024 * 1024)
    keys = [AccountKey.generate(KeyAlgorithm.ED25519_SHA2) for _ in range(64)]
    claims = [SignatureClaim(key.public_key, "00" * 64, payload) for key in keys]
    # Set back to what is used now (proc(5)).
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_bytes()
    verdicts = verify_signatures(claims)
    assert all(isinstance(verdict, SignatureInvalidError) for verdict in verdicts)
    assert peak_bytes() - before < 10 * len(payload)
