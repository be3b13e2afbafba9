"""Footage in pieces: what is seen in them, one after the other, is exactly what is seen in one go."""

import errno
import os
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from ingest.footage import Footage, FootageSummary
from ingest.frame import Frame
from ingest.motion import Motion
from ingest.pieces import (
    FootageDiffersError,
    FootagePlan,
    Pictures,
    PieceReader,
    PlanningStoppedError,
    began_by_name,
    began_ns,
    exact_length_ns,
    footage_summary,
    pack,
    plan_footage,
    unpack,
    whole_plan,
)
from storage.errors import InputError, StorageError, UsageError
from storage.messages import NS_PER_S

FPS = 5.0
SIZE = (96, 160)


class Seen(NamedTuple):
    """What a sample is to those who look at it."""

    seq: int
    at_ns: int
    pixels: bytes
    look: str
    active: bytes


class Clip(NamedTuple):
    """How footage is made."""

    name: str
    codec: str = "libx264"
    options: tuple[tuple[str, str], ...] = (("g", "20"), ("preset", "ultrafast"))
    frames: int = 200
    ticks: int = 90_000
    pix_fmt: str = "yuv420p"
    gaps: bool = False


CUT_UP = (
    Clip("b-frames.mp4", options=(("g", "20"), ("bf", "3"), ("preset", "veryfast"))),
    Clip("b-frames.mkv", options=(("g", "30"), ("bf", "2"), ("preset", "veryfast"))),
    Clip("b-frames.ts", options=(("g", "20"), ("bf", "2"), ("preset", "veryfast"))),
    Clip("short-groups.mp4", options=(("g", "2"), ("bf", "1"), ("preset", "veryfast"))),
    Clip("pauses.mkv", options=(("g", "10"), ("bf", "2"), ("preset", "veryfast")), gaps=True),
    Clip("pictures.avi", codec="mjpeg", pix_fmt="yuvj420p", options=()),
    Clip("old.avi", codec="mpeg4", ticks=25, options=(("g", "12"),)),
    Clip(
        "h265.mp4",
        codec="libx265",
        options=(("g", "25"), ("preset", "ultrafast"), ("x265-params", "open-gop=0:log-level=none")),
    ),
    Clip(
        "hidden-pictures.webm",
        codec="libvpx",
        options=(
            ("g", "30"),
            ("auto-alt-ref", "1"),
            ("lag-in-frames", "16"),
            ("deadline", "realtime"),
            ("cpu-used", "8"),
        ),
    ),
    Clip(
        "open-groups.mkv",
        codec="libx265",
        options=(("g", "20"), ("preset", "medium"), ("x265-params", "bframes=4:log-level=none")),
    ),
    Clip("open-groups.ts", codec="mpeg2video", ticks=25, options=(("g", "12"), ("bf", "2"))),
)
OPEN_GROUPS = Clip(
    "open.mp4", options=(("g", "20"), ("bf", "3"), ("x264-params", "open-gop=1"), ("preset", "veryfast"))
)


