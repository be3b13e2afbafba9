"""Recorded footage by PyAV: frames with their time, sampled by timestamp."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import av.error
from av.video.frame import VideoFrame

from ingest.containers import RECORDED, allowing
from ingest.file_bytes import FileBytes
from ingest.frame import Frame, pts_ns, video_stream
from ingest.packets import decoding_of
from ingest.sampling import FrameClock, SampleGrid
from storage.closing import Closing
from storage.errors import InputError
from storage.messages import NS_PER_S
from storage.progress import Progress, unwatched

__all__ = ["Footage", "FootageSummary", "Frame"]

ALIVE_EVERY: Final = 10
"""Frames between two calls of `alive`: of the largest they take a second."""

SEARCH_MARGIN_NS: Final = 10 * NS_PER_S
"""Keyframes are rarely further apart than this."""


@dataclass(slots=True)
class FootageSummary:
    """What reading the footage showed; complete once all frames were read."""

    fps: float
    stated_duration_s: float | None
    frames_decoded: int = 0
    end_ns: int = 0
    errors: list[str] = field(default_factory=list)

    @property
    def duration_s(self) -> float:
        """From the start of the first frame to the end of the last."""
        return self.end_ns / NS_PER_S


class Footage(Closing):
    """A video file, opened.

    >>> with Footage(Path("clip.mp4")) as footage:  # doctest: +SKIP
    ...     for frame in footage.frames(fps=5):
    ...         if frame.sampled:
    ...             picture = frame.rgb()
    """

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        """Open a file.

        Args:
            path: a container of `ingest.containers.RECORDED`, any codec that FFmpeg reads.
            threads: decoder threads; 0 lets the decoder choose.

        Raises:
            InputError: missing, empty, not footage, without a video stream, or of impossible size.
            StorageError: it can't be read for now; reading on may raise it, too.
        """
        self.path = path
        self._threads = threads
        self._container = opened(path)
        try:
            self._stream = video_stream(self._container, str(path), threads)
        except BaseException:
            self._container.close()
            raise
        self.summary = stated(self._container, self._stream)

    @property
    def codec(self) -> str:
        """By which it is compressed, e.g. `h264`."""
        return self._stream.codec_context.name

    def frames(self, fps: float, *, start_ns: int = 0, alive: Progress = unwatched) -> Iterator[Frame]:
        """Decode all frames in order of presentation; those on a grid of `fps` a second are marked as sampled.

        What is damaged is skipped and named in `summary.errors`.

        Args:
            fps: samples a second.
            start_ns: go on from the last keyframe before this time, with the times and samples of the whole footage;
                from the start where the container can't be searched.
            alive: called every few frames; what it raises ends the work.

        Raises:
            InputError: not one frame can be decoded.
        """
        summary = self.summary
        origin_ns = self._entered(start_ns) if start_ns > 0 else None
        clock, grid = FrameClock(summary.fps, origin_ns=origin_ns), SampleGrid(fps)
        lasts_ns = frame_ns(summary.fps)
        damaged = 0
        reason = "it holds no frame"
        decoding = decoding_of(self._container, self._stream)
        for number, decoded in enumerate(decoding):
            if number % ALIVE_EVERY == 0:
                alive()
            if isinstance(decoded, av.error.FFmpegError):
                damaged += 1
                reason = decoded.strerror or str(decoded)
                continue
            at_ns = clock.at(pts_ns(decoded))
            frame = Frame.of(decoded, at_ns, summary.frames_decoded, sampled=grid.takes(at_ns))
            summary.frames_decoded += 1
            summary.end_ns = at_ns + lasts_ns
            yield frame
        if not summary.frames_decoded:
            if origin_ns is not None:
                # Nothing comes after the place that was searched for.
                self._reopen()
                yield from self.frames(fps, alive=alive)
                return
            raise InputError(f"no frame of {self.path} can be decoded: {reason}")
        self.summary.errors += what_is_wrong(summary, damaged, clock)

    def _entered(self, start_ns: int) -> int | None:
        """Go to the last keyframe before a time; gives the timestamp of the first frame, None when still at the start."""
        origin_ns = self._next_pts_ns()
        base = self._stream.time_base
        if origin_ns is not None and base is not None:
            # Containers without an index lead to any frame, and decoding begins with the keyframe after that.
            for margin_ns in (0, SEARCH_MARGIN_NS):
                target_ns = origin_ns + max(0, start_ns - margin_ns)
                with suppress(av.error.FFmpegError):
                    self._container.seek(int(Fraction(target_ns, NS_PER_S) / base), stream=self._stream)
                    found_ns = self._next_pts_ns()
                    if found_ns is not None and found_ns <= origin_ns + start_ns:
                        self._container.seek(int(Fraction(target_ns, NS_PER_S) / base), stream=self._stream)
                        return origin_ns
        self._reopen()
        return None

    def _next_pts_ns(self) -> int | None:
        decoding = decoding_of(self._container, self._stream)
        return next((pts_ns(frame) for frame in decoding if isinstance(frame, VideoFrame)), None)

    def _reopen(self) -> None:
        self._container.close()
        self._container = opened(self.path)
        self._stream = video_stream(self._container, str(self.path), self._threads)

    def close(self) -> None:
        """Release the file and the decoder."""
        self._container.close()


def frame_ns(fps: float) -> int:
    """How long a frame lasts, in ns, at so many a second; 0: not known."""
    return round(NS_PER_S / fps) if fps > 0 else NS_PER_S // 25


def stated(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> FootageSummary:
    """What a container says of a stream before any of it is read."""
    rate = stream.average_rate or stream.guessed_rate
    duration = None
    if stream.duration is not None and stream.time_base is not None:
        duration = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        duration = container.duration / av.time_base
    return FootageSummary(fps=float(rate) if rate else 0.0, stated_duration_s=duration)


def what_is_wrong(summary: FootageSummary, damaged: int, clock: FrameClock) -> list[str]:
    """What is to be said of footage that was read to its end.

    Args:
        summary: complete but for its errors.
        damaged: packets that could not be decoded.
        clock: that gave the frames their times.
    """
    errors = []
    if damaged:
        errors.append(f"{damaged} damaged {'packet was' if damaged == 1 else 'packets were'} skipped")
    if clock.repaired:
        errors.append(
            f"{clock.repaired} {'frame' if clock.repaired == 1 else 'frames'} without a usable timestamp: the time was taken "
            "from the frame before"
        )
    length_s = summary.stated_duration_s
    # Containers state durations to a frame or so; a second and 1 % is a loss.
    if length_s is not None and not clock.jumped and summary.duration_s < length_s - max(1.0, 0.01 * length_s):
        errors.append(f"the footage ends at {summary.duration_s:.3f} s of {length_s:.3f} s: the rest is missing")
    return errors


def opened(path: Path) -> av.container.InputContainer:
    """The container, open; it reaches nothing but this file.

    A disk or share that fails, now or while the container is read, raises StorageError: see `ingest.file_bytes`.

    Raises:
        InputError: missing, empty, or not footage.
        StorageError: it can't be read for now.
    """
    # The white lists keep what is inside the file from reaching out to the network, or to other files.
    options = allowing(RECORDED, "file")
    try:
        return av.open(FileBytes(path), "r", options=options, metadata_errors="replace")
    except av.error.FFmpegError as error:
        raise InputError(
            f"{path} is not a video that can be read, or was cut off before its index was written ({error.strerror})"
        ) from None
