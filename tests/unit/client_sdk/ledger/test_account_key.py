"""Account keys: the figures of Iroha and RFC 8032, files, and what is never shown."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.errors import SignatureInvalidError
from chaincode.signatures import KeyAlgorithm, verify_signature
from client_sdk.errors import KeyFormatError
from client_sdk.ledger.account_key import AccountKey
from node.keypair import save_keypair

VECTORS = Path(__file__).parents[3] / "vectors" / "signatures"
IROHA: dict[str, Any] = json.loads((VECTORS / "iroha1.json").read_text())
RFC8032: list[dict[str, str]] = json.loads((VECTORS / "rfc8032.json").read_text())["vectors"]
IROHA_KEYS = [
    (algorithm, vector)
    for algorithm, name in (
        (KeyAlgorithm.ED25519_SHA3, "ed25519_sha3"),
        (KeyAlgorithm.ED25519_SHA2, "ed25519_sha2"),
    )
    for vector in IROHA[name]
]
ALGORITHMS = pytest.mark.parametrize("algorithm", list(KeyAlgorithm))
SEEDS = st.binary(min_size=32, max_size=32)


@pytest.mark.parametrize(("algorithm", "vector"), IROHA_KEYS, ids=lambda value: str(value)[:40])
def test_irohads_keys_are_derived(algorithm: KeyAlgorithm, vector: dict[str, str]) -> None:
    key = AccountKey(bytes.fromhex(vector["seed"]), algorithm)
    assert key.public_key == vector["public_key"]
    assert (key.seed.hex(), key.algorithm) == (vector["seed"], algorithm)
    assert vector["public_key"].endswith(key.raw_public_key.hex())


def test_the_signatures_that_irohad_accepted_are_made_again() -> None:
    """Both schemes are deterministic: the same key and payload give the same signature."""
    keys = {
        key.public_key: key
        for algorithm, vector in IROHA_KEYS
        for key in [AccountKey(bytes.fromhex(vector["seed"]), algorithm)]
    }
    known = [t for t in IROHA["transactions"] if t["public_key"] in keys]
    assert known
    for transaction in known:
        key = keys[transaction["public_key"]]
        assert key.sign(bytes.fromhex(transaction["payload"])) == transaction["signature"]


@pytest.mark.parametrize("vector", RFC8032, ids=lambda vector: vector["name"])
def test_the_sha2_scheme_is_rfc_8032(vector: dict[str, str]) -> None:
    key = AccountKey(bytes.fromhex(vector["seed"]))
    assert key.public_key == "ed0120" + vector["public_key"]
    assert key.sign(bytes.fromhex(vector["message"])) == vector["signature"]


@ALGORITHMS
@given(seed=SEEDS, payload=st.binary(max_size=300))
def test_what_is_signed_verifies_under_this_key_only(
    algorithm: KeyAlgorithm, seed: bytes, payload: bytes
) -> None:
    key = AccountKey(seed, algorithm)
    signature = key.sign(payload)
    verified = verify_signature(public_key=key.public_key, signature=signature, payload=payload)
    assert (verified.encode(), verified.raw) == (key.public_key, key.raw_public_key)
    for other_payload in (payload + b"\x00", payload[1:] + b"x"):
        if other_payload != payload:
            with pytest.raises(SignatureInvalidError):
                verify_signature(
                    public_key=key.public_key, signature=signature, payload=other_payload
                )
    other = AccountKey(bytes([seed[0] ^ 1]) + seed[1:], algorithm)
    with pytest.raises(SignatureInvalidError):
        verify_signature(public_key=other.public_key, signature=signature, payload=payload)


@given(seed=SEEDS)
def test_one_seed_gives_two_keys_in_the_two_schemes(seed: bytes) -> None:
    sha2, sha3 = (AccountKey(seed, algorithm) for algorithm in KeyAlgorithm)
    assert sha2.raw_public_key != sha3.raw_public_key
    assert {len(sha2.public_key), len(sha3.public_key)} == {64, 70}


@ALGORITHMS
def test_new_keys_differ(algorithm: KeyAlgorithm) -> None:
    keys = {AccountKey.generate(algorithm).public_key for _ in range(50)}
    assert len(keys) == 50


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_seed_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(KeyFormatError, match=f"has 32 bytes, this one {size}"):
        AccountKey(bytes(size))


@ALGORITHMS
def test_a_key_survives_its_files(tmp_path: Path, algorithm: KeyAlgorithm) -> None:
    key = AccountKey.generate(algorithm)
    path = tmp_path / "keys" / "alice@city.example.priv"
    save_keypair(key, path)
    loaded = AccountKey.load(path)
    assert (loaded.seed, loaded.public_key, loaded.algorithm) == (
        key.seed,
        key.public_key,
        algorithm,
    )
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys" / "alice@city.example.pub").read_text().strip() == key.public_key


def test_irohads_own_files_are_read(tmp_path: Path) -> None:
    """Without a line's end, and in capitals."""
    for _, vector in IROHA_KEYS:
        (tmp_path / "key.priv").write_text(vector["seed"].upper())
        (tmp_path / "key.pub").write_text(vector["public_key"].upper())
        assert AccountKey.load(tmp_path / "key.priv").public_key == vector["public_key"]


