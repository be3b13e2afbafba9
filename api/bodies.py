"""What is sent to set up and change buildings, cameras and credentials."""

from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from api.asking import Named
from api.shapes.common import Breach
from storage.camera_list import Listed
from storage.database import records
from storage.database.changes import BuildingChanges, CameraChanges
from storage.hours import Day, Hours
from storage.regions import Region
from storage.words import Label

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Url = Annotated[str, Field(max_length=2048)]
Fps = Annotated[float, Field(ge=0.01, le=120, allow_inf_nan=False)]
FacePx = Annotated[int, Field(ge=8, le=1000)]
Dwell = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]
Breaches = Annotated[list[Breach], Field(min_length=1, max_length=2)]
Detection = Annotated[float, Field(ge=0.1, le=0.95, allow_inf_nan=False)]
Confidence = Annotated[float, Field(ge=0.4, le=0.99, allow_inf_nan=False)]
Retention = Annotated[int, Field(ge=1, le=36_500)]

SPOT_SHARE: Final = (
    "Share of its passages that people check, drawn at random; 0: none. So the error of the labels is measured. Of each that "
    "is drawn, whether the person wore a mask or not, one small picture of the face is kept until somebody has checked it, at "
    "most 48 hours: tell those who are seen."
)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    def given(self) -> dict[str, Any]:
        """What was sent, by name."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def _without_defaults(schema: dict[str, Any]) -> None:
    # What is not sent is not changed: no value stands for it.
    for one in schema.get("properties", {}).values():
        one.pop("default", None)


class _Change(_Body):
    model_config = ConfigDict(extra="forbid", json_schema_extra=_without_defaults)


class RegionIn(_Body):
    """A part of the picture."""

    mode: Literal["watch", "ignore"]
    points: list[tuple[Share, Share]] = Field(
        min_length=3, max_length=64, description="Corners, as shares of width and height."
    )


class HoursIn(_Body):
    """A time of day on some days of the week."""

    days: list[Day] = Field(min_length=1, max_length=7)
    from_: str = Field(alias="from", max_length=5, examples=["08:00"])
    to: str = Field(max_length=5, description="At or before `from`: on the next day.", examples=["18:30"])


Regions = Annotated[list[RegionIn], Field(max_length=32)]
Times = Annotated[list[HoursIn], Field(min_length=1, max_length=50)]


class PolicyIn(_Body):
    """What counts as a breach; in a change, what is not given stays."""

    labels: Breaches = ["without_mask", "incorrect_mask"]
    dwell_s: Dwell = 1.0
    hours: Times | None = Field(None, description="When passages are counted, by the building's clock; null: always.")

    def record(self, base: records.Policy | None = None) -> records.Policy:
        """The same for the database, with the rest from `base`."""
        return msgspec.structs.replace(base or records.Policy(), **_policy(self.given()))


class ThresholdsIn(_Body):
    """How sure the system has to be; null: as everywhere. In a change, what is not given stays."""

    detection: Detection | None = None
    confidence: Confidence | None = None

    def record(self, base: records.Thresholds | None = None) -> records.Thresholds:
        """The same for the database, with the rest from `base`."""
        return msgspec.structs.replace(base or records.Thresholds(), **self.given())


class BuildingIn(_Body):
    """A building to be set up."""

    name: str = Field(examples=["North"])
    timezone: str = Field(description="IANA name.", examples=["Europe/Berlin"])
    retention_days: Retention = Field(30, description="How long what is seen there is kept.")
    policy: PolicyIn | None = Field(None, description="Which its new cameras get.")
    spot_share: Share = Field(0.0, description=SPOT_SHARE)
    id: Named | None = Field(None, description="Made where not given.")


class BuildingPatch(_Change):
    """What is to be different about a building."""

    name: str = ""
    timezone: str = ""
    retention_days: Retention = 30
    policy: PolicyIn = PolicyIn()
    spot_share: Share = Field(0.0, description=SPOT_SHARE)

    def changes(self, building: records.Building) -> BuildingChanges:
        """The same for the database."""
        given = self.given()
        if "policy" in given:
            given["policy"] = self.policy.record(building.policy)
        return BuildingChanges(**given)


class ZoneIn(_Body):
    """A zone to be set up."""

    name: str = Field(examples=["Entrance hall"])
    id: Named | None = Field(None, description="Made where not given.")


class CameraIn(_Body):
    """A camera to be registered."""

    name: str = Field(examples=["Main entrance"])
    building_id: Named
    zone_id: Named | None = None
    url: Url = Field(
        repr=False,
        description="rtsp, rtsps, http, https, /dev/video0, or `file:` for a video or folder under the media root.",
        examples=["rtsp://user:password@10.0.0.5/1"],
    )
    substream_url: Url | None = Field(None, description="Of a smaller picture of the same view.", repr=False)
    enabled: bool = True
    counts: bool = True
    analyze_fps: Fps = 5.0
    min_face_px: FacePx = 24
    regions: Regions = []
    policy: PolicyIn | None = Field(None, description="The building's where not given.")
    thresholds: ThresholdsIn = ThresholdsIn()
    transport: records.Transport = Field("tcp", description="Of RTSP.")
    credential: str | None = Field(None, description="User and password that cameras share, not in the address.")
    id: Annotated[Named, Field(max_length=24)] | None = Field(None, description="Made where not given.")

    def record(self) -> records.NewCamera:
        """The same for the database."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return records.NewCamera(
            **values
            | {
                "regions": _regions(self.regions),
                "policy": None if self.policy is None else self.policy.record(),
                "thresholds": self.thresholds.record(),
            }
        )


