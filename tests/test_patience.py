"""How a camera that is away is treated: waits, knocks, what stands still, and what hangs; without any camera."""

import socket
import threading
from dataclasses import dataclass

import numpy as np
import pytest

from ingest.frozen import Frozen
from ingest.hanging import HANG_S, Hanging
from ingest.knock import Door, rest
from ingest.options import Options
from ingest.patience import FIRST_S, LONGEST_S, LONGEST_THERE_S, PASSING, SPREAD, THERE_S, Patience
from ingest.standing import AWAY_S, Standing
from storage.database.records import Camera, Policy
from storage.networks import Networks
from storage.pulse import Pulse
from storage.status import CameraState, StateReason

NS = 1_000_000_000


def waits(patience: Patience, reason: StateReason | None, count: int, jitter: float = 0.0) -> list[float]:
    return [patience.after(reason, shown=False, jitter=jitter) for _ in range(count)]


# --- waits ---


def test_waits_double_from_one_second_to_sixty_without_end() -> None:
    least, most = (waits(Patience(), StateReason.NO_ROUTE, 2000, jitter) for jitter in (0.0, 1.0))
    assert least[:7] == [1, 2, 4, 8, 16, 32, 45]
    assert set(least[6:]) == {(1 - SPREAD) * LONGEST_S}
    assert most[:7] == [1.25, 2.5, 5, 10, 20, 40, 60]
    assert set(most[6:]) == {LONGEST_S}


@pytest.mark.parametrize("reason", [None, *StateReason])
@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_every_wait_is_between_one_second_and_sixty_and_spread_by_chance(
    reason: StateReason | None, jitter: float
) -> None:
    found = waits(Patience(), reason, 30, jitter)
    assert FIRST_S <= min(found) <= max(found) <= LONGEST_S
    other = waits(Patience(), reason, 30, 1.0 - jitter)
    assert (found == other) == (jitter == 0.5)


def test_a_wrong_password_is_tried_once_a_minute_from_the_start() -> None:
    assert waits(Patience(), StateReason.WRONG_PASSWORD, 3, 1.0) == [LONGEST_S] * 3


def test_a_camera_that_had_shown_a_picture_is_tried_again_soon() -> None:
    patience = Patience()
    waits(patience, StateReason.NOT_FOUND, 5)
    assert patience.after(StateReason.REFUSED, shown=True, jitter=0.0) == FIRST_S


@pytest.mark.parametrize("reason", sorted(PASSING))
def test_a_camera_that_is_there_but_shows_nothing_is_tried_often_for_ten_minutes(reason: StateReason) -> None:
    patience, passed_s = Patience(), 0.0
    while passed_s < THERE_S:
        wait_s = patience.after(reason, shown=False, jitter=1.0, tried_s=2.0)
        assert wait_s <= LONGEST_THERE_S
        passed_s += 2.0 + wait_s
    assert max(waits(patience, reason, 9, 1.0)) == LONGEST_S
    # Its picture, or its return after nobody answered, counts as a beginning.
    patience.after(reason, shown=True, jitter=1.0)
    assert max(waits(patience, reason, 9, 1.0)) == LONGEST_THERE_S
    patience.heard(False)
    assert max(waits(patience, reason, 99, 1.0)) == LONGEST_S
    patience.heard(True)
    assert max(waits(patience, reason, 9, 1.0)) == LONGEST_THERE_S


def test_who_answers_where_nobody_did_is_back_and_tried_soon_from_then_on() -> None:
    patience = Patience()
    waits(patience, StateReason.REFUSED, 8)
    assert not patience.heard(True)  # there all the while: it refuses us
    assert not patience.heard(False)
    assert patience.heard(True)
    assert not patience.heard(True)
    assert waits(patience, StateReason.REFUSED, 2) == [1, 2]


# --- knocks ---


def door_of(port: int, scheme: str = "rtsp") -> Door:
    return Door(f"{scheme}://user:geheim@127.0.0.1:{port}/1", Networks.parse("private").resolved)


def test_a_door_says_whether_somebody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert door_of(port).answers(talk=False)
        assert door_of(port, "http").answers(talk=True)  # no word for it
    assert not door_of(port).answers(talk=False)


