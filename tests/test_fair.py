"""A fair share of the classifier for every camera: one with a crowd before it takes nothing from the others."""

import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from structlog.testing import capture_logs

from classify.fair import FairPlan, Waiting, fair_batch, overdue
from classify.worker import run
from storage.bus import Bus
from storage.frames import FrameStore, create_store
from storage.messages import Begin, Found, FrameRef, Look, Lost, Message, Result, Sample
from storage.pulse import Pulse
from storage.work import Task
from tests.test_bus import until
from tests.test_ordering import Reader

WAITING = st.lists(st.builds(Waiting, st.sampled_from("abcdefgh"), st.integers(1, 60)), min_size=1, max_size=80)


def batches(waiting: list[Waiting], most: int) -> list[list[Waiting]]:
    """All of it, batch by batch."""
    credit: dict[str, int] = {}
    left, made = list(waiting), []
    while left:
        places, credit = fair_batch(left, credit, most)
        made.append([left[place] for place in places])
        left = [each for place, each in enumerate(left) if place not in set(places)]
    return made


@given(WAITING, st.integers(1, 128))
def test_everything_is_done_once_in_order_and_no_batch_is_too_large(waiting: list[Waiting], most: int) -> None:
    made = batches(waiting, most)
    assert all(made)
    assert all(len(batch) == 1 or sum(each.faces for each in batch) <= most for batch in made)
    done = [each for batch in made for each in batch]
    for camera in {each.camera for each in waiting}:
        assert [each for each in done if each.camera == camera] == [each for each in waiting if each.camera == camera]


@given(WAITING)
def test_whoever_waits_is_passed_over_by_nobody_for_long(waiting: list[Waiting]) -> None:
    """Before a camera's first sample is done, no other gets more than that sample's faces and two batches through."""
    most = 32
    done = [each for batch in batches(waiting, most) for each in batch]
    for camera in {each.camera for each in waiting}:
        first = next(place for place, each in enumerate(done) if each.camera == camera)
        before = Counter[str]()
        for each in done[:first]:
            before[each.camera] += each.faces
        assert all(faces <= done[first].faces + 2 * most + 60 for faces in before.values())


def test_a_camera_with_a_crowd_waits_while_the_other_seven_are_done() -> None:
    crowd = [Waiting("crowd", 30) for _ in range(20)]
    others = [Waiting(f"c{number}", 1) for number in range(7)]
    credit: dict[str, int] = {}
    waiting, rounds = list(crowd), 0
    # In each turn everybody sends something: the seven are in the batch of the very turn, always.
    for _ in range(20):
        waiting += others
        places, credit = fair_batch(waiting, credit, 32)
        chosen = [waiting[place] for place in places]
        waiting = [each for place, each in enumerate(waiting) if place not in set(places)]
        rounds += sum(each.camera == "crowd" for each in chosen)
        assert len([each for each in waiting if each.camera != "crowd"]) <= len(others)
    assert rounds >= 8, "what the others leave is not wasted"


def test_the_oldest_of_a_live_camera_are_overdue_and_footage_never_is() -> None:
    waiting = [("a", True), ("f", False), ("a", True), ("b", True), ("a", True), ("f", False), ("f", False)]
    assert overdue(waiting, 2) == [0]
    assert overdue(waiting, 1) == [0, 2]
    assert overdue(waiting, 9) == []


class Slow:
    """A classifier that takes faces at the pace of the test, and writes down how many at once."""

    name, sha256, backend, image_size, margin, rejects_false_alarms = "slow", "", "litert", 16, 0.1, True

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.pace = threading.Semaphore(0)

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert self.pace.acquire(timeout=20)
        self.batches.append(len(crops))
        return np.tile(np.array([1, 0, 0, 0], np.float32), (len(crops), 1))

    def explain(self, _: NDArray[np.uint8]) -> None:
        return None


def found(camera: str, seq: int, faces: int, ref: FrameRef) -> Found:
    sample = Sample(camera, 1, seq, seq * 200_000_000, Look.FULL, 24, ref, bytes(20), 8, 20)
    boxes = np.tile(np.array([10, 10, 40, 40], np.float32), (faces, 1))
    return Found.of(sample, boxes, np.ones(faces, np.float32), np.zeros((faces, 6, 2), np.float32))


@pytest.fixture
def frames(tmp_path: Path) -> FrameStore:
    create_store(tmp_path / "frames", 300)
    return FrameStore(tmp_path / "frames")


