"""What a clumsy or hostile user types: nothing is lost, nothing hangs, nothing but a sentence comes back."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from infra.cli import run
from tests.conftest import WriteVideo, flat

MASKWATCH = str(Path(sys.executable).parent / "maskwatch")


@pytest.fixture
def photos(tmp_path: Path, astronaut: NDArray[np.uint8]) -> list[Path]:
    """Two different pictures of the same name in two folders."""
    paths = [tmp_path / "a" / "x.jpg", tmp_path / "b" / "x.jpg"]
    for path, picture in zip(paths, (astronaut, flat()), strict=True):
        path.parent.mkdir()
        Image.fromarray(picture).save(path)
    return paths


def test_a_result_never_overwrites_a_source_that_is_still_to_be_read(
    photos: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    before = photos[1].read_bytes()
    assert run(["image", *map(str, photos), "--annotate", str(photos[1].parent)]) == 2
    assert "would overwrite what is read" in capsys.readouterr().err
    assert photos[1].read_bytes() == before


def test_sources_of_one_name_get_results_of_different_names(
    photos: list[Path], write_video: WriteVideo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["image", *map(str, photos), "--annotate", str(tmp_path / "out")]) == 0
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["x-2.jpg", "x.jpg"]
    clip = write_video([flat()] * 5)
    other = tmp_path / "a" / "clip.mp4"
    other.write_bytes(clip.read_bytes())
    assert run(["video", str(clip), str(other), "--report", str(tmp_path / "r")]) == 0
    assert sorted(file.name for file in (tmp_path / "r").glob("*.json")) == ["clip.mp4-2.json", "clip.mp4.json"]
    same = str(tmp_path / "same.mp4")
    assert run(["video", str(clip), "--report", same, "--annotate", same]) == 2
    assert "two results" in capsys.readouterr().err


@pytest.mark.parametrize("size", [(1, 30_000), (30_000, 2), (1, 1), (16, 12_000)])
def test_thin_pictures_are_pictures(size: tuple[int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "thin.png"
    Image.new("RGB", size, (120, 90, 60)).save(path)
    assert run(["image", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["width"] == size[0]
    assert run(["faces", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unknown"]


def test_names_need_not_be_utf8_nor_free_of_markup(
    photos: list[Path], write_video: WriteVideo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff[red]\n.jpg"))
    odd.write_bytes(photos[1].read_bytes())
    missing = Path(os.fsdecode(os.fsencode(tmp_path) + b"/gone\xff.jpg"))
    assert run(["image", str(odd), str(missing), "--json"]) == 1
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert "[red]" in first["image"]
    assert "does not exist" in second["error"]
    clip = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.mp4"))
    clip.write_bytes(write_video([flat()] * 5).read_bytes())
    assert run(["video", str(clip), "--report", str(tmp_path / "r.json")]) == 0
    assert (tmp_path / "r.json").exists()


def test_a_link_to_itself_is_no_footage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loop = tmp_path / "loop.mp4"
    loop.symlink_to("loop.mp4")
    assert run(["video", str(loop), "--report", str(tmp_path / "r.json")]) == 1
    assert run(["image", str(loop), "--annotate", str(tmp_path / "out")]) == 1
    assert "loop.mp4" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ["--fps", "1e-9"],
        ["--fps", "nan"],
        ["--fps", "inf"],
        ["--dwell", "-1"],
        ["--start", "0001-01-01T00:00:00+14:00"],
    ],
)
def test_numbers_out_of_range_are_wrong_calls(
    options: list[str], write_video: WriteVideo, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["video", str(write_video([flat()] * 5)), *options]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_an_empty_folder_does_not_stop_the_others(
    write_video: WriteVideo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert run(["video", str(tmp_path / "empty"), str(write_video([flat()] * 5)), "--json"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert ["error" in line for line in lines] == [True, False]


def test_a_later_run_leaves_the_pictures_of_an_earlier_report(
    write_video: WriteVideo, astronaut: NDArray[np.uint8], tmp_path: Path
) -> None:
    from tests.test_cli import passing_by

    clip = write_video(passing_by(astronaut))
    for number, fps in enumerate((5, 3, 7, 5)):
        assert run(["video", str(clip), "--fps", str(fps), "--report", str(tmp_path / "r" / f"{number}.json")]) == 0
    for report in (tmp_path / "r").glob("*.json"):
        for event in json.loads(report.read_text())["events"]:
            assert (report.parent / event["snapshot"]).exists()


def test_closed_streams_are_no_error_of_the_program(photos: list[Path]) -> None:
    for closing in (">&-", "2>&-", ">&- 2>&-"):
        done = subprocess.run(
            ["sh", "-c", f'exec "$0" "$@" {closing}', MASKWATCH, "image", str(photos[1]), "--json"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0
        assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)]
)
def test_who_is_stopped_leaves_nothing_behind(
    number: signal.Signals, status: int, write_video: WriteVideo, astronaut: NDArray[np.uint8], tmp_path: Path
) -> None:
    from tests.test_cli import passing_by

    clip = write_video(passing_by(astronaut) * 12)
    out = tmp_path / "out"
    process = subprocess.Popen(
        # What runs in the background of a shell ignores Ctrl-C, and its children do.
        ["env", "--default-signal", MASKWATCH, "video", str(clip), "--annotate", str(out / "a.mp4")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    # The temporary file appears when annotating begins.
    while not list(out.glob(".a-*")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in told
    assert not list(out.iterdir())
