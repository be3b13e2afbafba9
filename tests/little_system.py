"""A system of stand-ins as a process of its own: `little_system.py NAME...`; prints its process ids when it is ready."""

import json
import sys

from infra.settings import load_settings
from infra.signals import asked_to_stop
from infra.supervisor import System
from tests.test_supervisor import worker


def main() -> None:
    with (
        asked_to_stop() as stop,
        System(load_settings(), [worker(name, "parent") for name in sys.argv[1:]], port=0) as system,
    ):
        system.wait_ready(stop=stop)
        sys.stdout.write(json.dumps({"run": system.run, "pids": system.pids()}) + "\n")
        sys.stdout.flush()
        system.watch(stop)


if __name__ == "__main__":
    main()
