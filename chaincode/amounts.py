"""Amounts of assets: exact decimal numbers, held as an integer and a count of decimals.

irohad keeps them as PostgreSQL decimals, which show as many decimals as the numbers they were made
from: 5 + 0.50 is 5.50. So do these.
"""

from dataclasses import dataclass
from typing import Final

AMOUNT_END: Final = 2**256
"""Every balance stays below this, counted in the smallest unit of its asset."""


@dataclass(frozen=True, slots=True)
class Amount:
    """The number `units / 10**decimals`. It may be negative, but is never stored so."""

    units: int
    decimals: int

    def __add__(self, other: "Amount") -> "Amount":
        """Return the sum, with the decimals of the finer of the two."""
        decimals = max(self.decimals, other.decimals)
        return Amount(self.units_at(decimals) + other.units_at(decimals), decimals)

    def __sub__(self, other: "Amount") -> "Amount":
        """Return the difference, with the decimals of the finer of the two."""
        return self + Amount(-other.units, other.decimals)

    def units_at(self, decimals: int) -> int:
        """Return the number in units of `10**-decimals`; `decimals` is not less than its own."""
        shift: int = 10 ** (decimals - self.decimals)
        return self.units * shift

    def __str__(self) -> str:
        """Return the text that `parse_amount` reads, without leading zeros."""
        digits = str(abs(self.units)).rjust(self.decimals + 1, "0")
        point = len(digits) - self.decimals
        sign = "-" if self.units < 0 else ""
        return sign + digits[:point] + ("." + digits[point:] if self.decimals else "")


ZERO: Final = Amount(0, 0)


def parse_amount(text: str) -> Amount:
    """Return the amount that a text of the form `ids.AMOUNT` writes."""
    whole, _, fraction = text.partition(".")
    # Leading zeros may be many, and Python reads at most 4,300 digits.
    return Amount(int((whole + fraction).lstrip("0") or "0"), len(fraction))
