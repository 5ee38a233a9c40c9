"""FROST signing: the RFC's figures, any t of n, nobody unnamed, and no nonce twice."""

import copy
import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import VerifyKey
from support.threshold import SHA2, SHA3, deal, sign

from chaincode.signatures import KeyAlgorithm, verify_signature
from client_sdk.errors import FrostFormatError, NonceUsedError, ParticipantFaultError
from client_sdk.frost.group import (
    IDENTITY,
    ZERO,
    Point,
    Scalar,
    add,
    multiply_base,
    random_scalar,
    small_scalar,
)
from client_sdk.frost.keys import KeyShare
from client_sdk.frost.signing import (
    SignatureShare,
    SigningCommitment,
    SigningNonces,
    SigningPackage,
    aggregate,
    commit,
    derive_nonce,
    sign_share,
    verify_signature_share,
)

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[3] / "vectors" / "frost" / "signing.json").read_text()
)["vectors"]
FORK = """
import os
from support.threshold import deal
from client_sdk.errors import NonceUsedError
from client_sdk.frost.signing import SigningPackage, commit, sign_share

shares = deal(2, 2)
nonces = {i: commit(share) for i, share in shares.items()}
package = SigningPackage(payload=b"", commitments=tuple(n.commitment for n in nonces.values()))
child = os.fork()
if child:
    os.waitpid(child, 0)
try:
    sign_share(shares[1], nonces[1], package)
    outcome = "signed"
except NonceUsedError as error:
    outcome = type(error).__name__
print("parent" if child else "child", outcome, flush=True)
"""
ALGORITHMS = st.sampled_from([SHA2, SHA3])


def scalar(text: str) -> Scalar:
    return Scalar(bytes.fromhex(text))


class Round:
    """A signature in the making, of which a test can change any part."""

    def __init__(self, shares: dict[int, KeyShare], signers: list[int], payload: bytes) -> None:
        self.shares = shares
        self.nonces = {i: commit(shares[i]) for i in sorted(signers)}
        self.package = SigningPackage(
            payload=payload, commitments=tuple(n.commitment for n in self.nonces.values())
        )
        self.group = shares[1].group

    def sign(self, identifier: int) -> SignatureShare:
        return sign_share(self.shares[identifier], self.nonces[identifier], self.package)

    def parts(self) -> list[SignatureShare]:
        return [self.sign(i) for i in self.nonces]


@pytest.fixture
def two_of_three() -> Round:
    return Round(deal(2, 3), [1, 3], b"payload")


class TestPublishedVectors:
    @pytest.fixture(params=VECTORS, ids=lambda vector: vector["name"])
    def vector(self, request: pytest.FixtureRequest) -> dict[str, Any]:
        return request.param

    @pytest.fixture
    def shares(self, vector: dict[str, Any]) -> dict[int, KeyShare]:
        secrets = [vector["group_secret"], *vector["coefficients"]]
        return deal(vector["threshold"], 3, coefficients=[scalar(text) for text in secrets])

    def test_the_shares_are_dealt(self, vector: dict[str, Any], shares: dict) -> None:
        assert shares[1].group.public_key.hex() == vector["group_public_key"]
        assert {str(i): s.secret.reveal().hex() for i, s in shares.items()} == vector["shares"]

    def test_both_rounds(self, vector: dict[str, Any], shares: dict) -> None:
        nonces = {}
        for signer in vector["signers"]:
            i = signer["identifier"]
            hiding, binding = (
                derive_nonce(shares[i], bytes.fromhex(signer[f"{kind}_random"]))
                for kind in ("hiding", "binding")
            )
            assert (hiding.hex(), binding.hex()) == (
                signer["hiding_nonce"],
                signer["binding_nonce"],
            )
            nonces[i] = SigningNonces(i, hiding, binding)
            assert nonces[i].commitment.hiding.hex() == signer["hiding_commitment"]
            assert nonces[i].commitment.binding.hex() == signer["binding_commitment"]
        package = SigningPackage(
            payload=bytes.fromhex(vector["message"]),
            commitments=tuple(each.commitment for each in nonces.values()),
        )
        parts = [sign_share(shares[i], each, package) for i, each in nonces.items()]
        assert [part.value.hex() for part in parts] == [
            signer["signature_share"] for signer in vector["signers"]
        ]
        group = shares[1].group
        assert [verify_signature_share(group, package, part) for part in parts] == parts
        assert aggregate(group, package, parts).hex() == vector["signature"]


