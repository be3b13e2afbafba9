"""Pictures and videos with boxes and labels, for people to look at."""

import errno
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from infra.analysis import FaceReport
from infra.footage import Progress
from infra.recorder import Recorder
from ingest.footage import Footage
from storage.errors import InputError, StorageError
from storage.files import replaced, storage_error
from storage.messages import NS_PER_S, Box, Event
from storage.paths import Seen
from storage.words import Label

COLOURS: Final = {
    Label.WITH_MASK: (46, 160, 67),
    Label.WITHOUT_MASK: (218, 54, 51),
    Label.INCORRECT_MASK: (240, 140, 0),
    Label.UNKNOWN: (125, 133, 144),
}
"""RGB; each label is also written out, so that nobody depends on telling the colours apart."""

BRIDGED_NS: Final = NS_PER_S
"""Boxes are drawn between two sightings this close or closer; a longer gap is shown as one."""

LINGER_NS: Final = NS_PER_S // 5

TICKS: Final = 90_000
"""Of a video's clock in a second."""

PASSING: Final = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOENT,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.EPERM,
        errno.EROFS,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
"""Errors of the place that a video is written to, not of what is written: somebody can mend them."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One box to draw with its caption."""

    box: Box
    label: Label
    caption: str


def draw(rgb: NDArray[np.uint8], marks: Sequence[Mark]) -> NDArray[np.uint8]:
    """A copy of a (height, width, 3) picture with boxes and captions, sized to the picture."""
    picture = rgb.copy()
    height, width = picture.shape[:2]
    scale = max(0.4, min(height, width) / 1400.0)
    line = max(1, round(2 * scale))
    for mark in marks:
        x, y, box_width, box_height = mark.box
        colour = COLOURS[mark.label]
        cv2.rectangle(picture, (x, y), (x + box_width, y + box_height), colour, line, cv2.LINE_AA)
    # Captions last: no box may cross one out.
    for mark in marks:
        x, y, _, box_height = mark.box
        (text_width, text_height), base = cv2.getTextSize(mark.caption, cv2.FONT_HERSHEY_SIMPLEX, scale, line)
        left = max(0, min(x, width - text_width - 4))
        bottom = y - 2 if y - text_height - base - 4 >= 0 else min(height, y + box_height + text_height + base + 6)
        top = bottom - text_height - base - 4
        cv2.rectangle(picture, (left, top), (left + text_width + 4, bottom), COLOURS[mark.label], cv2.FILLED)
        cv2.putText(
            picture, mark.caption, (left + 2, bottom - base - 1), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255),
            line, cv2.LINE_AA,
        )  # fmt: skip
    return picture


def marked(rgb: NDArray[np.uint8], faces: Sequence[FaceReport]) -> NDArray[np.uint8]:
    """A copy of a picture with the boxes, labels and confidence of its faces."""
    return draw(rgb, [Mark(face.box, face.label, f"{face.label} {face.confidence:.2f}") for face in faces])


def write_picture(rgb: NDArray[np.uint8], path: Path) -> None:
    """Write a picture as JPEG, atomically.

    Raises:
        StorageError: it can't be written.
    """
    written, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
    if not written:
        raise StorageError(f"{path} can't be encoded as JPEG: its sides exceed what the format allows")
    with replaced(path) as temporary:
        temporary.write_bytes(data.tobytes())


def annotate_footage(source: Path, recorder: Recorder, path: Path, progress: Progress | None = None) -> None:
    """Write footage again, with a box around every confirmed track in every frame.

    Between samples boxes are interpolated. The caption names the track, what the person wears at that moment, and
    whether the breach is an event by then.

    Raises:
        StorageError: the video can't be written where it is to be.
        InputError: the footage can't be read, or not be encoded again.
    """
    lines = [
        _Line(f"t{position}", recorder.sightings[track.number], recorder.events.get(track.number))
        for position, track in enumerate(recorder.in_order(), 1)
    ]
    with replaced(path) as temporary, Footage(source) as footage:
        try:
            _encode(footage, lines, temporary, progress)
        except av.error.FFmpegError as error:
            if error.errno in PASSING:
                raise storage_error(path, OSError(error.errno, error.strerror)) from error
            raise InputError(
                f"{source} can't be written again with boxes and labels: {error.strerror}; analyse it without them"
            ) from error


def _encode(footage: Footage, lines: "list[_Line]", path: Path, progress: Progress | None) -> None:
    tick = -1
    rate = Fraction(footage.summary.fps or 25.0).limit_denominator(1001)
    with av.open(str(path), "w", format="mp4") as container:
        stream = None
        for frame in footage.frames(1.0):
            picture = draw(frame.rgb(), [mark for line in lines if (mark := line.at(frame.at_ns)) is not None])
            if stream is None:
                # H.264 wants even sides.
                height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
                stream = container.add_stream("libx264", rate, options={"preset": "veryfast", "crf": "23"})
                stream.width, stream.height, stream.pix_fmt = max(2, width), max(2, height), "yuv420p"
                stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
            if picture.shape[:2] != (stream.height, stream.width):
                picture = cv2.resize(picture, (stream.width, stream.height)).astype(np.uint8, copy=False)
            drawn = av.VideoFrame.from_ndarray(picture, format="rgb24")
            # Frames with the same timestamp are a nanosecond apart, and no two may have the same tick.
            tick = max(tick + 1, frame.at_ns * TICKS // NS_PER_S)
            drawn.pts, drawn.time_base = tick, Fraction(1, TICKS)
            container.mux(stream.encode(drawn))
            if progress is not None:
                progress(frame.at_ns / NS_PER_S, footage.summary.stated_duration_s)
        if stream is not None:
            container.mux(stream.encode(None))


class _Line:
    """One track through time."""

    def __init__(self, name: str, sightings: Sequence[Seen], event: Event | None) -> None:
        self._name = name
        self._sightings = sightings
        self._times = [seen.at_ns for seen in sightings]
        self._event = event

    def at(self, at_ns: int) -> Mark | None:
        """The track's box at a time, or None when it is not in view."""
        after = bisect_right(self._times, at_ns)
        if after == 0:
            return None
        before = self._sightings[after - 1]
        box = before.box
        if after < len(self._sightings) and self._times[after] - before.at_ns <= BRIDGED_NS:
            follower = self._sightings[after]
            share = (at_ns - before.at_ns) / (follower.at_ns - before.at_ns)
            x, y, width, height = (round(a + share * (b - a)) for a, b in zip(before.box, follower.box, strict=True))
            box = (x, y, width, height)
        elif at_ns - before.at_ns > LINGER_NS:
            return None
        return Mark(box, before.label, f"{self._name} {before.label}{self._event_text(at_ns)}")

    def _event_text(self, at_ns: int) -> str:
        if self._event is None or at_ns < self._event.started_ns:
            return ""
        corrected = self._event.corrected_ns
        return " EVENT corrected" if corrected is not None and at_ns >= corrected else " EVENT"
