"""Camera addresses are hostile input: which are taken, and which file, folder or webcam an address means."""

import ipaddress
import re
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from storage.database.records import shown_address
from storage.errors import InvalidError
from storage.networks import Networks

NETWORK_SCHEMES: Final = ("rtsp", "rtsps", "http", "https")
FILE_SCHEME: Final = "file"
LONGEST_ADDRESS: Final = 2048

_HOST: Final = re.compile(r"(?!-)[\w.-]{1,253}(?<![-.])\.?")
_WEBCAM: Final = re.compile(r"(?:/dev/video)?([0-9]{1,3})")
_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)(?:(//(?:[^/?#]*@)?)([^/?#]*))?")
_NEEDS: Final = (
    "give rtsp://, rtsps://, http:// or https://, file: for a file or a folder under the media root, or /dev/video0 for a "
    "webcam"
)


def check_address(url: str, media_root: Path | None, networks: Networks | None = None) -> None:
    """Refuse an address that no camera has.

    Whether something answers there, and what network a name leads to, is found out on connecting.

    Args:
        url: as it was given.
        media_root: where files must lie; None: nowhere.
        networks: that cameras may be in; None: any.

    Raises:
        InvalidError: unknown scheme, no host, characters that don't belong there, a network address outside the networks,
            or a file that is not under the media root.
    """
    if webcam_device(url) is not None:
        return
    parts = _split(url)
    if parts.scheme == FILE_SCHEME:
        media_path(url, media_root)
    elif parts.scheme not in NETWORK_SCHEMES:
        raise InvalidError(f"camera address {_shown(url)!r} is of an unknown kind: {_NEEDS}")
    elif "@" in parts.path or ("@" in parts.query + parts.fragment and not parts.path and "@" not in parts.netloc):
        # What stands where host and port are read is a user name and a part of a password: nothing of it is shown.
        raise InvalidError(
            "the camera address has an '@' after its host: special characters in a password must be percent-encoded "
            "(/ as %2F, ? as %3F, # as %23, @ as %40), an '@' in a path as %40"
        )
    elif not parts.netloc or not _is_host(parts):
        raise InvalidError(f"camera address {_shown(url)!r} names no host: write it as rtsp://host/path")
    elif networks is not None:
        networks.check_host(parts.hostname or "")


def normal_address(url: str) -> str:
    """The address with its scheme and host in small letters, in which they mean the same and are understood everywhere.

    >>> normal_address("RTSP://Admin:Pw@Cam.Local:554/Main")
    'rtsp://Admin:Pw@cam.local:554/Main'
    """
    found = _ADDRESS.match(url)
    if found is None:
        return url
    scheme, user, host = found.groups("")
    return f"{scheme.lower()}{user}{host.lower()}{url[found.end() :]}"


def webcam_device(url: str) -> str | None:
    """The device that `/dev/video1`, or `1` alone, means; None for addresses of another kind.

    >>> webcam_device("1"), webcam_device("rtsp://10.0.0.5/1")
    ('/dev/video1', None)
    """
    match = _WEBCAM.fullmatch(url)
    return None if match is None else f"/dev/video{int(match[1])}"


def media_path(url: str, media_root: Path | None) -> Path:
    """The file that `file:clips/door.mp4`, or `file:///media/root/clips/door.mp4`, means; a `/` at its end makes it a folder.

    To be asked again whenever the file is opened: links may have changed since.

    Raises:
        InvalidError: not a file, or folder, under the media root, links followed, or it does not exist.
    """
    parts = _split(url)
    name = unquote(parts.path)
    if parts.scheme != FILE_SCHEME or parts.netloc not in {"", "localhost"} or parts.query or parts.fragment:
        raise InvalidError(f"{_shown(url)!r} names no file under the media root: write file:clips/door.mp4")
    if not name or any(not character.isprintable() for character in name):
        raise InvalidError(f"{_shown(url)!r} holds no usable file name: write file:clips/door.mp4")
    if media_root is None:
        raise InvalidError("files can't be cameras here: no media root is set (MASKWATCH_MEDIA_DIR)")
    try:
        root = media_root.resolve()
        path = (root / name).resolve()
        inside = path.is_relative_to(root)
        folder = name.endswith("/")
        exists = inside and (path.is_dir() if folder else path.is_file())
    except (OSError, RuntimeError) as error:
        raise InvalidError(f"{_shown(url)!r} can't be looked up: {error}") from error
    # The same answer for what is outside, whether it exists or not: this is no way to look around the disk.
    if not inside:
        raise InvalidError(f"{_shown(url)!r} is not under the media root {root}: move the file there")
    if not exists:
        kind = "folder" if folder else "file"
        raise InvalidError(
            f"{_shown(url)!r}: there is no such {kind} under the media root {root}; a folder is written with a / at its end"
        )
    return path


def _split(url: str) -> SplitResult:
    # Before urlsplit, which drops some of these without a word.
    if not url or len(url) > LONGEST_ADDRESS:
        raise InvalidError(f"a camera address has 1 to {LONGEST_ADDRESS} characters, not {len(url)}: {_NEEDS}")
    if any(character.isspace() or not character.isprintable() or character == "\\" for character in url):
        raise InvalidError(
            f"camera address {_shown(url)!r} holds spaces, control characters or backslashes: write them as %20 and so on"
        )
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise InvalidError(
            f"camera address {_shown(url)!r} can't be read: check host and port, and write special characters of a "
            "password as %2F, %40 and so on"
        ) from error
    return parts


def _is_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            return False
        return True
    return _HOST.fullmatch(host) is not None


def _shown(url: str) -> str:
    """The address without anything that may be a password, however oddly it is written."""
    before, at, after = url.rpartition("@")
    if at:
        scheme, separator, _ = before.partition("://")
        url = f"{scheme}://***@{after}" if separator else f"***@{after}"
    return shown_address(url)[:200]
