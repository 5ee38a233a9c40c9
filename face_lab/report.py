"""The figures of a run as tables for docs/face.md."""

from collections.abc import Iterator, Mapping
from typing import Any

from face_lab.rates import Rate, percent

# What most people ask first.
_TARGETS: Mapping[str, str] = {
    "BPCER": "10 %",
    "APCER, photo": "2 %",
    "APCER, flat_print": "2 %",
    "APCER, bent_print": "2 %",
    "APCER, replay of another test": "0.05 %",
    "EER, everybody": "2.5 %",
}


def tables(kept: Mapping[str, Any]) -> Iterator[str]:
    """Give the lines of Markdown.

    Args:
        kept: What `evaluate --json` wrote.
    """
    for part, rates in kept["figures"].items():
        yield f"\n| {part} | rate | of | target |\n| --- | --- | --- | --- |"
        for name, fields in rates.items():
            found = Rate(**fields)
            value = percent(found).rpartition(" of ")[0]
            of = f"{found.trials:,} {found.text}".strip()
            yield f"| {name.replace('_', ' ')} | {value} | {of} | {_TARGETS.get(name, '')} |"
    yield f"\ncost: {kept['cost']}, on {kept['machine']}"
    card = kept.get("detector_card") or {"sets": []}
    yield "\n| detector | AUC | EER | real, fake |\n| --- | --- | --- | --- |"
    for entry in card["sets"]:
        found = entry["both"]
        if found is not None:
            again = ", encoded again" if entry["encoded_again"] else ""
            yield (
                f"| {entry['set']}, {entry['part']}{again} | {found['auc']:.2f} "
                f"[{found['low']:.2f}, {found['high']:.2f}] | {found['eer']:.0%} "
                f"| {found['real']}, {found['fake']} |"
            )
