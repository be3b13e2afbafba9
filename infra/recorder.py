"""Collects what the fold says into one report: tracks with their boxes, events with their snapshots."""

from dataclasses import dataclass, field
from typing import Self

from msgspec.structs import replace

from storage.database.recorded import Recorded
from storage.messages import Changes, Event, Result, Track, seconds
from storage.paths import Seen
from storage.report import EventReport, TrackReport


@dataclass(slots=True)
class Recorder:
    """Takes in the fold's changes in order; afterwards it knows all confirmed tracks and their events."""

    tracks: dict[int, Track] = field(default_factory=dict)
    events: dict[int, Event] = field(default_factory=dict)
    sightings: dict[int, list[Seen]] = field(default_factory=dict)
    snapshots: dict[int, str] = field(default_factory=dict)
    samples: int = 0

    @classmethod
    def of(cls, facts: Recorded, *, samples: int = 0, origin_ns: int = 0) -> Self:
        """What the database knows of a camera, as if it had been taken in here.

        Args:
            facts: the tracks that have ended, with their events, are used.
            samples: number of samples that went into them.
            origin_ns: times are given from here on.
        """
        made = cls(samples=samples)
        for number, track in facts.tracks.items():
            if track.closed:
                first_ns, last_ns = track.first_seen_ns - origin_ns, track.last_seen_ns - origin_ns
                made.tracks[number] = replace(track, first_seen_ns=first_ns, last_seen_ns=last_ns)
                made.sightings[number] = [replace(seen, at_ns=seen.at_ns - origin_ns) for seen in facts.paths[number]]
        for number, event in facts.events.items():
            if number in made.tracks:
                corrected_ns = None if event.corrected_ns is None else event.corrected_ns - origin_ns
                started_ns, ended_ns = event.started_ns - origin_ns, event.ended_ns - origin_ns
                made.events[number] = replace(
                    event, started_ns=started_ns, ended_ns=ended_ns, corrected_ns=corrected_ns
                )
        made.snapshots = {number: name for number, name in facts.snapshots.items() if number in made.events}
        return made

    def take(self, result: Result | None, changes: Changes) -> None:
        """Take in what one result changed; `result` is None when the footage has ended."""
        self.samples += result is not None
        for sighting in changes.sightings:
            if result is not None:
                seen = Seen(result.at_ns, result.faces[sighting.face].box, sighting.label)
                self.sightings.setdefault(sighting.track, []).append(seen)
        for track in changes.tracks:
            self.tracks[track.number] = track
        for number in changes.closed:
            if number not in self.tracks:
                # A false alarm; there are many in a day.
                self.sightings.pop(number, None)
        for event in changes.events:
            self.events[event.track] = event

    def in_order(self) -> list[Track]:
        """Confirmed tracks by first sighting."""
        return sorted(self.tracks.values(), key=lambda track: (track.first_seen_ns, track.number))

    def track_reports(self) -> tuple[TrackReport, ...]:
        """Tracks as the report gives them, numbered by first sighting."""
        return tuple(
            TrackReport(
                id=f"t{position}",
                first_seen_s=seconds(track.first_seen_ns),
                last_seen_s=seconds(track.last_seen_ns),
                faces=track.faces,
                label=track.label,
                confidence=track.confidence,
                unknown_reason=track.unknown_reason,
                boxes=tuple((seconds(seen.at_ns), *seen.box) for seen in self.sightings[track.number]),
            )
            for position, track in enumerate(self.in_order(), 1)
        )

    def event_reports(self, folder: str) -> tuple[EventReport, ...]:
        """Events as the report gives them, numbered by their start; `folder` is that of the snapshots."""
        positions = {track.number: position for position, track in enumerate(self.in_order(), 1)}
        ordered = sorted(self.events.values(), key=lambda event: (event.started_ns, positions[event.track]))
        return tuple(
            EventReport(
                id=f"e{number}",
                track_id=f"t{positions[event.track]}",
                type=event.label,
                started_s=seconds(event.started_ns),
                ended_s=seconds(event.ended_ns),
                corrected_s=None if event.corrected_ns is None else seconds(event.corrected_ns),
                confidence=event.confidence,
                snapshot=f"{folder}/{self.snapshots[event.track]}" if event.track in self.snapshots else None,
            )
            for number, event in enumerate(ordered, 1)
        )
