"""Sources on this machine: a folder of pictures that grows, a webcam, and which address means which source."""

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest.folder import PictureFolder
from ingest.frame import Frame
from ingest.played import PlayedFile
from ingest.source import Source, SourceError
from ingest.sources import open_source
from ingest.stream import Stream
from ingest.webcam import WAITING, Webcam
from storage.networks import Networks
from storage.pulse import Pulse
from storage.status import StateReason
from tests.conftest import flat
from tests.test_sources import clip, failing, first  # noqa: F401

GREYS = (40, 80, 120, 160, 200, 240)


def picture(folder: Path, name: str, grey: int, size: tuple[int, int] = (48, 64)) -> Path:
    """A grey picture, put there whole."""
    path = folder / name
    hidden = folder / f".{name}.part"
    Image.fromarray(flat((grey, grey, grey), size)).save(hidden, "PNG" if name.endswith("png") else "JPEG")
    hidden.rename(path)
    return path


class Seen:
    """What a folder shows, gathered in a thread: greys of samples, one entry for each change."""

    def __init__(self, source: PictureFolder) -> None:
        self.source = source
        self.greys: list[int] = []
        self.frames: list[Frame] = []
        self.error: SourceError | None = None
        self._changes: queue.Queue[int] = queue.Queue()
        self._pulse = Pulse()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        try:
            for frame in self.source.frames(self._pulse):
                self.frames.append(frame)
                grey = round(float(frame.luma().mean()))
                if frame.sampled and (not self.greys or self.greys[-1] != grey):
                    self.greys.append(grey)
                    self._changes.put(grey)
        except SourceError as error:
            self.error = error
        self._changes.put(-1)

    def next(self) -> int:
        return self._changes.get(timeout=30)

    def stop(self) -> None:
        self._pulse.stop()
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "door-pictures"
    path.mkdir()
    return path


@pytest.fixture
def seen(folder: Path) -> Iterator[Callable[[], Seen]]:
    watches: list[Seen] = []

    def watch() -> Seen:
        watches.append(Seen(PictureFolder(folder, 5)))
        return watches[-1]

    yield watch
    for one in watches:
        one.stop()


def test_of_the_pictures_there_at_the_start_only_the_newest_is_shown_then_each_new_one(
    folder: Path, seen: Callable[[], Seen]
) -> None:
    older = picture(folder, "b.jpg", 40).stat().st_ctime_ns
    # A file system's clock has steps.
    while picture(folder, "a.jpg", 80).stat().st_ctime_ns <= older:
        Pulse().wait(0.005)
    watch = seen()
    assert watch.next() == 80
    # A copied file keeps the time it was taken; what counts is when it came.
    os.utime(picture(folder, "z.jpg", 120), (1, 1))
    assert watch.next() == 120
    picture(folder, "y.png", 160)
    assert watch.next() == 160
    picture(folder, "y.png", 200)
    assert watch.next() == 200
    assert watch.source.broken == 0


def test_pictures_that_come_together_are_shown_one_after_the_other_at_the_rate_of_samples(
    folder: Path, seen: Callable[[], Seen]
) -> None:
    picture(folder, "0.jpg", 20)
    watch = seen()
    assert watch.next() == 20
    for index, grey in enumerate(GREYS):
        picture(folder, f"{index + 1}.jpg", grey)
    assert [watch.next() for _ in GREYS] == list(GREYS)
    steps = np.diff([frame.at_ns for frame in watch.frames if frame.sampled])
    assert steps.min() >= 199e6


