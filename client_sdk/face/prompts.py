"""What a face test asks a person to do, in the words that a screen shows."""

from enum import StrEnum
from typing import Final


class Prompt(StrEnum):
    """One thing to do in front of the camera. Left and right are the person's own."""

    LOOK_UP = "look_up"
    LOOK_DOWN = "look_down"
    LOOK_LEFT = "look_left"
    LOOK_RIGHT = "look_right"
    BLINK = "blink"
    SMILE = "smile"
    OPEN_MOUTH = "open_mouth"


TURNS: Final = frozenset({Prompt.LOOK_UP, Prompt.LOOK_DOWN, Prompt.LOOK_LEFT, Prompt.LOOK_RIGHT})
"""The prompts that turn the head: what is flat shows it there."""
FREQUENT_BY_CHANCE: Final = frozenset({Prompt.BLINK, Prompt.OPEN_MOUTH})
"""The prompts that a recording of one who talks shows by chance."""

WORDS: Final = {
    Prompt.LOOK_UP: ("上を向いてください", "Look up"),
    Prompt.LOOK_DOWN: ("下を向いてください", "Look down"),
    Prompt.LOOK_LEFT: ("左を向いてください", "Turn your head to your left"),
    Prompt.LOOK_RIGHT: ("右を向いてください", "Turn your head to your right"),
    Prompt.BLINK: ("目をゆっくり閉じて、開けてください", "Close your eyes slowly, then open them"),
    Prompt.SMILE: ("にっこり笑ってください", "Smile broadly"),
    Prompt.OPEN_MOUTH: ("口を大きく開けてください", "Open your mouth wide"),
}
"""Each prompt in Japanese and English."""
