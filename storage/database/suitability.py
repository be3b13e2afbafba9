"""What cameras see of faces, by the hour, and what their views looked like: both are kept small.

The hours are written by the aggregator in its transaction, see `storage.database.booking`; views by ingest.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, select, tuple_, update

from storage.database.audit import note
from storage.database.engine import reading, writing
from storage.database.models import CameraHourRow, CameraRow, CameraViewRow
from storage.database.scoped import Scoped
from storage.database.upsert import upsert
from storage.errors import NotFoundError
from storage.face_tally import Tally, packed, unpacked
from storage.identity import Caller
from storage.messages import NS_PER_S

HOUR_NS: Final = 3600 * NS_PER_S
KEPT_NS: Final = 30 * 24 * HOUR_NS
"""Older hours go."""


def write_tallies(connection: Connection, tallies: Mapping[tuple[str, int], Tally], now_ns: int) -> None:
    """Add counts to those of their hours, by camera and the hour's beginning; inside a transaction."""
    if not tallies:
        return
    key = tuple_(CameraHourRow.camera_id, CameraHourRow.start_ns)
    query = select(CameraHourRow).where(key.in_(list(tallies)))
    known = {(row.camera_id, row.start_ns): unpacked(row.tally) for row in connection.execute(query)}
    rows = []
    for (camera, start_ns), tally in sorted(tallies.items(), key=lambda item: item[0]):
        whole = known.get((camera, start_ns), Tally())
        whole.add(tally)
        rows.append({"camera_id": camera, "start_ns": start_ns, "tally": packed(whole)})
    connection.execute(upsert(connection, CameraHourRow.__table__, replace=("tally",)), rows)
    if len(known) < len(tallies):
        # A new hour begins: the time to look for old ones.
        connection.execute(delete(CameraHourRow).where(CameraHourRow.start_ns < now_ns - KEPT_NS))


class FaceTallies(Scoped):
    """Reads what cameras saw. Every method raises StorageError when the database can't be used."""

    def since(self, camera_id: str, from_ns: int) -> Tally:
        """All that a camera saw in the hours that had not ended at `from_ns`.

        Raises:
            NotFoundError: the camera is not the caller's.
        """
        query = select(CameraHourRow.tally).where(
            CameraHourRow.camera_id == camera_id, CameraHourRow.start_ns > from_ns - HOUR_NS
        )
        whole = Tally()
        with reading(self._engine) as connection:
            check_camera_seen(connection, self._caller, camera_id)
            for data in connection.execute(query.order_by(CameraHourRow.start_ns)).scalars():
                whole.add(unpacked(data))
        return whole


@dataclass(frozen=True, slots=True)
class KeptView:
    """What a camera's view looks like when all is well.

    Attributes:
        camera_id: whose.
        address: what tells the camera's address, without giving it away: another address is another view.
        reference: see `ingest.view`.
    """

    camera_id: str
    address: str
    reference: bytes


class Views(Scoped):
    """Keeps views over restarts. Every method raises StorageError when the database can't be used."""

    def load(self, cameras: Collection[str]) -> dict[str, KeptView]:
        """The views that are known of cameras, by identifier."""
        query = select(CameraViewRow).where(CameraViewRow.camera_id.in_(list(cameras)))
        with reading(self._engine) as connection:
            return {
                row.camera_id: KeptView(row.camera_id, row.address, row.reference) for row in connection.execute(query)
            }

    def add(self, view: KeptView, now_ns: int) -> None:
        """Keep a view that is new, in place of whatever was known."""
        row = {"camera_id": view.camera_id, **_values(view, now_ns)}
        with writing(self._engine) as connection:
            connection.execute(upsert(connection, CameraViewRow.__table__, replace=tuple(_values(view, now_ns))), [row])

    def replace(self, view: KeptView, now_ns: int) -> bool:
        """Keep a view that was kept before; False where somebody has let it be forgotten since: then it is to be learnt."""
        with writing(self._engine) as connection:
            changed = update(CameraViewRow).where(CameraViewRow.camera_id == view.camera_id)
            return connection.execute(changed.values(_values(view, now_ns))).rowcount == 1

    def known(self, cameras: Collection[str]) -> set[str]:
        """Those of the cameras whose view is kept."""
        query = select(CameraViewRow.camera_id).where(CameraViewRow.camera_id.in_(list(cameras)))
        with reading(self._engine) as connection:
            return set(connection.execute(query).scalars())

    def forget(self, camera_id: str) -> None:
        """Let a camera's view be learnt anew.

        Raises:
            NotFoundError: the camera is not the caller's.
        """
        with writing(self._engine) as connection:
            home = check_camera_seen(connection, self._caller, camera_id)
            connection.execute(delete(CameraViewRow).where(CameraViewRow.camera_id == camera_id))
            note(connection, self._caller, "camera.view_accepted", ("camera", camera_id), home)


def check_camera_seen(connection: Connection, caller: Caller, camera_id: str) -> str:
    """The building of a camera of the caller's; "" for one that is not registered, which is the system's alone.

    Raises:
        NotFoundError: it is not theirs.
    """
    home = connection.execute(select(CameraRow.building_id).where(CameraRow.id == camera_id)).scalar_one_or_none() or ""
    if not caller.sees(home):
        raise NotFoundError(f"there is no camera {camera_id!r}: list the cameras, or add it first")
    return home


def _values(view: KeptView, now_ns: int) -> dict[str, Any]:
    return {"address": view.address, "reference": view.reference, "saved_at_ns": now_ns}