def picture(number: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """Somebody walks, stands still for three seconds, and walks on."""
    random = np.random.default_rng(3)
    pixels = random.integers(60, 120, (*size, 3), dtype=np.uint8)
    left = number * 3 % (size[1] - 30) if number // 25 % 6 < 3 else 20
    pixels[20:60, left : left + 30] = (250, 30, 30)
    return pixels


def made(folder: Path, clip: Clip) -> Path:
    path = folder / clip.name
    steps = np.random.default_rng(1).choice([0.04, 0.2, 0.52, 4.0], clip.frames, p=[0.7, 0.2, 0.09, 0.01]).cumsum()
    with av.open(str(path), "w") as container:
        stream = container.add_stream(clip.codec, 25, options=dict(clip.options))
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = *SIZE, clip.pix_fmt
        stream.time_base = stream.codec_context.time_base = Fraction(1, clip.ticks)
        for number in range(clip.frames):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            seconds = steps[number] if clip.gaps else number / 25
            frame.pts, frame.time_base = round(seconds * clip.ticks), Fraction(1, clip.ticks)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def never() -> bool:
    return False


def in_one_go(path: Path) -> tuple[list[Seen], FootageSummary]:
    motion, seen = Motion(), []
    with Footage(path) as footage:
        for seq, frame in enumerate(frame for frame in footage.frames(FPS) if frame.sampled):
            look, active = motion.judge(frame.luma(), frame.at_ns)
            seen.append(Seen(seq, frame.at_ns, frame.rgb().tobytes(), look, active.tobytes()))
        return seen, footage.summary


def in_pieces(path: Path, plan: FootagePlan) -> tuple[list[Seen], FootageSummary]:
    seen, read = [], []
    for piece in plan.pieces:
        motion = Motion()
        with PieceReader(path, plan, piece, FPS) as reader:
            for seq, frame, own in reader:
                look, active = motion.judge(frame.luma(), frame.at_ns)
                if own:
                    seen.append(Seen(seq, frame.at_ns, frame.rgb().tobytes(), look, active.tobytes()))
            read.append(reader.summary())
    return seen, footage_summary(plan, read)


def check_equal(path: Path, chunks_s: Iterable[float]) -> list[FootagePlan]:
    expected, summary = in_one_go(path)
    plans = []
    for chunk_s in chunks_s:
        plan = unpack(pack(plan_footage(path, FPS, chunk_s, never)))
        assert in_pieces(path, plan) == (expected, summary)
        with Pictures(path, plan, FPS) as pictures:
            for wanted in [*expected[::4], expected[2], expected[1]]:
                rgb = pictures.at(wanted.at_ns)
                assert rgb is not None
                assert rgb.tobytes() == wanted.pixels
            assert pictures.at(expected[1].at_ns + 1) is None
            assert pictures.at(expected[-1].at_ns + 9 * NS_PER_S) is None
        plans.append(plan)
    return plans


def fast_and_slow(clips: Iterable[Clip], fast: tuple[str, ...]) -> list[Any]:
    return [clip if clip.name in fast else pytest.param(clip, marks=pytest.mark.slow) for clip in clips]


@pytest.mark.parametrize(
    "clip", fast_and_slow(CUT_UP, ("b-frames.mp4", "b-frames.ts", "pictures.avi")), ids=lambda clip: clip.name
)
def test_the_samples_of_all_pieces_are_those_of_the_footage(tmp_path: Path, clip: Clip) -> None:
    path = made(tmp_path, clip)
    short, longer, one = check_equal(path, (2, 5, 100))
    assert len(short.pieces) > len(longer.pieces) > len(one.pieces) == 1
    for plan in (short, longer, one):
        assert plan.whole is None
        assert [piece.start_ns for piece in plan.pieces] == [0, *(piece.end_ns for piece in plan.pieces[:-1])]
        assert plan.pieces[-1].end_ns == plan.duration_ns
        assert all(piece.end_ns - piece.start_ns >= 2 * NS_PER_S for piece in plan.pieces[:-1])
        assert sum(piece.frames for piece in plan.pieces) == plan.frames
        assert sum(piece.samples for piece in plan.pieces) == plan.samples


def test_what_is_shown_before_a_keyframe_but_comes_after_it_keeps_footage_whole(tmp_path: Path) -> None:
    (plan,) = check_equal(made(tmp_path, OPEN_GROUPS), (2,))
    assert plan.whole == "there is no keyframe on the way that decoding can begin with"
    assert len(plan.pieces) == 1


def test_footage_that_begins_in_the_middle_of_a_picture_group_is_read_in_one_go(tmp_path: Path) -> None:
    path = made(tmp_path, CUT_UP[2])
    path.write_bytes(path.read_bytes()[188 * 37 :])
    (plan,) = check_equal(path, (2,))
    assert plan.whole is not None


def test_a_clock_that_jumps_back_keeps_footage_whole(tmp_path: Path) -> None:
    path = made(tmp_path, CUT_UP[2])
    path.write_bytes(path.read_bytes() * 2)
    (plan,) = check_equal(path, (2,))
    assert plan.whole is not None


def test_frames_before_the_start_of_an_edited_film_are_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "edited.mp4"
    with (
        av.open(str(made(tmp_path, CUT_UP[1]._replace(name="uncut.mp4")))) as source,
        av.open(str(path), "w") as target,
    ):
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        early = round(Fraction(9, 10) / (stream.time_base or 1))
        for packet in source.demux(stream):
            if packet.pts is not None and packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - early, packet.dts - early, copy
                target.mux(packet)
    with av.open(str(path)) as container:
        assert sum(packet.is_discard for packet in container.demux(video=0)) > 10
    (plan,) = check_equal(path, (2,))
    assert len(plan.pieces) > 2


def test_two_resolutions_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "two.ts"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt, stream.time_base = *SIZE, "yuv420p", Fraction(1, 90_000)
        for first, size in ((0, SIZE), (100, (192, 320)), (200, SIZE)):
            encoder = av.CodecContext.create("libx264", "w")
            assert isinstance(encoder, av.VideoCodecContext)
            encoder.height, encoder.width, encoder.pix_fmt = *size, "yuv420p"
            encoder.time_base, encoder.framerate = Fraction(1, 90_000), Fraction(25)
            encoder.options = {"g": "25", "bf": "0", "preset": "ultrafast"}
            packets = []
            for number in range(first, first + 100):
                frame = av.VideoFrame.from_ndarray(picture(number, size), format="rgb24")
                frame.pts, frame.time_base = number * 3600, Fraction(1, 90_000)
                packets += encoder.encode(frame)
            for packet in packets + encoder.encode(None):
                packet.stream, packet.time_base = stream, Fraction(1, 90_000)
                container.mux(packet)
    (plan,) = check_equal(path, (2,))
    assert len(plan.pieces) == 6


def test_a_day_at_a_frame_every_few_seconds_is_cut_up(tmp_path: Path) -> None:
    path = tmp_path / "day.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25, options={"g": "10", "preset": "ultrafast"})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(600):
            frame = av.VideoFrame.from_ndarray(picture(number, (64, 64))[:48], format="rgb24")
            frame.pts, frame.time_base = number * 144_000, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (plan,) = check_equal(path, (3600,))
    assert len(plan.pieces) == 20
    assert plan.duration_ns > 23 * 3600 * NS_PER_S


def damaged(path: Path, holes: int, long: int) -> Path:
    """Overwrite parts of the second half."""
    data = bytearray(path.read_bytes())
    for start in np.linspace(len(data) // 2, len(data) * 9 // 10, holes).astype(int):
        data[start : start + long] = bytes(long)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "clip", fast_and_slow((CUT_UP[1], CUT_UP[2], CUT_UP[5]), ("b-frames.ts",)), ids=lambda clip: clip.name
)
def test_damage_is_noticed_and_read_in_one_go_as_ever(tmp_path: Path, clip: Clip) -> None:
    path = damaged(made(tmp_path, clip), holes=5, long=600)
    plan = plan_footage(path, FPS, 2, never)
    if plan.whole is None:
        with pytest.raises(FootageDiffersError, match="can't be read in pieces"):
            in_pieces(path, plan)
        plan = whole_plan(path, FPS, "it is damaged")
        assert plan.whole == "it is damaged"
    _, summary = in_pieces(path, plan)
    with Footage(path) as footage:
        frames = list(footage.frames(FPS))
    assert summary.frames_decoded == len(frames)
    assert summary == footage.summary


def test_a_film_that_was_cut_off_says_what_is_missing_in_pieces_too(tmp_path: Path) -> None:
    path = made(tmp_path, CUT_UP[1])
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        ends = [packet.pos + packet.size for packet in container.demux(stream) if packet.pos and packet.is_keyframe]
    path.write_bytes(path.read_bytes()[: ends[-3]])
    (plan,) = check_equal(path, (2,))
    assert any("the rest is missing" in error for error in plan.errors)


class FailingOnce:
    """A share that is away for a moment: this read fails, none before and after it."""

    def __init__(self, number: int) -> None:
        self.number, self.calls = number, 0

    def __call__(self, file: int, size: int) -> bytes:
        self.calls += 1
        if self.calls - 1 == self.number:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return READ(file, size)


READ = os.read


@pytest.mark.parametrize("name", ["b-frames.mp4", "b-frames.mkv", "b-frames.ts", "old.avi"])
def test_a_share_that_fails_for_a_moment_is_no_damage(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path, next(clip for clip in CUT_UP if clip.name == name)._replace(frames=70))
    plan = plan_footage(path, FPS, 2, never)
    whole = whole_plan(path, FPS, "for this test")

    def pictures() -> None:
        with Pictures(path, plan, FPS) as opened:
            opened.at(plan.duration_ns - NS_PER_S)

    for work in (
        lambda: plan_footage(path, FPS, 2, never),
        lambda: in_pieces(path, plan),
        lambda: in_pieces(path, whole),
        lambda: began_ns(path),
        pictures,
    ):
        never_failing = FailingOnce(-1)
        monkeypatch.setattr("ingest.file_bytes.os.read", never_failing)
        work()
        for number in range(never_failing.calls):
            monkeypatch.setattr("ingest.file_bytes.os.read", FailingOnce(number))
            with pytest.raises(StorageError, match="Input/output error"):
                work()


@pytest.mark.parametrize("name", ["b-frames.mp4", "b-frames.mkv", "b-frames.ts", "old.avi"])
def test_footage_that_is_cut_off_anywhere_is_no_failing_share(tmp_path: Path, name: str) -> None:
    path = made(tmp_path, next(clip for clip in CUT_UP if clip.name == name)._replace(frames=60))
    data = path.read_bytes()
    for end in np.linspace(1, len(data) - 1, 5).astype(int):
        path.write_bytes(data[:end])
        with suppress(InputError, FootageDiffersError):
            in_pieces(path, plan_footage(path, FPS, 2, never))
    for at in np.linspace(1, len(data) - 1, 9).astype(int):
        # Lengths and places of which there is none.
        path.write_bytes(data[:at] + b"\xff" * 8 + data[at + 8 :])
        with suppress(InputError, FootageDiffersError):
            in_pieces(path, plan_footage(path, FPS, 2, never))


def test_footage_that_is_not_what_was_planned_is_noticed(tmp_path: Path) -> None:
    path = made(tmp_path, CUT_UP[0])
    plan = plan_footage(path, FPS, 2, never)
    other = made(tmp_path, CUT_UP[0]._replace(name="other.mp4", frames=120, gaps=True))
    with pytest.raises(FootageDiffersError):
        in_pieces(other, plan)


def test_names_may_hold_anything(tmp_path: Path) -> None:
    path = made(tmp_path, CUT_UP[0]._replace(name='a\'b "c"\nd:%s \N{GRINNING FACE}.mp4', frames=60))
    (plan,) = check_equal(path, (1,))
    assert len(plan.pieces) == 2


def sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", 44_100)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4410), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44_100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def nothing(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        container.start_encoding()


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (sound, "holds no video stream"),
        (nothing, "is not a video that can be read"),
        (lambda path: path.write_bytes(np.random.default_rng(0).bytes(20_000)), "is not a video"),
        (lambda path: path.touch(), "is empty"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda _: None, "does not exist"),
    ],
)
def test_what_is_no_footage_gets_no_plan(tmp_path: Path, fill: Callable[[Path], object], message: str) -> None:
    path = tmp_path / "film.mkv"
    fill(path)
    with pytest.raises(InputError, match=message):
        plan_footage(path, FPS, 2, never)


