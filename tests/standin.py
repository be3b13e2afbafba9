"""A worker that does nothing but what workers do for their supervisor: `standin.py NAME KIND [FOLDER]`.

Kinds: `good` beats and stops when asked; `stubborn` does not stop; `broken` says why and ends at once; `mortal` beats
once and ends; `parent` starts two processes, one in a session of its own; `troubled` waits while FOLDER/trouble is there.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from storage.pulse import Heartbeat, Pulse


def main() -> None:
    name, kind = sys.argv[1:3]
    folder = Path(os.environ["MASKWATCH_DATA_DIR"])
    if kind == "broken":
        sys.stderr.write('{"level": "critical", "event": "ended", "reason": "the model is missing"}\n')
        sys.exit(1)
    pulse = Pulse()
    signal.signal(signal.SIGTERM, lambda *_: None if kind == "stubborn" else pulse.stop())
    from storage.bus import Bus

    bus = Bus(os.environ["MASKWATCH_REDIS_URL"])
    if kind == "parent":
        subprocess.Popen(["sleep", "600"])
        subprocess.Popen(["sleep", "600"], start_new_session=True)
    done = 0
    while not pulse.stopping:
        trouble = "the disk is full" if kind == "troubled" and (folder / "trouble").exists() else None
        bus.beat(Heartbeat(name, os.getpid(), time.time(), done, trouble))
        if kind == "mortal":
            sys.exit(3)
        done += 1
        pulse.wait(0.05)
    with (folder / "stopped").open("a") as stopped:
        stopped.write(f"{name}\n")


if __name__ == "__main__":
    main()
