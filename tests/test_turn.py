"""A policy that changes on a live camera: the watch goes on as another epoch, and nothing is lost between the two."""

import numpy as np
import pytest

from classify.ordering import CameraState, Stuck, stuck, take
from ingest.emit import Emitter, Terms
from ingest.footage import Footage, Frame
from storage.bus import Bus
from storage.frames import FrameStore
from storage.messages import NS_PER_S, Begin, End, Look, Lost, Message, Result, Sample
from storage.pulse import Pulse
from storage.regions import Region
from storage.words import Label
from tests.conftest import WriteVideo

STEP = NS_PER_S // 5
RIGHT = Region("ignore", ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)))
CHOSEN = Terms((Label.WITHOUT_MASK,), detection=0.5, confidence=0.8, regions=(RIGHT,))


@pytest.fixture
def busy(write_video: WriteVideo) -> list[Frame]:
    """Ten samples that all deserve a look."""
    pictures = [np.random.default_rng(index // 5).integers(0, 255, (96, 128, 3), np.uint8) for index in range(50)]
    with Footage(write_video(pictures, name="busy.mkv")) as clip:
        return [frame for frame in clip.frames(5) if frame.sampled]


def messages(bus: Bus) -> list[Message]:
    return [message for _, message in bus.read(0, "0-0", count=10_000, block_ms=0)]


def samples(bus: Bus) -> list[Sample]:
    return [task.body for task in bus.frames_queue("test").take(100, block_ms=0) if task.body is not None]


def emitter_of(bus: Bus, frames: FrameStore, backlog: int = 20) -> Emitter:
    emitter = Emitter("c1", 7, bus, frames, Pulse(), live=True, min_face_px=24, backlog=backlog)
    emitter.begin(0, NS_PER_S, STEP)
    return emitter


def test_a_turn_says_what_it_goes_on_from_and_by_what_it_judges(
    busy: list[Frame], bus: Bus, frames: FrameStore
) -> None:
    emitter = emitter_of(bus, frames)
    for frame in busy[:4]:
        emitter.take(frame)
    assert emitter.turn(9, busy[4].at_ns, 2 * NS_PER_S, STEP, 40, CHOSEN)
    for frame in busy[4:]:
        emitter.take(frame)
    emitter.end()
    begin = Begin("c1", 9, busy[4].at_ns, True, 2 * NS_PER_S, 40, STEP, (Label.WITHOUT_MASK,), 0.5, 0.8, (7, 4))
    assert messages(bus) == [Begin("c1", 7, 0, True, NS_PER_S, 24, STEP), begin, End("c1", 9, 6)]
    looked_at = samples(bus)
    assert [(sample.epoch, sample.seq) for sample in looked_at] == [(7, k) for k in range(4)] + [
        (9, k) for k in range(6)
    ]
    assert [(sample.min_face_px, sample.regions) for sample in looked_at] == [(24, ())] * 4 + [(40, (RIGHT,))] * 6
    for sample in looked_at[4:]:
        assert not sample.active()[:, sample.columns // 2 :].any(), "what moves in the ignored half does not count"
    assert not emitter.turn(10, 0, NS_PER_S, STEP, 24, CHOSEN), "it has ended"


def test_what_was_shed_before_and_after_a_turn_is_accounted_for_once(
    busy: list[Frame], bus: Bus, frames: FrameStore
) -> None:
    emitter = emitter_of(bus, frames, backlog=3)
    for frame in busy[:5]:
        emitter.take(frame)
    emitter.lose(2, busy[4].at_ns + 1)
    emitter.turn(8, busy[5].at_ns, NS_PER_S, STEP, 24, Terms())
    for frame in busy[5:]:
        emitter.take(frame)
    emitter.end()
    state, lost, folded = CameraState(), 0, []
    said: list[Message] = list(messages(bus))
    said += [Result("c1", s.epoch, s.seq, s.at_ns, 128, 96, Look.FULL) for s in samples(bus)]
    for message in said:
        taken = take(state, message)
        lost += taken.lost
        folded += [(step.result.epoch, step.result.seq) for step in taken.steps if step.result is not None]
    assert stuck(state) is Stuck.NOTHING
    assert lost == sum(each.last - each.first + 1 for each in said if isinstance(each, Lost))
    assert lost + len(folded) == 7 + 5
    assert folded == sorted(folded)
