"""What the API stands on."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Final

from fastapi import Depends, Request
from sqlalchemy import Engine

from api.access import Calling
from api.login_setup import LoginSetup
from storage.asking import Asking
from storage.bus import Bus
from storage.database.job_exports import JobExports
from storage.database.jobs import Jobs
from storage.database.judged_pictures import JudgedPictures
from storage.database.reports import Reports
from storage.database.reviews import Reviews
from storage.database.sites import Sites
from storage.database.spot_checks import SpotChecks
from storage.database.suitability import FaceTallies, Views
from storage.database.upkeep import UpkeepLog
from storage.database.uploads import Uploads
from storage.identity import SYSTEM, Caller
from storage.telling import Telling

UPLOAD_BYTES: Final = 20 * 1024**3
"""Most of one upload, unless set."""


@dataclass(frozen=True, slots=True)
class FootagePlaces:
    """Where recorded footage is, and what is made of it; jobs find it there under the same paths.

    Attributes:
        uploads: folder of what was sent.
        annotated: folder of the videos with boxes and labels.
        media: folder that footage may be named in; None: nowhere.
        upload_bytes: most of one upload.
    """

    uploads: Path
    annotated: Path
    media: Path | None
    upload_bytes: int = UPLOAD_BYTES


@dataclass(frozen=True, slots=True)
class ApiContext:
    """What the API stands on.

    Attributes:
        engine: of a migrated database.
        sites: buildings, zones and cameras.
        reports: tracks, events and totals.
        bus: camera states and heartbeats.
        snapshots: folder of the pictures.
        footage: folders of recorded footage.
        workers: names of the workers without which the system is not ready.
        login: how people log in.
        caller: for whom it is: the repositories show what is theirs.
    """

    engine: Engine
    sites: Sites
    reports: Reports
    bus: Bus
    snapshots: Path
    footage: FootagePlaces
    workers: tuple[str, ...] = ()
    login: LoginSetup = field(default_factory=LoginSetup)
    caller: Caller = SYSTEM

    @property
    def tallies(self) -> FaceTallies:
        """What the caller's cameras saw of faces."""
        return FaceTallies(self.engine, self.caller)

    @property
    def views(self) -> Views:
        """What the caller's cameras look at."""
        return Views(self.engine, self.caller)

    @property
    def reviews(self) -> Reviews:
        """Events as the caller may judge them."""
        return Reviews(self.engine, self.caller)

    @property
    def spot_checks(self) -> SpotChecks:
        """Passages drawn at random, as the caller may check them."""
        return SpotChecks(self.engine, self.caller)

    @property
    def judged(self) -> JudgedPictures:
        """The caller's pictures that people have judged, for training."""
        return JudgedPictures(self.engine, self.caller)

    @property
    def jobs(self) -> Jobs:
        """Recorded footage of the caller's buildings."""
        return Jobs(self.engine, self.caller)

    @property
    def job_exports(self) -> JobExports:
        """The same, to be taken along."""
        return JobExports(self.engine, self.caller)

    @property
    def uploads(self) -> Uploads:
        """Footage that the caller has sent."""
        return Uploads(self.engine, self.caller)

    @property
    def upkeep(self) -> UpkeepLog:
        """How the system's periodic work stands, which is nobody's alone."""
        return UpkeepLog(self.engine)

    @property
    def telling(self) -> Telling:
        """How those who look on hear of it."""
        return Telling(self.bus)

    @property
    def asking(self) -> Asking:
        """What the ingest process is asked by."""
        return Asking(self.bus)


def whole_context(request: Request) -> ApiContext:
    """What the API stands on, whoever calls: for finding out who does, and for routes that anybody may call."""
    context: ApiContext = request.app.state.context
    return context


def _context(request: Request, caller: Calling) -> ApiContext:
    whole = whole_context(request)
    return replace(whole, sites=whole.sites.for_(caller), reports=whole.reports.for_(caller), caller=caller)


Context = Annotated[ApiContext, Depends(_context)]
"""A route's way to it, as the caller may use it: what is not theirs is not there."""

WholeContext = Annotated[ApiContext, Depends(whole_context)]
"""Likewise, of a route that anybody may call."""
