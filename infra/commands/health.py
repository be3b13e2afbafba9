"""`maskwatch health`: whether one role works on this host, for whoever looks after containers. It needs no shell."""

import http.client
import socket
import time
from typing import Annotated, Final

import typer

from infra.console import say
from storage.errors import SetupError, UsageError

LIMIT_S: Final = 5.0
"""Longest wait for an answer."""

CAMERAS: Final = "cameras"
"""The demo's, which are no role of the system."""

API: Final = "api"
HERE: Final = "127.0.0.1"


def health(
    role: Annotated[
        str, typer.Argument(metavar="ROLE", help="As of `serve`, or cameras: the demo's.", show_default=False)
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="Of the worker, where it was given one.", show_default=False)
    ] = None,
    number: Annotated[int, typer.Option("--number", min=0, max=63, help="Of aggregate and ingest, as of `serve`.")] = 0,
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="Where api or the demo's cameras listen on this host.")
    ] = 8000,
) -> None:
    """Say whether a role works on this host: exit status 0 if it does, 1 if not.

    Of api, it has to answer; of the demo's cameras likewise; any other has to have said within 10 s, in Redis, that it is alive,
    and to be waiting for nothing that is away.
    """
    if role == API:
        say(api_health(port))
    elif role == CAMERAS:
        say(cameras_health(port))
    else:
        say(worker_health(role, name, number))


def api_health(port: int) -> str:
    """Ask the API on this host whether it runs.

    Raises:
        SetupError: it does not answer, or not with 200.
    """
    connection = http.client.HTTPConnection(HERE, port, timeout=LIMIT_S)
    try:
        connection.request("GET", "/api/v1/health/live")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise SetupError(f"the API does not answer on port {port} ({error}): its log says why") from error
    finally:
        connection.close()
    if status != http.client.OK:
        raise SetupError(f"the API on port {port} answers {status}: its log says why")
    return f"the API answers on port {port}"


def cameras_health(port: int) -> str:
    """Ask the demo's cameras on this host what they can do.

    Raises:
        SetupError: nobody answers, or nobody that serves cameras.
    """
    try:
        with socket.create_connection((HERE, port), LIMIT_S) as connection:
            connection.settimeout(LIMIT_S)
            connection.sendall(f"OPTIONS rtsp://{HERE}:{port}/ RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
            answer = connection.recv(256)
    except OSError as error:
        raise SetupError(f"no camera answers on port {port} ({error}): its log says why") from error
    if not answer.startswith(b"RTSP/1.0 200"):
        raise SetupError(f"whoever answers on port {port} is no camera: choose another --port")
    return f"the cameras answer on port {port}"


def worker_health(role: str, name: str | None, number: int) -> str:
    """Look up in Redis when a worker of this host was last heard of.

    Raises:
        UsageError: there is no such role.
        SetupError: none gives a sign of life, or it says what it waits for.
        BusError: Redis does not answer.
    """
    # With these come the settings of all rooms: the questions above do without.
    from infra.embedded import redis_url
    from infra.joining import own_prefix
    from infra.places import Places
    from infra.settings import load_settings
    from infra.system.workers import Role
    from storage.bus import Bus

    if role not in set(Role):
        raise UsageError(f"there is no role {role!r}: choose one of {', '.join(Role)}, {CAMERAS}")
    settings = load_settings()
    url = settings.redis_url or redis_url(Places.of(settings).socket)
    bus = Bus(url, prefix=settings.redis_prefix, partitions=settings.partitions)
    try:
        beats = bus.heartbeats()
    finally:
        bus.close()
    start, end = own_prefix(Role(role)), f"-{number}"
    ours = [
        beat for one, beat in beats.items() if (one == name if name else one.startswith(start) and one.endswith(end))
    ]
    if not ours:
        who = name or f"a worker {start}...{end}"
        raise SetupError(f"there is no sign of life of {who}: its log says why")
    newest = max(ours, key=lambda beat: beat.at)
    if newest.trouble is not None:
        raise SetupError(f"{newest.worker} waits: {newest.trouble}")
    return f"{newest.worker} works, last heard of {max(0.0, time.time() - newest.at):.1f} s ago"
