"""The `detect` role: samples in, the faces found in them out."""

from collections.abc import Callable, Sequence

from detect.looking import Looker
from storage.bench import Bench, Outcome
from storage.frame_access import Frames
from storage.messages import Found, Result, Sample
from storage.pulse import Pulse
from storage.shift import work_through
from storage.work import WorkQueue


def run(
    queue: WorkQueue[Sample],
    frames: Frames,
    looker: Looker,
    pulse: Pulse,
    rescue: Callable[[Sample], Outcome | None],
) -> None:
    """Look at samples until asked to stop.

    Raises:
        BusError: Redis is gone.
    """

    def work(samples: Sequence[Sample]) -> Outcome:
        outcomes = [look(sample, frames, looker) for sample in samples]
        return Outcome(
            tuple(found for outcome in outcomes for found in outcome.found),
            tuple(message for outcome in outcomes for message in outcome.messages),
        )

    # A look takes much longer than fetching a sample; what is in hand can neither be shed nor shared.
    bench = Bench(
        work,
        rescue,
        set_aside,
        1,
        sees=lambda sample: frames.sees(sample.frame),
        gone=lambda sample: frames.gone(sample.frame),
    )
    work_through(queue, bench, pulse)


def look(sample: Sample, frames: Frames, looker: Looker) -> Outcome:
    """The faces found in a sample; where there are none, `classify` has nothing to do with it.

    Raises:
        FrameGoneError: its pixels are no longer there.
    """
    rgb = frames.view(sample.frame)
    faces = looker.look_at_sample(
        rgb, sample.look, sample.active(), sample.seq, min_face_px=sample.min_face_px, regions=sample.regions
    )
    if not len(faces):
        return Outcome(messages=(result(sample),))
    return Outcome(found=(Found.of(sample, faces.boxes, faces.scores, faces.keypoints),))


def result(sample: Sample, failed: str | None = None) -> Result:
    """The result of a sample in which no face was found, or which could not be looked at."""
    frame = sample.frame
    return Result(
        sample.camera, sample.epoch, sample.seq, sample.at_ns, frame.width, frame.height, sample.look, (), failed, frame
    )


def set_aside(sample: Sample, reason: str) -> Outcome:
    """The outcome of a sample that can't be looked at."""
    return Outcome(messages=(result(sample, f"detect: {reason}"),))
