"""Line charts as SVG that the server draws: no script, and the numbers beside them as a table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

_TICKS: Final = 4
_LABELS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark on an axis: where, what stands there, and on which side of the place."""

    at: float
    value: float | str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line as it is drawn: its name, the corners, and its last value."""

    name: str
    points: str
    last: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChart:
    """Series of numbers over the same moments; at most four, which the stylesheet tells apart.

    Attributes:
        title: What is shown, in the reader's language.
        unit: Of the numbers; empty where there is none.
        labels: The moments, as the reader reads them, in order.
        series: Of each line its name and a number for each moment, not below 0.
        width: Of the drawing; it is scaled to the page.
        height: Of the drawing.
    """

    title: str
    labels: Sequence[str]
    series: Sequence[tuple[str, Sequence[float]]]
    unit: str = ""
    width: int = 640
    height: int = 240
    left: int = field(default=64, init=False)
    top: int = field(default=12, init=False)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.labels

    @property
    def right(self) -> int:
        """Where the lines end."""
        return self.width - 12

    @property
    def value_ticks(self) -> list[Tick]:
        """The marks of the numbers, from 0 up to a round one above all."""
        step = self._top_value / _TICKS
        return [Tick(at=self._y(step * place), value=step * place) for place in range(_TICKS + 1)]

    @property
    def label_ticks(self) -> list[Tick]:
        """The marks of some moments: the first, the last, and a few between."""
        last = len(self.labels) - 1
        places = sorted({round(last * part / (_LABELS - 1)) for part in range(_LABELS)})
        return [
            Tick(
                at=self._x(place),
                value=self.labels[place],
                anchor="start" if place == 0 else "end" if place == last else "middle",
            )
            for place in places
        ]

    @property
    def lines(self) -> list[Line]:
        """The lines."""
        return [
            Line(
                name=name,
                points=" ".join(
                    f"{self._x(place):.1f},{self._y(value):.1f}"
                    for place, value in enumerate(values)
                ),
                last=values[-1],
            )
            for name, values in self.series
        ]

    def rows(self) -> list[tuple[str | float, ...]]:
        """Return the numbers, a row for each moment."""
        return list(zip(self.labels, *(values for _, values in self.series), strict=True))

    @property
    def _top_value(self) -> float:
        highest = max((value for _, values in self.series for value in values), default=0)
        if highest <= 0:
            return float(_TICKS)
        # Quarters of a round number are readable.
        unit = 10.0 ** math.floor(math.log10(highest))
        return next(part * unit for part in (1, 2, 4, 8, 10) if part * unit >= highest)

    def _x(self, place: int) -> float:
        steps = max(1, len(self.labels) - 1)
        return self.left + (self.right - self.left) * place / steps

    def _y(self, value: float) -> float:
        bottom = self.height - 28
        return bottom - (bottom - self.top) * value / self._top_value