@given(data=st.data(), payload=st.binary(max_size=200), algorithm=ALGORITHMS)
def test_any_t_of_n_sign(data: st.DataObject, payload: bytes, algorithm: KeyAlgorithm) -> None:
    participants = data.draw(st.integers(2, 6))
    threshold = data.draw(st.integers(2, participants))
    signers = data.draw(
        st.lists(st.integers(1, participants), min_size=threshold, unique=True).map(sorted)
    )
    shares = deal(threshold, participants, algorithm)
    signature = sign([shares[i] for i in signers], payload)
    key = shares[1].group.ledger_key
    assert verify_signature(public_key=key, signature=signature.hex(), payload=payload)
    if algorithm is SHA2:
        raw = shares[1].group.public_key
        VerifyKey(raw).verify(payload, signature)
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, payload)


@given(threshold=st.integers(3, 5), algorithm=ALGORITHMS)
def test_fewer_than_t_do_not_sign(threshold: int, algorithm: KeyAlgorithm) -> None:
    shares = deal(threshold, 5, algorithm)
    too_few = Round(shares, list(range(1, threshold)), b"payload")
    with pytest.raises(FrostFormatError, match=f"{threshold} signers are needed"):
        too_few.sign(1)
    # Nor by acting as if a lower threshold were the key's: the sum is no signature.
    values = [part for i in range(1, threshold) for part in [sign_among(shares[i], too_few)]]
    with pytest.raises(FrostFormatError, match="signers are needed"):
        aggregate(too_few.group, too_few.package, values)


def sign_among(share: KeyShare, pretended: Round) -> SignatureShare:
    """Sign with the mathematics of a lower threshold, as colluding signers would."""
    hiding, binding = pretended.nonces[share.identifier].take()
    return SignatureShare(identifier=share.identifier, value=add(hiding, binding))


@given(
    liars=st.sets(st.sampled_from([1, 2, 4]), min_size=1),
    algorithm=ALGORITHMS,
    error=st.binary(min_size=1, max_size=30),
)
def test_all_who_send_a_wrong_part_are_named(
    liars: set[int], algorithm: KeyAlgorithm, error: bytes
) -> None:
    attempt = Round(deal(3, 5, algorithm), [1, 2, 4], b"payload")
    # Not zero, and no two errors that cancel out.
    wrong = Scalar(error.ljust(31, b"\x01") + b"\x00")
    parts = [
        replace(part, value=add(part.value, wrong)) if part.identifier in liars else part
        for part in attempt.parts()
    ]
    with pytest.raises(ParticipantFaultError) as refusal:
        aggregate(attempt.group, attempt.package, parts)
    assert refusal.value.at_fault == tuple(sorted(liars))
    assert not refusal.value.is_proof
    for part in parts:
        if part.identifier in liars:
            with pytest.raises(ParticipantFaultError):
                verify_signature_share(attempt.group, attempt.package, part)


def test_a_part_for_another_payload_is_named(two_of_three: Round) -> None:
    other = replace(two_of_three.package, payload=b"another payload")
    parts = [
        two_of_three.sign(1),
        sign_share(two_of_three.shares[3], two_of_three.nonces[3], other),
    ]
    with pytest.raises(ParticipantFaultError, match="participant 3") as refusal:
        aggregate(two_of_three.group, two_of_three.package, parts)
    assert refusal.value.at_fault == (3,)


def test_who_stays_silent_is_named(two_of_three: Round) -> None:
    with pytest.raises(ParticipantFaultError) as refusal:
        aggregate(two_of_three.group, two_of_three.package, [two_of_three.sign(1)])
    assert refusal.value.at_fault == (3,)


def test_a_part_of_somebody_else_is_not_taken(two_of_three: Round) -> None:
    parts = two_of_three.parts()
    stranger = replace(parts[0], identifier=2)
    with pytest.raises(ParticipantFaultError):
        aggregate(two_of_three.group, two_of_three.package, [*parts, stranger])
    with pytest.raises(ParticipantFaultError):
        aggregate(two_of_three.group, two_of_three.package, [*parts, parts[0]])
    with pytest.raises(ParticipantFaultError):
        verify_signature_share(two_of_three.group, two_of_three.package, stranger)


