"""The bus: what is sent arrives once, in order; what is shed nobody was given; trouble is said, and passes."""

import logging
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis import Redis

from infra.embedded import redis_command, redis_url, wait_for_socket
from storage.bus import Bus, BusError
from storage.link import _redacted
from storage.messages import Begin, End, Face, FrameRef, Look, Lost, Message, Result, Sample
from storage.pulse import Heartbeat
from storage.status import CameraState, CameraStatus, StateReason

PROOF = bool(os.environ.get("MASKWATCH_PROOF"))
WOKEN_S = 1.0 if PROOF else 20.0
"""Of a wait for a minute."""


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few tests hang on how soon Redis answers, and none on how long a wait for what arrives may be."""
    monkeypatch.setattr("storage.link.ANSWER_LIMIT_S", 90.0)
    monkeypatch.setattr("storage.bus.LONGEST_BLOCK_MS", 60_000)


class Server:
    """A Redis that can be killed, stopped for a while, and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self.url = redis_url(self.socket)
        self.start()

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        self.process = subprocess.Popen(redis_command(self.socket), stdout=subprocess.DEVNULL)
        wait_for_socket(self.socket, self.process)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@pytest.fixture
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="mw-") as folder:
        server = Server(Path(folder))
        try:
            yield server
        finally:
            server.kill()


def sample(seq: int, camera: str = "c1") -> Sample:
    frame = FrameRef(1000 + seq, 6 * seq, 1080, 1920)
    return Sample(camera, 1, seq, seq * 200_000_000, Look.MOTION, 24, frame, bytes(20), 8, 20)


def result(seq: int, camera: str = "c1") -> Result:
    face = Face((1, 2, 30, 40), 0.5, (0.1, 0.2, 0.7), 0.9, 0.8, 0.4, 0.0, bytes(range(64)))
    return Result(camera, 1, seq, seq, 1920, 1080, Look.FULL, (face,), None, FrameRef(seq + 1, 2, 3, 4))


def messages(bus: Bus, partition: int = 0) -> list[Message]:
    return [message for _, message in bus.read(partition, "0-0", count=1000, block_ms=0)]


def fill(raw: Any) -> None:
    """Let Redis have no memory left."""
    raw.config_set("maxmemory", 1)


def test_messages_arrive_as_they_were_sent_and_in_order(bus: Bus) -> None:
    sent: list[Message] = [
        Begin("c1", 1, 5, True, 10**9, 24, 200_000_000), result(0), Lost("c1", 1, 1, 4, 9), End("c1", 1, 5),
    ]  # fmt: skip
    bus.send(sent[:3])
    bus.send(sent[3:])
    bus.send([])
    assert messages(bus) == sent
    assert bus.results_length(0) == 4


def test_a_position_says_what_was_read(bus: Bus) -> None:
    bus.send([result(seq) for seq in range(5)])
    first = bus.read(0, "0-0", count=2, block_ms=0)
    rest = bus.read(0, first[-1][0], count=9, block_ms=0)
    assert [message.seq for _, message in first + rest if isinstance(message, Result)] == [0, 1, 2, 3, 4]
    assert bus.read(0, rest[-1][0], count=9, block_ms=1) == []


def test_trimming_removes_up_to_the_position_and_not_beyond(bus: Bus) -> None:
    bus.send([result(seq) for seq in range(5)])
    entries = bus.read(0, "0-0", count=9, block_ms=0)
    bus.trim(0, "0-0")
    assert bus.results_length(0) == 5
    bus.trim(0, entries[2][0])
    assert bus.read(0, "0-0", count=9, block_ms=0) == entries[3:]
    bus.trim(0, entries[4][0])
    assert bus.results_length(0) == 0


def test_a_reader_that_waits_is_woken_by_what_arrives(redis: str, bus: Bus, raw: Any) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(bus.read, 0, "0-0", count=1, block_ms=60_000)
        until(lambda: raw.info("clients")["blocked_clients"] == 1)
        began = time.monotonic()
        bus.send([result(0)])
        assert len(waiting.result()) == 1
        assert time.monotonic() - began < WOKEN_S


def test_a_camera_s_results_always_go_to_the_same_partition(redis: str) -> None:
    bus = Bus(redis, partitions=4)
    cameras = [f"c{number}" for number in range(40)]
    bus.send([result(0, camera) for camera in cameras])
    for partition in range(4):
        there = [message.camera for message in messages(bus, partition)]
        assert there == [camera for camera in cameras if bus.partition(camera) == partition]
        assert there, "forty cameras are spread over all four"
    assert [Bus(redis, partitions=4).partition(camera) for camera in ("c1", "c2", "c3")] == [1, 3, 1]
    bus.close()


