"""The code blocks of a document, and what the document says of them."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PART = re.compile(
    r"^(?P<level>#{1,6}) (?P<heading>[^\n]+)$"
    r"|^<!-- not run: (?P<reason>.+?) -->\n+(?=```)"
    r"|^```(?P<language>[^\n]*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of code.

    Attributes:
        heading: The heading that it stands under.
        language: What stands behind the fence; empty where nothing does.
        code: The text.
        reason: Why nobody runs it, where a comment above it says so.
    """

    heading: str
    language: str
    code: str
    reason: str | None


def blocks_of(document: str | Path) -> list[Block]:
    """Return all blocks of a document, named from the top of the tree, in their order."""
    found, heading, reason = [], "", None
    for part in _PART.finditer((ROOT / document).read_text(encoding="utf-8")):
        if part["heading"] is not None:
            heading, reason = part["heading"], None
        elif part["reason"] is not None:
            reason = " ".join(part["reason"].split())
        else:
            block = Block(
                heading=heading, language=part["language"], code=part["code"], reason=reason
            )
            found.append(block)
            reason = None
    return found
