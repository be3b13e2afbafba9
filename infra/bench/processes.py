"""What the processes of a running system take: processor time, memory, open files; by what they are there for."""

import os
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from infra.bench.memory import Mapped, mapped, together_mib

FRAMES: Final = "frames"
"""The frame store, among those that take memory."""


def part(name: str) -> str:
    """What a worker is there for: workers are called by role and number."""
    return re.sub(r"-\d+$", "", name)


def cpu_s(pids: Mapping[str, int]) -> dict[str, float]:
    """Processor time so far in seconds, by role; what has ended is missing.

    Args:
        pids: process ids by the workers' names.
    """
    ticks: Counter[str] = Counter()
    for name, pid in pids.items():
        with suppress(OSError):
            # The name, in brackets, may hold anything.
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            ticks[part(name)] += int(fields[11]) + int(fields[12])
    return {role: spent / os.sysconf("SC_CLK_TCK") for role, spent in ticks.items()}


def memory_mib(pids: Mapping[str, int], frames: Path) -> dict[str, float]:
    """What the processes take from the machine, in MiB, by role, and the frame store, which is reserved as a whole.

    Args:
        pids: process ids by the workers' names.
        frames: the frame store's file.
    """
    processes: dict[str, Mapped] = {}
    for name, pid in pids.items():
        with suppress(OSError):
            processes[name] = mapped(pid)
    memory: dict[str, float] = {}
    for name, mib in together_mib(processes, str(frames)).items():
        memory[part(name)] = memory.get(part(name), 0.0) + mib
    return memory | {FRAMES: frames.stat().st_size / 2**20}


def open_files(pids: Mapping[str, int]) -> dict[str, int]:
    """How many files, sockets and the like are open, by role."""
    files: Counter[str] = Counter()
    for name, pid in pids.items():
        with suppress(OSError):
            files[part(name)] += sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return dict(files)
