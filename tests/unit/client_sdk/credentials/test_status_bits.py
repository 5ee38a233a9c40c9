"""The two published forms of a status list say the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sdk.credentials.bitstring_status_list import Bitstring
from client_sdk.credentials.status_bits import (
    BITS,
    REVOCATION,
    STATUS_OF,
    SUSPENSION,
    join_bits,
    select_bits,
)
from client_sdk.credentials.token_status_list import Status, StatusList
from client_sdk.errors import StatusListError

PACKED = st.binary(min_size=1, max_size=40).map(lambda half: half + half[::-1])


@given(PACKED)
def test_a_bit_is_set_where_the_status_is_its_purposes(packed: bytes) -> None:
    statuses = StatusList(bits=BITS, data=packed)
    for purpose, wanted in STATUS_OF.items():
        bits = select_bits(statuses, purpose)
        assert len(bits) == len(statuses)
        for index in range(len(statuses)):
            assert bits[index] == (statuses[index] == wanted)


@given(st.lists(st.sampled_from(Status), min_size=8, max_size=80))
def test_the_two_lists_lead_back_to_the_anchored_bytes(values: list[Status]) -> None:
    statuses = StatusList.of_size(8 * (len(values) // 8), bits=BITS)
    for index in range(len(statuses)):
        statuses[index] = values[index]
    joined = join_bits(select_bits(statuses, REVOCATION), select_bits(statuses, SUSPENSION))
    assert joined.digest() == statuses.digest()


def test_lists_of_two_sizes_do_not_belong_together() -> None:
    with pytest.raises(StatusListError, match="same size"):
        join_bits(Bitstring(bytes(2)), Bitstring(bytes(3)))
