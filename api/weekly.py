"""A building's week as a page for A4 paper: HTML without scripts and without styles of its own."""

from collections.abc import Sequence
from datetime import date, timedelta
from html import escape
from typing import Final
from zoneinfo import ZoneInfo

from api.weekly_charts import (
    NONE,
    between,
    heat_table,
    interval_bar,
    number,
    passages_chart,
    percent,
    rate_chart,
    table,
)
from storage.database.buckets import Span, wall_clock
from storage.database.statistics import Totals
from storage.database.summary import Change, WeekHour
from storage.database.weekly import EventLine, SpotChecks, Week
from storage.policy import INTENDED_USE, NOT_JUDGED
from storage.words import UnknownReason

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HEAD: Final = ("Passages", "With mask", "Incorrectly", "Without", "Can't tell", "Rate", "95 % interval")

REASON_WORDS: Final[dict[str, str]] = {
    UnknownReason.TOO_SMALL: "The face was too small",
    UnknownReason.BLURRED: "The face was blurred",
    UnknownReason.TURNED_AWAY: "The face was turned away",
    UnknownReason.OCCLUDED: "Something hid the face",
    UnknownReason.TOO_DARK: "It was too dark",
    UnknownReason.TOO_SHORT: "The person was seen too briefly",
    UnknownReason.DISAGREEMENT: "The faces of the passage contradict each other",
}
TYPE_WORDS: Final = {"without_mask": "Without mask", "incorrect_mask": "Worn incorrectly"}
STATES: Final = (
    ("To be reviewed", "pending", None),
    ("Confirmed", "confirmed", None),
    ("Wrong label", "dismissed", "wrong_label"),
    ("Not a person", "dismissed", "not_a_person"),
    ("Duplicate", "dismissed", "duplicate"),
    ("Exempt", "dismissed", "exempt"),
)
COVERS: Final = (
    "The interval covers chance alone: how far the rate may be off because so many, and not more, passages were judged. It "
    "does not cover the errors of the system itself, nor people whom no camera saw."
)
COUNTED: Final = (
    "Totals add passages, not persons: who passes twice, or past two cameras, counts twice. Each passage counts once, at its "
    "start. Passages that can't be told, exempt ones and those outside the hours of the policy are in no rate."
)


def page(week: Week) -> str:
    """The report."""
    summary = week.summary
    zone = ZoneInfo(summary.timezone)
    title = f"{week.building}: {week.week}"
    sections = [
        _head(week, zone),
        _figures(summary.totals, summary.change, summary.totals_before),
        _section(
            "By day",
            f'<div class="charts"><figure>{passages_chart(week.days)}<figcaption>Passages</figcaption></figure>'
            f"<figure>{rate_chart(week.days)}<figcaption>Rate with 95 % interval</figcaption></figure></div>"
            + _legend(),
            table(
                ("Day", *HEAD),
                [(f"{WEEKDAYS[line.day.weekday()]} {_day(line.day)}", *_cells(line.totals)) for line in week.days],
                "Passages by day",
            ),
        ),
        _section(
            "By hour of the week",
            heat_table(summary.table, "Passages an hour", rate=False),
            heat_table(summary.table, "Rate in per cent; coloured from 20 judged passages on", rate=True),
            _busiest(summary.busiest),
        ),
        _section(
            "By zone",
            table(
                ("Zone", *HEAD),
                [(line.name or "In no zone", *_cells(line.totals)) for line in week.zones],
                "Passages by zone",
            ),
        ),
        _section("By camera", _cameras(week, zone)),
        _section("Events", _events(week.events)),
        _section("What is in no rate", _beside(summary.totals)),
        _section("How sure the labels are", _spot_checks(week.spot_checks)),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>"
        '<link rel="icon" href="/static/icon.svg"><link rel="stylesheet" href="/static/report.css"></head>'
        f"<body><main>{''.join(sections)}</main>{_foot()}</body></html>\n"
    )


def _head(week: Week, zone: ZoneInfo) -> str:
    span = week.summary.span
    first = wall_clock(zone, span.start_ns).date()
    last = first + timedelta(6)
    as_of = f"{wall_clock(zone, week.summary.as_of_ns):%Y-%m-%d %H:%M}"
    state = f"As of {as_of}, {week.summary.timezone}."
    if not week.ended:
        state = f"This week is not over: the figures still change. {state}"
    elif week.summary.totals.open_tracks:
        state = f"Some passages are still being counted. {state}"
    return (
        f"<header><p>Maskwatch, weekly report</p><h1>{escape(week.building)}</h1>"
        f"<p>{escape(week.week)}: Monday {_day(first)} to Sunday {_day(last)} {last.year}</p><p>{escape(state)}</p></header>"
    )


