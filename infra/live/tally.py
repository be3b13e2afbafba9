"""What was found since the start: totals of everything, and the latest passages and events, in bounded memory."""

import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

import msgspec

from storage.messages import Box, Changes, Event, Result, Track, seconds
from storage.report import EventReport, ModelInfo, ReportSettings, Timing, TrackReport
from storage.statistics import Statistics, count
from storage.words import Label, UnknownReason

KEPT: Final = 10_000
"""Passages, and events, that are remembered one by one; totals count them all."""

KEPT_BOXES: Final = 300_000
"""Boxes that are remembered of passages that are over; the oldest go first."""

LONGEST_PATH: Final = 20_000
"""Boxes of one passage."""

LATEST: Final = 8
"""Events that the page shows."""


class LiveReport(msgspec.Struct, frozen=True):
    """What `maskwatch live --json` prints at its end; what it shares with the report on footage has the same names.

    Times (`*_s`) count from the first picture. `delay_ms` is the median from capture (arrival, where the source does not
    say) to the browser, None where nobody watched.
    """

    schema_version: int
    source: str
    started_at: str
    duration_s: float
    fps: float
    frames_decoded: int
    frames_analyzed: int
    reconnects: int
    delay_ms: int | None
    recorded: str | None
    errors: tuple[str, ...]
    model: ModelInfo
    settings: ReportSettings
    tracks: tuple[TrackReport, ...]
    events: tuple[EventReport, ...]
    statistics: Statistics
    timing: Timing


class EventLine(msgspec.Struct, frozen=True):
    """An event as the page shows it; times in seconds from the first picture."""

    id: str
    track_id: str
    type: Label
    started_s: float
    ended_s: float
    corrected: bool
    ongoing: bool


class Present(msgspec.Struct, frozen=True):
    """Somebody in view.

    Attributes:
        id: of the passage.
        label: of the passage, by all that was seen so far.
        unknown_reason: why nothing can be told of it, or None.
        event: whether the passage has one.
        corrected: whether it is over because the mask is worn now.
    """

    id: str
    label: Label
    unknown_reason: UnknownReason | None
    event: bool
    corrected: bool


@dataclass(slots=True)
class _Passage:
    id: str = ""
    track: Track | None = None
    event_id: str = ""
    event: Event | None = None
    boxes: list[tuple[int, Box]] = field(default_factory=list)


