"""The camera server of tests and demo: what a client sees is the clip, live, and nothing it does hurts the server."""

import asyncio
import contextlib
import os
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import av
import av.error
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.rtsp.clip import load_clip
from infra.rtsp.connection import Limits
from infra.rtsp.digest import REALM, Digest, response
from infra.rtsp.messages import REQUEST_BYTES, MalformedError, read_request
from infra.rtsp.rtp import PAYLOAD_BYTES, RtpSender, fragments, interleaved, ntp_time, packed
from infra.rtsp.server import RtspServer, Stream
from storage.errors import InputError, SetupError, UsageError
from tests.rtsp_client import (
    FPS,
    GOP,
    TICKS,
    Peer,
    Pictures,
    captured_at_ns,
    encoded,
    eventually,
    opened,
    pictures,
    same,
)

pytest_plugins = ("tests.rtsp_fixtures",)

STOP_S = 1.0 if os.environ.get("MASKWATCH_PROOF") else 20.0
PROMPTEST = 0.1
"""Of what is sent in time so much arrives in time, however often this machine stands still."""


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("b_frames", [0, 2])
def test_every_picture_arrives_as_it_is_in_the_file(tmp_path: Path, b_frames: int) -> None:
    path = encoded(tmp_path / "clip.mp4", 53, b_frames=b_frames)
    with av.open(str(path)) as container:
        expected = pictures(container)
    with RtspServer({"hall": Stream(path, loop=False)}) as server, opened(server.url("hall")) as container:
        arrived = pictures(container)
    assert len(expected) == 53
    assert same(arrived, expected)


@pytest.mark.parametrize("b_frames", [0, 2])
def test_a_looped_clip_goes_on_with_timestamps_that_go_on(tmp_path: Path, b_frames: int) -> None:
    path = encoded(tmp_path / "clip.mp4", 13, b_frames=b_frames)
    with av.open(str(path)) as container:
        expected = pictures(container)
    with RtspServer({"hall": path}) as server, opened(server.url("hall")) as container:
        frames = list(islice(container.decode(video=0), 40))
    assert same([frame.to_ndarray().astype(np.uint8) for frame in frames], (expected * 4)[:40])
    # FFmpeg gives the first picture of an RTSP stream no timestamp.
    assert [frame.pts for frame in frames[1:]] == [number * TICKS for number in range(1, 40)]


def test_pictures_arrive_when_they_are_due(camera: RtspServer) -> None:
    with opened(camera.url("hall")) as container:
        late_s = [
            time.time() - (camera.began_ns("hall") or 0) / 1e9 - number / FPS
            for number, _ in enumerate(islice(container.demux(video=0), 60))
        ]
    assert min(late_s) >= 0
    # A client holds each packet until the next one begins; and it looked at the first ones while it opened the stream.
    assert np.quantile(late_s[20:], PROMPTEST) < 0.2


def test_two_clients_see_one_camera(camera: RtspServer, in_file: Pictures) -> None:
    with Peer(camera) as first, Peer(camera) as second:
        first.play("hall")
        seen = dict[int, bytes]()
        packets = first.packets()
        seen.update((packet[2] << 8 | packet[3], packet) for channel, packet in islice(packets, 5) if channel == 4)
        second.play("hall")
        joined = [packet for channel, packet in islice(second.packets(), 12) if channel == 4]
        wanted = {packet[2] << 8 | packet[3] for packet in joined}
        for channel, packet in islice(packets, 3000):
            if channel == 4:
                seen[packet[2] << 8 | packet[3]] = packet
            if wanted <= seen.keys():
                break
        assert eventually(lambda: camera.viewers("hall") == 2)
        assert all(seen[packet[2] << 8 | packet[3]] == packet for packet in joined)
    with ThreadPoolExecutor(2) as both:

        def watch() -> Pictures:
            with opened(camera.url("hall")) as container:
                return pictures(container, 30)

        for arrived in [task.result() for task in [both.submit(watch) for _ in range(2)]]:
            start = next(at for at in range(0, 50, GOP) if np.array_equal(in_file[at], arrived[0]))
            assert same(arrived, (in_file * 2)[start : start + 30])


