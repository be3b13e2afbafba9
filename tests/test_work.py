"""Work queues: every entry is worked on, whoever dies with it in hand; what kills its workers is found out."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
import pytest

from storage.bench import Bench, Outcome
from storage.bus import Bus, BusError
from storage.messages import Found, FrameRef, Look, Lost, Result, Sample
from storage.pulse import Pulse
from storage.shift import MOST_DEATHS, work_through
from storage.work import CLAIM_IDLE_S, Task, WorkQueue

STREAM = "maskwatch:frames"
LIMIT_S = 60.0
WOKEN_S = 1.0 if os.environ.get("MASKWATCH_PROOF") else 20.0
"""Of a wait for a minute."""

Die = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here hangs on how soon Redis answers, or on how long a wait for what arrives may be."""
    monkeypatch.setattr("storage.link.ANSWER_LIMIT_S", 90.0)
    monkeypatch.setattr("storage.work.LONGEST_BLOCK_MS", 60_000)


def sample(seq: int) -> Sample:
    return Sample("c1", 1, seq, seq, Look.FULL, 24, FrameRef(seq + 1, 0, 4, 4), bytes(20), 8, 20)


def found(seq: int) -> Found:
    return Found.of(sample(seq), np.ones((2, 4), np.float32), np.ones(2, np.float32), np.ones((2, 6, 2), np.float32))


def result(seq: int) -> Result:
    return Result("c1", 1, seq, seq, 4, 4, Look.FULL)


def send(bus: Bus, count: int, first: int = 0) -> None:
    for seq in range(first, first + count):
        bus.send_sample(sample(seq))


def numbers(tasks: list[Task[Sample]]) -> list[tuple[int, bool]]:
    """Sequence number, and whether it is a second delivery."""
    return [(task.body.seq, task.redelivered) for task in tasks if task.body is not None]


def wait_until(condition: Callable[[], bool]) -> None:
    until_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < until_s, "it took too long"
        time.sleep(0.001)


def redelivered(queue: WorkQueue[Sample]) -> Task[Sample]:
    """What a worker under another name left behind, as soon as it has been idle for long enough."""
    until_s = time.monotonic() + LIMIT_S
    while not (tasks := queue.take(9, 10)):
        assert time.monotonic() < until_s, "nobody's task came back"
    assert [task.redelivered for task in tasks] == [True]
    return tasks[0]


def untouched(raw: Any, worker: str, tasks: Sequence[Task[Sample]]) -> None:
    """As if nobody had touched what a worker has in hand for longer than it takes to be taken over."""
    idle_ms = round(2000 * CLAIM_IDLE_S)
    raw.xclaim(STREAM, "workers", worker, 0, [task.id for task in tasks], idle=idle_ms, justid=True)