class Tally:
    """Takes in the fold's changes in order; may be asked by any thread."""

    def __init__(self, *, boxes: bool = False) -> None:
        """Start with nothing.

        Args:
            boxes: whether boxes are remembered, for the report.
        """
        self._keeps_boxes = boxes
        self._lock = threading.Lock()
        self._open: dict[int, _Passage] = {}
        self._over: deque[_Passage] = deque()
        self._boxes = self._confirmed = self._happened = 0
        self._labels: Counter[Label] = Counter()
        self._origin_ns: int | None = None
        self._last_ns = 0
        self.samples = 0
        """That were analysed."""

    def take(self, result: Result | None, changes: Changes) -> None:
        """Take in what one result changed; `result` is None at the end."""
        with self._lock:
            if result is not None:
                self._origin_ns = result.at_ns if self._origin_ns is None else self._origin_ns
                self._last_ns = result.at_ns
                self.samples += 1
                for sighting in changes.sightings:
                    passage = self._open.setdefault(sighting.track, _Passage())
                    if self._keeps_boxes:
                        passage.boxes.append((result.at_ns, result.faces[sighting.face].box))
                        if len(passage.boxes) > LONGEST_PATH:
                            # Who sits there all day is remembered less often.
                            del passage.boxes[1::2]
            for track in changes.tracks:
                passage = self._open.setdefault(track.number, _Passage())
                if passage.track is None:
                    self._confirmed += 1
                    passage.id = f"t{self._confirmed}"
                passage.track = track
            for event in changes.events:
                passage = self._open[event.track]
                if passage.event is None:
                    self._happened += 1
                    passage.event_id = f"e{self._happened}"
                passage.event = event
            for number in changes.closed:
                self._close(self._open.pop(number, None))

    def name(self, number: int) -> Present | None:
        """What is known of a passage in view by the fold's number; None where it is not sure that it is one."""
        with self._lock:
            return _present(self._open.get(number))

    def in_view(self) -> list[Present]:
        """Who is in view."""
        with self._lock:
            return [present for passage in self._open.values() if (present := _present(passage)) is not None]

    @property
    def events(self) -> int:
        """Events so far."""
        return self._happened

    @property
    def duration_s(self) -> float:
        """From the first to the last sample."""
        return 0.0 if self._origin_ns is None else seconds(self._last_ns - self._origin_ns)

    def statistics(self) -> Statistics:
        """All passages so far, those in view by what is known of them now."""
        with self._lock:
            labels = self._labels.copy()
            labels.update(passage.track.label for passage in self._open.values() if passage.track is not None)
        return count(labels.elements())

    def latest(self) -> list[EventLine]:
        """The latest events, newest first."""
        with self._lock:
            recent = sorted(self._kept(), key=lambda one: -1 if one.event is None else one.event.started_ns)[-LATEST:]
            return [
                EventLine(
                    passage.event_id, passage.id, event.label, self._since(event.started_ns), self._since(event.ended_ns),
                    event.corrected_ns is not None, not event.closed,
                )
                for passage in reversed(recent)
                if (event := passage.event) is not None
            ]  # fmt: skip

    def track_reports(self) -> tuple[TrackReport, ...]:
        """The passages that are remembered, in the order of their numbers."""
        with self._lock:
            return tuple(
                TrackReport(
                    id=passage.id,
                    first_seen_s=self._since(track.first_seen_ns),
                    last_seen_s=self._since(track.last_seen_ns),
                    faces=track.faces,
                    label=track.label,
                    confidence=track.confidence,
                    unknown_reason=track.unknown_reason,
                    boxes=tuple((self._since(at_ns), *box) for at_ns, box in passage.boxes),
                )
                for passage in sorted(self._kept(), key=lambda one: int(one.id[1:]))
                if (track := passage.track) is not None
            )

    def event_reports(self) -> tuple[EventReport, ...]:
        """The events that are remembered, in the order of their numbers; none has a snapshot."""
        with self._lock:
            return tuple(
                EventReport(
                    id=passage.event_id,
                    track_id=passage.id,
                    type=event.label,
                    started_s=self._since(event.started_ns),
                    ended_s=self._since(event.ended_ns),
                    corrected_s=None if event.corrected_ns is None else self._since(event.corrected_ns),
                    confidence=event.confidence,
                    snapshot=None,
                )
                for passage in sorted(
                    (one for one in self._kept() if one.event is not None), key=lambda one: int(one.event_id[1:])
                )
                if (event := passage.event) is not None
            )

    def forgotten(self) -> tuple[str, ...]:
        """What is not in the reports any more, in words."""
        lost = self._confirmed - len(self._kept())
        return (f"{lost} passages are counted, but no longer listed: the latest {KEPT} are",) if lost else ()

    def _kept(self) -> list[_Passage]:
        return [*self._over, *(passage for passage in self._open.values() if passage.track is not None)]

    def _since(self, at_ns: int) -> float:
        return seconds(at_ns - (self._origin_ns or 0))

    def _close(self, passage: _Passage | None) -> None:
        if passage is None or passage.track is None:
            return
        self._labels[passage.track.label] += 1
        self._over.append(passage)
        self._boxes += len(passage.boxes)
        if len(self._over) > KEPT:
            self._boxes -= len(self._over.popleft().boxes)
        if self._boxes > KEPT_BOXES:
            for old in self._over:
                self._boxes -= len(old.boxes)
                old.boxes = []
                if self._boxes <= KEPT_BOXES:
                    break


def _present(passage: _Passage | None) -> Present | None:
    if passage is None or passage.track is None:
        return None
    event = passage.event
    corrected = event is not None and event.corrected_ns is not None
    return Present(passage.id, passage.track.label, passage.track.unknown_reason, event is not None, corrected)
