"""Cuts recorded footage into pieces at keyframes, without decoding it."""

from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from ingest.footage import FootageSummary, frame_ns, opened, stated, what_is_wrong
from ingest.frame import video_stream
from ingest.motion import HOLD_NS
from ingest.piece_plan import FootagePlan, Piece, packed, stamped
from ingest.sampling import FrameClock, SampleGrid
from ingest.survey import ASKED_EVERY, OneGoError, PlanningStoppedError, Survey, check_decodes, survey
from storage.messages import NS_PER_S

ENTRY_NS: Final = NS_PER_S // 2
"""Of places to begin with that are closer together, one is remembered."""

LONGEST_S: Final = 366 * 24 * 3600.0
"""A file that states that it is longer is not believed."""


def plan_footage(path: Path, fps: float, chunk_s: float, stop: Callable[[], bool]) -> FootagePlan:
    """Cut a video file into pieces of at least `chunk_s` seconds, but for the last.

    Where it can't be read in pieces exactly as in one go, the plan has one piece and says why: see `FootagePlan.whole`.

    Args:
        path: the file.
        fps: samples a second.
        chunk_s: least length of a piece in seconds.
        stop: asked now and then whether the plan is still wanted: True ends the work.

    Raises:
        InputError: the file is no footage that can be decoded.
        PlanningStoppedError: `stop` said so.
    """
    with closing(opened(path)) as container:
        check_decodes(container, video_stream(container, str(path), 1), path, stop)
    with closing(opened(path)) as container:
        stream = video_stream(container, str(path), 1)
        summary = stated(container, stream)
        base = stream.time_base
        try:
            if base is None:
                raise OneGoError("some of its frames have no timestamp")
            found = survey(container, stream, stop)
            return _Cutter(summary, found, base, fps, chunk_s).plan(stop)
        except OneGoError as reason:
            return _whole(summary, fps, str(reason))


def whole_plan(path: Path, fps: float, reason: str) -> FootagePlan:
    """A plan to read a video file in one go.

    Args:
        path: the file.
        fps: samples a second.
        reason: why, as a sentence without its full stop.

    Raises:
        InputError: as `ingest.footage.Footage`.
    """
    with closing(opened(path)) as container:
        summary = stated(container, video_stream(container, str(path), 1))
    return _whole(summary, fps, reason)


def _whole(summary: FootageSummary, fps: float, reason: str) -> FootagePlan:
    length_s = min(max(0.0, summary.stated_duration_s or 0.0), LONGEST_S)
    # It is not known before it is read; a piece has some length all the same.
    duration_ns = max(1, round(length_s * NS_PER_S))
    frames, samples = round(length_s * summary.fps), round(length_s * min(fps, summary.fps or fps))
    piece = Piece(0, 0, duration_ns, frames=frames, samples=samples)
    return FootagePlan(summary.fps, duration_ns, summary.stated_duration_s, frames, samples, 0, (piece,), whole=reason)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A place to begin, and how clock and grid stand there: see `Piece`."""

    pts: int | None
    at_ns: int
    before_ns: int | None
    index: int
    seq: int


class _Cutter:
    """Goes through the frames in order of time."""

    def __init__(self, summary: FootageSummary, found: Survey, base: Fraction, fps: float, chunk_s: float) -> None:
        self._summary, self._found, self._base = summary, found, base
        self._clock, self._grid = FrameClock(summary.fps), SampleGrid(fps)
        self._chunk_ns = round(chunk_s * NS_PER_S)
        self._pieces: list[Piece] = []
        self._kept: list[int] = []
        # What motion may still need: the last sample that is old enough, and the places to begin before it.
        self._samples: deque[int] = deque()
        self._entries: deque[_Entry] = deque()

    def plan(self, stop: Callable[[], bool]) -> FootagePlan:
        entries = iter(self._found.entries)
        entry, before_ns, seq, index, at_ns = next(entries, None), None, 0, 0, 0
        for index, pts in enumerate(self._found.stamps):
            if index % (16 * ASKED_EVERY) == 0 and stop():
                raise PlanningStoppedError("the plan is no longer wanted")
            at_ns = self._clock.at(int(pts * self._base * NS_PER_S))
            if self._clock.repaired:
                raise OneGoError("its timestamps jump, or stand still")
            if index == 0:
                # Decoding begins at the start, whatever comes before the first frame that is shown.
                self._entries.append(_Entry(None, at_ns, None, 0, 0))
                self._pieces.append(Piece(0, 0, 0))
            if pts == entry:
                entry = next(entries, None)
                self._may_begin(_Entry(pts, at_ns, before_ns, index, seq))
            sampled = self._grid.takes(at_ns)
            if sampled:
                self._samples.append(at_ns)
                seq += 1
            self._count(at_ns, sampled=sampled)
            before_ns = at_ns
        return self._done(index + 1, seq, at_ns)

    def _may_begin(self, entry: _Entry) -> None:
        if entry.pts is None or entry.at_ns - self._entries[-1].at_ns < ENTRY_NS:
            return
        self._kept.append(entry.pts)
        self._entries.append(entry)
        old_ns = entry.at_ns - HOLD_NS
        while len(self._samples) > 1 and self._samples[1] <= old_ns:
            self._samples.popleft()
        while len(self._entries) > 1 and self._samples and self._entries[1].at_ns <= min(self._samples[0], old_ns):
            self._entries.popleft()
        if entry.at_ns - self._pieces[-1].start_ns >= self._chunk_ns:
            self._pieces[-1] = replace(self._pieces[-1], end_ns=entry.at_ns)
            self._pieces.append(self._begun(entry.at_ns))

    def _begun(self, start_ns: int) -> Piece:
        number, first = len(self._pieces), self._entries[0]
        if first.pts is None or self._samples[0] > start_ns - HOLD_NS:
            return Piece(number, start_ns, start_ns)
        return Piece(number, start_ns, start_ns, first.pts, first.before_ns, first.index, first.seq)

    def _count(self, at_ns: int, *, sampled: bool) -> None:
        piece = self._pieces[-1]
        self._pieces[-1] = replace(
            piece,
            frames=piece.frames + 1,
            samples=piece.samples + sampled,
            stamps=stamped(piece.stamps, at_ns),
        )

    def _done(self, frames: int, samples: int, last_ns: int) -> FootagePlan:
        summary = self._summary
        end_ns = last_ns + frame_ns(summary.fps)
        if len(self._pieces) == 1 and end_ns >= 2 * self._chunk_ns:
            raise OneGoError("there is no keyframe on the way that decoding can begin with")
        self._pieces[-1] = replace(self._pieces[-1], end_ns=end_ns)
        shown = FootageSummary(summary.fps, summary.stated_duration_s, frames, end_ns)
        return FootagePlan(
            fps=summary.fps,
            duration_ns=end_ns,
            stated_duration_s=summary.stated_duration_s,
            frames=frames,
            samples=samples,
            origin_ns=int(self._found.stamps[0] * self._base * NS_PER_S),
            pieces=tuple(self._pieces),
            errors=tuple(what_is_wrong(shown, 0, self._clock)),
            entries=packed(self._kept),
        )
