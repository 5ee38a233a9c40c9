"""The curves of the operator's page, made of what was read of the blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from node.observer.block_index import DAY_MS, BlockIndex, IndexedBlock
from node.web.charts import LineChart
from node.web.languages import gettext, show_day

MINUTE_MS: Final = 60_000
SHOWN_MINUTES: Final = 60
ACTIVE_DAYS: Final = 30
"""Within how many days a holder must have granted or shown something to count as active."""
_POINTS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """What one minute of the chain came to.

    Attributes:
        start_ms: When it began; milliseconds since 1970, UTC.
        committed: How many transactions were committed.
        rejected: How many were rejected.
        latency_ms: The median of the blocks' medians; 0 where nothing was committed.
        slowest_ms: The longest time of a transaction.
    """

    start_ms: int
    committed: int = 0
    rejected: int = 0
    latency_ms: int = 0
    slowest_ms: int = 0


def last_minutes(blocks: Sequence[IndexedBlock], now_ms: int) -> list[Minute]:
    """Return the last hour by the minute, the running one included."""
    first = now_ms // MINUTE_MS - SHOWN_MINUTES + 1
    by_minute: dict[int, list[IndexedBlock]] = {}
    for block in blocks:
        by_minute.setdefault(block.time_ms // MINUTE_MS, []).append(block)
    return [
        _minute(number * MINUTE_MS, by_minute.get(number, []))
        for number in range(first, first + SHOWN_MINUTES)
    ]


def _minute(start_ms: int, blocks: list[IndexedBlock]) -> Minute:
    latencies = sorted(block.latency_ms for block in blocks if block.latency_ms is not None)
    return Minute(
        start_ms=start_ms,
        committed=sum(block.committed for block in blocks),
        rejected=sum(block.rejected for block in blocks),
        latency_ms=latencies[len(latencies) // 2] if latencies else 0,
        slowest_ms=max((block.slowest_ms or 0 for block in blocks), default=0),
    )


def throughput_chart(minutes: Sequence[Minute]) -> LineChart:
    """Return the chart of transactions by the minute."""
    return LineChart(
        title=gettext("Throughput of the last hour"),
        unit=gettext("transactions a minute"),
        labels=[_clock(minute.start_ms) for minute in minutes],
        series=[
            (gettext("committed"), [minute.committed for minute in minutes]),
            (gettext("rejected"), [minute.rejected for minute in minutes]),
        ],
    )


def latency_chart(minutes: Sequence[Minute]) -> LineChart:
    """Return the chart of the time from a transaction's creation to its block."""
    return LineChart(
        title=gettext("From a transaction's creation to its block"),
        unit=gettext("milliseconds, by the senders' clocks"),
        labels=[_clock(minute.start_ms) for minute in minutes],
        series=[
            (gettext("typical"), [minute.latency_ms for minute in minutes]),
            (gettext("slowest"), [minute.slowest_ms for minute in minutes]),
        ],
    )


def adoption_chart(index: BlockIndex, domain: str, now_ms: int) -> LineChart:
    """Return the curve of adoption, from the first enrolment to now (Rogers' diffusion curve)."""
    first_ms = index.first_enrolment_ms(domain)
    moments = [] if first_ms is None else _moments(first_ms, now_ms)
    counts = [index.adoption_at(domain, moment, active_days=ACTIVE_DAYS) for moment in moments]
    names = (
        gettext("enrolled"),
        gettext("have shown something"),
        gettext("active in the last %(days)s days") % {"days": ACTIVE_DAYS},
        gettext("recovered"),
    )
    return LineChart(
        title=gettext("Adoption"),
        unit=gettext("holders"),
        labels=[show_day(moment) for moment in moments],
        series=[(name, [count[place] for count in counts]) for place, name in enumerate(names)],
    )


def _moments(first_ms: int, now_ms: int) -> list[int]:
    """Return the ends of days from the day before the first on, at most some thirty, and now."""
    days = now_ms // DAY_MS - first_ms // DAY_MS + 1
    step = max(1, -(-days // _POINTS))
    ends = range(first_ms // DAY_MS, now_ms // DAY_MS + 1, step)
    return [*(day * DAY_MS - 1 for day in ends), now_ms]


def _clock(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, tz=UTC).astimezone().strftime("%H:%M")
