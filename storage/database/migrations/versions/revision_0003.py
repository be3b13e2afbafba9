"""Accounts, keys, an audit log that only grows, reviews with their history, spot checks, faces of events.

Revision: 0003
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.String(40)
DERIVED_ID = sa.String(64)
NAME = sa.String(200)
WORD = sa.String(20)
NS = sa.BigInteger

REASONS = ("too_small", "blurred", "turned_away", "occluded", "too_dark", "too_short", "disagreement")
ROLLUPS = {"minute_rollup": 60 * 10**9, "hour_rollup": 3600 * 10**9}


def upgrade() -> None:
    """Add columns and tables; totals of unknown passages by reason are counted from the tracks."""
    # In place: making these tables anew would take long where they are large.
    for table, column in _columns():
        op.add_column(table, column)
    for table in ROLLUPS:
        for reason in REASONS:
            op.add_column(table, sa.Column(reason, NS, nullable=False, server_default=sa.text("0")))
    _count_reasons()
    op.execute(sa.text("UPDATE event SET label = (SELECT label FROM track WHERE track.id = event.track_id)"))
    op.create_index("ix_event_label_started_ns_id", "event", ["label", "started_ns", "id"])
    pending = sa.text("verdict = 'pending'")
    op.create_index(
        "ix_event_pending",
        "event",
        ["started_ns", "id", "building_id"],
        sqlite_where=pending,
        postgresql_where=pending,
    )
    _reviews()
    _people()


def downgrade() -> None:
    """Take it all back; labels that people corrected stay as they are now."""
    for index in ("ix_event_pending", "ix_event_label_started_ns_id"):
        op.drop_index(index, "event")
    for table in ("idempotency", "audit", "api_key", "account_session", "account_link", "account"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_only_grows()")
    for table in ("spot_key", "spot_check", "review", "event_face"):
        op.drop_table(table)
    for table in ROLLUPS:
        for reason in REASONS:
            op.drop_column(table, reason)
    for table, column in reversed(_columns()):
        op.drop_column(table, column.name)


def _columns() -> list[tuple[str, sa.Column[Any]]]:
    return [
        ("building", sa.Column("spot_share", sa.Float, nullable=False, server_default=sa.text("0"))),
        *(("track", sa.Column(name, WORD)) for name in ("machine_label", "machine_reason", "ruling")),
        *(("event", sa.Column(name, WORD)) for name in ("machine_type", "label")),
        *((table, sa.Column("box", sa.JSON)) for table in ("snapshot", "candidate")),
        *((table, sa.Column("at_ns", NS)) for table in ("snapshot", "candidate")),
    ]


def _count_reasons() -> None:
    """Fill the new totals from the rows that the others were counted from."""
    for table, bucket_ns in ROLLUPS.items():
        for reason in REASONS:
            op.execute(
                sa.text(
                    f"UPDATE {table} SET {reason} = (SELECT count(*) FROM track WHERE track.camera_id = {table}.camera_id"  # noqa: S608 names of ours
                    f" AND track.building_id = {table}.building_id AND coalesce(track.zone_id, '') = {table}.zone_id"
                    f" AND track.started_ns >= {table}.start_ns AND track.started_ns < {table}.start_ns + {bucket_ns}"
                    f" AND track.counts AND track.counted AND NOT track.outside_hours AND track.label = 'unknown'"
                    f" AND track.unknown_reason = '{reason}') WHERE {table}.unknown > 0"
                )
            )


def _reviews() -> None:
    op.create_table(
        "event_face",
        sa.Column("event_id", DERIVED_ID, nullable=False),
        sa.Column("at_ns", NS, nullable=False),
        sa.Column("label", WORD, nullable=False),
        sa.Column("jpeg", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("event_id", "at_ns", name="pk_event_face"),
    )
    op.create_table(
        "review",
        sa.Column("event_id", DERIVED_ID, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("verdict", WORD, nullable=False),
        sa.Column("reason", WORD),
        sa.Column("label", WORD),
        sa.Column("note", sa.String(2000)),
        sa.Column("by_id", ID, nullable=False),
        sa.Column("by_name", NAME, nullable=False),
        sa.Column("at_ns", NS, nullable=False),
        sa.Column("undone_by", NAME),
        sa.Column("undone_at_ns", NS),
        sa.PrimaryKeyConstraint("event_id", "version", name="pk_review"),
    )
    op.create_table(
        "spot_check",
        sa.Column("track_id", DERIVED_ID, nullable=False),
        sa.Column("camera_id", ID, nullable=False),
        sa.Column("building_id", ID, nullable=False),
        sa.Column("zone_id", ID),
        sa.Column("started_ns", NS, nullable=False),
        sa.Column("expires_at_ns", NS, nullable=False),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("machine_label", WORD),
        sa.Column("machine_reason", WORD),
        sa.Column("jpeg", sa.LargeBinary),
        sa.Column("label", WORD),
        sa.Column("checked_by", NAME),
        sa.Column("checked_at_ns", NS),
        sa.PrimaryKeyConstraint("track_id", name="pk_spot_check"),
    )
    checked = sa.text("label IS NOT NULL")
    op.create_index(
        "ix_spot_check_checked",
        "spot_check",
        ["building_id", "started_ns"],
        sqlite_where=checked,
        postgresql_where=checked,
    )
    pictured = sa.text("jpeg IS NOT NULL")
    op.create_index(
        "ix_spot_check_pictured",
        "spot_check",
        ["expires_at_ns"],
        sqlite_where=pictured,
        postgresql_where=pictured,
    )
    op.create_table(
        "spot_key",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_spot_key"),
    )


def _people() -> None:
    op.create_table(
        "account",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("role", WORD, nullable=False),
        sa.Column("buildings", sa.JSON),
        sa.Column("password", NAME),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at_ns", NS, nullable=False),
        sa.Column("seen_at_ns", NS),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("name", name="uq_account_name"),
    )
    op.create_table(
        "account_link",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("expires_at_ns", NS, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_account_link"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_account_link_account_id", ondelete="CASCADE"),
    )
    op.create_table(
        "account_session",
        sa.Column("id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("created_at_ns", NS, nullable=False),
        sa.Column("expires_at_ns", NS, nullable=False),
        sa.Column("used_at_ns", NS, nullable=False),
        sa.Column("address", sa.String(64)),
        sa.Column("agent", NAME),
        sa.PrimaryKeyConstraint("id", name="pk_account_session"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name="fk_account_session_account_id", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "api_key",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("hint", WORD, nullable=False),
        sa.Column("role", WORD, nullable=False),
        sa.Column("buildings", sa.JSON),
        sa.Column("created_by", NAME, nullable=False),
        sa.Column("created_at_ns", NS, nullable=False),
        sa.Column("expires_at_ns", NS),
        sa.Column("used_at_ns", NS),
        sa.Column("revoked_at_ns", NS),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
        sa.UniqueConstraint("digest", name="uq_api_key_digest"),
    )
    _audit()
    op.create_table(
        "idempotency",
        sa.Column("caller_id", ID, nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("headers", sa.JSON, nullable=False),
        sa.Column("body", sa.LargeBinary),
        sa.Column("created_at_ns", NS, nullable=False),
        sa.PrimaryKeyConstraint("caller_id", "key", name="pk_idempotency"),
    )
    op.create_index("ix_idempotency_created_at_ns", "idempotency", ["created_at_ns"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", NS().with_variant(sa.Integer, "sqlite"), nullable=False, autoincrement=True),
        sa.Column("at_ns", NS, nullable=False),
        sa.Column("caller_id", ID, nullable=False),
        sa.Column("caller_name", NAME, nullable=False),
        sa.Column("caller_kind", WORD, nullable=False),
        sa.Column("address", sa.String(64)),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("object_type", WORD, nullable=False),
        sa.Column("object_id", NAME, nullable=False),
        sa.Column("building_id", ID),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    for name, columns in {
        "ix_audit_at_ns": ["at_ns"],
        "ix_audit_caller_id_id": ["caller_id", "id"],
        "ix_audit_object_type_object_id_id": ["object_type", "object_id", "id"],
        "ix_audit_building_id_id": ["building_id", "id"],
    }.items():
        op.create_index(name, "audit", columns)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the audit log only grows'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()"
        )
    else:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END"
            )