class TestPackage:
    def test_a_signer_signs_only_with_its_own_commitment(self, two_of_three: Round) -> None:
        others = commit(two_of_three.shares[1])
        with pytest.raises(FrostFormatError, match="does not hold this signer's commitment"):
            sign_share(two_of_three.shares[1], others, two_of_three.package)
        with pytest.raises(FrostFormatError, match="does not hold this signer's commitment"):
            sign_share(two_of_three.shares[1], two_of_three.nonces[3], two_of_three.package)
        # Nothing was used up by it.
        assert two_of_three.sign(1)

    def test_signers_are_holders(self, two_of_three: Round) -> None:
        stranger = replace(two_of_three.package.commitments[1], identifier=4)
        package = replace(
            two_of_three.package, commitments=(two_of_three.package.commitments[0], stranger)
        )
        with pytest.raises(FrostFormatError, match="has no share"):
            sign_share(two_of_three.shares[1], two_of_three.nonces[1], package)

    @pytest.mark.parametrize("order", [(1, 0), (0, 0)])
    def test_signers_come_in_order_and_once(
        self, two_of_three: Round, order: tuple[int, int]
    ) -> None:
        commitments = tuple(two_of_three.package.commitments[i] for i in order)
        with pytest.raises(FrostFormatError, match="ascending order"):
            replace(two_of_three.package, commitments=commitments)

    @pytest.mark.parametrize(
        "hostile", [IDENTITY, bytes(32), bytes([2]) + bytes(31), b"\xff" * 32, b"short"]
    )
    def test_a_commitment_is_two_points(self, hostile: bytes) -> None:
        good = multiply_base(random_scalar())
        with pytest.raises(FrostFormatError):
            SigningCommitment(identifier=1, hiding=Point(hostile), binding=good)
        with pytest.raises(FrostFormatError):
            SigningCommitment(identifier=1, hiding=good, binding=Point(hostile))

    @pytest.mark.parametrize("value", [b"\xff" * 32, b"short"])
    def test_a_part_is_a_scalar(self, value: bytes) -> None:
        with pytest.raises(FrostFormatError):
            SignatureShare(identifier=1, value=Scalar(value))

    def test_the_json_forms_come_back(self, two_of_three: Round) -> None:
        commitment = two_of_three.package.commitments[0]
        assert SigningCommitment.from_fields(commitment.to_fields()) == commitment
        part = two_of_three.sign(1)
        assert SignatureShare.from_fields(part.to_fields()) == part
        for fields in ({}, {"identifier": True}, {"identifier": 1, "hiding": 5, "value": "*"}):
            with pytest.raises(FrostFormatError):
                SigningCommitment.from_fields(fields)
            with pytest.raises(FrostFormatError):
                SignatureShare.from_fields(fields)


class TestNonces:
    def test_they_serve_once(self, two_of_three: Round) -> None:
        two_of_three.sign(1)
        with pytest.raises(NonceUsedError):
            two_of_three.sign(1)

    def test_they_serve_for_no_second_payload(self, two_of_three: Round) -> None:
        two_of_three.sign(1)
        two_of_three.package = replace(two_of_three.package, payload=b"another")
        with pytest.raises(NonceUsedError):
            two_of_three.sign(1)

    def test_wiped_ones_serve_for_nothing(self, two_of_three: Round) -> None:
        two_of_three.nonces[1].wipe()
        with pytest.raises(NonceUsedError):
            two_of_three.sign(1)

    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
    def test_there_is_no_copy_of_them(self, two_of_three: Round, duplicate) -> None:
        for secret in (two_of_three.nonces[1], two_of_three.shares[1].secret):
            with pytest.raises(TypeError, match="neither copied nor pickled"):
                duplicate(secret)

    def test_a_fork_gets_none(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", FORK],
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout.split() == ["child", "NonceUsedError", "parent", "signed"], done.stderr

    def test_each_is_new(self) -> None:
        share = deal(2, 2)[1]
        made = [commit(share).commitment for _ in range(20)]
        points = {point for each in made for point in (each.hiding, each.binding)}
        assert len(points) == 40


def test_no_repr_shows_a_secret(two_of_three: Round) -> None:
    share, nonces = two_of_three.shares[1], two_of_three.nonces[1]
    secret = share.secret.reveal()
    for shown in (repr(share), repr(share.secret), repr(nonces), str(nonces), f"{share}"):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown


def test_zero_has_its_point() -> None:
    """What libsodium refuses, and polynomials may reach."""
    assert multiply_base(ZERO) == IDENTITY
    assert multiply_base(small_scalar(1)) != IDENTITY
