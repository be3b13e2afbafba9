"""All that a job found, to be taken along: its tracks as CSV, and a ZIP file that is made while it is sent.

In the ZIP file the reports are beside the folder of their snapshots, so that the paths in them lead there.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from api.pictures import PICTURE_NAME
from api.times import iso
from storage.camera_cells import harmless
from storage.job_work import FileReport
from storage.jobs import Job
from storage.messages import NS_PER_S
from storage.report import EventReport, Report, TrackReport
from storage.zip_stream import entry, streamed

COLUMNS: Final = (
    "job", "file", "camera", "building", "zone", "track", "started_at", "ended_at", "started_s", "ended_s", "faces", "label",
    "confidence", "unknown_reason", "event", "event_type", "event_started_at", "event_ended_at", "event_corrected_at",
    "event_confidence",
)  # fmt: skip
"""Of the table of tracks: one on each line, with its event, if it has one."""

SNAPSHOTS: Final = "snapshots"
PIECE_BYTES: Final = 1024 * 1024


def reports_json(job: Job, found: Sequence[FileReport]) -> bytes:
    """The report of a job over one file as it is; of one over several, all of them in order."""
    if len(job.files) == 1:
        return found[0].report
    return b'{"job":%b,"reports":[%b]}' % (msgspec.json.encode(job.id), b",".join(one.report for one in found))


def tracks_csv(job: Job, found: Iterable[FileReport]) -> str:
    """The tracks of all files in order, as RFC 4180 has it; times are UTC, and those ending in `_s` of the footage."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for one in found:
        report = msgspec.json.decode(one.report, type=Report)
        start_ns = job.files[one.number].start_ns
        events = {event.track_id: event for event in report.events}
        for track in report.tracks:
            cells = (job.id, job.files[one.number].name, job.camera_id, job.building_id, job.zone_id or "")
            row = (*cells, *_of_track(track, start_ns), *_of_event(events.get(track.id), start_ns))
            writer.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in row])
    return text.getvalue()


def job_zip(job: Job, found: Sequence[FileReport], about: bytes, snapshots: Path, annotated: Path) -> Iterator[bytes]:
    """The ZIP file, piece by piece: no more than a picture or a piece of a video of it is in memory.

    Args:
        job: that is done.
        found: its reports.
        about: what is known of the job, JSON.
        snapshots: folder of the pictures.
        annotated: folder of the videos.
    """
    return streamed(lambda archive: _written(archive, job, found, about, snapshots, annotated))


def _written(
    archive: zipfile.ZipFile, job: Job, found: Sequence[FileReport], about: bytes, snapshots: Path, annotated: Path
) -> Iterator[None]:
    archive.writestr(entry("job.json"), about)
    archive.writestr(entry("tracks.csv"), tracks_csv(job, found))
    yield
    wanted: dict[str, None] = {}
    for one in found:
        archive.writestr(entry("report.json" if len(job.files) == 1 else f"report-{one.number}.json"), one.report)
        events = msgspec.json.decode(one.report, type=Report).events
        wanted |= dict.fromkeys(Path(event.snapshot).name for event in events if event.snapshot is not None)
        yield
    for name in wanted:
        # Their time may be over: a report outlives the pictures in it.
        picture = _read(snapshots / name) if PICTURE_NAME.fullmatch(name) else None
        if picture is not None:
            archive.writestr(entry(f"{SNAPSHOTS}/{name}", packed=False), picture)
            yield
    for one in found:
        if one.annotated is not None and (video := annotated / Path(one.annotated).name).is_file():
            with (
                video.open("rb") as source,
                archive.open(entry(f"video-{one.number}.mp4", packed=False), "w", force_zip64=True) as target,
            ):
                while piece := source.read(PIECE_BYTES):
                    target.write(piece)
                    yield


def _read(path: Path) -> bytes | None:
    """A picture; None where it is gone, perhaps since a moment ago."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _of_track(track: TrackReport, start_ns: int | None) -> tuple[object, ...]:
    return (
        track.id,
        _at(start_ns, track.first_seen_s),
        _at(start_ns, track.last_seen_s),
        track.first_seen_s,
        track.last_seen_s,
        track.faces,
        track.label.value,
        track.confidence,
        "" if track.unknown_reason is None else track.unknown_reason.value,
    )


def _of_event(event: EventReport | None, start_ns: int | None) -> tuple[object, ...]:
    if event is None:
        return ("",) * 6
    return (
        event.id,
        event.type.value,
        _at(start_ns, event.started_s),
        _at(start_ns, event.ended_s),
        _at(start_ns, event.corrected_s),
        event.confidence,
    )


def _at(start_ns: int | None, footage_s: float | None) -> str:
    if start_ns is None or footage_s is None:
        return ""
    # Whole milliseconds: what a report says of seconds has no more.
    return iso(start_ns + round(footage_s * 1000) * (NS_PER_S // 1000))
