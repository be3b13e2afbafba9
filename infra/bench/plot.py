"""Curves over time as an SVG picture, written by hand: a plot for the documentation needs no library."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 860, 60, 150
HEIGHT, TOP, GAP = 170, 30, 60
"""Pixels: whole width and margins beside the curves; height of a panel, and space above and below."""

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a6d3b")
"""Okabe and Ito's, which can be told apart by everybody."""

TICKS: Final = 4


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture of several lines.

    Attributes:
        title: with the unit.
        lines: points (minutes, value) by name; values are 0 or more.
    """

    title: str
    lines: Mapping[str, Sequence[tuple[float, float]]]


def svg(panels: Sequence[Panel]) -> str:
    """The panels above each other, over the same minutes."""
    longest = max((x for panel in panels for line in panel.lines.values() for x, _ in line), default=1.0) or 1.0
    height = TOP + len(panels) * (HEIGHT + GAP)
    parts = [_panel(panel, TOP + number * (HEIGHT + GAP), longest) for number, panel in enumerate(panels)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
            *parts,
            "</svg>\n",
        ]
    )


def ticks(most: float) -> list[float]:
    """Round numbers from 0 to at least `most`, some four steps.

    >>> ticks(23)
    [0.0, 10.0, 20.0, 30.0]
    """
    rough = max(most, 1e-9) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * power for nice in (1, 2, 5, 10) if nice * power >= rough)
    return [round(step * number, 10) for number in range(math.ceil(most / step - 1e-9) + 1)]


def _panel(panel: Panel, top: int, longest: float) -> str:
    values = ticks(max((y for line in panel.lines.values() for _, y in line), default=1.0) or 1.0)
    across, bottom = WIDTH - LEFT - RIGHT, top + HEIGHT

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + across * x / longest, bottom - HEIGHT * y / values[-1]

    parts = [f'<text font-size="12" x="{LEFT}" y="{top - 10}" font-weight="bold">{escape(panel.title)}</text>']
    for value in values:
        y = place(0, value)[1]
        parts += [
            f'<line x1="{LEFT}" y1="{y:.1f}" x2="{LEFT + across}" y2="{y:.1f}" stroke="#ddd"/>',
            f'<text font-size="12" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>',
        ]
    for minutes in ticks(longest):
        if minutes <= longest:
            x = place(minutes, 0)[0]
            parts.append(
                f'<text font-size="12" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{minutes:g} min</text>'
            )
    for number, (name, line) in enumerate(panel.lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in line)
        y = top + 12 + 18 * number
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>',
            f'<text font-size="12" x="{LEFT + across + 10}" y="{y}" fill="{colour}">{escape(name)}</text>',
        ]
    return "\n".join(parts)