def test_who_comes_late_starts_with_the_next_keyframe(camera: RtspServer, in_file: Pictures) -> None:
    with Peer(camera) as first:
        first.play("hall")
        # In the middle of the first group of pictures.
        assert sum(1 for _ in islice(first.packets(), 6)) == 6
        with opened(camera.url("hall")) as container:
            packets = list(islice(container.demux(video=0), 6))
            arrived = [frame.to_ndarray().astype(np.uint8) for packet in packets for frame in packet.decode()][:5]
    assert packets[0].is_keyframe
    joined = round((captured_at_ns(packets[0]) - (camera.began_ns("hall") or 0)) * FPS / 10**9)
    assert joined >= GOP
    assert joined % GOP == 0
    assert same(arrived, (in_file * 2)[joined % 50 :][:5])


def test_a_camera_that_plays_once_disconnects_its_clients_at_the_end_and_is_gone(clip: Path) -> None:
    with RtspServer({"hall": Stream(clip, loop=False)}) as server:
        with Peer(server) as peer:
            peer.play("hall")
            assert peer.is_disconnected()
            lasted_s = time.time() - (server.began_ns("hall") or 0) / 1e9
        assert 2.0 <= lasted_s < 20.0
        with pytest.raises(av.error.HTTPNotFoundError):
            opened(server.url("hall"))


def test_sender_reports_tell_the_wall_clock_time_of_every_picture(camera: RtspServer) -> None:
    reports, pictures_at = list[tuple[int, int]](), dict[int, float]()
    with Peer(camera) as peer:
        headers = peer.play("hall")
        for number, (channel, packet) in enumerate(peer.packets()):
            if channel == 5:
                first, kind, _, _, ntp, timestamp = struct.unpack(">BBHIQI", packet[:20])
                assert (first, kind) == (0x80, 200)
                assert packet[28:30] == b"\x81\xca"
                assert len(packet) % 4 == 0
                assert -0.1 < time.time() - (ntp / 2**32 - 2_208_988_800) < 20
                assert number == 0 or reports
                reports.append((ntp, timestamp))
                if len(reports) == 2:
                    break
            else:
                pictures_at.setdefault(struct.unpack(">I", packet[4:8])[0], time.time())
    (ntp, timestamp), (later_ntp, later_timestamp) = reports
    passed_s = (later_ntp - ntp) / 2**32
    assert 1.9 < passed_s < 20
    assert passed_s == pytest.approx(((later_timestamp - timestamp) & 0xFFFF_FFFF) / 90_000, abs=0.001)
    assert headers["RTP-Info"].endswith(f"rtptime={next(iter(pictures_at))}")
    ahead = {at: (at - timestamp + 2**31 & 0xFFFF_FFFF) - 2**31 for at in pictures_at}
    late_s = [arrived_s - (ntp / 2**32 - 2_208_988_800 + ahead[at] / 90_000) for at, arrived_s in pictures_at.items()]
    assert min(late_s) > -0.01
    assert np.quantile(late_s, PROMPTEST) < 0.1


def test_ffmpeg_tells_when_each_picture_was_captured(camera: RtspServer) -> None:
    with opened(camera.url("hall")) as container:
        captured_ns = [captured_at_ns(packet) for packet in islice(container.demux(video=0), 60)]
    began_ns = camera.began_ns("hall") or 0
    late_ns = [at_ns - began_ns - number * 10**9 / FPS for number, at_ns in enumerate(captured_ns)]
    # FFmpeg gives microseconds; a tick is 11 of them. The second report came in between.
    assert all(abs(ns) < 50_000 for ns in late_ns)


def test_several_cameras_have_a_path_each(clip: Path, tmp_path: Path) -> None:
    other = encoded(tmp_path / "other.mp4", 30, size=(96, 128))
    with RtspServer({"north/hall": clip, "south": other}) as server:
        with opened(server.url("north/hall")) as container:
            assert container.streams.video[0].height == 180
        with opened(server.url("south")) as container:
            assert container.streams.video[0].height == 96


@pytest.mark.parametrize("password", ["simple", 'p@ss: "wörd"/?#%'])
def test_the_right_password_opens_the_stream(clip: Path, password: str) -> None:
    with (
        RtspServer({"hall": clip}, user="viewer", password=password) as server,
        opened(server.url("hall")) as container,
    ):
        assert len(pictures(container, 3)) == 3


