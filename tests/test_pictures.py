"""Still pictures of every kind, good and bad."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest.pictures import picture_paths, read_picture
from storage.errors import InputError
from tests.conftest import flat


def half_red() -> Image.Image:
    picture = flat((0, 0, 255), (40, 60))
    picture[:, :30] = (255, 0, 0)
    return Image.fromarray(picture)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.bmp", "a.tiff", "a.gif"])
def test_every_usual_format_is_read(tmp_path: Path, name: str) -> None:
    half_red().save(tmp_path / name)
    rgb = read_picture(tmp_path / name)
    assert rgb.shape == (40, 60, 3)
    assert rgb.dtype == np.uint8
    red, _, blue = rgb[20, 5].tolist()
    assert red > 200
    assert blue < 60


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "CMYK", "RGBA", "I;16"])
def test_every_colour_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    (Image.fromarray(np.full((40, 60), 30000, np.uint16)) if mode == "I;16" else half_red().convert(mode)).save(path)
    assert read_picture(path).shape == (40, 60, 3)


def test_a_picture_taken_sideways_comes_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    half_red().save(tmp_path / "a.jpg", exif=exif)
    rgb = read_picture(tmp_path / "a.jpg")
    assert rgb.shape == (60, 40, 3)
    assert rgb[5, 20, 0] > 200


def test_of_an_animation_the_first_frame_is_read(tmp_path: Path) -> None:
    frames = [Image.fromarray(flat(colour)) for colour in ((250, 0, 0), (0, 250, 0))]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_picture(tmp_path / "a.gif")[0, 0, 0] > 200


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").min() == 255


def test_one_pixel_is_a_picture(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").shape == (1, 1, 3)


@pytest.mark.parametrize("size", [(20_000, 20_000), (60_000, 60_000)])
def test_a_huge_picture_is_refused_by_its_header(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "huge.png"
    Image.new("1", (64, 64)).save(path)
    data = bytearray(path.read_bytes())
    # The header's width and height, with its checksum; no pixel of that size exists anywhere.
    import struct
    import zlib

    data[16:24] = struct.pack(">II", *size)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"more (than the limit|pixels than the limit)"):
        read_picture(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"no picture at all", "not a picture"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "not a picture|damaged"),
    ],
)
def test_what_is_no_picture_is_refused_with_its_reason(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_picture(path)
    assert "a.jpg" in str(caught.value)


def test_a_truncated_picture_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match="damaged"):
        read_picture(path)


def test_missing_files_and_folders_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_picture(tmp_path / "no.jpg")
    with pytest.raises(InputError, match="is a folder"):
        read_picture(tmp_path)
    with pytest.raises(InputError, match="holds no picture"):
        picture_paths(tmp_path)


def test_a_folder_gives_its_pictures_by_name_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.PNG", "a.jpg", "notes.txt", "sub/c.webp"):
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in picture_paths(tmp_path)] == [
        "a.jpg",
        "b.PNG",
        "sub/c.webp",
    ]
