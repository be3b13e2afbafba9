"""The frame store: what is held stays as it was put, whoever dies; what is not held is never shown."""

import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from storage.errors import SetupError, StorageError
from storage.framefile import read_head, this_process
from storage.frames import BLOCK, FrameGoneError, FrameStore, create_store
from storage.messages import FrameRef

BLOCKS = 12

Turn = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "frames"
    create_store(path, BLOCKS)
    return path


@pytest.fixture
def store(path: Path) -> Iterator[FrameStore]:
    with FrameStore(path) as store:
        yield store


def picture(value: int = 7, height: int = 400, width: int = 500) -> NDArray[np.uint8]:
    """One block."""
    return np.full((height, width, 3), value, np.uint8)


def large(blocks: int, value: int = 1) -> NDArray[np.uint8]:
    return np.full((blocks * BLOCK // 3072, 1024, 3), value, np.uint8)


def put(store: FrameStore, rgb: NDArray[np.uint8], *, live: bool = True) -> FrameRef:
    ref = store.put(rgb, live=live)
    assert ref is not None
    return ref


def run(program: str, path: Path) -> "subprocess.Popen[bytes]":
    """A process that has mapped the store as `store`, and has its picture `pixels` of one block."""
    head = (
        "import sys, os, time, signal, random\nfrom pathlib import Path\nimport numpy as np\n"
        "from storage.frames import FrameStore\nfrom storage.messages import FrameRef\n"
        f"store = FrameStore(Path({str(path)!r}))\npixels = np.full((400, 500, 3), 9, np.uint8)\n"
    )
    return subprocess.Popen([sys.executable, "-c", head + program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def answer(process: "subprocess.Popen[bytes]") -> list[int]:
    assert process.stdout is not None
    return [int(word) for word in process.stdout.readline().split()]


def kill(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.communicate()


def test_a_picture_is_seen_as_it_was_put_by_every_process(path: Path, store: FrameStore) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (301, 203, 3), np.uint8)
    ref = put(store, rgb)
    with FrameStore(path) as other:
        assert np.array_equal(other.view(ref), rgb)
        assert other.holds(ref)


@pytest.mark.parametrize("turn", [lambda rgb: rgb[::-1, ::2], np.rot90, np.asfortranarray])
def test_a_picture_may_lie_in_memory_in_any_order(store: FrameStore, turn: Turn) -> None:
    rgb = turn(np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8))
    assert np.array_equal(store.view(put(store, rgb)), rgb)


@pytest.mark.parametrize(
    "rgb",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)],
)
def test_what_is_no_picture_is_refused(store: FrameStore, rgb: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="a picture is"):
        store.put(rgb, live=True)
    assert store.used_blocks == 0


def test_a_view_can_t_be_written_to(store: FrameStore) -> None:
    with pytest.raises(ValueError, match="read-only"):
        store.view(put(store, picture()))[0, 0, 0] = 1


def test_room_is_taken_in_whole_blocks_and_given_back(store: FrameStore) -> None:
    one, two = put(store, picture()), put(store, large(2))
    assert store.used_blocks == 3
    store.release([one, two])
    assert store.used_blocks == 0


def test_a_frame_takes_the_first_gap_that_is_wide_enough(store: FrameStore) -> None:
    refs = [put(store, large(blocks)) for blocks in (2, 1, 3, 1)]
    store.release([refs[0], refs[2]])
    assert put(store, large(3)).block == refs[2].block
    assert put(store, large(1)).block == 0


def test_a_full_store_has_no_room_and_an_emptied_one_has(store: FrameStore) -> None:
    refs = [put(store, picture(), live=False) for _ in range(BLOCKS)]
    assert store.put(picture(), live=True) is None
    assert [int(store.view(ref)[0, 0, 0]) for ref in refs] == [7] * BLOCKS
    store.release(refs[3:4])
    assert put(store, picture()).block == refs[3].block


def test_a_frame_that_can_never_fit_is_known_beforehand(store: FrameStore) -> None:
    assert store.fits(BLOCKS * BLOCK // 3072, 1024)
    assert not store.fits(BLOCKS * BLOCK // 3072 + 1, 1024)
    assert store.put(large(BLOCKS + 1), live=True) is None


def test_a_released_picture_is_gone_also_when_its_place_is_taken_again(store: FrameStore) -> None:
    old = put(store, picture(1))
    store.release([old])
    with pytest.raises(FrameGoneError, match="no longer in the frame store"):
        store.view(old)
    new = put(store, picture(2))
    assert new.block == old.block
    assert not store.holds(old)
    with pytest.raises(FrameGoneError):
        store.view(old)


def test_releasing_twice_frees_nobody_else_s_picture(store: FrameStore) -> None:
    old = put(store, picture(1))
    store.release([old, old])
    new = put(store, picture(2))
    store.release([old])
    assert store.view(new)[0, 0, 0] == 2


def test_a_reader_that_was_overtaken_learns_of_it(store: FrameStore) -> None:
    ref = put(store, picture(1))
    view = store.view(ref)
    store.release([ref])
    put(store, picture(2))
    assert view[0, 0, 0] == 2
    assert not store.holds(ref)


@pytest.mark.parametrize(
    "change",
    [
        {"token": 1}, {"token": 0}, {"block": 1}, {"block": -1}, {"block": BLOCKS}, {"block": 1 << 60},
        {"height": 401}, {"width": 499}, {"height": -400, "width": -500},
    ],
)  # fmt: skip
def test_a_reference_that_is_not_exactly_right_shows_nothing(store: FrameStore, change: dict[str, int]) -> None:
    ref = put(store, picture())
    put(store, picture())
    wrong = FrameRef(**{name: change.get(name, getattr(ref, name)) for name in ref.__struct_fields__})
    assert not store.holds(wrong)
    with pytest.raises(FrameGoneError):
        store.view(wrong)
    store.release([wrong])
    store.sent(wrong)
    assert store.holds(ref)


def test_a_reference_into_an_earlier_store_matches_nothing_in_the_next(path: Path) -> None:
    with FrameStore(path) as first:
        old = [put(first, picture(1)) for _ in range(BLOCKS)]
        create_store(path, BLOCKS)
        with FrameStore(path) as second:
            for _ in range(BLOCKS):
                put(second, picture(2))
            assert not any(second.holds(ref) for ref in old)
        assert all(first.holds(ref) for ref in old)


def test_what_is_in_use_stays_readable_after_closing(path: Path) -> None:
    with FrameStore(path) as store:
        view = store.view(put(store, picture(5)))
    assert int(view.sum()) == 5 * view.size


def test_a_live_picture_nobody_released_for_ten_minutes_makes_room_but_footage_never(path: Path) -> None:
    with FrameStore(path) as young, FrameStore(path, live_life_s=0.0) as late:
        footage, live = put(young, large(BLOCKS - 1), live=False), put(young, picture())
        young.sent(footage)
        young.sent(live)
        assert young.put(picture(), live=True) is None
        assert late.used_blocks == BLOCKS
        assert put(late, picture()).block == live.block
        assert late.holds(footage)
        assert not late.holds(live)


def test_what_a_process_put_and_had_not_sent_when_it_was_killed_makes_room(path: Path, store: FrameStore) -> None:
    process = run(
        "refs = [store.put(pixels, live=False) for _ in range(12)]\n"
        "[store.sent(ref) for ref in refs[:11]]\nprint(refs[11].token, refs[11].block, flush=True)\ninput()", path
    )  # fmt: skip
    token, block = answer(process)
    lost = FrameRef(token, block, 400, 500)
    assert store.put(picture(), live=True) is None, "its process lives"
    kill(process)
    assert store.holds(lost), "until the room is needed"
    assert put(store, picture()).block == block
    assert not store.holds(lost)
    assert store.put(picture(), live=True) is None, "what was sent is held for whoever got the message"


def test_a_process_that_follows_with_the_same_number_is_not_the_one_that_died(
    store: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = this_process()
    monkeypatch.setattr("storage.frames.this_process", lambda: me._replace(started=me.started - 1))
    put(store, large(BLOCKS))
    assert put(store, picture()).block == 0


def test_a_process_of_another_container_counts_as_alive(store: FrameStore, monkeypatch: pytest.MonkeyPatch) -> None:
    me = this_process()
    monkeypatch.setattr("storage.frames.this_process", lambda: me._replace(pid=1 << 21, space=me.space + 1))
    put(store, large(BLOCKS))
    assert store.put(picture(), live=True) is None


def test_a_process_killed_at_any_moment_leaves_a_store_that_works(path: Path, store: FrameStore) -> None:
    # Children are forked by a process of their own, as this one has threads; they die within 4 ms of work each.
    program = """
for _ in range(150):
    child = os.fork()
    if child == 0:
        while True:
            refs = [store.put(np.full((400 * random.randint(1, 3), 500, 3), 9, np.uint8), live=True) for _ in range(3)]
            store.release([ref for ref in refs if ref is not None])
    time.sleep(random.random() * 0.004)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    ref = store.put(pixels, live=False)
    assert ref is not None and (store.view(ref) == 9).all()
    store.release([ref])
print(1, flush=True)
"""
    process = run(program, path)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"1\n")
    ref = put(store, large(BLOCKS))
    assert store.used_blocks == BLOCKS
    store.release([ref])
    assert store.used_blocks == 0


def test_pictures_put_by_several_processes_and_threads_never_overlap(path: Path, store: FrameStore) -> None:
    # Each fills its pictures with a value of its own, lets others work, and finds them untouched.
    program = """
import threading
def work(value):
    held = []
    for turn in range(150):
        ref = store.put(np.full((random.randint(1, 1000), 500, 3), value, np.uint8), live=False)
        if ref is not None:
            held.append(ref)
            if turn % 2:
                store.sent(ref)
        if ref is None or len(held) > 2:
            random.shuffle(held)
            if held:
                assert (store.view(held[-1]) == value).all()
                store.release([held.pop()])
    assert all((store.view(ref) == value).all() for ref in held)
    store.release(held)
    done.append(value)
done = []
threads = [threading.Thread(target=work, args=(os.getpid() * 2 + side & 255,)) for side in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
sys.exit(len(done) != 2)
"""
    processes = [run(program, path) for _ in range(3)]
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert store.used_blocks == 0


def test_a_reader_with_an_old_reference_never_takes_another_picture_for_its_own(path: Path, store: FrameStore) -> None:
    # The writer releases at once, so that readers are overtaken all the time; their references come by a pipe.
    process = run(
        "for value in range(3000):\n"
        "    pixels[:] = value & 255\n"
        "    ref = store.put(pixels, live=True)\n"
        "    store.sent(ref)\n"
        "    print(ref.token, ref.block, value & 255, flush=True)\n"
        "    store.release([ref])\n",
        path,
    )
    seen = overtaken = 0
    while words := answer(process):
        ref = FrameRef(words[0], words[1], 400, 500)
        try:
            copy = store.view(ref).copy()
        except FrameGoneError:
            overtaken += 1
            continue
        if store.holds(ref):
            seen += 1
            assert (copy == words[2]).all()
        else:
            overtaken += 1
    process.communicate()
    assert seen + overtaken == 3000
    assert overtaken > 0


def test_threads_share_a_store(store: FrameStore) -> None:
    def work(value: int) -> bool:
        heights, right = np.random.default_rng(value), True
        for _ in range(60):
            ref = store.put(picture(value, int(heights.integers(1, 800))), live=True)
            if ref is not None:
                store.sent(ref)
                right &= bool((store.view(ref) == value).all())
                store.release([ref])
        return right

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    assert store.used_blocks == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "release", "sent", "release again"]), st.integers(1, 5), st.integers(0, 1 << 16)
        ),
        max_size=60,
    )
)
def test_a_store_is_like_a_list_of_pictures(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    path = tmp_path_factory.mktemp("store") / "frames"
    create_store(path, BLOCKS)
    with FrameStore(path) as store:
        held: list[tuple[FrameRef, int, int]] = []
        gone: list[FrameRef] = []
        for action, blocks, number in steps:
            if action == "put":
                ref = store.put(large(blocks, number % 256), live=False)
                taken = {place for _, first, length in _places(held) for place in range(first, first + length)}
                room = any(not taken & set(range(start, start + blocks)) for start in range(BLOCKS - blocks + 1))
                assert (ref is not None) == room
                if ref is not None:
                    assert not taken & set(range(ref.block, ref.block + blocks))
                    held.append((ref, number % 256, blocks))
            elif action == "release" and held:
                ref = held.pop(number % len(held))[0]
                store.release([ref])
                gone.append(ref)
            elif action == "sent" and held:
                store.sent(held[number % len(held)][0])
            elif action == "release again" and gone:
                store.release([gone[number % len(gone)]])
            assert store.used_blocks == sum(blocks for _, _, blocks in held)
            assert all((store.view(ref)[::37] == value).all() for ref, value, _ in held)
            assert not any(store.holds(ref) for ref in gone)


def _places(held: list[tuple[FrameRef, int, int]]) -> list[tuple[FrameRef, int, int]]:
    return [(ref, ref.block, blocks) for ref, _, blocks in held]


def test_a_forked_child_and_its_parent_exclude_each_other(path: Path, store: FrameStore) -> None:
    program = """
reading, writing = os.pipe()
child = os.fork()
value = 1 if child == 0 else 2
for _ in range(400):
    ref = store.put(np.full((400, 500, 3), value, np.uint8), live=False)
    assert (store.view(ref) == value).all()
    store.release([ref])
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    process = run(program, path)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert store.used_blocks == 0


def test_a_process_that_was_stopped_with_the_table_in_hand_hangs_nobody(
    path: Path, store: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.frames.LOCK_LIMIT_S", 0.05)
    with path.open("rb") as stopped:
        fcntl.flock(stopped, fcntl.LOCK_EX)
        with pytest.raises(StorageError, match=r"has been locked by another process for 0\.05 s: end processes"):
            store.put(picture(), live=True)
    put(store, picture())


def test_a_writer_waits_for_the_table_as_long_as_it_must(path: Path, store: FrameStore) -> None:
    with path.open("rb") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)
        writer = threading.Thread(target=put, args=(store, picture()))
        writer.start()
        writer.join(0.02)
        assert writer.is_alive()
    writer.join(5)
    assert store.used_blocks == 1


def test_the_store_is_for_this_user_alone_and_its_memory_is_reserved(path: Path) -> None:
    state = path.stat()
    assert stat.S_IMODE(state.st_mode) == 0o600
    assert state.st_blocks * 512 >= BLOCKS * BLOCK


def test_shared_memory_that_is_too_small_is_named_with_what_is_needed_and_what_to_do(tmp_path: Path) -> None:
    state = os.statvfs(tmp_path)
    size_mib = state.f_bavail * state.f_frsize // BLOCK + 100
    with pytest.raises(SetupError, match=r"\d+ MiB are needed, \d+ MiB are free: .*--shm-size.*MASKWATCH_FRAMES_MIB"):
        create_store(tmp_path / "frames", size_mib)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"cannot make the frame store .*: No such file"):
        create_store(tmp_path / "missing" / "frames", 1)


def test_a_store_that_is_missing_damaged_or_something_else_is_said_in_one_sentence(tmp_path: Path, path: Path) -> None:
    with pytest.raises(SetupError, match=r"there is no frame store at .*maskwatch up"):
        FrameStore(tmp_path / "none")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(SetupError, match="is not a frame store"):
        FrameStore(tmp_path / "text")
    with path.open("r+b") as file:
        file.truncate(BLOCK)
    with pytest.raises(SetupError, match="is damaged"):
        FrameStore(path)
    with path.open("r+b") as file:
        file.seek(8)
        file.write(b"\3")
    with pytest.raises(SetupError, match="another version"):
        read_head(path)
    with pytest.raises(SetupError, match="cannot use the frame store"):
        FrameStore(tmp_path)


def test_a_copy_that_is_interrupted_leaves_no_holding(store: FrameStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    rgb = picture()
    monkeypatch.setattr("storage.frames.np.copyto", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.put(rgb, live=True)
    assert store.used_blocks == 0


def test_a_stopped_worker_s_unsent_picture_is_kept_for_when_it_goes_on(path: Path, store: FrameStore) -> None:
    process = run("ref = store.put(pixels, live=True)\nprint(ref.token, ref.block, flush=True)\ninput()", path)
    token, block = answer(process)
    os.kill(process.pid, signal.SIGSTOP)
    while (held := store.put(picture(), live=False)) is not None:
        store.sent(held)
    assert store.holds(FrameRef(token, block, 400, 500))
    kill(process)
    assert put(store, picture()).block == block
