"""What the repositories give and take: plain values, no rows."""

import re
from typing import Final, Literal

import msgspec

from storage.database.userinfo import shown_address, without_userinfo
from storage.hours import Hours
from storage.regions import Region
from storage.words import EVENT_LABELS, Label

Transport = Literal["tcp", "udp"]

__all__ = [
    "IDENTIFIER",
    "Building",
    "Camera",
    "Credential",
    "Hours",
    "NewCamera",
    "Policy",
    "Region",
    "Started",
    "Thresholds",
    "Transport",
    "Zone",
    "shown_address",
]

IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")


class Policy(msgspec.Struct, frozen=True):
    """What counts as a breach.

    Attributes:
        labels: that are non-compliant.
        dwell_s: how long a breach must last to become an event.
        hours: when passages are counted, in the building's time zone; None: always.
    """

    labels: tuple[Label, ...] = EVENT_LABELS
    dwell_s: float = 1.0
    hours: tuple[Hours, ...] | None = None


class Thresholds(msgspec.Struct, frozen=True):
    """How sure the system has to be on one camera; None: as everywhere.

    Attributes:
        detection: score times presence from which a find starts a track, 0.1 to 0.95 (0.33).
        confidence: least confidence for a label, 0.4 to 0.99 (0.7).
    """

    detection: float | None = None
    confidence: float | None = None


class Building(msgspec.Struct, frozen=True):
    """A building.

    Attributes:
        id, name: the name is unique among those that are not archived.
        timezone: IANA name, for reports alone.
        retention_days: how long what was seen there is kept.
        policy: which new cameras get.
        version: grows with every change.
        created_at_ns, archived_at_ns: Unix time; the latter None while it is in use.
        spot_share: of its passages, 0 to 1, that are drawn at random for people to check; 0: none.
    """

    id: str
    name: str
    timezone: str
    retention_days: int
    policy: Policy
    version: int
    created_at_ns: int
    archived_at_ns: int | None = None
    spot_share: float = 0.0


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
        thresholds: how sure the system has to be.
        transport: of RTSP: `tcp`, or `udp` for cameras that send no other.
        credential: name of the user and password that are put into the address, where many cameras share them.
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
    thresholds: Thresholds = Thresholds()
    transport: Transport = "tcp"
    credential: str | None = None
    id: str | None = None

    def __repr__(self) -> str:
        # Addresses carry passwords, and a repr ends up in logs.
        return f"NewCamera(name={self.name!r}, building_id={self.building_id!r}, url={shown_address(self.url)!r})"


class Camera(msgspec.Struct, frozen=True):
    """A registered camera.

    Attributes:
        id, name, building_id, zone_id, url, substream_url, enabled, counts, analyze_fps, min_face_px, regions, policy:
            see `NewCamera`; addresses with the user and password of the credential in them.
        version: grows with every change of the above, and of its credential.
        thresholds, transport, credential: see `NewCamera`.
        created_at_ns, archived_at_ns: Unix time; the latter None while it is in use.
        epoch: the last one begun.
        run: of the system that began it.
        playing_since_ns: when that run first began one.
        trouble: why the addresses can't be used, with what to do next: their passwords can't be read; None: they can.
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
    thresholds: Thresholds = Thresholds()
    transport: Transport = "tcp"
    credential: str | None = None
    trouble: str | None = None

    @property
    def shown_url(self) -> str:
        """The address as it was given, with `***` for a password: the only form that leaves the system."""
        return self._shown(self.url)

    @property
    def shown_substream_url(self) -> str | None:
        """Likewise of the substream."""
        return None if self.substream_url is None else self._shown(self.substream_url)

    def _shown(self, url: str) -> str:
        # What was put in from the credential was not given with the address.
        return shown_address(url if self.credential is None else without_userinfo(url))

    def __repr__(self) -> str:
        return f"Camera(id={self.id!r}, name={self.name!r}, url={self.shown_url!r}, version={self.version})"


class Credential(msgspec.Struct, frozen=True):
    """A user and password that cameras share; the password is never given out.

    Attributes:
        name: by which cameras name it.
        user: as the cameras know it.
        version: grows with every change.
        created_at_ns, changed_at_ns: Unix time.
    """

    name: str
    user: str
    version: int
    created_at_ns: int
    changed_at_ns: int


class Started(msgspec.Struct, frozen=True):
    """A camera's new epoch.

    Attributes:
        epoch: its number, larger than all before.
        playing_since_ns: when this run of the system began to play the camera.
    """

    epoch: int
    playing_since_ns: int
