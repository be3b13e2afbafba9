"""What the API stands on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from storage.asking import Asking
from storage.bus import Bus
from storage.database.reports import Reports
from storage.database.sites import Sites


@dataclass(frozen=True, slots=True)
class ApiContext:
    """What the API stands on.

    Attributes:
        engine: of a migrated database.
        sites: buildings, zones and cameras.
        reports: tracks, events and totals.
        bus: camera states and heartbeats.
        snapshots: folder of the pictures.
        workers: names of the workers without which the system is not ready.
    """

    engine: Engine
    sites: Sites
    reports: Reports
    bus: Bus
    snapshots: Path
    workers: tuple[str, ...] = ()

    @property
    def asking(self) -> Asking:
        """What the ingest process is asked by."""
        return Asking(self.bus)


def _context(request: Request) -> ApiContext:
    context: ApiContext = request.app.state.context
    return context


Context = Annotated[ApiContext, Depends(_context)]
"""A route's way to it."""
