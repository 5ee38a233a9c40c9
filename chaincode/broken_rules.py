"""What is wrong with a message, as a tree: irohad's `ValidationError`, and its text."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

MAX_FINDINGS: Final = 100
"""How many broken rules of one list are told; a request may hold millions."""
MAX_TEXT: Final = 16_384
"""How many characters of a text are told: it quotes values, which may be megabytes long."""

_MAX_PLACE: Final = 256


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A part of a message that breaks rules.

    Attributes:
        name: The part, or the rule, in irohad's words.
        reasons: What is wrong with it.
        parts: Parts of it that break rules themselves.
    """

    name: str
    reasons: tuple[str, ...] = ()
    parts: tuple[Self, ...] = ()

    def __str__(self) -> str:
        """Return irohad's text. It quotes values: it is for their sender, and for no log."""
        lists = []
        if self.reasons:
            lists.append(f"Errors=[{', '.join(self.reasons)}]")
        if self.parts:
            lists.append(f"Child errors=[{', '.join(map(str, self.parts))}]")
        text = f"{self.name}: [{', '.join(lists)}]"
        return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."

    @property
    def place(self) -> str:
        """Where the first fault is, without the values that are quoted, for a log."""
        inner = self.parts[0].place if self.parts else ""
        return (f"{self.name}/{inner}" if inner else self.name)[:_MAX_PLACE]


Finding: TypeAlias = str | BrokenRule
"""What a check finds: a reason, or a part that breaks rules."""


def gather(name: str, findings: Iterable[Finding]) -> BrokenRule | None:
    """Return the part `name` with all that was found in it, or None where nothing was."""
    reasons: list[str] = []
    parts: list[BrokenRule] = []
    for finding in findings:
        if isinstance(finding, str):
            reasons.append(finding)
        else:
            parts.append(finding)
        if len(reasons) + len(parts) >= MAX_FINDINGS:
            break
    return BrokenRule(name, tuple(reasons), tuple(parts)) if reasons or parts else None
