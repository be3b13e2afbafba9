"""How a camera's samples get onto the bus: numbered without a gap, shed with a word, and of footage all of them."""

import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from structlog.testing import capture_logs

from classify import ordering
from infra.embedded import redis_command, redis_url, wait_for_socket
from ingest.delivery import RETRY_S
from ingest.emit import NO_PICTURE, STEP_BACK_NS, Emitter
from ingest.footage import Footage, Frame
from ingest.motion import Motion
from storage.bus import Bus, BusError
from storage.errors import StorageError
from storage.frames import FrameStore
from storage.messages import NS_PER_S, Begin, End, FrameRef, Look, Lost, Message, Result, Sample
from storage.pulse import Pulse
from tests.conftest import WriteVideo, flat

MS = 1_000_000


@pytest.fixture
def footage(write_video: WriteVideo) -> Path:
    """Four seconds at 25 fps: a square that walks, stands and is gone."""
    pictures = []
    for index in range(100):
        picture = flat((90, 90, 90), (240, 320))
        if index < 60:
            x = 4 * min(index, 40)
            picture[60:160, x : x + 60] = 220
        pictures.append(picture)
    return write_video(pictures)


@pytest.fixture
def busy(write_video: WriteVideo) -> list[Frame]:
    """Ten samples that all deserve a look."""
    pictures = [np.random.default_rng(index // 5).integers(0, 255, (96, 128, 3), np.uint8) for index in range(50)]
    with Footage(write_video(pictures, name="busy.mkv")) as clip:
        return [frame for frame in clip.frames(5) if frame.sampled]


def emitter_of(bus: Bus, frames: FrameStore, *, live: bool, backlog: int = 10, pulse: Pulse | None = None) -> Emitter:
    return Emitter("c1", 7, bus, frames, pulse or Pulse(), live=live, min_face_px=24, backlog=backlog)


def sent(bus: Bus) -> list[Message]:
    """What went straight to the results."""
    return [message for _, message in bus.read(0, "0-0", count=10_000, block_ms=0)]


def waiting(bus: Bus) -> list[Sample]:
    """What is on its way to be looked at and was given to nobody yet; now it is."""
    tasks = bus.frames_queue(f"test-{time.monotonic_ns()}").take(10_000, block_ms=0)
    return [task.body for task in tasks if task.body is not None]


def numbers(messages: list[Message], samples: list[Sample]) -> list[int]:
    """The number of every sample that something was said of, in order."""
    said = [sample.seq for sample in samples]
    for message in messages:
        if isinstance(message, Result):
            said.append(message.seq)
        elif isinstance(message, Lost):
            said.extend(range(message.first, message.last + 1))
    return sorted(said)


def until(condition: Callable[[], bool], limit_s: float = 30.0) -> None:
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, "waited too long"
        time.sleep(0.005)


# --- what is sent ---


def test_footage_gives_exactly_the_samples_of_the_pipeline_in_one_process(
    footage: Path, bus: Bus, frames: FrameStore
) -> None:
    expected: list[tuple[int, int, Look, NDArray[np.bool_], NDArray[np.uint8] | None]] = []
    motion = Motion()
    with Footage(footage) as clip:
        for seq, frame in enumerate(frame for frame in clip.frames(5) if frame.sampled):
            look, active = motion.judge(frame.luma(), frame.at_ns)
            expected.append((seq, frame.at_ns, look, active.copy(), None if look is Look.NONE else frame.rgb()))
    looks = {look for _, _, look, _, _ in expected}
    assert looks == {Look.FULL, Look.MOTION, Look.NONE}

    emitter = emitter_of(bus, frames, live=False)
    emitter.begin(0, NS_PER_S, 200 * MS)
    with Footage(footage) as clip:
        assert all(emitter.take(frame) for frame in clip.frames(5) if frame.sampled)
    emitter.end()

    messages, samples = sent(bus), {sample.seq: sample for sample in waiting(bus)}
    assert messages[0] == Begin("c1", 7, 0, False, NS_PER_S, 24, 200 * MS)
    assert messages[-1] == End("c1", 7, len(expected)) == End("c1", 7, emitter.seq)
    quiet = {message.seq: message for message in messages[1:-1] if isinstance(message, Result)}
    for seq, at_ns, look, active, rgb in expected:
        if rgb is None:
            assert quiet[seq] == Result("c1", 7, seq, at_ns, 320, 240, look)
            continue
        sample = samples[seq]
        assert (sample.camera, sample.epoch, sample.at_ns, sample.look, sample.min_face_px) == (
            "c1",
            7,
            at_ns,
            look,
            24,
        )
        assert np.array_equal(sample.active(), active)
        assert np.array_equal(frames.view(sample.frame), rgb)
    assert len(quiet) + len(samples) == len(expected)
    assert emitter.shed == 0


def test_pixels_stay_held_once_their_message_is_on_the_bus(busy: list[Frame], bus: Bus, frames: FrameStore) -> None:
    emitter = emitter_of(bus, frames, live=True)
    emitter.take(busy[0])
    [sample] = waiting(bus)
    assert frames.holds(sample.frame)
    assert frames.used_blocks == 1
    frames.release([sample.frame])
    assert frames.used_blocks == 0


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("error", [StorageError("the store is locked"), BusError("Redis is away")])
def test_the_picture_of_a_queued_sample_stays_whatever_happens_afterwards(
    busy: list[Frame], bus: Bus, frames: FrameStore, monkeypatch: pytest.MonkeyPatch, live: bool, error: Exception
) -> None:
    marked, failures = frames.sent, iter([error])

    def failing(ref: FrameRef) -> None:
        if (failure := next(failures, None)) is not None:
            raise failure
        marked(ref)

    monkeypatch.setattr(frames, "sent", failing)
    emitter = emitter_of(bus, frames, live=live)
    assert emitter.take(busy[0])
    [sample] = waiting(bus)
    assert frames.holds(sample.frame)
    assert (sent(bus), emitter.shed, emitter.drops) == ([], 0, {})


@pytest.mark.parametrize("live", [True, False])
def test_a_picture_that_can_never_fit_is_a_failed_sample_with_advice(
    write_video: WriteVideo, bus: Bus, frames: FrameStore, live: bool
) -> None:
    with Footage(write_video([flat(size=(3600, 3600))])) as clip:
        [frame] = clip.frames(5)
        emitter = emitter_of(bus, frames, live=live)
        assert emitter.take(frame)
    [message] = sent(bus)
    assert isinstance(message, Result)
    assert (message.seq, message.look, message.width, message.height) == (0, Look.FULL, 3600, 3600)
    assert message.failed is not None
    assert "MASKWATCH_FRAMES_MIB" in message.failed
    assert frames.used_blocks == 0


def test_a_clock_that_is_set_back_does_not_turn_the_order_around(
    busy: list[Frame], bus: Bus, frames: FrameStore
) -> None:
    emitter = emitter_of(bus, frames, live=True)
    for frame in reversed(busy):
        emitter.take(frame)
    times = [sample.at_ns for sample in waiting(bus)]
    assert times == [busy[-1].at_ns + step for step in range(len(busy))]


def test_a_live_camera_whose_clock_is_set_back_far_goes_on_by_the_new_time(
    footage: Path, bus: Bus, frames: FrameStore
) -> None:
    assert STEP_BACK_NS == ordering.STEP_BACK_NS
    with Footage(footage) as clip:
        still = [frame for frame in clip.frames(5) if frame.sampled][-4:]
    hour_ns = 3600 * NS_PER_S
    times = [hour_ns, hour_ns + 200 * MS, hour_ns + 200 * MS - STEP_BACK_NS, hour_ns + 1400 * MS - STEP_BACK_NS]
    emitter = emitter_of(bus, frames, live=True)
    for frame, at_ns in zip(still, times, strict=True):
        emitter.take(replace(frame, at_ns=at_ns))
    said: list[Result | Sample] = [*waiting(bus), *(message for message in sent(bus) if isinstance(message, Result))]
    said.sort(key=lambda one: one.seq)
    assert [one.seq for one in said] == [0, 1, 2, 3]
    assert [one.at_ns for one in said] == times
    # What moved by the old time moves no longer.
    assert [one.look for one in said[2:]] == [Look.FULL, Look.NONE]


def test_footage_never_goes_back_in_time(busy: list[Frame], bus: Bus, frames: FrameStore) -> None:
    emitter = emitter_of(bus, frames, live=False)
    for at_ns in (3600 * NS_PER_S, 5 * NS_PER_S):
        emitter.take(replace(busy[0], at_ns=at_ns))
    assert [sample.at_ns for sample in waiting(bus)] == [3600 * NS_PER_S, 3600 * NS_PER_S + 1]


def test_after_its_end_nothing_is_sent(busy: list[Frame], bus: Bus, frames: FrameStore) -> None:
    emitter = emitter_of(bus, frames, live=True)
    emitter.take(busy[0])
    emitter.end()
    emitter.end()
    assert not emitter.take(busy[1])
    emitter.silence(busy[2].at_ns)
    emitter.lose(3, busy[2].at_ns)
    assert sent(bus) == [End("c1", 7, 1)]
    assert len(waiting(bus)) == 1


# --- a camera that is away ---


def test_silence_is_a_sample_without_picture_and_the_next_one_is_seen_as_a_whole(
    footage: Path, bus: Bus, frames: FrameStore
) -> None:
    with Footage(footage) as clip:
        still = [frame for frame in clip.frames(5) if frame.sampled][-4:]
    emitter = emitter_of(bus, frames, live=True)
    emitter.take(still[0])
    emitter.take(still[1])
    emitter.silence(still[2].at_ns)
    emitter.take(still[3])
    silences = [message for message in sent(bus) if isinstance(message, Result) and message.failed]
    assert silences == [Result("c1", 7, 2, still[2].at_ns, 320, 240, Look.NONE, failed=NO_PICTURE)]
    assert [(sample.seq, sample.look) for sample in waiting(bus)][-1] == (3, Look.FULL)


def test_silence_and_samples_from_two_threads_leave_no_number_out(
    busy: list[Frame], bus: Bus, frames: FrameStore
) -> None:
    emitter = emitter_of(bus, frames, live=True, backlog=3)
    done = threading.Event()

    def keep_silent() -> None:
        while not done.wait(0.001):
            emitter.silence(0)

    thread = threading.Thread(target=keep_silent)
    thread.start()
    for frame in busy * 5:
        emitter.take(frame)
    done.set()
    thread.join()
    emitter.end()
    messages = sent(bus)
    assert numbers(messages, waiting(bus)) == list(range(emitter.seq))
    assert messages[-1] == End("c1", 7, emitter.seq)
    times = [message.at_ns for message in messages if isinstance(message, Result)]
    assert times == sorted(times)


# --- too much at once ---


def test_a_live_camera_sheds_its_oldest_samples_with_tombstones(
    busy: list[Frame], bus: Bus, frames: FrameStore
) -> None:
    emitter = emitter_of(bus, frames, live=True, backlog=4)
    for frame in busy:
        assert emitter.take(frame)
    assert emitter.shed == 6
    assert emitter.drops == {"shed": 6}
    assert frames.used_blocks == 4
    messages, samples = sent(bus), waiting(bus)
    assert [sample.seq for sample in samples] == [6, 7, 8, 9]
    assert messages == [Lost("c1", 7, seq, seq, busy[seq].at_ns) for seq in range(6)]


def test_what_a_worker_was_given_is_never_taken_back(busy: list[Frame], bus: Bus, frames: FrameStore) -> None:
    emitter = emitter_of(bus, frames, live=True, backlog=3)
    for frame in busy[:3]:
        emitter.take(frame)
    given = waiting(bus)
    for frame in busy[3:]:
        emitter.take(frame)
    assert [sample.seq for sample in given] == [0, 1, 2]
    assert all(frames.holds(sample.frame) for sample in given)
    assert [sample.seq for sample in waiting(bus)] == [7, 8, 9]


def fill(frames: FrameStore) -> list[FrameRef]:
    """Take all the room there is."""
    refs = []
    while (ref := frames.put(np.zeros((512, 512, 3), np.uint8), live=False)) is not None:
        frames.sent(ref)
        refs.append(ref)
    return refs


def test_without_room_a_live_camera_sheds_the_new_sample_if_it_has_no_older_one(
    busy: list[Frame], bus: Bus, frames: FrameStore
) -> None:
    held = fill(frames)
    emitter = emitter_of(bus, frames, live=True)
    assert emitter.take(busy[0])
    assert sent(bus) == [Lost("c1", 7, 0, 0, busy[0].at_ns)]
    frames.release(held[:1])
    # Now there is room for one: each new sample takes the place of the one before.
    for frame in busy[1:4]:
        emitter.take(frame)
    assert [message.first for message in sent(bus) if isinstance(message, Lost)] == [0, 1, 2]
    assert [sample.seq for sample in waiting(bus)] == [3]
    assert emitter.shed == 3
    assert emitter.drops == {"no_room": 3}


def test_samples_that_were_due_and_never_made_are_counted_in_order(
    busy: list[Frame], bus: Bus, frames: FrameStore
) -> None:
    emitter = emitter_of(bus, frames, live=True)
    emitter.take(busy[0])
    emitter.lose(3, busy[3].at_ns)
    emitter.take(busy[4])
    assert sent(bus) == [Lost("c1", 7, 1, 3, busy[3].at_ns)]
    assert [sample.seq for sample in waiting(bus)] == [0, 4]
    assert emitter.shed == 3
    assert emitter.drops == {"late": 3}


def test_a_live_camera_sends_nothing_while_the_aggregator_is_too_far_behind(
    busy: list[Frame], bus: Bus, frames: FrameStore, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.delivery.MOST_LIVE_RESULTS", 3)
    monkeypatch.setattr("ingest.delivery.LOOK_S", 0.0)
    emitter = emitter_of(bus, frames, live=True)
    others: list[Message] = [Result("c2", 1, seq, seq, 320, 240, Look.NONE) for seq in range(3)]
    with capture_logs() as logs:
        emitter.begin(0, NS_PER_S, 200 * MS)
        emitter.take(busy[0])
        bus.send(others)
        for frame in busy[1:4]:
            assert emitter.take(frame)
        emitter.silence(busy[4].at_ns)
        emitter.lose(2, busy[6].at_ns)
        # Neither results nor pixels.
        assert len(sent(bus)) == 4
        assert frames.used_blocks == 1
        assert [entry["log_level"] for entry in logs] == ["warning"]
        raw.delete("maskwatch:results:0")
        for frame in busy[7:]:
            emitter.take(frame)
        emitter.end()
    assert [entry["log_level"] for entry in logs] == ["warning", "warning"]
    assert sent(bus) == [Lost("c1", 7, 1, 6, busy[6].at_ns), End("c1", 7, 10)]
    assert [sample.seq for sample in waiting(bus)] == [0, 7, 8, 9]
    assert emitter.shed == 6
    # Of the silence nothing is dropped.
    assert emitter.drops == {"behind": 3, "late": 2}


def test_a_camera_that_begins_while_the_aggregator_is_too_far_behind_begins_before_its_samples(
    busy: list[Frame], bus: Bus, frames: FrameStore, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.delivery.MOST_LIVE_RESULTS", 1)
    monkeypatch.setattr("ingest.delivery.LOOK_S", 0.0)
    bus.send([Result("c2", 1, 0, 0, 320, 240, Look.NONE)])
    emitter = emitter_of(bus, frames, live=True)
    emitter.begin(5, NS_PER_S, 200 * MS)
    emitter.take(busy[0])
    raw.delete("maskwatch:results:0")
    emitter.silence(busy[1].at_ns)
    assert sent(bus) == [
        Begin("c1", 7, 5, True, NS_PER_S, 24, 200 * MS),
        Lost("c1", 7, 0, 0, busy[0].at_ns),
        Result("c1", 7, 1, busy[1].at_ns, 128, 96, Look.NONE, failed=NO_PICTURE),
    ]


def test_how_far_behind_the_aggregator_is_is_not_asked_with_every_sample(
    busy: list[Frame], bus: Bus, frames: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def length(partition: int) -> int:
        asked.append(partition)
        return 0

    monkeypatch.setattr(bus, "results_length", length)
    emitter = emitter_of(bus, frames, live=True)
    began_s = time.monotonic()
    for frame in busy:
        emitter.take(frame)
    assert 1 <= len(asked) <= 1 + (time.monotonic() - began_s)


def test_footage_waits_for_room_and_loses_nothing(busy: list[Frame], bus: Bus, frames: FrameStore) -> None:
    held = fill(frames)
    beats: list[int] = []
    pulse = Pulse(lambda done, _: beats.append(done))
    emitter = emitter_of(bus, frames, live=False, backlog=1, pulse=pulse)
    thread = threading.Thread(target=lambda: [emitter.take(frame) for frame in busy])
    thread.start()
    # It says that it is alive while it waits.
    until(lambda: len(beats) > 0)
    for number, ref in enumerate(held[:10]):
        assert emitter.seq <= number
        frames.release([ref])
        until(lambda number=number: emitter.seq == number + 1)  # type: ignore[misc]
    thread.join(30)
    assert [sample.seq for sample in waiting(bus)] == list(range(10))
    assert emitter.shed == 0


def test_footage_waits_while_the_aggregator_has_much_to_take_in(
    footage: Path, bus: Bus, frames: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.footage_delivery.MOST_RESULTS", 3)
    emitter = emitter_of(bus, frames, live=False)

    def run() -> None:
        emitter.begin(0, NS_PER_S, 200 * MS)
        with Footage(footage) as clip:
            for frame in clip.frames(5):
                if frame.sampled:
                    emitter.take(frame)
        emitter.end()

    thread = threading.Thread(target=run)
    thread.start()
    taken: list[Message] = []
    last = "0-0"
    while not (taken and isinstance(taken[-1], End)):
        assert bus.results_length(0) <= 3
        until_s = time.monotonic() + 30
        while not (read := bus.read(0, last, count=1, block_ms=2000)):
            assert time.monotonic() < until_s
        [(last, message)] = read
        taken.append(message)
        bus.trim(0, last)
    thread.join(30)
    assert numbers(taken, waiting(bus)) == list(range(20))


def test_footage_that_is_asked_to_stop_while_it_waits_keeps_nothing(
    busy: list[Frame], bus: Bus, frames: FrameStore
) -> None:
    held = fill(frames)
    pulse = Pulse()
    emitter = emitter_of(bus, frames, live=False, pulse=pulse)
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(emitter.take(busy[0])))
    thread.start()
    pulse.stop()
    thread.join(30)
    assert answers == [False]
    assert emitter.seq == 0
    frames.release(held)
    assert frames.used_blocks == 0


# --- a bus that is away ---


class Power:
    """A Redis that can be switched off and on, empty each time."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "r.sock"
        self.server: subprocess.Popen[bytes] | None = None

    def on(self) -> None:
        self.socket.unlink(missing_ok=True)
        self.server = subprocess.Popen(redis_command(self.socket), stdout=subprocess.DEVNULL)
        wait_for_socket(self.socket, self.server, 30)

    def off(self) -> None:
        if self.server is not None:
            self.server.kill()
            self.server.wait()
            self.server = None


@pytest.fixture
def power() -> Iterator[Power]:
    with tempfile.TemporaryDirectory(prefix="mw-") as folder:
        power = Power(Path(folder))
        power.on()
        yield power
        power.off()


def test_what_a_live_camera_can_not_send_is_a_tombstone_once_the_bus_is_back(
    power: Power, busy: list[Frame], frames: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.delivery.RETRY_S", 0.0)
    bus = Bus(redis_url(power.socket))
    emitter = emitter_of(bus, frames, live=True)
    emitter.begin(0, NS_PER_S, 200 * MS)
    emitter.take(busy[0])
    power.off()
    for frame in busy[1:4]:
        assert emitter.take(frame)
    emitter.silence(busy[4].at_ns)
    # Nothing is held for what was not sent.
    assert frames.used_blocks == 1
    power.on()
    emitter.take(busy[5])
    assert sent(bus) == [Lost("c1", 7, 1, 4, busy[4].at_ns)]
    assert [sample.seq for sample in waiting(bus)] == [5]
    assert emitter.shed == 4
    assert emitter.drops == {"bus": 3}
    bus.close()


def test_a_camera_that_begins_while_the_bus_is_away_begins_before_its_samples(
    power: Power, busy: list[Frame], frames: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.delivery.RETRY_S", 0.0)
    power.off()
    bus = Bus(redis_url(power.socket))
    emitter = emitter_of(bus, frames, live=True)
    emitter.begin(5, NS_PER_S, 200 * MS)
    emitter.take(busy[0])
    power.on()
    emitter.take(busy[1])
    emitter.end()
    assert sent(bus) == [
        Begin("c1", 7, 5, True, NS_PER_S, 24, 200 * MS),
        Lost("c1", 7, 0, 0, busy[0].at_ns),
        End("c1", 7, 2),
    ]
    bus.close()


def test_a_bus_that_is_away_is_not_asked_with_every_sample(
    power: Power, busy: list[Frame], frames: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 0.0
    monkeypatch.setattr("ingest.delivery.time", SimpleNamespace(monotonic=lambda: now_s))
    power.off()
    bus = Bus(redis_url(power.socket))
    emitter = emitter_of(bus, frames, live=True)
    emitter.take(busy[0])
    power.on()
    emitter.take(busy[1])
    assert sent(bus) == []
    now_s += RETRY_S
    emitter.silence(0)
    assert sent(bus)
    assert numbers(sent(bus), waiting(bus)) == list(range(emitter.seq))
    bus.close()


def test_footage_waits_for_a_bus_that_is_away_for_a_moment(power: Power, busy: list[Frame], frames: FrameStore) -> None:
    bus = Bus(redis_url(power.socket))
    troubles: list[str | None] = []
    emitter = emitter_of(bus, frames, live=False, pulse=Pulse(lambda _, trouble: troubles.append(trouble)))
    power.off()
    thread = threading.Thread(target=lambda: [emitter.take(frame) for frame in busy])
    thread.start()
    until(lambda: len(troubles) > 0)
    power.on()
    thread.join(30)
    assert [sample.seq for sample in waiting(bus)] == list(range(10))
    assert troubles[0] is not None
    assert "cannot reach Redis" in troubles[0]
    bus.close()


def test_footage_gives_up_on_a_bus_that_stays_away_and_keeps_nothing(
    power: Power, busy: list[Frame], frames: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.footage_delivery.GIVE_UP_S", 0.5)
    power.off()
    bus = Bus(redis_url(power.socket))
    with pytest.raises(BusError):
        emitter_of(bus, frames, live=False).take(busy[0])
    assert frames.used_blocks == 0
