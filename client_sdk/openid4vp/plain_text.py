"""Text that a holder is shown before consenting: one line, and nothing that hides or turns it."""

from typing import Final

_IDEOGRAPHIC_SPACE: Final = "\u3000"


def is_plain_text(text: str) -> bool:
    """Tell whether a text has only visible characters and spaces, also the wide space of Japanese.

    Controls, line breaks, marks that turn the direction of writing, and lone surrogates are none.
    """
    return bool(text.strip()) and text.replace(_IDEOGRAPHIC_SPACE, " ").isprintable()
