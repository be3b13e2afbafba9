"""The `classify` role: finds of many samples in one batch, their results out."""

from collections.abc import Callable, Sequence
from typing import Final

from classify.classifier import FaceClassifier
from classify.faces import Finds, classify_faces
from storage.frames import FrameStore
from storage.messages import Face, Found, Result
from storage.pulse import Pulse
from storage.shift import Bench, Outcome, work_through
from storage.work import WorkQueue

BATCH: Final = 8
"""Samples taken at once; with a few faces each they fill the network's largest batch."""


def run(
    queue: WorkQueue[Found],
    frames: FrameStore,
    classifier: FaceClassifier,
    pulse: Pulse,
    rescue: Callable[[Found], Outcome | None],
) -> None:
    """Classify finds until asked to stop.

    Raises:
        BusError: Redis is gone.
    """

    def work(batch: Sequence[Found]) -> Outcome:
        return classified(batch, frames, classifier)

    work_through(queue, Bench(work, rescue, set_aside, batch=BATCH), pulse)


def classified(batch: Sequence[Found], frames: FrameStore, classifier: FaceClassifier) -> Outcome:
    """The results of some samples.

    Raises:
        FrameGoneError: the pixels of one are no longer there.
    """
    pictures = [Finds(frames.view(found.sample.frame), *found.arrays(), found.sample.min_face_px) for found in batch]
    faces = classify_faces(classifier, pictures)
    return Outcome(messages=tuple(_result(found, each) for found, each in zip(batch, faces, strict=True)))


def set_aside(found: Found, reason: str) -> Outcome:
    """The outcome of a sample that can't be classified."""
    return Outcome(messages=(_result(found, (), f"classify: {reason}"),))


def _result(found: Found, faces: tuple[Face, ...], failed: str | None = None) -> Result:
    sample = found.sample
    return Result(
        camera=sample.camera,
        epoch=sample.epoch,
        seq=sample.seq,
        at_ns=sample.at_ns,
        width=sample.frame.width,
        height=sample.frame.height,
        look=sample.look,
        faces=faces,
        failed=failed,
        frame=sample.frame,
    )
