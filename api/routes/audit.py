"""Who looked at what, and who changed what, from where."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from api.access import access
from api.asking import cursor
from api.people import People
from api.shapes import people as shapes
from api.shapes.common import Listed
from storage.camera_cells import harmless
from storage.database.audit import AuditEntry
from storage.database.reports import Position
from storage.errors import InvalidError
from storage.identity import Role

router = APIRouter(tags=["audit"])


@router.get(
    "/audit",
    summary="The audit log",
    openapi_extra=access(Role.ADMIN),
    responses={
        200: {
            "description": "A page; or with `format` all entries.",
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "application/jsonl": {"schema": {"type": "string"}},
            },
        }
    },
    response_model=Listed[shapes.AuditLine],
)
def list_audit(people: People, query: Annotated[shapes.AuditQuery, Query()]) -> Any:
    """Newest first; administrators of some buildings see what belongs to these. An export is an entry itself."""
    wanted = query.wanted()
    if query.format != "json":
        people.audit.note_export(wanted, query.format)
        write, kind = (_csv, "text/csv; charset=utf-8") if query.format == "csv" else (_jsonl, "application/jsonl")
        name = {"Content-Disposition": f'attachment; filename="audit.{query.format}"'}
        return StreamingResponse(write(people.audit.every(wanted)), media_type=kind, headers=name)
    before = None if query.cursor is None else query.cursor.id
    if before is not None and not (before.isdecimal() and len(before) < 19):
        raise InvalidError("this is no cursor of the audit log: give `next_cursor` of the page before, unchanged")
    found, after = people.audit.entries(wanted, query.limit, None if before is None else int(before))
    position = None if after is None else Position(found[-1].at_ns, str(after))
    return Listed(items=[shapes.AuditLine.of(one) for one in found], next_cursor=cursor(position))


def _jsonl(entries: Iterator[AuditEntry]) -> Iterator[str]:
    for one in entries:
        yield shapes.AuditLine.of(one).model_dump_json() + "\n"


def _csv(entries: Iterator[AuditEntry]) -> Iterator[str]:
    yield _line(shapes.AuditLine.model_fields)
    for one in entries:
        values = shapes.AuditLine.of(one).model_dump()
        yield _line([*list(values.values())[:-1], json.dumps(one.detail, ensure_ascii=False)])


def _line(values: Any) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(["" if value is None else harmless(str(value)) for value in values])
    return buffer.getvalue()
