"""How fast the API's questions are answered over a year of passages: totals, pages of events, and many viewers at once.

Each figure stands beside the reading of one row by its primary key, through the same code and in the same run.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from sqlalchemy import Engine, func, select, text

from infra.bench.api_data import HOUR_NS, Amount, places
from infra.bench.api_load import load
from infra.bench.api_plan import ApiPlan
from infra.bench.api_postgres import address, own_postgres
from infra.bench.api_questions import MIXES, PAGE, Ask, Asking, p95_ms
from infra.bench.api_served import run_served
from infra.bench.report import Measurement, cost, figure
from infra.console import say
from infra.settings import Settings
from storage.database.engine import migrate, open_engine, reading, sqlite_url
from storage.database.models import CameraRow, TrackRow
from storage.database.reports import Reports

ROUNDS: Final = 100
PER_MIX: Final = 30
READS: Final = 500
WARM: Final = 5
STATISTICS_MS, EVENTS_MS, VIEWERS_MS = 50.0, 100.0, 150.0
"""What the 95th percentiles are held to."""

Progress = Callable[[float, float | None], None]


def run_api(plan: ApiPlan, settings: Settings, folder: Path, progress: Progress) -> list[Measurement]:
    """Fill a database, unless this very benchmark has filled it, and ask.

    Args:
        plan: what is to be measured.
        settings: names the database, if any; otherwise one is made, and gone afterwards.
        folder: for what is made.
        progress: told how far it is.

    Raises:
        UsageError: the named database holds something else.
        SetupError: there is no PostgreSQL.
        StorageError: the database can't be used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _database(plan, settings, folder) as url:
        engine = open_engine(url)
        try:
            amount = _filled(engine, plan, folder, progress)
            rows = _asked(engine, amount)
            rows += run_served(plan, settings.model_copy(update={"database_url": url}), folder, amount)
        finally:
            engine.dispose()
    _judge(rows)
    return rows


@contextmanager
def _database(plan: ApiPlan, settings: Settings, folder: Path) -> Iterator[str]:
    if plan.sqlite:
        own = folder / "database"
        own.mkdir(parents=True, exist_ok=True)
        try:
            yield sqlite_url(own / "maskwatch.sqlite3")
        finally:
            shutil.rmtree(own, ignore_errors=True)
    elif settings.database_url is not None:
        yield settings.database_url
    else:
        with own_postgres() as socket_folder:
            yield address(socket_folder)


def _filled(engine: Engine, plan: ApiPlan, folder: Path, progress: Progress) -> Amount:
    """Fill it, or find it filled by an earlier run."""
    migrate(engine)
    with reading(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL statement_timeout = 0"))
        ours = connection.execute(select(CameraRow.id).where(CameraRow.id == places()[0].camera_id)).first()
        tracks = connection.execute(select(func.count()).select_from(TrackRow)).scalar_one() if ours else 0
        latest_ns = connection.execute(select(func.max(TrackRow.started_ns))).scalar_one() if ours else 0
    if ours and tracks == plan.tracks:
        say(f"the database holds {tracks} tracks of an earlier run: they are asked about")
        return Amount(plan.tracks, plan.breaches, (latest_ns // HOUR_NS + 1) * HOUR_NS)
    amount = Amount(plan.tracks, plan.breaches, (time.time_ns() // HOUR_NS + 1) * HOUR_NS)
    started_s = time.monotonic()
    load(engine, amount, folder, progress)
    say(f"{plan.tracks} tracks and {plan.breaches} events put in within {time.monotonic() - started_s:.0f} s")
    return amount


def _asked(engine: Engine, amount: Amount) -> list[Measurement]:
    """Through the repositories."""
    reports, asking = Reports(engine), Asking(amount, np.random.default_rng(amount.seed + 1))
    now_ns = amount.until_ns
    names = asking.known(reports, READS)
    reads = [partial(reports.event, name) for name in names]
    months = [partial(reports.compliance, asking.month(building=False), now_ns) for _ in range(ROUNDS)]
    single = [partial(reports.compliance, asking.month(building=True), now_ns) for _ in range(ROUNDS)]
    pages = {
        mix: [partial(reports.events, wanted, PAGE, after) for wanted, after in drawn]
        for mix in MIXES
        for drawn in [[asking.events(mix, turn) for turn in range(PER_MIX)]]
    }
    key_ms = p95_ms(_times(reads))
    statistics, building = p95_ms(_times(months)), p95_ms(_times(single))
    by_mix = {mix: _times(asks) for mix, asks in pages.items()}
    events = p95_ms([taken for times in by_mix.values() for taken in times])
    # Once more at the end: what disturbed the machine meanwhile shows in both.
    key_ms = (key_ms + p95_ms(_times(reads))) / 2
    return [
        figure("primary_key_read_ms", key_ms, "ms"),
        cost("statistics_p95_ms", statistics, "ms", key_ms),
        figure("statistics_times_key_read", statistics / key_ms, "x"),
        cost("statistics_building_p95_ms", building, "ms", key_ms),
        cost("events_p95_ms", events, "ms", key_ms),
        figure("events_times_key_read", events / key_ms, "x"),
        *(figure(f"events_{mix}_p95_ms", p95_ms(times), "ms") for mix, times in by_mix.items()),
    ]


def _times(asks: Sequence[Ask]) -> list[float]:
    """Seconds on the clock of each, in order; the first few are asked once before."""
    for ask in asks[:WARM]:
        ask()
    times = []
    for ask in asks:
        started_s = time.perf_counter()
        ask()
        times.append(time.perf_counter() - started_s)
    return times


def _judge(rows: list[Measurement]) -> None:
    """Say which figures miss what they are held to."""
    found = {row.name: row.value for row in rows}
    for name, most in (
        ("statistics_p95_ms", STATISTICS_MS),
        ("events_p95_ms", EVENTS_MS),
        ("viewers_p95_ms", VIEWERS_MS),
    ):
        if name in found:
            verdict = "holds" if found[name] <= most else "does not hold"
            say(f"{name} {found[name]:.1f}: {verdict} the {most:g} ms that are asked of it")
