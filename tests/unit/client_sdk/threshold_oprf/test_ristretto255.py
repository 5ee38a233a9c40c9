"""Elements and scalars from outside, and what rbcl leaves behind."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sdk.errors import GroupFormatError
from client_sdk.threshold_oprf import ristretto255 as group

ORDER = 2**252 + 27742317777372353535851937790883648493
GENERATOR = bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76")
# RFC 9496 appendix A.2: encodings that must be refused.
INVALID = [
    "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",  # not canonical
    "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # not canonical
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # not canonical
    "0100000000000000000000000000000000000000000000000000000000000000",  # negative
    "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # negative
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",  # not a square
    "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",  # negative xy
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # s = -1
]


def test_the_generator_is_that_of_rfc_9496() -> None:
    assert group.multiply_base(group.scalar_of(1)) == GENERATOR
    assert group.decode_element(GENERATOR) == GENERATOR


@pytest.mark.parametrize("text", [*INVALID, "00" * 32, GENERATOR.hex()[:-2], "", "e2" * 33])
def test_no_element(text: str) -> None:
    with pytest.raises(GroupFormatError):
        group.decode_element(bytes.fromhex(text))


@given(st.integers(min_value=0, max_value=2**256 - 1))
def test_a_scalar_is_below_the_order(number: int) -> None:
    data = number.to_bytes(32, "little")
    if number < ORDER:
        assert group.decode_scalar(data) == data
    else:
        with pytest.raises(GroupFormatError):
            group.decode_scalar(data)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_no_scalar_of_another_length(length: int) -> None:
    with pytest.raises(GroupFormatError):
        group.decode_scalar(bytes(length))


def test_no_operation_gives_the_identity() -> None:
    one, minus_one = group.scalar_of(1), group.scalar_subtract(group.ZERO, group.scalar_of(1))
    generator, inverse = group.multiply_base(one), group.multiply_base(minus_one)
    for operation in (
        lambda: group.add(generator, inverse),
        lambda: group.multiply(group.ZERO, generator),
        lambda: group.multiply_base(group.ZERO),
    ):
        with pytest.raises(GroupFormatError):
            operation()


@given(st.integers(min_value=1, max_value=ORDER - 1), st.integers(min_value=1, max_value=ORDER - 1))
def test_scalars_are_counted_modulo_the_order(left: int, right: int) -> None:
    def scalar(number: int) -> group.Scalar:
        return group.Scalar((number % ORDER).to_bytes(32, "little"))

    assert group.scalar_add(scalar(left), scalar(right)) == scalar(left + right)
    assert group.scalar_subtract(scalar(left), scalar(right)) == scalar(left - right)
    assert group.scalar_multiply(scalar(left), scalar(right)) == scalar(left * right)
    assert group.scalar_multiply(group.scalar_invert(scalar(left)), scalar(left)) == scalar(1)


def test_the_library_leaves_no_file_and_loads_at_first_use(tmp_path: Path) -> None:
    program = (
        "import sys, client_sdk.threshold_oprf as oprf\n"
        "assert 'rbcl' not in sys.modules\n"
        "oprf.blind(b'x')\n"
        "assert 'rbcl' in sys.modules\n"
    )
    subprocess.run(
        [sys.executable, "-c", program], check=True, env={"TMPDIR": str(tmp_path)}, timeout=60
    )
    assert list(tmp_path.iterdir()) == []
