"""Workers on several hosts: each with a shared memory of its own, all on one Redis and one database."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest

from classify.aggregate import SAMPLE_WAIT_S
from infra.bench.machine import Moment
from infra.demo.clips import write_clip
from infra.demo.live import closing_engine, demo_settings, found, set_up
from infra.demo.script import small_clip
from infra.demo.truth import Truth
from infra.joining import check_place, own_name
from infra.places import database_url
from infra.scoring import TruthScore
from infra.settings import load_settings
from infra.supervisor import System
from infra.system.workers import Role, worker_commands
from storage.bench import Bench, Outcome
from storage.bus import Bus
from storage.database.engine import migrate, open_engine, reading
from storage.database.models import CheckpointRow
from storage.database.recorded import Recorded, recorded
from storage.database.sites import Sites
from storage.errors import ConflictError
from storage.frame_access import FrameAccess
from storage.frames import create_store
from storage.messages import NS_PER_S, Begin, End, Look, Message, Result, Sample
from storage.pulse import Heartbeat, Pulse, heard_at, stands_for
from storage.shift import (
    BLIND,
    FIRST_PAUSE_S,
    GONE,
    LONGEST_PAUSE_S,
    MOST_FOOTAGE_HOPS,
    MOST_HOPS,
    work_through,
)
from storage.work import Task
from tests.starved import cut_short, lost_samples, skip_where_others_work
from tests.test_frames import picture
from tests.test_ordering import footage

MASKWATCH = str(Path(sys.executable).parent / "maskwatch")
CAMERA = "c1"
END_S = 60.0
LATE_S = 30.0
"""A passage is known once it is over, and later where the machine is busy."""


def until(condition: Callable[[], object], limit_s: float = 90.0) -> None:
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, "it took too long"
        time.sleep(0.01)


class Detector:
    """A `detect` worker of a host, in a thread: what it looked at."""

    def __init__(self, redis: str, name: str, store: Path) -> None:
        self.looked: list[int] = []
        self.pulse = Pulse()
        self._bus = Bus(redis)
        self._frames = FrameAccess(self._bus, store, 80)
        bench = Bench(
            self._work,
            lambda _: None,
            self._set_aside,
            1,
            sees=lambda each: self._frames.sees(each.frame),
            gone=lambda each: self._frames.gone(each.frame),
        )
        queue = self._bus.frames_queue(name)
        self._thread = threading.Thread(target=work_through, args=(queue, bench, self.pulse))
        self._thread.start()

    def _work(self, samples: Sequence[Sample]) -> Outcome:
        assert int(self._frames.view(samples[0].frame)[0, 0, 0]) == samples[0].seq
        self.looked.append(samples[0].seq)
        return Outcome(messages=(self._result(samples[0]),))

    def _set_aside(self, sample: Sample, reason: str) -> Outcome:
        return Outcome(messages=(self._result(sample, reason),))

    def _result(self, sample: Sample, failed: str | None = None) -> Result:
        return Result(sample.camera, 1, sample.seq, 0, 9, 9, sample.look, (), failed, sample.frame)

    def stop(self) -> None:
        self.pulse.stop()
        self._thread.join()
        self._frames.close()
        self._bus.close()


class Hosts:
    """Two hosts; pictures come from the first one."""

    def __init__(self, redis: str, bus: Bus, folder: Path, stack: ExitStack) -> None:
        self.redis, self.bus, self.folder, self.stack = redis, bus, folder, stack
        for name in ("near", "far"):
            create_store(folder / name, 80)
        self.frames = stack.enter_context(FrameAccess(bus, folder / "near", 80))
        self.far = stack.enter_context(FrameAccess(bus, folder / "far", 80))

    def detector(self, name: str, host: str) -> Detector:
        detector = Detector(self.redis, name, self.folder / host)
        self.stack.callback(detector.stop)
        return detector

    def beat(self, name: str, frames: FrameAccess) -> None:
        self.bus.beat(Heartbeat(name, os.getpid(), time.time(), 0, None, frames.store))

    def send(self, seq: int, *, live: bool) -> str:
        ref = self.frames.put(picture(seq), live=live)
        assert ref is not None
        self.bus.send_sample(Sample(CAMERA, 1, seq, seq, Look.FULL, 24, ref, bytes(20), 8, 20))
        self.frames.sent(ref)
        return ref.store

    def send_next(self, stores: list[str]) -> str:
        """Send one more of footage, and note and give the store it went into."""
        stores.append(self.send(len(stores), live=False))
        return stores[-1]

    def results(self) -> list[Result]:
        read = self.bus.read(0, "0-0", count=1000, block_ms=0)
        return [message for _, message in read if isinstance(message, Result)]


@pytest.fixture
def hosts(redis: str, bus: Bus, tmp_path: Path) -> Iterator[Hosts]:
    with ExitStack() as stack:
        yield Hosts(redis, bus, tmp_path, stack)


@pytest.mark.parametrize("live", [True, False])
def test_what_is_given_to_who_can_t_see_it_goes_to_who_can(hosts: Hosts, live: bool) -> None:
    blind = [hosts.detector(f"detect-far-{number}", "far") for number in range(2)]
    seeing = hosts.detector("detect-near", "near")
    for seq in range(20):
        hosts.send(seq, live=live)
    until(lambda: len(hosts.results()) == 20)
    assert sorted(seeing.looked) == list(range(20))
    assert not any(each.looked for each in blind)
    assert not any(each.failed for each in hosts.results())


def test_a_live_sample_that_nobody_can_see_is_given_up_with_the_reason(hosts: Hosts) -> None:
    hosts.detector("detect-far", "far")
    hosts.send(0, live=True)
    until(hosts.results)
    [result] = hosts.results()
    assert (result.seq, result.failed) == (0, BLIND)


def test_it_is_given_up_before_the_aggregator_does_so() -> None:
    pauses_s = [min(FIRST_PAUSE_S * 2.0**hop, LONGEST_PAUSE_S) for hop in range(MOST_HOPS)]
    assert sum(pauses_s) < SAMPLE_WAIT_S / 2


def test_footage_waits_until_somebody_comes_who_can_see_it(hosts: Hosts) -> None:
    blind = hosts.detector("detect-far", "far")
    hosts.send(0, live=False)
    until(lambda: blind._thread.is_alive() and hops(hosts) > MOST_HOPS)
    assert not hosts.results()
    seeing = hosts.detector("detect-near", "near")
    until(hosts.results)
    assert seeing.looked == [0]


def test_footage_whose_shared_memory_is_gone_is_given_up_with_the_reason(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No longer than a worker that sees it lives is it kept: only who puts pictures is there here, then nobody."""
    monkeypatch.setattr("storage.gone_stores.GONE_S", 0.2)
    monkeypatch.setattr("storage.shift.LONGEST_PAUSE_S", 0.02)
    hosts.beat("ingest-0", hosts.frames)
    hosts.detector("detect-far", "far")
    hosts.send(0, live=False)

    def alive() -> int:
        hosts.beat("ingest-0", hosts.frames)
        return hops(hosts)

    until(lambda: alive() > MOST_FOOTAGE_HOPS + 20)
    assert not hosts.results()
    hosts.bus.leave("ingest-0")
    until(hosts.results)
    [result] = hosts.results()
    assert (result.seq, result.failed) == (0, GONE)


