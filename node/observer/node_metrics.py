"""What the node tells Prometheus, for one look at the page."""

from typing import Final

import requests
from prometheus_client.parser import text_string_to_metric_families

_TIMEOUT_S: Final = 2.0
_MAX_BYTES: Final = 1 << 20
SHOWN: Final = (
    "tegata_waiting_transactions",
    "number_of_pending_mst_transactions",
    "process_resident_memory_bytes",
    "uptime_ms",
)
"""The gauges that the page shows."""


def read_metrics(url: str) -> dict[str, float] | None:
    """Return the gauges that the page shows, by their names; None where they cannot be had."""
    try:
        with requests.get(url, timeout=_TIMEOUT_S, allow_redirects=False, stream=True) as answer:
            answer.raise_for_status()
            text = answer.raw.read(_MAX_BYTES, decode_content=True).decode()
        return {
            sample.name: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name in SHOWN
        }
    except (requests.RequestException, ValueError):
        return None
