"""Passages drawn at random, for people who check them blind: nothing here tells what the system said of them."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from api.times import Instant, iso
from storage.database import spot_checks as records
from storage.database.spot_checks import Seen


class SpotCheck(BaseModel):
    """A passage that waits."""

    id: str = Field(description="Of the passage.", examples=["c1-t7"])
    camera_name: str | None
    picture_url: str = Field(examples=["/api/v1/spot-checks/c1-t7/picture"])
    expires_at: Instant = Field(description="When the picture goes, checked or not.")

    @classmethod
    def of(cls, check: records.SpotCheck) -> Self:
        """From the record."""
        return cls(
            id=check.track_id,
            camera_name=check.camera_name,
            picture_url=f"/api/v1/spot-checks/{check.track_id}/picture",
            expires_at=iso(check.expires_at_ns),
        )


class SpotChecks(BaseModel):
    """Those that wait, oldest first."""

    items: list[SpotCheck]
    waiting: int = Field(description="How many wait in all.")


class SpotCheckIn(BaseModel):
    """What somebody sees in the picture."""

    model_config = ConfigDict(extra="forbid")

    label: Seen = Field(description="`unknown`: it can't be told.")


class SpotCheckDone(BaseModel):
    """It is kept, and the picture is gone."""

    id: str = Field(examples=["c1-t7"])
    done: bool = True
