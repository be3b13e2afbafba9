"""What is to change about a building or a camera: what is not given stays as it is."""

import msgspec
from msgspec import UNSET, UnsetType

from storage.database.records import Policy, Thresholds, Transport
from storage.database.userinfo import shown_address
from storage.errors import ConflictError
from storage.regions import Region


class ChangedError(ConflictError):
    """Somebody else has changed it since it was read."""


class BuildingChanges(msgspec.Struct, frozen=True):
    """Of a building; see `Building`. A policy is for cameras that are added later."""

    name: str | UnsetType = UNSET
    timezone: str | UnsetType = UNSET
    retention_days: int | UnsetType = UNSET
    policy: Policy | UnsetType = UNSET
    spot_share: float | UnsetType = UNSET


class CameraChanges(msgspec.Struct, frozen=True):
    """Of a camera; see `NewCamera`.

    An address may come as it was shown, with `***` for its password: it keeps the password then. A policy of None is
    the building's. With a new building and no zone the camera is in none.
    """

    name: str | UnsetType = UNSET
    building_id: str | UnsetType = UNSET
    zone_id: str | UnsetType | None = UNSET
    url: str | UnsetType = UNSET
    substream_url: str | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    counts: bool | UnsetType = UNSET
    analyze_fps: float | UnsetType = UNSET
    min_face_px: int | UnsetType = UNSET
    regions: tuple[Region, ...] | UnsetType = UNSET
    policy: Policy | UnsetType | None = UNSET
    thresholds: Thresholds | UnsetType = UNSET
    transport: Transport | UnsetType = UNSET
    credential: str | UnsetType | None = UNSET

    def __repr__(self) -> str:
        # Addresses carry passwords, and a repr ends up in logs.
        shown = {
            name: shown_address(value) if name.endswith("url") and isinstance(value, str) else value
            for name, value in given(self).items()
        }
        return f"CameraChanges({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def given(changes: CameraChanges | BuildingChanges) -> dict[str, object]:
    """What is to change, by name."""
    return {name: value for name, value in msgspec.structs.asdict(changes).items() if value is not UNSET}


def check_version(what: str, found: int, wanted: int | None) -> None:
    """Whether what is to be changed is still what was read.

    Raises:
        ChangedError: it is not.
    """
    if wanted is not None and found != wanted:
        raise ChangedError(
            f"{what} has been changed meanwhile (version {found} now, not {wanted}): read it again, then change it"
        )
