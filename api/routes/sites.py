"""Buildings and their zones."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api.asking import Known, Named, Page, cursor, paged
from api.context import Context
from api.shapes import sites as shapes
from api.shapes.common import Breach, Listed
from storage.database import records
from storage.database.reports import Position
from storage.words import Label

router = APIRouter(tags=["buildings"])


class PolicyIn(BaseModel):
    """What counts as a breach."""

    model_config = ConfigDict(extra="forbid")

    labels: list[Breach] = Field(["without_mask", "incorrect_mask"], min_length=1, max_length=2)
    dwell_s: float = Field(1.0, ge=0, le=3600, allow_inf_nan=False)
    hours: None = None

    def record(self) -> records.Policy:
        """The same for the database."""
        return records.Policy(tuple(Label(label) for label in dict.fromkeys(self.labels)), self.dwell_s)


class BuildingIn(BaseModel):
    """A building to be set up."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(examples=["North"])
    timezone: str = Field(description="IANA name.", examples=["Europe/Berlin"])
    retention_days: int = Field(30, ge=1, le=36_500, description="How long what is seen there is kept.")
    policy: PolicyIn | None = Field(None, description="Which its new cameras get.")
    id: Named | None = Field(None, description="Made where not given.")


class ZoneIn(BaseModel):
    """A zone to be set up."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(examples=["Entrance hall"])
    id: Named | None = Field(None, description="Made where not given.")


@router.post("/buildings", status_code=201, summary="Set up a building")
def add_building(context: Context, building: BuildingIn, response: Response) -> shapes.Building:
    """Answers with its `Location`."""
    made = context.sites.add_building(
        building.name,
        building.timezone,
        building_id=building.id,
        retention_days=building.retention_days,
        policy=None if building.policy is None else building.policy.record(),
    )
    response.headers["Location"] = f"/api/v1/buildings/{made.id}"
    return shapes.Building.of(made)


@router.get("/buildings", summary="All buildings in use")
def list_buildings(context: Context, page: Annotated[Page, Query()]) -> Listed[shapes.Building]:
    """Newest first."""
    found, after = paged(context.sites.buildings(), lambda one: Position(one.created_at_ns, one.id), page)
    return Listed(items=[shapes.Building.of(one) for one in found], next_cursor=cursor(after))


@router.get("/buildings/{building_id}", summary="One building")
def get_building(context: Context, building_id: Known) -> shapes.Building:
    """Also when it is archived."""
    return shapes.Building.of(context.sites.building(building_id))


@router.post("/buildings/{building_id}/zones", status_code=201, summary="Set up a zone")
def add_zone(context: Context, building_id: Known, zone: ZoneIn) -> shapes.Zone:
    """A part of the building, for cameras to be in."""
    return shapes.Zone.of(context.sites.add_zone(building_id, zone.name, zone_id=zone.id))


@router.get("/buildings/{building_id}/zones", summary="The zones of a building")
def list_zones(context: Context, building_id: Known, page: Annotated[Page, Query()]) -> Listed[shapes.Zone]:
    """Newest first."""
    found, after = paged(context.sites.zones(building_id), lambda one: Position(0, one.id), page)
    return Listed(items=[shapes.Zone.of(one) for one in found], next_cursor=cursor(after))
