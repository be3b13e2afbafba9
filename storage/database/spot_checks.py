"""Drawn passages for people to check, blind: nothing that is given out tells what the system said of them.

The picture goes as soon as somebody has said what it shows, and when nobody did for two days. What is said here changes no
figures by itself: it measures how often the labels are wrong.
"""

from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, func, select, update

from storage.corrected import NOT_A_PERSON
from storage.database.audit import note
from storage.database.engine import reading, writing
from storage.database.models import CameraRow, SpotCheckRow
from storage.database.scoped import Scoped
from storage.database.spot_drawing import wipe_old
from storage.errors import ConflictError, NotFoundError
from storage.identity import Caller

SHOWN: Final = "spot_check.shown"
CHECKED: Final = "spot_check.checked"


class Seen(StrEnum):
    """What somebody sees in the picture of a drawn passage."""

    WITH_MASK = "with_mask"
    WITHOUT_MASK = "without_mask"
    INCORRECT_MASK = "incorrect_mask"
    UNKNOWN = "unknown"
    """It can't be told."""
    NOT_A_PERSON = NOT_A_PERSON


class SpotCheck(msgspec.Struct, frozen=True):
    """A passage that waits.

    Attributes:
        track_id: the passage's.
        camera_name: of its camera; None where that is not registered in the passage's building any more.
        expires_at_ns: when its picture goes.
    """

    track_id: str
    camera_name: str | None
    expires_at_ns: int


class SpotChecks(Scoped):
    """Drawn passages, as somebody may check them.

    Every method raises StorageError when the database can't be used.
    """

    def waiting(self, building: str | None, limit: int, now_ns: int) -> tuple[list[SpotCheck], int]:
        """Those that wait, oldest first, and how many there are in all; pictures that are too old go now.

        Args:
            building: of this one alone; one that is not the caller's has none.
            limit: most that are given.
            now_ns: the time.
        """
        wipe_old(self._engine, now_ns)
        query = _waiting(self._caller, building, now_ns)
        wanted = (
            query.with_only_columns(SpotCheckRow.track_id, CameraRow.name, SpotCheckRow.expires_at_ns)
            # One that is in another building by now may have a name that is not theirs to know.
            .outerjoin(
                CameraRow,
                (CameraRow.id == SpotCheckRow.camera_id) & (CameraRow.building_id == SpotCheckRow.building_id),
            )
            .order_by(SpotCheckRow.expires_at_ns, SpotCheckRow.track_id)
            .limit(limit)
        )
        with reading(self._engine) as connection:
            found = [SpotCheck(*row) for row in connection.execute(wanted)]
            number: int = connection.execute(query).scalar_one()
        return found, number

    def picture(self, track_id: str, now_ns: int) -> bytes:
        """The face of a passage that waits, as JPEG; the look is written down.

        Raises:
            NotFoundError: there is no such passage, or it does not wait any more.
        """
        wipe_old(self._engine, now_ns)
        with writing(self._engine) as connection:
            row = self._own(connection, track_id)
            if row.label is not None or row.jpeg is None:
                raise NotFoundError(f"the picture of passage {track_id} is gone: it was checked, or nobody did in time")
            note(connection, self._caller, SHOWN, ("track", track_id), row.building_id)
            jpeg: bytes = row.jpeg
        return jpeg

    def check(self, track_id: str, seen: Seen, now_ns: int) -> None:
        """Say what a passage shows: once, and the picture goes.

        Args:
            track_id: the passage.
            seen: what somebody sees.
            now_ns: the time.

        Raises:
            NotFoundError: there is no such passage.
            ConflictError: somebody else has said it, or its picture is gone.
        """
        wipe_old(self._engine, now_ns)
        with writing(self._engine) as connection:
            row = self._own(connection, track_id)
            done = connection.execute(
                update(SpotCheckRow)
                .where(SpotCheckRow.track_id == track_id, SpotCheckRow.label.is_(None), SpotCheckRow.jpeg.is_not(None))
                .values(label=seen.value, checked_by=self._caller.name, checked_at_ns=now_ns, jpeg=None)
            )
            if done.rowcount != 1:
                if self._own(connection, track_id).label is None:
                    raise ConflictError(
                        f"the picture of passage {track_id} is gone, nobody can check it: take the next"
                    )
                raise ConflictError(f"passage {track_id} was checked already: take the next one")
            # Not what was said: the log is no second way to the answers.
            note(connection, self._caller, CHECKED, ("track", track_id), row.building_id)

    def _own(self, connection: Connection, track_id: str) -> Any:
        """The row of a passage that the caller may see."""
        query = select(SpotCheckRow.__table__).where(SpotCheckRow.track_id == track_id)
        row = connection.execute(query).first()
        if row is None or not self._caller.sees(row.building_id):
            raise NotFoundError(f"there is no passage {track_id} to check")
        return row


def count_waiting(connection: Connection, caller: Caller, now_ns: int) -> int:
    """How many passages wait that the caller may see."""
    number: int = connection.execute(_waiting(caller, None, now_ns)).scalar_one()
    return number


def _waiting(caller: Caller, building: str | None, now_ns: int) -> Select[Any]:
    """Their number."""
    query = (
        select(func.count())
        .select_from(SpotCheckRow)
        .where(SpotCheckRow.jpeg.is_not(None), SpotCheckRow.label.is_(None), SpotCheckRow.expires_at_ns > now_ns)
    )
    if caller.buildings is not None:
        query = query.where(SpotCheckRow.building_id.in_(sorted(caller.buildings)))
    return query if building is None else query.where(SpotCheckRow.building_id == building)
