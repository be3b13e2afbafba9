"""Long lists of identifiers in parts: databases take only so many values in one statement."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

MOST: Final = 5000
"""SQLite takes 32,766, PostgreSQL 65,535."""


def slices(identifiers: Iterable[str]) -> Iterator[list[str]]:
    """The identifiers in their order, without repeats, at most `MOST` at once."""
    rest = iter(sorted(set(identifiers)))
    while part := list(islice(rest, MOST)):
        yield part
