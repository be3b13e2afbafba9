"""A list of cameras taken in: all of it in one transaction, or nothing of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET
from sqlalchemy import Connection

from storage.camera_list import COLUMNS, Listed, Mistake, doubled, mistake_of
from storage.database.changes import CameraChanges
from storage.database.records import Building, Camera, NewCamera, Policy, Thresholds
from storage.database.site_changes import as_given
from storage.database.sites import Sites
from storage.errors import InvalidError, MaskwatchError, NotFoundError, StorageError
from storage.names import by_word, normal_name

PLAIN: Final = (
    "url",
    "substream_url",
    "transport",
    "credential",
    "analyze_fps",
    "min_face_px",
    "counts",
    "enabled",
    "regions",
)
"""Columns that are a camera's own, as they are."""

Action = Literal["new", "changed", "unchanged"]


class Imported(msgspec.Struct, frozen=True):
    """What became of a line.

    Attributes:
        line: of the list.
        action: whether the camera was added, changed, or had all that already.
        columns: that changed.
        camera: as it is then.
    """

    line: int
    action: Action
    columns: tuple[str, ...]
    camera: Camera


class Import(msgspec.Struct, frozen=True):
    """What became of a list.

    Attributes:
        cameras: in the order of the list; those that could be taken.
        mistakes: why the others can't; where there is one, nothing was taken.
        made: names of buildings, and of zones as `building / zone`, that were made for it.
        applied: whether it is so now.
    """

    cameras: tuple[Imported, ...]
    mistakes: tuple[Mistake, ...]
    made: tuple[str, ...]
    applied: bool


class _NotApplied(Exception):  # noqa: N818 no error: how a transaction is left
    """Nothing is to stay."""


def import_cameras(
    sites: Sites, listed: Sequence[Listed], mistakes: Sequence[Mistake] = (), *, timezone: str | None, dry_run: bool
) -> Import:
    """Take a list in.

    Args:
        sites: to take it into.
        listed: the cameras.
        mistakes: that were found in it already.
        timezone: of buildings that are made where they are missing; None: none are made, nor zones.
        dry_run: only see what would come of it.

    Raises:
        StorageError: the database can't be written.
    """
    wrong = [*mistakes, *(one for one in doubled(listed) if one not in mistakes)]
    taken: list[Imported] = []
    made: list[str] = []
    try:
        with sites._changing() as connection:  # noqa: SLF001 a part of it
            desk = _Desk(_Together(sites, connection), timezone, made)
            known = {mistake.line for mistake in wrong}
            for one in (one for one in listed if one.line not in known):
                try:
                    taken.append(desk.take(one))
                except StorageError:
                    raise
                except MaskwatchError as error:
                    wrong.append(mistake_of(one.line, str(error)))
            if wrong or dry_run:
                raise _NotApplied
            sites.note_import(connection, taken=len(taken), made=len(made))
    except _NotApplied:
        pass
    wrong.sort(key=lambda mistake: mistake.line)
    return Import(tuple(taken), tuple(wrong), tuple(made), applied=not (wrong or dry_run))


class _Together(Sites):
    """Sites whose changes belong to one transaction."""

    def __init__(self, sites: Sites, connection: Connection) -> None:
        # All that the sites have, within the transaction.
        self.__dict__.update(vars(sites))
        self._connection = connection

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        yield self._connection


class _Desk:
    """Takes one line after the other; knows what is there, and what was made meanwhile."""

    def __init__(self, sites: Sites, timezone: str | None, made: list[str]) -> None:
        self._sites, self._timezone, self._made = sites, timezone, made
        self._buildings = {one.id: one for one in sites.buildings()}
        self._zones = {name: sites.zones(name) for name in self._buildings}
        self._cameras = {normal_name(one.name): one for one in sites.cameras()}

    def take(self, one: Listed) -> Imported:
        """Add the camera, or change it.

        Raises:
            MaskwatchError: it can't be.
        """
        old = self._cameras.get(normal_name(one.name))
        home = self._home(one, old)
        values = self._values(one, home, old)
        if old is None:
            if one.url is UNSET:
                raise InvalidError("url: it is empty, and there is no camera of that name yet")
            camera = self._sites.add_camera(NewCamera(name=one.name, building_id=home.id, **values))
            return Imported(one.line, "new", (), camera)
        if old.building_id != home.id:
            values["building_id"] = home.id
        camera = self._sites.change_camera(old.id, CameraChanges(**values))
        if camera.version == old.version:
            return Imported(one.line, "unchanged", (), camera)
        before, after = _facts(old), _facts(camera)
        return Imported(one.line, "changed", tuple(name for name in COLUMNS if before[name] != after[name]), camera)

    def _values(self, one: Listed, home: Building, old: Camera | None) -> dict[str, Any]:
        values = {name: value for name in PLAIN if (value := getattr(one, name)) is not UNSET}
        if one.zone is not UNSET:
            values["zone_id"] = None if one.zone is None else self._zone(home, str(one.zone))
        policy = home.policy if old is None else old.policy
        thresholds = Thresholds() if old is None else old.thresholds
        for name, base in (("policy", policy), ("thresholds", thresholds)):
            given = {
                field: value for field in base.__struct_fields__ if (value := getattr(one, field, UNSET)) is not UNSET
            }
            if given:
                values[name] = msgspec.structs.replace(base, **given)
                # Hours and labels may be written in another order than they are kept.
                if isinstance(base, Policy) and _same(base, values[name]):
                    values[name] = base
        return values

    def _home(self, one: Listed, old: Camera | None) -> Building:
        if one.building is UNSET:
            if old is not None:
                return self._buildings[old.building_id]
            if len(self._buildings) == 1:
                return next(iter(self._buildings.values()))
            raise InvalidError("building: it is empty, and there is not exactly one building")
        given = str(one.building)
        if (found := by_word(self._buildings.values(), given)) is not None:
            return found
        if self._timezone is None:
            raise NotFoundError(f"building: there is none {given!r}; add it first, or have it made (--make-buildings)")
        made = self._sites.add_building(given, self._timezone)
        self._made.append(made.name)
        self._buildings[made.id], self._zones[made.id] = made, []
        return made

    def _zone(self, home: Building, given: str) -> str:
        if (found := by_word(self._zones[home.id], given)) is not None:
            return found.id
        if self._timezone is None:
            raise NotFoundError(
                f"zone: building {home.name!r} has none {given!r}; add it first, or have it made (--make-buildings)"
            )
        made = self._sites.add_zone(home.id, given)
        self._made.append(f"{home.name} / {made.name}")
        self._zones[home.id].append(made)
        return made.id


def _facts(camera: Camera) -> dict[str, object]:
    """What a camera has, by column; passwords, too."""
    given, policy = as_given(camera), camera.policy
    facts: dict[str, object] = {name: getattr(given, name) for name in ("name", *PLAIN)}
    return facts | {
        "building": camera.building_id,
        "zone": camera.zone_id,
        "labels": frozenset(policy.labels),
        "dwell_s": policy.dwell_s,
        "hours": policy.hours,
        "detection": camera.thresholds.detection,
        "confidence": camera.thresholds.confidence,
    }


def _same(one: Policy, other: Policy) -> bool:
    def plain(policy: Policy) -> object:
        hours = policy.hours and {(frozenset(entry.days), entry.start, entry.end) for entry in policy.hours}
        return frozenset(policy.labels), policy.dwell_s, hours

    return plain(one) == plain(other)
