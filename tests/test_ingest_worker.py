"""The ingest process: registered cameras become samples, whatever happens to the cameras."""

import os
import socket
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import redis as redis_client
from sqlalchemy import update
from structlog.testing import capture_logs

from infra.rtsp.server import RtspServer
from ingest.worker import House as Ingest
from storage.database.engine import writing
from storage.database.models import CameraRow
from storage.database.records import Started
from storage.errors import InvalidError
from storage.messages import NS_PER_S, Begin, End, Look, Result, Sample
from storage.status import CameraState, StateReason
from tests.ingest_house import House, numbers, until, write_clip

MS = 1_000_000
PASSWORD = "geheim"  # noqa: S105
PROOF = bool(os.environ.get("MASKWATCH_PROOF"))
STOP_S, STOP_CONNECTING_S = (1.5, 2.5) if PROOF else (8.0, 8.0)
MANY = 1000
"""Of a backlog that sheds nothing, however late its samples are taken."""


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file's frames are all samples where they are due, and no moment is silent, however long this machine stands still."""
    monkeypatch.setattr("ingest.played.LATE_NS", 60 * NS_PER_S)
    monkeypatch.setattr("ingest.sight.LAG_S", 60.0)


@pytest.fixture
def clip(house: House) -> Callable[..., Path]:
    """Write footage into the media folder, see `write_clip`."""

    def write(seconds: float, name: str = "clip.mp4") -> Path:
        return write_clip(house.media / name, seconds)

    return write


# --- files as cameras ---


@pytest.mark.usefixtures("whole")
def test_a_file_plays_as_a_live_camera_and_then_stands_still(house: House, clip: Callable[..., Path]) -> None:
    clip(1)
    camera = house.add("Door", "file:clip.mp4").id
    began_ns = time.time_ns()
    beats: list[int] = []
    house.start(send=lambda done, _: beats.append(done), backlog=MANY)
    until(lambda: house.of(camera) != [])
    heard_ns = time.time_ns()
    until(lambda: sum(sample.look is Look.NONE for sample in house.samples(camera)) > 5)
    until(lambda: house.until_state(camera, CameraState.LIVE).fps_analyzed > 5)
    until(lambda: max(beats, default=0) > 25)
    assert house.stop() < STOP_S
    messages = house.of(camera)
    begin = messages[0]
    assert isinstance(begin, Begin)
    assert (begin.epoch, begin.live, begin.dwell_ns, begin.min_face_px) == (1, True, 2 * NS_PER_S, 30)
    assert begin.sample_ns == NS_PER_S // 10
    assert began_ns <= begin.at_ns <= heard_ns
    samples = house.samples(camera)
    assert [end for end in messages if isinstance(end, End)] == [End(camera, 1, len(samples))]
    assert numbers(messages, 1) == list(range(len(samples)))
    assert samples[0].at_ns == begin.at_ns
    assert {sample.look for sample in samples[:10]} <= {Look.FULL, Look.MOTION}
    status = house.status(camera)
    assert status is not None
    assert status.clock == "file"
    assert status.last_frame_at_ns is not None


def test_what_a_run_sets_for_all_cameras_goes_before_each_one_s_own(house: House, clip: Callable[..., Path]) -> None:
    clip(1)
    camera = house.add("Door", "file:clip.mp4").id
    house.start(dwell_s=5.0, min_face_px=50)
    until(lambda: len(house.of(camera)) > 0)
    house.stop()
    begin = house.of(camera)[0]
    assert isinstance(begin, Begin)
    assert (begin.dwell_ns, begin.min_face_px) == (5 * NS_PER_S, 50)


@pytest.mark.usefixtures("whole")
def test_a_restarted_process_goes_on_where_the_file_would_be_and_a_new_run_begins_anew(
    house: House, clip: Callable[..., Path]
) -> None:
    clip(20)
    camera = house.add("Door", "file:clip.mp4").id
    house.start("run-1", backlog=MANY)
    until(lambda: len(house.samples(camera)) >= 10)
    house.stop()
    house.start("run-1", backlog=MANY)
    until(lambda: any(sample.epoch == 2 for sample in house.samples(camera)))
    house.stop()
    house.start("run-2", backlog=MANY)
    until(lambda: any(sample.epoch == 3 for sample in house.samples(camera)))
    house.stop()
    begins = {begin.epoch: begin.at_ns for begin in house.of(camera) if isinstance(begin, Begin)}
    samples = house.samples(camera)
    start_ns = begins[1]
    second = [sample.at_ns for sample in samples if sample.epoch == 2]
    assert all((at_ns - start_ns) % (40 * MS) < MS for at_ns in second)
    # Nothing is seen twice, and nothing is made up for the time between.
    assert begins[2] <= second[0] < begins[2] + NS_PER_S
    assert max(sample.at_ns for sample in samples if sample.epoch == 1) < second[0]
    assert next(sample.at_ns for sample in samples if sample.epoch == 3) == begins[3]


