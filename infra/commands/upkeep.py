"""`maskwatch upkeep`: periodic work by hand, all of it or a piece."""

import time
from typing import Annotated, Final

import msgspec
import structlog
import typer
from structlog.typing import EventDict, WrappedLogger

from infra.commands.options import Json
from infra.commands.registry import tell_all
from infra.console import complain, emit
from infra.jobs.upkeep import FAILED, UPKEEP, UpkeepPlace, named, run_upkeep
from infra.log import redacted
from infra.people import opened_database
from infra.places import Places
from infra.settings import load_settings
from storage.errors import StorageError

WARNINGS: Final = frozenset({"warning", "error", "exception", "critical"})
NAMES = ", ".join(one.name for one in UPKEEP)


def upkeep(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help=f"One of {NAMES}; without it, all.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Do now what is otherwise done from time to time, due or not: removal of what is old, checks, weekly reports."""
    _warnings_to_stderr()
    settings = load_settings()
    works = UPKEEP if name is None else (named(name),)
    rows: list[tuple[str, str, str]] = []
    failed: list[str] = []
    with opened_database(settings) as engine:
        for one in works:
            done = run_upkeep(one.name, UpkeepPlace(engine, Places.of(settings), time.time_ns()), due=False)
            if done is None:
                continue
            if json:
                emit(msgspec.json.encode(done).decode())
            counts = ", ".join(f"{number} {what.replace('_', ' ')}" for what, number in done.outcome.items())
            rows.append((done.name, f"{done.took_s:.1f} s", done.error or counts or "done"))
            if done.error is not None:
                failed.append(f"{done.name}: {done.error}")
    if not json:
        tell_all([], ("work", "took", "outcome"), rows, json=False)
    if failed:
        raise StorageError("; ".join(failed))


def _warnings_to_stderr() -> None:
    """Of what modules log, a person is shown the warnings: what is missing, and what was wrong."""
    structlog.configure(
        processors=[_told], logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=False
    )


def _told(_: WrappedLogger, level: str, event: EventDict) -> EventDict:
    what = event.pop("event")
    # A failure is told at the end.
    if level in WARNINGS and what != FAILED:
        facts = ", ".join(f"{name} {value}" for name, value in event.items())
        complain(redacted(f"{what}: {facts}" if facts else str(what)))
    raise structlog.DropEvent