def _figures(totals: Totals, change: Change | None, before: Totals) -> str:
    tiles = "".join(
        f'<div class="{name}"><dt>{escape(word)}</dt><dd>{number(getattr(totals, name))}</dd></div>'
        for name, word in (
            ("tracks", "Passages"),
            ("with_mask", "With mask"),
            ("incorrect_mask", "Worn incorrectly"),
            ("without_mask", "Without mask"),
            ("unknown", "Can't tell"),
            ("events", "Events"),
        )
    )
    return (
        '<section class="figures"><h2>The week</h2><div class="rate">'
        f'<p class="figure">{percent(totals.compliance_rate)}</p>'
        f"<p>of {number(totals.judged)} judged passages wore a mask properly</p>{interval_bar(totals)}"
        f"<p>95 % interval: {between(totals.interval)}</p><p>{escape(_changed(change, before))}</p></div>"
        f"<dl>{tiles}</dl></section>"
    )


def _changed(change: Change | None, before: Totals) -> str:
    if change is None:
        return "No rate of the week before to compare with."
    low, high = change.interval
    sure = "more than chance explains" if low > 0 or high < 0 else "within what chance explains"
    return (
        f"{change.points:+.1f} percentage points against the week before ({percent(before.compliance_rate)}); 95 % interval "
        f"of the change {low:+.1f} to {high:+.1f}: {sure}."
    )


def _legend() -> str:
    words = (
        ("with_mask", "With mask"),
        ("incorrect_mask", "Worn incorrectly"),
        ("without_mask", "Without mask"),
        ("unknown", "Can't tell"),
        ("exempt", "Exempt"),
    )
    keys = "".join(
        f'<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="{name}" width="10" height="10"/></svg>{word}</li>'
        for name, word in words
    )
    return f'<ul class="legend">{keys}</ul>'


def _busiest(hours: Sequence[WeekHour]) -> str:
    if not hours:
        return "<p>Nobody was counted.</p>"
    words = ", ".join(
        f"{WEEKDAYS[one.weekday]} {one.hour:02d}:00 ({number(round(one.tracks_per_hour))})" for one in hours
    )
    return f"<p>Busiest hours, with passages an hour: {words}.</p>"


def _cameras(week: Week, zone: ZoneInfo) -> str:
    rows = [(line.name, *_cells(line.totals), _quiet(line.quiet, zone), number(line.lost)) for line in week.cameras]
    return (
        table(("Camera", *HEAD, "Longest without anybody", "Samples lost"), rows, "Passages by camera")
        + "<p>When cameras were away is not recorded. A long time without anybody may be a quiet night, or a camera that was "
        "away. Lost samples are those since the camera was set up: looks that the system owed and could not take.</p>"
    )


def _quiet(span: Span | None, zone: ZoneInfo) -> str:
    if span is None:
        return NONE
    start = wall_clock(zone, span.start_ns)
    hours = (span.end_ns - span.start_ns) / 3.6e12
    return f"{hours:g} h from {start:%a %H:%M}"


def _events(events: Sequence[EventLine]) -> str:
    if not events:
        return "<p>No events.</p>"
    numbers = {(line.type, line.verdict, line.reason): line.number for line in events}
    rows = []
    for kind in sorted({line.type for line in events}, reverse=True):
        counts = [numbers.get((kind, verdict, reason), 0) for _, verdict, reason in STATES]
        rows.append((TYPE_WORDS.get(kind, kind), *(number(count) for count in [*counts, sum(counts)])))
    return table(("Type", *(word for word, _, _ in STATES), "All"), rows, "Events by type and review") + (
        "<p>Wrong label, not a person, duplicate and exempt are why an event was dismissed. Dismissed events are in no total, and "
        "the passages of the reviewed ones count as people corrected them.</p>"
    )


def _beside(totals: Totals) -> str:
    rows = [(REASON_WORDS[reason], number(count)) for reason, count in totals.unknown_reasons.items() if count]
    rest = totals.unknown - sum(totals.unknown_reasons.values())
    if rest:
        rows.append(("People who looked could not tell either", number(rest)))
    rows += [
        ("Can't tell, in all", number(totals.unknown)),
        ("Exempt", number(totals.exempt)),
        ("Outside the hours of the policy", number(totals.outside_hours)),
        ("Still in view, not counted yet", number(totals.open_tracks)),
    ]
    return table(("Why", "Passages"), rows, "Passages that are in no rate")


def _spot_checks(found: SpotChecks | None) -> str:
    if found is None:
        return (
            "<p>Not yet verified: too few passages of this week were drawn at random and checked by people. Until then nobody "
            "has measured how often the labels are wrong here.</p>"
        )
    return (
        f"<p>People checked {number(found.checked)} passages drawn at random. Corrected by what they found, the rate is "
        f"{percent(found.corrected_rate)}, with an interval of {between(found.interval)} that covers chance and the system's "
        "errors.</p>"
    )


def _foot() -> str:
    lines = (NOT_JUDGED, COVERS, COUNTED, INTENDED_USE)
    return f"<footer>{''.join(f'<p>{escape(line)}</p>' for line in lines)}</footer>"


def _section(title: str, *parts: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def _cells(totals: Totals) -> list[str]:
    labels = (totals.tracks, totals.with_mask, totals.incorrect_mask, totals.without_mask, totals.unknown)
    return [*(number(count) for count in labels), percent(totals.compliance_rate), between(totals.interval)]


def _day(day: date) -> str:
    return f"{day.day} {day:%B}"
