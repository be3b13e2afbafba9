"""One decoded frame of footage or of a live camera, converted to pixels only when asked for."""

from dataclasses import dataclass
from typing import Final, Self

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation
from numpy.typing import NDArray

from storage.errors import InputError
from storage.messages import NS_PER_S

MAX_FRAME_PIXELS: Final = 64_000_000
"""Frames beyond 8K are refused: nobody's camera makes them, and a damaged header may claim any size."""

MAX_LIVE_PIXELS: Final = 36_000_000
"""Of a live camera 8K is the most: 8192x4320, which level 6.2 of H.264 and H.265 ends with."""

UNNAMED_COLOURS: Final = 2
"""AVCOL_SPC_UNSPECIFIED of ITU-T H.273."""

HD_HEIGHT: Final = 720
"""From this height on, footage that does not name its colour space uses BT.709, below it BT.601."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """One frame of an idle camera, which was not decoded; it is told of when it comes, and again when it is a sample.

    Attributes:
        at_ns: capture time since the epoch.
        sampled: nothing moves in it: a sample without a picture.
    """

    at_ns: int
    sampled: bool


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame; its pixels are converted only on demand.

    Attributes:
        at_ns: time from the start of the footage; of a live camera, capture time since the epoch.
        index: number of the frame in decoding order, from 0.
        sampled: whether it is to be analysed.
        rotation: anticlockwise turns by 90 degrees that put it upright, 0 to 3.
        kept: it had come earlier, and was decoded only now: see `ingest.idling`.
    """

    at_ns: int
    index: int
    sampled: bool
    rotation: int
    _decoded: VideoFrame
    kept: bool = False

    @classmethod
    def of(cls, decoded: VideoFrame, at_ns: int, index: int, *, sampled: bool, kept: bool = False) -> Self:
        """A decoded frame with its time; upright by the display rotation that the stream states."""
        # PyAV gives degrees anticlockwise; cameras turn by quarters.
        return cls(at_ns, index, sampled, round(decoded.rotation / 90) % 4, decoded, kept)

    def rgb(self) -> NDArray[np.uint8]:
        """The picture, upright, as C-contiguous (height, width, 3) uint8 RGB."""
        decoded = self._decoded
        # swscale takes BT.601 where the stream names none, which tints HD footage.
        unnamed = int(decoded.colorspace) == UNNAMED_COLOURS
        source = Colorspace.ITU709 if unnamed and decoded.height >= HD_HEIGHT else None
        pixels = decoded.reformat(format="rgb24", src_colorspace=source).to_ndarray()
        return np.ascontiguousarray(np.rot90(pixels, self.rotation), np.uint8)

    def small(self, width: int) -> NDArray[np.uint8]:
        """The picture, upright, at most so many pixels wide, as C-contiguous (height, width, 3) uint8 RGB.

        Reduced while it is converted: of a 1080p frame in about 2 ms.
        """
        decoded, turned = self._decoded, self.rotation % 2 == 1
        across = decoded.height if turned else decoded.width
        share = min(1.0, width / across)
        unnamed = int(decoded.colorspace) == UNNAMED_COLOURS
        source = Colorspace.ITU709 if unnamed and decoded.height >= HD_HEIGHT else None
        pixels = decoded.reformat(
            max(1, round(decoded.width * share)),
            max(1, round(decoded.height * share)),
            format="rgb24",
            src_colorspace=source,
            interpolation=Interpolation.AREA,
        ).to_ndarray()
        return np.ascontiguousarray(np.rot90(pixels, self.rotation), np.uint8)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright picture in pixels."""
        width, height = self._decoded.width, self._decoded.height
        return (height, width) if self.rotation % 2 else (width, height)

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


def video_stream(
    container: av.container.InputContainer, name: str, threads: int, max_pixels: int = MAX_FRAME_PIXELS
) -> av.video.stream.VideoStream:
    """The first video stream of a container, ready to be decoded.

    Args:
        container: just opened.
        name: what it is called in messages.
        threads: decoder threads; 0 lets the decoder choose.
        max_pixels: largest frame.

    Raises:
        InputError: there is none, or it can't be decoded.
    """
    if not container.streams.video:
        raise InputError(f"{name} holds no video stream")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise InputError(f"{name} uses a video codec that can't be decoded here")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > max_pixels:
        raise InputError(f"{name} has frames of {width}x{height} pixels, more than can be handled")
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = threads
    return stream


def pts_ns(decoded: VideoFrame) -> int | None:
    """Presentation timestamp of a decoded frame, or None where it has none."""
    if decoded.pts is None or decoded.time_base is None:
        return None
    return int(decoded.pts * decoded.time_base * NS_PER_S)
