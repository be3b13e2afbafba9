"""Charts and tables of the weekly report: SVG and HTML text without styles of its own; `static/report.css` has them."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from storage.database.statistics import Totals
from storage.database.summary import Table
from storage.database.weekly import DayLine

DAY_NAMES: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
STACK: Final = ("with_mask", "incorrect_mask", "without_mask", "unknown", "exempt")
"""From the bottom to the top."""

NONE: Final = "\u2013"
"""Where there is no figure."""

SHOWN: Final = 20
"""From so many judged passages on a rate gets its colour."""

STEPS: Final = 9
"""Shades of a heat table, beside none."""

WIDTH, HEIGHT, TOP, LEFT, FLOOR = 340.0, 150.0, 10.0, 42.0, 20.0


def number(value: int) -> str:
    """With narrow spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def percent(share: float | None) -> str:
    """With one decimal; a dash where there is none."""
    return NONE if share is None else f"{100 * share:.1f}\u00a0%"


def between(interval: tuple[float, float] | None) -> str:
    """An interval of shares, in per cent."""
    return NONE if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}\u00a0%"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    """A table; the first cell of each row names it, the others are figures. All is text."""
    heads = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = "".join(
        f'<tr><th scope="row">{escape(first)}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in rest) + "</tr>"
        for first, *rest in rows
    )
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"


def interval_bar(totals: Totals) -> str:
    """The rate on a line from 0 to 100 %, and its interval."""
    if totals.compliance_rate is None or totals.interval is None:
        return ""
    low, high = totals.interval
    label = f"Rate {percent(totals.compliance_rate)}, interval {between(totals.interval)}"
    return (
        f'<svg class="bar" viewBox="0 0 300 12" role="img" aria-label="{label}">'
        '<rect class="ground" x="0" y="3" width="300" height="6" rx="3"/>'
        f'<rect class="range" x="{300 * low:.1f}" y="3" width="{max(1.0, 300 * (high - low)):.1f}" height="6"/>'
        f'<rect class="mark" x="{300 * totals.compliance_rate - 1:.1f}" y="0" width="2" height="12"/></svg>'
    )


def passages_chart(days: Sequence[DayLine]) -> str:
    """Passages by day, one colour a label."""
    most = max((_stacked(line.totals) for line in days), default=0) or 1
    parts = [_frame("Passages by day and label", [(0.0, "0"), (1.0, number(most))])]
    step = (WIDTH - LEFT) / len(DAY_NAMES)
    for at, line in enumerate(days):
        base = HEIGHT - FLOOR
        for name in STACK:
            tall = getattr(line.totals, name) / most * (HEIGHT - FLOOR - TOP)
            if tall:
                base -= tall
                parts.append(
                    f'<rect class="{name}" x="{LEFT + step * at + 5:.1f}" y="{base:.1f}" width="{step - 10:.1f}" '
                    f'height="{tall:.1f}"/>'
                )
    return "".join([*parts, "</svg>"])


def rate_chart(days: Sequence[DayLine]) -> str:
    """The rate of each day with its interval."""
    lowest = min((line.totals.interval[0] for line in days if line.totals.interval), default=0.0)
    # Days differ by a few per cent: the lower part says nothing, and that it is left out is written at the axis.
    floor = max(0.0, int(lowest * 10) / 10)
    parts = [_frame("Rate by day, with its 95 % interval", [(0.0, f"{100 * floor:.0f}\u00a0%"), (1.0, "100\u00a0%")])]
    step = (WIDTH - LEFT) / len(DAY_NAMES)

    def height(share: float) -> float:
        return HEIGHT - FLOOR - (share - floor) / (1.0 - floor) * (HEIGHT - FLOOR - TOP)

    for at, line in enumerate(days):
        if line.totals.compliance_rate is None or line.totals.interval is None:
            continue
        x = LEFT + step * (at + 0.5)
        low, high = (height(share) for share in line.totals.interval)
        parts.append(
            f'<path class="whisker" d="M{x:.1f} {low:.1f}V{high:.1f}M{x - 4:.1f} {low:.1f}h8M{x - 4:.1f} {high:.1f}h8"/>'
            f'<circle class="dot" cx="{x:.1f}" cy="{height(line.totals.compliance_rate):.1f}" r="3.2"/>'
        )
    return "".join([*parts, "</svg>"])


def heat_table(hours: Table, caption: str, *, rate: bool) -> str:
    """Hours of the week: passages an hour, or the rate. An hour that the clock skipped is left empty."""
    most = max((cell.tracks_per_hour for row in hours for cell in row if cell is not None), default=0.0) or 1.0
    heads = "".join(f'<th scope="col">{hour}</th>' for hour in range(24))
    lines = []
    for name, row in zip(DAY_NAMES, hours, strict=True):
        cells = []
        for cell in row:
            if cell is None:
                cells.append('<td class="none"></td>')
                continue
            share = cell.totals.compliance_rate
            if rate:
                text = "" if share is None else f"{100 * share:.0f}"
                # A colour stands out, and few passages say little.
                shade = f"rate{round(share * STEPS)}" if share is not None and cell.totals.judged >= SHOWN else "few"
            else:
                text = number(round(cell.tracks_per_hour)) if cell.totals.tracks else ""
                shade = f"heat{-(-round(cell.tracks_per_hour * STEPS * 1000) // round(most * 1000))}"
            cells.append(f'<td class="{shade}">{text}</td>')
        lines.append(f'<tr><th scope="row">{name}</th>{"".join(cells)}</tr>')
    return (
        f'<table class="heat"><caption>{escape(caption)}</caption><thead><tr><td></td>{heads}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def _stacked(totals: Totals) -> int:
    return sum(getattr(totals, name) for name in STACK)


def _frame(title: str, ticks: Sequence[tuple[float, str]]) -> str:
    """The beginning of a chart by day: axis, names of the days, and marks at shares of the height."""
    step = (WIDTH - LEFT) / len(DAY_NAMES)
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{escape(title)}">',
        f'<path class="axis" d="M{LEFT:g} {HEIGHT - FLOOR:g}H{WIDTH:g}"/>',
    ]
    for at, name in enumerate(DAY_NAMES):
        parts.append(
            f'<text class="tick" x="{LEFT + step * (at + 0.5):.1f}" y="{HEIGHT - 6:g}" text-anchor="middle">{name}</text>'
        )
    for share, text in ticks:
        y = HEIGHT - FLOOR - share * (HEIGHT - FLOOR - TOP)
        parts.append(f'<text class="tick" x="{LEFT - 4:g}" y="{y + 3:.1f}" text-anchor="end">{escape(text)}</text>')
        parts.append(f'<path class="grid" d="M{LEFT:g} {y:.1f}H{WIDTH:g}"/>')
    return "".join(parts)