def test_what_can_t_be_understood_is_passed_over_and_reported_once(
    bus: Bus, raw: Any, caplog: pytest.LogCaptureFixture
) -> None:
    other_version = msgspec.structs.replace(result(7), version=2)
    for body in (b"", b"\xc1", b"\x93\x01\x02\x03", msgspec.msgpack.encode({"type": "else"}), b"\x80" * 9):
        raw.xadd("maskwatch:results:0", {"m": body})
    raw.xadd("maskwatch:results:0", {"else": "where"})
    bus.send([other_version])
    with caplog.at_level(logging.WARNING):
        assert bus.read(0, "0-0", count=2, block_ms=0) == []
        bus.send([result(1)])
        assert messages(bus) == [result(1)]
        assert messages(bus) == [result(1)]
    assert len(caplog.records) == 7
    assert "it is of message version 2, not 1" in caplog.text


def test_the_identity_stays_until_redis_loses_its_data(redis: str, bus: Bus, raw: Any) -> None:
    before = bus.identity()
    other = Bus(redis)
    assert len(before) == 32
    assert other.identity() == bus.identity() == before
    other.close()
    raw.flushall()
    assert bus.identity() not in {before, ""}


def test_a_full_redis_still_tells_its_identity(bus: Bus, raw: Any) -> None:
    before = bus.identity()
    fill(raw)
    assert bus.identity() == before


def test_heartbeats_tell_who_is_alive(bus: Bus, raw: Any) -> None:
    beats = [Heartbeat(f"detect-{number}", 100 + number, 1.5, 7, None) for number in range(3)]
    assert bus.heartbeats() == {}
    for beat in beats:
        bus.beat(beat)
    bus.beat(msgspec.structs.replace(beats[0], done=8))
    assert bus.heartbeats()["detect-0"].done == 8
    assert (9000 if PROOF else 0) < raw.pttl("maskwatch:beat:detect-1") <= 10000
    raw.delete("maskwatch:beat:detect-1")
    raw.set("maskwatch:beat:detect-2", b"nonsense")
    assert list(bus.heartbeats()) == ["detect-0"]
    bus.beat(beats[1])
    assert list(bus.heartbeats()) == ["detect-0", "detect-1"]


def test_camera_states_are_kept_for_a_while(bus: Bus, raw: Any) -> None:
    status = CameraStatus(CameraState.BACKING_OFF, StateReason.WRONG_PASSWORD, 5, 0.0, 0.0, None, "arrival")
    bus.put_status("c1", status)
    assert bus.statuses(["c2", "c1"]) == {"c1": status}
    assert bus.statuses([]) == {}
    assert 0 < raw.ttl("maskwatch:status:c1") <= 10


def test_systems_that_share_a_redis_by_prefix_don_t_meet(redis: str, raw: Any) -> None:
    one, other = Bus(redis, prefix="a*"), Bus(redis, prefix="ab")
    for bus in (one, other):
        bus.send([result(1)])
        bus.send_sample(sample(1))
        bus.identity()
    assert one.shed_oldest("c1") == sample(1)
    one.clear()
    assert sorted(raw.keys()) == [b"ab:frames", b"ab:identity", b"ab:results:0"]
    one.close()
    other.close()


def test_the_oldest_sample_nobody_was_given_is_shed(bus: Bus) -> None:
    for seq in range(4):
        bus.send_sample(sample(seq))
        bus.send_sample(sample(seq, "c2"))
    queue = bus.frames_queue("detect-0")
    assert [task.body for task in queue.take(3, 0)] == [sample(0), sample(0, "c2"), sample(1)]
    assert (bus.waiting("c1"), bus.waiting("c2"), bus.waiting("c")) == (2, 3, 0)
    assert bus.shed_oldest("c1") == sample(2)
    assert bus.shed_oldest("c2") == sample(1, "c2")
    assert bus.shed_oldest("c1") == sample(3)
    assert bus.shed_oldest("c1") is None
    assert [task.body for task in queue.take(9, 0)] == [sample(2, "c2"), sample(3, "c2")]
    assert bus.shed_oldest("c2") is None


def test_samples_are_shed_before_any_worker_was_there(bus: Bus) -> None:
    assert (bus.waiting("c1"), bus.shed_oldest("c1")) == (0, None)
    bus.send_sample(sample(1))
    assert (bus.waiting("c1"), bus.shed_oldest("c1")) == (1, sample(1))
    assert bus.frames_queue("detect-0").take(1, 0) == []


def test_nothing_is_shed_while_few_enough_wait(bus: Bus) -> None:
    for seq in range(3):
        bus.send_sample(sample(seq))
    assert bus.shed_oldest("c1", keep=3) is None
    assert bus.shed_oldest("c1", keep=2) == sample(0)
    assert bus.shed_oldest("c1", keep=2) is None


