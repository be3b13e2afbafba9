"""Versions of what can be changed: `ETag` in answers, `If-Match` in requests (RFC 9110, 13.1.1)."""

import re
from collections.abc import Callable
from typing import Annotated, Final, Protocol, TypeVar

from fastapi import Depends, Header, Response

from api.problems import ProblemError
from storage.database.changes import ChangedError

_TAG: Final = re.compile(r'(?:W/)?"?(\d{1,9})"?')


def version_of(if_match: str | None) -> int | None:
    """The version that `If-Match` names; None: none, or whatever it is.

    Raises:
        ProblemError: it is not one of ours.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    found = _TAG.fullmatch(if_match.strip())
    if found is None:
        raise ProblemError(422, "invalid-request", 'header.if-match: give the version that was read, such as "3"')
    return int(found[1])


def _version(
    if_match: Annotated[str | None, Header(description="The `version` that was read; else 412.")] = None,
) -> int | None:
    return version_of(if_match)


IfMatch = Annotated[int | None, Depends(_version)]
"""The version that a change is meant for; None: whatever it is."""


class Versioned(Protocol):
    """What has a version."""

    @property
    def version(self) -> int:
        """It grows with every change."""


T = TypeVar("T", bound=Versioned)


def merged(read: Callable[[], T], change: Callable[[T, int | None], T], version: int | None, *, merges: bool) -> T:
    """Change what was read; where a part of it is merged into what was there, nothing may come between.

    Args:
        read: gives what is there.
        change: changes it, given what was read and the version that it must still have.
        version: that the caller has read; None: whatever it is.
        merges: whether something is merged.

    Raises:
        ChangedError: it has another version; without `version`, it was changed twice in that moment.
    """
    if version is not None or not merges:
        return change(read(), version)
    found = read()
    try:
        return change(found, found.version)
    except ChangedError:
        found = read()
        return change(found, found.version)


def tag(response: Response, version: int) -> None:
    """Say the version of what is answered."""
    response.headers["ETag"] = f'"{version}"'