def test_a_file_that_is_gone_is_not_found_until_it_is_back(house: House, clip: Callable[..., Path]) -> None:
    path = clip(30)
    camera = house.add("Door", "file:clip.mp4").id
    path.rename(path.with_suffix(".away"))
    house.start()
    house.until_state(camera, CameraState.BACKING_OFF, StateReason.NOT_FOUND)
    path.with_suffix(".away").rename(path)
    house.until_state(camera, CameraState.LIVE)


def test_a_link_that_leads_out_of_the_media_folder_is_not_played(
    house: House, clip: Callable[..., Path], tmp_path: Path
) -> None:
    path = clip(1)
    camera = house.add("Door", "file:clip.mp4").id
    outside = path.rename(tmp_path / "outside.mp4")
    path.symlink_to(outside)
    house.start()
    house.until_state(camera, CameraState.BACKING_OFF, StateReason.NOT_FOUND)
    assert not [sample for sample in house.samples(camera) if isinstance(sample, Sample)]


# --- what is registered is followed ---


def test_cameras_that_are_added_changed_and_removed_are_followed(house: House, clip: Callable[..., Path]) -> None:
    clip(30)
    first = house.add("Door", "file:clip.mp4").id
    resting = house.add("Resting", "file:clip.mp4", enabled=False).id
    house.start()
    house.until_state(first, CameraState.LIVE)
    house.until_state(resting, CameraState.DISABLED)
    second = house.add("Window", "file:clip.mp4").id
    house.until_state(second, CameraState.LIVE)

    # What it is judged by changed: a new epoch goes on from the old one.
    with writing(house.engine) as connection:
        connection.execute(update(CameraRow).where(CameraRow.id == first).values(version=2, min_face_px=50))
    until(lambda: any(sample.epoch == 2 for sample in house.samples(first)))
    order = [message for message in house.of(first) if isinstance(message, Begin | End)]
    assert [(type(message), message.epoch) for message in order] == [(Begin, 1), (Begin, 2)]
    assert isinstance(order[1], Begin)
    assert (order[1].min_face_px, order[1].after) == (50, (1, len(numbers(house.of(first), 1))))

    house.sites.archive_camera(second)
    until(lambda: any(isinstance(message, End) for message in house.of(second)))
    house.stop()
    assert house.of(resting) == []
    for camera, epoch in ((first, 2), (second, 1)):
        ends = [end for end in house.of(camera) if isinstance(end, End)]
        assert [end.epoch for end in ends] == [epoch]
        assert numbers(house.of(camera), epoch) == list(range(ends[0].seq))


