"""The report on one piece of footage, as the interface documentation gives it; keys keep their order."""

import os
from pathlib import Path
from typing import Any, Final

import msgspec

from storage.statistics import Statistics
from storage.words import Label, UnknownReason

SCHEMA_VERSION: Final = 1


class ModelInfo(msgspec.Struct, frozen=True):
    """Which classifier spoke."""

    name: str
    sha256: str
    backend: str


class ReportSettings(msgspec.Struct, frozen=True):
    """The settings that shaped the answer."""

    fps: float
    dwell_s: float
    min_face_px: int
    detector: str


class TrackReport(msgspec.Struct, frozen=True):
    """One passage; `boxes` are (time_s, x, y, width, height) at analysed samples."""

    id: str
    first_seen_s: float
    last_seen_s: float
    faces: int
    label: Label
    confidence: float
    unknown_reason: UnknownReason | None
    boxes: tuple[tuple[float, int, int, int, int], ...]


class EventReport(msgspec.Struct, frozen=True):
    """One breach; `snapshot` is a path relative to the report."""

    id: str
    track_id: str
    type: Label
    started_s: float
    ended_s: float
    corrected_s: float | None
    confidence: float
    snapshot: str | None


class Timing(msgspec.Struct, frozen=True):
    """What the work cost; the only part that differs from run to run."""

    wall_s: float
    cpu_s: float
    realtime_factor: float
    peak_memory_mib: int


class Report(msgspec.Struct, frozen=True):
    """All that is known about one piece of footage."""

    schema_version: int
    video: str
    duration_s: float
    fps: float
    frames_decoded: int
    frames_analyzed: int
    errors: tuple[str, ...]
    model: ModelInfo
    settings: ReportSettings
    tracks: tuple[TrackReport, ...]
    events: tuple[EventReport, ...]
    statistics: Statistics
    timing: Timing
    footage_start: str | msgspec.UnsetType = msgspec.UNSET


def shown(path: Path | str) -> str:
    """A path as reports give it: names that are not UTF-8 keep what can be read of them."""
    return os.fsencode(path).decode("utf-8", "replace")


def to_json(value: Any) -> str:
    """One line of JSON; keys in the order of the structs."""
    return msgspec.json.encode(value).decode()


def to_pretty_json(value: Any) -> bytes:
    """The same for a file that people open, with a line feed at its end."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"
