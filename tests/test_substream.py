"""A camera's sub-stream says when nothing moves; then its main stream is not decoded, and nothing that moves is missed."""

import itertools
import os
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import update

from infra.rtsp.process import RtspProcess
from infra.rtsp.server import RtspServer
from ingest.decoding import Decoding, Packet
from ingest.frame import Frame
from ingest.sight import Shown, Sight
from storage.database.engine import writing
from storage.database.models import CameraRow
from storage.database.records import NewCamera, Policy
from storage.messages import NS_PER_S, Look, Lost, Result, Sample
from storage.status import CameraState
from tests.ingest_house import House, numbers, until
from tests.stalls import Stalls

PROOF = bool(os.environ.get("MASKWATCH_PROOF"))
SLACK = 1.0 if PROOF else 5.0
"""By how much longer everything may take where other tests share the processor."""

FPS = 10
GOP = 10
MAIN, SUB = (288, 512), (180, 320)
QUIET_S = 4.0
PERSON_S = (1.5, 3.0)
"""When somebody is in the picture of the clip `walk`: from and to; not from a keyframe on."""


def write_scene(path: Path, size: tuple[int, int], person_s: tuple[float, float] | None, gop: int = GOP) -> Path:
    """A noisy picture, in which somebody walks or not; main stream and sub-stream show the same, at their sizes."""
    rng = np.random.default_rng(7)
    texture = cv2.GaussianBlur(rng.integers(40, 200, (288, 512), np.uint8), (0, 0), 6)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", FPS)
        stream.height, stream.width = size
        stream.pix_fmt, stream.gop_size = "yuv420p", gop
        stream.options = {"bf": "0", "preset": "ultrafast", "sc_threshold": "0"}
        for index in range(round(FPS * QUIET_S)):
            picture = texture + rng.integers(0, 5, texture.shape, np.uint8)
            if person_s is not None and person_s[0] <= index / FPS < person_s[1]:
                x = 20 + 25 * (index - round(FPS * person_s[0]))
                cv2.rectangle(picture, (x, 60), (x + 60, 240), 250, -1)
            grey = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
            frame = av.VideoFrame.from_ndarray(np.repeat(grey[:, :, None], 3, axis=2), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@dataclass
class Scenes:
    """Clips by name, each as (main stream, sub-stream)."""

    quiet: tuple[Path, Path]
    walk: tuple[Path, Path]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    folder = tmp_path_factory.mktemp("scenes")

    def pair(name: str, person_s: tuple[float, float] | None) -> tuple[Path, Path]:
        return (
            write_scene(folder / f"{name}-main.mp4", MAIN, person_s),
            write_scene(folder / f"{name}-sub.mp4", SUB, person_s),
        )

    return Scenes(pair("quiet", None), pair("walk", PERSON_S))


@dataclass
class Watched:
    """What was done with the streams, by the name of the stream or the identifier of the camera.

    Attributes:
        decoded: packets given to the decoder, by stream.
        pictures: checksums of the luma of all frames, by camera.
        samples: checksums of the luma of all samples with a picture, by camera.
    """

    decoded: dict[str, int] = field(default_factory=dict)
    pictures: dict[str, list[int]] = field(default_factory=dict)
    samples: dict[str, list[int]] = field(default_factory=dict)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    seen = Watched()
    decode, take = Decoding.pictures, Sight.take

    def counted(self: Decoding, packet: Packet) -> list[av.VideoFrame]:
        name = self._name.rpartition("/")[2]
        seen.decoded[name] = seen.decoded.get(name, 0) + 1
        return decode(self, packet)

    def noted(self: Sight, frame: Frame) -> Shown:
        shown = take(self, frame)
        checksum = zlib.crc32(np.ascontiguousarray(frame.luma()).data)
        seen.pictures.setdefault(self._camera, []).append(checksum)
        if shown is Shown.SAMPLE:
            seen.samples.setdefault(self._camera, []).append(checksum)
        return shown

    monkeypatch.setattr(Decoding, "pictures", counted)
    monkeypatch.setattr(Sight, "take", noted)
    return seen


@dataclass
class Scene:
    """A camera with two streams, `main` and `sub`, on a server of ours, and the process that watches it."""

    house: House
    server: RtspServer
    watched: Watched
    scenes: Scenes
    stalls: Stalls

    def add(self, name: str, sub: str | None = "sub") -> str:
        url = None if sub is None else self.server.url(sub)
        camera = NewCamera(name, self.house.building, self.server.url("main"), substream_url=url, policy=Policy())
        return self.house.sites.add_camera(camera).id

    def play(self, clips: tuple[Path, Path]) -> None:
        for name, clip in zip(("main", "sub"), clips, strict=True):
            self.server.switch(name, clip)

    def decoded(self) -> int:
        return self.watched.decoded.get("main", 0)

    def until_idle(self, camera: str) -> None:
        """Wait until no more of it is decoded than full looks."""

        def idle() -> bool:
            before, count = self.decoded(), len(self.house.samples(camera))
            until(lambda: len(self.house.samples(camera)) >= count + 5)
            return self.decoded() - before <= 1

        until(idle, 40)

    def until_quiet(self, camera: str) -> None:
        """Wait until the latest samples are none to be looked at, but for full looks."""

        def quiet() -> bool:
            latest = self.house.samples(camera)[-8:]
            return not any(isinstance(sample, Sample) and sample.look is Look.MOTION for sample in latest)

        until(quiet, 30)

    def gaps_s(self, camera: str) -> list[float]:
        """Between one sample and the next."""
        times = [sample.at_ns for sample in self.house.samples(camera)]
        return [(after - before) / NS_PER_S for before, after in itertools.pairwise(times)]

    def whole(self, camera: str) -> None:
        """Nothing of it is lost, and all is in order."""
        status = self.house.status(camera)
        assert status is not None
        messages = self.house.of(camera)
        said = numbers(messages, 1)
        assert said == list(range(len(said)))
        gaps = self.gaps_s(camera)
        assert min(gaps) > 0
        if self.stalls.calm:
            assert status.drops == {}
            assert not [message for message in messages if isinstance(message, Lost)]
            # A full look takes the place of the sample after it.
            assert max(gaps) < 0.5


@pytest.fixture
def scene(house: House, scenes: Scenes, watched: Watched) -> Iterator[Scene]:
    main, sub = scenes.quiet
    with RtspServer({"main": main, "sub": sub}) as server, Stalls(house.bus.ping) as stalls:
        yield Scene(house, server, watched, scenes, stalls)
        house.stop()


def change(house: House, camera: str, **values: object) -> None:
    """Change a camera as the registry does; addresses without a password are not encrypted."""
    with writing(house.engine) as connection:
        row = {**values, "version": CameraRow.version + 1}
        connection.execute(update(CameraRow).where(CameraRow.id == camera).values(row))


def looks(house: House, camera: str, look: Look) -> list[int]:
    """Capture times of the samples that are looked at like this."""
    return [sample.at_ns for sample in house.samples(camera) if isinstance(sample, Sample) and sample.look is look]


@pytest.mark.slow
def test_while_nothing_moves_little_is_decoded_and_whoever_comes_is_seen_from_the_first_picture_on(
    scene: Scene,
) -> None:
    house = scene.house
    gated = scene.add("Gated")
    house.start()
    scene.until_idle(gated)
    # All of a camera without a sub-stream is decoded: what it is compared with.
    plain = scene.add("Plain", sub=None)
    until(lambda: len(house.samples(plain)) > 15)
    began_ns = house.samples(plain)[14].at_ns
    scene.play(scene.scenes.walk)
    until(lambda: len(looks(house, gated, Look.MOTION)) >= 5)
    scene.play(scene.scenes.quiet)
    scene.until_quiet(plain)
    scene.whole(gated)
    scene.whole(plain)
    moved = {camera: [at for at in looks(house, camera, Look.MOTION) if at > began_ns] for camera in (gated, plain)}
    if scene.stalls.calm:
        first, last = moved[plain][0], moved[plain][-1]
        assert abs(moved[gated][0] - first) <= 0.25 * NS_PER_S
        assert abs(moved[gated][-1] - last) <= 0.45 * NS_PER_S
        assert abs(len(moved[gated]) - len(moved[plain])) <= 2
    # Bit by bit what a decoder sees that was never interrupted.
    assert set(scene.watched.samples[gated][-10:]) <= set(scene.watched.pictures[plain])


def until_decoded(scene: Scene, limit_s: float) -> None:
    """Wait until more of the main stream is decoded than full looks; it has so many seconds for that."""
    before = scene.decoded()
    until(lambda: scene.decoded() - before >= 5, limit_s)


@pytest.mark.slow
def test_a_sub_stream_that_fails_is_not_believed_for_a_second_and_nothing_is_lost(scene: Scene) -> None:
    house, server = scene.house, scene.server
    camera = scene.add("Door")
    house.start(frozen_s=2.0)

    def warned() -> bool:
        status = house.status(camera)
        return status is not None and any(one.startswith("substream: all of") for one in status.warnings)

    def refuse() -> None:
        server.refuse(True)
        server.drop_clients("sub")

    troubles: dict[str, Callable[[], object]] = {
        "sends nothing": lambda: server.stall("sub"),
        "shows the same again and again": lambda: server.freeze("sub"),
    }
    if PROOF:
        troubles |= {"vanishes": lambda: server.drop_clients("sub")}
        troubles |= {"loses all packets": lambda: server.corrupt("sub", 0.0, drop=1.0), "refuses": refuse}
    for name, begin in troubles.items():
        scene.until_idle(camera)
        if name == "shows the same again and again":
            # Like any other until it has been the same for too long: `frozen_s`.
            begin()
            until_decoded(scene, 4.0 * SLACK)
        else:
            begin()
            until_decoded(scene, 1.6 * SLACK)
        if name != "vanishes":
            until(warned)
        server.refuse(False)
        server.resume("sub")
    scene.until_idle(camera)
    until(lambda: not warned())
    status = house.status(camera)
    assert status is not None
    assert status.state is CameraState.LIVE
    assert status.reconnects == 0 or not scene.stalls.calm
    scene.whole(camera)


@pytest.mark.slow
def test_another_sub_stream_or_none_takes_effect_within_two_seconds_on_the_connection_that_is_there(
    scene: Scene,
) -> None:
    house, url = scene.house, scene.server.url("sub")
    camera = scene.add("Door")
    house.start()
    scene.until_idle(camera)
    change(house, camera, substream_url=None)
    until_decoded(scene, 2.6 * SLACK)
    until(lambda: scene.server.viewers("sub") == 0)
    change(house, camera, substream_url=url)
    until(lambda: scene.server.viewers("sub") == 1, 2.0 * SLACK)
    scene.until_idle(camera)
    # It is said once a second.
    until(lambda: (status := house.status(camera)) is not None and not status.warnings)
    status = house.status(camera)
    assert status is not None
    assert status.reconnects == 0 or not scene.stalls.calm
    scene.whole(camera)
    house.stop()
    until(lambda: scene.server.connections == 0)


@pytest.mark.slow
def test_an_idle_camera_that_goes_away_is_said_to_be_and_idles_again_when_it_is_back(scene: Scene) -> None:
    house = scene.house
    camera = scene.add("Door")
    house.start()
    scene.until_idle(camera)
    latest_ns = house.samples(camera)[-1].at_ns
    scene.server.drop_clients("main")
    until(lambda: house.samples(camera)[-1].at_ns > latest_ns + 2 * NS_PER_S)
    # What had come before the end was not lost with the connection.
    gaps = scene.gaps_s(camera)
    assert max(gaps) < 2.0 * SLACK
    scene.until_idle(camera)
    status = house.status(camera)
    assert status is not None
    assert status.state is CameraState.LIVE
    assert (status.reconnects, status.drops) == (1, {}) or not scene.stalls.calm
    scene.server.stall("main")
    until(lambda: (found := house.status(camera)) is not None and found.state is not CameraState.LIVE, 5 * SLACK)
    scene.server.resume("main")
    house.until_state(camera, CameraState.LIVE)
    scene.until_idle(camera)
    said = numbers(house.of(camera), 1)
    assert said == list(range(len(said)))
    assert len(said) == len(house.samples(camera)) or not scene.stalls.calm


@pytest.mark.slow
def test_a_quiet_camera_of_1080p25_costs_less_with_a_sub_stream(house: House, tmp_path: Path) -> None:
    texture = cv2.GaussianBlur(np.random.default_rng(7).integers(40, 200, (1080, 1920), np.uint8), (0, 0), 3)
    clips = {"main": tmp_path / "main.mp4", "sub": tmp_path / "sub.mp4"}
    for name, size in (("main", (1080, 1920)), ("sub", (360, 640))):
        write_still(clips[name], cv2.resize(texture, size[::-1], interpolation=cv2.INTER_AREA).astype(np.uint8))
    with RtspProcess(clips) as server:
        url = f"rtsp://127.0.0.1:{server.port}/"
        camera = NewCamera("Door", house.building, f"{url}main", substream_url=f"{url}sub", policy=Policy())
        name = house.sites.add_camera(camera).id
        house.start()

        def used_s() -> float:
            """CPU time of the camera's threads so far."""
            threads = [one for one in threading.enumerate() if one.name in {f"camera-{name}", f"substream-{name}"}]
            return sum(time.clock_gettime(time.pthread_getcpuclockid(one.ident or 0)) for one in threads)

        def cost() -> float:
            """Of a core, over some seconds."""
            before_s, began_s, first_ns = used_s(), time.monotonic(), house.samples(name)[-1].at_ns
            until(lambda: house.samples(name)[-1].at_ns >= first_ns + 4 * NS_PER_S, 20)
            return (used_s() - before_s) / (time.monotonic() - began_s)

        def until_quiet(count: int) -> None:
            until(lambda: sum(isinstance(one, Result) for one in house.samples(name)[-count:]) >= count - 2, 20)

        until_quiet(20)
        idle = cost()
        change(house, name, substream_url=None)
        until(lambda: not [one for one in threading.enumerate() if one.name == f"substream-{name}"])
        until_quiet(5)
        awake = cost()
        house.stop()
    figures = f"{100 * awake:.1f} % of a core without sub-stream, {100 * idle:.1f} % with one of 640x360"
    print(f"1080p25, quiet: {figures}")  # noqa: T201 pytest -s shows it
    # On a machine of others' the figures vary.
    assert idle < 0.75 * awake


def write_still(path: Path, texture: NDArray[np.uint8]) -> None:
    """Two seconds of a picture in which nothing but the sensor's noise moves, at 25 fps, with one keyframe."""
    rng = np.random.default_rng(3)
    height, width = texture.shape
    noises = [rng.normal(0, 2, texture.shape) for _ in range(5)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25)
        stream.height, stream.width = height, width
        stream.pix_fmt, stream.gop_size = "yuv420p", 50
        stream.options = {"bf": "0", "preset": "veryfast", "sc_threshold": "0", "crf": "27"}
        for index in range(50):
            noise = np.roll(noises[index % 5], 17 * index, axis=1)
            picture = np.clip(texture + noise, 0, 255).astype(np.uint8)
            frame = av.VideoFrame(width, height, "yuv420p")
            for plane, value in zip(frame.planes, (None, 128, 128), strict=True):
                rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
                rows[:, : plane.width] = picture if value is None else value
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
