"""The end of a job: what was seen in all chunks, in order, becomes facts, pictures and reports, in one transaction.

Whoever does this again, after a failure anywhere in it, comes to the same: files have the same names and content, and
nothing is known of any of them before the transaction.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from classify.footage import FootageFold, Hands
from infra.annotate import annotate_footage
from infra.footage import Made, Spent, footage_report
from infra.jobs.files import check_unchanged
from infra.recorder import Recorder
from infra.settings import Settings
from ingest.pieces import FootageDiffersError, Pictures, PieceSummary, footage_summary, unpack
from storage.database.batch import Batch, Kept, Key, Source, Written
from storage.database.job_pictures import JobPictures
from storage.database.rollups import Place
from storage.errors import InputError, MaskwatchError, StorageError
from storage.files import make_folder
from storage.footage_results import unpack_results
from storage.job_work import FileReport, HeldFile, HeldJob, JobCancelledError
from storage.jobs import JobOptions, Pin
from storage.messages import NS_PER_S, Begin, Result, nanoseconds
from storage.report import ModelInfo, to_json
from storage.snapshots import Picture, SnapshotFolder

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from storage.database.job_work import JobWork

EPOCH: Final = 1
"""Of every file: the attempts that there were before are nobody's business."""

STEADILY: Final = 25
"""So many results are taken in between two signs of life; whoever reads the footage gives its own."""


@dataclass(frozen=True, slots=True)
class FinishingPlace:
    """Where a job is finished.

    Attributes:
        engine: of a migrated database.
        snapshots: folder of the pictures kept with events.
        annotated: folder of the videos with boxes and labels.
        settings: of the system; what a job says itself goes before them.
        alive: called at every step, several times a second; what it raises ends the work.
    """

    engine: "Engine"
    snapshots: SnapshotFolder
    annotated: Path
    settings: Settings
    alive: Callable[[], None]


def annotated_name(job: str, number: int) -> str:
    """The name of a file's annotated video.

    >>> annotated_name("j-0123456789", 0)
    'j-0123456789-0.mp4'
    """
    return f"{job}-{number}.mp4"


def finish_job(held: HeldJob, work: "JobWork", place: FinishingPlace) -> Written:
    """Finish a job whose chunks are all done.

    What was written for it goes again where it is cancelled or turns out to be impossible; after a failure that passes it
    stays for the next attempt, and where somebody else has the job now, for that one.

    Args:
        held: the job.
        work: by which it is held.
        place: where files go.

    Returns:
        What came of it, for people to hear of.

    Raises:
        InputError: a file is not there any more, has changed, or what was seen in it can't be followed.
        StorageError: the database, or a file, can't be written.
        LeaseLostError: it is held no more.
        JobCancelledError: the job is being cancelled.
    """
    finishing = _Finishing(held, work, place)
    try:
        reports = [finishing.file(file) for file in held.files]
        place.alive()
        pictures = [kept.name for kept in finishing.batch.snapshots.values()]
        written = work.commit(held, finishing.batch, reports, time.time_ns(), pictures)
    except (InputError, JobCancelledError, FootageDiffersError) as error:
        with suppress(MaskwatchError):
            finishing.undo()
        if isinstance(error, FootageDiffersError):
            raise InputError(f"the footage is not as it was when it was looked at: {error}") from error
        raise
    with suppress(StorageError):
        # Pictures of an earlier analysis of the same footage. What stays for now, upkeep finds.
        JobPictures(place.engine, place.snapshots).sweep()
    return written


