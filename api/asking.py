"""How routes are asked: filters, pages, and the refusal of parameters that nobody knows."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Annotated, Final, TypeVar

import msgspec
from fastapi import Path, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

from api.problems import ProblemError
from api.shapes.common import Breach, Verdict
from api.times import Time
from storage.database.records import IDENTIFIER
from storage.database.reports import Position, Wanted
from storage.database.statistics import Scope
from storage.words import Label

MOST_ITEMS: Final = 200
LARGEST: Final = 2**63 - 1
PATTERN: Final = f"^{IDENTIFIER.pattern}$"
PLACE: Final = frozenset({"limit", "cursor"})
"""Parameters that say where in a list, not which list."""

_list: ContextVar[bytes] = ContextVar("list", default=b"")
"""Tells the list that is asked for from others."""

T = TypeVar("T")


def _known_identifier(value: str) -> str:
    if not IDENTIFIER.fullmatch(value):
        # What can't exist is not there, like what does not.
        raise ProblemError(404, "not-found", "identifiers have 1 to 40 letters A to Z, a to z, digits, '_' and '-'")
    return value


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    """A position in the list that it is for."""

    at_ns: int
    id: str
    list: bytes


def _read_cursor(text: object) -> Position:
    try:
        if not isinstance(text, str):
            raise TypeError
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        found = msgspec.msgpack.decode(packed, type=_Cursor)
    except (TypeError, ValueError):
        raise ValueError("this is no cursor: give `next_cursor` of the page before, unchanged") from None
    if found.list != _list.get():
        raise ValueError("this cursor is of another list: ask with the same path and parameters as for the page before")
    position = Position(found.at_ns, found.id)
    if not (0 <= position.at_ns <= LARGEST and IDENTIFIER.fullmatch(position.id)):
        raise ValueError("this is no cursor: give `next_cursor` of the page before, unchanged")
    return position


def cursor(position: Position | None) -> str | None:
    """A position as people's programs get it; it leads on in the list that is asked for now, and in no other."""
    if position is None:
        return None
    packed = msgspec.msgpack.encode(_Cursor(position.at_ns, position.id, _list.get()))
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


Known = Annotated[
    str, Path(), AfterValidator(_known_identifier), WithJsonSchema({"type": "string", "pattern": PATTERN})
]
"""An identifier in a path."""

Named = Annotated[str, Field(pattern=PATTERN)]
"""An identifier in a query or a body."""

After = Annotated[
    Position, PlainValidator(_read_cursor), WithJsonSchema({"type": "string", "description": "Of the page before."})
]


async def nothing_unknown(request: Request) -> None:
    """Refuse parameters of routes that take none, and any that comes twice; models of parameters refuse the rest.

    It remembers which list is asked for, in the context of the request: that's why it is no plain function, which would
    run in a context of its own.
    """
    given = request.query_params
    which = sorted((name, value) for name, value in given.multi_items() if name not in PLACE)
    _list.set(hashlib.sha256(msgspec.msgpack.encode((request.url.path, which))).digest()[:6])
    for name in given:
        if not request.scope["route"].dependant.query_params:
            raise ProblemError(422, "invalid-request", f"query.{name[:64]}: unknown query parameter")
        if len(given.getlist(name)) > 1:
            raise ProblemError(422, "invalid-request", f"query.{name[:64]}: given more than once")


class Asked(BaseModel):
    """Parameters of a query: no others are taken."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)


class Page(Asked):
    """Which part of a list."""

    limit: int = Field(50, ge=1, le=MOST_ITEMS, description="Most items on the page.")
    cursor: After | None = Field(None, description="`next_cursor` of the page before.")


class CameraQuery(Page):
    """Which cameras."""

    building: Named | None = None
    zone: Named | None = None


class TotalsQuery(Asked):
    """Whose totals, and by whose clock."""

    timezone: Annotated[str, Field(max_length=64)] | None = Field(
        None,
        description="IANA name; default: the building's, required when several differ.",
        examples=["Europe/Berlin"],
    )
    camera: Named | None = None
    building: Named | None = None
    zone: Named | None = None

    @property
    def scope(self) -> Scope:
        """The same for the database."""
        return Scope(self.camera, self.building, self.zone)


class FactQuery(Page):
    """Which tracks or events."""

    camera: Named | None = None
    building: Named | None = Field(None, description="That the camera belonged to then.")
    zone: Named | None = Field(None, description="Likewise.")
    job: Named | None = Field(None, description="That they were seen in, in recorded footage.")
    type: Breach | None = Field(None, description="Of the event.")
    label: Label | None = Field(None, description="Of the track.")
    verdict: Verdict | None = Field(None, description="Of the event's review.")
    from_: Time | None = Field(None, alias="from", description="Started at or after.")
    to: Time | None = Field(None, description="Started before.")

    def wanted(self) -> Wanted:
        """The same for the database."""
        return Wanted(
            camera=self.camera,
            building=self.building,
            zone=self.zone,
            job=self.job,
            label=self.label,
            type=self.type,
            verdict=self.verdict,
            from_ns=self.from_,
            to_ns=self.to,
        )


def paged(items: Sequence[T], place: Callable[[T], Position], page: Page) -> tuple[list[T], Position | None]:
    """A page of a list that is small enough to be in memory; newest first, like all lists."""
    ordered = sorted(items, key=lambda item: _order(place(item)), reverse=True)
    if page.cursor is not None:
        last = _order(page.cursor)
        ordered = [item for item in ordered if _order(place(item)) < last]
    more = len(ordered) > page.limit
    return ordered[: page.limit], place(ordered[page.limit - 1]) if more else None


def _order(position: Position) -> tuple[int, int, str]:
    # z10 is newer than z9.
    return position.at_ns, len(position.id), position.id
