"""What the repositories give and take: plain values, no rows."""

import re
from typing import Final, Literal

import msgspec

from storage.words import EVENT_LABELS, Label

IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")

_PASSWORD: Final = re.compile(r"(?<=://)([^/?#@:]*):[^/?#]*@")
_SECRET_FIELD: Final = re.compile(
    r"([?&;](?:pass|passwd|password|passphrase|pwd|psw|token|secret|auth|key|api_?key)=)[^&;#]*", re.IGNORECASE
)


def shown_address(url: str) -> str:
    """An address as it may be shown: a password, also one in the query, is `***`.

    >>> shown_address("rtsp://user:secret@10.0.0.5/1?channel=2")
    'rtsp://user:***@10.0.0.5/1?channel=2'
    """
    return _SECRET_FIELD.sub(r"\1***", _PASSWORD.sub(r"\1:***@", url))


class Policy(msgspec.Struct, frozen=True):
    """What counts as a breach.

    Attributes:
        labels: that are non-compliant.
        dwell_s: how long a breach must last to become an event.
        hours: when passages are counted; None: always.
    """

    labels: tuple[Label, ...] = EVENT_LABELS
    dwell_s: float = 1.0
    hours: None = None


class Region(msgspec.Struct, frozen=True):
    """A part of the picture.

    Attributes:
        mode: whether faces there are watched or ignored.
        points: corners of a polygon, x and y as shares of width and height in [0, 1].
    """

    mode: Literal["watch", "ignore"]
    points: tuple[tuple[float, float], ...]


class Building(msgspec.Struct, frozen=True):
    """A building.

    Attributes:
        id, name: the name is unique among those that are not archived.
        timezone: IANA name, for reports alone.
        retention_days: how long what was seen there is kept.
        policy: which new cameras get.
        version: grows with every change.
        created_at_ns, archived_at_ns: Unix time; the latter None while it is in use.
    """

    id: str
    name: str
    timezone: str
    retention_days: int
    policy: Policy
    version: int
    created_at_ns: int
    archived_at_ns: int | None = None


class Zone(msgspec.Struct, frozen=True):
    """A part of a building."""

    id: str
    building_id: str
    name: str


class NewCamera(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """A camera to be registered.

    Attributes:
        name: unique among the cameras that are not archived.
        building_id: of an existing building.
        url: rtsp, rtsps, http, https, or a file under the media root, e.g. `file:clips/door.mp4`.
        zone_id: of a zone of that building.
        substream_url: of a smaller picture of the same view.
        enabled: whether it is watched.
        counts: whether its passages go into totals.
        analyze_fps: samples a second, 0.01 to 120.
        min_face_px: smallest face that is judged, 8 to 1000.
        regions: parts of the picture to watch or to ignore.
        policy: None takes the building's.
        id: None makes one: c1, c2, ...
    """

    name: str
    building_id: str
    url: str
    zone_id: str | None = None
    substream_url: str | None = None
    enabled: bool = True
    counts: bool = True
    analyze_fps: float = 5.0
    min_face_px: int = 24
    regions: tuple[Region, ...] = ()
    policy: Policy | None = None
    id: str | None = None

    def __repr__(self) -> str:
        # Addresses carry passwords, and a repr ends up in logs.
        return f"NewCamera(name={self.name!r}, building_id={self.building_id!r}, url={shown_address(self.url)!r})"


class Camera(msgspec.Struct, frozen=True):
    """A registered camera.

    Attributes:
        id, name, building_id, zone_id, url, substream_url, enabled, counts, analyze_fps, min_face_px, regions, policy:
            see `NewCamera`.
        version: grows with every change of the above.
        created_at_ns, archived_at_ns: Unix time; the latter None while it is in use.
        epoch: the last one begun.
        run: of the system that began it.
        playing_since_ns: when that run first began one.
    """

    id: str
    name: str
    building_id: str
    zone_id: str | None
    url: str
    substream_url: str | None
    enabled: bool
    counts: bool
    analyze_fps: float
    min_face_px: int
    regions: tuple[Region, ...]
    policy: Policy
    version: int
    created_at_ns: int
    archived_at_ns: int | None = None
    epoch: int = 0
    run: str | None = None
    playing_since_ns: int | None = None

    @property
    def shown_url(self) -> str:
        """The address with `***` for a password: the only form that leaves the system."""
        return shown_address(self.url)

    @property
    def shown_substream_url(self) -> str | None:
        """Likewise of the substream."""
        return None if self.substream_url is None else shown_address(self.substream_url)

    def __repr__(self) -> str:
        return f"Camera(id={self.id!r}, name={self.name!r}, url={self.shown_url!r}, version={self.version})"


class Started(msgspec.Struct, frozen=True):
    """A camera's new epoch.

    Attributes:
        epoch: its number, larger than all before.
        playing_since_ns: when this run of the system began to play the camera.
    """

    epoch: int
    playing_since_ns: int