@pytest.mark.parametrize("login", ["viewer:wrong@", "else:secret@", ""])
def test_a_wrong_password_is_refused_with_401(clip: Path, login: str) -> None:
    with RtspServer({"hall": clip}, user="viewer", password="secret") as server:  # noqa: S106
        with pytest.raises(av.error.HTTPUnauthorizedError):
            opened(f"rtsp://{login}127.0.0.1:{server.port}/hall")
        assert server.viewers("hall") == 0
        assert server.began_ns("hall") is None


def test_an_unknown_path_is_refused_with_404(camera: RtspServer) -> None:
    with pytest.raises(av.error.HTTPNotFoundError):
        opened(camera.url("cellar"))


def test_digests_are_those_of_the_specifications() -> None:
    fields = {"realm": "testrealm@host.com", "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093", "uri": "/dir/index.html"}
    # RFC 2617, section 3.5, with qop; RFC 2069, section 2.4 (its erratum 749), without.
    qop = {"qop": "auth", "nc": "00000001", "cnonce": "0a4f113b"}
    assert response("Mufasa", "Circle Of Life", "GET", fields | qop) == "6629fae49393a05397450978507c4ef1"
    assert response("Mufasa", "CircleOfLife", "GET", fields) == "1949323746fe6a43ef61f9606e7febea"


def test_an_answer_to_another_connection_s_challenge_is_worth_nothing() -> None:
    digest, other = Digest("viewer", "secret"), Digest("viewer", "secret")
    uri = "rtsp://127.0.0.1/hall"

    def answer(to: Digest, signed: str = uri) -> str:
        nonce = to.challenge().split('"')[3]
        value = response("viewer", "secret", "PLAY", {"realm": REALM, "nonce": nonce, "uri": signed})
        return f'Digest username="viewer", realm="{REALM}", nonce="{nonce}", uri="{signed}", response="{value}"'

    assert digest.admits(answer(digest), "PLAY", uri)
    assert digest.admits(answer(digest), "PLAY", f"{uri}/track1")
    assert not digest.admits(answer(other), "PLAY", uri)
    assert not digest.admits(answer(digest), "SETUP", uri)
    assert not digest.admits(answer(digest), "PLAY", "rtsp://127.0.0.1/cellar")
    assert not digest.admits(answer(digest, signed=""), "PLAY", uri)
    assert not digest.admits("Basic dmlld2VyOnNlY3JldA==", "PLAY", uri)


def test_a_client_that_vanishes_leaves_nothing_behind(camera: RtspServer) -> None:
    for _ in range(3):
        peer = Peer(camera)
        peer.play("hall")
        assert eventually(lambda: camera.viewers("hall") == 1)
        peer.vanish()
        assert eventually(lambda: camera.viewers("hall") == 0 and camera.connections == 0)
    with opened(camera.url("hall")) as container:
        assert next(container.demux(video=0)).is_keyframe


def test_a_client_that_does_not_read_is_dropped(tmp_path: Path) -> None:
    path = encoded(tmp_path / "noise.mp4", 12, size=(720, 1280), noise=True)
    with (
        RtspServer({"hall": path}, limits=Limits(unsent_bytes=64 << 10)) as server,
        Peer(server, receive_bytes=4096) as peer,
    ):
        peer.play("hall")
        assert eventually(lambda: server.viewers("hall") == 0 and server.connections == 0)


def test_dropped_clients_may_come_again(camera: RtspServer) -> None:
    with opened(camera.url("hall")) as container:
        assert len(pictures(container, 3)) == 3
        camera.drop_clients("hall")
        assert camera.connections == 0
        # What is on its way may still be read; then it is over, one way or the other.
        with contextlib.suppress(av.error.FFmpegError):
            assert len(pictures(container, 200)) < 200
    with opened(camera.url("hall")) as container:
        assert len(pictures(container, 3)) == 3


def test_a_camera_that_refuses_can_be_had_back_on_the_same_port(camera: RtspServer) -> None:
    with Peer(camera) as peer:
        camera.refuse(True)
        with pytest.raises(ConnectionRefusedError):
            opened(camera.url("hall"))
        # Who is connected stays.
        assert peer.ask("OPTIONS", "hall")[0] == 200
    camera.refuse(False)
    with opened(camera.url("hall")) as container:
        assert len(pictures(container, 3)) == 3