def test_a_blind_worker_with_other_work_leaves_time_for_who_can_see(hosts: Hosts) -> None:
    """A live sample goes back a few times only: not all of them are to be over while who sees it is busy for a moment."""
    pulse, given_s = Pulse(), list[float]()

    def sees(sample: Sample) -> bool:
        given_s.extend([] if sample.seq else [time.monotonic()])
        return sample.seq > 0

    def set_aside(sample: Sample, reason: str) -> Outcome:
        assert (sample.seq, reason) == (0, BLIND)
        pulse.stop()
        return Outcome()

    for seq in range(30):
        hosts.send(seq, live=True)
    bench = Bench(lambda _: Outcome(), lambda _: None, set_aside, 1, sees=sees, plan=OneByOne())
    work_through(hosts.bus.frames_queue("detect-far"), bench, pulse)
    assert len(given_s) == MOST_HOPS + 1
    gaps_s = [after - before for before, after in pairwise(given_s)]
    assert min(gaps_s) >= 0.02, gaps_s


class OneByOne:
    """A plan that has everything in hand, and takes one at a time."""

    hold = 64

    def choose(self, _: Sequence[Sample]) -> list[int]:
        return [0]

    def wait_s(self, _: Sequence[Sample]) -> float:
        return 0.0

    def overdue(self, _: Sequence[Sample]) -> list[int]:
        return []

    def lose(self, _: Sequence[Sample]) -> tuple[Message, ...]:
        return ()

    def release(self, tasks: Sequence[Sample]) -> None:
        """Nothing is given up."""


