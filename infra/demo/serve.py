"""The demo's clips as RTSP cameras of a system that runs already: `python -m infra.demo.serve FOLDER --port PORT`.

They listen on this host's loopback alone. In containers they share the network of `ingest`, who is to watch them.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Event

from infra.commands.registry import opened_sites
from infra.console import guarded, say
from infra.demo.live import BUILDING
from infra.rtsp.server import RtspServer
from infra.settings import Settings, load_settings
from infra.signals import asked_to_stop
from storage.database.records import NewCamera
from storage.errors import NotFoundError


def register(settings: Settings, urls: Mapping[str, str]) -> list[str]:
    """Enter them into the system's database, in a building of their own; who is there already stays as it is.

    Args:
        settings: of the system.
        urls: addresses by the cameras' identifiers.

    Returns:
        Identifiers of those that are new.

    Raises:
        StorageError: the database can't be written.
    """
    with opened_sites(settings) as sites:
        if all(one.id != BUILDING for one in sites.buildings(archived=True)):
            sites.add_building("Demo", "UTC", building_id=BUILDING)
        there = {one.id for one in sites.cameras(archived=True)}
        new = [name for name in urls if name not in there]
        for name in new:
            sites.add_camera(NewCamera(name.capitalize(), BUILDING, urls[name], id=name))
    return new


def clips_in(folder: Path) -> dict[str, Path]:
    """The clips of a folder by the names of their cameras.

    Raises:
        NotFoundError: there is none.
    """
    clips = {path.stem: path for path in sorted(folder.glob("*.mp4"))}
    if not clips:
        raise NotFoundError(f"there are no clips in {folder}: `python -m infra.demo.prepared {folder}` makes them")
    return clips


def serve(folder: Path, port: int, stop: Event) -> None:
    """Serve all clips of a folder until asked to stop, and see to it that the system watches them.

    Raises:
        NotFoundError: there are no clips.
        MaskwatchError: a clip can't be served, the port is taken, or the database can't be written.
    """
    clips = clips_in(folder)
    with RtspServer(clips, port=port) as server:
        urls = {name: server.url(name) for name in clips}
        new = register(load_settings(), urls)
        say(f"{len(urls)} demo cameras on port {server.port}: {', '.join(urls)} ({len(new)} new)")
        stop.wait()


def main() -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(prog="python -m infra.demo.serve", description="The demo's cameras, over RTSP.")
    parser.add_argument("folder", type=Path, help="with the clips, each named like its camera")
    parser.add_argument("--port", type=int, default=8554, help="of 127.0.0.1")
    options = parser.parse_args()
    with asked_to_stop() as stop:
        sys.exit(guarded(lambda: serve(options.folder, options.port, stop)))


if __name__ == "__main__":
    main()
