"""Whether a camera can be reached, found out by a child process: whatever is at an address, it costs 10 s at most.

`probe` starts `python -m ingest.probe` in a session and process group of its own. The address reaches it by standard
input: command lines and environments can be read by others. The child limits its memory and CPU time, ends with its
parent, and ends itself where the parent does not end it.
"""

import ctypes
import math
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import msgspec

from storage.database.userinfo import shown_address
from storage.probing import PROBE_LIMIT_S, Probe, ProbeRequest
from storage.pulse import Pulse
from storage.status import StateReason

__all__ = ["Probe", "ProbeRequest", "probe"]

COMMAND: Final = (sys.executable, "-P", "-m", "ingest.probe")
MEMORY_BYTES: Final = 4 * 1024**3
"""Of address space, libraries and threads included: the largest picture taken, decoded by four threads, needs half."""

MOST_BYTES: Final = 4 * 1024 * 1024
"""Of what the child says."""

CPU_S: Final = 20
OPEN_FILES: Final = 128
KILL_LIMIT_S: Final = 2.0
MARGIN_S: Final = 0.4
"""The child is done so long before it would be killed: what it knows by then is better than nothing."""

LOOK_S: Final = 0.1
PR_SET_PDEATHSIG: Final = 1


class _Order(msgspec.Struct, frozen=True):
    """What the child is told: the request, until when (monotonic clock, which all processes share), and by whom."""

    request: ProbeRequest
    until_s: float
    parent: int


def probe(request: ProbeRequest, limit_s: float = PROBE_LIMIT_S, pulse: Pulse | None = None) -> Probe:
    """Connect to a camera, and see what it shows.

    Args:
        request: to what.
        limit_s: after so long it is over.
        pulse: ends it earlier.

    Returns:
        What was found; whatever goes wrong is in there.
    """
    until_s = time.monotonic() + limit_s
    pulse = pulse or Pulse()
    try:
        with _child() as child:
            order = _Order(request, until_s, os.getpid())
            answer = _exchanged(child, msgspec.json.encode(order), until_s, pulse)
    except OSError as error:
        return Probe(ok=False, detail=f"the check could not be started: {error.strerror or error}")
    shown = shown_address(request.url)
    if answer is None and pulse.stopping:
        message = f"the check of the camera at {shown} was interrupted, because this process is stopping: try again"
        return Probe(ok=False, detail=message)
    if answer is None:
        message = f"the camera at {shown} showed no picture within {limit_s:.3g} s: check that it is reachable"
        return Probe(ok=False, reason=StateReason.TIMEOUT, detail=message)
    try:
        return msgspec.msgpack.decode(answer, type=Probe)
    except msgspec.MsgspecError:
        message = f"what the camera at {shown} sends can't be decoded here: choose H.264 in its settings"
        return Probe(ok=False, reason=StateReason.UNSUPPORTED_CODEC, detail=message)


@contextmanager
def _child() -> Iterator["subprocess.Popen[bytes]"]:
    """The child process; at the end nothing is left of it or of what it started."""
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith("MASKWATCH_")}
    child = subprocess.Popen(  # noqa: S603 our own module
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment | {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
        start_new_session=True,
    )
    try:
        yield child
    finally:
        # Before it is collected: until then its number is nobody else's.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        with suppress(subprocess.TimeoutExpired):
            child.wait(KILL_LIMIT_S)


def _exchanged(child: "subprocess.Popen[bytes]", order: bytes, until_s: float, pulse: Pulse) -> bytes | None:
    """Everything the child says; None when it is not done in time."""
    assert child.stdin is not None  # noqa: S101 opened above
    assert child.stdout is not None  # noqa: S101 likewise
    with suppress(BrokenPipeError):
        child.stdin.write(order)
        child.stdin.close()
    said = bytearray()
    # Not `select.select`: it refuses descriptors from 1024 on, which a process with many cameras has.
    ready = select.poll()
    ready.register(child.stdout, select.POLLIN)
    while (left_s := until_s - time.monotonic()) > 0 and not pulse.stopping and len(said) <= MOST_BYTES:
        if ready.poll(min(left_s, LOOK_S) * 1000):
            part = os.read(child.stdout.fileno(), 65536)
            if not part:
                return bytes(said)
            said += part
    return None


def main() -> None:
    """Entry point of the child."""
    # The parent needs none of it.
    from ingest.glance import Glance

    out = os.dup(1)
    # What native libraries print is no answer.
    os.dup2(2, 1)
    order = msgspec.json.decode(sys.stdin.buffer.read(MOST_BYTES), type=_Order)
    _bind(order)
    request, until_s = order.request, order.until_s - MARGIN_S
    looks = [Glance(url, request) for url in (request.url, request.substream_url) if url is not None]
    for look in looks:
        look.join(until_s)
    found = [look.found(still=request.still and look is looks[0]) for look in looks]
    answer = msgspec.structs.replace(found[0], substream=found[1] if len(found) > 1 else None)
    with os.fdopen(out, "wb") as stream:
        stream.write(msgspec.msgpack.encode(answer))
    # A thread may be stuck in a library for longer than anybody waits.
    os._exit(0)


def _bind(order: _Order) -> None:
    """Let this process have no more than it needs, and live no longer than anybody waits."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != order.parent:
        sys.exit("the parent is gone")
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(max(1, math.ceil(order.until_s - time.monotonic()) + 1))
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, most = resource.getrlimit(limit)
        least = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(limit, (least, least))


if __name__ == "__main__":
    main()