def test_a_camera_that_takes_connections_and_says_nothing_does_not_answer() -> None:
    heard: list[bytes] = []

    def talk(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            heard.append(connection.recv(1000))
            connection.sendall(b"RTSP/1.0 200 OK\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        door = door_of(listening.getsockname()[1])
        assert not door.answers(talk=True)
        listening.accept()[0].close()
        thread = threading.Thread(target=talk, args=(listening,))
        thread.start()
        assert door.answers(talk=True)
        thread.join(5)
    assert heard[0].startswith(b"OPTIONS rtsp://127.0.0.1:")
    assert b"user" not in heard[0]
    assert b"geheim" not in heard[0]


def test_nobody_knocks_outside_the_networks_of_cameras() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        door = Door(f"rtsp://127.0.0.1:{listening.getsockname()[1]}/1", Networks.parse("10.0.0.0/8").resolved)
        assert not door.answers(talk=False)
        with pytest.raises(TimeoutError):
            listening.accept()


@pytest.mark.parametrize("url", ["file:clip.mp4", "0", "/dev/video0", "rtsp:///path"])
def test_what_is_not_in_the_network_has_no_door(url: str) -> None:
    with pytest.raises(ValueError, match="door"):
        Door(url, lambda host, _: host)


def test_a_long_rest_ends_when_somebody_answers_again_but_never_after_a_wrong_password() -> None:
    class Bell(Door):
        """Nobody answers the first knock."""

        knocks = 0

        def answers(self, *, talk: bool) -> bool:
            assert not talk
            self.knocks += 1
            return self.knocks > 1

    bell, patience = Bell("rtsp://127.0.0.1/1", lambda host, _: host), Patience(60.0)
    rest(Pulse(), patience, bell, StateReason.REFUSED, shown=False)
    assert bell.knocks == 2

    ending = Pulse()
    threading.Timer(0.2, ending.stop).start()
    rest(ending, patience, bell, StateReason.WRONG_PASSWORD, shown=False)
    assert bell.knocks == 2


# --- what stands still ---


def noise(seed: int) -> "np.ndarray[tuple[int, int], np.dtype[np.uint8]]":
    return np.random.default_rng(seed).integers(0, 255, (240, 320), np.uint8)


def test_a_picture_is_frozen_after_its_time_and_lives_again_with_a_single_bit() -> None:
    frozen, picture = Frozen(60), noise(0)
    assert not any(frozen.judge(picture, now_s) for now_s in range(60))
    assert frozen.judge(picture, 60.0)
    assert frozen.judge(picture.copy(), 60.2)
    picture[101, 203] ^= 1
    assert not frozen.judge(picture, 60.4)
    assert not any(frozen.judge(picture, now_s) for now_s in range(61, 120))
    assert frozen.judge(picture, 121.0)


@pytest.mark.parametrize("where", [(16, 32), (101, 203)])
def test_a_picture_of_which_one_pixel_flickers_is_never_frozen(where: tuple[int, int]) -> None:
    frozen, picture = Frozen(10), noise(0)
    for step in range(200):
        picture[where] = step % 251
        assert not frozen.judge(picture, step / 5)


def test_another_size_is_another_picture() -> None:
    frozen = Frozen(10)
    frozen.judge(np.zeros((96, 128), np.uint8), 0.0)
    assert not frozen.judge(np.zeros((192, 256), np.uint8), 10.0)


# --- how a camera stands ---


def standing() -> Standing:
    return Standing("rtsp://10.0.0.5/1", 0.0, 0)


def show(it: Standing, *times_s: float, frozen: bool = False) -> None:
    for time_s in times_s:
        it.shown(time_s, round(time_s * NS), frozen=frozen)


def test_silence_is_a_stall_and_two_pictures_end_it() -> None:
    it = standing()
    assert it.at(50.0).state is CameraState.CONNECTING
    it.connected(stalls=True)
    show(it, 60.0, 60.04, 60.08)
    assert it.at(60.08 + AWAY_S).state is CameraState.LIVE
    stalled = it.at(60.1 + AWAY_S)
    assert (stalled.state, stalled.reason) == (CameraState.STALLED, StateReason.TIMEOUT)
    assert stalled.since_ns == round(60.08 * NS)
    assert "10.0.0.5" in (stalled.detail or "")
    assert it.at(65.0, StateReason.NO_KEYFRAMES).reason is StateReason.NO_KEYFRAMES
    # The decoder lets go of its last picture when nothing follows.
    show(it, 63.0)
    assert it.at(63.0) == stalled
    show(it, 63.04)
    assert (it.at(63.05).state, it.at(63.05).since_ns) == (CameraState.LIVE, round(63.04 * NS))


def test_a_camera_that_shows_a_picture_now_and_then_is_given_its_time() -> None:
    it = standing()
    it.connected(stalls=True)
    show(it, *np.arange(0.0, 40.0, 2.0).tolist())
    assert it.at(42.0).state is CameraState.LIVE
    assert it.at(46.0).state is CameraState.STALLED
    it.connected(stalls=False)  # a folder that grows
    assert it.at(1e6).state is CameraState.LIVE


def test_a_frozen_camera_is_live_again_when_its_picture_changes() -> None:
    it = standing()
    it.connected(stalls=True)
    show(it, 0.0, 0.04)
    show(it, 0.08, 0.12, frozen=True)
    state = it.at(0.13)
    assert (state.state, state.reason, state.since_ns) == (CameraState.STALLED, StateReason.FROZEN, round(0.08 * NS))
    assert it.frozen
    show(it, 0.16)
    assert it.at(0.17).state is CameraState.LIVE


def test_packets_without_a_picture_are_a_stall_from_the_first_connection_on_and_only_while_it_stands() -> None:
    it = standing()
    it.connected(stalls=True)
    assert it.at(3.0).state is CameraState.CONNECTING
    stalled = it.at(4.0, StateReason.NO_KEYFRAMES)
    assert (stalled.state, stalled.reason, stalled.since_ns) == (CameraState.STALLED, StateReason.NO_KEYFRAMES, 0)
    assert "keyframe" in (stalled.detail or "")
    it.failed(StateReason.NO_KEYFRAMES, "none", 12 * NS)
    # What its last connection had to say is over with it.
    assert it.at(13.0, StateReason.NO_KEYFRAMES).state is CameraState.BACKING_OFF
    it.connected(stalls=True)
    assert it.at(14.0).state is CameraState.BACKING_OFF
    stalled = it.at(18.0, StateReason.NO_KEYFRAMES)
    assert (stalled.state, stalled.since_ns) == (CameraState.STALLED, 12 * NS)
    show(it, 19.0)
    assert it.at(19.0).state is CameraState.LIVE


def test_a_failure_keeps_its_time_while_it_stays_the_same() -> None:
    it = standing()
    it.failed(StateReason.REFUSED, "one", 5)
    it.failed(StateReason.REFUSED, "two", 9)
    assert (it.at(1.0).since_ns, it.at(1.0).detail) == (5, "two")
    it.failed(StateReason.TIMEOUT, "three", 11)
    assert it.at(1.0).since_ns == 11


# --- what hangs ---


@dataclass(eq=False)
class Somebody:
    """A camera's thread."""

    camera: Camera
    asked_s: float = 0.0


def somebody(name: str) -> Somebody:
    return Somebody(Camera(name, name, "b1", None, "0", None, True, True, 5, 24, (), Policy(), 1, 0))


def test_only_who_shows_no_sign_of_life_for_long_hangs() -> None:
    hanging, dead, lively, resting = Hanging(), somebody("dead"), somebody("lively"), somebody("resting")
    resting.asked_s = 1e9
    for turn in range(2 * round(HANG_S)):
        lively.asked_s = turn / 2
        assert hanging.turn([dead, lively, resting], 1 + turn / 2) is None
    for turn in range(4):
        found = hanging.turn([dead, lively, resting], 1 + HANG_S + turn / 2)
    assert found == "dead"
    dead.asked_s = HANG_S + 3
    assert hanging.turn([dead, lively, resting], HANG_S + 4) is None


def test_a_process_that_stood_still_as_a_whole_blames_nobody() -> None:
    hanging, one = Hanging(), somebody("one")
    one.asked_s = 0.9
    assert hanging.turn([one], 1.0) is None
    assert hanging.turn([one], 5000.0) is None


# --- who watches what ---


def test_every_camera_belongs_to_exactly_one_of_several_processes() -> None:
    processes = [Options("run", None, number=number, ingests=3) for number in range(3)]
    owners = [[process.number for process in processes if process.mine(f"c{index}")] for index in range(300)]
    assert all(len(owner) == 1 for owner in owners)
    assert {owner[0] for owner in owners} == {0, 1, 2}
    assert Options("run", None).mine("c1")
