"""Buildings and their zones."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.access import access
from api.asking import Known, Page, cursor, paged
from api.bodies import BuildingIn, BuildingPatch, ZoneIn
from api.context import Context
from api.shapes import sites as shapes
from api.shapes.common import Listed
from api.versions import IfMatch, merged, tag
from storage.database.reports import Position
from storage.identity import Role

router = APIRouter(tags=["buildings"])


@router.post("/buildings", status_code=201, summary="Set up a building", openapi_extra=access(Role.OPERATOR))
def add_building(context: Context, building: BuildingIn, response: Response) -> shapes.Building:
    """Answers with its `Location`."""
    made = context.sites.add_building(
        building.name,
        building.timezone,
        building_id=building.id,
        retention_days=building.retention_days,
        policy=None if building.policy is None else building.policy.record(),
        spot_share=building.spot_share,
    )
    response.headers["Location"] = f"/api/v1/buildings/{made.id}"
    return shapes.Building.of(made)


@router.get("/buildings", summary="All buildings in use", openapi_extra=access(Role.VIEWER))
def list_buildings(context: Context, page: Annotated[Page, Query()]) -> Listed[shapes.Building]:
    """Newest first."""
    found, after = paged(context.sites.buildings(), lambda one: Position(one.created_at_ns, one.id), page)
    return Listed(items=[shapes.Building.of(one) for one in found], next_cursor=cursor(after))


@router.get("/buildings/{building_id}", summary="One building", openapi_extra=access(Role.VIEWER))
def get_building(context: Context, building_id: Known, response: Response) -> shapes.Building:
    """Also when it is archived."""
    found = context.sites.building(building_id)
    tag(response, found.version)
    return shapes.Building.of(found)


@router.patch("/buildings/{building_id}", summary="Change a building", openapi_extra=access(Role.OPERATOR))
def change_building(
    context: Context, building_id: Known, changes: BuildingPatch, version: IfMatch, response: Response
) -> shapes.Building:
    """What is not given stays. Its policy is for cameras that are added later."""
    changed = merged(
        lambda: context.sites.building(building_id),
        lambda found, its: context.sites.change_building(building_id, changes.changes(found), version=its),
        version,
        merges="policy" in changes.model_fields_set,
    )
    tag(response, changed.version)
    return shapes.Building.of(changed)


@router.post(
    "/buildings/{building_id}/zones", status_code=201, summary="Set up a zone", openapi_extra=access(Role.OPERATOR)
)
def add_zone(context: Context, building_id: Known, zone: ZoneIn) -> shapes.Zone:
    """A part of the building, for cameras to be in."""
    return shapes.Zone.of(context.sites.add_zone(building_id, zone.name, zone_id=zone.id))


@router.get("/buildings/{building_id}/zones", summary="The zones of a building", openapi_extra=access(Role.VIEWER))
def list_zones(context: Context, building_id: Known, page: Annotated[Page, Query()]) -> Listed[shapes.Zone]:
    """Newest first."""
    found, after = paged(context.sites.zones(building_id), lambda one: Position(0, one.id), page)
    return Listed(items=[shapes.Zone.of(one) for one in found], next_cursor=cursor(after))
