"""What the camera server does wrong on command, its process, and the peers that know nothing of it."""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import dropwhile, islice, pairwise
from pathlib import Path
from typing import Final

import av
import av.error
import msgspec
import numpy as np
import pytest
from av.video.frame import VideoFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from infra.rtsp.clip import load_clip
from infra.rtsp.process import RtspProcess
from infra.rtsp.server import RtspServer, Stream
from infra.rtsp.still import Still
from storage.errors import SetupError, UsageError
from tests.peers import Serve, TlsRelay, huge_clip
from tests.rtsp_client import (
    FPS,
    GOP,
    TICKS,
    Peer,
    Pictures,
    captured_at_ns,
    encoded,
    eventually,
    is_alive,
    opened,
    pictures,
    same,
)

pytest_plugins = ("tests.peer_fixtures", "tests.rtsp_fixtures")

IDR: Final = 5
FU_A: Final = 28
STOP_S: Final = 1.0 if os.environ.get("MASKWATCH_PROOF") else 20.0
ON_THE_WAY: Final = 500
"""At most so many pictures are on their way to a client when something changes: as many as 20 s have."""


class Rtp:
    """A packet of a picture."""

    def __init__(self, packet: bytes) -> None:
        self.number, self.timestamp = struct.unpack(">HI", packet[2:8])
        self.payload = packet[12:]
        kind = self.payload[0] & 0x1F
        self.key = (self.payload[1] & 0x1F if kind == FU_A else kind) == IDR


def flowing(peer: Peer) -> Iterator[Rtp]:
    return (Rtp(packet) for channel, packet in peer.packets() if channel == 4)


def rtp(peer: Peer, count: int) -> list[Rtp]:
    return list(islice(flowing(peer), count))


def shown(frame: VideoFrame) -> NDArray[np.uint8]:
    return frame.to_ndarray().astype(np.uint8)


def first_pair(frames: Iterator[VideoFrame], *, alike: bool) -> VideoFrame:
    """The second of the first two pictures that are the same, or not; what comes before was on its way."""
    pairs = pairwise(islice(frames, ON_THE_WAY))
    return next(after for before, after in pairs if np.array_equal(shown(before), shown(after)) == alike)


@pytest.mark.parametrize("b_frames", [0, 2])
def test_a_frozen_camera_sends_one_picture_bit_by_bit_and_its_time_goes_on(tmp_path: Path, b_frames: int) -> None:
    path = encoded(tmp_path / "clip.mp4", 40, b_frames=b_frames)
    with RtspServer({"hall": path}) as server, opened(server.url("hall")) as container:
        frames = container.decode(video=0)
        assert len(list(islice(frames, 8))) == 8
        server.freeze("hall")
        frozen = [first_pair(frames, alike=True), *islice(frames, 14)]
        held = [shown(frame) for frame in frozen]
        assert same(held, [held[0]] * 15)
        times = [frame.pts or 0 for frame in frozen]
        assert [later - at for at, later in pairwise(times)] == [TICKS] * 14
        server.resume("hall")
        moving = [shown(first_pair(frames, alike=False)), *map(shown, islice(frames, GOP))]
        assert not any(np.array_equal(*pair) for pair in pairwise(moving))


@pytest.mark.parametrize("profile", ["baseline", "main", "high", "high444"])
def test_a_picture_is_repeated_bit_by_bit_for_as_long_as_one_likes(tmp_path: Path, profile: str) -> None:
    # A size that is no multiple of a macroblock's, as 1080 is not.
    path = encoded(tmp_path / "clip.mp4", 1, size=(180, 330), options={"profile": profile})
    clip = load_clip(path)
    still = Still.of(clip.sps)
    assert still is not None
    with av.open(str(path)) as container:
        (expected,) = pictures(container)
    decoder = av.CodecContext.create("h264", "r")
    decoder.options = {"err_detect": "explode", "flags": "low_delay"}
    with av.open(str(path)) as container:
        decoder.extradata = container.streams.video[0].codec_context.extradata
        (first, *_) = container.demux(video=0)
    prefixed = [b"".join(struct.pack(">I", len(nal)) + nal for nal in still.nals(since)) for since in range(1, 301)]
    shown = [frame for data in [bytes(first), *prefixed] for frame in decoder.decode(av.Packet(data))]
    assert len(shown) == 301
    assert same([frame.to_ndarray().astype(np.uint8) for frame in shown], [expected] * 301)
    assert all(len(data) < 40 for data in prefixed)


