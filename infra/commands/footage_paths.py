"""Recorded footage as a person names it on the command line, and when it began."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from storage.errors import InputError, UsageError
from storage.media import SUFFIXES, footage_in


def expanded(paths: Iterable[Path]) -> Iterator[tuple[Path, InputError | None]]:
    """Files as they are named, and the footage in folders, sorted by name, without what begins with a dot.

    A folder without any, and one of which a part can't be read, comes with that error.
    """
    for path in paths:
        try:
            if not path.is_dir():
                yield path, None
                continue
            inside = footage_in(path)
        except OSError as error:
            unread = (
                f"{error.filename or path} can't be read: {error.strerror}; get access to it, or name other footage"
            )
            yield path, InputError(unread)
            continue
        if not inside:
            yield path, InputError(f"the folder {path} holds no footage ({', '.join(sorted(SUFFIXES))})")
        for file in inside:
            yield file, None


def moment(text: str) -> datetime:
    """What `--start` says, in UTC.

    Raises:
        UsageError: it is no time, or names no time zone.
    """
    try:
        said = datetime.fromisoformat(text)
        said_utc = said.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"--start {text!r} is no ISO 8601 time, e.g. 2026-03-01T08:00:00Z") from None
    if said.tzinfo is None:
        raise UsageError(f"--start {text!r} names no time zone: add Z or an offset such as +01:00")
    return said_utc
