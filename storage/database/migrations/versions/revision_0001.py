"""The first tables.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.String(40)
DERIVED_ID = sa.String(64)
NAME = sa.String(200)
WORD = sa.String(20)
FILE = sa.String(80)

TABLES = (
    "building",
    "zone",
    "camera",
    "track",
    "track_path",
    "event",
    "snapshot",
    "candidate",
    "minute_rollup",
    "hour_rollup",
    "aggregator_checkpoint",
    "camera_state",
)
"""Those that others refer to before those that refer to them."""


def upgrade() -> None:
    """Make all tables."""
    _sites()
    _facts()
    _pictures()
    for table in ("minute_rollup", "hour_rollup"):
        _rollup(table)
    _aggregator()


def downgrade() -> None:
    """Remove all tables, and what is in them."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _sites() -> None:
    op.create_table(
        "building",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("retention_days", sa.Integer, nullable=False),
        sa.Column("policy", sa.JSON, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at_ns", sa.BigInteger, nullable=False),
        sa.Column("archived_at_ns", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_building"),
    )
    _unique_while_in_use("building")
    op.create_table(
        "zone",
        sa.Column("id", ID, nullable=False),
        sa.Column("building_id", ID, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_zone"),
        sa.ForeignKeyConstraint(["building_id"], ["building.id"], name="fk_zone_building_id"),
        sa.UniqueConstraint("building_id", "name", name="uq_zone_building_id_name"),
    )
    op.create_table(
        "camera",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("building_id", ID, nullable=False),
        sa.Column("zone_id", ID),
        sa.Column("url", sa.String(2048), nullable=False),
        sa.Column("substream_url", sa.String(2048)),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("counts", sa.Boolean, nullable=False),
        sa.Column("analyze_fps", sa.Float, nullable=False),
        sa.Column("min_face_px", sa.Integer, nullable=False),
        sa.Column("regions", sa.JSON, nullable=False),
        sa.Column("policy", sa.JSON, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at_ns", sa.BigInteger, nullable=False),
        sa.Column("archived_at_ns", sa.BigInteger),
        sa.Column("epoch", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("run", NAME),
        sa.Column("playing_since_ns", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_camera"),
        sa.ForeignKeyConstraint(["building_id"], ["building.id"], name="fk_camera_building_id"),
        sa.ForeignKeyConstraint(["zone_id"], ["zone.id"], name="fk_camera_zone_id"),
    )
    _unique_while_in_use("camera")
    _index("camera", "building_id")


def _facts() -> None:
    op.create_table(
        "track",
        sa.Column("id", DERIVED_ID, nullable=False),
        sa.Column("camera_id", ID, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        *_passage(),
        sa.Column("faces", sa.BigInteger, nullable=False),
        sa.Column("label", WORD, nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("unknown_reason", WORD),
        sa.Column("counts", sa.Boolean, nullable=False),
        sa.Column("counted", sa.Boolean, nullable=False),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_track"),
        sa.UniqueConstraint("camera_id", "number", name="uq_track_camera_id_number"),
    )
    op.create_table(
        "track_path",
        sa.Column("track_id", DERIVED_ID, nullable=False),
        sa.Column("part", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("boxes", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("track_id", "part", name="pk_track_path"),
    )
    op.create_table(
        "event",
        sa.Column("id", DERIVED_ID, nullable=False),
        sa.Column("camera_id", ID, nullable=False),
        *_passage(),
        sa.Column("track_id", DERIVED_ID, nullable=False),
        sa.Column("type", WORD, nullable=False),
        sa.Column("corrected_ns", sa.BigInteger),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("counts", sa.Boolean, nullable=False),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.Column("snapshot", FILE),
        sa.Column("verdict", WORD, nullable=False, server_default="pending"),
        sa.Column("review_reason", WORD),
        sa.Column("review_label", WORD),
        sa.Column("review_note", sa.String(2000)),
        sa.Column("reviewed_by", NAME),
        sa.Column("reviewed_at_ns", sa.BigInteger),
        sa.Column("review_version", sa.Integer, nullable=False, server_default=sa.text("1")),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
    )
    for table in ("track", "event"):
        _index(table, "started_ns", "id")
        _index(table, "building_id", "started_ns", "id")
        _index(table, "camera_id", "started_ns", "id")
    _index("event", "snapshot")


def _pictures() -> None:
    op.create_table(
        "snapshot",
        sa.Column("name", FILE, nullable=False),
        sa.Column("camera_id", ID, nullable=False),
        sa.Column("event_id", DERIVED_ID),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at_ns", sa.BigInteger, nullable=False),
        sa.Column("obsolete", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("name", name="pk_snapshot"),
    )
    _index("snapshot", "camera_id")
    obsolete = sa.text("obsolete")
    op.create_index("ix_snapshot_obsolete", "snapshot", ["name"], sqlite_where=obsolete, postgresql_where=obsolete)
    op.create_table(
        "candidate",
        sa.Column("camera_id", ID, nullable=False),
        sa.Column("number", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("jpeg", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("camera_id", "number", name="pk_candidate"),
    )


def _rollup(table: str) -> None:
    op.create_table(
        table,
        sa.Column("camera_id", ID, nullable=False),
        sa.Column("building_id", ID, nullable=False),
        sa.Column("zone_id", ID, nullable=False),
        sa.Column("start_ns", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("tracks", sa.BigInteger, nullable=False),
        sa.Column("with_mask", sa.BigInteger, nullable=False),
        sa.Column("without_mask", sa.BigInteger, nullable=False),
        sa.Column("incorrect_mask", sa.BigInteger, nullable=False),
        sa.Column("unknown", sa.BigInteger, nullable=False),
        sa.Column("exempt", sa.BigInteger, nullable=False),
        sa.Column("outside_hours", sa.BigInteger, nullable=False),
        sa.Column("open_tracks", sa.BigInteger, nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("camera_id", "building_id", "zone_id", "start_ns", name=f"pk_{table}"),
        sqlite_with_rowid=False,
    )
    _index(table, "start_ns")


def _aggregator() -> None:
    op.create_table(
        "aggregator_checkpoint",
        sa.Column("partition", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("owner", NAME, nullable=False),
        sa.Column("lease_until_ns", sa.BigInteger, nullable=False),
        sa.Column("bus", NAME, nullable=False),
        sa.Column("position", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("partition", name="pk_aggregator_checkpoint"),
    )
    op.create_table(
        "camera_state",
        sa.Column("camera_id", ID, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.Column("lost", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("camera_id", name="pk_camera_state"),
    )
    _index("camera_state", "partition")


def _passage() -> list[SchemaItem]:
    """Where and when: the columns that tracks and events share."""
    return [
        sa.Column("building_id", ID, nullable=False),
        sa.Column("zone_id", ID),
        sa.Column("job_id", ID),
        sa.Column("started_ns", sa.BigInteger, nullable=False),
        sa.Column("ended_ns", sa.BigInteger, nullable=False),
    ]


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def _unique_while_in_use(table: str) -> None:
    in_use = sa.text("archived_at_ns IS NULL")
    op.create_index(f"ix_{table}_name", table, ["name"], unique=True, sqlite_where=in_use, postgresql_where=in_use)
