"""Where a worker stands: what it is called, what it goes by, and what it works with."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from infra.places import Places, database_url
from infra.settings import Settings
from infra.system.claim import shared_alone
from infra.system.workers import Role
from storage.bus import Bus
from storage.errors import SetupError
from storage.files import make_folder
from storage.frame_access import FrameAccess
from storage.frames import create_store
from storage.pulse import Pulse

if TYPE_CHECKING:
    from sqlalchemy import Engine

log = structlog.get_logger(__name__)

NAME_FOOTAGE: Final = frozenset({Role.API, Role.JOBS})
"""Who is told of footage by its path below the media folder, which is there for people to put it in."""


@dataclass(slots=True)
class Outfit:
    """What a worker says of itself with every heartbeat, once it knows.

    Attributes:
        frames: its frame stores.
        device: what its network runs on.
    """

    frames: FrameAccess | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """Where a worker stands.

    Attributes:
        role: of the worker.
        name: of the worker.
        settings: of the system.
        places: of the system.
        bus: connected.
        pulse: stops at SIGTERM and SIGINT, and beats on the bus.
        supervised: whether a supervisor has made everything ready.
        listening: socket of the API.
        outfit: for the heartbeats.
    """

    role: Role
    name: str
    settings: Settings
    places: Places
    bus: Bus
    pulse: Pulse
    supervised: bool
    listening: socket.socket | None
    outfit: Outfit = field(default_factory=Outfit)

    @contextmanager
    def frames(self) -> Iterator[FrameAccess]:
        """The frame stores: shared memory where there is one, and Redis."""
        settings = self.settings
        if not self.supervised:
            self._make_store()
        with FrameAccess(self.bus, self.places.frames, settings.frames_mib, settings.frame_store) as frames:
            self.outfit.frames = frames
            try:
                yield frames
            finally:
                self.outfit.frames = None

    def _make_store(self) -> None:
        """Where no supervisor did, who puts pictures makes the store; who only looks at them may stand elsewhere."""
        kind = self.settings.frame_store
        if kind == "redis" or (kind == "auto" and self.role is not Role.INGEST):
            return
        try:
            # Of the roles that start together, one makes it.
            with shared_alone(self.places):
                if not self.places.frames.exists():
                    create_store(self.places.frames, self.settings.frames_mib)
        except SetupError as error:
            if kind == "shared":
                raise
            log.warning("no shared memory: pictures go through Redis", reason=str(error))

    @contextmanager
    def database(self) -> Iterator["Engine"]:
        """The database, with its tables; and the folders that a supervisor makes before them."""
        from storage.database.engine import migrate, open_engine

        if not self.supervised:
            make_folder(self.places.data, 0o700)
            if self.role in NAME_FOOTAGE:
                make_folder(self.places.media)
        engine = open_engine(database_url(self.settings))
        try:
            if not self.supervised:
                migrate(engine)
            yield engine
        finally:
            engine.dispose()
