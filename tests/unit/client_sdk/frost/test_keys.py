"""Group keys and shares: what they refuse, and their stored form."""

from dataclasses import replace

import pytest
from support.threshold import SHA3, deal

from client_sdk.errors import FrostFormatError, KeyFormatError, SecretWipedError
from client_sdk.frost.group import Point, multiply_base, parse_scalar, random_scalar
from client_sdk.frost.host_key import HostKey, seal_envelope
from client_sdk.frost.keys import GroupKey, KeyShare
from client_sdk.frost.secret_scalar import SecretScalar

ORDER = bytes.fromhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")


@pytest.fixture
def group() -> GroupKey:
    return deal(2, 3)[1].group


def test_the_json_form_comes_back(group: GroupKey) -> None:
    for key in (group, deal(3, 5, SHA3)[1].group):
        assert GroupKey.from_fields(key.to_fields()) == key


def test_the_ledgers_form_tells_the_two_kinds_apart(group: GroupKey) -> None:
    assert group.ledger_key == "ed0120" + group.public_key.hex()
    other = deal(2, 2, SHA3)[1].group
    assert other.ledger_key == other.public_key.hex()


@pytest.mark.parametrize("threshold", [0, 1, 4])
def test_the_threshold_is_from_two_to_all(group: GroupKey, threshold: int) -> None:
    with pytest.raises(FrostFormatError, match="from 2 to all"):
        replace(group, threshold=threshold)


@pytest.mark.parametrize("identifiers", [(0, 1, 2), (2, 1, 3), (1, 2, 256)])
def test_identifiers_ascend_from_one(group: GroupKey, identifiers: tuple[int, ...]) -> None:
    shares = dict(zip(identifiers, group.verifying_shares.values(), strict=True))
    with pytest.raises(FrostFormatError, match="ascending"):
        replace(group, verifying_shares=shares)


def test_shares_of_two_keys_are_no_group(group: GroupKey) -> None:
    other = multiply_base(random_scalar())
    with pytest.raises(FrostFormatError, match="one key"):
        replace(group, public_key=other)
    for identifier in group.verifying_shares:
        with pytest.raises(FrostFormatError, match="one key"):
            replace(group, verifying_shares={**group.verifying_shares, identifier: other})
    with pytest.raises(FrostFormatError, match="one key"):
        replace(deal(3, 3)[1].group, threshold=2)


@pytest.mark.parametrize(
    "change",
    [
        {"verifying_shares": []},
        {"threshold": "2"},
        {"algorithm": "rsa"},
        {"public_key": "*"},
        {"public_key": "AQ"},
        {"verifying_shares": {"one": ""}},
        {"verifying_shares": {"01": ""}},
    ],
)
def test_a_damaged_file_is_refused(group: GroupKey, change: dict) -> None:
    with pytest.raises(FrostFormatError):
        GroupKey.from_fields({**group.to_fields(), **change})


def test_a_share_belongs_to_its_participant_and_key(group: GroupKey) -> None:
    shares = deal(2, 3)
    secret = shares[1].secret.reveal()
    for identifier, key in ((2, shares[1].group), (4, shares[1].group), (1, group)):
        with pytest.raises(FrostFormatError, match="not participant"):
            KeyShare(identifier=identifier, secret=secret, group=key)


@pytest.mark.parametrize("data", [ORDER, b"\xff" * 32, b"", bytes(33)])
def test_a_scalar_is_below_the_group_order(data: bytes) -> None:
    with pytest.raises(FrostFormatError):
        parse_scalar(data)


def test_a_wiped_secret_is_gone() -> None:
    share = deal(2, 2)[1]
    share.wipe()
    share.wipe()
    with pytest.raises(SecretWipedError):
        share.secret.reveal()
    with SecretScalar(random_scalar()) as secret:
        assert len(secret.reveal()) == 32
    with pytest.raises(SecretWipedError):
        secret.reveal()


class TestHostKey:
    def test_its_repr_shows_only_the_public_half(self) -> None:
        key = HostKey.generate()
        assert HostKey(key.seed).public == key.public
        assert key.seed.hex() not in repr(key)
        assert key.public.hex() in repr(key)

    @pytest.mark.parametrize("seed", [b"", bytes(31), bytes(33)])
    def test_a_seed_has_32_bytes(self, seed: bytes) -> None:
        with pytest.raises(KeyFormatError):
            HostKey(seed)

    def test_an_envelope_opens_for_its_receiver_under_its_label(self) -> None:
        receiver, other = HostKey.generate(), HostKey.generate()
        envelope = seal_envelope(
            b"content", to=receiver.public, label=b"label", envelope_key=bytes(range(32))
        )
        assert receiver.open_envelope(envelope, b"label") == b"content"
        for key, text, label in (
            (other, envelope, b"label"),
            (receiver, envelope, b"another"),
            (receiver, envelope[:-1], b"label"),
            (receiver, bytes(32) + envelope[32:], b"label"),
            (receiver, b"", b"label"),
        ):
            with pytest.raises(FrostFormatError, match="does not open"):
                key.open_envelope(text, label)

    def test_no_envelope_is_sealed_to_a_hostile_key(self) -> None:
        with pytest.raises(KeyFormatError):
            seal_envelope(b"", to=Point(bytes(32)), label=b"", envelope_key=bytes(range(32)))
