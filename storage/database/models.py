"""The tables. Times are nanoseconds UTC; what an Alembic revision under `migrations` makes is exactly this.

What the aggregator writes carries no foreign key: footage runs have no camera row, history outlives what it was seen
by, and a missing row must never stop the results behind it.
"""

from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ID: Final = String(40)
DERIVED_ID: Final = String(64)
"""Of tracks and events: a camera's identifier and a number."""

NAME: Final = String(200)
WORD: Final = String(20)
"""Labels, reasons and verdicts."""

FILE: Final = String(80)
ADDRESS: Final = Text()
"""Encrypted where it holds a password; see `sealed_addresses`."""

CONVENTION: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
"""Every constraint has the same name in every database, so that a later revision can name it."""


class Base(DeclarativeBase):
    """Of all tables."""

    metadata = MetaData(naming_convention=CONVENTION)
    type_annotation_map = {int: BigInteger, bool: Boolean, float: Float, bytes: LargeBinary, Any: JSON}  # noqa: RUF012


class BuildingRow(Base):
    """A building. One that was removed is archived, since its history names it."""

    __tablename__ = "building"
    __table_args__ = (
        # A name is free again once its building is archived.
        Index(
            "ix_building_name",
            "name",
            unique=True,
            sqlite_where=text("archived_at_ns IS NULL"),
            postgresql_where=text("archived_at_ns IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    timezone: Mapped[str] = mapped_column(String(64))
    retention_days: Mapped[int] = mapped_column(Integer)
    policy: Mapped[Any]
    version: Mapped[int] = mapped_column(Integer)
    created_at_ns: Mapped[int]
    archived_at_ns: Mapped[int | None]


class ZoneRow(Base):
    """A part of a building; its name is unique there."""

    __tablename__ = "zone"
    __table_args__ = (UniqueConstraint("building_id", "name"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    building_id: Mapped[str] = mapped_column(ID, ForeignKey("building.id"))
    name: Mapped[str] = mapped_column(NAME)


class CredentialRow(Base):
    """A user and password that cameras name; the password is encrypted."""

    __tablename__ = "credential"

    name: Mapped[str] = mapped_column(NAME, primary_key=True)
    user: Mapped[str] = mapped_column(NAME)
    password: Mapped[str] = mapped_column(Text())
    version: Mapped[int] = mapped_column(Integer)
    created_at_ns: Mapped[int]
    changed_at_ns: Mapped[int]


class CameraRow(Base):
    """A registered source.

    `credential` is no foreign key: an archived camera keeps the name of one that was removed.
    `epoch`, `run` and `playing_since_ns` belong to ingest: the last epoch begun, the run of the system that began it,
    and when that run first began one (a played file keeps its place over restarts of the ingest process).
    """

    __tablename__ = "camera"
    __table_args__ = (
        Index(
            "ix_camera_name",
            "name",
            unique=True,
            sqlite_where=text("archived_at_ns IS NULL"),
            postgresql_where=text("archived_at_ns IS NULL"),
        ),
        Index(None, "building_id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    building_id: Mapped[str] = mapped_column(ID, ForeignKey("building.id"))
    zone_id: Mapped[str | None] = mapped_column(ID, ForeignKey("zone.id"))
    url: Mapped[str] = mapped_column(ADDRESS)
    substream_url: Mapped[str | None] = mapped_column(ADDRESS)
    enabled: Mapped[bool]
    counts: Mapped[bool]
    analyze_fps: Mapped[float]
    min_face_px: Mapped[int] = mapped_column(Integer)
    regions: Mapped[Any]
    policy: Mapped[Any]
    version: Mapped[int] = mapped_column(Integer)
    created_at_ns: Mapped[int]
    archived_at_ns: Mapped[int | None]
    epoch: Mapped[int] = mapped_column(server_default=text("0"))
    run: Mapped[str | None] = mapped_column(NAME)
    playing_since_ns: Mapped[int | None]
    thresholds: Mapped[Any] = mapped_column(default=dict)
    transport: Mapped[str] = mapped_column(WORD, default="tcp")
    credential: Mapped[str | None] = mapped_column(NAME)


class TrackRow(Base):
    """A passage; `id` is `<camera>-t<number>`.

    Building, zone, `counts` (whether it goes into totals) and `outside_hours` (whether it began outside the policy's
    hours) are by the camera as it was at the moment the track appeared; building "" where the camera has no row.
    """

    __tablename__ = "track"
    __table_args__ = (
        UniqueConstraint("camera_id", "number"),
        Index(None, "started_ns", "id"),
        Index(None, "building_id", "started_ns", "id"),
        Index(None, "camera_id", "started_ns", "id"),
    )

    id: Mapped[str] = mapped_column(DERIVED_ID, primary_key=True)
    camera_id: Mapped[str] = mapped_column(ID)
    number: Mapped[int]
    building_id: Mapped[str] = mapped_column(ID)
    zone_id: Mapped[str | None] = mapped_column(ID)
    job_id: Mapped[str | None] = mapped_column(ID)
    started_ns: Mapped[int]
    ended_ns: Mapped[int]
    faces: Mapped[int]
    label: Mapped[str] = mapped_column(WORD)
    confidence: Mapped[float]
    unknown_reason: Mapped[str | None] = mapped_column(WORD)
    counts: Mapped[bool]
    counted: Mapped[bool]
    closed: Mapped[bool]
    outside_hours: Mapped[bool] = mapped_column(server_default=false())


class TrackPathRow(Base):
    """A part of where a track was seen: a MessagePack list of `storage.paths.Seen`."""

    __tablename__ = "track_path"

    track_id: Mapped[str] = mapped_column(DERIVED_ID, primary_key=True)
    part: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    boxes: Mapped[bytes]


class EventRow(Base):
    """A track that broke the rule; `id` is `<camera>-e<track number>`. Building, zone and `counts` are its track's."""

    __tablename__ = "event"
    __table_args__ = (
        Index(None, "started_ns", "id"),
        Index(None, "building_id", "started_ns", "id"),
        Index(None, "camera_id", "started_ns", "id"),
        # Whether another event names a picture is asked before its file goes.
        Index(None, "snapshot"),
    )

    id: Mapped[str] = mapped_column(DERIVED_ID, primary_key=True)
    camera_id: Mapped[str] = mapped_column(ID)
    building_id: Mapped[str] = mapped_column(ID)
    zone_id: Mapped[str | None] = mapped_column(ID)
    track_id: Mapped[str] = mapped_column(DERIVED_ID)
    job_id: Mapped[str | None] = mapped_column(ID)
    type: Mapped[str] = mapped_column(WORD)
    started_ns: Mapped[int]
    ended_ns: Mapped[int]
    corrected_ns: Mapped[int | None]
    confidence: Mapped[float]
    counts: Mapped[bool]
    closed: Mapped[bool]
    snapshot: Mapped[str | None] = mapped_column(FILE)
    verdict: Mapped[str] = mapped_column(WORD, server_default="pending")
    review_reason: Mapped[str | None] = mapped_column(WORD)
    review_label: Mapped[str | None] = mapped_column(WORD)
    review_note: Mapped[str | None] = mapped_column(String(2000))
    reviewed_by: Mapped[str | None] = mapped_column(NAME)
    reviewed_at_ns: Mapped[int | None]
    review_version: Mapped[int] = mapped_column(Integer, server_default=text("1"))


class SnapshotRow(Base):
    """A picture in the snapshot folder. Of an obsolete one first the file goes, then the row."""

    __tablename__ = "snapshot"
    __table_args__ = (
        Index(None, "camera_id"),
        Index("ix_snapshot_obsolete", "name", sqlite_where=text("obsolete"), postgresql_where=text("obsolete")),
    )

    name: Mapped[str] = mapped_column(FILE, primary_key=True)
    camera_id: Mapped[str] = mapped_column(ID)
    event_id: Mapped[str | None] = mapped_column(DERIVED_ID)
    bytes: Mapped[int]
    created_at_ns: Mapped[int]
    obsolete: Mapped[bool] = mapped_column(server_default=false())


class CandidateRow(Base):
    """The best picture so far, already pixelated, of a breach that is no event yet."""

    __tablename__ = "candidate"

    camera_id: Mapped[str] = mapped_column(ID, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    jpeg: Mapped[bytes]


class RollupColumns:
    """Totals of the tracks, and of the events, that started in one stretch of time; `zone_id` is "" without a zone."""

    camera_id: Mapped[str] = mapped_column(ID, primary_key=True)
    building_id: Mapped[str] = mapped_column(ID, primary_key=True)
    zone_id: Mapped[str] = mapped_column(ID, primary_key=True)
    start_ns: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tracks: Mapped[int]
    with_mask: Mapped[int]
    without_mask: Mapped[int]
    incorrect_mask: Mapped[int]
    unknown: Mapped[int]
    exempt: Mapped[int]
    outside_hours: Mapped[int]
    open_tracks: Mapped[int]
    events: Mapped[int]


class MinuteRollupRow(RollupColumns, Base):
    """Totals by minute."""

    __tablename__ = "minute_rollup"
    __table_args__ = (Index(None, "start_ns"), {"sqlite_with_rowid": False})


class HourRollupRow(RollupColumns, Base):
    """Totals by hour of UTC."""

    __tablename__ = "hour_rollup"
    __table_args__ = (Index(None, "start_ns"), {"sqlite_with_rowid": False})


class CheckpointRow(Base):
    """How far one partition's results are taken in, and whose turn it is.

    `token` is the fencing token: it grows with every change of hands, and only its holder can commit. `position` is the
    last entry taken in from the results stream of the Redis whose identity is `bus`.
    """

    __tablename__ = "aggregator_checkpoint"

    partition: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    token: Mapped[int]
    owner: Mapped[str] = mapped_column(NAME)
    lease_until_ns: Mapped[int]
    bus: Mapped[str] = mapped_column(NAME)
    position: Mapped[str] = mapped_column(String(64))


class CameraStateRow(Base):
    """What the aggregator remembers of a camera, and how many of its samples were lost."""

    __tablename__ = "camera_state"
    __table_args__ = (Index(None, "partition"),)

    camera_id: Mapped[str] = mapped_column(ID, primary_key=True)
    partition: Mapped[int] = mapped_column(Integer)
    state: Mapped[bytes]
    lost: Mapped[int] = mapped_column(server_default=text("0"))


class CameraHourRow(Base):
    """What a camera saw of faces in an hour of UTC; see `storage.face_tally`."""

    __tablename__ = "camera_hour"
    __table_args__ = (Index(None, "start_ns"),)

    camera_id: Mapped[str] = mapped_column(ID, primary_key=True)
    start_ns: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tally: Mapped[bytes]


class CameraViewRow(Base):
    """What a camera's view looks like when all is well; see `ingest.view`."""

    __tablename__ = "camera_view"

    camera_id: Mapped[str] = mapped_column(ID, primary_key=True)
    address: Mapped[str] = mapped_column(String(64))
    reference: Mapped[bytes]
    saved_at_ns: Mapped[int]
