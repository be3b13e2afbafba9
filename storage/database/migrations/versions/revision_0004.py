"""Jobs: recorded footage being processed, in files and chunks; uploads; when periodic work was last done.

Revision: 0004
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.String(40)
NAME = sa.String(200)
WORD = sa.String(20)
SHA256 = sa.String(64)
NS = sa.BigInteger
UNIQUE = "uq_track_camera_id_number"


def upgrade() -> None:
    """Passages in recorded footage are numbered by job, so a camera may have two of a number."""
    with op.batch_alter_table("track") as track:
        track.drop_constraint(UNIQUE, type_="unique")
    for name, column, condition in (
        ("ix_track_camera_id_number", "camera_id", "job_id IS NULL"),
        ("ix_track_job_id_number", "job_id", "job_id IS NOT NULL"),
    ):
        where = sa.text(condition)
        op.create_index(name, "track", [column, "number"], unique=True, sqlite_where=where, postgresql_where=where)
    where = sa.text("job_id IS NOT NULL")
    op.create_index("ix_event_job_id", "event", ["job_id"], sqlite_where=where, postgresql_where=where)
    _jobs()
    _chunks()
    op.create_table(
        "upload",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("bytes", NS, nullable=False),
        sa.Column("sha256", SHA256, nullable=False),
        sa.Column("created_by_id", ID, nullable=False),
        sa.Column("created_at_ns", NS, nullable=False),
        sa.Column("job_id", ID, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_upload"),
    )
    op.create_index("ix_upload_created_at_ns", "upload", ["created_at_ns"])
    op.create_index("ix_upload_job_id", "upload", ["job_id"])
    op.create_table(
        "upkeep",
        sa.Column("name", NAME, nullable=False),
        sa.Column("done_at_ns", NS, nullable=False),
        sa.Column("took_s", sa.Float(), nullable=False),
        sa.Column("outcome", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_upkeep"),
    )


def downgrade() -> None:
    """Take it all back; what was seen in recorded footage goes, the totals stay."""
    for table in ("upkeep", "upload", "job_chunk", "job_file", "job"):
        op.drop_table(table)
    of_jobs = "(SELECT id FROM {} WHERE job_id IS NOT NULL)"
    op.execute(sa.text("DELETE FROM track_path WHERE track_id IN " + of_jobs.format("track")))  # noqa: S608 our own names
    # Files go as those of other obsolete pictures do.
    op.execute(sa.text("UPDATE snapshot SET obsolete = true WHERE event_id IN " + of_jobs.format("event")))  # noqa: S608 our own names
    for table in ("event_face", "review"):
        op.execute(sa.text(f"DELETE FROM {table} WHERE event_id IN " + of_jobs.format("event")))  # noqa: S608 our own names
    for table in ("event", "track"):
        op.execute(sa.text(f"DELETE FROM {table} WHERE job_id IS NOT NULL"))  # noqa: S608 likewise
    op.drop_index("ix_event_job_id", "event")
    op.drop_index("ix_track_job_id_number", "track")
    op.drop_index("ix_track_camera_id_number", "track")
    with op.batch_alter_table("track") as track:
        track.create_unique_constraint(UNIQUE, ["camera_id", "number"])


def _jobs() -> None:
    op.create_table(
        "job",
        sa.Column("id", ID, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("camera_id", ID, nullable=False),
        sa.Column("building_id", ID, nullable=False),
        sa.Column("zone_id", ID, nullable=True),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("model", sa.JSON(), nullable=True),
        sa.Column("created_by_id", ID, nullable=False),
        sa.Column("created_by", NAME, nullable=False),
        sa.Column("created_at_ns", NS, nullable=False),
        sa.Column("started_at_ns", NS, nullable=True),
        sa.Column("ended_at_ns", NS, nullable=True),
        sa.Column("planned", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("digest", SHA256, nullable=True),
        sa.Column("replaced_by", ID, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        *_held(),
        sa.Column("faces", NS, nullable=False, server_default=sa.text("0")),
        sa.Column("tracks", NS, nullable=False, server_default=sa.text("0")),
        sa.Column("events", NS, nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
    )
    op.create_index("ix_job_state", "job", ["state"])
    op.create_index("ix_job_digest", "job", ["digest"])
    op.create_index("ix_job_created_at_ns_id", "job", ["created_at_ns", "id"])
    op.create_index("ix_job_building_id_created_at_ns_id", "job", ["building_id", "created_at_ns", "id"])
    op.create_table(
        "job_file",
        sa.Column("job_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("upload_id", ID, nullable=True),
        sa.Column("size", NS, nullable=True),
        sa.Column("modified_ns", NS, nullable=True),
        sa.Column("sha256", SHA256, nullable=True),
        sa.Column("start_ns", NS, nullable=True),
        sa.Column("analysis", SHA256, nullable=True),
        sa.Column("duration_ns", NS, nullable=True),
        sa.Column("plan", sa.LargeBinary(), nullable=True),
        sa.Column("whole", sa.Text(), nullable=True),
        sa.Column("errors", sa.JSON(), nullable=True),
        sa.Column("report", sa.LargeBinary(), nullable=True),
        sa.Column("annotated", sa.String(80), nullable=True),
        sa.PrimaryKeyConstraint("job_id", "number", name="pk_job_file"),
    )
    op.create_index("ix_job_file_analysis", "job_file", ["analysis"])


def _chunks() -> None:
    op.create_table(
        "job_chunk",
        sa.Column("job_id", ID, nullable=False),
        sa.Column("file", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("start_ns", NS, nullable=False),
        sa.Column("end_ns", NS, nullable=False),
        sa.Column("at_ns", NS, nullable=False),
        sa.Column("samples", NS, nullable=False, server_default=sa.text("0")),
        sa.Column("faces", NS, nullable=False, server_default=sa.text("0")),
        *_held(),
        sa.Column("results", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("job_id", "file", "number", name="pk_job_chunk"),
    )
    op.create_index("ix_job_chunk_state_sent_at_ns", "job_chunk", ["state", "sent_at_ns"])
    op.create_index("ix_job_chunk_job_id_state_file_number", "job_chunk", ["job_id", "state", "file", "number"])


def _held() -> tuple[sa.Column[Any], ...]:
    zero = sa.text("0")
    return (
        sa.Column("token", NS, nullable=False, server_default=zero),
        sa.Column("owner", NAME, nullable=True),
        sa.Column("lease_until_ns", NS, nullable=False, server_default=zero),
        sa.Column("sent_at_ns", NS, nullable=False, server_default=zero),
        sa.Column("not_before_ns", NS, nullable=False, server_default=zero),
        sa.Column("tries", sa.Integer(), nullable=False, server_default=zero),
        sa.Column("delays", sa.Integer(), nullable=False, server_default=zero),
    )
