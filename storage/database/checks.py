"""What people give in, checked before it is stored; every refusal says what would be accepted."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, get_args
from zoneinfo import available_timezones

from storage.database.records import IDENTIFIER, NewCamera, Policy, Transport
from storage.database.userinfo import has_userinfo, shown_address
from storage.errors import InvalidError
from storage.hours import check_hours
from storage.names import NONE, alike, normal_name
from storage.regions import Region
from storage.words import EVENT_LABELS

LONGEST_NAME: Final = 200

LONGEST_CAMERA_ID: Final = 24
"""Identifiers of tracks and events begin with their camera's and have at most 40 characters, too."""

RESERVED: Final = frozenset({"export", "import"})
"""No camera's identifiers: in addresses of the API these words stand in the same place."""

LETTERS: Final = {"building": "b", "zone": "z", "camera": "c", "credential": None}
"""With which identifiers begin that are made, by what they are of; None: it has only a name."""

LONGEST_RETENTION_DAYS: Final = 36_500
MOST_REGIONS: Final = 32
MOST_POINTS: Final = 64
LEAST_AREA: Final = 1e-4
"""Of a region, as a share of the picture's."""

THRESHOLDS: Final = {"detection": (0.1, 0.95), "confidence": (0.4, 0.99)}
"""Least and most; see `Thresholds`."""

LONGEST_PASSWORD: Final = 1000


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


def check_camera_identifier(value: str) -> str:
    """Likewise of a camera that is added.

    Raises:
        InvalidError: it is no identifier, or a word of the API.
    """
    if value in RESERVED:
        raise InvalidError(f"{value!r} can't be a camera's identifier, it is a word of the API: choose another")
    return check_identifier(value, LONGEST_CAMERA_ID)


def check_name(value: str, what: str) -> str:
    """A name for people, in the one form that is kept.

    Args:
        value: as it was given.
        what: a key of `LETTERS`.

    Raises:
        InvalidError: empty, too long, with control characters, or a word that means something else in lists.
    """
    name = check_text(normal_name(value), what)
    if alike(name) == NONE:
        raise InvalidError(f"{name!r} is no name of a {what}: in lists and options it takes away, choose another")
    letter = LETTERS[what]
    if letter is not None and name[0] == letter and name[1:].isdecimal():
        raise InvalidError(f"{name!r} is no name of a {what}, it is like an identifier: choose another")
    return name


def check_text(value: str, what: str) -> str:
    """The name of something elsewhere, such as a user of a camera, without space around it.

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


def check_share(share: float) -> float:
    """Of passages that people check.

    Raises:
        InvalidError: not between 0 and 1.
    """
    if not 0.0 <= share <= 1.0:
        raise InvalidError(f"the share of passages to check is 0 (none) to 1 (all), e.g. 0.02 for 2 %, not {share}")
    return float(share)


def check_password(value: str) -> str:
    """Of a camera. What it is, is never repeated.

    Raises:
        InvalidError: empty, too long, or with control characters.
    """
    if not value or len(value) > LONGEST_PASSWORD or not value.isprintable():
        raise InvalidError(f"a password has 1 to {LONGEST_PASSWORD} printable characters")
    return value


def check_policy(policy: Policy) -> Policy:
    """What counts as a breach.

    Raises:
        InvalidError: a label that is none of a breach, a dwell time that is not 0 to 3600 s, or hours that are none.
    """
    if not policy.labels or any(label not in EVENT_LABELS for label in policy.labels):
        raise InvalidError(f"the labels of a policy are one or more of {', '.join(EVENT_LABELS)}")
    if len(set(policy.labels)) != len(policy.labels):
        raise InvalidError("a label stands in a policy once")
    if not 0.0 <= policy.dwell_s <= 3600.0:
        raise InvalidError(f"the dwell time is 0 to 3600 s, not {policy.dwell_s}")
    if policy.hours is not None:
        check_hours(policy.hours)
    return policy


def check_camera(camera: NewCamera) -> None:
    """The numbers and regions of a camera, and what goes with its addresses; these and names are checked elsewhere.

    Raises:
        InvalidError: a rate, face size, region or threshold out of range, or what doesn't go together.
    """
    if not (math.isfinite(camera.analyze_fps) and 0.01 <= camera.analyze_fps <= 120):
        raise InvalidError(f"a camera is analysed at 0.01 to 120 samples a second, not {camera.analyze_fps}")
    if not 8 <= camera.min_face_px <= 1000:
        raise InvalidError(f"the smallest face is 8 to 1000 px, not {camera.min_face_px}")
    if len(camera.regions) > MOST_REGIONS:
        raise InvalidError(f"a camera has at most {MOST_REGIONS} regions, not {len(camera.regions)}")
    for region in camera.regions:
        _check_region(region)
    for name, (least, most) in THRESHOLDS.items():
        value = getattr(camera.thresholds, name)
        if value is not None and not least <= value <= most:
            raise InvalidError(f"the threshold of {name} is {least:g} to {most:g}, or none, not {value}")
    if camera.transport not in get_args(Transport):
        raise InvalidError(f"the transport is {' or '.join(get_args(Transport))}, not {camera.transport[:20]!r}")
    for url in (camera.url, camera.substream_url):
        if url is not None:
            _check_access(camera, url)


def _check_access(camera: NewCamera, url: str) -> None:
    scheme = url.partition(":")[0].lower()
    if camera.transport == "udp" and scheme != "rtsp":
        raise InvalidError("only rtsp:// can come over udp: leave the transport at tcp")
    if camera.credential is None:
        return
    if scheme not in {"rtsp", "rtsps", "http", "https"} or "://" not in url:
        raise InvalidError("only rtsp://, rtsps://, http:// and https:// take a credential: leave it out")
    if has_userinfo(url):
        raise InvalidError(
            f"{shown_address(url)[:200]!r} names a user, and so does the credential {camera.credential[:80]!r}: give one of them"
        )


def _check_region(region: Region) -> None:
    if region.mode not in {"watch", "ignore"}:
        raise InvalidError(f"a region is to watch or to ignore, not {region.mode[:20]!r}")
    if not 3 <= len(region.points) <= MOST_POINTS:
        raise InvalidError(f"a region has 3 to {MOST_POINTS} points, not {len(region.points)}")
    if not all(0.0 <= share <= 1.0 for point in region.points for share in point):
        raise InvalidError("the points of a region are shares of the picture's width and height, 0 to 1")
    if _area(region.points) < LEAST_AREA:
        raise InvalidError(
            "the points of a region lie on a line: they are the corners of a polygon, e.g. (0, 0), (1, 0), (1, 1)"
        )


def _area(points: Sequence[tuple[float, float]]) -> float:
    """The triangles from the first corner, together: the area, or more where edges cross."""
    (x, y), *others = points
    return sum(abs((a - x) * (d - y) - (c - x) * (b - y)) / 2 for (a, b), (c, d) in pairwise(others))
