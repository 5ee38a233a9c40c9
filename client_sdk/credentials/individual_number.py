"""Individual numbers ("My Number", 12 digits): Tegata neither issues nor stores them.

Japan's Act on the Use of Numbers to Identify a Specific Individual (Act No. 27 of 2013) forbids
keeping one for a purpose that it does not name, and a credential needs none.
"""

import re
import unicodedata
from typing import Final

from chaincode.encoding import JsonValue

# As people write it: together, or in groups of four. Full-width forms are folded first. A check
# digit is not asked for: a number with a slip of the pen is no better.
_SEPARATOR: Final = "[ \\-\u2010-\u2015\u2212\u30fb\u30fc]?"
_INDIVIDUAL_NUMBER: Final = re.compile(
    rf"(?<!\d)\d{{4}}{_SEPARATOR}\d{{4}}{_SEPARATOR}\d{{4}}(?!\d)"
)
_DATA_URL: Final = "data:"


def has_individual_number(value: JsonValue) -> bool:
    """Tell whether a text, number, or anything inside an array or object reads as 12 digits.

    The contents of data URLs are not looked at: they are bytes, not text.
    """
    match value:
        case str():
            text = unicodedata.normalize("NFKC", value)
            return not value.startswith(_DATA_URL) and bool(_INDIVIDUAL_NUMBER.search(text))
        case bool() | None:
            return False
        case int() | float():
            return 10**11 <= abs(value) < 10**12
        case list():
            return any(has_individual_number(item) for item in value)
        case dict():
            return any(
                has_individual_number(name) or has_individual_number(item)
                for name, item in value.items()
            )
