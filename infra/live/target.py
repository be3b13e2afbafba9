"""What a person may name as the source: a webcam, a video file, a folder of pictures, or an address."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from infra.live.played import PlayedOnce
from ingest.footage import Footage
from ingest.pictures import SUFFIXES
from ingest.source import Source
from ingest.sources import open_source
from storage.database.addresses import check_address, webcam_device
from storage.database.records import shown_address
from storage.errors import InputError
from storage.files import check_file
from storage.networks import Networks
from storage.report import shown

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
DEVICES: Final = Path("/dev")


class Kind(StrEnum):
    """What a source is."""

    WEBCAM = "webcam"
    FILE = "file"
    FOLDER = "folder"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Target:
    """A source that can be opened, again and again.

    Attributes:
        kind: what it is.
        shown: its name as people may see it, without a password.
        path: of a file or folder, else None.
        open: makes a source that gives samples at the rate that is passed.
    """

    kind: Kind
    shown: str
    path: Path | None
    open: Callable[[float], Source]

    @property
    def ends(self) -> bool:
        """Whether it is over at some time by itself; what does not end is tried again when it fails."""
        return self.kind is Kind.FILE


def target(source: str, devices: Path = DEVICES) -> Target:
    """Find out what is meant.

    Args:
        source: as the person wrote it.
        devices: folder of the webcams' device files.

    Raises:
        InputError: a file, folder or webcam that is not there, or a file that is no video.
        InvalidError: an address of a kind that is not known.
    """
    if (device := webcam_device(source)) is not None:
        return _webcam(devices / Path(device).name)
    if source.lower().startswith("file:"):
        return _path(Path(unquote(urlsplit(source).path)))
    if _SCHEME.match(source):
        return _address(source)
    return _path(Path(source))


def _webcam(device: Path) -> Target:
    number = device.name.removeprefix("video")
    if not device.exists():
        there = sorted(path.name.removeprefix("video") for path in device.parent.glob("video[0-9]*"))
        known = f"there {'is' if len(there) == 1 else 'are'} {', '.join(there)}" if there else "there is none here"
        raise InputError(f"webcam {number} is not there ({device}): {known}; plug it in, or name another source")
    return Target(Kind.WEBCAM, f"webcam {number}", None, lambda fps: _opened(str(device), fps))


def _address(url: str) -> Target:
    check_address(url, None)
    return Target(Kind.ADDRESS, shown_address(url), None, lambda fps: _opened(url, fps))


def _path(path: Path) -> Target:
    if not path.exists():
        raise InputError(
            f"{shown(path)} does not exist: name a video file, a folder of pictures, a webcam's number, or an address such as "
            "rtsp://host/path"
        )
    try:
        check_file(path)
    except OSError:
        raise InputError(f"{shown(path)} is neither a file nor a folder: name a video file") from None
    if path.is_dir():
        folder = path.resolve()
        address = f"file:{quote(folder.name)}/"
        return Target(Kind.FOLDER, shown(folder.name), path, lambda fps: _opened(address, fps, folder.parent))
    if path.suffix.lower() in SUFFIXES - {".gif"}:
        raise InputError(f"{shown(path)} is a still picture: look at it with `maskwatch image`")
    # What is no video is said now, and not in the browser.
    Footage(path, threads=1).close()
    return Target(Kind.FILE, shown(path.name), path, lambda fps: PlayedOnce(path, fps))


def _opened(address: str, fps: float, media_root: Path | None = None) -> Source:
    now_ns = time.time_ns()
    return open_source(
        address,
        fps=fps,
        transport="tcp",
        media_root=media_root,
        # Whoever starts this names the one camera, and may name any.
        networks=Networks.parse("any"),
        playing_since_ns=now_ns,
        begun_ns=now_ns,
    )
