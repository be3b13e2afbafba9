"""Reads one piece of recorded footage as if all before it had been read too."""

from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

from ingest.entered import Entered
from ingest.footage import Footage, frame_ns
from ingest.frame import Frame
from ingest.motion import HOLD_NS
from ingest.piece_plan import EMPTY, FootagePlan, Piece, PieceSummary, stamped
from ingest.sampling import SampleGrid
from storage.closing import Closing
from storage.progress import Progress, unwatched


class PieceReader(Closing):
    """A piece, opened.

    >>> with PieceReader(path, plan, plan.pieces[2], 5.0) as reader:  # doctest: +SKIP
    ...     for seq, frame, own in reader:
    ...         look, active = motion.judge(frame.luma(), frame.at_ns)
    """

    def __init__(
        self,
        path: Path,
        plan: FootagePlan,
        piece: Piece,
        fps: float,
        *,
        threads: int = 1,
        alive: Progress = unwatched,
    ) -> None:
        """Open a file.

        Args:
            path: the file.
            plan: of all of it.
            piece: of the plan; of a plan that is `whole`, the only one.
            fps: samples a second, as it was planned for.
            threads: decoder threads. With one, the decoder notices all damage that it can, and makes the same of it each
                time; with more, what it makes of damage depends on which of them was faster.
            alive: called every few frames, also between samples; what it raises ends the work.

        Raises:
            InputError: as `ingest.footage.Footage`.
        """
        self.at_ns = piece.start_ns
        """How far it is read."""
        self._plan, self._piece, self._fps, self._alive = plan, piece, fps, alive
        self._frames, self._end_ns = 0, piece.start_ns
        self._errors: tuple[str, ...] = ()
        self._footage: Footage | None = None
        self._entered: Entered | None = None
        if plan.whole is not None:
            self._footage = Footage(path, threads=threads)
        else:
            self._entered = Entered(path, threads, alive)

    def __iter__(self) -> Iterator[tuple[int, Frame, bool]]:
        """The samples in order, once: number among all of the footage, frame, and whether it is the piece's own.

        Those that are not its own come first, for motion to be judged by.

        Raises:
            FootageDiffersError: the footage, cut up, is not as planned; nothing that was read of the piece counts.
            InputError: not one frame of the footage, read in one go, can be decoded.
        """
        if self._footage is not None:
            return self._all(self._footage)
        assert self._entered is not None  # noqa: S101 for the type checker
        return self._own(self._entered)

    def summary(self) -> PieceSummary:
        """What was read, once all of it was."""
        return PieceSummary(self._frames, self._end_ns, self._errors)

    def _all(self, footage: Footage) -> Iterator[tuple[int, Frame, bool]]:
        seq = 0
        for frame in footage.frames(self._fps, alive=self._alive):
            self.at_ns = frame.at_ns
            if frame.sampled:
                yield seq, frame, True
                seq += 1
        read = footage.summary
        self._frames, self._end_ns, self._errors = read.frames_decoded, read.end_ns, tuple(read.errors)

    def _own(self, entered: Entered) -> Iterator[tuple[int, Frame, bool]]:
        piece, samples, stamps = self._piece, 0, EMPTY
        before: tuple[int, Frame, bool] | None = None
        with closing(self._sampled(entered)) as numbered:
            for seq, frame in numbered:
                if frame.at_ns < piece.start_ns:
                    if frame.sampled and frame.at_ns <= piece.start_ns - HOLD_NS:
                        # Motion needs no more than the last of these.
                        before = seq, frame, False
                    elif frame.sampled:
                        if before is not None:
                            yield before
                            before = None
                        yield seq, frame, False
                    continue
                if not self._frames:
                    self._check_start(entered, frame.index, seq)
                    if before is not None:
                        yield before
                self._frames += 1
                stamps = stamped(stamps, frame.at_ns)
                self.at_ns = frame.at_ns
                if frame.sampled:
                    samples += 1
                    yield seq, frame, True
        if (self._frames, samples, stamps) != (piece.frames, piece.samples, piece.stamps):
            raise entered.differs(
                f"from {piece.start_ns / 1e9:.3f} to {piece.end_ns / 1e9:.3f} s, {piece.frames} frames were to come, "
                f"and {self._frames} did, or at other times"
            )
        self._end_ns = self.at_ns + frame_ns(self._plan.fps)

    def _sampled(self, entered: Entered) -> Generator[tuple[int, Frame], None, None]:
        """All frames before the piece's end, with the number that each has if it is a sample."""
        piece, grid = self._piece, SampleGrid(self._fps)
        last_ns = -1
        if piece.before_ns is not None:
            # The frame before leaves the grid as all frames before do.
            grid.takes(piece.before_ns)
            last_ns = piece.before_ns
        seq = piece.seq
        with closing(entered.frames(piece.enter_pts)) as frames:
            for index, (stamp_ns, decoded) in enumerate(frames, piece.index):
                at_ns = stamp_ns - self._plan.origin_ns
                if at_ns <= last_ns:
                    raise entered.differs(f"at {last_ns / 1e9:.3f} s, frames come out of order")
                if at_ns >= piece.end_ns:
                    if piece.number == len(self._plan.pieces) - 1:
                        raise entered.differs(f"it goes on after {piece.end_ns / 1e9:.3f} s")
                    return
                last_ns = at_ns
                sampled = grid.takes(at_ns)
                yield seq, Frame.of(decoded, at_ns, index, sampled=sampled)
                seq += sampled

    def _check_start(self, entered: Entered, index: int, seq: int) -> None:
        earlier = self._plan.pieces[: self._piece.number]
        if (index, seq) != (sum(one.frames for one in earlier), sum(one.samples for one in earlier)):
            raise entered.differs(f"before {self._piece.start_ns / 1e9:.3f} s, frames are missing, or too many")

    def close(self) -> None:
        """Release the file and the decoder."""
        for one in (self._footage, self._entered):
            if one is not None:
                one.close()
