"""A group's public key and a participant's secret share of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Self

from chaincode.encoding import JsonObject, JsonValue, decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from chaincode.signatures import KeyAlgorithm, PublicKey
from client_sdk.errors import FrostFormatError
from client_sdk.frost.ciphersuite import CIPHERSUITES, Ciphersuite
from client_sdk.frost.group import Point, multiply_base, multiply_point, parse_point
from client_sdk.frost.polynomial import is_ascending, lagrange_coefficient, sum_points
from client_sdk.frost.secret_scalar import SecretScalar

MIN_THRESHOLD: Final = 2
"""RFC 9591 section 5: with a threshold of one, each participant would hold the key."""

MAX_PARTICIPANTS: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupKey:
    """What everybody may know of a threshold key.

    Attributes:
        algorithm: How its signatures are made and checked.
        threshold: How many participants sign.
        public_key: The point that signatures are checked under.
        verifying_shares: The public half of each participant's share, by identifier.
    """

    algorithm: KeyAlgorithm
    threshold: int
    public_key: Point
    verifying_shares: Mapping[int, Point]

    def __post_init__(self) -> None:
        """Check that every share is one of this key.

        Raises:
            FrostFormatError: Threshold or identifiers are out of range, something is no point, or
                the shares do not lie on one polynomial of the threshold's degree.
        """
        identifiers = tuple(self.verifying_shares)
        validate_sizes(threshold=self.threshold, identifiers=identifiers)
        for point in (self.public_key, *self.verifying_shares.values()):
            parse_point(point)
        object.__setattr__(self, "verifying_shares", MappingProxyType(dict(self.verifying_shares)))
        first = identifiers[: self.threshold]
        checks = [(0, self.public_key)]
        checks += [(i, self.verifying_shares[i]) for i in identifiers[self.threshold :]]
        if any(self._interpolate(first, at) != expected for at, expected in checks):
            raise FrostFormatError("group key: its shares do not belong to one key")

    @property
    def suite(self) -> Ciphersuite:
        """The hash functions of this key's algorithm."""
        return CIPHERSUITES[self.algorithm]

    @property
    def ledger_key(self) -> str:
        """The public key in the form that Iroha writes."""
        return PublicKey(self.algorithm, self.public_key).encode()

    def to_fields(self) -> JsonObject:
        """Return the key as a JSON object."""
        return {
            "algorithm": self.algorithm.value,
            "threshold": self.threshold,
            "public_key": encode_base64url(self.public_key),
            "verifying_shares": {
                str(identifier): encode_base64url(point)
                for identifier, point in self.verifying_shares.items()
            },
        }

    @classmethod
    def from_fields(cls, fields: JsonObject) -> Self:
        """Return the key that a JSON object stands for.

        Raises:
            FrostFormatError: A field is missing or not acceptable.
        """
        shares, threshold = fields.get("verifying_shares"), fields.get("threshold")
        if not isinstance(shares, dict) or not isinstance(threshold, int):
            raise FrostFormatError("group key: threshold and verifying_shares are expected")
        try:
            return cls(
                algorithm=KeyAlgorithm(fields.get("algorithm")),
                threshold=threshold,
                public_key=Point(decode_element(fields.get("public_key"))),
                verifying_shares={
                    identifier: Point(decode_element(shares[str(identifier)]))
                    for identifier in sorted(int(name) for name in shares)
                },
            )
        except (ValueError, KeyError):
            raise FrostFormatError("group key: a field is not acceptable") from None

    def _interpolate(self, identifiers: tuple[int, ...], at: int) -> Point:
        return sum_points(
            [
                multiply_point(lagrange_coefficient(i, identifiers, at), self.verifying_shares[i])
                for i in identifiers
            ]
        )


class KeyShare:
    """One participant's secret share of a group's key. Its repr shows nothing secret.

    Attributes:
        identifier: The participant.
        group: The key that this is a share of.
        secret: The share itself.
    """

    __slots__ = ("group", "identifier", "secret")

    def __init__(self, *, identifier: int, secret: bytes, group: GroupKey) -> None:
        """Take a share.

        Raises:
            FrostFormatError: It is not this participant's share of this key.
        """
        self.identifier = identifier
        self.group = group
        self.secret = SecretScalar(secret)
        if multiply_base(self.secret.reveal()) != group.verifying_shares.get(identifier):
            raise FrostFormatError(f"not participant {identifier}'s share of this group key")

    def wipe(self) -> None:
        """Overwrite the secret."""
        self.secret.wipe()

    def __repr__(self) -> str:
        return f"KeyShare(identifier={self.identifier}, group={self.group.ledger_key!r})"


def validate_sizes(*, threshold: int, identifiers: tuple[int, ...]) -> None:
    """Refuse a threshold or identifiers that no key can have.

    Raises:
        FrostFormatError: Fewer than two must sign, or more than there are; an identifier is not
            from 1 to `MAX_PARTICIPANTS`; they are not in ascending order.
    """
    if not MIN_THRESHOLD <= threshold <= len(identifiers):
        raise FrostFormatError(
            f"threshold {threshold} of {len(identifiers)}: from {MIN_THRESHOLD} to all may sign"
        )
    if not is_ascending((0, *identifiers, MAX_PARTICIPANTS + 1)):
        raise FrostFormatError(f"identifiers: from 1 to {MAX_PARTICIPANTS}, ascending, each once")


def decode_element(value: JsonValue, *, length: int = 32) -> bytes:
    """Return bytes of a known length from base64url.

    Raises:
        FrostFormatError: Not base64url of so many bytes.
    """
    try:
        data = decode_base64url(value) if isinstance(value, str) else b""
    except DecodeError:
        data = b""
    if len(data) != length:
        raise FrostFormatError(f"{length} bytes in base64url are expected")
    return data