def test_a_sample_that_can_t_be_understood_is_shed_without_being_counted(bus: Bus, raw: Any) -> None:
    raw.xadd("maskwatch:frames", {"c": "c1", "m": b"\xc1"})
    bus.send_sample(sample(1))
    assert bus.shed_oldest("c1") == sample(1)
    assert bus.waiting("c1") == 0


def test_what_is_shed_no_worker_is_ever_given_and_nothing_gets_lost(redis: str) -> None:
    # Workers, and cameras that send and shed, all at once: each sample ends with a worker, or is shed, never both.
    cameras, samples = ["c1", "c2", "c3"], 400
    stop = threading.Event()

    def send_and_shed(camera: str) -> list[Sample]:
        bus, shed = Bus(redis), []
        for seq in range(samples):
            bus.send_sample(sample(seq, camera))
            taken = bus.shed_oldest(camera, keep=seq % 3)
            if taken is not None:
                shed.append(taken)
        bus.close()
        return shed

    def detect(name: str) -> list[Sample]:
        bus, got, over = Bus(redis), [], False
        queue = bus.frames_queue(name)
        while not over:
            # Asked before the last look: what is sent in between is found by it.
            over = stop.is_set()
            while tasks := queue.take(2, 20):
                got += [task.body for task in tasks if task.body is not None]
                queue.done(tasks)
        bus.close()
        return got

    with ThreadPoolExecutor(6) as pool:
        workers = [pool.submit(detect, f"detect-{number}") for number in range(3)]
        senders = [pool.submit(send_and_shed, camera) for camera in cameras]
        try:
            shed = [sample for sender in senders for sample in sender.result()]
        finally:
            stop.set()
        given = [sample for worker in workers for sample in worker.result()]
    assert shed
    assert given
    both = [(sample.camera, sample.seq) for sample in shed + given]
    assert sorted(both) == [(camera, seq) for camera in cameras for seq in range(samples)]


def test_a_full_redis_is_said_and_can_still_be_emptied(bus: Bus, raw: Any) -> None:
    bus.send([result(0)])
    bus.send_sample(sample(0))
    bus.send_sample(sample(1))
    queue = bus.frames_queue("detect-0")
    fill(raw)
    for sending in (
        lambda: bus.send([result(1)]), lambda: bus.send([result(1), result(2)]), lambda: bus.send_sample(sample(2)),
        lambda: bus.beat(Heartbeat("a", 1, 1.0, 1)), bus.identity,
    ):  # fmt: skip
        with pytest.raises(BusError, match="is full: raise its maxmemory"):
            sending()
    assert bus.shed_oldest("c1") == sample(0)
    ((position, message),) = bus.read(0, "0-0", count=9, block_ms=0)
    assert message == result(0)
    bus.trim(0, position)
    raw.config_set("maxmemory", 0)
    bus.send([result(1), result(2)])
    assert messages(bus) == [result(1), result(2)]
    assert [task.body for task in queue.take(9, 0)] == [sample(1)]


def test_a_redis_that_goes_away_and_comes_back_is_used_again(server: Server) -> None:
    bus = Bus(server.url)
    queue = bus.frames_queue("detect-0")
    bus.send_sample(sample(0))
    assert bus.shed_oldest("c1") == sample(0)
    before = bus.identity()
    server.kill()
    for asking in everything(bus, queue):
        with pytest.raises(
            BusError, match=r"cannot reach Redis at unix:///.*running there, or correct MASKWATCH_REDIS_URL"
        ):
            asking()
    server.start()
    for asking in everything(bus, queue):
        asking()
    assert bus.identity() != before
    bus.send_sample(sample(7))
    assert [task.body for task in queue.take(1, 0)] == [sample(7)]
    bus.close()


def everything(bus: Bus, queue: Any) -> list[Callable[[], object]]:
    return [
        bus.ping, bus.identity, bus.heartbeats, bus.clear, lambda: queue.take(1, 0), lambda: bus.send([result(0)]),
        lambda: bus.send([result(0), result(1)]), lambda: bus.shed_oldest("c1"), lambda: bus.waiting("c1"),
        lambda: bus.read(0, "0-0", count=1, block_ms=5), lambda: bus.statuses(["c1"]), lambda: bus.trim(0, "5-5"),
        lambda: queue.take(1, 5), lambda: queue.keep_alive([]), lambda: queue.done([], messages=[result(1)]),
    ]  # fmt: skip


def test_a_redis_that_dies_ends_a_wait(server: Server) -> None:
    bus = Bus(server.url)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(bus.read, 0, "0-0", count=1, block_ms=60_000)
        client = Redis.from_url(server.url)
        until(lambda: client.info("clients")["blocked_clients"] == 1)
        client.close()
        server.kill()
        with pytest.raises(BusError):
            waiting.result()
    bus.close()


