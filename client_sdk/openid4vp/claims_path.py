"""Claims path pointers: where in a credential a claim is (OpenID4VP 1.0 section 7)."""

from typing import TypeAlias

from chaincode.encoding import JsonObject, JsonValue

PathElement: TypeAlias = str | int | None
ClaimsPath: TypeAlias = tuple[PathElement, ...]
"""A claims path pointer: a name, an index, or None for all elements of an array."""


def resolve_path(claims: JsonObject, path: ClaimsPath) -> dict[ClaimsPath, JsonValue]:
    """Return the values that a claims path pointer selects, by their places (section 7.1.1).

    It is empty where nothing is selected, also where the specification speaks of an error.
    """
    selected: dict[ClaimsPath, JsonValue] = {(): claims}
    for element in path:
        following: dict[ClaimsPath, JsonValue] = {}
        for place, value in selected.items():
            if isinstance(element, str) and isinstance(value, dict):
                if element in value:
                    following[*place, element] = value[element]
            elif element is None and isinstance(value, list):
                following.update({(*place, index): item for index, item in enumerate(value)})
            elif isinstance(element, int) and isinstance(value, list):
                if element < len(value):
                    following[*place, element] = value[element]
            else:
                return {}
        selected = following
    return selected


def name_path(path: ClaimsPath) -> str:
    """Return a path as people read it: `address`, `nationalities[0]`, `degrees[*].type`."""
    text = ""
    for element in path:
        if isinstance(element, str):
            text += f".{element}" if text else element
        else:
            text += "[*]" if element is None else f"[{element}]"
    return text


def sort_paths(paths: "tuple[ClaimsPath, ...] | set[ClaimsPath]") -> tuple[ClaimsPath, ...]:
    """Return each path once, in one order for all: names before indices before None."""
    return tuple(sorted(set(paths), key=_sort_key))


def _sort_key(path: ClaimsPath) -> tuple[tuple[int, str, int], ...]:
    return tuple(
        (0, element, 0)
        if isinstance(element, str)
        else (2, "", 0)
        if element is None
        else (1, "", element)
        for element in path
    )
