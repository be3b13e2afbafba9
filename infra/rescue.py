"""The last try at a sample that ended its worker several times: in a process of its own, which may end as well.

`python -m infra.rescue detect` (or `classify`) reads one task on standard input and writes its outcome on standard
output, both as MessagePack.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from typing import Final, Literal, TypeVar

import msgspec

from infra.embedded import redis_url
from infra.models import open_face_classifier, open_looker
from infra.places import Places
from infra.settings import Settings, load_settings
from storage.bench import Outcome
from storage.bus import Bus, BusError
from storage.frame_access import FrameAccess, Frames
from storage.messages import Found, Result, Sample
from storage.pulse import Pulse

LIMIT_S: Final = 60.0
"""As long as any worker may take to come up: TensorFlow alone takes many seconds. Whoever waits keeps the task in hand."""

POLL_S: Final = 0.05

BUS_AWAY: Final = 75
"""Exit status of a child that could not get the picture from Redis: that says nothing of the sample."""

Role = Literal["detect", "classify"]
T = TypeVar("T", Sample, Found)


class _Written(msgspec.Struct, frozen=True, array_like=True):
    found: tuple[Found, ...]
    messages: tuple[Result, ...]


def rescuer(role: Role, pulse: Pulse) -> Callable[[T], Outcome | None]:
    """A function that tries one task of a role in a process of its own.

    It gives None where that process ends without an outcome, or takes longer than `LIMIT_S` seconds, and raises BusError where
    that could not get the picture from Redis.

    Args:
        role: whose task it is.
        pulse: beaten meanwhile: the worker does not hang, it waits.
    """

    def rescue(task: T) -> Outcome | None:
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as written:
            given.write(msgspec.msgpack.encode(task))
            given.seek(0)
            command = [sys.executable, "-P", "-m", "infra.rescue", role]
            with subprocess.Popen(command, stdin=given, stdout=written) as child:  # noqa: S603 our own program
                try:
                    until_s = time.monotonic() + LIMIT_S
                    while child.poll() is None and time.monotonic() < until_s and not pulse.wait(POLL_S):
                        pulse.beat(done=0, trouble=f"trying one sample in a process of its own ({role})")
                finally:
                    child.kill()
            if child.returncode == BUS_AWAY:
                raise BusError("a sample could not be tried in a process of its own: Redis did not answer it")
            if child.returncode != 0:
                return None
            written.seek(0)
            outcome = msgspec.msgpack.decode(written.read(), type=_Written)
            return Outcome(outcome.found, outcome.messages)

    return rescue


def main() -> None:
    """Entry point of the child."""
    task, settings = sys.stdin.buffer.read(), load_settings()
    places = Places.of(settings)
    try:
        bus = Bus(settings.redis_url or redis_url(places.socket), prefix=settings.redis_prefix)
        with closing(bus), FrameAccess(bus, places.frames, settings.frames_mib) as frames:
            done = _detected if sys.argv[1] == "detect" else _classified
            outcome = done(task, frames, settings)
    except BusError:
        sys.exit(BUS_AWAY)
    sys.stdout.buffer.write(msgspec.msgpack.encode((outcome.found, outcome.messages)))


def _detected(task: bytes, frames: Frames, settings: Settings) -> Outcome:
    from detect.worker import look

    with closing(open_looker(settings)) as looker:
        return look(msgspec.msgpack.decode(task, type=Sample), frames, looker)


def _classified(task: bytes, frames: Frames, settings: Settings) -> Outcome:
    from classify.worker import classified

    return classified([msgspec.msgpack.decode(task, type=Found)], frames, open_face_classifier(settings).classifier)


if __name__ == "__main__":
    main()
