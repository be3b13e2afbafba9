"""Which source an address means: a camera in the network, a webcam, a file played as live, a folder that grows."""

from pathlib import Path
from urllib.parse import urlsplit

from ingest.folder import PictureFolder
from ingest.played import PlayedFile
from ingest.source import WHAT_NEXT, Source, SourceError
from ingest.stream import Stream
from ingest.webcam import Webcam
from storage.database.addresses import FILE_SCHEME, media_path, webcam_device
from storage.database.records import Transport
from storage.errors import InvalidError
from storage.networks import Networks
from storage.status import StateReason

__all__ = ["WHAT_NEXT", "Source", "SourceError", "open_source"]


def open_source(
    camera_url: str,
    *,
    fps: float,
    transport: Transport,
    media_root: Path | None,
    networks: Networks,
    playing_since_ns: int,
    begun_ns: int,
) -> Source:
    """The source behind a camera's address; nothing is connected or opened yet.

    Args:
        camera_url: as it is registered, with user and password.
        fps: samples a second, above 0.
        transport: of RTSP.
        media_root: folder that files played as cameras lie in; None: no files.
        networks: that cameras may be in.
        playing_since_ns: Unix time of the first frame of a file that is played.
        begun_ns: Unix time of the epoch's beginning.

    Raises:
        SourceError: there is no such file or folder.
    """
    device = webcam_device(camera_url)
    if device is not None:
        return Webcam(device, fps)
    if urlsplit(camera_url).scheme != FILE_SCHEME:
        return Stream(camera_url, fps, transport=transport, networks=networks)
    try:
        path = media_path(camera_url, media_root)
    except InvalidError as error:
        raise SourceError(StateReason.NOT_FOUND, str(error)) from None
    if path.is_dir():
        return PictureFolder(path, fps)
    return PlayedFile(path, fps, playing_since_ns, begun_ns)
