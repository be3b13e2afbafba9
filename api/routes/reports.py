"""Reports for people to read and print."""

import time
from typing import Annotated, Final

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from pydantic import Field

from api import weekly
from api.access import access
from api.asking import Asked, Named
from api.context import Context
from storage.identity import Role

router = APIRouter(tags=["statistics"])

POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class WeekQuery(Asked):
    """Which building's week."""

    building: Named
    week: str = Field(description="Year and number (ISO 8601), in the building's time zone.", examples=["2026-W47"])


@router.get(
    "/reports/weekly",
    summary="A building's week, to print",
    response_class=HTMLResponse,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}, "description": "A page for A4 paper."}},
    openapi_extra=access(Role.VIEWER),
)
def get_weekly(context: Context, query: Annotated[WeekQuery, Query()]) -> HTMLResponse:
    """All that is known of it, what is not, and what is never judged. It has no script."""
    page = weekly.page(context.reports.week(query.building, query.week, time.time_ns()))
    name = f"maskwatch-{query.building}-{query.week}.html"
    return HTMLResponse(
        page, headers={"Content-Security-Policy": POLICY, "Content-Disposition": f'inline; filename="{name}"'}
    )
