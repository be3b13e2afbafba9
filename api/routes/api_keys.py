"""Keys for programs."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.access import access
from api.asking import Known, Page, cursor, paged
from api.idempotency import SHOWS_SECRET
from api.people import People
from api.shapes import people as shapes
from api.shapes.common import Listed
from storage.database.reports import Position
from storage.identity import Role

router = APIRouter(tags=["people"])


@router.get("/api-keys", summary="API keys", openapi_extra=access(Role.ADMIN))
def list_keys(people: People, page: Annotated[Page, Query()]) -> Listed[shapes.Key]:
    """Newest first, without their secrets; those that were revoked say so."""
    found, after = paged(people.keys.listed(), lambda one: Position(one.created_at_ns, one.id), page)
    return Listed(items=[shapes.Key.of(one) for one in found], next_cursor=cursor(after))


@router.post("/api-keys", status_code=201, summary="Make an API key", openapi_extra=access(Role.ADMIN) | SHOWS_SECRET)
def add_key(people: People, key: shapes.KeyIn) -> shapes.MadeKey:
    """It is shown this once. It opens no more than the caller may, and stays when their account goes."""
    made, secret = people.keys.add(key.record())
    return shapes.MadeKey.of(made, key=secret)


@router.get("/api-keys/{key_id}", summary="One API key", openapi_extra=access(Role.ADMIN))
def get_key(people: People, key_id: Known) -> shapes.Key:
    """Without its secret."""
    return shapes.Key.of(people.keys.key(key_id))


@router.delete("/api-keys/{key_id}", status_code=204, summary="Revoke an API key", openapi_extra=access(Role.ADMIN))
def revoke_key(people: People, key_id: Known) -> Response:
    """It opens nothing any more, from now on."""
    people.keys.revoke(key_id)
    return Response(status_code=204)
