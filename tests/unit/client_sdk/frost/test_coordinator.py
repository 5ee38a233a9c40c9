"""The coordinator comes to a signature past signers that are down, refuse or lie, and says so."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.threshold import SHA2, SHA3, deal

from chaincode.signatures import verify_signature
from client_sdk.errors import FrostFormatError, NotEnoughSignersError, SignerFault, TransportError
from client_sdk.frost.coordinator import sign_together
from client_sdk.frost.group import add, random_scalar
from client_sdk.frost.keys import KeyShare
from client_sdk.frost.signing import (
    SignatureShare,
    SigningCommitment,
    SigningNonces,
    SigningPackage,
    commit,
    sign_share,
)

PAYLOAD = b"what is signed"
FAULTS = ["down", "dies", "lies", "hides", "garbles", "answers as another"]


class Signer:
    """A signer that does what a test says."""

    def __init__(self, share: KeyShare, fault: str = "") -> None:
        self.identifier = share.identifier
        self.fault = fault
        self._share = share
        self._sessions: dict[str, SigningNonces] = {}

    def commit(self) -> tuple[str, SigningCommitment]:
        if self.fault == "down":
            raise TransportError("cannot be reached")
        if self.fault == "garbles":
            raise FrostFormatError("not a commitment")
        session = str(len(self._sessions))
        self._sessions[session] = commit(self._share)
        commitment = self._sessions[session].commitment
        return session, replace(commitment, identifier=9) if self.fault == "hides" else commitment

    def sign(self, session: str, package: SigningPackage) -> SignatureShare:
        if self.fault == "dies":
            raise TransportError("no answer")
        part = sign_share(self._share, self._sessions[session], package)
        if self.fault == "lies":
            return replace(part, value=add(part.value, random_scalar()))
        if self.fault == "answers as another":
            return replace(part, identifier=part.identifier % 5 + 1)
        return part


@given(
    faults=st.dictionaries(st.integers(1, 5), st.sampled_from(FAULTS), max_size=3),
    algorithm=st.sampled_from([SHA2, SHA3]),
)
def test_any_n_minus_t_may_fail(faults: dict[int, str], algorithm) -> None:
    shares = deal(2, 5, algorithm)
    signers = [Signer(share, faults.get(i, "")) for i, share in shares.items()]
    made = sign_together(shares[1].group, PAYLOAD, signers)
    verify_signature(
        public_key=shares[1].group.ledger_key, signature=made.signature.hex(), payload=PAYLOAD
    )
    asked = {i for i in faults if i < max(sorted(set(shares) - set(faults))[:2])}
    assert {fault.identifier for fault in made.left_out} == asked


def test_too_few_are_told_one_by_one() -> None:
    shares = deal(2, 3)
    signers = [Signer(shares[1], "down"), Signer(shares[2]), Signer(shares[3], "lies")]
    with pytest.raises(NotEnoughSignersError, match="2 signers are needed") as refusal:
        sign_together(shares[1].group, PAYLOAD, signers)
    assert refusal.value.left_out == (
        SignerFault(identifier=1, reason="cannot be reached"),
        SignerFault(identifier=3, reason="its part of the signature is wrong"),
    )
    assert "signer 1: cannot be reached; signer 3: its part" in str(refusal.value)


def test_who_goes_by_anothers_name_shuts_nobody_out() -> None:
    shares = deal(2, 3)
    impostor = Signer(shares[3], "lies")
    impostor.identifier = 2
    signers = [impostor, Signer(shares[1]), Signer(shares[2])]
    made = sign_together(shares[1].group, PAYLOAD, signers)
    assert [fault.identifier for fault in made.left_out] == [2]


def test_no_signers_at_all() -> None:
    with pytest.raises(NotEnoughSignersError, match="there are fewer"):
        sign_together(deal(2, 2)[1].group, PAYLOAD, [])
