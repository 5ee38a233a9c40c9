"""A reverse proxy in front of several instances of a service: Caddy, as in `deploy/Caddyfile`."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_SITE = """
http://{address} {{
	bind 127.0.0.1
	reverse_proxy {instances} {{
		lb_policy round_robin
		lb_try_duration 5s
		fail_duration 10s
	}}
}}
"""


def find_caddy() -> str | None:
    return shutil.which("caddy")


@contextmanager
def running_proxy(folder: Path, sites: Mapping[str, Sequence[str]]) -> Iterator[None]:
    """Share the requests to each address among instances until the `with` body ends.

    Args:
        folder: Where its files go.
        sites: The instances' addresses by the proxy's own.
    """
    config = folder / "Caddyfile"
    text = "{\n\tadmin off\n\tauto_https off\n}\n" + "".join(
        _SITE.format(address=address, instances=" ".join(instances))
        for address, instances in sites.items()
    )
    config.write_text(text, encoding="utf-8")
    process = subprocess.Popen(
        ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)},
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "serving initial configuration" in line:
                break
        else:
            raise AssertionError("Caddy did not start")
        yield
    finally:
        process.terminate()
        # What it still writes must not block it.
        process.communicate(timeout=30)
