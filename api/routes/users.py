"""People who may log in."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.access import access
from api.asking import Known, Page, cursor, paged
from api.idempotency import SHOWS_SECRET
from api.logins import logins_of
from api.people import People
from api.shapes import people as shapes
from api.shapes.common import Listed
from api.times import iso
from api.versions import IfMatch, tag
from storage.database.reports import Position
from storage.identity import Role

router = APIRouter(tags=["people"])


@router.get("/users", summary="Accounts", openapi_extra=access(Role.ADMIN))
def list_users(people: People, page: Annotated[Page, Query()]) -> Listed[shapes.User]:
    """Newest first; administrators of some buildings see those whose buildings are all among theirs."""
    found, after = paged(people.accounts.accounts(), lambda one: Position(one.created_at_ns, one.id), page)
    return Listed(items=[shapes.User.of(one) for one in found], next_cursor=cursor(after))


@router.post("/users", status_code=201, summary="Let somebody in", openapi_extra=access(Role.ADMIN))
def add_user(people: People, response: Response, user: shapes.UserIn) -> shapes.User:
    """With a role and buildings that the caller has, too. Without a password, make a link for them next."""
    buildings = None if user.buildings is None else tuple(user.buildings)
    made = people.accounts.add(user.name, user.role, buildings, user.password)
    tag(response, made.version)
    return shapes.User.of(made)


@router.get("/users/{user_id}", summary="One account", openapi_extra=access(Role.ADMIN))
def get_user(people: People, response: Response, user_id: Known) -> shapes.User:
    """Without its password."""
    found = people.accounts.account(user_id)
    tag(response, found.version)
    return shapes.User.of(found)


@router.patch("/users/{user_id}", summary="Change an account", openapi_extra=access(Role.ADMIN))
def change_user(
    people: People, response: Response, user_id: Known, changes: shapes.UserPatch, version: IfMatch
) -> shapes.User:
    """Another name apart, it ends all its logins at once. Nobody changes their own rights."""
    new = people.accounts.change(user_id, changes.changes(), version)
    tag(response, new.version)
    return shapes.User.of(new)


@router.delete("/users/{user_id}", status_code=204, summary="Remove an account", openapi_extra=access(Role.ADMIN))
def remove_user(people: People, user_id: Known) -> Response:
    """All its logins end; what they did stays in the audit log."""
    people.accounts.remove(user_id)
    return Response(status_code=204)


@router.post(
    "/users/{user_id}/link",
    status_code=201,
    summary="Make a one-time link",
    openapi_extra=access(Role.ADMIN) | SHOWS_SECRET,
)
def make_link(people: People, request: Request, user_id: Known) -> shapes.UserLink:
    """Who opens it chooses a password, and is in. It leads in once, for 24 hours; the one before leads in no more."""
    link = people.accounts.link(user_id)
    own = f"{request.url.scheme}://{request.headers['host']}"
    base = logins_of(request).setup.public_url or own
    return shapes.UserLink(link=f"{base}/#/link/{link.secret}", expires_at=iso(link.expires_at_ns))
