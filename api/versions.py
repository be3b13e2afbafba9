"""Versions of what can be changed: `ETag` in answers, `If-Match` in requests (RFC 9110, 13.1.1)."""

import re
from typing import Annotated, Final

from fastapi import Depends, Header, Response

from api.problems import ProblemError

_TAG: Final = re.compile(r'(?:W/)?"?(\d{1,9})"?')


def _version(
    if_match: Annotated[str | None, Header(description="The `version` that was read; else 412.")] = None,
) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    found = _TAG.fullmatch(if_match.strip())
    if found is None:
        raise ProblemError(422, "invalid-request", 'header.if-match: give the version that was read, such as "3"')
    return int(found[1])


IfMatch = Annotated[int | None, Depends(_version)]
"""The version that a change is meant for; None: whatever it is."""


def tag(response: Response, version: int) -> None:
    """Say the version of what is answered."""
    response.headers["ETag"] = f'"{version}"'
