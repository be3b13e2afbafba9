"""Recorded footage through all rooms in one process: decode, judge motion, look, classify, fold, report."""

import resource
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from classify.fold import FoldState, Rules, finish, fold
from detect.faces import Faces
from infra.ahead import ahead
from infra.analysis import Analyzer
from infra.recorder import Recorder
from infra.settings import Settings
from ingest.footage import Footage, FootageSummary, Frame
from ingest.motion import Motion
from storage.messages import NS_PER_S, Changes, Look, Result, nanoseconds
from storage.report import SCHEMA_VERSION, ModelInfo, Report, ReportSettings, Timing, shown
from storage.snapshots import SnapshotFolder, encode_snapshot
from storage.statistics import count

SNAPSHOTS: Final = "snapshots"
"""Name of the folder beside the report that holds the snapshots."""

DECODED_AHEAD: Final = 3
LOOKED_AHEAD: Final = 2
"""Samples that wait between two stages: enough to keep all threads busy, few enough for little memory."""

Progress = Callable[[float, float | None], None]
"""Called with the seconds of footage done and, where it is known, its length."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """The report on one video, and what it was made from."""

    report: Report
    recorder: Recorder


def analyze_footage(
    path: Path, analyzer: Analyzer, snapshots: SnapshotFolder, *, progress: Progress | None = None
) -> Analysis:
    """Analyse a video file.

    Args:
        path: the file.
        analyzer: its settings say how often to sample, how long a breach lasts, and the smallest face.
        snapshots: where the events' pictures go.
        progress: told after each sample.

    Raises:
        InputError: the file is no readable footage.
        StorageError: a snapshot can't be written.
    """
    started, started_cpu = time.perf_counter(), time.process_time()
    settings = analyzer.settings
    with Footage(path) as footage, closing(_results(footage, analyzer)) as results:
        recorder = _fold_all(results, settings, snapshots, footage.summary, progress)
        summary = footage.summary
    made = Made(settings, analyzer.model_info, analyzer.detector_name)
    return Analysis(footage_report(path, summary, recorder, made, Spent(started, started_cpu)), recorder)


@dataclass(frozen=True, slots=True)
class Made:
    """What a report was made with."""

    settings: Settings
    model: ModelInfo
    detector: str


@dataclass(frozen=True, slots=True)
class Spent:
    """Readings of `time.perf_counter` and `time.process_time` at the start, in seconds."""

    wall_s: float
    cpu_s: float


def footage_report(path: Path, summary: FootageSummary, recorder: Recorder, made: Made, spent: Spent) -> Report:
    """The report on one video, from what was recorded of it; `timing` is measured now."""
    wall_s = time.perf_counter() - spent.wall_s
    settings = made.settings
    tracks = recorder.track_reports()
    return Report(
        schema_version=SCHEMA_VERSION,
        video=shown(path.name),
        duration_s=round(summary.duration_s, 3),
        fps=round(summary.fps, 3),
        frames_decoded=summary.frames_decoded,
        frames_analyzed=recorder.samples,
        errors=tuple(summary.errors),
        model=made.model,
        settings=ReportSettings(
            fps=int(settings.fps) if settings.fps.is_integer() else settings.fps,
            dwell_s=settings.dwell_s,
            min_face_px=settings.min_face_px,
            detector=made.detector,
        ),
        tracks=tracks,
        events=recorder.event_reports(SNAPSHOTS),
        statistics=count(track.label for track in tracks),
        timing=Timing(
            wall_s=round(wall_s, 3),
            cpu_s=round(time.process_time() - spent.cpu_s, 3),
            realtime_factor=round(summary.duration_s / max(wall_s, 1e-9), 2),
            peak_memory_mib=_peak_memory_mib(),
        ),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Looked:
    """A sample after detection: its result without faces, its pixels where it was looked at, and the finds."""

    blank: Result
    rgb: NDArray[np.uint8] | None
    found: Faces


def _results(footage: Footage, analyzer: Analyzer) -> Generator[tuple[Result, NDArray[np.uint8] | None], None, None]:
    """The result of every sample in order, with its pixels where they were looked at.

    Decoding, detection and the rest overlap, each in a thread; their order is that of the samples.
    """
    sampled = (frame for frame in footage.frames(analyzer.settings.fps) if frame.sampled)
    # Closed explicitly, the last stage first: each thread must end before what it reads from is closed under it.
    with (
        closing(ahead(sampled, DECODED_AHEAD, "decode")) as frames,
        closing(ahead(_looked(frames, shown(footage.path.name), analyzer), LOOKED_AHEAD, "look")) as stage,
    ):
        for looked in stage:
            faces = () if looked.rgb is None else analyzer.classified(looked.rgb, looked.found)
            yield msgspec.structs.replace(looked.blank, faces=faces), looked.rgb


def _looked(frames: Iterator[Frame], name: str, analyzer: Analyzer) -> Iterator[_Looked]:
    motion = Motion()
    for seq, frame in enumerate(frames):
        luma = frame.luma()
        look, active = motion.judge(luma, frame.at_ns)
        height, width = luma.shape
        rgb = None if look is Look.NONE else frame.rgb()
        found = Faces.none() if rgb is None else analyzer.found_in_sample(rgb, look, active, seq)
        yield _Looked(Result(name, 0, seq, frame.at_ns, width, height, look), rgb, found)


def _fold_all(
    results: Iterable[tuple[Result, NDArray[np.uint8] | None]],
    settings: Settings,
    snapshots: SnapshotFolder,
    summary: FootageSummary,
    progress: Progress | None,
) -> Recorder:
    state = FoldState()
    rules = Rules(nanoseconds(settings.dwell_s), settings.min_face_px, nanoseconds(1.0 / settings.fps))
    recorder = Recorder()
    album = _Album(snapshots, recorder)
    for result, rgb in results:
        changes = fold(state, result, rules)
        recorder.take(result, changes)
        album.take(result, rgb, changes)
        if progress is not None:
            progress(result.at_ns / NS_PER_S, summary.stated_duration_s)
    changes = finish(state)
    recorder.take(None, changes)
    album.take(None, None, changes)
    return recorder


class _Album:
    """Keeps the best picture of every running breach: in memory until its event opens, then on disk."""

    def __init__(self, snapshots: SnapshotFolder, recorder: Recorder) -> None:
        self._snapshots = snapshots
        self._recorder = recorder
        self._waiting: dict[int, bytes] = {}
        self._made: set[str] = set()

    def take(self, result: Result | None, rgb: NDArray[np.uint8] | None, changes: Changes) -> None:
        for picture in changes.pictures:
            if result is not None and rgb is not None:
                self._waiting[picture.track] = encode_snapshot(rgb, result.faces[picture.face].box)
        kept = self._recorder.snapshots
        for event in changes.events:
            data = self._waiting.pop(event.track, None)
            if data is None:
                continue
            name, new = self._snapshots.keep(data)
            if new:
                self._made.add(name)
            before = kept.get(event.track)
            kept[event.track] = name
            # A picture that was there before may be another report's: only our own go, when no event names them.
            if before in self._made and before not in kept.values():
                self._made.discard(before)
                self._snapshots.discard(before)
        for number in changes.closed:
            self._waiting.pop(number, None)


def _peak_memory_mib() -> int:
    """Largest resident size of this process so far.

    Linux counts the size of the parent before `exec` into `ru_maxrss`; its own account of the address space does not.
    """
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
