"""Writing the few TOML lines that `init` commands make."""

import json
from collections.abc import Mapping


def encode_toml(values: Mapping[str, str | bool | list[str]]) -> str:
    """Return lines such as `name = "value"`.

    A JSON string is a TOML basic string but for two things: TOML has no surrogate pairs, and wants
    DEL escaped.
    """
    return "".join(
        f"{name} = {json.dumps(value, ensure_ascii=False)}\n".replace("\x7f", "\\u007f")
        for name, value in values.items()
    )
