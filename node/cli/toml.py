"""Writing the few TOML lines that `init` commands make."""

import json
from collections.abc import Mapping


def encode_toml(values: Mapping[str, str]) -> str:
    """Return `name = "value"` lines; a JSON string is a TOML basic string."""
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
