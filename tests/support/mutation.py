"""Hostile inputs made of good ones: texts, bytes and JSON with a few changes."""

import copy
import json
import random
from typing import Any, Final

ODD_VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53, 2**64, -(2**63), 1.5, 1e308, -0.0, 10**400),
    *("", " ", "\x00", "..", "~", "#", "a" * 5000, "\ud800", "\u202e", "𠮟", "-1", "None", "e30"),
    *([], {}, [[]], [{}], {"": {}}, {"...": "x"}, {"_sd": ["x"]}, [None], ["a", 1]),
)
_CHARS: Final = '~.{}[]",:\\ -_=+/#?&%@\x00\n0aZé手😀\ud800'


def mutate_text(text: str, chance: random.Random) -> str:
    """Return a text with pieces that moved, vanished, came twice, or are of odd characters."""
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(text) + 1), chance.randint(1, 40)
        match chance.randrange(5):
            case 0:
                text = text[:at] + chance.choice(_CHARS) + text[at + 1 :]
            case 1:
                text = text[:at] + text[at + length :]
            case 2:
                text = text[:at] + text[at : at + length] * 2 + text[at + length :]
            case 3:
                piece = "".join(chance.choices(_CHARS, k=length))
                text = text[:at] + piece + text[at:]
            case _:
                text = text[:at]
    return text


def mutate_bytes(data: bytes, chance: random.Random) -> bytes:
    """Return bytes with a few changes."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(changed) + 1), chance.randint(1, 40)
        match chance.randrange(4):
            case 0:
                changed[at : at + 1] = chance.randbytes(1)
            case 1:
                del changed[at : at + length]
            case 2:
                changed[at:at] = changed[at : at + length]
            case _:
                changed[at:at] = chance.randbytes(length)
    return bytes(changed)


def mutate_json(value: Any, chance: random.Random) -> Any:
    """Return a JSON value with members that vanished, were renamed, or are of another kind."""
    root = [copy.deepcopy(value)]
    for _ in range(chance.randint(1, 3)):
        holder, place = chance.choice([*_places(root)])
        match chance.randrange(6):
            case 0 | 1:
                holder[place] = copy.deepcopy(chance.choice(ODD_VALUES))
            case 2 if isinstance(holder[place], str):
                holder[place] = mutate_text(holder[place], chance)
            case 3 if holder is not root:
                del holder[place]
            case 4 if isinstance(holder, dict):
                holder[mutate_text(place, chance)] = holder.pop(place)
            case _:
                holder[place] = [holder[place]]
    return root[0]


def encode_anyhow(value: Any) -> bytes:
    """Return JSON of a value, also where it is none that others would write."""
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _places(value: Any) -> Any:
    """Yield every member and element, by what holds it and its name or index."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for place, inner in items:
        yield value, place
        if isinstance(inner, dict | list):
            yield from _places(inner)
