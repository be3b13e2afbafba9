"""Cameras checked from the command line: by child processes on this machine, many at once."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from infra.places import Places
from infra.settings import Settings
from ingest.probe import probe
from storage.database import addresses
from storage.database.records import Camera, Transport
from storage.networks import Networks
from storage.probing import PROBE_LIMIT_S, Probe, ProbeRequest, at_once
from storage.pulse import Pulse


def refuse_address(url: str, settings: Settings) -> None:
    """Refuse what no camera has for an address, before anything is connected to.

    Raises:
        InvalidError: it is of an unknown kind, outside the networks, or not under the media folder.
    """
    addresses.check_address(url, Places.of(settings).media, Networks.parse(settings.camera_networks))


def check_address(
    url: str, settings: Settings, *, substream_url: str | None = None, transport: Transport = "tcp", still: bool = False
) -> Probe:
    """Connect to an address, and see what it shows; after 10 s it is over."""
    return probe(_request(url, settings, substream_url, transport, still=still))


def check_camera(camera: Camera, settings: Settings, *, still: bool = False, pulse: Pulse | None = None) -> Probe:
    """The same of a registered camera; a `pulse` that stops ends it."""
    if camera.trouble is not None:
        return Probe(ok=False, detail=camera.trouble)
    request = _request(camera.url, settings, camera.substream_url, camera.transport, still=still)
    return probe(request, PROBE_LIMIT_S, pulse)


def check_all(
    cameras: Sequence[Camera], settings: Settings, report: Callable[[float, float | None], None]
) -> dict[str, Probe]:
    """Check cameras, many at once.

    Args:
        cameras: which; in all it takes at most 10 s for each `at_once` of them.
        settings: media folder and networks.
        report: told how many are done, and of how many.

    Returns:
        What was found, by identifier.
    """
    pulse = Pulse()
    found: dict[str, Probe] = {}
    report(0, len(cameras))
    with ThreadPoolExecutor(at_once()) as pool:
        try:
            waiting = {pool.submit(check_camera, camera, settings, pulse=pulse): camera.id for camera in cameras}
            for done in as_completed(waiting):
                found[waiting[done]] = done.result()
                report(len(found), len(cameras))
        finally:
            # Whoever presses Ctrl-C waits for none of them.
            pulse.stop()
            pool.shutdown(wait=True, cancel_futures=True)
    return found


def _request(
    url: str, settings: Settings, substream_url: str | None, transport: Transport, *, still: bool
) -> ProbeRequest:
    return ProbeRequest(
        url=url,
        substream_url=substream_url,
        transport=transport,
        media_root=str(Places.of(settings).media),
        networks=settings.camera_networks,
        still=still,
    )


def what_it_shows(found: Probe) -> str:
    """What was found, in a few words for people.

    >>> what_it_shows(Probe(ok=True, codec="h264", width=1920, height=1080, fps=25.0, first_frame_s=0.8))
    'h264, 1920x1080, 25 fps, first picture after 0.8 s'
    """
    if not found.ok:
        return found.detail or "it can't be reached"
    parts = [
        found.codec or "",
        f"{found.width}x{found.height}",
        "" if found.fps is None else f"{found.fps:.3g} fps",
        f"first picture after {found.first_frame_s:.1f} s",
    ]
    shown = ", ".join(part for part in parts if part)
    if found.substream is not None:
        shown += f"; substream: {what_it_shows(found.substream)}"
    return shown
