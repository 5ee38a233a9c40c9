"""Amounts: exact, and shown as PostgreSQL shows a decimal."""

import decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.amounts import AMOUNT_END, ZERO, Amount, parse_amount

AMOUNTS = st.builds(Amount, st.integers(0, AMOUNT_END), st.integers(0, 255))


@pytest.mark.parametrize(
    ("text", "amount", "shown"),
    [
        ("7", Amount(7, 0), "7"),
        ("1000.50", Amount(100050, 2), "1000.50"),
        ("0.01", Amount(1, 2), "0.01"),
        # irohad takes both, and shows them so.
        ("1.", Amount(1, 0), "1"),
        ("01.50", Amount(150, 2), "1.50"),
        # More digits than Python reads as an integer.
        ("0" * 5000 + "1", Amount(1, 0), "1"),
        ("0" * 5000 + ".50", Amount(50, 2), "0.50"),
        ("0." + "0" * 254 + "1", Amount(1, 255), "0." + "0" * 254 + "1"),
        (str(AMOUNT_END - 1), Amount(AMOUNT_END - 1, 0), str(AMOUNT_END - 1)),
    ],
)
def test_text_and_amount(text: str, amount: Amount, shown: str) -> None:
    assert parse_amount(text) == amount
    assert str(amount) == shown


@pytest.mark.parametrize(
    ("left", "right", "total", "rest"),
    [
        ("5", "0.50", "5.50", "4.50"),
        ("1000.50", "200", "1200.50", "800.50"),
        ("0.5", "0.50", "1.00", "0.00"),
        ("2", "2", "4", "0"),
        ("1", "1.001", "2.001", "-0.001"),
    ],
)
def test_sums_show_the_finer_decimals(left: str, right: str, total: str, rest: str) -> None:
    assert str(parse_amount(left) + parse_amount(right)) == total
    assert str(parse_amount(left) - parse_amount(right)) == rest


@given(amount=AMOUNTS)
def test_an_amount_is_read_back_as_it_was_written(amount: Amount) -> None:
    assert parse_amount(str(amount)) == amount
    assert amount + ZERO == amount


@given(left=AMOUNTS, right=AMOUNTS)
def test_sums_and_differences_are_those_of_decimals(left: Amount, right: Amount) -> None:
    with decimal.localcontext(prec=1000):
        one, two = decimal.Decimal(str(left)), decimal.Decimal(str(right))
        assert format(one + two, "f") == str(left + right)
        assert format(one - two, "f").removeprefix("-") == str(left - right).removeprefix("-")
        assert (one < two) == ((left - right).units < 0)
    assert (left + right) - right == Amount(left.units_at(d := (left + right).decimals), d)
