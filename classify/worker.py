"""The `classify` role: finds of many samples in one batch, their results out."""

from collections.abc import Callable, Sequence

from classify.classifier import FaceClassifier
from classify.faces import Finds, classify_faces
from classify.fair import FairPlan
from storage.bench import Bench, Outcome
from storage.frame_access import Frames
from storage.jobs import FOOTAGE
from storage.messages import Face, Found, Result, classified_by
from storage.pulse import Pulse
from storage.shift import work_through
from storage.work import WorkQueue


def run(
    queue: WorkQueue[Found],
    frames: Frames,
    classifier: FaceClassifier,
    pulse: Pulse,
    rescue: Callable[[Found], Outcome | None],
    plan: FairPlan,
) -> None:
    """Classify finds until asked to stop.

    Args:
        queue: of finds.
        frames: with their pixels.
        classifier: of the faces.
        pulse: asks to stop.
        rescue: see `Bench`.
        plan: which finds come next.

    Raises:
        BusError: Redis is gone.
    """

    def work(batch: Sequence[Found]) -> Outcome:
        return classified(batch, frames, classifier)

    bench = Bench(
        work,
        rescue,
        set_aside,
        plan.hold,
        sees=lambda found: frames.sees(found.sample.frame),
        gone=lambda found: frames.gone(found.sample.frame),
        plan=plan,
    )
    work_through(queue, bench, pulse)


def classified(batch: Sequence[Found], frames: Frames, classifier: FaceClassifier) -> Outcome:
    """The results of some samples.

    Raises:
        FrameGoneError: the pixels of one are no longer there.
    """
    pictures = [Finds(frames.view(found.sample.frame), *found.arrays(), found.sample.min_face_px) for found in batch]
    faces = classify_faces(classifier, pictures)
    by = classified_by(classifier.sha256, classifier.backend)
    return Outcome(messages=tuple(_result(found, each, by=by) for found, each in zip(batch, faces, strict=True)))


def set_aside(found: Found, reason: str) -> Outcome:
    """The outcome of a sample that can't be classified."""
    return Outcome(messages=(_result(found, (), f"classify: {reason}"),))


def _result(found: Found, faces: tuple[Face, ...], failed: str | None = None, by: str = "") -> Result:
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
        # Whoever asked for a certain one looks; of live cameras nobody does.
        by=by if sample.camera.startswith(FOOTAGE) else "",
    )
