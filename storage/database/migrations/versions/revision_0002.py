"""Cameras with all that can be set about them, secrets encrypted, credentials that cameras share, hours of a policy.

Revision: 0002
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NAME = sa.String(200)
SEALED = "enc1:"


def upgrade() -> None:
    """Add columns and a table; addresses become longer when they are encrypted, which the program does at its start."""
    op.create_table(
        "credential",
        sa.Column("name", NAME, nullable=False),
        sa.Column("user", NAME, nullable=False),
        sa.Column("password", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at_ns", sa.BigInteger, nullable=False),
        sa.Column("changed_at_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_credential"),
    )
    with op.batch_alter_table("camera") as camera:
        camera.alter_column("url", type_=sa.Text, existing_type=sa.String(2048), existing_nullable=False)
        camera.alter_column("substream_url", type_=sa.Text, existing_type=sa.String(2048), existing_nullable=True)
        camera.add_column(sa.Column("thresholds", sa.JSON, nullable=False, server_default="{}"))
        camera.add_column(sa.Column("transport", sa.String(20), nullable=False, server_default="tcp"))
        camera.add_column(sa.Column("credential", NAME))
    with op.batch_alter_table("camera") as camera:
        camera.alter_column("thresholds", server_default=None, existing_type=sa.JSON, existing_nullable=False)
        camera.alter_column("transport", server_default=None, existing_type=sa.String(20), existing_nullable=False)
    op.create_table(
        "camera_hour",
        sa.Column("camera_id", sa.String(40), nullable=False),
        sa.Column("start_ns", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("tally", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("camera_id", "start_ns", name="pk_camera_hour"),
    )
    op.create_index("ix_camera_hour_start_ns", "camera_hour", ["start_ns"])
    op.create_table(
        "camera_view",
        sa.Column("camera_id", sa.String(40), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("reference", sa.LargeBinary, nullable=False),
        sa.Column("saved_at_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("camera_id", name="pk_camera_view"),
    )
    op.add_column("track", sa.Column("outside_hours", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Take away what an earlier version can't read: encrypted addresses keep `***` for their passwords, policies no hours.

    The passwords have to be given again, also those of credentials. Tracks that began outside the hours go, since they
    would be ordinary ones there; how many there were stays in the totals.
    """
    track = sa.table("track", sa.column("id"), sa.column("outside_hours", sa.Boolean))
    path = sa.table("track_path", sa.column("track_id"))
    outside = sa.select(track.c.id).where(track.c.outside_hours)
    op.execute(sa.delete(path).where(path.c.track_id.in_(outside)))
    op.execute(sa.delete(track).where(track.c.outside_hours))
    op.drop_table("camera_view")
    op.drop_index("ix_camera_hour_start_ns", table_name="camera_hour")
    op.drop_table("camera_hour")
    op.drop_column("track", "outside_hours")
    connection = op.get_bind()
    camera = sa.table(
        "camera", sa.column("id"), sa.column("url"), sa.column("substream_url"), sa.column("policy", sa.JSON)
    )
    building = sa.table("building", sa.column("id"), sa.column("policy", sa.JSON))
    for row in connection.execute(sa.select(camera)).all():
        values: dict[str, Any] = {
            "url": _shown(row.url),
            "substream_url": None if row.substream_url is None else _shown(row.substream_url),
            "policy": _without_hours(row.policy),
        }
        connection.execute(sa.update(camera).where(camera.c.id == row.id).values(values))
    for row in connection.execute(sa.select(building)).all():
        values = {"policy": _without_hours(row.policy)}
        connection.execute(sa.update(building).where(building.c.id == row.id).values(values))
    with op.batch_alter_table("camera") as altered:
        for name in ("credential", "transport", "thresholds"):
            altered.drop_column(name)
        altered.alter_column("substream_url", type_=sa.String(2048), existing_type=sa.Text, existing_nullable=True)
        altered.alter_column("url", type_=sa.String(2048), existing_type=sa.Text, existing_nullable=False)
    op.drop_table("credential")


def _shown(url: str) -> str:
    """What stands behind the encrypted address: the same as it may be shown."""
    return url.partition(" ")[2] if url.startswith(SEALED) else url


def _without_hours(policy: Any) -> Any:
    found = json.loads(policy) if isinstance(policy, str) else policy
    return {**found, "hours": None}
