"""What several processes take from the machine together, from what the kernel says of their mappings.

Not the kernel's own shares (`Pss`): they fall when a program that is none of ours, another Python perhaps, maps the same
files, they are no shares at all in sandboxes that give all of `Rss` instead, and `smaps_rollup` tells a frame store apart
only from Linux 5.9 on. `Rss` and `Anonymous` of each mapping are given everywhere. Alone on a machine both ways agree.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HEAD: Final = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+ *(.*)")
"""First line of a mapping: addresses, rights, offset, device, inode, and what is mapped."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """Resident memory of one process.

    Attributes:
        own_kib: its alone: heap, stacks, and pages of files that it wrote to.
        files_kib: pages of files as they lie on disk, by path; whoever maps them has the same ones.
    """

    own_kib: int
    files_kib: Mapping[str, int]


def mapped(pid: int) -> Mapped:
    """Resident memory of a process.

    Raises:
        OSError: it has ended, or is another user's.
    """
    return read_mapped(Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8", errors="replace").splitlines())


def read_mapped(lines: Iterable[str]) -> Mapped:
    """The same from the lines of `/proc/PID/smaps`."""
    own_kib, path = 0, ""
    files_kib: Counter[str] = Counter()
    for line in lines:
        if head := HEAD.fullmatch(line):
            path = head[1]
            continue
        name, _, value = line.partition(":")
        if name not in {"Rss", "Anonymous"}:
            continue
        kib = int(value.split()[0])
        if name == "Anonymous":
            own_kib += kib
        # What has no path is anonymous, or the kernel's own.
        if path.startswith("/"):
            files_kib[path] += kib if name == "Rss" else -kib
    return Mapped(own_kib, files_kib)


def together_mib(processes: Mapping[str, Mapped], left_out: str) -> dict[str, float]:
    """What each takes so that the sum is what they take together, in MiB.

    A file counts once, as much of it as the process that has most of it, and each bears its part of that.

    Args:
        processes: by name.
        left_out: path of a file that is not counted.
    """
    most: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for process in processes.values():
        for path, kib in process.files_kib.items():
            most[path] = max(most[path], kib)
            total[path] += kib
    return {
        name: (
            process.own_kib
            + sum(
                kib * most[path] / total[path]
                for path, kib in process.files_kib.items()
                if kib > 0 and path != left_out
            )
        )
        / 1024
        for name, process in processes.items()
    }