def test_encrypted_pictures_get_no_plan(tmp_path: Path) -> None:
    path = made(tmp_path, CUT_UP[0]._replace(frames=30))
    data = bytearray(path.read_bytes())
    # What follows is no longer H.264, only as long.
    start = data.index(b"mdat") + 4
    data[start : data.index(b"moov") - 4] = np.random.default_rng(0).bytes(data.index(b"moov") - 4 - start)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"no frame of .* can be decoded"):
        plan_footage(path, FPS, 2, never)


def test_planning_ends_when_it_is_no_longer_wanted(tmp_path: Path) -> None:
    with pytest.raises(PlanningStoppedError):
        plan_footage(made(tmp_path, CUT_UP[0]), FPS, 2, lambda: True)


@pytest.mark.parametrize("whole", [None, "for this test"])
def test_reading_ends_soon_when_it_is_no_longer_wanted_also_between_two_samples(
    tmp_path: Path, whole: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path, CUT_UP[0])
    plan = plan_footage(path, 0.01, 100, never) if whole is None else whole_plan(path, 0.01, whole)
    calls = 0

    def alive() -> None:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise PlanningStoppedError

    decoded, of = 0, Frame.of

    def counted(picture: VideoFrame, at_ns: int, index: int, *, sampled: bool) -> Frame:
        nonlocal decoded
        decoded += 1
        return of(picture, at_ns, index, sampled=sampled)

    monkeypatch.setattr(Frame, "of", counted)
    with PieceReader(path, plan, plan.pieces[0], 0.01, alive=alive) as reader, pytest.raises(PlanningStoppedError):
        list(reader)
    assert 10 < decoded <= 6 * 25
    decoded = calls = 0
    with Pictures(path, plan, 0.01, alive=alive) as pictures, pytest.raises(PlanningStoppedError):
        _ = [pictures.at(second * NS_PER_S) for second in range(8)]
    assert 10 < decoded <= 6 * 25


