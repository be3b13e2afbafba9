"""Where results go: every one has a name of its own, and none is the name of a source."""

import os
from collections.abc import Iterable
from pathlib import Path

from storage.errors import UsageError


class Targets:
    """Gives out names of files to write, all before the first of them is written."""

    def __init__(self, sources: Iterable[Path]) -> None:
        """Remember what must not be overwritten.

        Args:
            sources: everything that is read in this call.
        """
        self._sources = {os.path.realpath(source) for source in sources}
        self._taken: set[str] = set()

    def named(self, target: Path) -> Path:
        """A name that the person has given; refused where it is a source or given twice.

        Raises:
            UsageError: the file is read in this call, or something else is written there.
        """
        real = os.path.realpath(target)
        if real in self._sources:
            raise UsageError(f"{target} would overwrite what is read: name another place")
        if real in self._taken:
            raise UsageError(f"two results would be written to {target}: name two files")
        self._taken.add(real)
        return target

    def inside(self, folder: Path, stem: str, suffix: str) -> Path:
        """A name in a folder: `stem` and `suffix`, numbered where that is taken.

        Raises:
            UsageError: the name is that of a source.
        """
        target, number = folder / f"{stem}{suffix}", 1
        while os.path.realpath(target) in self._taken:
            number += 1
            target = folder / f"{stem}-{number}{suffix}"
        return self.named(target)
