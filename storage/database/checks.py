"""What people give in, checked before it is stored; every refusal says what would be accepted."""

import math
from typing import Final
from zoneinfo import available_timezones

from storage.database.records import IDENTIFIER, NewCamera, Policy, Region
from storage.errors import InvalidError
from storage.words import EVENT_LABELS

LONGEST_NAME: Final = 200

LONGEST_CAMERA_ID: Final = 24
"""Identifiers of tracks and events begin with their camera's and have at most 40 characters, too."""

LONGEST_RETENTION_DAYS: Final = 36_500
MOST_REGIONS: Final = 32
MOST_POINTS: Final = 64


def check_identifier(value: str, longest: int = 40) -> str:
    """Give it back, or refuse it.

    Raises:
        InvalidError: other characters than letters, digits, `_` and `-`, or too many.
    """
    if not IDENTIFIER.fullmatch(value) or len(value) > longest:
        raise InvalidError(
            f"{value[:80]!r} is no identifier: it has 1 to {longest} letters A to Z, a to z, digits, '_' and '-'"
        )
    return value


def check_name(value: str, what: str) -> str:
    """A name for people, without space around it.

    Raises:
        InvalidError: empty, too long, or with control characters.
    """
    name = value.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidError(f"the name of a {what} has 1 to {LONGEST_NAME} printable characters, not {value[:80]!r}")
    return name


def check_timezone(value: str) -> str:
    """An IANA time zone.

    Raises:
        InvalidError: there is none of that name.
    """
    if value not in available_timezones():
        raise InvalidError(f"{value[:80]!r} is no IANA time zone: give a name such as Europe/Berlin or UTC")
    return value


def check_retention(days: int) -> int:
    """How long things are kept.

    Raises:
        InvalidError: not between a day and a century.
    """
    if not 1 <= days <= LONGEST_RETENTION_DAYS:
        raise InvalidError(f"retention is 1 to {LONGEST_RETENTION_DAYS} days, not {days}")
    return days


def check_policy(policy: Policy) -> Policy:
    """What counts as a breach.

    Raises:
        InvalidError: other labels than all that are a breach, or a dwell time that is not 0 to 3600 s.
    """
    if not policy.labels or any(label not in EVENT_LABELS for label in policy.labels):
        raise InvalidError(f"the labels of a policy are one or more of {', '.join(EVENT_LABELS)}")
    if set(policy.labels) != set(EVENT_LABELS):
        raise InvalidError(f"a policy with some of the labels is not supported yet: give {' and '.join(EVENT_LABELS)}")
    if not 0.0 <= policy.dwell_s <= 3600.0:
        raise InvalidError(f"the dwell time is 0 to 3600 s, not {policy.dwell_s}")
    return policy


def check_camera(camera: NewCamera) -> None:
    """The numbers and regions of a camera; names and addresses are checked elsewhere.

    Raises:
        InvalidError: a rate, face size or region out of range, or something that is not supported yet.
    """
    if not (math.isfinite(camera.analyze_fps) and 0.01 <= camera.analyze_fps <= 120):
        raise InvalidError(f"a camera is analysed at 0.01 to 120 samples a second, not {camera.analyze_fps}")
    if not 8 <= camera.min_face_px <= 1000:
        raise InvalidError(f"the smallest face is 8 to 1000 px, not {camera.min_face_px}")
    if len(camera.regions) > MOST_REGIONS:
        raise InvalidError(f"a camera has at most {MOST_REGIONS} regions, not {len(camera.regions)}")
    for region in camera.regions:
        _check_region(region)
    # Kept for later: what is accepted has to be heeded.
    if camera.regions:
        raise InvalidError("regions are not supported yet: leave them out")
    if camera.substream_url is not None:
        raise InvalidError("a substream_url is not supported yet: leave it out")


def _check_region(region: Region) -> None:
    if not 3 <= len(region.points) <= MOST_POINTS:
        raise InvalidError(f"a region has 3 to {MOST_POINTS} points, not {len(region.points)}")
    if not all(0.0 <= share <= 1.0 for point in region.points for share in point):
        raise InvalidError("the points of a region are shares of the picture's width and height, 0 to 1")
