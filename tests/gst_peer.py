"""GStreamer's RTSP server with one clip as a live camera: a peer that knows nothing of our code.

`python3 gst_peer.py CLIP [--user NAME --password-stdin]`, by the system's Python, which has GStreamer's bindings. The first line
on its output is `{"url": "rtsp://127.0.0.1:.../hall"}`; it serves over TCP and UDP, and ends when its input does. With `--check`
it only says whether all that it needs is installed.
"""

import argparse
import importlib
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

READ = (
    "filesrc name=file ! qtdemux ! h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au"
)
SERVED = "( appsrc name=camera is-live=true format=time ! h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96 )"
ELEMENTS = ("appsink", "appsrc", "filesrc", "h264parse", "qtdemux", "rtpbin", "rtph264pay", "udpsink")
AHEAD = 3


def loaded() -> tuple[Any, Any, Any]:
    """GStreamer, its server and the main loop's library."""
    try:
        gi: Any = importlib.import_module("gi")
        for name in ("Gst", "GstRtsp", "GstRtspServer"):
            gi.require_version(name, "1.0")
        gst, served, glib = (
            importlib.import_module(f"gi.repository.{name}") for name in ("Gst", "GstRtspServer", "GLib")
        )
    except (ImportError, ValueError) as error:
        sys.exit(f"GStreamer's bindings are missing ({error})")
    gst.init(None)
    if missing := [name for name in ELEMENTS if gst.ElementFactory.find(name) is None]:
        sys.exit(f"GStreamer lacks {', '.join(missing)}")
    return gst, served, glib


def pictures(gst: Any, clip: Path) -> list[Any]:
    """All coded pictures of a clip."""
    pipeline = gst.parse_launch(f"{READ} ! appsink name=out sync=false")
    pipeline.get_by_name("file").set_property("location", str(clip))
    pipeline.set_state(gst.State.PLAYING)
    out, found = pipeline.get_by_name("out"), list[Any]()
    while sample := out.emit("pull-sample"):
        found.append(sample.get_buffer())
    pipeline.set_state(gst.State.NULL)
    if not found:
        sys.exit(f"{clip} holds no H.264 that GStreamer can read")
    return found


class Camera:
    """Feeds a clip into the server, over and over."""

    def __init__(self, gst: Any, buffers: list[Any]) -> None:
        self._gst = gst
        self._buffers = buffers
        self._start = buffers[0].pts
        self._period = max(buffer.pts for buffer in buffers) - self._start + buffers[0].duration

    def configure(self, _: Any, media: Any) -> None:
        source = media.get_element().get_by_name_recurse_up("camera")
        source.set_property("max-buffers", AHEAD)
        source.set_property("caps", self._gst.Caps.from_string("video/x-h264,stream-format=byte-stream,alignment=au"))
        position = iter(range(sys.maxsize))
        source.connect("need-data", lambda source, _: source.emit("push-buffer", self._next(next(position))))

    def _next(self, position: int) -> Any:
        turn, index = divmod(position, len(self._buffers))
        buffer = self._buffers[index].copy()
        buffer.pts += turn * self._period - self._start
        buffer.dts = self._gst.CLOCK_TIME_NONE
        return buffer


def guarded(server: Any, served: Any, factory: Any, user: str, password: str) -> None:
    """Ask for a password, by digest."""
    rtsp: Any = importlib.import_module("gi.repository.GstRtsp")
    token = served.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth = served.RTSPAuth()
    auth.set_supported_methods(rtsp.RTSPAuthMethod.DIGEST)
    auth.add_digest(user, password, token)
    server.set_auth(auth)
    permissions = served.RTSPPermissions()
    for what in ("access", "construct"):
        permissions.add_permission_for_role("viewer", f"media.factory.{what}", True)
    factory.set_permissions(permissions)


def end_with_input() -> None:
    """Who started it closes the pipe, or is gone."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clip", type=Path, nargs="?")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--user")
    parser.add_argument("--password-stdin", action="store_true")
    options = parser.parse_args()
    password = sys.stdin.readline().rstrip("\n") if options.password_stdin else ""
    gst, served, glib = loaded()
    if options.check:
        return
    camera = Camera(gst, pictures(gst, options.clip))
    server = served.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    factory = served.RTSPMediaFactory()
    factory.set_launch(SERVED)
    factory.set_shared(True)
    factory.connect("media-configure", camera.configure)
    if options.user:
        guarded(server, served, factory, options.user, password)
    server.get_mount_points().add_factory("/hall", factory)
    server.attach(None)
    print(json.dumps({"url": f"rtsp://127.0.0.1:{server.get_bound_port()}/hall"}), flush=True)  # noqa: T201 its answer
    threading.Thread(target=end_with_input, daemon=True).start()
    glib.MainLoop().run()


if __name__ == "__main__":
    main()
