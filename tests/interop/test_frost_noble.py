"""One key and one signature of two implementations: ours and the FROST of `@noble/curves`.

`npm ci --prefix tests/interop/js` installs it; the Makefile does so before the tests.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from support.threshold import SHA2

from chaincode.signatures import verify_signature
from client_sdk.frost.ciphersuite import CIPHERSUITES
from client_sdk.frost.group import Point, Scalar, add, multiply_base, parse_point, random_scalar
from client_sdk.frost.keys import GroupKey, KeyShare
from client_sdk.frost.polynomial import SecretPolynomial, evaluate_commitments, sum_commitments
from client_sdk.frost.possession import prove_possession, verify_possession
from client_sdk.frost.signing import (
    SignatureShare,
    SigningCommitment,
    SigningPackage,
    aggregate,
    commit,
    sign_share,
    verify_signature_share,
)

SCRIPTS = Path(__file__).parent / "js"
SUITE = CIPHERSUITES[SHA2]
PAYLOAD = "手形".encode()
THRESHOLD, PARTICIPANTS = 2, 3


class Noble:
    """A participant that the other implementation plays, in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]", identifier: int) -> None:
        self.identifier = identifier
        self._process = process

    def ask(self, task: str, **fields: Any) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"task": task, **fields}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self._process.stderr.read() if self._process.stderr else ""
        answer: dict[str, Any] = json.loads(line)
        return answer

    def commit(self) -> SigningCommitment:
        answer = self.ask("commit")
        return SigningCommitment(
            identifier=self.identifier,
            hiding=Point(bytes.fromhex(answer["hiding"])),
            binding=Point(bytes.fromhex(answer["binding"])),
        )

    def sign(self, package: SigningPackage) -> SignatureShare:
        answer = self.ask("sign", **in_hex(package))
        return SignatureShare(
            identifier=self.identifier, value=Scalar(bytes.fromhex(answer["value"]))
        )


@contextmanager
def noble(identifier: int) -> Iterator[Noble]:
    node = shutil.which("node")
    assert node, "Node.js is needed: see CONTRIBUTING.md"
    assert (SCRIPTS / "node_modules").is_dir(), "run: npm ci --prefix tests/interop/js"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [node, "frost.mjs"], cwd=SCRIPTS, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:
        try:
            yield Noble(process, identifier)
        finally:
            process.kill()


def in_hex(package: SigningPackage) -> dict[str, Any]:
    return {
        "message": package.payload.hex(),
        "commitments": [
            {"identifier": c.identifier, "hiding": c.hiding.hex(), "binding": c.binding.hex()}
            for c in package.commitments
        ],
    }


@dataclass
class MixedGroup:
    """A key that participant 1 of ours and participants 2 and 3 of theirs made together."""

    share: KeyShare
    theirs: dict[int, Noble]


@pytest.fixture(scope="module")
def group() -> Iterator[MixedGroup]:
    with noble(2) as two, noble(3) as three:
        theirs = {2: two, 3: three}
        yield MixedGroup(share=make_key_with(theirs), theirs=theirs)


def make_key_with(theirs: dict[int, Noble]) -> KeyShare:
    """Run the key generation that both implement, each side checking what the other sends."""
    secret = random_scalar()
    polynomial = SecretPolynomial([secret, random_scalar()])
    proof = prove_possession(SUITE, 1, secret, random_scalar())
    sizes = {"min": THRESHOLD, "max": PARTICIPANTS}
    said: dict[int, dict[str, Any]] = {
        1: {"commitments": [p.hex() for p in polynomial.commitments()], "proof": proof.hex()}
    }
    for i, participant in theirs.items():
        said[i] = participant.ask("deal", identifier=i, signers=sizes)
    commitments = {
        i: [parse_point(bytes.fromhex(point)) for point in each["commitments"]]
        for i, each in said.items()
    }
    for i in theirs:
        verify_possession(SUITE, i, commitments[i][0], bytes.fromhex(said[i]["proof"]))

    others = {i: [{"identifier": j, **said[j]} for j in said if j != i] for i in theirs}
    dealt = {i: each.ask("share", others=others[i]) for i, each in theirs.items()}
    total = polynomial.evaluate(1)
    for i in theirs:
        received = Scalar(bytes.fromhex(dealt[i]["1"]))
        assert multiply_base(received) == evaluate_commitments(commitments[i], 1)
        total = add(total, received)
    of_all = sum_commitments(list(commitments.values()))
    key = GroupKey(
        algorithm=SHA2,
        threshold=THRESHOLD,
        public_key=of_all[0],
        verifying_shares={i: evaluate_commitments(of_all, i) for i in said},
    )
    for i, participant in theirs.items():
        received = {1: polynomial.evaluate(i).hex()}
        received |= {j: dealt[j][str(i)] for j in theirs if j != i}
        found = participant.ask("finish", others=others[i], received=received)
        assert found == {
            "public_key": key.public_key.hex(),
            "verifying_shares": {str(j): p.hex() for j, p in key.verifying_shares.items()},
        }
    return KeyShare(identifier=1, secret=total, group=key)


def mixed_signature(group: MixedGroup, partner: int) -> SimpleNamespace:
    own, other = commit(group.share), group.theirs[partner]
    package = SigningPackage(payload=PAYLOAD, commitments=(own.commitment, other.commit()))
    parts = [sign_share(group.share, own, package), other.sign(package)]
    return SimpleNamespace(package=package, parts=parts, other=other)


@pytest.mark.parametrize("partner", [2, 3])
def test_one_signature_of_mixed_signers(group: MixedGroup, partner: int) -> None:
    made = mixed_signature(group, partner)
    key = group.share.group
    signature = aggregate(key, made.package, made.parts)
    theirs = made.other.ask(
        "aggregate",
        **in_hex(made.package),
        shares={part.identifier: part.value.hex() for part in made.parts},
    )
    assert theirs == {"signature": signature.hex(), "valid": True}
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, PAYLOAD)
    verify_signature(public_key=key.ledger_key, signature=signature.hex(), payload=PAYLOAD)


def test_signers_of_theirs_alone(group: MixedGroup) -> None:
    commitments = tuple(group.theirs[i].commit() for i in (2, 3))
    package = SigningPackage(payload=PAYLOAD, commitments=commitments)
    parts = [group.theirs[i].sign(package) for i in (2, 3)]
    assert aggregate(group.share.group, package, parts)


def test_each_checks_the_others_parts(group: MixedGroup) -> None:
    made = mixed_signature(group, 2)
    own, other = made.parts
    assert verify_signature_share(group.share.group, made.package, other) == other
    question = {**in_hex(made.package), "identifier": 1}
    assert made.other.ask("verify_share", **question, share=own.value.hex()) == {"valid": True}
    wrong = add(own.value, random_scalar()).hex()
    assert made.other.ask("verify_share", **question, share=wrong) == {"valid": False}