KEY = AccountKey(bytes(range(32)))


@pytest.mark.parametrize(
    ("private", "public"),
    [
        (b"", KEY.public_key.encode()),
        (KEY.seed.hex().encode(), b""),
        (KEY.seed.hex().encode(), KEY.public_key.removeprefix("ed0120").encode()),
        (KEY.seed.hex().encode(), AccountKey(bytes(32)).public_key.encode()),
        (KEY.seed.hex().encode() + b"00", KEY.public_key.encode()),
        (KEY.seed.hex().encode()[:-2], KEY.public_key.encode()),
        (KEY.seed.hex().encode()[:-1], KEY.public_key.encode()),
        (KEY.seed, KEY.public_key.encode()),
        (b"\xff" * 64, KEY.public_key.encode()),
        (KEY.seed.hex().encode(), "\uff11".encode() * 64),
        (KEY.seed.hex().encode(), b"ee0120" + KEY.raw_public_key.hex().encode()),
    ],
)
def test_files_that_are_no_keypair_are_refused_without_showing_them(
    tmp_path: Path, private: bytes, public: bytes
) -> None:
    (tmp_path / "key.priv").write_bytes(private)
    (tmp_path / "key.pub").write_bytes(public)
    with pytest.raises(KeyFormatError) as caught:
        AccountKey.load(tmp_path / "key.priv")
    assert KEY.seed.hex()[:-2] not in str(caught.value)
    assert caught.value.__cause__ is None


@given(private=st.binary(max_size=80), public=st.binary(max_size=80))
def test_any_files_are_a_keypair_or_refused(
    tmp_path_factory: pytest.TempPathFactory, private: bytes, public: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "any.priv").write_bytes(private)
    (folder / "any.pub").write_bytes(public)
    with pytest.raises(KeyFormatError):
        AccountKey.load(folder / "any.priv")


@pytest.mark.parametrize("missing", ["key.priv", "key.pub"])
def test_a_missing_half_is_refused(tmp_path: Path, missing: str) -> None:
    save_keypair(KEY, tmp_path / "key.priv")
    (tmp_path / missing).unlink()
    with pytest.raises(KeyFormatError, match="FileNotFoundError"):
        AccountKey.load(tmp_path / "key.priv")


@ALGORITHMS
def test_a_key_never_shows_its_secret(algorithm: KeyAlgorithm) -> None:
    key = AccountKey(bytes(range(32)), algorithm)
    for text in (repr(key), str(key), f"{key}", f"{[key]}"):
        assert key.public_key in text
        assert key.seed.hex() not in text
        assert repr(key.seed) not in text
    assert not hasattr(key, "__dict__")
