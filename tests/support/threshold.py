"""Threshold keys for tests: a dealer, which the product does not have, and ceremonies in memory."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count

from chaincode.signatures import KeyAlgorithm
from client_sdk.frost.ceremony_secrets import new_ceremony_seed
from client_sdk.frost.ceremony_terms import CeremonyTerms
from client_sdk.frost.group import Scalar, random_scalar
from client_sdk.frost.host_key import HostKey
from client_sdk.frost.key_ceremony import CeremonyProgress, KeyCeremony
from client_sdk.frost.keys import GroupKey, KeyShare
from client_sdk.frost.polynomial import SecretPolynomial, evaluate_commitments
from client_sdk.frost.signing import SigningPackage, aggregate, commit, sign_share

SHA2 = KeyAlgorithm.ED25519_SHA2
SHA3 = KeyAlgorithm.ED25519_SHA3
_labels = count()


def deal(
    threshold: int,
    participants: int,
    algorithm: KeyAlgorithm = SHA2,
    coefficients: Sequence[Scalar] = (),
) -> dict[int, KeyShare]:
    polynomial = SecretPolynomial(coefficients or [random_scalar() for _ in range(threshold)])
    commitments = polynomial.commitments()
    identifiers = range(1, participants + 1)
    group = GroupKey(
        algorithm=algorithm,
        threshold=threshold,
        public_key=commitments[0],
        verifying_shares={i: evaluate_commitments(commitments, i) for i in identifiers},
    )
    return {
        i: KeyShare(identifier=i, secret=polynomial.evaluate(i), group=group) for i in identifiers
    }


def sign(shares: Iterable[KeyShare], payload: bytes) -> bytes:
    signers = {share.identifier: (share, commit(share)) for share in shares}
    package = SigningPackage(
        payload=payload, commitments=tuple(signers[i][1].commitment for i in sorted(signers))
    )
    group = next(iter(signers.values()))[0].group
    return aggregate(group, package, [sign_share(*signer, package) for signer in signers.values()])


@dataclass
class Ceremony:
    """Participants around one board, to which a test may put what it likes."""

    terms: CeremonyTerms
    host_keys: dict[int, HostKey]
    participants: dict[int, KeyCeremony]
    board: list[str]

    @classmethod
    def of(
        cls,
        terms: CeremonyTerms,
        host_keys: dict[int, HostKey],
        previous: dict[int, KeyShare] | None = None,
    ) -> "Ceremony":
        participants = {
            i: KeyCeremony(
                terms,
                host_key=host_keys[i],
                seed=new_ceremony_seed(),
                previous_share=(previous or {}).get(i),
            )
            for i in terms.hosts
        }
        return cls(terms, host_keys, participants, [])

    def advance(self, identifier: int) -> CeremonyProgress:
        progress = self.participants[identifier].advance(self.board)
        self.board += [text for text in progress.messages if text not in self.board]
        return progress

    def run(self) -> dict[int, CeremonyProgress]:
        return self.run_until(lambda progress: progress.group is not None)

    def run_until(
        self, is_enough: Callable[[CeremonyProgress], bool]
    ) -> dict[int, CeremonyProgress]:
        for _ in range(6):
            progress = {i: self.advance(i) for i in self.participants}
            if all(is_enough(each) for each in progress.values()):
                return progress
        raise AssertionError(f"the ceremony stands still: {progress}")


def new_hosts(*identifiers: int) -> dict[int, HostKey]:
    return {identifier: HostKey.generate() for identifier in identifiers}


def public_halves(host_keys: dict[int, HostKey]) -> dict[int, bytes]:
    return {identifier: key.public for identifier, key in host_keys.items()}


def new_key_ceremony(
    threshold: int = 2, participants: int = 3, algorithm: KeyAlgorithm = SHA2
) -> Ceremony:
    host_keys = new_hosts(*range(1, participants + 1))
    terms = CeremonyTerms.new_key(
        label=f"test {next(_labels)}",
        algorithm=algorithm,
        threshold=threshold,
        hosts=public_halves(host_keys),
    )
    return Ceremony.of(terms, host_keys)


def resharing_ceremony(
    shares: dict[int, KeyShare],
    *,
    dealers: tuple[int, ...],
    receivers: tuple[int, ...],
    threshold: int | None = None,
) -> Ceremony:
    host_keys = new_hosts(*sorted({*dealers, *receivers}))
    terms = CeremonyTerms.resharing(
        next(iter(shares.values())).group,
        label=f"test {next(_labels)}",
        dealers=dealers,
        receivers=receivers,
        hosts=public_halves(host_keys),
        threshold=threshold,
    )
    return Ceremony.of(terms, host_keys, shares)


def shares_of(progress: dict[int, CeremonyProgress]) -> dict[int, KeyShare]:
    return {i: each.share for i, each in progress.items() if each.share is not None}
