"""The demo's clips as live cameras, and what the system found of their passages, held against the truth."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace
from sqlalchemy import Engine

from infra.demo.truth import Truth
from infra.footage import SNAPSHOTS
from infra.places import Places, database_url
from infra.recorder import Recorder
from infra.scoring import Matching, TruthScore, added, score
from infra.settings import Settings
from infra.system.claim import Claim
from storage.database.batch import event_id, track_id
from storage.database.engine import migrate, open_engine
from storage.database.recorded import recorded
from storage.database.records import NewCamera
from storage.database.sites import Sites
from storage.messages import NS_PER_S
from storage.report import EventReport, TrackReport
from storage.statistics import Statistics, count

BUILDING: Final = "demo"
OVER_S: Final = 9.0
"""A passage is closed at most 7 s after the person was last seen (one who sits as still as nobody in the demo does, 15); two more
for the way into the database."""


class DemoReport(msgspec.Struct, frozen=True):
    """What `maskwatch demo --json` prints; tracks and events are those of reports, with `camera` added."""

    cameras: int
    tracks: list[dict[str, object]]
    events: list[dict[str, object]]
    statistics: Statistics
    truth: TruthScore


@dataclass(frozen=True, slots=True)
class Shown:
    """What was found of one clip; times are those of the clip."""

    truth: Truth
    tracks: tuple[TrackReport, ...]
    events: tuple[EventReport, ...]
    matching: Matching
    until_s: float


def demo_settings(settings: Settings, folder: Path) -> Settings:
    """Of a system of the demo's own: the clips in `folder` are its cameras, and nothing that is real gets touched."""
    own = {"data_dir": folder / "system", "media_dir": folder, "database_url": None, "redis_url": None}
    return settings.model_copy(update=own)


def set_up(settings: Settings, truths: Sequence[Truth]) -> None:
    """Begin anew: an empty database with a building and a camera for each clip.

    Raises:
        ConflictError: another demo runs there.
        StorageError: the folder can't be written.
    """
    places = Places.of(settings)
    claim = Claim(places)
    try:
        shutil.rmtree(places.snapshots, ignore_errors=True)
        for file in places.data.glob(f"{places.database.name}*"):
            file.unlink(missing_ok=True)
        with closing_engine(settings) as engine:
            migrate(engine)
            sites = Sites(engine, places.media)
            sites.add_building("Demo", "UTC", building_id=BUILDING)
            for truth in truths:
                name = truth.camera
                sites.add_camera(NewCamera(name.capitalize(), BUILDING, f"file:{name}.mp4", id=name))
    finally:
        claim.release()


@contextmanager
def closing_engine(settings: Settings) -> Iterator[Engine]:
    """The database of a system."""
    engine = open_engine(database_url(settings))
    try:
        yield engine
    finally:
        engine.dispose()


def found(settings: Settings, truths: Sequence[Truth]) -> list[Shown]:
    """What the system knows of the clips' passages that are over; those that may not be are not expected.

    Raises:
        StorageError: the database can't be read.
    """
    with closing_engine(settings) as engine:
        sites = Sites(engine)
        return [_found(engine, sites, truth, time.time_ns()) for truth in truths]


def _found(engine: Engine, sites: Sites, truth: Truth, now_ns: int) -> Shown:
    since_ns = sites.camera(truth.camera).playing_since_ns or now_ns
    recorder = Recorder.of(recorded(engine, truth.camera), origin_ns=since_ns)
    # The identifiers that the API knows them by.
    keys = {f"t{position}": (truth.camera, track.number) for position, track in enumerate(recorder.in_order(), 1)}
    tracks = tuple(replace(track, id=track_id(keys[track.id])) for track in recorder.track_reports())
    events = tuple(
        replace(event, id=event_id(keys[event.track_id]), track_id=track_id(keys[event.track_id]))
        for event in recorder.event_reports(SNAPSHOTS)
    )
    until_s = (now_ns - since_ns) / NS_PER_S - OVER_S
    return Shown(truth, tracks, events, score(tracks, events, truth, until_s=until_s), until_s)


def demo_report(shown: Sequence[Shown]) -> DemoReport:
    """All cameras together."""

    def listed(camera: str, items: Sequence[msgspec.Struct]) -> list[dict[str, object]]:
        return [{**msgspec.to_builtins(item), "camera": camera} for item in items]

    return DemoReport(
        cameras=len(shown),
        tracks=[item for one in shown for item in listed(one.truth.camera, one.tracks)],
        events=[item for one in shown for item in listed(one.truth.camera, one.events)],
        statistics=count(track.label for one in shown for track in one.tracks),
        truth=added([one.matching.score for one in shown]),
    )
