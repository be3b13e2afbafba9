"""Footage as files bring it: any rate, any format, damaged or not."""

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from ingest.footage import Footage
from storage.errors import InputError
from tests.conftest import WriteVideo, flat


def noise(count: int, size: tuple[int, int] = (96, 128)) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [random.integers(0, 255, (*size, 3), dtype=np.uint8) for _ in range(count)]


def test_a_clip_is_sampled_by_time_and_counted_in_full(write_video: WriteVideo) -> None:
    with Footage(write_video([flat()] * 50)) as footage:
        times = [frame.at_ns / 1e9 for frame in footage.frames(5) if frame.sampled]
    assert times == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8])
    assert footage.summary.frames_decoded == 50
    assert footage.summary.duration_s == pytest.approx(2.0)
    assert footage.summary.fps == pytest.approx(25.0)
    assert footage.summary.errors == []


def test_a_variable_frame_rate_is_sampled_by_timestamp(write_video: WriteVideo) -> None:
    times = [0.0, 0.05, 0.5, 0.52, 1.4, 1.45, 1.9]
    with Footage(write_video([flat()] * len(times), times=times, name="vfr.mkv")) as footage:
        sampled = [round(frame.at_ns / 1e9, 2) for frame in footage.frames(2) if frame.sampled]
    assert sampled == [0.0, 0.5, 1.4, 1.9]


@pytest.mark.parametrize(
    ("pix_fmt", "codec", "name"),
    [
        ("yuv420p", "libx264", "a.mp4"),
        ("yuv444p", "libx264", "b.mp4"),
        ("yuv420p10le", "libx264", "c.mkv"),
        ("yuvj422p", "mjpeg", "d.avi"),
        ("gray", "ffv1", "e.mkv"),
        ("bgr0", "ffv1", "f.mkv"),
        ("yuv410p", "ffv1", "g.mkv"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_every_pixel_format_becomes_rgb_and_luma(write_video: WriteVideo, pix_fmt: str, codec: str, name: str) -> None:
    grey = (120, 120, 120)
    path = write_video([flat(grey, (98, 130))] * 3, pix_fmt=pix_fmt, codec=codec, name=name)
    with Footage(path) as footage:
        frame = next(footage.frames(5))
        rgb, luma = frame.rgb(), frame.luma()
    assert rgb.shape == (98, 130, 3)
    assert luma.shape == (98, 130)
    assert rgb.dtype == luma.dtype == np.uint8
    # The encoder may get single blocks at the picture's edge a little wrong.
    assert np.quantile(np.abs(rgb.astype(int) - 120), 0.99) <= 6
    assert rgb.flags.c_contiguous


def rotated(path: Path, degrees: int) -> Path:
    """Set the display matrix of an mp4's only track, as telephones do."""
    data = bytearray(path.read_bytes())
    one = 1 << 16
    matrix = {
        90: (0, one, 0, -one, 0, 0),
        180: (-one, 0, 0, 0, -one, 0),
        270: (0, -one, 0, one, 0, 0),
    }[degrees]
    # tkhd: 4 size, 4 type, 4 version and flags, 5 * 4 times and ids, 2 * 4 reserved, 4 * 2, then the matrix.
    start = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    a, b, u, c, d, v = matrix
    struct.pack_into(">9i", data, start, a, b, u, c, d, v, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def test_a_clip_held_sideways_comes_upright(write_video: WriteVideo) -> None:
    picture = flat((20, 20, 20), (96, 160))
    picture[:, :40] = (250, 250, 250)
    path = write_video([picture] * 3)
    for degrees, shape, bright in ((90, (160, 96), "top"), (180, (96, 160), "right"), (270, (160, 96), "bottom")):
        with Footage(rotated(path, degrees)) as footage:
            frame = next(footage.frames(5))
            luma, rgb = frame.luma(), frame.rgb()
        assert luma.shape == shape
        assert rgb.shape[:2] == shape
        sides = {"top": luma[:20], "bottom": luma[-20:], "left": luma[:, :20], "right": luma[:, -20:]}
        assert max(sides, key=lambda name: sides[name].mean()) == bright


def test_hd_footage_without_a_colour_tag_is_read_as_bt709(write_video: WriteVideo) -> None:
    red = flat((200, 40, 40), (720, 128))
    path = write_video([red] * 2)
    with av.open(str(path)) as container:
        decoded = next(container.decode(video=0))
        expected = decoded.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()
    with Footage(path) as footage:
        assert np.array_equal(next(footage.frames(5)).rgb(), expected)


def test_what_is_there_of_a_truncated_clip_is_read_and_what_is_missing_is_said(
    write_video: WriteVideo, tmp_path: Path
) -> None:
    whole = write_video(noise(75), options={"movflags": "faststart"})
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    with Footage(cut) as footage:
        frames = sum(1 for _ in footage.frames(5))
    assert 30 < frames < 60
    assert any("of 3.000 s: the rest is missing" in error for error in footage.summary.errors)


def test_damaged_packets_are_skipped_and_counted(write_video: WriteVideo) -> None:
    path = write_video(noise(50), name="damaged.mkv")
    data = bytearray(path.read_bytes())
    for start in range(len(data) // 3, len(data) // 2, 997):
        data[start : start + 64] = bytes(64)
    path.write_bytes(data)
    with Footage(path) as footage:
        frames = [frame.at_ns for frame in footage.frames(25)]
    assert len(frames) >= 20
    assert frames == sorted(set(frames))


def bad_files(folder: Path) -> dict[str, Path]:
    empty, text, noise_file = folder / "empty.mp4", folder / "text.mp4", folder / "noise.mp4"
    empty.touch()
    text.write_text("This is not a film.\n" * 100)
    noise_file.write_bytes(np.random.default_rng(0).bytes(5000))
    audio = folder / "audio.mp4"
    with av.open(str(audio), "w") as container:
        stream = container.add_stream("aac", 44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 4410), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44100
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    return {
        "empty": empty,
        "text": text,
        "noise": noise_file,
        "audio": audio,
        "missing": folder / "no.mp4",
        "folder": folder,
    }


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "does not exist"),
        ("empty", "is empty"),
        ("text", "not a video that can be read|no video stream|no frame"),
        ("noise", "not a video that can be read|no video stream|no frame"),
        ("audio", "no video stream"),
        ("folder", "is a folder"),
    ],
)
def test_what_is_no_footage_is_refused_with_its_reason(tmp_path: Path, kind: str, message: str) -> None:
    path = bad_files(tmp_path)[kind]
    with pytest.raises(InputError, match=message) as caught, Footage(path) as footage:
        list(footage.frames(5))
    assert str(path) in str(caught.value)


def test_a_clip_cut_off_before_its_index_says_so(write_video: WriteVideo, tmp_path: Path) -> None:
    whole = write_video(noise(25))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:-2000])
    with pytest.raises(InputError, match="cut off before its index was written"):
        Footage(cut)


def test_a_playlist_inside_a_file_reaches_nothing_else(tmp_path: Path) -> None:
    playlist = tmp_path / "list.mp4"
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/secret.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(InputError), Footage(playlist) as footage:
        list(footage.frames(5))
