"""The figures of one benchmark, as the interface documentation gives them, and as a table for people."""

import msgspec
from msgspec import UNSET, UnsetType
from rich.table import Table

from infra.bench.machine import Machine
from infra.console import results


class Measurement(msgspec.Struct, frozen=True):
    """One figure.

    Attributes:
        name: stays the same over versions.
        value: in `unit`.
        unit: `ms` is CPU time; `x` is times real time.
        limit: what the machine itself gave in the same run, in `unit`; absent where there is no such thing.
        ratio: how near the value comes to the limit; 1 is as good as it gets, whichever way the figure points.
    """

    name: str
    value: float
    unit: str
    limit: float | UnsetType = UNSET
    ratio: float | UnsetType = UNSET


class BenchReport(msgspec.Struct, frozen=True):
    """What `maskwatch bench X --json` prints; keys keep this order."""

    benchmark: str
    machine: Machine
    results: tuple[Measurement, ...]


def figure(name: str, value: float, unit: str) -> Measurement:
    """A figure that has no limit."""
    return Measurement(name, round(value, 4), unit)


def cost(name: str, value: float, unit: str, limit: float) -> Measurement:
    """A figure of which less is better, with the least this machine needs."""
    return Measurement(name, round(value, 4), unit, round(limit, 4), round(limit / max(value, 1e-9), 4))


def speed(name: str, value: float, unit: str, limit: float) -> Measurement:
    """A figure of which more is better, with the most this machine gives."""
    return Measurement(name, round(value, 4), unit, round(limit, 4), round(value / max(limit, 1e-9), 4))


def show(report: BenchReport) -> None:
    """Print the figures for people."""
    machine = report.machine
    results.print(
        f"{report.benchmark} on {machine.cpu}, {machine.cores} cores, {machine.memory_mib / 1024:.1f} GiB, "
        f"Python {machine.python}",
        markup=False,
    )
    table = Table("figure", "value", "unit", "limit", "ratio")
    for row in report.results:
        limit = "" if isinstance(row.limit, UnsetType) else f"{row.limit:.4g}"
        ratio = "" if isinstance(row.ratio, UnsetType) else f"{row.ratio:.2f}"
        table.add_row(row.name, f"{row.value:.4g}", row.unit, limit, ratio)
    results.print(table)