class Nursery:
    """A process that forks workers, each in an instant, for a short life."""

    PROGRAM = """
import json, os, signal, sys
from storage.bus import Bus
from storage.messages import Lost
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
def ready():
    print(os.getpid(), flush=True)
for line in sys.stdin:
    if os.fork() == 0:
        try:
            exec(json.loads(line))
            ready()
            signal.pause()
        finally:
            print("failed", flush=True)
            os._exit(1)
"""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def work(self, redis: str, name: str, program: str) -> int:
        """Start a worker that does something with its queue; its number once it said `ready`, or is through."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        head = f"queue = Bus({redis!r}).frames_queue({name!r}, claim_idle_s=0.05)\n"
        self.process.stdin.write(json.dumps(head + program) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def kill(self, worker: int) -> None:
        os.kill(worker, signal.SIGKILL)
        until_s = time.monotonic() + LIMIT_S
        with suppress(ProcessLookupError):
            while True:
                os.kill(worker, 0)
                assert time.monotonic() < until_s
                time.sleep(0.001)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.process.communicate()


@pytest.fixture
def die(redis: str, nursery: Nursery) -> Die:
    """A worker of this name does something with its queue, and is killed."""
    return lambda name, program: nursery.kill(nursery.work(redis, name, program))


def test_every_entry_is_given_to_one_worker_in_order(bus: Bus) -> None:
    send(bus, 5)
    one, two = bus.frames_queue("one"), bus.frames_queue("two")
    assert numbers(one.take(2, 0)) == [(0, False), (1, False)]
    assert numbers(two.take(9, 0)) == [(2, False), (3, False), (4, False)]
    assert one.take(9, 0) == two.take(9, 0) == []


def test_a_worker_that_waits_is_woken_by_what_arrives(bus: Bus, raw: Any) -> None:
    queue = bus.frames_queue("one")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(queue.take, 4, 60_000)
        wait_until(lambda: raw.info("clients")["blocked_clients"] == 1)
        began = time.monotonic()
        send(bus, 1)
        assert numbers(waiting.result()) == [(0, False)]
    assert time.monotonic() - began < WOKEN_S


def test_what_is_done_leaves_nothing_behind(bus: Bus, raw: Any) -> None:
    send(bus, 3)
    queue = bus.frames_queue("one")
    tasks = queue.take(2, 0)
    queue.deaths(tasks[0])
    queue.deaths(tasks[0])
    queue.done(tasks, found=[found(0)], messages=[result(1), Lost("c1", 1, 7, 8, 9)])
    assert raw.xlen(STREAM) == 1
    assert raw.xpending(STREAM, "workers")["pending"] == 0
    assert not raw.exists("maskwatch:hand:frames", "maskwatch:deaths:frames")
    assert [message for _, message in bus.read(0, "0-0", count=9, block_ms=0)] == [result(1), Lost("c1", 1, 7, 8, 9)]
    (task,) = bus.faces_queue("two").take(9, 0)
    assert task.body == found(0)
    assert [array.shape for array in task.body.arrays()] == [(2, 4), (2,), (2, 6, 2)]


def test_doing_nothing_is_nothing(bus: Bus, raw: Any) -> None:
    queue = bus.frames_queue("one")
    queue.done([])
    queue.keep_alive([])
    assert raw.keys() == []


def test_a_restarted_worker_first_gets_back_what_it_had_in_hand_one_at_a_time(bus: Bus) -> None:
    send(bus, 3)
    before = bus.frames_queue("one")
    done = before.take(3, 0)[1]
    before.done([done])
    send(bus, 2, first=3)
    after = bus.frames_queue("one")
    given = [numbers(after.take(9, 0)) for _ in range(4)]
    assert given == [[(0, True)], [(2, True)], [(3, False), (4, False)], []]


def test_a_killed_worker_s_entries_are_given_to_its_successor(die: Die, bus: Bus) -> None:
    send(bus, 3)
    die("one", "assert len(queue.take(2, 0)) == 2")
    queue = bus.frames_queue("one")
    assert [numbers(queue.take(9, 0)) for _ in range(3)] == [[(0, True)], [(1, True)], [(2, False)]]


def test_a_killed_worker_s_entries_are_claimed(die: Die, bus: Bus) -> None:
    send(bus, 12)
    die("one", "assert len(queue.take(12, 0)) == 12")
    queue = bus.frames_queue("two", claim_idle_s=0.1)
    assert bus.waiting("c1") == 0
    tasks = [redelivered(queue) for _ in range(12)]
    assert numbers(tasks) == [(seq, True) for seq in range(12)]
    assert bus.frames_queue("one").take(9, 0) == [], "they are another's now"


def test_entries_of_a_living_worker_are_left_to_it(bus: Bus, raw: Any) -> None:
    send(bus, 2)
    one = bus.frames_queue("one")
    tasks = one.take(2, 0)
    for _ in range(5):
        untouched(raw, "one", tasks)
        one.keep_alive(tasks)
        assert bus.frames_queue("two").take(9, 10) == []
    assert one.take(9, 0) == []
    untouched(raw, "one", tasks)
    assert numbers(bus.frames_queue("two").take(9, 10)) == [(0, True)], "of one that says nothing they are not"


def test_long_work_in_hand_is_not_claimed_from_oneself(bus: Bus) -> None:
    send(bus, 1)
    queue = bus.frames_queue("one", claim_idle_s=0.01)
    assert len(queue.take(1, 0)) == 1
    until_s = time.monotonic() + 0.2
    while time.monotonic() < until_s:
        assert queue.take(1, 10) == []


def test_keeping_alive_takes_nothing_back_from_who_took_over(bus: Bus, raw: Any) -> None:
    send(bus, 1)
    one, two = bus.frames_queue("one"), bus.frames_queue("two", claim_idle_s=0.01)
    late = one.take(1, 0)
    task = redelivered(two)
    one.keep_alive(late)
    (entry,) = raw.xpending_range(STREAM, "workers", "-", "+", 9)
    assert (entry["message_id"].decode(), entry["consumer"]) == (task.id, b"two")
    raw.delete(STREAM)
    one.keep_alive(late)


def test_only_deaths_with_the_marker_count(die: Die, bus: Bus) -> None:
    # The first to die had two in hand, so neither is blamed. After that they come one at a time.
    send(bus, 2)
    die("one", "queue.take(2, 0)")
    for deaths in range(3):
        die("one", f"task, = queue.take(9, 0)\nassert queue.deaths(task) == {deaths}, task")
    queue = bus.frames_queue("one")
    (culprit,) = queue.take(9, 0)
    assert queue.deaths(culprit) == 3
    queue.done([culprit], messages=[result(0)])
    (innocent,) = queue.take(9, 0)
    assert queue.deaths(innocent) == 0
    assert numbers([culprit, innocent]) == [(0, True), (1, True)]


def test_deaths_are_counted_whoever_takes_over(die: Die, bus: Bus) -> None:
    send(bus, 1)
    die("one", "queue.take(2, 0)")
    for number in range(3):
        take_over = "while not (tasks := queue.take(1, 10)): pass"
        die(f"worker-{number}", f"{take_over}\nassert queue.deaths(tasks[0]) == {number}")
    queue = bus.frames_queue("last", claim_idle_s=0.05)
    assert queue.deaths(redelivered(queue)) == 3


def test_a_worker_killed_before_done_has_sent_nothing_and_killed_after_it_has_sent_everything(
    die: Die, bus: Bus
) -> None:
    send(bus, 2)
    handing_over = "queue.done([task], messages=[Lost('c1', 1, 0, 0, 0)])"
    die("one", f"task, = queue.take(1, 0)\n{handing_over}\nqueue.take(1, 0)")
    assert [message for _, message in bus.read(0, "0-0", count=9, block_ms=0)] == [Lost("c1", 1, 0, 0, 0)]
    assert numbers(bus.frames_queue("one").take(9, 0)) == [(1, True)]


def test_after_any_number_of_kills_every_entry_is_done(redis: str, nursery: Nursery, bus: Bus, raw: Any) -> None:
    # Workers die at moments nobody chose, in the middle of whatever they do; every sample still comes out.
    program = """
