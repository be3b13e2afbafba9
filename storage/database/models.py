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
    """A building. One that was removed is archived, since its history names it.

    `spot_share` is the share of its tracks, 0 to 1, that people check at random; 0: none.
    """

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
    spot_share: Mapped[float] = mapped_column(server_default=text("0"))


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
    """A passage; `id` is `<camera>-t<number>`, of one in recorded footage `<job>-t<number>`.

    `label` and `unknown_reason` are what counts. Once people have corrected it, `machine_label` and `machine_reason` are
    what the system says, else NULL. `ruling` is `exempt` (counted as exempt) or `excluded` (counted nowhere) by review.
    Building, zone, `counts` (whether it goes into totals) and `outside_hours` (whether it began outside the policy's
    hours) are by the camera as it was at the moment the track appeared; building "" where the camera has no row.
    """

    __tablename__ = "track"
    __table_args__ = (
        # Passages in recorded footage are numbered by job.
        Index(
            "ix_track_camera_id_number",
            "camera_id",
            "number",
            unique=True,
            sqlite_where=text("job_id IS NULL"),
            postgresql_where=text("job_id IS NULL"),
        ),
        Index(
            "ix_track_job_id_number",
            "job_id",
            "number",
            unique=True,
            sqlite_where=text("job_id IS NOT NULL"),
            postgresql_where=text("job_id IS NOT NULL"),
        ),
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
    machine_label: Mapped[str | None] = mapped_column(WORD)
    machine_reason: Mapped[str | None] = mapped_column(WORD)
    ruling: Mapped[str | None] = mapped_column(WORD)


class TrackPathRow(Base):
    """A part of where a track was seen: a MessagePack list of `storage.paths.Seen`."""

    __tablename__ = "track_path"

    track_id: Mapped[str] = mapped_column(DERIVED_ID, primary_key=True)
    part: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    boxes: Mapped[bytes]


class EventRow(Base):
    """A track that broke the rule; `id` is its track's, with `e` for `t`. Building, zone and `counts` are its track's.

    `type` is what counts; once people have said what it is, `machine_type` is what the system says, else NULL.
    `label` is always that of its track, so that events are found by it without looking at tracks; NULL while the track
    has no row.
    """

    __tablename__ = "event"
    __table_args__ = (
        Index(None, "started_ns", "id"),
        Index(None, "building_id", "started_ns", "id"),
        Index(None, "camera_id", "started_ns", "id"),
        Index(None, "label", "started_ns", "id"),
        # Whether another event names a picture is asked before its file goes.
        Index(None, "snapshot"),
        # What waits for a review: few of many, once a system has run for a while.
        Index(
            "ix_event_pending",
            "started_ns",
            "id",
            "building_id",
            sqlite_where=text("verdict = 'pending'"),
            postgresql_where=text("verdict = 'pending'"),
        ),
        Index(
            "ix_event_job_id",
            "job_id",
            sqlite_where=text("job_id IS NOT NULL"),
            postgresql_where=text("job_id IS NOT NULL"),
        ),
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
    machine_type: Mapped[str | None] = mapped_column(WORD)
    label: Mapped[str | None] = mapped_column(WORD)


class EventFaceRow(Base):
    """The face of an event's person at one moment: a JPEG of their box and what is just around it."""

    __tablename__ = "event_face"

    event_id: Mapped[str] = mapped_column(DERIVED_ID, primary_key=True)
    at_ns: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    label: Mapped[str] = mapped_column(WORD)
    jpeg: Mapped[bytes]


class ReviewRow(Base):
    """What somebody said of an event, as its review's `version`; one that was undone stays, and says so."""

    __tablename__ = "review"

    event_id: Mapped[str] = mapped_column(DERIVED_ID, primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    verdict: Mapped[str] = mapped_column(WORD)
    reason: Mapped[str | None] = mapped_column(WORD)
    label: Mapped[str | None] = mapped_column(WORD)
    note: Mapped[str | None] = mapped_column(String(2000))
    by_id: Mapped[str] = mapped_column(ID)
    by_name: Mapped[str] = mapped_column(NAME)
    at_ns: Mapped[int]
    undone_by: Mapped[str | None] = mapped_column(NAME)
    undone_at_ns: Mapped[int | None]


class SpotCheckRow(Base):
    """A track drawn at random for people to check, blind; its picture goes when it is checked or `expires_at_ns` is past.

    `share` is the probability with which it was drawn; `machine_label` what the system said when the track was closed.
    """

    __tablename__ = "spot_check"
    __table_args__ = (
        Index(
            "ix_spot_check_checked",
            "building_id",
            "started_ns",
            sqlite_where=text("label IS NOT NULL"),
            postgresql_where=text("label IS NOT NULL"),
        ),
        Index(
            "ix_spot_check_pictured",
            "expires_at_ns",
            sqlite_where=text("jpeg IS NOT NULL"),
            postgresql_where=text("jpeg IS NOT NULL"),
        ),
    )

    track_id: Mapped[str] = mapped_column(DERIVED_ID, primary_key=True)
    camera_id: Mapped[str] = mapped_column(ID)
    building_id: Mapped[str] = mapped_column(ID)
    zone_id: Mapped[str | None] = mapped_column(ID)
    started_ns: Mapped[int]
    expires_at_ns: Mapped[int]
    share: Mapped[float]
    machine_label: Mapped[str | None] = mapped_column(WORD)
    machine_reason: Mapped[str | None] = mapped_column(WORD)
    jpeg: Mapped[bytes | None]
    label: Mapped[str | None] = mapped_column(WORD)
    checked_by: Mapped[str | None] = mapped_column(NAME)
    checked_at_ns: Mapped[int | None]


class SpotKeyRow(Base):
    """The key by which tracks are drawn, random, made with the first draw; there is one row, number 1."""

    __tablename__ = "spot_key"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    key: Mapped[bytes]


class SnapshotRow(Base):
    """A picture in the snapshot folder. Of an obsolete one first the file goes, then the row.

    `box` is the person's face in it, `[x, y, width, height]` in pixels of the picture; `at_ns` when it was seen.
    """

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
    box: Mapped[Any | None]
    at_ns: Mapped[int | None]


class CandidateRow(Base):
    """The best picture so far, already pixelated, of a breach that is no event yet; box and time as in `SnapshotRow`."""

    __tablename__ = "candidate"

    camera_id: Mapped[str] = mapped_column(ID, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    jpeg: Mapped[bytes]
    box: Mapped[Any | None]
    at_ns: Mapped[int | None]


class RollupColumns:
    """Totals of the tracks, and of the events, that started in one stretch of time; `zone_id` is "" without a zone.

    `too_small` to `disagreement` are those `unknown` for that reason.
    """

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
    too_small: Mapped[int] = mapped_column(server_default=text("0"))
    blurred: Mapped[int] = mapped_column(server_default=text("0"))
    turned_away: Mapped[int] = mapped_column(server_default=text("0"))
    occluded: Mapped[int] = mapped_column(server_default=text("0"))
    too_dark: Mapped[int] = mapped_column(server_default=text("0"))
    too_short: Mapped[int] = mapped_column(server_default=text("0"))
    disagreement: Mapped[int] = mapped_column(server_default=text("0"))


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


class AccountRow(Base):
    """A person who may log in. `buildings` lists those they may see; NULL: all. Without a password only a link leads in."""

    __tablename__ = "account"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME, unique=True)
    role: Mapped[str] = mapped_column(WORD)
    buildings: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    password: Mapped[str | None] = mapped_column(String(200))
    """Its Argon2 hash."""
    enabled: Mapped[bool]
    version: Mapped[int] = mapped_column(Integer)
    created_at_ns: Mapped[int]
    seen_at_ns: Mapped[int | None]


class AccountLinkRow(Base):
    """A link that leads in once. Of its secret only the sha256 is kept."""

    __tablename__ = "account_link"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str] = mapped_column(ID, ForeignKey("account.id", ondelete="CASCADE"))
    expires_at_ns: Mapped[int]


class AccountSessionRow(Base):
    """A login that has not ended."""

    __tablename__ = "account_session"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    account_id: Mapped[str] = mapped_column(ID, ForeignKey("account.id", ondelete="CASCADE"))
    created_at_ns: Mapped[int]
    expires_at_ns: Mapped[int]
    used_at_ns: Mapped[int]
    address: Mapped[str | None] = mapped_column(String(64))
    agent: Mapped[str | None] = mapped_column(NAME)


class ApiKeyRow(Base):
    """A key for a program. Of its secret only the sha256 is kept."""

    __tablename__ = "api_key"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(WORD)
    role: Mapped[str] = mapped_column(WORD)
    buildings: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    created_by: Mapped[str] = mapped_column(NAME)
    created_at_ns: Mapped[int]
    expires_at_ns: Mapped[int | None]
    used_at_ns: Mapped[int | None]
    revoked_at_ns: Mapped[int | None]


class AuditRow(Base):
    """Who looked at what, and who changed what, from where. Rows are added, and never changed or removed."""

    __tablename__ = "audit"
    __table_args__ = (
        Index(None, "at_ns"),
        Index(None, "caller_id", "id"),
        Index(None, "object_type", "object_id", "id"),
        Index(None, "building_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    at_ns: Mapped[int]
    caller_id: Mapped[str] = mapped_column(ID)
    caller_name: Mapped[str] = mapped_column(NAME)
    caller_kind: Mapped[str] = mapped_column(WORD)
    address: Mapped[str | None] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(40))
    object_type: Mapped[str] = mapped_column(WORD)
    object_id: Mapped[str] = mapped_column(NAME)
    building_id: Mapped[str | None] = mapped_column(ID)
    detail: Mapped[Any]


class IdempotencyRow(Base):
    """What came of a request with an `Idempotency-Key`, so that the same one again gets the same answer.

    `key` is hashed, and `digest`, which tells the request from others, keyed with it; `status` is NULL while it is being
    answered, and `body` where it is not kept.
    """

    __tablename__ = "idempotency"
    __table_args__ = (Index(None, "created_at_ns"),)

    caller_id: Mapped[str] = mapped_column(ID, primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None] = mapped_column(Integer)
    headers: Mapped[Any]
    body: Mapped[bytes | None]
    created_at_ns: Mapped[int]


class JobRow(Base):
    """Recorded footage being processed; see `storage.jobs`.

    Whoever plans or finishes it holds it by lease, as chunks are held. `digest` tells footage of a camera from other
    footage, once it is read: files and when they began. `replaced_by` is the job whose facts took the place of this one's.
    `tries` counts workers that died with it, `delays` how often in a row it was put off. `faces`, `tracks` and `events`
    are what was found, once it is done.
    """

    __tablename__ = "job"
    __table_args__ = (
        Index(None, "state"),
        Index(None, "digest"),
        Index(None, "created_at_ns", "id"),
        Index(None, "building_id", "created_at_ns", "id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    state: Mapped[str] = mapped_column(WORD)
    camera_id: Mapped[str] = mapped_column(ID)
    building_id: Mapped[str] = mapped_column(ID)
    zone_id: Mapped[str | None] = mapped_column(ID)
    counts: Mapped[bool]
    options: Mapped[Any]
    model: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    created_by_id: Mapped[str] = mapped_column(ID)
    created_by: Mapped[str] = mapped_column(NAME)
    created_at_ns: Mapped[int]
    started_at_ns: Mapped[int | None]
    ended_at_ns: Mapped[int | None]
    planned: Mapped[bool] = mapped_column(server_default=false())
    digest: Mapped[str | None] = mapped_column(String(64))
    replaced_by: Mapped[str | None] = mapped_column(ID)
    error: Mapped[str | None] = mapped_column(Text())
    token: Mapped[int] = mapped_column(server_default=text("0"))
    owner: Mapped[str | None] = mapped_column(NAME)
    lease_until_ns: Mapped[int] = mapped_column(server_default=text("0"))
    sent_at_ns: Mapped[int] = mapped_column(server_default=text("0"))
    not_before_ns: Mapped[int] = mapped_column(server_default=text("0"))
    tries: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    delays: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    faces: Mapped[int] = mapped_column(server_default=text("0"))
    tracks: Mapped[int] = mapped_column(server_default=text("0"))
    events: Mapped[int] = mapped_column(server_default=text("0"))


class JobFileRow(Base):
    """A file of a job. `path` is where it is read; `plan`, MessagePack, how it is cut up, once that is known.

    `analysis` tells what is looked at, and how, from anything else: files with the same one give the same results.
    `whole` says why it can only be read in one piece. `report` is compressed.
    `errors` are the sentences on what can't be decoded.
    """

    __tablename__ = "job_file"
    __table_args__ = (Index(None, "analysis"),)

    job_id: Mapped[str] = mapped_column(ID, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(Text())
    path: Mapped[str] = mapped_column(Text())
    upload_id: Mapped[str | None] = mapped_column(ID)
    size: Mapped[int | None]
    modified_ns: Mapped[int | None]
    sha256: Mapped[str | None] = mapped_column(String(64))
    start_ns: Mapped[int | None]
    analysis: Mapped[str | None] = mapped_column(String(64))
    duration_ns: Mapped[int | None]
    plan: Mapped[bytes | None]
    whole: Mapped[str | None] = mapped_column(Text())
    errors: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    report: Mapped[bytes | None]
    annotated: Mapped[str | None] = mapped_column(FILE)


class JobChunkRow(Base):
    """A stretch of a file, analysed at once; `results` is what was seen in it, compressed.

    Whoever works on it holds it until `lease_until_ns`; `token` is the fencing token, which grows each time that it is
    taken. `at_ns` is how far the footage is done, `not_before_ns` when it may be tried again after a failure;
    `tries` and `delays` are as in `JobRow`.
    """

    __tablename__ = "job_chunk"
    __table_args__ = (
        # What is held or was sent just now; and what is next of a job, without a look at what is done.
        Index(None, "state", "sent_at_ns"),
        Index(None, "job_id", "state", "file", "number"),
    )

    job_id: Mapped[str] = mapped_column(ID, primary_key=True)
    file: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(WORD)
    start_ns: Mapped[int]
    end_ns: Mapped[int]
    at_ns: Mapped[int]
    samples: Mapped[int] = mapped_column(server_default=text("0"))
    faces: Mapped[int] = mapped_column(server_default=text("0"))
    token: Mapped[int] = mapped_column(server_default=text("0"))
    owner: Mapped[str | None] = mapped_column(NAME)
    lease_until_ns: Mapped[int] = mapped_column(server_default=text("0"))
    sent_at_ns: Mapped[int] = mapped_column(server_default=text("0"))
    not_before_ns: Mapped[int] = mapped_column(server_default=text("0"))
    tries: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    delays: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    results: Mapped[bytes | None]


class UploadRow(Base):
    """Footage that was sent to us, in the upload folder under its identifier; it goes when its job ends, unless that fails."""

    __tablename__ = "upload"
    __table_args__ = (Index(None, "created_at_ns"), Index(None, "job_id"))

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(Text())
    bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    created_by_id: Mapped[str] = mapped_column(ID)
    created_at_ns: Mapped[int]
    job_id: Mapped[str | None] = mapped_column(ID)


class UpkeepRow(Base):
    """When a piece of periodic work was last done, and what came of it."""

    __tablename__ = "upkeep"

    name: Mapped[str] = mapped_column(NAME, primary_key=True)
    done_at_ns: Mapped[int]
    took_s: Mapped[float]
    outcome: Mapped[Any]
    error: Mapped[str | None] = mapped_column(Text())