def test_a_camera_that_is_changed_while_it_still_begins_has_one_beginning(
    house: House, clip: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    clip(30)
    camera = house.add("Door", "file:clip.mp4").id
    begin_epoch = house.sites.begin_epoch
    asked: list[str] = []
    ingests: list[Ingest] = []
    turns: list[int] = []
    answered = threading.Event()

    def slowly(camera_id: str, run: str, now_ns: int) -> Started:
        asked.append(camera_id)
        answered.wait(60)
        return begin_epoch(camera_id, run, now_ns)

    monkeypatch.setattr(house.sites, "begin_epoch", slowly)
    house.start(send=lambda done, _: turns.append(done), attend=ingests.append)
    until(lambda: asked == [camera] and len(ingests) == 1 and camera in ingests[0].watched())
    old = ingests[0]._watches[camera]
    with writing(house.engine) as connection:
        connection.execute(update(CameraRow).where(CameraRow.id == camera).values(version=2, min_face_px=50))
    # The database answers after the old watch was given up; the others are told how it fares all the while.
    until(lambda: old._pulse.stopped)
    seen = len(turns)
    until(lambda: len(turns) >= seen + 3)
    assert asked == [camera]
    house.until_state(camera, CameraState.CONNECTING)
    answered.set()
    until(lambda: len(house.samples(camera)) > 5)
    house.stop()
    begins = [message for message in house.of(camera) if isinstance(message, Begin)]
    assert [(begin.epoch, begin.min_face_px) for begin in begins] == [(2, 50)]
    assert {message.epoch for message in house.of(camera)} == {2}
    assert asked == [camera, camera]


def test_a_bus_that_lost_what_it_held_gets_new_beginnings(house: House, clip: Callable[..., Path], redis: str) -> None:
    clip(30)
    camera = house.add("Door", "file:clip.mp4").id
    house.start()
    house.until_state(camera, CameraState.LIVE)
    house.messages()
    house._after = "0-0"
    client = redis_client.Redis.from_url(redis)
    client.flushall()
    client.close()
    until(lambda: any(isinstance(message, Begin) and message.epoch == 2 for message in house.messages()))
    until(lambda: any(sample.epoch == 2 for sample in house.samples(camera)))


def test_a_new_beginning_that_fails_is_tried_again(
    house: House, clip: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    clip(30)
    camera = house.add("Door", "file:clip.mp4").id
    house.start()
    house.until_state(camera, CameraState.LIVE)
    begin_epoch, failures = house.sites.begin_epoch, iter([RuntimeError("a library failed"), InvalidError("not now")])

    def failing(camera_id: str, run: str, now_ns: int) -> Started:
        if error := next(failures, None):
            raise error
        return begin_epoch(camera_id, run, now_ns)

    monkeypatch.setattr(house.sites, "begin_epoch", failing)
    monkeypatch.setattr(house.bus, "identity", lambda: "another Redis")  # which lost what it held
    until(lambda: any(sample.epoch == 2 for sample in house.samples(camera)))
    assert next(failures, None) is None


# --- cameras in the network ---


def test_a_camera_that_goes_away_and_comes_back_is_followed(house: House, clip: Callable[..., Path]) -> None:
    with RtspServer({"door": clip(2)}, user="guard", password=PASSWORD) as server, capture_logs() as logs:
        camera = house.add("Door", server.url("door")).id
        house.start(backlog=MANY)
        live = house.until_state(camera, CameraState.LIVE)
        assert live.clock == "rtcp"
        until(lambda: 20 < (house.status(camera) or live).fps_in < 30)

        server.refuse(True)
        server.drop_clients("door")
        away = house.until_state(camera, CameraState.BACKING_OFF, StateReason.REFUSED)
        assert away.since_ns > live.since_ns
        # While it is away, moments without a picture tell the aggregator that time goes on.
        until(lambda: sum(isinstance(one, Result) and one.failed is not None for one in house.samples(camera)) >= 2)

        server.refuse(False)
        back = house.until_state(camera, CameraState.LIVE)
        assert back.since_ns > away.since_ns
        seen = len(house.samples(camera))
        until(lambda: len(house.samples(camera)) > seen + 5)
        assert house.stop() < STOP_S
    samples = house.samples(camera)
    assert {sample.epoch for sample in samples} == {1}
    said = numbers(house.of(camera), 1)
    assert said == list(range(len(said)))
    times = [sample.at_ns for sample in samples]
    assert times == sorted(times)
    # The first picture after a gap is seen as a whole.
    away_at = [isinstance(sample, Result) and sample.failed is not None for sample in samples]
    firsts = [samples[at + 1].look for at, (one, other) in enumerate(pairwise(away_at)) if one and not other]
    assert firsts
    assert set(firsts) == {Look.FULL}
    assert any(entry["event"] == "camera is away" and entry["reason"] == "refused" for entry in logs)
    assert PASSWORD not in str(logs)


def test_a_wrong_password_is_said_and_tried_rarely(house: House, clip: Callable[..., Path]) -> None:
    with RtspServer({"door": clip(1)}, user="guard", password=PASSWORD) as server, capture_logs() as logs:
        camera = house.add("Door", server.url("door").replace(PASSWORD, "secret")).id
        house.start()
        first = house.until_state(camera, CameraState.BACKING_OFF, StateReason.WRONG_PASSWORD)
        silences = len(house.samples(camera))
        until(lambda: len(house.samples(camera)) > silences + 1)
        assert house.status(camera) == first
        house.stop()
    assert sum(entry["event"] == "camera is away" for entry in logs) == 1
    assert "secret" not in str(logs)


def test_other_cameras_go_on_while_one_hangs(house: House, clip: Callable[..., Path]) -> None:
    clip(30)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hanging = house.add("Silent", f"rtsp://127.0.0.1:{silent.getsockname()[1]}/door").id
        door = house.add("Door", "file:clip.mp4").id
        house.start()
        house.until_state(door, CameraState.LIVE)
        house.until_state(hanging, CameraState.CONNECTING)
        # Stopping does not wait for a connection that is being made, and the epoch ends all the same.
        assert house.stop() < STOP_CONNECTING_S
        assert any(isinstance(message, End) for message in house.of(hanging))
        house.start()
        house.until_state(hanging, CameraState.BACKING_OFF, StateReason.TIMEOUT)
        live = house.until_state(door, CameraState.LIVE)
        until(lambda: (house.status(door) or live).fps_in > 20)
