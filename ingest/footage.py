"""Recorded footage by PyAV: frames sampled by timestamp, converted to pixels only when asked for."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
import av.error
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from ingest.sampling import FrameClock, SampleGrid
from storage.errors import InputError
from storage.messages import NS_PER_S

MAX_FRAME_PIXELS: Final = 64_000_000
"""Frames beyond 8K are refused: nobody's camera makes them, and a damaged header may claim any size."""

UNNAMED_COLOURS: Final = 2
"""AVCOL_SPC_UNSPECIFIED of ITU-T H.273."""

HD_HEIGHT: Final = 720
"""From this height on, footage that does not name its colour space uses BT.709, below it BT.601."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame of footage; its pixels are converted only on demand.

    Attributes:
        at_ns: time from the start of the footage.
        index: number of the frame in decoding order, from 0.
        sampled: whether it is to be analysed.
        rotation: anticlockwise turns by 90 degrees that put it upright, 0 to 3.
    """

    at_ns: int
    index: int
    sampled: bool
    rotation: int
    _decoded: VideoFrame

    def rgb(self) -> NDArray[np.uint8]:
        """The picture, upright, as C-contiguous (height, width, 3) uint8 RGB."""
        decoded = self._decoded
        # swscale takes BT.601 where the stream names none, which tints HD footage.
        unnamed = int(decoded.colorspace) == UNNAMED_COLOURS
        source = Colorspace.ITU709 if unnamed and decoded.height >= HD_HEIGHT else None
        pixels = decoded.reformat(format="rgb24", src_colorspace=source).to_ndarray()
        return np.ascontiguousarray(np.rot90(pixels, self.rotation), np.uint8)

    def luma(self) -> NDArray[np.uint8]:
        """The brightness alone, upright, as (height, width) uint8; free for the usual planar formats."""
        decoded = self._decoded
        if decoded.format.name in ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray"):
            plane = decoded.planes[0]
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
            luma: NDArray[np.uint8] = rows[:, : plane.width]
        else:
            luma = decoded.reformat(format="gray").to_ndarray().astype(np.uint8, copy=False)
        return np.rot90(luma, self.rotation)


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


class Footage:
    """A video file, opened.

    >>> with Footage(Path("clip.mp4")) as footage:  # doctest: +SKIP
    ...     for frame in footage.frames(fps=5):
    ...         if frame.sampled:
    ...             picture = frame.rgb()
    """

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        """Open a file.

        Args:
            path: any container and codec that FFmpeg reads.
            threads: decoder threads; 0 lets the decoder choose.

        Raises:
            InputError: missing, empty, not footage, without a video stream, or of impossible size.
        """
        self.path = path
        self._container = _opened(path)
        try:
            if not self._container.streams.video:
                raise InputError(f"{path} holds no video stream")
            self._stream = self._container.streams.video[0]
            if self._stream.codec_context is None:
                raise InputError(f"{path} uses a video codec that can't be decoded here")
            width, height = self._stream.codec_context.width, self._stream.codec_context.height
            if width * height > MAX_FRAME_PIXELS:
                raise InputError(f"{path} has frames of {width}x{height} pixels, more than can be handled")
            self._stream.thread_type = "AUTO"
            self._stream.codec_context.thread_count = threads
        except BaseException:
            self._container.close()
            raise
        rate = self._stream.average_rate or self._stream.guessed_rate
        duration = None
        if self._stream.duration is not None and self._stream.time_base is not None:
            duration = float(self._stream.duration * self._stream.time_base)
        elif self._container.duration is not None:
            duration = self._container.duration / av.time_base
        self.summary = FootageSummary(fps=float(rate) if rate else 0.0, stated_duration_s=duration)

    def frames(self, fps: float) -> Iterator[Frame]:
        """Decode all frames in order of presentation; those on a grid of `fps` a second are marked as sampled.

        What is damaged is skipped and named in `summary.errors`.

        Raises:
            InputError: not one frame can be decoded.
        """
        summary = self.summary
        clock, grid = FrameClock(summary.fps), SampleGrid(fps)
        frame_ns = round(NS_PER_S / summary.fps) if summary.fps > 0 else NS_PER_S // 25
        damaged = 0
        reason = "it holds no frame"
        decoding = _decoding(self._container, self._stream)
        for decoded in decoding:
            if isinstance(decoded, av.error.FFmpegError):
                damaged += 1
                reason = decoded.strerror or str(decoded)
                continue
            pts_ns = None
            if decoded.pts is not None and decoded.time_base is not None:
                pts_ns = int(decoded.pts * decoded.time_base * NS_PER_S)
            at_ns = clock.at(pts_ns)
            frame = Frame(at_ns, summary.frames_decoded, grid.takes(at_ns), _turns(decoded.rotation), decoded)
            summary.frames_decoded += 1
            summary.end_ns = at_ns + frame_ns
            yield frame
        if not summary.frames_decoded:
            raise InputError(f"no frame of {self.path} can be decoded: {reason}")
        self._conclude(damaged, clock)

    def _conclude(self, damaged: int, clock: FrameClock) -> None:
        summary = self.summary
        if damaged:
            summary.errors.append(f"{damaged} damaged {'packet was' if damaged == 1 else 'packets were'} skipped")
        if clock.repaired:
            summary.errors.append(
                f"{clock.repaired} {'frame' if clock.repaired == 1 else 'frames'} without a usable timestamp: the time was taken "
                "from the frame before"
            )
        stated = summary.stated_duration_s
        # Containers state durations to a frame or so; a second and 1 % is a loss.
        if stated is not None and not clock.jumped and summary.duration_s < stated - max(1.0, 0.01 * stated):
            summary.errors.append(
                f"the footage ends at {summary.duration_s:.3f} s of {stated:.3f} s: the rest is missing"
            )

    def close(self) -> None:
        """Release the file and the decoder."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _opened(path: Path) -> av.container.InputContainer:
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a video")
    if not path.exists():
        raise InputError(f"{path} does not exist")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty (0 bytes)")
        # The absolute path with a protocol: a name such as `http:x.mp4` or `concat:...` must stay a file. The
        # white list keeps play lists inside the file from reaching out to the network.
        return av.open(f"file:{path.resolve()}", options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except PermissionError:
        raise InputError(f"{path} can't be read: no permission") from None
    except av.error.FFmpegError as error:
        raise InputError(
            f"{path} is not a video that can be read, or was cut off before its index was written ({error.strerror})"
        ) from None
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from error


def _decoding(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream
) -> Iterator[VideoFrame | av.error.FFmpegError]:
    """Decode packet by packet; a damaged packet gives its error instead of frames, and the next one is tried."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError as error:
            # The demuxer can't go on: the file is cut off here. What is in the decoder still comes out.
            yield error
            try:
                yield from stream.decode(None)
            except av.error.FFmpegError as last:
                yield last
            return
        try:
            yield from stream.decode(packet)
        except av.error.EOFError:
            return
        except av.error.FFmpegError as error:
            yield error


def _turns(rotation: int) -> int:
    """PyAV gives the display rotation in degrees anticlockwise; cameras turn by quarters."""
    return round(rotation / 90) % 4
