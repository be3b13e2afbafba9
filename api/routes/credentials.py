"""Users and passwords that cameras share. Passwords go in, and never come out."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.access import access
from api.asking import Page, cursor, paged
from api.bodies import CredentialIn, CredentialPatch
from api.context import Context
from api.shapes import cameras as shapes
from api.shapes.common import Listed
from storage.database.reports import Position
from storage.errors import NotFoundError
from storage.identity import Role

router = APIRouter(tags=["credentials"])

Name = Annotated[str, Path(max_length=200)]


@router.post(
    "/credentials",
    status_code=201,
    summary="Keep a user and password that cameras can name",
    openapi_extra=access(Role.OPERATOR),
)
def add_credential(context: Context, credential: CredentialIn) -> shapes.Credential:
    """The password is encrypted, and never given out."""
    return shapes.Credential.of(context.sites.add_credential(credential.name, credential.user, credential.password))


@router.get("/credentials", summary="All credentials", openapi_extra=access(Role.OPERATOR))
def list_credentials(context: Context, page: Annotated[Page, Query()]) -> Listed[shapes.Credential]:
    """Newest first, without passwords."""
    every = sorted(context.sites.credentials(), key=lambda one: one.created_at_ns)
    # Names are no identifiers: the place in the order of making stands for them.
    places = {one.name: Position(one.created_at_ns, f"n{number}") for number, one in enumerate(every)}
    found, after = paged(every, lambda one: places[one.name], page)
    return Listed(items=[shapes.Credential.of(one) for one in found], next_cursor=cursor(after))


@router.get("/credentials/{name:path}", summary="One credential", openapi_extra=access(Role.OPERATOR))
def get_credential(context: Context, name: Name) -> shapes.Credential:
    """Without its password."""
    for one in context.sites.credentials():
        if one.name == name:
            return shapes.Credential.of(one)
    raise NotFoundError(f"there is no credential {name!r}: list the credentials, or add it first")


@router.patch("/credentials/{name:path}", summary="Change a user or password", openapi_extra=access(Role.OPERATOR))
def change_credential(context: Context, name: Name, changes: CredentialPatch) -> shapes.Credential:
    """All cameras that name it connect anew."""
    return shapes.Credential.of(context.sites.change_credential(name, user=changes.user, password=changes.password))


@router.delete(
    "/credentials/{name:path}", status_code=204, summary="Forget a credential", openapi_extra=access(Role.OPERATOR)
)
def remove_credential(context: Context, name: Name) -> Response:
    """No camera may name it any more."""
    context.sites.remove_credential(name)
    return Response(status_code=204)