def jumping(folder: Path) -> Path:
    path = made(folder, CUT_UP[2]._replace(name="jumping.ts"))
    path.write_bytes(path.read_bytes() * 2)
    return path


def bare(folder: Path) -> Path:
    """Pictures alone, without any time."""
    return made(folder, CUT_UP[0]._replace(name="bare.h264"))


@pytest.mark.parametrize("clip", [CUT_UP[0], CUT_UP[4], OPEN_GROUPS], ids=lambda clip: clip.name)
def test_how_long_footage_is_that_is_not_cut_up(tmp_path: Path, clip: Clip) -> None:
    path = made(tmp_path, clip)
    assert exact_length_ns(path, never) == in_one_go(path)[1].end_ns


@pytest.mark.parametrize("make", [jumping, bare])
def test_where_no_timestamps_tell_how_long_footage_is_nothing_does(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    assert exact_length_ns(make(tmp_path), never) is None


def test_a_plan_that_is_damaged_is_refused() -> None:
    with pytest.raises(InputError, match="can't be read"):
        unpack(b"nothing")


def moment(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000) * 1_000_000


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("20260301-080000.mp4", "%Y%m%d-%H%M%S", "2026-03-01T07:00:00Z"),
        ("door_2026-07-01T08.30.15+0000.mkv", "%Y-%m-%dT%H.%M.%S%z", "2026-07-01T08:30:15Z"),
        ("cam1_ch2_260301_235959_part1.avi", "%y%m%d_%H%M%S", "2026-03-01T22:59:59Z"),
        ("1 Mar 2026.mp4", "%d %b %Y", "2026-02-28T23:00:00Z"),
        ("100% 2026-060.mp4", "%Y-%j", "2026-02-28T23:00:00Z"),
        ("door.mp4", "%Y%m%d", None),
        ("1202603011.mp4", "%Y%m%d", None),
        ("20261301.mp4", "%Y%m%d", None),
    ],
)
def test_when_footage_began_as_its_name_says(name: str, pattern: str, expected: str | None) -> None:
    assert began_by_name(name, pattern, "Europe/Zurich") == (expected and moment(expected))