def test_a_redis_that_does_not_answer_is_waited_for_within_a_limit(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.link.ANSWER_LIMIT_S", 0.2)
    bus = Bus(server.url)
    until(lambda: answered(bus))
    server.stop()
    began = time.monotonic()
    for _ in range(2):
        with pytest.raises(BusError, match="it does not answer"):
            bus.ping()
    assert time.monotonic() - began < (2 if PROOF else 20)
    server.go_on()
    until(lambda: answered(bus))
    bus.close()


def test_what_got_lost_on_its_way_to_a_worker_is_given_to_it_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = Bus(server.url)
    monkeypatch.setattr("storage.link.ANSWER_LIMIT_S", 0.2)
    hasty = Bus(server.url)
    queue = bus.frames_queue("detect-0", claim_idle_s=600.0)
    for seq in range(3):
        bus.send_sample(sample(seq))
    in_hand = queue.take(1, 0)
    # Connected, so that what is asked for is all that gets lost.
    until(lambda: answered(hasty))
    server.stop()
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(queue, "_link", hasty._link)
        with pytest.raises(BusError, match="it does not answer"):
            queue.take(1, 0)
    server.go_on()
    assert [(task.body, task.redelivered) for task in queue.take(9, 0)] == [(sample(1), True)]
    assert [(task.body, task.redelivered) for task in queue.take(9, 0)] == [(sample(2), False)]
    assert in_hand[0].body == sample(0)
    hasty.close()
    bus.close()


def test_an_address_without_a_redis_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    bus = Bus(f"redis://user:hunter2@127.0.0.1:{port}/3")
    with pytest.raises(BusError) as caught:
        bus.ping()
    text = str(caught.value)
    assert f"cannot reach Redis at redis://user:***@127.0.0.1:{port}/3: " in text
    assert "MASKWATCH_REDIS_URL" in text
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(BusError, match=r"cannot reach Redis at unix:///nowhere/redis\.sock: .*No such file"):
        Bus("unix:///nowhere/redis.sock").ping()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:1/0", "redis://h:1/0"),
        ("redis://:secret@h", "redis://:***@h"),
        ("rediss://me:secret@h:1/2?a=b", "rediss://me:***@h:1/2?a=b"),
        ("redis://me:sec/re@t?@h:1", "redis://me:***@h:1"),
        ("unix:///a@b/c.sock?db=1&password=secret&x=y", "unix:///a@b/c.sock?db=1&password=***&x=y"),
        ("unix:///a:b@c/d.sock", "unix:///a:b@c/d.sock"),
        ("me:secret@h:1", "me:***@h:1"),
    ],
)
def test_addresses_are_shown_without_the_password(url: str, shown: str) -> None:
    assert _redacted(url) == shown


@pytest.mark.parametrize(
    "url", ["", "localhost", "http://localhost", "redis://host:port/0", "redis://:pw@host:99999/0"]
)
def test_what_is_no_address_is_said_with_an_example(url: str) -> None:
    with pytest.raises(BusError, match="MASKWATCH_REDIS_URL") as caught:
        Bus(url).ping()
    assert "pw@" not in str(caught.value)


def test_something_else_than_redis_is_not_waited_for_for_ever() -> None:
    def greet(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(100)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        pool.submit(greet, listener)
        with pytest.raises(BusError, match="cannot reach Redis at redis://127"):
            Bus(f"redis://127.0.0.1:{listener.getsockname()[1]}").ping()


def test_a_wrong_password_is_said_and_not_shown(redis: str, raw: Any) -> None:
    raw.config_set("requirepass", "right-one")
    for url in (redis, f"{redis}?password=wrong-one"):
        with pytest.raises(
            BusError, match="wants another user name or password: correct MASKWATCH_REDIS_URL"
        ) as caught:
            Bus(url).ping()
        assert "wrong-one" not in "".join(traceback.format_exception(caught.value))
    bus = Bus(f"{redis}?password=right-one")
    bus.ping()
    bus.close()


def test_a_key_that_is_used_by_others_is_said_in_one_sentence(bus: Bus, raw: Any) -> None:
    raw.set("maskwatch:frames", "mine")
    for asking in (lambda: bus.send_sample(sample(1)), lambda: bus.waiting("c1"), lambda: bus.shed_oldest("c1")):
        with pytest.raises(BusError, match="refuses a command"):
            asking()


def test_threads_share_a_bus(bus: Bus) -> None:
    def send(camera: str) -> None:
        for seq in range(40):
            bus.send([result(seq, camera)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, [f"c{number}" for number in range(8)]))
    got = [(message.camera, message.seq) for message in messages(bus) if isinstance(message, Result)]
    for number in range(8):
        assert [seq for camera, seq in got if camera == f"c{number}"] == list(range(40))


def answered(bus: Bus) -> bool:
    """Whether Redis answers within the limit that is set."""
    with suppress(BusError):
        bus.ping()
        return True
    return False


def until(condition: Callable[[], bool], limit_s: float = 20.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.002)
