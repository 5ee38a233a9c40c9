"""Text that a holder is shown before consenting: one line, and nothing that hides or turns it."""

import unicodedata
from typing import Final

_IDEOGRAPHIC_SPACE: Final = "\u3000"
_MOST_MARKS: Final = 2
# Printable by their category, but drawn as nothing at all.
_BLANK: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
)


def is_plain_text(text: str) -> bool:
    """Tell whether a text has only visible characters and single spaces, also the wide ones.

    Controls, line breaks, marks that turn the direction of writing, lone surrogates, characters
    without a picture, and piles of more than two combining marks are none. A variation selector
    behind its ideograph, as in many Japanese names, is fine.
    """
    spaced = text.replace(_IDEOGRAPHIC_SPACE, " ")
    if not spaced.strip() or not spaced.isprintable() or "  " in spaced:
        return False
    marks = 0
    for char in spaced:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if char in _BLANK or marks > _MOST_MARKS:
            return False
    return True
