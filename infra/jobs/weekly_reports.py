"""The report of each building's past week as a file: written once, when the week is over there."""

from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from storage.files import write_bytes
from storage.progress import Progress, unwatched

if TYPE_CHECKING:
    from sqlalchemy import Engine

WEEKS: Final = 4
"""So many weeks are made up that nobody wrote in time."""

STYLE: Final = '<link rel="stylesheet" href="/static/report.css">'
ICON: Final = '<link rel="icon" href="/static/icon.svg">'


def write_reports(engine: "Engine", folder: Path, now_ns: int, progress: Progress = unwatched) -> dict[str, int]:
    """Write what is missing of the last weeks of all buildings in use, as `<building>-<week>.html`.

    A file that is there stays as it is: the report as it was when the week was over.

    Args:
        engine: of a migrated database.
        folder: of the reports; made where missing.
        now_ns: the time.
        progress: called for each.

    Returns:
        How many were `written`.

    Raises:
        StorageError: the database can't be read, or a file can't be written.
    """
    from api import weekly
    from storage.database.reports import Reports
    from storage.database.sites import Sites

    reports, written = Reports(engine), 0
    for building in Sites(engine).buildings():
        for week in _weeks(building.timezone, building.created_at_ns, now_ns):
            progress()
            path = folder / f"{building.id}-{week}.html"
            if not path.exists():
                page = weekly.page(reports.week(building.id, week, now_ns))
                write_bytes(path, standalone(page).encode())
                written += 1
    return {"written": written}


def standalone(page: str) -> str:
    """A report with its style inside, since there is no server beside a file."""
    css = (files("api") / "static" / "report.css").read_text(encoding="utf-8")
    return page.replace(ICON, "").replace(STYLE, f"<style>{css}</style>")


def _weeks(timezone: str, since_ns: int, now_ns: int) -> list[str]:
    """The last weeks that are over by a building's clock, and in part of which there was the building; oldest first."""
    from storage.database.buckets import midnight_ns, time_zone, wall_clock, week_name

    zone = time_zone(timezone)
    today = wall_clock(zone, now_ns).date()
    monday = today - timedelta(today.weekday())
    found = []
    for ago in range(WEEKS, 0, -1):
        start = monday - timedelta(7 * ago)
        if midnight_ns(zone, start + timedelta(7)) > since_ns:
            # At noon no clock is set.
            found.append(week_name(zone, midnight_ns(zone, start) + 43_200_000_000_000))
    return found