ready()
while True:
    tasks = queue.take(2, 20)
    if tasks and tasks[0].redelivered:
        queue.deaths(tasks[0])
    queue.done(tasks, messages=[Lost("c1", 1, task.body.seq, task.body.seq, 0) for task in tasks])
"""
    samples, kills = 1000, 25
    send(bus, samples)
    generator = np.random.default_rng(3)
    for kill in range(kills):
        # Half of them come back under their own name, the others are claimed from.
        worker = nursery.work(redis, "one" if kill % 2 else f"other-{kill}", program)
        goal = bus.results_length(0) + int(generator.integers(1, 30))
        wait_until(lambda goal=goal: bus.results_length(0) >= min(goal, samples))  # type: ignore[misc]
        nursery.kill(worker)
    worker = nursery.work(redis, "last", program)
    wait_until(lambda: raw.xlen(STREAM) == 0)
    nursery.kill(worker)
    got = [message.first for _, message in bus.read(0, "0-0", count=9999, block_ms=0) if isinstance(message, Lost)]
    assert sorted(set(got)) == list(range(samples))
    # The last words of a dead worker may be heard only after its successor was given its two tasks.
    assert len(got) - samples <= 2 * kills
    assert raw.xpending(STREAM, "workers")["pending"] == 0
    assert not raw.exists("maskwatch:hand:frames", "maskwatch:deaths:frames")


def test_two_workers_that_both_finish_a_task_send_twice_and_hurt_nobody(bus: Bus, raw: Any) -> None:
    send(bus, 1)
    slow, quick = bus.frames_queue("slow"), bus.frames_queue("quick", claim_idle_s=0.01)
    late = slow.take(1, 0)
    quick.done([redelivered(quick)], messages=[result(0)])
    slow.done(late, messages=[result(0)])
    assert bus.results_length(0) == 2
    assert raw.xpending(STREAM, "workers")["pending"] == 0


def test_entries_that_were_removed_while_in_hand_are_forgotten(bus: Bus, raw: Any) -> None:
    # Redis 6.2 gives such entries as nil, again and again; see XAUTOCLAIM.
    send(bus, 4)
    tasks = bus.frames_queue("one").take(4, 0)
    raw.xdel(STREAM, tasks[0].id, tasks[2].id)
    claiming = bus.frames_queue("two", claim_idle_s=0.05)
    assert numbers([redelivered(claiming), redelivered(claiming)]) == [(1, True), (3, True)]
    assert claiming.take(9, 0) == []
    assert raw.xpending(STREAM, "workers")["pending"] == 2
    raw.xdel(STREAM, tasks[1].id, tasks[3].id)
    assert bus.frames_queue("two").take(9, 0) == []
    assert raw.xpending(STREAM, "workers")["pending"] == 0


def test_the_old_are_found_behind_many_that_are_in_good_hands(bus: Bus, raw: Any) -> None:
    send(bus, 45)
    busy, dead = bus.frames_queue("busy"), bus.frames_queue("dead")
    in_hand, left = busy.take(40, 0), dead.take(5, 0)
    untouched(raw, "busy", in_hand)
    untouched(raw, "dead", left)
    busy.keep_alive(in_hand)
    claiming = bus.frames_queue("claiming")
    assert numbers([redelivered(claiming) for _ in left]) == [(seq, True) for seq in range(40, 45)]
    assert claiming.take(9, 0) == []


def test_a_redis_that_lost_its_data_is_worked_with_as_a_new_one(bus: Bus, raw: Any) -> None:
    send(bus, 2)
    queue = bus.frames_queue("one")
    in_hand = queue.take(1, 0)
    raw.flushall()
    assert queue.take(1, 0) == []
    send(bus, 1, first=7)
    assert numbers(queue.take(9, 0)) == [(7, False)]
    queue.keep_alive(in_hand)
    queue.done(in_hand, messages=[result(0)])
    assert bus.results_length(0) == 1


def test_a_redis_that_loses_its_data_while_a_worker_waits_does_not_end_it(bus: Bus, raw: Any) -> None:
    queue = bus.frames_queue("one")
    assert queue.take(1, 0) == []
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(queue.take, 1, 2000)
        wait_until(lambda: raw.info("clients")["blocked_clients"] == 1)
        raw.flushall()
        send(bus, 1)
        got = waiting.result() or queue.take(1, 0)
    assert numbers(got) == [(0, False)]


def test_an_entry_that_can_t_be_understood_is_a_task_without_a_message(bus: Bus, raw: Any) -> None:
    bus.send_sample(msgspec.structs.replace(sample(0), version=9))
    raw.xadd(STREAM, {"c": "c1", "m": b"\xc1"})
    send(bus, 1, first=2)
    queue = bus.frames_queue("one")
    tasks = queue.take(9, 0)
    assert [task.body for task in tasks] == [None, None, sample(2)]
    queue.done(tasks)
    assert raw.xlen(STREAM) == 0


def test_with_a_full_redis_nothing_is_half_done(bus: Bus, raw: Any) -> None:
    send(bus, 1)
    queue = bus.frames_queue("one")
    tasks = queue.take(1, 0)
    raw.config_set("maxmemory", 1)
    with pytest.raises(BusError, match="is full: raise its maxmemory"):
        queue.done(tasks, found=[found(0)], messages=[result(0)])
    assert raw.xpending(STREAM, "workers")["pending"] == raw.xlen(STREAM) == 1
    with pytest.raises(BusError, match="is full"):
        queue.deaths(tasks[0])
    raw.config_set("maxmemory", 0)
    queue.done(tasks, found=[found(0)], messages=[result(0)])
    assert (raw.xlen(STREAM), raw.xlen("maskwatch:faces"), bus.results_length(0)) == (0, 1, 1)


def test_many_workers_share_a_queue_and_each_entry_is_given_once(redis: str, bus: Bus) -> None:
    samples, sent = 600, threading.Event()
    send(bus, samples // 2)

    def work(name: str) -> list[int]:
        own, got, over = Bus(redis), [], False
        queue = own.frames_queue(name)
        while not over:
            # Asked before the last look: what is sent in between is found by it.
            over = sent.is_set()
            while tasks := queue.take(3, 200):
                got += [seq for seq, _ in numbers(tasks)]
                queue.done(tasks)
        own.close()
        return got

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(work, f"worker-{number}") for number in range(4)]
        try:
            send(bus, samples // 2, first=samples // 2)
        finally:
            sent.set()
        assert sorted(seq for worker in workers for seq in worker.result()) == list(range(samples))


def test_what_is_handed_back_goes_to_who_comes_next_and_counts_its_hops(bus: Bus, raw: Any) -> None:
    send(bus, 2)
    blind, other = bus.frames_queue("blind"), bus.frames_queue("other")
    for hops in range(3):
        tasks = blind.take(9, 0)
        assert [(task.hops, task.redelivered) for task in tasks] == [(hops, False), (hops, False)]
        blind.hand_back(tasks)
    tasks = other.take(9, 0)
    assert [(task.body, task.hops) for task in tasks] == [(sample(0), 3), (sample(1), 3)]
    other.hand_back(tasks[:1], hop=False)
    assert [task.hops for task in other.take(9, 0)] == [3]
    assert raw.xlen(STREAM) == 2
    assert bus.shed_oldest("c1") is None, "both are in somebody's hand"
    blind.hand_back([])


def test_what_is_handed_back_can_still_be_shed(bus: Bus) -> None:
    send(bus, 1)
    queue = bus.frames_queue("blind")
    queue.hand_back(queue.take(1, 0))
    assert bus.shed_oldest("c1") == sample(0)


def test_what_somebody_took_over_is_not_handed_back_by_who_had_it(bus: Bus, raw: Any) -> None:
    send(bus, 1)
    slow, heir = bus.frames_queue("slow"), bus.frames_queue("heir", claim_idle_s=0.01)
    tasks = slow.take(1, 0)
    taken = redelivered(heir)
    slow.hand_back(tasks)
    assert raw.xlen(STREAM) == 1
    assert heir.take(1, 0) == []
    heir.done([taken])
    assert raw.xlen(STREAM) == 0


def test_deaths_stay_known_when_a_task_is_handed_back(bus: Bus) -> None:
    send(bus, 1)
    for number in range(3):
        queue = bus.frames_queue(f"w{number}", claim_idle_s=0.01)
        task = redelivered(queue) if number else queue.take(1, 0)[0]
        deaths = queue.deaths(task)
    assert deaths == 2
    queue.hand_back([task])
    again = bus.frames_queue("last").take(1, 0)
    assert bus.frames_queue("last").deaths(again[0]) == 2


def test_what_a_worker_sheds_is_counted_by_camera_until_it_is_counted_anew(bus: Bus, raw: Any) -> None:
    queue = bus.frames_queue("classify-0")
    queue.done([], messages=[Lost("c1", 1, 4, 6, 0), Lost("c2", 1, 9, 9, 0), result(7)])
    queue.done([], messages=[Lost("c1", 1, 8, 8, 0)])
    # What others lose on the way is not of this kind.
    bus.send([Lost("c3", 1, 0, 5, 0)])
    assert bus.shed_by_classify(["c3", "c2", "c1"]) == {"c1": 4, "c2": 1}
    assert bus.shed_by_classify([]) == {}
    assert 0 < raw.ttl("maskwatch:shed:c1") <= 7 * 24 * 3600
    bus.forget_shed(["c1", "c3"])
    bus.forget_shed([])
    assert bus.shed_by_classify(["c1", "c2"]) == {"c2": 1}


def test_a_last_try_that_takes_long_keeps_its_task_from_being_taken_over(
    bus: Bus, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.shift.KEEP_S", 0.05)
    send(bus, 1)
    pulse, queue = Pulse(), bus.frames_queue("detect-0")
    [task] = queue.take(1, 0)
    for deaths in range(MOST_DEATHS):
        assert queue.deaths(task) == deaths
    taken: list[Task[Sample]] = []

    def touched() -> bool:
        (entry,) = raw.xpending_range(STREAM, "workers", "-", "+", 9)
        return bool(entry["time_since_delivered"] < 1000 * CLAIM_IDLE_S)

    def rescue(_: Sample) -> Outcome:
        for _again in range(3):
            untouched(raw, "detect-0", [task])
            wait_until(touched)
            taken.extend(bus.frames_queue("detect-1").take(9, 10))
        pulse.stop()
        return Outcome(messages=(result(0),))

    bench = Bench(never, rescue, never, 1)
    work_through(bus.frames_queue("detect-0"), bench, pulse)
    assert taken == []
    assert [message for _, message in bus.read(0, "0-0", count=9, block_ms=0)] == [result(0)]


def never(*_: object) -> Outcome:
    raise AssertionError("only the last try is left")