@dataclass(slots=True)
class _Finishing:
    """The files of one job, one after the other."""

    held: HeldJob
    work: "JobWork"
    place: FinishingPlace
    batch: Batch = field(init=False)
    _source: Source = field(init=False)
    _begin: Begin = field(init=False)
    _pictures: JobPictures = field(init=False)
    _spent: Spent = field(init=False)
    _last_number: int = 0

    def __post_init__(self) -> None:
        held, options = self.held, self.held.options
        at = Place(held.camera_id, held.building_id, held.zone_id, held.counts)
        self._source = Source(at, held.id, options.hours, options.timezone)
        self.batch = Batch(sources={held.id: self._source})
        self._begin = _begin(held.id, options)
        self._pictures = JobPictures(self.place.engine, self.place.snapshots)
        started_ns = self._pictures.started_at_ns(held.id)
        since_s = 0.0 if started_ns is None else max(0.0, (time.time_ns() - started_ns) / NS_PER_S)
        self._spent = Spent(time.perf_counter() - since_s, time.process_time())

    def file(self, file: HeldFile) -> FileReport:
        """Take in a file."""
        if file.start_ns is None or self.held.model is None:
            raise StorageError(f"job {self.held.id} is not planned yet: it can't be finished")
        check_unchanged(file)
        path, options = Path(file.path), self.held.options
        plan = unpack(self.work.plan(self.held.id, file.number))
        recorder, read = Recorder(), list[PieceSummary]()
        with Pictures(path, plan, options.fps, alive=self.place.alive) as pictures:

            def keep(made: Mapping[Key, Picture]) -> None:
                self._keep(made, recorder)

            hands = Hands(pictures.at, keep, recorder.take)
            fold = FootageFold(self._begin, file.start_ns, self.batch, hands, last_number=self._last_number)
            for packed in self.work.results(self.held.id, file.number):
                self.place.alive()
                chunk = unpack_results(packed)
                read.append(PieceSummary(chunk.frames, chunk.end_ns, chunk.errors))
                fold.take(self._steadily(chunk.results(self.held.id, EPOCH)))
            fold.end()
        self._last_number = fold.last_number
        self._leave_out(recorder)
        summary = footage_summary(plan, read)
        summary.errors += fold.set_aside
        report = footage_report(Path(file.name), summary, recorder, self._made(self.held.model), self._spent)
        annotated = self._annotate(path, file, recorder) if options.annotate else None
        check_unchanged(file)
        return FileReport(file.number, to_json(report).encode(), report.errors, annotated)

    def _steadily(self, results: Iterable[Result]) -> Iterator[Result]:
        """The results, with signs of life."""
        for number, result in enumerate(results):
            if number % STEADILY == 0:
                self.place.alive()
            yield result

    def undo(self) -> None:
        """Remove what was written, unless somebody else has the job now, who needs it."""
        with suppress(JobCancelledError):
            self.work.renew(self.held, time.time_ns())
        for file in self.held.files:
            with suppress(OSError):
                (self.place.annotated / annotated_name(self.held.id, file.number)).unlink(missing_ok=True)
        self._pictures.discard(self.held.id)

    def _keep(self, made: Mapping[Key, Picture], recorder: Recorder) -> None:
        """Write pictures of events, once they are announced; outside the hours there are none."""
        tracks, snapshots = self.batch.tracks, self.place.snapshots
        made = {key: picture for key, picture in made.items() if self._source.counts_at(tracks[key].first_seen_ns)}
        if not made:
            return
        names = {key: snapshots.name(picture.jpeg) for key, picture in made.items()}
        self.work.announce(self.held, sorted(set(names.values())), time.time_ns())
        for key, picture in made.items():
            snapshots.keep(picture.jpeg)
            self.batch.snapshots[key] = Kept(names[key], len(picture.jpeg), picture.box, picture.at_ns)
            recorder.snapshots[key[1]] = names[key]

    def _leave_out(self, recorder: Recorder) -> None:
        """Outside the hours nothing is a breach."""
        for number in list(recorder.events):
            if not self._source.counts_at(self.batch.tracks[self.held.id, number].first_seen_ns):
                del recorder.events[number]

    def _annotate(self, path: Path, file: HeldFile, recorder: Recorder) -> str:
        name = annotated_name(self.held.id, file.number)
        folder = make_folder(self.place.annotated, 0o700)
        annotate_footage(path, recorder, folder / name, lambda *_: self.place.alive())
        return name

    def _made(self, model: Pin) -> Made:
        options = self.held.options
        said = {"fps": options.fps, "dwell_s": options.dwell_s, "min_face_px": options.min_face_px}
        settings = self.place.settings.model_copy(update=said)
        return Made(settings, ModelInfo(model.name, model.sha256, model.backend), model.detector)


def _begin(key: str, options: JobOptions) -> Begin:
    """What a job's files are judged by."""
    return Begin(
        camera=key,
        epoch=EPOCH,
        at_ns=0,
        live=False,
        dwell_ns=nanoseconds(options.dwell_s),
        min_face_px=options.min_face_px,
        sample_ns=nanoseconds(1.0 / options.fps),
        labels=options.labels,
        detection=options.detection,
        confidence=options.confidence,
    )
