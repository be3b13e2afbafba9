"""Footage in folders: what counts as such, and that nothing is left out unsaid."""

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.errors import InvalidError
from storage.media import SUFFIXES, footage_in, media_file, media_files

FILES_JS = Path(__file__).parents[1] / "api" / "console" / "pages" / "footage" / "files.js"


def forbid(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Nobody may look into a folder any more; root, as whom tests may run, is stopped by no permissions."""
    scandir = os.scandir

    def refusing(path: str | Path = ".") -> Iterator[os.DirEntry[str]]:
        if Path(path) == folder:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("door.mp4", "day/hall.M2TS", "day/._hall.m2ts", ".Trashes/old.mp4", "lost+found/x.mp4", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"film")
    return tmp_path


def test_the_console_and_the_server_count_the_same_as_footage() -> None:
    kinds = re.search(r'^const KINDS = "(.*)"\.split', FILES_JS.read_text(), re.MULTILINE)
    assert kinds is not None
    assert {f".{one}" for one in kinds[1].split(" ")} == SUFFIXES
    assert {".mts", ".m2ts", ".dav", ".h264", ".h265", ".264", ".265", ".asf", ".3gp", ".mxf"} <= SUFFIXES


def test_footage_is_found_in_all_folders_but_hidden_ones(folder: Path) -> None:
    assert footage_in(folder) == [folder / "day" / "hall.M2TS", folder / "door.mp4"]
    assert [one.path for one in media_files("", folder)] == ["day/hall.M2TS", "door.mp4"]


def test_a_folder_that_can_not_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid(monkeypatch, folder / "day")
    for under in ("", "day"):
        with pytest.raises(InvalidError, match=r"^'day' can't be read: Permission denied"):
            media_files(under, folder)
    with pytest.raises(PermissionError, match="/day'"):
        footage_in(folder)


def test_a_file_that_can_not_be_looked_at_is_named(folder: Path) -> None:
    loop = folder / "day" / "loop.mp4"
    loop.symlink_to(loop)
    with pytest.raises(InvalidError, match=r"^'day/loop\.mp4' can't be read: it is a link that leads back to itself"):
        media_files("", folder)
    with pytest.raises(OSError, match=r"day/loop\.mp4"):
        footage_in(folder)


def test_a_name_that_is_no_text_is_told_of(folder: Path) -> None:
    (folder / "day" / "caf\udce9.mp4").write_bytes(b"film")
    with pytest.raises(InvalidError, match=r"the name of 'day/caf\\udce9\.mp4' is not UTF-8: rename it"):
        media_files("", folder)


def test_what_is_gone_is_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "broken.mp4").symlink_to(folder / "nowhere")
    (folder / "through.mp4").symlink_to(folder / "door.mp4" / "x")
    going, scandir = folder / "going", os.scandir
    going.mkdir()

    def looked(path: str | Path) -> Iterator[os.DirEntry[str]]:
        if Path(path) == going:
            going.rmdir()
        return scandir(path)

    monkeypatch.setattr(os, "scandir", looked)
    assert [one.path for one in media_files("", folder)] == ["day/hall.M2TS", "door.mp4"]
    going.mkdir()
    assert footage_in(folder) == [folder / "day" / "hall.M2TS", folder / "door.mp4"]
    with pytest.raises(InvalidError, match="is no file under the media root"):
        media_file("door.mp4/x", folder)


def test_of_what_lies_outside_nothing_is_told(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.mp4").write_bytes(b"film")
    (folder / "out.mp4").symlink_to(outside / "secret.mp4")
    (folder / "none.mp4").symlink_to(outside / "none.mp4")
    (folder / "long.mp4").symlink_to(outside / ("x" * 300))
    assert [one.path for one in media_files("", folder)] == ["day/hall.M2TS", "door.mp4"]
