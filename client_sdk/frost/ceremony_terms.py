"""What the participants of a key ceremony agree on before it begins."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from chaincode.encoding import JsonObject, encode_base64url, encode_canonical_json
from chaincode.signatures import KeyAlgorithm
from client_sdk.errors import FrostFormatError
from client_sdk.frost.group import Point, multiply_point
from client_sdk.frost.host_key import verification_key
from client_sdk.frost.keys import GroupKey, validate_sizes
from client_sdk.frost.polynomial import is_ascending, lagrange_coefficient


@dataclass(frozen=True, slots=True, kw_only=True)
class CeremonyTerms:
    """The terms of one ceremony, the same for all; `new_key` and `resharing` make them.

    Attributes:
        label: What tells this ceremony from every other of the same participants.
        algorithm: How the key's signatures are made and checked.
        threshold: How many of the receivers will sign.
        hosts: The public host key of every participant, by identifier.
        dealers: Those who deal shares, in ascending order.
        receivers: Those who will hold a share, in ascending order.
        previous: The key that is dealt anew; None where a new key is made.
    """

    label: str
    algorithm: KeyAlgorithm
    threshold: int
    hosts: Mapping[int, bytes]
    dealers: tuple[int, ...]
    receivers: tuple[int, ...]
    previous: GroupKey | None = None

    def __post_init__(self) -> None:
        """Refuse terms that no ceremony can have.

        Raises:
            FrostFormatError: Sizes, identifiers or dealers are not acceptable, a participant has no
                host key, or two have the same.
            KeyFormatError: A host key is not a public key.
        """
        validate_sizes(threshold=self.threshold, identifiers=self.receivers)
        if set(self.hosts) != {*self.dealers, *self.receivers}:
            raise FrostFormatError("terms: one host key for each participant is expected")
        if len(set(self.hosts.values())) != len(self.hosts):
            raise FrostFormatError("terms: two participants have the same host key")
        for public in self.hosts.values():
            verification_key(public)
        object.__setattr__(self, "hosts", MappingProxyType(dict(self.hosts)))
        previous = self.previous
        if previous is None:
            if self.dealers != self.receivers:
                raise FrostFormatError("terms: a new key is dealt by all who will hold it")
            return
        if (
            previous.algorithm is not self.algorithm
            or not is_ascending(self.dealers)
            or len(self.dealers) < previous.threshold
            or not previous.verifying_shares.keys() >= set(self.dealers)
        ):
            raise FrostFormatError(
                f"terms: at least {previous.threshold} who hold a share of the key deal it anew"
            )

    @classmethod
    def new_key(
        cls, *, label: str, algorithm: KeyAlgorithm, threshold: int, hosts: Mapping[int, bytes]
    ) -> Self:
        """Return the terms under which all participants make a new key.

        Raises:
            FrostFormatError: They are not acceptable.
            KeyFormatError: A host key is not a public key.
        """
        everybody = tuple(sorted(hosts))
        return cls(
            label=label,
            algorithm=algorithm,
            threshold=threshold,
            hosts=hosts,
            dealers=everybody,
            receivers=everybody,
        )

    @classmethod
    def resharing(
        cls,
        previous: GroupKey,
        *,
        label: str,
        dealers: tuple[int, ...],
        receivers: tuple[int, ...],
        hosts: Mapping[int, bytes],
        threshold: int | None = None,
    ) -> Self:
        """Return the terms under which holders of a key deal it anew; the public key stays.

        With the same participants this is a proactive refresh: old shares no longer fit the new
        ones. With others it brings participants in and leaves some out.

        Args:
            previous: The key.
            label: What tells this ceremony from every other.
            dealers: Holders of the key, at least its threshold.
            receivers: Those who will hold a share.
            hosts: The public host key of every participant.
            threshold: How many will sign; as before by default.

        Raises:
            FrostFormatError: They are not acceptable.
            KeyFormatError: A host key is not a public key.
        """
        return cls(
            label=label,
            algorithm=previous.algorithm,
            threshold=previous.threshold if threshold is None else threshold,
            hosts=hosts,
            dealers=dealers,
            receivers=receivers,
            previous=previous,
        )

    @property
    def session(self) -> bytes:
        """The 32 bytes that name this ceremony in every message: people compare them beforehand."""
        return hashlib.sha256(encode_canonical_json(self.to_fields())).digest()

    def expected_constant(self, dealer: int) -> Point | None:
        """Return the commitment to what a dealer must deal in a resharing; None for a new key."""
        if self.previous is None:
            return None
        return multiply_point(
            lagrange_coefficient(dealer, self.dealers), self.previous.verifying_shares[dealer]
        )

    def to_fields(self) -> JsonObject:
        """Return the terms as a JSON object."""
        return {
            "label": self.label,
            "algorithm": self.algorithm.value,
            "threshold": self.threshold,
            "hosts": {
                str(identifier): encode_base64url(public)
                for identifier, public in self.hosts.items()
            },
            "dealers": list(self.dealers),
            "receivers": list(self.receivers),
            "previous": None if self.previous is None else self.previous.to_fields(),
        }