@pytest.mark.parametrize("pattern", ["", "%H%M", "%Y%m", "%Q%Y%m%d", "%Y%m%d%", "%Y%Y%m%d"])
def test_a_pattern_that_can_tell_no_day_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="name pattern"):
        began_by_name("20260301.mp4", pattern, "UTC")


def test_a_time_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="no time zone"):
        began_by_name("20260301.mp4", "%Y%m%d", "Mars/Olympus")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("2026-03-01T08:00:00.500000Z", "2026-03-01T08:00:00.500Z"),
        ("1904-01-01T00:00:00Z", None),
        ("2999-01-01T00:00:00Z", None),
        (None, None),
    ],
)
def test_when_footage_began_as_its_container_says(tmp_path: Path, told: str | None, expected: str | None) -> None:
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        if told is not None:
            container.metadata["creation_time"] = told
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(0), format="rgb24")))
        container.mux(stream.encode(None))
    assert began_ns(path) == (expected and moment(expected))


@pytest.mark.parametrize("name", ["19691231.mp4", "21000101.mp4", "99991231.mp4"])
def test_a_name_does_not_say_that_footage_began_when_there_is_none(name: str) -> None:
    assert began_by_name(name, "%Y%m%d", "UTC") is None


def test_a_file_that_states_an_endless_length_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(0), format="rgb24")))
        container.mux(stream.encode(None))
    # Matroska's Duration (0x4489), 8 bytes of a float: milliseconds.
    data = path.read_bytes()
    at = data.index(b"\x44\x89\x88") + 3
    path.write_bytes(data[:at] + struct.pack(">d", 1e15) + data[at + 8 :])
    assert whole_plan(path, 5.0, "it is damaged").duration_ns == 366 * 24 * 3600 * 10**9