class CameraPatch(_Change):
    """What is to be different about a camera; null takes away. Its `url` may be sent as it was shown, with `***`."""

    name: str = ""
    building_id: Named = ""
    zone_id: Named | None = None
    url: Url = Field("", repr=False)
    substream_url: Url | None = Field(None, repr=False)
    enabled: bool = True
    counts: bool = True
    analyze_fps: Fps = 5.0
    min_face_px: FacePx = 24
    regions: Regions = []
    policy: PolicyIn | None = Field(None, description="Null: the building's.")
    thresholds: ThresholdsIn = ThresholdsIn()
    transport: records.Transport = "tcp"
    credential: str | None = None

    def changes(self, camera: records.Camera) -> CameraChanges:
        """The same for the database."""
        given = self.given()
        if "regions" in given:
            given["regions"] = _regions(self.regions)
        if self.policy is not None:
            given["policy"] = self.policy.record(camera.policy)
        if "thresholds" in given:
            given["thresholds"] = self.thresholds.record(camera.thresholds)
        return CameraChanges(**given)


class ListedCamera(_Change):
    """A camera of a list: what is not given stays as it is, or is the default of a new one; null takes away."""

    name: str
    building: str = Field("", description="Identifier or name.")
    zone: str | None = Field(None, description="Likewise.")
    url: Url = Field("", repr=False)
    substream_url: Url | None = Field(None, repr=False)
    transport: records.Transport = "tcp"
    credential: str | None = None
    analyze_fps: Fps = 5.0
    min_face_px: FacePx = 24
    counts: bool = True
    enabled: bool = True
    labels: Breaches = ["without_mask", "incorrect_mask"]
    dwell_s: Dwell = 1.0
    hours: Times | None = None
    regions: Regions = []
    detection: Detection | None = None
    confidence: Confidence | None = None

    def listed(self, line: int) -> Listed:
        """The same for the database; it stands at this place of the list."""
        given = _policy(self.given())
        if "regions" in given:
            given["regions"] = _regions(self.regions)
        return Listed(line=line, **given | {"name": self.name.strip()})


class CredentialIn(_Body):
    """A user and password that cameras share."""

    name: str = Field(description="By which cameras name it.", examples=["guards"])
    user: str = Field(examples=["admin"])
    password: str = Field(max_length=1000, json_schema_extra={"format": "password", "writeOnly": True}, repr=False)


class CredentialPatch(_Change):
    """Another user or password."""

    user: str | None = None
    password: str | None = Field(
        None, max_length=1000, json_schema_extra={"format": "password", "writeOnly": True}, repr=False
    )


def _regions(given: list[RegionIn]) -> tuple[Region, ...]:
    return tuple(Region(region.mode, tuple(region.points)) for region in given)


def _policy(given: dict[str, Any]) -> dict[str, Any]:
    """The same, labels and hours for the database."""
    if "labels" in given:
        given["labels"] = msgspec.convert(list(dict.fromkeys(given["labels"])), tuple[Label, ...])
    if given.get("hours") is not None:
        given["hours"] = tuple(Hours(tuple(one.days), one.from_, one.to) for one in given["hours"])
    return given