def test_a_picture_is_shown_once_it_is_whole_and_what_is_broken_is_skipped_and_counted(
    folder: Path, seen: Callable[[], Seen], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.folder.WRITING_S", 0.5)
    picture(folder, "0.jpg", 40)
    watch = seen()
    assert watch.next() == 40
    (folder / "note.txt").write_text("no picture")
    (folder / "broken.jpg").write_text("no picture either")
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.png")
    data = (tmp_path / "whole.png").read_bytes()
    with (folder / "slow.png").open("wb") as file:
        file.write(data[: len(data) // 2])
        file.flush()
        picture(folder, "1.jpg", 80)
        assert watch.next() == 80
        file.write(data[len(data) // 2 :])
    assert abs(watch.next() - noise.mean()) < 10
    picture(folder, "2.jpg", 200)
    assert watch.next() == 200
    until_s = time.monotonic() + 30
    while watch.source.broken < 1 and time.monotonic() < until_s:
        Pulse().wait(0.05)
    # On a slow machine the half file may have been one, too, until it was whole.
    assert watch.source.broken >= 1


def test_links_and_folders_are_no_pictures(folder: Path, seen: Callable[[], Seen], tmp_path: Path) -> None:
    picture(folder, "0.jpg", 40)
    watch = seen()
    assert watch.next() == 40
    outside = picture(tmp_path, "secret.jpg", 240)
    (folder / "link.jpg").symlink_to(outside)
    (folder / "folder.jpg").mkdir()
    picture(folder, "1.jpg", 80)
    assert watch.next() == 80
    assert 240 not in watch.greys


def test_an_old_picture_is_evidence_of_nothing_but_shows_that_the_source_lives(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.folder.HOLD_S", 0.5)
    monkeypatch.setattr("ingest.folder.SIGN_S", 0.3)
    picture(folder, "0.jpg", 40)
    frames = first(PictureFolder(folder, 10), 10)
    assert 1 <= sum(frame.sampled for frame in frames) <= 6
    assert not any(frame.sampled for frame in frames[-3:])
    assert np.diff([frame.at_ns for frame in frames]).max() < 10e9


def test_a_folder_without_pictures_or_that_goes_away_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, seen: Callable[[], Seen]
) -> None:
    monkeypatch.setattr("ingest.folder.EMPTY_S", 0.3)
    empty = failing(PictureFolder(folder, 5))
    assert empty.reason is StateReason.NOT_FOUND
    assert "something has to put one there" in str(empty)
    path = picture(folder, "0.jpg", 40)
    watch = seen()
    assert watch.next() == 40
    path.unlink()
    folder.rmdir()
    assert watch.next() == -1
    assert watch.error is not None
    assert watch.error.reason is StateReason.NOT_FOUND


# --- webcams ---


def test_a_webcam_that_is_not_there_or_is_none_says_so(tmp_path: Path) -> None:
    missing = failing(Webcam("/dev/video987", 5))
    assert missing.reason is StateReason.NOT_FOUND
    assert "plug it in, or choose another number" in str(missing)
    os.mkfifo(tmp_path / "fifo")
    for device in ("/dev/null", "/dev/zero", str(tmp_path / "fifo"), __file__):
        assert failing(Webcam(device, 5)).reason is StateReason.UNSUPPORTED_CODEC


def test_a_webcam_s_frames_come_by_a_thread_of_its_own(
    clip: Callable[..., Path],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # No webcam is needed for this: what stands in for its driver is a film.
    monkeypatch.setattr("ingest.webcam.FORMAT", "mp4")
    source = Webcam(str(clip(1)), 5)
    # However busy the machine is, so many frames wait when the film is at its end.
    frames = first(source, WAITING - 1)
    assert frames[0].sampled
    assert all(frame.luma().shape == (96, 128) for frame in frames)
    assert failing(source).reason is StateReason.REFUSED
    assert not any(thread.name.startswith("webcam") for thread in threading.enumerate())


def test_a_webcam_whose_driver_hangs_is_given_up(
    clip: Callable[..., Path],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest.webcam.FORMAT", "mpegts")
    monkeypatch.setattr("ingest.webcam.READ_S", 0.5)
    monkeypatch.setattr("ingest.webcam.OPEN_S", 2.0)
    fifo = tmp_path / "video0"
    os.mkfifo(fifo)
    holding = os.open(fifo, os.O_RDWR)
    try:
        for _ in range(3):
            assert failing(Webcam(str(fifo), 5)).reason is StateReason.TIMEOUT
        # What is left behind hangs alone, however often the webcam is tried again.
        assert [thread.name for thread in threading.enumerate()].count(f"webcam {fifo}") == 1
    finally:
        os.write(holding, b"\x00" * 4096)
        os.close(holding)


# --- which source ---


def opened(url: str, media_root: Path | None = None) -> Source:
    return open_source(
        url,
        fps=5,
        transport="tcp",
        media_root=media_root,
        networks=Networks.parse("private"),
        playing_since_ns=0,
        begun_ns=0,
    )


def test_an_address_chooses_its_source(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "clip.mp4").write_bytes(b"clip")
    for url, kind in (
        ("rtsp://10.0.0.5/1", Stream),
        ("https://10.0.0.5/1", Stream),
        ("0", Webcam),
        ("/dev/video2", Webcam),
        ("file:clip.mp4", PlayedFile),
        ("file:pictures/", PictureFolder),
    ):
        source = opened(url, tmp_path)
        assert isinstance(source, kind)
        assert source.clock in {"arrival", "file"}
        assert source.trouble is None
    with pytest.raises(SourceError) as caught:
        opened("file:gone.mp4", tmp_path)
    assert caught.value.reason is StateReason.NOT_FOUND