def hops(hosts: Hosts) -> int:
    entries = hosts.bus._link.call("XRANGE", "maskwatch:frames", "-", "+")
    return sum(int(dict(zip(fields[::2], fields[1::2], strict=True)).get(b"h", 0)) for _, fields in entries)


def test_nothing_is_lost_while_a_strange_worker_joins_and_leaves(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures go into shared memory, then Redis, then shared memory; each sample is looked at once, whatever overlaps."""
    monkeypatch.setattr("storage.frame_access.DECIDE_S", 0.05)
    hosts.beat("detect-near", hosts.frames)
    near = hosts.detector("detect-near", "near")
    stores: list[str] = []

    def send(count: int) -> None:
        for _ in range(count):
            hosts.send_next(stores)

    send(10)
    far = hosts.detector("detect-far", "far")
    hosts.beat("detect-far", hosts.far)
    send(10)
    until(lambda: hosts.send_next(stores) == "redis")
    send(20)
    until(lambda: far.looked)
    far.pulse.stop()
    hosts.bus.leave("detect-far")
    until(lambda: hosts.send_next(stores) == hosts.frames.store)
    send(10)
    until(lambda: len(hosts.results()) == len(stores))
    assert sorted(near.looked + far.looked) == list(range(len(stores)))
    assert not any(result.failed for result in hosts.results())
    hosts.frames.release(result.frame for result in hosts.results() if result.frame is not None)
    assert hosts.frames._remote.used_bytes == 0


def test_names_are_each_process_s_own() -> None:
    names = {own_name(Role.DETECT, 0) for _ in range(50)}
    assert len(names) == 50
    assert all(name.startswith("detect-") and name.endswith("-0") for name in names)
    assert stands_for(own_name(Role.AGGREGATE, 3), "aggregate-3")


def test_a_worker_from_elsewhere_holds_the_place_of_its_role_and_number() -> None:
    beats = {name: Heartbeat(name, 1, 1.0, 0) for name in (own_name(Role.DETECT, 0), own_name(Role.AGGREGATE, 1))}
    found_at = {place: heard_at(place, beats) for place in ("detect-0", "aggregate-0", "aggregate-1", "classify-0")}
    assert [place for place, beat in found_at.items() if beat] == ["detect-0", "aggregate-1"]
    own = Heartbeat("detect-0", 2, 1.0, 0)
    assert heard_at("detect-0", {**beats, "detect-0": own}) is own


def test_a_place_that_is_taken_is_not_taken_again(bus: Bus, redis: str) -> None:
    alive = threading.Event()

    def beat() -> None:
        own = Bus(redis)
        while not alive.wait(0.1):
            own.beat(Heartbeat("ingest-a-1-0", 1, time.time(), 0))
        own.close()

    bus.beat(Heartbeat("ingest-a-1-0", 1, 0.0, 0))
    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(ConflictError, match="another process works under this name"):
            check_place(Role.INGEST, "ingest-a-1-0", bus, Pulse())
        with pytest.raises(ConflictError, match="watches these cameras as 'ingest-a-1-0'"):
            check_place(Role.INGEST, "ingest-b-2-0", bus, Pulse())
        check_place(Role.INGEST, "ingest-b-2-1", bus, Pulse())
        check_place(Role.DETECT, "detect-0", bus, Pulse())
    finally:
        alive.set()
        thread.join()
    bus.leave("ingest-a-1-0")
    check_place(Role.INGEST, "ingest-a-1-0", bus, Pulse())


def test_who_left_in_order_is_forgotten_and_what_a_dead_one_had_is_taken_over(hosts: Hosts) -> None:
    queue = hosts.bus.frames_queue("detect-dead")
    hosts.send(0, live=False)
    assert len(queue.take(1, 0)) == 1
    leaving = hosts.bus.frames_queue("detect-leaving")
    leaving.take(1, 0)
    leaving.leave()
    heir = hosts.bus.frames_queue("detect-heir", claim_idle_s=0.05)
    queue.leave()
    tasks: list[Task[Sample]] = []

    def taken() -> bool:
        tasks.extend(heir.take(1, 0))
        return bool(tasks)

    until(taken)
    assert [(task.body.seq, task.redelivered) for task in tasks if task.body] == [(0, True)]
    heir.done(tasks)
    names = [fields[1] for fields in hosts.bus._link.call("XINFO", "CONSUMERS", "maskwatch:frames", "workers")]
    assert sorted(names) == [b"detect-dead", b"detect-heir"]
    queue.leave()
    names = [fields[1] for fields in hosts.bus._link.call("XINFO", "CONSUMERS", "maskwatch:frames", "workers")]
    assert names == [b"detect-heir"]


class Host:
    """A host of its own: what it needs to serve roles. Hosts share Redis, and where they need it the data folder."""

    def __init__(self, redis: str, folder: Path, data: Path | None = None, **extra: str) -> None:
        # Sockets and shared memory need short paths, and so does nothing else here.
        self.folder = folder
        folder.mkdir(exist_ok=True, parents=True)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("MASKWATCH_")}
        self.environment |= {
            "MASKWATCH_REDIS_URL": redis,
            "MASKWATCH_DATA_DIR": str(data or folder / "data"),
            "MASKWATCH_SHM_DIR": str(folder),
            "MASKWATCH_FRAMES_MIB": "64",
            **extra,
        }

    @contextmanager
    def serve(self, role: str, *options: str) -> "Iterator[subprocess.Popen[bytes]]":
        log = (self.folder / f"{role}.log").open("ab")
        command = [MASKWATCH, "serve", role, *options]
        with log, subprocess.Popen(command, env=self.environment, stderr=log) as process:
            try:
                yield process
            finally:
                process.kill()


def at_work(bus: Bus, process: "subprocess.Popen[bytes]") -> Callable[[], bool]:
    """Whether it beats; it has to, unless it ends."""

    def beats() -> bool:
        assert process.poll() is None
        return any(beat.pid == process.pid for beat in bus.heartbeats().values())

    return beats


def messages(samples: int) -> list[Message]:
    begin = Begin(CAMERA, 1, 0, live=False, dwell_ns=NS_PER_S, min_face_px=24, sample_ns=NS_PER_S // 5)
    return [begin, *footage(samples, epoch=1), End(CAMERA, 1, samples)]


def facts_of(data: Path) -> tuple[Recorded, str]:
    engine = open_engine(database_url(load_settings(data_dir=data)))
    try:
        migrate(engine)
        with reading(engine) as connection:
            owner = str(connection.execute(CheckpointRow.__table__.select()).one().owner)
        return recorded(engine, CAMERA), owner
    except Exception:  # noqa: BLE001 the first one has not begun
        return Recorded(), ""
    finally:
        engine.dispose()


def owner(data: Path, processes: "Sequence[subprocess.Popen[bytes]]") -> "subprocess.Popen[bytes]":
    """Which of these aggregators takes in what comes; one of them has to."""
    found: list[subprocess.Popen[bytes]] = []

    def known() -> bool:
        name = facts_of(data)[1].partition("@")[0]
        found.extend(process for process in processes if f"-{process.pid}-" in name)
        return bool(found)

    until(known)
    return found[0]


@pytest.mark.slow
def test_a_second_aggregator_waits_and_takes_over_without_losing_or_doubling(redis: str, tmp_path: Path) -> None:
    sent = messages(600)

    def aggregated(prefix: str, folder: Path, *, kill: bool) -> Recorded:
        data = tmp_path / prefix
        one, two = (
            Host(redis, folder / f"{prefix}-{name}", data, MASKWATCH_REDIS_PREFIX=prefix) for name in ("one", "two")
        )
        with closing(Bus(redis, prefix=prefix)) as bus, one.serve("aggregate") as first:
            until(at_work(bus, first))
            until(lambda: facts_of(data)[1])
            processes = [first]
            with ExitStack() as stack:
                if kill:
                    second = stack.enter_context(two.serve("aggregate"))
                    until(at_work(bus, second))
                    processes.append(second)
                    logs = [host.folder / "aggregate.log" for host in (one, two)]
                    until(lambda: any("standing by" in log.read_text() for log in logs))
                for start in range(0, len(sent), 20):
                    bus.send(sent[start : start + 20])
                    if start == 200:
                        until(lambda: facts_of(data)[0].tracks)
                        if kill:
                            # Mostly the first one; after a pause of more than its lease, the second.
                            killed = owner(data, processes)
                            killed.send_signal(signal.SIGKILL)
                            processes.remove(killed)
                until(lambda: bus.results_length(0) == 0)
                assert [owner(data, processes)] == processes, "who is alive has taken over"
                return facts_of(data)[0]

    with short_folder() as folder:
        calm = aggregated("calm", folder, kill=False)
        assert (len(calm.tracks), len(calm.events)) == (2, 1)
        assert aggregated("killed", folder, kill=True) == calm


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a short path: sockets need one."""
    with tempfile.TemporaryDirectory(prefix="mw-", dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.parametrize("far", [False, True])
def test_a_live_camera_analysed_on_other_hosts_gives_the_same_tracks_and_events(
    far: bool, redis: str, tmp_path: Path
) -> None:
    media = tmp_path / "media"
    media.mkdir()
    truth: Truth = write_clip(small_clip(1280, 720, 12.0, 4, seed=3), media / "entrance.mp4")
    own = {"media_dir": media, "redis_url": redis}
    settings, start = demo_settings(load_settings(), tmp_path / "demo").model_copy(update=own), Moment.now()
    set_up(settings, [truth])
    roles = [Role.INGEST, Role.AGGREGATE] if far else [Role.INGEST, Role.DETECT, Role.CLASSIFY, Role.AGGREGATE]
    with short_folder() as folder, ExitStack() as stack:
        bus = stack.enter_context(closing(Bus(redis)))
        for role in ("detect", "classify") if far else ():
            process = stack.enter_context(Host(redis, folder / role).serve(role))
            until(at_work(bus, process))
        system = stack.enter_context(System(settings, worker_commands(settings, roles), port=0))
        system.wait_ready()

        def played_s() -> float:
            with closing_engine(settings) as engine:
                since_ns = Sites(engine).camera("entrance").playing_since_ns
            return 0.0 if since_ns is None else time.time() - since_ns / 1e9

        def over() -> TruthScore:
            [shown] = found(settings, [truth])
            return shown.matching.score

        def looked_after(condition: Callable[[], bool]) -> bool:
            system.check()
            return condition()

        until(lambda: looked_after(lambda: played_s() >= 12.0 + 9.5))
        # What comes late is waited for; what is missed for good is judged by what was lost.
        with suppress(AssertionError):
            until(lambda: looked_after(lambda: over().tracks == 4 and not over().missed), LATE_S)
        until(lambda: looked_after(lambda: bus.remote_frames(64).held <= 1))
        score = over()
    skip_where_others_work(start)
    cut = cut_short(lost_samples(settings), 4)
    assert score.tracks == 4
    assert score.right >= 4 - cut
    assert score.counted_twice <= cut
    assert score.invented_events == 0


@pytest.mark.slow
@pytest.mark.parametrize("role", ["ingest", "detect"])
def test_a_host_without_shared_memory_can_serve_unless_it_is_asked_for(role: str, redis: str) -> None:
    with short_folder() as folder, closing(Bus(redis)) as bus:
        nowhere = str(folder / "nowhere")
        with Host(redis, folder / "auto", MASKWATCH_SHM_DIR=nowhere).serve(role) as process:
            until(at_work(bus, process))
            [beat] = bus.heartbeats().values()
            assert beat.store == ""
            process.send_signal(signal.SIGTERM)
            assert process.wait(END_S) == 0
        host = Host(redis, folder / "shared", MASKWATCH_SHM_DIR=nowhere, MASKWATCH_FRAME_STORE="shared")
        with host.serve(role) as process:
            assert process.wait(END_S) == 1
        assert "MASKWATCH_SHM_DIR" in (folder / "shared" / f"{role}.log").read_text()
