"""The annotated video while it is made: H.264 in MP4, in a thread of its own; whole or not there."""

import queue
import threading
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import av.error
import numpy as np
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from infra.live.picture import boxed
from ingest.frame import HD_HEIGHT
from storage.errors import InputError, MaskwatchError, StorageError
from storage.files import replaced, storage_error
from storage.messages import NS_PER_S

TICKS_PER_S: Final = 90_000
WAITING: Final = 4
"""Pictures that may wait to be encoded; beyond, the new one is left out: the analysis waits for nobody."""

KEYFRAME_S: Final = 2
EMPTY_S: Final = 0.1
CLOSING_S: Final = 10.0
"""The file is to be whole by then: there is little left to encode, but a disk may hang."""


class _NothingError(Exception):
    """Not one picture came, or it was given up: no file is made."""


class Tape:
    """Records pictures at the times they were captured."""

    def __init__(self, path: Path, fps: float) -> None:
        """Begin.

        Args:
            path: the file, replaced at the end.
            fps: pictures a second, about.
        """
        self.path = path
        self.error: MaskwatchError | None = None
        """Why there will be no file, or None."""
        self.left_out = 0
        """Pictures for which the encoder had no time."""
        self.pictures = 0
        """That were recorded."""
        self._fps = fps
        self._waiting: queue.Queue[tuple[NDArray[np.uint8], int] | None] = queue.Queue(WAITING)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tape", daemon=True)
        self._thread.start()

    def add(self, picture: NDArray[np.uint8], at_ns: int) -> None:
        """Record a (height, width, 3) RGB picture of a time in ns, on any clock; never waits."""
        try:
            self._waiting.put_nowait((picture, at_ns))
        except queue.Full:
            self.left_out += 1

    def close(self) -> None:
        """Finish the file, within `CLOSING_S`; what is not whole by then is given up."""
        self._closing.set()
        self._thread.join(CLOSING_S)
        if self._thread.is_alive():
            self.error = StorageError(
                f"cannot write {self.path}: the video was not finished within {CLOSING_S:g} s; see that its disk works"
            )

    def _run(self) -> None:
        try:
            with replaced(self.path) as temporary:
                try:
                    self._encode(temporary)
                except av.error.FFmpegError as error:
                    raise storage_error(self.path, OSError(error.errno, error.strerror)) from error
                # What was said to be missing does not turn up later.
                if self.error is not None or not self.pictures:
                    raise _NothingError
        except _NothingError:
            return
        except MaskwatchError as error:
            self.error = self.error or error
        except Exception as error:  # noqa: BLE001 whatever a library raises: there is no file, and that is said
            self.error = InputError(f"the video {self.path} could not be recorded ({type(error).__name__}: {error})")

    def _encode(self, path: Path) -> None:
        with av.open(str(path), "w", format="mp4") as container:
            stream: VideoStream | None = None
            began_ns, last = 0, -1
            while (item := self._next()) is not None:
                picture, at_ns = item
                if stream is None:
                    began_ns = at_ns
                    stream = self._stream(container, picture)
                # Times only grow, whatever the camera's clock does.
                last = max(last + 1, (at_ns - began_ns) * TICKS_PER_S // NS_PER_S)
                container.mux(stream.encode(_frame(picture, stream, last)))
                self.pictures += 1
            if stream is not None:
                container.mux(stream.encode(None))

    def _next(self) -> tuple[NDArray[np.uint8], int] | None:
        while True:
            with suppress(queue.Empty):
                return self._waiting.get(timeout=EMPTY_S)
            if self._closing.is_set():
                return None

    def _stream(self, container: av.container.OutputContainer, picture: NDArray[np.uint8]) -> VideoStream:
        # Without looking ahead little is left to do at the end, whenever that comes.
        options = {"preset": "veryfast", "crf": "23", "tune": "zerolatency"}
        rate = Fraction(self._fps).limit_denominator(1000)
        stream = container.add_stream("libx264", rate, options=options)
        # H.264 wants even sides.
        stream.width, stream.height = max(2, picture.shape[1] // 2 * 2), max(2, picture.shape[0] // 2 * 2)
        stream.pix_fmt, stream.gop_size = "yuv420p", max(1, round(KEYFRAME_S * self._fps))
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
        return stream


def _frame(picture: NDArray[np.uint8], stream: VideoStream, ticks: int) -> av.VideoFrame:
    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(boxed(picture, stream.height, stream.width)), format="rgb24")
    # What players take for granted where a file does not say.
    space = Colorspace.ITU709 if stream.height >= HD_HEIGHT else Colorspace.ITU601
    made = rgb.reformat(format="yuv420p", dst_colorspace=space)
    made.pts, made.time_base = ticks, Fraction(1, TICKS_PER_S)
    return made