def test_stop_ends_everything_within_a_second(clip: Path) -> None:
    with RtspServer({"hall": clip}) as server:
        pass
    files, threads = open_files(), threading.active_count()
    server.start()
    with Peer(server) as watching, Peer(server) as silent:
        watching.play("hall")
        silent.send(b"OPTIONS ")
        assert eventually(lambda: server.connections == 2)
        before = time.monotonic()
        server.stop()
        assert time.monotonic() - before < STOP_S
        assert watching.is_disconnected()
        assert silent.is_disconnected()
    assert threading.active_count() == threads
    assert open_files() == files
    with pytest.raises(ConnectionRefusedError):
        Peer(server)


def test_a_stopped_server_starts_again_on_its_port(camera: RtspServer) -> None:
    port = camera.port
    camera.stop()
    camera.start()
    assert camera.port == port
    with opened(camera.url("hall")) as container:
        assert len(pictures(container, 3)) == 3


def test_a_connection_goes_through_its_requests(camera: RtspServer) -> None:
    with Peer(camera) as peer:
        status, headers, _ = peer.ask("OPTIONS", "*")
        assert (status, headers["Public"]) == (200, "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN")
        status, headers, body = peer.ask("DESCRIBE", "hall", Accept="application/sdp")
        assert status == 200
        assert headers["Content-Base"].endswith("/hall/")
        assert b"a=rtpmap:96 H264/90000\r\n" in body
        assert b"packetization-mode=1;profile-level-id=" in body
        assert b"a=framerate:25.000\r\n" in body
        assert peer.ask("GET_PARAMETER", "hall")[0] == 200
        assert peer.ask("PLAY", "hall")[0] == 454
        assert peer.ask("SETUP", "hall/track1", Transport="RTP/AVP;unicast;client_port=5000-5001")[0] == 461
        assert peer.ask("SETUP", "cellar/track1", Transport="RTP/AVP/TCP")[0] == 404
        for method, expected in (("PAUSE", 405), ("RECORD", 405), ("BREW", 501)):
            assert peer.ask(method, "hall")[0] == expected
        offers = "RTP/AVP;unicast;client_port=5000-5001,RTP/AVP/TCP;unicast;interleaved=2-3"
        status, headers, _ = peer.ask("SETUP", "hall/track1", Transport=offers)
        assert (status, headers["Transport"]) == (200, "RTP/AVP/TCP;unicast;interleaved=2-3")
        session = headers["Session"].partition(";")[0]
        assert peer.ask("TEARDOWN", "hall", Session="another")[0] == 454
        assert peer.ask("TEARDOWN", "hall", Session=session)[0] == 200
        assert peer.ask("PLAY", "hall", Session=session)[0] == 454
        # The same connection may begin anew.
        assert "RTP-Info" in peer.play("hall")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", 400),
        (b"OPTIONS * RTSP/1.0\r\n\r\n", 400),
        (b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nno header\r\n\r\n", 400),
        (b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: many\r\n\r\n", 400),
        (b"OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n\r\n", 505),
        (b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 70000\r\n\r\n", 413),
        (b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nX: " + b"x" * REQUEST_BYTES, 413),
    ],
)
def test_what_is_no_request_is_answered_and_the_connection_closed(camera: RtspServer, data: bytes, status: int) -> None:
    with Peer(camera) as peer:
        peer.send(data)
        assert peer.reply()[0] == status
        assert peer.is_disconnected()
    assert eventually(lambda: camera.connections == 0)


def test_packets_of_the_client_s_own_are_passed_over(camera: RtspServer) -> None:
    with Peer(camera) as peer:
        peer.send(interleaved(1, [bytes(300), b""]))
        assert peer.ask("OPTIONS", "hall")[0] == 200


def test_idle_handshakes_end(clip: Path) -> None:
    with RtspServer({"hall": clip}, limits=Limits(idle_s=0.3)) as server:
        with Peer(server) as silent, Peer(server) as slow:
            slow.send(b"DESCRIBE rtsp://")
            assert silent.is_disconnected()
            assert slow.is_disconnected()
        assert eventually(lambda: server.connections == 0)
        with Peer(server) as watching:
            watching.play("hall")
            started = time.monotonic()
            # Who watches need not say anything.
            assert any(time.monotonic() - started > 0.6 for _ in watching.packets())


def test_more_clients_than_it_bears_are_closed_at_once(clip: Path) -> None:
    with RtspServer({"hall": clip}, limits=Limits(clients=2)) as server, Peer(server) as first, Peer(server) as second:
        assert first.ask("OPTIONS", "*")[0] == second.ask("OPTIONS", "*")[0] == 200
        with Peer(server) as third:
            assert third.is_disconnected()
        assert server.connections == 2


@given(
    st.binary(max_size=400)
    | st.text(max_size=200).map(lambda text: f"PLAY {text} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
)
@settings(max_examples=300, deadline=None)
def test_no_bytes_surprise_the_parser(data: bytes) -> None:
    async def parse() -> None:
        reader = asyncio.StreamReader(limit=REQUEST_BYTES)
        reader.feed_data(data)
        reader.feed_eof()
        with contextlib.suppress(MalformedError, asyncio.IncompleteReadError):
            while request := await read_request(reader):
                assert "\n" not in request.address
                assert request.path == request.path.strip("/")

    asyncio.run(parse())


@given(st.lists(st.binary(min_size=2, max_size=5 * PAYLOAD_BYTES), min_size=1, max_size=4), st.integers(0, 2**40))
def test_packets_hold_the_nal_units_they_were_made_from(nals: list[bytes], ticks: int) -> None:
    sender = RtpSender()
    again, part = list[bytes](), b""
    unit = packed(nals)
    data = bytes(sender.stamped(unit, ticks))
    bounds = zip(unit.starts, (*unit.starts[1:], len(data)), strict=True)
    packets = [data[start + 4 : end] for start, end in bounds]
    assert data == interleaved(0, packets)
    for packet in packets:
        payload = packet[12:]
        assert len(payload) <= PAYLOAD_BYTES
        assert struct.unpack(">I", packet[4:8])[0] == (sender.first_timestamp + ticks) % 2**32
    for payload in (payload for nal in nals for payload in fragments(nal)):
        if payload in nals and len(payload) <= PAYLOAD_BYTES and not part:
            again.append(payload)
            continue
        indicator, header = payload[:2]
        assert indicator & 0x1F == 28
        begins, ends = bool(header & 0x80), bool(header & 0x40)
        assert begins == (not part)
        part = part or bytes((indicator & 0xE0 | header & 0x1F,))
        part += payload[2:]
        if ends:
            again.append(part)
            part = b""
    assert again == nals
    assert [packet[1] >> 7 for packet in packets] == [0] * (len(packets) - 1) + [1]
    numbers = [packet[2] << 8 | packet[3] for packet in packets]
    assert numbers == [(numbers[0] + step) % 2**16 for step in range(len(numbers))]


def test_ntp_counts_from_1900() -> None:
    assert ntp_time(0) == 2_208_988_800 << 32
    assert ntp_time(1_500_000_000) == (2_208_988_801 << 32) + 2**31


def test_a_clip_knows_its_keyframes_and_its_length(clip: Path) -> None:
    loaded = load_clip(clip)
    assert [index for index, unit in enumerate(loaded.units) if unit.key] == [0, 10, 20, 30, 40]
    assert loaded.period == 50 * TICKS
    assert [unit.at for unit in loaded.units] == [unit.sent for unit in loaded.units] == [i * TICKS for i in range(50)]


def test_reordered_pictures_are_sent_when_a_camera_could_have(tmp_path: Path) -> None:
    units = load_clip(encoded(tmp_path / "clip.mp4", 30, b_frames=2)).units
    assert sorted(unit.at for unit in units) == [i * TICKS for i in range(30)]
    assert all(unit.sent >= unit.at for unit in units)
    assert [unit.sent for unit in units] == sorted(unit.sent for unit in units)


def test_what_can_t_be_served_is_refused_with_its_reason(tmp_path: Path, clip: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no film")
    other = tmp_path / "other.avi"
    with av.open(str(other), "w") as container:
        stream = container.add_stream("mpeg4", FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode(None))
    for path, reason in ((tmp_path, "not a file"), (text, "can't be read"), (other, "no H.264")):
        with pytest.raises(InputError, match=reason):
            RtspServer({"hall": path})
    with pytest.raises(UsageError, match="loopback"):
        RtspServer({"hall": clip}, host="0.0.0.0")  # noqa: S104
    with pytest.raises(UsageError, match="path"):
        RtspServer({"../hall": clip})
    with pytest.raises(UsageError, match="both or neither"):
        RtspServer({"hall": clip}, user="viewer")
    with RtspServer({"hall": clip}) as server, pytest.raises(SetupError, match="choose another port"):
        RtspServer({"hall": clip}, port=server.port).start()
