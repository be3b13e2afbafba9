"""What the figures were measured on; nothing that names the machine or its owner."""

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import msgspec

CPU_INFO: Final = Path("/proc/cpuinfo")
CPU_TIMES: Final = Path("/proc/stat")


class Machine(msgspec.Struct, frozen=True):
    """The machine in words: processor model, cores this process may use, memory, version of Python."""

    cpu: str
    cores: int
    memory_mib: int
    python: str


def this_machine() -> Machine:
    """Describe the machine this runs on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(_cpu(), usable_cores(), memory // 2**20, platform.python_version())


def usable_cores() -> int:
    """Cores this process may use: in a container or under `taskset` fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time with the CPU seconds spent up to it: by the whole machine, and by this process and its children.

    >>> start = Moment.now()
    >>> 0.0 <= start.others_since() < 1000.0
    True
    """

    at_s: float
    machine_s: float
    own_s: float

    @classmethod
    def now(cls) -> Self:
        """This moment; where the machine does not count, the process counts as all there is."""
        own_s = sum(os.times()[:4])
        try:
            ticks = [int(word) for word in CPU_TIMES.read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
        except OSError:
            return cls(time.monotonic(), own_s, own_s)
        # User, nice, system, idle, waiting, interrupts (2), and what the host of a virtual machine gave to others.
        machine_s = (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
        return cls(time.monotonic(), machine_s, own_s)

    def others_since(self) -> float:
        """How many cores other processes, or other machines on the same host, kept busy from this moment to now, on average."""
        now = Moment.now()
        spent_s = (now.machine_s - self.machine_s) - (now.own_s - self.own_s)
        return max(0.0, spent_s / max(now.at_s - self.at_s, 1e-9))


def _cpu() -> str:
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    # On Linux Python's own answer is the architecture alone.
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
