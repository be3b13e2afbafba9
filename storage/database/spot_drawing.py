"""Drawn passages as rows, in the transaction of the facts; and how passages are drawn, for the aggregator."""

import secrets

from sqlalchemy import Connection, Engine, select, update

from storage.database.batch import Batch, track_id
from storage.database.engine import reading, writing
from storage.database.judgement import said_of_track
from storage.database.models import BuildingRow, CameraRow, SpotCheckRow, SpotKeyRow, TrackRow
from storage.database.upsert import upsert
from storage.spot_checks import KEPT_NS, KEY_BYTES, Drawing


def drawing(engine: Engine) -> Drawing:
    """How passages are drawn, as it is now; the key is made where it is needed and there is none.

    Raises:
        StorageError: the database can't be used.
    """
    query = (
        select(CameraRow.id, BuildingRow.spot_share)
        .join(BuildingRow, BuildingRow.id == CameraRow.building_id)
        .where(BuildingRow.spot_share > 0, CameraRow.counts, CameraRow.archived_at_ns.is_(None))
    )
    with reading(engine) as connection:
        shares = {row.id: row.spot_share for row in connection.execute(query)}
        key = _key(connection) if shares else b""
    if shares and not key:
        with writing(engine) as connection:
            # Another partition's aggregator may make one at the same time.
            connection.execute(
                upsert(connection, SpotKeyRow.__table__), {"id": 1, "key": secrets.token_bytes(KEY_BYTES)}
            )
            key = _key(connection)
    return Drawing(key, shares)


def _key(connection: Connection) -> bytes:
    return connection.execute(select(SpotKeyRow.key)).scalar() or b""


def write_drawn(connection: Connection, batch: Batch, now_ns: int) -> None:
    """Keep what was drawn; to be called after tracks are written.

    Nothing is kept of passages outside the hours, of those that are not counted, and of buildings where people do not want
    it any more. What was checked already stays as it is.
    """
    if not batch.drawn:
        return
    names = {track_id(key): drawn for key, drawn in batch.drawn.items()}
    query = (
        select(TrackRow.__table__)
        .join(BuildingRow, BuildingRow.id == TrackRow.building_id)
        .where(
            TrackRow.id.in_(names),
            TrackRow.closed,
            TrackRow.counted,
            TrackRow.counts,
            ~TrackRow.outside_hours,
            BuildingRow.spot_share > 0,
        )
    )
    rows = []
    for track in connection.execute(query.order_by(TrackRow.id)):
        label, reason = said_of_track(track)
        rows.append(
            {
                "track_id": track.id,
                "camera_id": track.camera_id,
                "building_id": track.building_id,
                "zone_id": track.zone_id,
                "started_ns": track.started_ns,
                "expires_at_ns": now_ns + KEPT_NS,
                "share": names[track.id].probability,
                "machine_label": label.value,
                "machine_reason": reason,
                "jpeg": names[track.id].jpeg,
            }
        )
    if rows:
        connection.execute(upsert(connection, SpotCheckRow.__table__), rows)


def wipe_old(engine: Engine, now_ns: int) -> None:
    """Remove pictures that have waited too long, and those of buildings where people do not want it any more.

    Raises:
        StorageError: the database can't be used.
    """
    unwanted = select(BuildingRow.id).where(BuildingRow.spot_share == 0)
    old = (SpotCheckRow.expires_at_ns <= now_ns) | SpotCheckRow.building_id.in_(unwanted)
    there = select(SpotCheckRow.track_id).where(SpotCheckRow.jpeg.is_not(None), old)
    with reading(engine) as connection:
        if connection.execute(there.limit(1)).first() is None:
            return
    with writing(engine) as connection:
        connection.execute(update(SpotCheckRow).where(SpotCheckRow.jpeg.is_not(None), old).values(jpeg=None))