def test_eight_cameras_of_which_one_sends_thirty_faces_a_frame(bus: Bus, redis: str, frames: FrameStore) -> None:
    """The other seven keep their rate, as long as the network manages half of what comes in; the crowd's are shed."""
    rgb = np.zeros((120, 160, 3), np.uint8)
    own = Bus(redis)
    source, queue, slow, pulse = own.frames_queue("source"), own.faces_queue("classify-0"), Slow(), Pulse()
    plan = FairPlan(frames, backlog=10)

    def send(seq: int) -> None:
        sent = []
        for camera, faces in [("crowd", 30), ("crowd", 30), *((f"c{number}", 2) for number in range(7))]:
            ref = frames.put(rgb, live=True)
            assert ref is not None
            sent.append(found(camera, seq, faces, ref))
        source.done([], found=sent)

    def rescue(_: Found) -> None:
        return None

    thread = threading.Thread(target=run, args=(queue, frames, slow, pulse, rescue, plan))
    thread.start()
    try:
        for seq in range(15):
            send(seq)
            # Of the 74 faces that came, two batches are done.
            slow.pace.release(2)
            until(lambda wanted=2 * (seq + 1): len(slow.batches) >= wanted)  # type: ignore[misc]
        done = results(bus)
        rates = Counter(message.camera for message in done if isinstance(message, Result))
        assert all(rates[f"c{number}"] >= 13 for number in range(7)), rates
        assert rates["crowd"] >= 8, "what the others leave goes to the crowd"
        assert max(slow.batches) <= 32
        slow.pace.release(200)
        until(lambda: len(results(bus)) == 15 * 9)
    finally:
        pulse.stop()
        slow.pace.release(1000)
        thread.join()
        own.close()
    shed = [message for message in results(bus) if isinstance(message, Lost)]
    assert {message.camera for message in shed} <= {"crowd"}
    frames.release(message.frame for message in results(bus) if isinstance(message, Result) and message.frame)
    assert frames.used_blocks == 0, "what was shed is released"


def test_what_is_shed_is_counted_as_the_aggregator_counts_it_lost(
    bus: Bus, redis: str, frames: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classify.fair.PATIENCE_S", -1.0)
    rgb, slow, pulse, own = np.zeros((120, 160, 3), np.uint8), Slow(), Pulse(), Bus(redis)
    refs = [frames.put(rgb, live=True) for _ in range(40)]
    own.frames_queue("source").done([], found=[found("a", seq, 3, ref) for seq, ref in enumerate(refs) if ref])
    slow.pace.release(1000)
    plan, queue = FairPlan(frames, backlog=2), own.faces_queue("classify-0")
    thread = threading.Thread(target=run, args=(queue, frames, slow, pulse, lambda _: None, plan))
    thread.start()
    until(lambda: len(results(bus)) == 40)
    pulse.stop()
    thread.join()
    own.close()
    reader = Reader()
    reader.take(Begin("a", 1, 0, live=True, dwell_ns=9, min_face_px=24, sample_ns=200_000_000), *results(bus))
    assert bus.shed_by_classify(["a", "b"]) == {"a": reader.lost} == {"a": 38}
    assert reader.order == [(1, 38), (1, 39)]


def test_that_samples_are_shed_is_said_when_it_begins_and_when_it_is_over(
    frames: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classify.fair.PATIENCE_S", -1.0)
    plan = FairPlan(frames, backlog=1)
    many = [found(camera, seq, 3, FrameRef(1, 0, 9, 9, live=True)) for seq in range(2) for camera in ("a", "b")]
    with capture_logs() as said:
        for _ in range(5):
            assert len(plan.lose([many[place] for place in plan.overdue(many)])) == 2
        assert [each["cameras"] for each in said] == [["a", "b"]]
        monkeypatch.setattr("classify.fair.CALM_S", -1.0)
        for _ in range(2):
            plan.overdue(many[:1])
    assert [(each["event"], each.get("shed")) for each in said][1:] == [("all faces are classified again", 10)]


def results(bus: Bus) -> list[Message]:
    return [message for _, message in bus.read(0, "0-0", count=1000, block_ms=0)]


def test_company_is_waited_for_only_where_it_pays(frames: FrameStore) -> None:
    few, many = [found("a", 0, 3, FrameRef(1, 0, 9, 9))], [found("a", 0, 40, FrameRef(1, 0, 9, 9))]
    patient = FairPlan(frames, backlog=10, most=32, gather_s=0.01)
    assert (patient.wait_s(few), patient.wait_s(many)) == (0.01, 0.0)
    assert FairPlan(frames, backlog=10).wait_s(few) == 0.0


def test_what_was_not_begun_goes_to_others_when_a_worker_stops(bus: Bus, redis: str, frames: FrameStore) -> None:
    rgb, slow, pulse, own = np.zeros((120, 160, 3), np.uint8), Slow(), Pulse(), Bus(redis)
    refs = [frames.put(rgb, live=False) for _ in range(6)]
    own.frames_queue("source").done([], found=[found("a", seq, 30, ref) for seq, ref in enumerate(refs) if ref])
    plan, queue = FairPlan(frames, backlog=10), own.faces_queue("classify-a")
    thread = threading.Thread(target=run, args=(queue, frames, slow, pulse, lambda _: None, plan))
    thread.start()
    slow.pace.release(2)
    until(lambda: len(slow.batches) == 2)
    pulse.stop()
    slow.pace.release(1)
    thread.join()
    left: list[Task[Found]] = bus.faces_queue("classify-b").take(9, 0)
    assert [(task.body.sample.seq, task.redelivered, task.hops) for task in left if task.body] == [
        (seq, False, 0) for seq in range(len(slow.batches), 6)
    ]
    assert left
    own.close()
