"""Totals over time, as JSON or CSV."""

import csv
import io
import time
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from api.access import access
from api.asking import TotalsQuery
from api.context import Context
from api.shapes import facts as shapes
from api.times import Time, iso
from storage.camera_cells import harmless
from storage.database.buckets import Bucket
from storage.database.groups import GroupBy
from storage.database.reports import Question
from storage.database.statistics import COUNTS
from storage.identity import Role
from storage.words import UnknownReason

router = APIRouter(tags=["statistics"])

COLUMNS: Final = (
    "group_type",
    "group_id",
    "group_name",
    "from",
    "to",
    *COUNTS,
    "compliance_rate",
    "interval_low",
    "interval_high",
    *(f"unknown_{reason}" for reason in UnknownReason),
    "corrected_rate",
    "corrected_low",
    "corrected_high",
    "corrected_note",
    "checks",
)


class ComplianceQuery(TotalsQuery):
    """What totals are wanted."""

    from_: Time | None = Field(None, alias="from", description="Included; default: the beginning of today.")
    to: Time | None = Field(None, description="Excluded; default: the end of today.")
    bucket: Bucket = Field(Bucket.DAY, description="Weeks start on Monday.")
    group_by: GroupBy | None = Field(None, description="Default: all together.")
    format: Literal["json", "csv"] | None = Field(None, description="Default: what `Accept` asks for, else JSON.")


@router.get(
    "/statistics/compliance",
    summary="Compliance over time",
    response_model=shapes.Compliance,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "Totals, oldest first."}},
    openapi_extra=access(Role.VIEWER),
)
def get_compliance(context: Context, query: Annotated[ComplianceQuery, Query()], request: Request) -> Any:
    """Every passage is counted once, at its start. Empty buckets come with zeros."""
    answer = context.reports.compliance(
        Question(
            bucket=query.bucket,
            group_by=query.group_by,
            scope=query.scope,
            timezone=query.timezone,
            from_ns=query.from_,
            to_ns=query.to,
        ),
        time.time_ns(),
    )
    rows = [shapes.Row.of(entry) for entry in answer.series]
    if query.format == "csv" or (query.format is None and _wants_csv(request.headers.get("accept", ""))):
        headers = {"Content-Disposition": 'attachment; filename="compliance.csv"', "Vary": "Accept"}
        return Response(as_csv(rows), media_type="text/csv", headers=headers)
    return shapes.Compliance(
        as_of=iso(answer.as_of_ns),
        timezone=answer.timezone,
        bucket=answer.bucket,
        series=rows,
        whole=[shapes.Row.of(entry) for entry in answer.whole],
    )


def as_csv(rows: Iterable[shapes.Row]) -> str:
    """The rows as RFC 4180 has them, with names that no spreadsheet takes for formulas."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in rows:
        group = (row.group.type.value, row.group.id, row.group.name) if row.group else (None, None, None)
        counts = [getattr(row, name) for name in COUNTS]
        reasons = [row.unknown_reasons[reason] for reason in UnknownReason]
        low, high = row.interval or (None, None)
        figures = [*counts, row.compliance_rate, low, high, *reasons]
        corrected_low, corrected_high = row.corrected_interval or (None, None)
        checks = row.verified_by and row.verified_by.checks
        corrected = [row.corrected_rate, corrected_low, corrected_high, row.corrected_note, checks]
        writer.writerow(
            [*(harmless(cell) if cell else cell for cell in group), row.from_, row.to, *figures, *corrected]
        )
    return text.getvalue()


def _wants_csv(accept: str) -> bool:
    kinds = [kind.partition(";")[0].strip().lower() for kind in accept.split(",")]
    return "text/csv" in kinds and "application/json" not in kinds