@given(st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_no_parameter_set_surprises_who_repeats_pictures(sps: bytes) -> None:
    still = Still.of(sps)
    assert still is None or len(still.nals(1)[1]) < 100


def test_who_comes_to_a_frozen_camera_sees_the_same_picture(camera: RtspServer) -> None:
    with opened(camera.url("hall")) as container:
        pictures(container, 3)
        camera.freeze("hall")
        held = shown(first_pair(container.decode(video=0), alike=True))
    with opened(camera.url("hall")) as container:
        assert same(pictures(container, 5), [held] * 5)


def test_a_stalled_camera_keeps_its_connection_and_goes_on_with_a_keyframe(camera: RtspServer) -> None:
    with Peer(camera) as peer:
        peer.play("hall")
        before = rtp(peer, 3)[-1]
        camera.stall("hall")
        assert peer.is_left_in_silence(0.3)
        assert peer.ask("OPTIONS", "hall")[0] == 200
        with Peer(camera) as other:
            other.play("hall")
            assert other.is_left_in_silence(0.2)
        assert camera.viewers("hall") >= 1
        camera.resume("hall")
        after = next(packet for packet in rtp(peer, 10) if packet.key)
        assert (after.timestamp - before.timestamp) % 2**32 >= 0.3 * 90_000


def test_a_bad_cable_damages_a_share_of_the_packets(camera: RtspServer, in_file: Pictures) -> None:
    with Peer(camera) as peer:
        peer.play("hall")
        camera.corrupt("hall", 0.5, drop=0.25)
        sound = set(payloads(camera))
        packets = list(islice(dropwhile(lambda packet: packet.payload in sound, flowing(peer)), 60))
        lost = sum((later.number - packet.number) % 2**16 - 1 for packet, later in pairwise(packets))
        assert 8 <= lost <= 35
        assert 15 <= sum(packet.payload not in sound for packet in packets) <= 45
    camera.resume("hall")
    with opened(camera.url("hall")) as container:
        arrived = pictures(container, 5)
    assert any(same(arrived, in_file[at : at + 5]) for at in range(0, 50, GOP))


def payloads(server: RtspServer) -> Iterator[bytes]:
    for unit in server._camera("hall").tape.clip.units:
        data, starts = unit.packed.data, unit.packed.starts
        for start, end in zip(starts, (*starts[1:], len(data)), strict=True):
            yield data[start + 16 : end]


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_is_between_0_and_1(camera: RtspServer, share: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        camera.corrupt("hall", share)


@pytest.mark.parametrize("seconds", [3600.0, -100.0])
def test_when_its_time_jumps_pictures_and_reports_tell_the_same_story(camera: RtspServer, seconds: float) -> None:
    with Peer(camera) as peer:
        peer.play("hall")
        before = rtp(peer, 3)[-1]
        camera.jump("hall", seconds)
        reports = (struct.unpack(">QI", packet[8:20]) for channel, packet in peer.packets() if channel == 5)
        told = ((ntp / 2**32 - 2_208_988_800 - time.time(), timestamp) for ntp, timestamp in islice(reports, 20))
        # A report from before may be on its way.
        ahead_s, timestamp = next((ahead_s, timestamp) for ahead_s, timestamp in told if abs(ahead_s) > 30)
        assert ahead_s == pytest.approx(seconds, abs=20)
        after = rtp(peer, 3)[-1]
        passed = (after.timestamp - before.timestamp + 2**31) % 2**32 - 2**31
        assert passed / 90_000 == pytest.approx(seconds, abs=20)
        assert abs((after.timestamp - timestamp + 2**31) % 2**32 - 2**31) < 20 * 90_000
    # FFmpeg takes the camera's word.
    with opened(camera.url("hall")) as container:
        captured_s = captured_at_ns(next(container.demux(video=0))) / 1e9
    assert captured_s - time.time() == pytest.approx(seconds, abs=20)


def test_its_clock_may_be_set_while_timestamps_go_on(camera: RtspServer) -> None:
    with opened(camera.url("hall")) as container:
        packets = container.demux(video=0)
        before = list(islice(packets, 5))[-1]
        camera.jump("hall", 0, clock_s=60)
        later = enumerate(islice(packets, ON_THE_WAY), start=1)
        passed, after = next(pair for pair in later if captured_at_ns(pair[1]) - captured_at_ns(before) > 30e9)
    assert (after.pts or 0) - (before.pts or 0) == passed * TICKS
    assert (captured_at_ns(after) - captured_at_ns(before)) / 1e9 == pytest.approx(60 + passed / FPS, abs=0.001)


def test_another_resolution_in_mid_stream_is_announced_in_band(
    camera: RtspServer, in_file: Pictures, tmp_path: Path
) -> None:
    other = encoded(tmp_path / "other.mp4", 30, size=(96, 128))
    with av.open(str(other)) as container:
        expected = pictures(container, 10)
    with opened(camera.url("hall")) as container:
        frames = container.decode(video=0)
        before = list(islice(frames, 5))
        camera.switch("hall", other)
        after = list[VideoFrame]()
        for frame in islice(frames, ON_THE_WAY):
            after.append(frame)
            if len(after) >= 10 and after[-10].width == 128:
                break
        assert same([shown(frame) for frame in after[-10:]], expected)
        assert all(frame.width != 128 for frame in after[:-10])
        times = [frame.pts for frame in (before + after)[1:] if frame.pts is not None]
        assert [later - at for at, later in pairwise(times)] == [TICKS] * (len(before + after) - 2)
    with opened(camera.url("hall")) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (128, 96)


def test_without_keyframes_there_is_nothing_to_see(camera: RtspServer) -> None:
    with Peer(camera) as peer:
        peer.play("hall")
        assert any(packet.key for packet in rtp(peer, 5))
        camera.no_keyframes("hall")
        with Peer(camera) as late:
            headers = late.play("hall")
            assert "RTP-Info" not in headers
            assert not any(packet.key for packet in rtp(late, 2 * GOP))
        camera.resume("hall")
        assert any(packet.key for packet in islice(flowing(peer), 10 * ON_THE_WAY))


@pytest.mark.parametrize("after", [0, 1])
def test_a_handshake_that_hangs_is_never_answered(camera: RtspServer, after: int) -> None:
    with Peer(camera) as watching:
        watching.play("hall")
        camera.hang_handshake(True, after=after)
        with Peer(camera) as peer:
            assert all(peer.ask("OPTIONS", "*")[0] == 200 for _ in range(after))
            peer.send(b"DESCRIBE rtsp://127.0.0.1/hall RTSP/1.0\r\nCSeq: 9\r\n\r\n")
            assert peer.is_left_in_silence(0.2)
            # Who watches already sees no difference.
            assert len(rtp(watching, 5)) == 5
            camera.hang_handshake(False)
            assert peer.is_disconnected()
    with opened(camera.url("hall")) as container:
        assert len(pictures(container, 2)) == 2


def test_a_client_that_leaves_a_hanging_handshake_is_forgotten(camera: RtspServer) -> None:
    camera.hang_handshake(True)
    with Peer(camera):
        assert eventually(lambda: camera.connections == 1)
    assert eventually(lambda: camera.connections == 0)


def test_stop_ends_those_who_wait_and_those_who_are_shouted_at(camera: RtspServer) -> None:
    with Peer(camera) as shouted_at, Peer(camera) as waiting:
        camera.shout(True)
        shouted_at.send(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        assert shouted_at._file.read(1) == b"R"
        camera.hang_handshake(True)
        waiting.send(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        assert waiting.is_left_in_silence(0.1)
        before = time.monotonic()
        camera.stop()
        assert time.monotonic() - before < STOP_S


def test_a_camera_that_shouts_answers_with_megabytes_of_header_and_others_see_no_difference(
    camera: RtspServer,
) -> None:
    with Peer(camera) as watching, Peer(camera) as peer:
        watching.play("hall")
        camera.shout(True)
        peer.send(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        header = peer._file.read(8 << 20)
        assert header.startswith(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n")
        assert b"\r\n\r\n" not in header
        assert len(rtp(watching, 5)) == 5
        camera.shout(False)
        assert peer.is_disconnected()
    with opened(camera.url("hall")) as container:
        assert len(pictures(container, 2)) == 2


def test_a_password_that_is_changed_holds_for_who_comes_next(camera: RtspServer) -> None:
    with Peer(camera) as watching:
        watching.play("hall")
        before = camera.url("hall")
        camera.demand("viewer", "new")
        with pytest.raises(av.error.HTTPUnauthorizedError):
            opened(before)
        with pytest.raises(av.error.HTTPUnauthorizedError):
            opened(before.replace("://", "://viewer:old@"))
        with opened(camera.url("hall")) as container:
            assert len(pictures(container, 2)) == 2
        assert len(rtp(watching, 5)) == 5
        camera.demand(None, None)
        with opened(before) as container:
            assert len(pictures(container, 2)) == 2
    with pytest.raises(UsageError, match="both or neither"):
        camera.demand("viewer", None)


def test_a_camera_may_state_no_frame_rate_and_a_picture_too_large_for_anybody(tmp_path: Path, clip: Path) -> None:
    huge = huge_clip(tmp_path / "huge.mp4")
    with RtspServer({"huge": huge, "still": Stream(clip, stated_fps=0)}) as server:
        with Peer(server) as peer:
            assert b"a=framerate:0.000\r\n" in peer.ask("DESCRIBE", "still")[2]
        with av.open(server.url("huge"), options={"rtsp_transport": "tcp", "probesize": "32"}, timeout=30) as container:
            assert container.streams.video[0].width == 8000


def test_cameras_that_show_one_clip_may_begin_at_different_times(clip: Path, in_file: Pictures) -> None:
    with RtspServer({"hall": clip, "door": Stream(clip, start_s=1.0)}) as server:
        assert (server.started_s("hall"), server.started_s("door")) == (0.0, 0.8)
        with opened(server.url("door")) as container:
            packets = container.demux(video=0)
            first = next(packets)
            assert captured_at_ns(first) == pytest.approx(server.began_ns("door") or 0, abs=50_000)
            frames = [frame for packet in [first, *islice(packets, 39)] for frame in packet.decode()]
    arrived = [frame.to_ndarray().astype(np.uint8) for frame in frames]
    assert same(arrived[:35], (in_file[20:] + in_file)[:35])
    with pytest.raises(UsageError, match="can't begin at 2"):
        RtspServer({"hall": Stream(clip, start_s=2.0)})


def test_what_is_not_served_can_t_misbehave(camera: RtspServer) -> None:
    with pytest.raises(UsageError, match="no stream 'cellar'"):
        camera.freeze("cellar")
    camera.stop()
    with pytest.raises(UsageError, match="does not run"):
        camera.freeze("hall")


def test_a_process_of_its_own_does_what_it_is_told(clip: Path, tmp_path: Path) -> None:
    password = 'p@ss "wörd"'  # noqa: S105
    other = encoded(tmp_path / "other.mp4", 20, size=(96, 128))
    with RtspProcess({"hall": clip, "door": Stream(clip, start_s=1)}, user="viewer", password=password) as cameras:
        assert password not in Path(f"/proc/{cameras.pid}/cmdline").read_text()
        assert cameras.call("began_ns", name="hall") is None
        assert cameras.call("started_s", name="door") == 0.8
        with opened(cameras.url("hall")) as container:
            assert len(pictures(container, 3)) == 3
            assert cameras.call("viewers", name="hall") == 1
            assert abs(cameras.call("began_ns", name="hall") - time.time_ns()) < 60e9
            cameras.call("switch", name="hall", path=other)
            assert any(frame.width == 128 for frame in islice(container.decode(video=0), ON_THE_WAY))
        cameras.call("demand", user=None, password=None)
        assert "@" not in cameras.url("hall")
        for do, args in (
            ("explode", {}),
            ("freeze", {}),
            ("freeze", {"name": "cellar"}),
            ("corrupt", {"name": "hall", "share": "much"}),
            ("stop", {}),
        ):
            with pytest.raises(UsageError):
                cameras.call(do, **args)
        assert 0 < cameras.cpu_s() < 10
        pid, port = cameras.pid, cameras.port
    assert not Path(f"/proc/{pid}").exists()
    assert cameras.cpu_s() > 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_process_that_can_t_serve_says_why(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(SetupError, match="not a file"):
        RtspProcess({"hall": tmp_path / "missing.mp4"}).start()
    with RtspServer({"hall": clip}) as server, pytest.raises(SetupError, match="choose another port"):
        RtspProcess({"hall": clip}, port=server.port).start()


def test_a_process_ends_when_its_input_does_or_its_parent_is_killed(clip: Path) -> None:
    command = [sys.executable, "-m", "infra.rtsp", f"hall={clip}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        first = msgspec.json.decode(process.stdout.readline())
        assert first["urls"] == {"hall": f"rtsp://127.0.0.1:{first['port']}/hall"}
        process.stdin.write(b"no command\n")
        process.stdin.flush()
        assert msgspec.json.decode(process.stdout.readline())["ok"] is False
        process.stdin.close()
        assert process.wait(30) == 0
    parent = f"""
import time
from pathlib import Path
from infra.rtsp.process import RtspProcess
cameras = RtspProcess({{"hall": Path({str(clip)!r})}})
cameras.start()
print(cameras.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert eventually(lambda: not is_alive(pid))


def test_two_threads_may_control_one_process(clip: Path) -> None:
    with RtspProcess({"hall": clip}) as cameras:
        wrong = list[object]()

        def ask() -> None:
            for _ in range(50):
                answers = cameras.call("viewers", name="hall"), cameras.call("started_s", name="hall")
                wrong.extend(answer for answer in answers if answer != 0)

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_either_peer_shows_the_clip(either_peer: Serve, clip: Path, in_file: Pictures) -> None:
    with opened(either_peer(clip)) as container:
        assert same(pictures(container, 20), in_file[:20])


def test_either_peer_guards_its_camera(either_peer: Serve, clip: Path) -> None:
    url = either_peer(clip, user="viewer", password="p@ss/w:rd")  # noqa: S106
    with opened(url) as container:
        assert len(pictures(container, 2)) == 2
    with pytest.raises(av.error.HTTPUnauthorizedError):
        opened(url.replace("p%40ss", "other"))


def test_gstreamer_s_peer_serves_over_udp(gst_peer: Serve, clip: Path, in_file: Pictures) -> None:
    options = {"rtsp_transport": "udp", "analyzeduration": "100000"}
    with av.open(gst_peer(clip), options=options, timeout=(30, 20)) as container:
        assert same(pictures(container, 10), in_file[:10])


def test_a_camera_behind_tls_shows_the_clip(camera: RtspServer, tmp_path: Path, in_file: Pictures) -> None:
    with TlsRelay(camera.port, tmp_path) as relay:
        with opened(relay.url(camera.url("hall"))) as container:
            assert same(pictures(container, 20), in_file[:20])
        assert eventually(lambda: camera.connections == 0)
