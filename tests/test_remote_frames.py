"""The frame store in Redis keeps what the one in memory keeps; which of them is used follows from who is there."""

import os
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from storage.bus import Bus, BusError
from storage.errors import SetupError, StorageError
from storage.frame_access import FrameAccess, choose
from storage.frames import FrameGoneError, FrameStore, create_store
from storage.messages import FrameRef
from storage.pixels import Way, from_bytes, to_bytes
from storage.pulse import Heartbeat
from storage.remote_frames import MOST_HELD, REMOTE, RemoteFrames
from tests.test_bus import Server

MIB = 1 << 20


@pytest.fixture
def remote(bus: Bus) -> RemoteFrames:
    return bus.remote_frames(16)


def noise(height: int = 300, width: int = 400, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def shades(height: int = 300, width: int = 400) -> NDArray[np.uint8]:
    """Like a real picture: neighbours differ little."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows % 256, columns % 256, (rows + columns) // 4 % 256], -1).astype(np.uint8)


def put(frames: RemoteFrames | FrameAccess, rgb: NDArray[np.uint8], *, live: bool = False) -> FrameRef:
    ref = frames.put(rgb, live=live)
    assert ref is not None
    return ref


@pytest.mark.parametrize("way", [Way.RAW, Way.PACKED])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (17, 33), (301, 203), (720, 1280)])
@pytest.mark.parametrize("make", [noise, shades])
def test_a_picture_of_footage_comes_back_bit_by_bit(way: Way, size: tuple[int, int], make: Any) -> None:
    rgb = make(*size)
    back = from_bytes(to_bytes(rgb, way), *size)
    assert np.array_equal(back, rgb)
    assert not back.flags.writeable


def test_packing_saves_room_or_is_left_out() -> None:
    assert len(to_bytes(shades(720, 1280), Way.PACKED)) < 720 * 1280
    assert to_bytes(noise(), Way.PACKED)[0] == Way.RAW


@pytest.mark.parametrize(
    "data",
    [b"", b"\1", b"\2", b"\3", b"\7abc", b"\2abc", b"\3\4abcdef", b"\1" + bytes(11), to_bytes(shades(4, 5), Way.JPEG)],
)
def test_what_is_no_picture_of_that_size_is_said(data: bytes) -> None:
    with pytest.raises(StorageError, match="a picture of 2x2 in Redis is damaged"):
        from_bytes(data, 2, 2)


def test_pictures_are_seen_by_everyone_on_that_redis(redis: str, remote: RemoteFrames) -> None:
    other = Bus(redis)
    footage, live = put(remote, noise()), put(remote, shades(), live=True)
    for frames in (remote, other.remote_frames(16)):
        assert np.array_equal(frames.view(footage), noise())
        assert np.abs(frames.view(live).astype(int) - shades()).mean() < 3
        assert frames.holds(footage)
    assert (footage.store, footage.live, live.live) == (REMOTE, False, True)
    other.close()


@pytest.mark.parametrize("rgb", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_picture_is_refused(remote: RemoteFrames, rgb: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="a picture is"):
        remote.put(rgb, live=True)


def test_a_released_picture_is_gone_and_its_room_is_free(remote: RemoteFrames, raw: Any) -> None:
    refs = [put(remote, noise(seed=seed), live=bool(seed % 2)) for seed in range(4)]
    remote.release([*refs, refs[0]])
    remote.release(refs)
    assert (remote.used_bytes, remote.held) == (0, 0)
    assert raw.keys("maskwatch:pixels:*") == []
    with pytest.raises(FrameGoneError, match="no longer in Redis"):
        remote.view(refs[0])
    assert not remote.holds(refs[0])


def test_bytes_and_number_are_bounded(remote: RemoteFrames, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    large = np.zeros((1024, 2048, 3), np.uint8)
    refs = [put(remote, large) for _ in range(2)]
    assert remote.put(large, live=False) is None
    assert bus.remote_frames(16).put(large, live=False) is None
    remote.release(refs[:1])
    put(remote, large)
    monkeypatch.setattr("storage.remote_frames.MOST_HELD", 3)
    put(remote, noise(5, 5))
    assert remote.put(noise(5, 5), live=False) is None
    assert MOST_HELD <= 1024


def test_what_can_never_fit_is_known(remote: RemoteFrames) -> None:
    assert remote.fits(1080, 1920)
    assert not remote.fits(3000, 3000)
    with pytest.raises(StorageError, match="no room for a picture of 3000x3000: raise MASKWATCH_FRAMES_MIB"):
        remote.put(np.zeros((3000, 3000, 3), np.uint8), live=True)


def test_no_more_than_half_of_a_small_redis_is_taken(bus: Bus, raw: Any) -> None:
    raw.config_set("maxmemory", 24 * MIB)
    remote = bus.remote_frames(160)
    taken = 0
    while remote.put(noise(500, 700, seed=taken), live=False) is not None:
        taken += 1
    assert 10 * MIB < remote.used_bytes <= 12 * MIB
    assert not remote.fits(2160, 3840)


def test_threads_together_take_no_more_than_there_is(redis: str) -> None:
    def fill(number: int) -> int:
        bus = Bus(redis)
        frames, taken = bus.remote_frames(16), 0
        while frames.put(noise(400, 500, seed=number), live=False) is not None:
            taken += 1
        bus.close()
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = sum(pool.map(fill, range(4)))
    assert taken == 16 * MIB // (400 * 500 * 3 + 1)


def test_live_pictures_go_by_age_and_those_of_footage_stay_once_sent(bus: Bus, raw: Any) -> None:
    remote = RemoteFrames(bus._link, bus._keys, 16, live_life_s=0.05)
    live, unsent, sent = put(remote, noise(), live=True), put(remote, noise()), put(remote, noise())
    remote.sent(live)
    remote.sent(sent)
    until(lambda: not remote.holds(live))
    assert remote.holds(sent)
    assert raw.ttl(f"maskwatch:pixels:{sent.token}") == -1
    assert 500 < raw.ttl(f"maskwatch:pixels:{unsent.token}") <= 600
    # The room of what is over is taken as soon as it is needed.
    while remote.put(noise(400, 500), live=False) is not None:
        pass
    assert raw.hget("maskwatch:pixels-held:sizes", live.token) is None


def test_what_a_dead_writer_did_not_send_goes_by_age(bus: Bus, raw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.remote_frames.UNSENT_LIFE_S", 0.05)
    remote = bus.remote_frames(16)
    large = np.zeros((1600, 2500, 3), np.uint8)
    unsent = put(remote, large)
    until(lambda: not remote.holds(unsent))
    assert put(remote, large)
    assert remote.held == 1


def test_what_could_not_be_released_is_released_later(remote: RemoteFrames, raw: Any, bus: Bus) -> None:
    ref = put(remote, noise())
    with pytest.MonkeyPatch.context() as away:
        away.setattr(remote, "_release", failing)
        remote.release([ref])
        assert remote.holds(ref)
    remote.release([])
    assert (remote.used_bytes, raw.keys("maskwatch:pixels:*")) == (0, [])


def test_a_full_redis_takes_no_pictures_and_lets_them_go(remote: RemoteFrames, raw: Any) -> None:
    refs = [put(remote, noise(seed=seed)) for seed in range(3)]
    raw.config_set("maxmemory", 1)
    with pytest.raises(BusError, match="is full"):
        remote.put(noise(seed=9), live=True)
    assert np.array_equal(remote.view(refs[1]), noise(seed=1))
    remote.release(refs)
    assert (remote.used_bytes, remote.held, raw.keys("maskwatch:pixels:*")) == (0, 0, [])
    raw.config_set("maxmemory", 0)
    put(remote, noise())


def test_a_damaged_picture_is_as_good_as_gone(remote: RemoteFrames, raw: Any) -> None:
    ref = put(remote, noise())
    raw.set(f"maskwatch:pixels:{ref.token}", b"\2nonsense")
    with pytest.raises(FrameGoneError, match="400x300 in Redis is damaged"):
        remote.view(ref)


def failing(*_: object) -> None:
    raise BusError("away")


def until(condition: Any, limit_s: float = 20.0) -> None:
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, "it took too long"
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("kind", "own", "seen", "shared"),
    [
        ("auto", "a", [], True),
        ("auto", "a", ["a", "a"], True),
        ("auto", "a", ["a", "b"], False),
        ("auto", "a", ["a", ""], False),
        ("auto", "", [""], False),
        ("redis", "a", ["a"], False),
        ("shared", "a", ["b"], True),
    ],
)
def test_pictures_go_into_shared_memory_while_all_see_it(kind: Any, own: str, seen: list[str], shared: bool) -> None:
    assert choose(kind, own, seen) is shared


class Hosts:
    """Hosts: each with a shared memory of its own, all on one Redis."""

    def __init__(self, bus: Bus, folder: Path) -> None:
        self.bus, self.folder = bus, folder

    def path(self, name: str) -> Path:
        return self.folder / name

    def access(self, name: str, kind: Any = "auto") -> FrameAccess:
        if not self.path(name).exists():
            create_store(self.path(name), 16)
        return FrameAccess(self.bus, self.path(name), 16, kind)

    def beat(self, worker: str, store: str) -> None:
        self.bus.beat(Heartbeat(worker, os.getpid(), time.time(), 0, None, store))


@pytest.fixture
def hosts(bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    monkeypatch.setattr("storage.frame_access.DECIDE_S", 0.0)
    return Hosts(bus, tmp_path)


def test_two_openings_of_one_memory_are_one_store_and_two_memories_are_two(hosts: Hosts) -> None:
    with hosts.access("a") as one, hosts.access("a") as same, hosts.access("b") as other:
        assert one.store == same.store != other.store
        assert np.array_equal(same.view(put(one, noise())), noise())


def test_where_pictures_go_follows_who_joins_and_leaves(hosts: Hosts) -> None:
    with hosts.access("a") as near, hosts.access("b") as far:
        hosts.beat("detect-0", near.store)
        before = put(near, noise())
        hosts.beat("classify-far-1", far.store)
        after = put(near, noise())
        # Who looks at no pictures does not count.
        assert (before.store, after.store) == (near.store, REMOTE)
        assert (far.sees(before), far.sees(after), near.sees(before), near.sees(after)) == (False, True, True, True)
        assert np.array_equal(far.view(after), noise())
        with pytest.raises(FrameGoneError, match="shared memory of another machine"):
            far.view(before)
        hosts.bus.leave("classify-far-1")
        hosts.beat("ingest-far", far.store)
        assert put(near, noise()).store == near.store
        assert np.array_equal(near.view(after), noise())


def test_who_can_t_release_a_picture_asks_those_who_can(hosts: Hosts) -> None:
    with hosts.access("a") as near, hosts.access("b") as far:
        mine, theirs, everybodys = put(near, noise()), put(far, noise()), near._remote.put(noise(), live=False)
        assert everybodys is not None
        far.release([mine, theirs, everybodys])
        assert near.holds(mine)
        assert not far.holds(theirs)
        assert not near.holds(everybodys)
        put(near, noise())
        assert not near.holds(mine)


def test_a_store_that_is_made_later_or_anew_is_found(hosts: Hosts) -> None:
    path = hosts.path("late")
    with FrameAccess(hosts.bus, path, 16) as frames:
        assert frames.store == ""
        assert put(frames, noise()).store == REMOTE
        create_store(path, 16)
        first = frames.store
        old = put(frames, noise())
        create_store(path, 16)
        assert frames.store not in {"", first}
        assert (put(frames, noise()).store, frames.sees(old)) == (frames.store, False)


def test_a_redis_that_hangs_holds_up_one_thread_at_a_time_and_no_heartbeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else every camera's thread would ask in its turn, and wait for as many answers that fail to come."""
    monkeypatch.setattr("storage.link.ANSWER_LIMIT_S", 1.0)
    create_store(tmp_path / "frames", 16)
    asking, others = list[int](), set[int]()
    most, over, heard = 0, threading.Event(), threading.Event()

    def seen() -> dict[str, str]:
        nonlocal most
        asking.append(threading.get_ident())
        most = max(most, len(asking))
        try:
            return stores_seen()
        finally:
            # It is kept waiting until all has been seen of the others.
            heard.wait(60)
            asking.pop()

    with tempfile.TemporaryDirectory(prefix="mw-") as folder:
        server = Server(Path(folder))
        bus = Bus(server.url)
        try:
            with FrameAccess(bus, tmp_path / "frames", 16) as frames, ThreadPoolExecutor(12) as pool:
                assert frames.fits(9, 9)
                server.stop()
                stores_seen = bus.stores_seen
                monkeypatch.setattr(bus, "stores_seen", seen)
                monkeypatch.setattr(frames, "_decide_s", 0.0)

                def work(number: int) -> None:
                    while not over.is_set():
                        before = list(asking)
                        frames.release([put(frames, noise(90, 120), live=True)])
                        if before and before == asking:
                            others.add(number)

                working = [pool.submit(work, number) for number in range(12)]
                try:
                    until(lambda: asking)
                    assert frames.store
                    until(lambda: len(others) == 11)
                    assert asking, "the others go by the last choice"
                finally:
                    over.set()
                    heard.set()
                for one in working:
                    one.result()
                assert most == 1
        finally:
            server.kill()
            bus.close()


def test_of_stores_that_were_made_anew_the_last_one_alone_stays_mapped(hosts: Hosts) -> None:
    with hosts.access("a") as frames:
        for _ in range(5):
            create_store(hosts.path("a"), 16)
            assert frames.store
        # A mapping has a handle of its own.
        assert (mapped(hosts.path("a")), opened(hosts.path("a"))) == (2, 4)
    assert (mapped(hosts.path("a")), opened(hosts.path("a"))) == (0, 0)


def mapped(path: Path) -> int:
    return Path("/proc/self/maps").read_text().count(str(path))


def opened(path: Path) -> int:
    count = 0
    for handle in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            count += str(handle.readlink()).startswith(str(path))
    return count


def test_a_store_is_gone_when_nobody_has_named_it_for_long(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.gone_stores.GONE_S", 0.3)
    with hosts.access("a") as near, hosts.access("b") as far:
        mine, theirs = put(near, noise()), put(far, noise())
        hosts.beat("ingest-far", far.store)
        began_s = time.monotonic()
        assert not near.gone(theirs)
        until(lambda: near.gone(theirs) or time.monotonic() > began_s + 0.5)
        assert not near.gone(theirs)
        hosts.bus.leave("ingest-far")
        left_s = time.monotonic()
        until(lambda: near.gone(theirs))
        assert time.monotonic() - left_s >= 0.3
        assert not near.gone(mine)
        assert not near.gone(FrameRef(1, 0, 9, 9, REMOTE))
        # While nobody asked, somebody may have been there.
        monkeypatch.setattr("storage.gone_stores.BEAT_LIFE_S", 0.0)
        assert not near.gone(theirs)


def test_shared_memory_that_is_asked_for_must_be_there(hosts: Hosts) -> None:
    with pytest.raises(SetupError, match="no frame store"):
        FrameAccess(hosts.bus, hosts.path("none"), 16, "shared")
    with hosts.access("a", "redis") as frames:
        assert (frames.store, put(frames, noise()).store) == ("", REMOTE)


def test_a_reference_of_an_earlier_version_means_the_memory_at_hand(hosts: Hosts) -> None:
    create_store(hosts.path("a"), 16)
    with FrameStore(hosts.path("a")) as store, hosts.access("a") as frames:
        ref = store.put(noise(), live=True)
        assert ref is not None
        assert np.array_equal(frames.view(FrameRef(ref.token, ref.block, ref.height, ref.width)), noise())
