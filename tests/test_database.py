"""The database: made once, migrated both ways, and calm about everything that can be wrong with it."""

import json
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    JSON,
    Boolean,
    Connection,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    inspect,
    text,
)
from sqlalchemy.exc import OperationalError

from storage.database.changes import BuildingChanges, CameraChanges
from storage.database.engine import (
    HEAD,
    MIGRATION_LOCK,
    REVISIONS,
    alembic_config,
    migrate,
    open_engine,
    reading,
    revision,
    sqlite_url,
    writing,
)
from storage.database.failures import translate
from storage.database.models import Base
from storage.database.records import Policy, Thresholds
from storage.database.sites import Sites
from storage.errors import MaskwatchError, SetupError, StorageError, UsageError
from storage.hours import Hours
from storage.secrets import Secrets
from tests.postgres import Postgres, database_fixture, postgres_fixture  # noqa: F401

NewDatabase = Callable[[], str]

GIVEN_UP_S = 5.5 if os.environ.get("MASKWATCH_PROOF") else 30.0

ADDRESS = "rtsp://user:secret@10.0.0.5/1"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "maskwatch.sqlite3")
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.new()


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def fill_first_version(engine: Engine) -> None:
    """A building, two cameras and a track in the tables of revision 0001."""
    policy = {"labels": ["without_mask", "incorrect_mask"], "dwell_s": 2.0, "hours": None}
    with writing(engine) as connection:
        command.upgrade(alembic_config(connection), "0001")
        tables = MetaData()
        tables.reflect(connection)
        connection.execute(
            tables.tables["building"]
            .insert()
            .values(id="b1", name="North", timezone="UTC", retention_days=30, policy=policy, version=1, created_at_ns=1)
        )
        for number, (name, url) in enumerate((("Door", ADDRESS), ("Gate", "rtsp://10.0.0.6/1")), 1):
            connection.execute(
                tables.tables["camera"]
                .insert()
                .values(
                    id=f"c{number}", name=name, building_id="b1", url=url, enabled=True, counts=True, analyze_fps=5.0
                )
                .values(min_face_px=24, regions=[], policy=policy, version=3, created_at_ns=number, epoch=7)
            )
        connection.execute(
            tables.tables["track"]
            .insert()
            .values(id="c1-t1", camera_id="c1", number=1, building_id="b1", started_ns=1, ended_ns=2, faces=3)
            .values(label="with_mask", confidence=0.9, counts=True, counted=True, closed=True)
        )


def stored_addresses(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT url FROM camera ORDER BY id")).scalars())


def test_the_revisions_make_exactly_the_tables_of_the_models(database: Engine) -> None:
    with reading(database) as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": database.dialect.name != "sqlite"}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_migrations_go_up_and_down_and_up_again(empty: str) -> None:
    engine = open_engine(empty)
    assert revision(engine) is None
    migrate(engine)
    assert revision(engine) == HEAD
    with writing(engine) as connection:
        assert tables(connection) == set(Base.metadata.tables)
        command.downgrade(alembic_config(connection), "base")
        assert tables(connection) == set()
    migrate(engine)
    migrate(engine)
    with reading(engine) as connection:
        assert tables(connection) == set(Base.metadata.tables)
    engine.dispose()


def test_what_the_first_version_wrote_is_kept_by_the_next(empty: str, tmp_path: Path) -> None:
    engine = open_engine(empty)
    fill_first_version(engine)
    migrate(engine)
    sites = Sites(engine, secrets=Secrets(tmp_path / "secret.key"))
    first, second = sites.cameras()
    assert (first.id, first.name, first.url, first.version, first.epoch) == ("c1", "Door", ADDRESS, 3, 7)
    assert (first.thresholds, first.transport, first.credential, first.trouble) == (Thresholds(), "tcp", None, None)
    assert (first.policy, first.regions, second.url) == (Policy(dwell_s=2.0), (), "rtsp://10.0.0.6/1")
    with reading(engine) as connection:
        assert not connection.execute(text("SELECT outside_hours FROM track")).scalar_one()
        assert stored_addresses(connection) == [ADDRESS, "rtsp://10.0.0.6/1"]
    assert sites.seal() == 1
    with reading(engine) as connection:
        assert stored_addresses(connection)[0].startswith("enc1:")
    assert sites.camera("c1") == first
    with pytest.raises(StorageError, match=r"(?i)unique"), writing(engine) as connection:
        connection.execute(text("UPDATE camera SET name = 'Door'"))
    engine.dispose()


def test_the_way_back_keeps_all_but_what_the_first_version_cannot_read(empty: str, tmp_path: Path) -> None:
    engine = open_engine(empty)
    fill_first_version(engine)
    migrate(engine)
    sites = Sites(engine, secrets=Secrets(tmp_path / "secret.key"))
    sites.seal()
    sites.add_credential("lobby", "viewer", "secret")
    hours = Policy(dwell_s=4.0, hours=(Hours(("mon",), "08:00", "18:00"),))
    sites.change_building("b1", BuildingChanges(policy=hours))
    sites.change_camera("c2", CameraChanges(credential="lobby", policy=hours, transport="udp"))
    with writing(engine) as connection:
        outside = MetaData()
        outside.reflect(connection, only=("track", "track_path"))
        connection.execute(
            outside.tables["track"]
            .insert()
            .values(id="c1-t2", camera_id="c1", number=2, building_id="b1", started_ns=5, ended_ns=6, faces=3)
            .values(label="with_mask", confidence=0.9, counts=True, counted=True, closed=True, outside_hours=True)
        )
        for track in ("c1-t1", "c1-t2"):
            connection.execute(outside.tables["track_path"].insert().values(track_id=track, part=0, boxes=b""))
        command.downgrade(alembic_config(connection), "0001")
    with reading(engine) as connection:
        assert stored_addresses(connection) == ["rtsp://user:***@10.0.0.5/1", "rtsp://10.0.0.6/1"]
        policies = connection.execute(text("SELECT policy FROM building UNION ALL SELECT policy FROM camera")).scalars()
        found = [json.loads(policy) if isinstance(policy, str) else policy for policy in policies]
        assert [(policy["hours"], policy["dwell_s"]) for policy in found] == [(None, 4.0), (None, 2.0), (None, 4.0)]
        assert "credential" not in tables(connection)
        assert not {"credential", "transport", "thresholds"} & {
            column["name"] for column in inspect(connection).get_columns("camera")
        }
        # One that began outside the hours would be an ordinary one there.
        assert connection.execute(text("SELECT id FROM track")).scalars().all() == ["c1-t1"]
        assert connection.execute(text("SELECT track_id FROM track_path")).scalars().all() == ["c1-t1"]
    migrate(engine)
    assert [camera.name for camera in sites.cameras()] == ["Door", "Gate"]
    engine.dispose()


SECOND = "0002"
THIRD = "0003"
"""The revision before accounts, reviews, spot checks and the audit log."""


def a_row(table: Table) -> dict[str, Any]:
    """A row with something in every column."""
    values: dict[str, Any] = {"account_id": "id 1"}
    for column in table.columns:
        kinds: tuple[tuple[type[Any], Any], ...] = (
            (JSON, ["b1"]),
            (LargeBinary, b"\xff\x00"),
            (Boolean, True),
            (Float, 0.25),
            (Integer, 1),
            (String, f"{column.name} 1"[: getattr(column.type, "length", None) or 10]),
        )
        values.setdefault(column.name, next(value for kind, value in kinds if isinstance(column.type, kind)))
    return {name: value for name, value in values.items() if name in table.columns}


def test_new_tables_go_up_and_down_and_up_again_with_what_is_in_them(empty: str) -> None:
    engine = open_engine(empty)
    with writing(engine) as connection:
        command.upgrade(alembic_config(connection), SECOND)
        before = tables(connection)
    migrate(engine)
    new = [table for table in Base.metadata.sorted_tables if table.name not in before]
    assert {table.name for table in new} >= {
        "account", "account_link", "account_session", "api_key", "audit", "event_face", "idempotency", "review",
        "spot_check", "spot_key",
    }  # fmt: skip
    for _ in range(2):
        with writing(engine) as connection:
            for table in new:
                connection.execute(table.insert().values(a_row(table)))
        with reading(engine) as connection:
            for table in new:
                [row] = connection.execute(table.select()).mappings()
                assert dict(row) == a_row(table)
        refuses_changes(engine)
        with writing(engine) as connection:
            command.downgrade(alembic_config(connection), SECOND)
            assert tables(connection) == before
        migrate(engine)
    with reading(engine) as connection:
        # What was in them went with them: earlier versions know nothing of it.
        for table in new:
            assert connection.execute(table.select()).all() == []
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def refuses_changes(engine: Engine) -> None:
    """See that the audit log only grows, whoever asks it to do otherwise."""
    changes = ["UPDATE audit SET caller_name = 'nobody'", "DELETE FROM audit", "DELETE FROM audit WHERE id = 1"]
    if engine.dialect.name == "postgresql":
        changes.append("TRUNCATE audit")
    for change in changes:
        with pytest.raises(StorageError, match="audit"), writing(engine) as connection:
            connection.execute(text(change))
    with reading(engine) as connection:
        assert connection.execute(text("SELECT caller_name FROM audit")).scalars().all() == ["caller_name 1"]


def test_what_the_second_version_wrote_is_kept_and_counted(empty: str) -> None:
    engine = open_engine(empty)
    with writing(engine) as connection:
        command.upgrade(alembic_config(connection), SECOND)
        old = MetaData()
        old.reflect(connection)
        for name in ("building", "zone", "camera", "track", "event", "snapshot", "candidate"):
            connection.execute(old.tables[name].insert().values(second(old.tables[name])))
        rollup = second(old.tables["hour_rollup"]) | {"start_ns": 0, "unknown": 1}
        connection.execute(old.tables["hour_rollup"].insert().values(rollup))
    migrate(engine)
    with reading(engine) as connection:
        building, track, event = (
            connection.execute(text(f"SELECT * FROM {name}")).mappings().one()  # noqa: S608 names of ours
            for name in ("building", "track", "event")
        )
        assert building["spot_share"] == 0
        assert (track["label"], track["machine_label"], track["ruling"]) == ("unknown", None, None)
        assert (event["machine_type"], event["label"]) == (None, "unknown")
        assert connection.execute(text("SELECT unknown, blurred, too_small FROM hour_rollup")).one() == (1, 1, 0)
        assert connection.execute(text("SELECT count(*) FROM snapshot")).scalar_one() == 1
    with writing(engine) as connection:
        command.downgrade(alembic_config(connection), SECOND)
        assert connection.execute(text("SELECT label, unknown_reason FROM track")).one() == ("unknown", "blurred")
        again = MetaData()
        again.reflect(connection)
        assert {name: set(table.columns.keys()) for name, table in again.tables.items()} == {
            name: set(table.columns.keys()) for name, table in old.tables.items()
        }
    migrate(engine)
    with reading(engine) as connection:
        assert connection.execute(text("SELECT unknown, blurred FROM hour_rollup")).one() == (1, 1)
    engine.dispose()


def test_what_jobs_found_goes_with_their_tables(empty: str) -> None:
    engine = open_engine(empty)
    migrate(engine)
    with writing(engine) as connection:
        for name, job in (("live", None), ("recorded", "j-1")):
            own = {"id": name, "name": name, "event_id": name, "job_id": job, "obsolete": False}
            for table in map(Base.metadata.tables.__getitem__, ("track", "event", "snapshot")):
                row = a_row(table) | {column: value for column, value in own.items() if column in table.columns}
                connection.execute(table.insert().values(row))
        command.downgrade(alembic_config(connection), THIRD)
        for query in ("SELECT id FROM track", "SELECT id FROM event", "SELECT name FROM snapshot WHERE NOT obsolete"):
            assert connection.execute(text(query)).scalar_one() == "live"
    engine.dispose()


def test_a_migration_takes_as_long_as_it_takes(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, limits = open_engine(postgres.new()), []

    def upgrade(config: Config, _: str) -> None:
        limits.append(config.attributes["connection"].execute(text("SHOW statement_timeout")).scalar_one())

    monkeypatch.setattr(command, "upgrade", upgrade)
    migrate(engine)
    with reading(engine) as connection:
        limits.append(connection.execute(text("SHOW statement_timeout")).scalar_one())
    assert limits == ["0", "30s"]
    engine.dispose()


def second(table: Table) -> dict[str, Any]:
    """A row as the second version wrote it, of an unknown passage in zone `z1`."""
    said = {
        "id": f"{table.name} 1", "building_id": "building 1", "zone_id": "zone 1", "camera_id": "camera 1",
        "track_id": "track 1",
        "label": "unknown", "unknown_reason": "blurred", "outside_hours": False, "credential": None, "job_id": None,
        "policy": {}, "regions": [], "thresholds": {},
    }  # fmt: skip
    known = {column.name for column in table.columns if not (column.name == "outside_hours" and table.name != "track")}
    return a_row(table) | {name: value for name, value in said.items() if name in known}


def test_the_program_knows_all_revisions_and_their_order(database: Engine) -> None:
    with reading(database) as connection:
        scripts = ScriptDirectory.from_config(alembic_config(connection))
    assert tuple(script.revision for script in reversed(list(scripts.walk_revisions()))) == REVISIONS


def test_a_migration_that_fails_half_way_leaves_nothing(empty: str) -> None:
    engine = open_engine(empty)
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE event (id INTEGER)"))
    with pytest.raises(StorageError, match="already exists"):
        migrate(engine)
    with reading(engine) as connection:
        assert tables(connection) == {"event"}
    engine.dispose()


@pytest.mark.parametrize("newer", ["9999", "beef"])
def test_a_database_of_a_newer_version_is_refused(database: Engine, newer: str) -> None:
    with writing(database) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :newer"), {"newer": newer})
    with pytest.raises(SetupError, match=r"written by a newer version of Maskwatch \(revision .*install"):
        migrate(database)


def test_processes_that_migrate_at_once_all_succeed(empty: str) -> None:
    program = f"from storage.database.engine import *; engine = open_engine({empty!r}); input(); migrate(engine)"
    workers = [
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(b"\n")
        worker.stdin.flush()
    ends = [(worker.communicate(timeout=180)[1].decode(), worker.returncode) for worker in workers]
    assert ends == [("", 0)] * 3
    engine = open_engine(empty)
    assert revision(engine) == HEAD
    engine.dispose()


def test_another_that_migrates_is_waited_for_longer_than_any_writer(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.database.engine.BUSY_S", 0.1)
    slow, engine = open_engine(empty), open_engine(empty)
    with ThreadPoolExecutor(1) as pool:
        with writing(slow) as connection:
            if slow.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            waiting = pool.submit(migrate, engine)
            assert wait([waiting], 0.5).not_done == {waiting}
        waiting.result(60)
    assert revision(engine) == HEAD
    for each in (slow, engine):
        each.dispose()


def test_only_its_owner_may_read_a_sqlite_file(tmp_path: Path) -> None:
    path = tmp_path / "maskwatch.sqlite3"
    engine = open_engine(sqlite_url(path))
    migrate(engine)
    with writing(engine) as connection:
        connection.execute(text("DELETE FROM track"))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    engine.dispose()
    assert modes == dict.fromkeys([path.name, f"{path.name}-wal", f"{path.name}-shm"], 0o600)


def test_sqlite_writes_ahead_waits_for_others_and_wipes_what_is_deleted(tmp_path: Path) -> None:
    engine = open_engine(sqlite_url(tmp_path / "x.sqlite3"))
    with reading(engine) as connection:
        found = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "secure_delete")
        }
    engine.dispose()
    assert found == {
        "journal_mode": "wal",
        "synchronous": 1,
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "secure_delete": 1,
    }


def test_a_reader_sees_one_moment_and_no_writer_waits_for_it(database: Engine) -> None:
    count, add = (
        text("SELECT COUNT(*) FROM candidate"),
        text("INSERT INTO candidate (camera_id, number, jpeg) VALUES ('c1', :number, '')"),
    )
    if database.dialect.name == "postgresql":
        add = text("INSERT INTO candidate (camera_id, number, jpeg) VALUES ('c1', :number, ''::bytea)")
    with reading(database) as reader:
        assert reader.execute(count).scalar_one() == 0
        with writing(database) as writer:
            writer.execute(add, {"number": 1})
        assert reader.execute(count).scalar_one() == 0
    with reading(database) as reader:
        assert reader.execute(count).scalar_one() == 1


def test_what_fails_inside_a_transaction_undoes_all_of_it(database: Engine) -> None:
    def work() -> None:
        with writing(database) as connection:
            connection.execute(text("INSERT INTO zone VALUES ('z1', 'nowhere', 'Hall')"))

    with pytest.raises(StorageError, match=r"(?i)foreign key"):
        work()
    with reading(database) as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM zone")).scalar_one() == 0


def told(attempt: Callable[[], object]) -> str:
    """The one sentence that an attempt fails with."""
    with pytest.raises(MaskwatchError) as error:
        attempt()
    message = str(error.value)
    assert "\n" not in message
    return message


def test_a_sqlite_file_in_a_missing_folder(tmp_path: Path) -> None:
    assert "No such file or directory" in told(lambda: open_engine(sqlite_url(tmp_path / "no" / "x.sqlite3")))


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    path.write_bytes(b"some text, no database. " * 100)
    engine = open_engine(sqlite_url(path))
    assert f"the database {path} is not a database: move the file away" in told(lambda: migrate(engine))
    engine.dispose()
    assert path.read_bytes().startswith(b"some text")


def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    engine = open_engine(sqlite_url(path))
    migrate(engine)
    engine.dispose()
    data = bytearray(path.read_bytes())
    data[100:] = os.urandom(len(data) - 100)
    path.write_bytes(data)
    assert "is damaged: restore a backup" in told(lambda: migrate(engine))
    engine.dispose()


def test_a_locked_file_is_waited_for_and_then_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.database.engine.BUSY_S", 0.2)
    path = tmp_path / "x.sqlite3"
    engine = open_engine(sqlite_url(path))
    migrate(engine)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    def write() -> None:
        with writing(engine):
            pytest.fail("must not get here")

    assert "was in use by another process" in told(write)
    other.execute("ROLLBACK")
    other.close()
    with writing(engine) as connection:
        connection.execute(text("DELETE FROM track"))
    engine.dispose()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_file_without_write_permission(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    path.touch(mode=0o400)
    engine = open_engine(sqlite_url(path))
    assert "make the file and its folder writable" in told(lambda: migrate(engine))
    engine.dispose()


@pytest.mark.parametrize("url", ["", "sqlite://", "sqlite:///:memory:", "mysql://u:secret@host/x", "nonsense"])
def test_other_addresses_are_refused_and_passwords_not_repeated(url: str) -> None:
    with pytest.raises(UsageError, match="MASKWATCH_DATABASE_URL") as error:
        migrate(open_engine(url))
    assert "secret" not in str(error.value)


def test_a_postgresql_that_refuses_is_named_without_its_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    engine = open_engine(f"postgresql://maskwatch:secret@127.0.0.1:{port}/facts")
    message = told(lambda: migrate(engine))
    assert f"127.0.0.1:{port}/facts can't be reached: check MASKWATCH_DATABASE_URL" in message
    assert "secret" not in message


def test_a_postgresql_that_does_not_answer_is_given_up_within_5_s() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        engine = open_engine(f"postgresql://maskwatch:secret@127.0.0.1:{server.getsockname()[1]}/facts")
        started_s = time.monotonic()
        message = told(lambda: migrate(engine))
    assert time.monotonic() - started_s < GIVEN_UP_S
    assert "can't be reached" in message
    assert "secret" not in message


@pytest.mark.parametrize(("user", "name"), [("nobody", "postgres"), ("postgres", "nothing")])
def test_a_postgresql_that_is_not_set_up(postgres: Postgres, user: str, name: str) -> None:
    engine = open_engine(f"postgresql://{user}@/{name}?host={postgres.folder}")
    assert "is not set up: create user and database" in told(lambda: migrate(engine))


def test_a_database_without_tables_says_what_makes_them(empty: str) -> None:
    engine = open_engine(empty)

    def read() -> None:
        with reading(engine) as connection:
            connection.execute(text("SELECT * FROM track"))

    assert "has no tables yet" in told(read)
    engine.dispose()


def test_a_connection_that_the_server_ended_is_replaced(postgres: Postgres) -> None:
    engine = open_engine(postgres.url("migrated"))
    with reading(engine) as connection:
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    postgres.run(f"SELECT pg_terminate_backend({backend}, 5000)")
    with reading(engine) as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    engine.dispose()


def test_a_password_in_the_query_is_not_shown() -> None:
    engine = open_engine("postgresql://db/mw?user=me&password=s3cret&sslpassword=s3cret2")
    told = str(translate(engine, OperationalError("", {}, Exception("connection failed: s3cret, s3cret2"))))
    assert "user=me" in told
    assert "s3cret" not in told
    with pytest.raises(UsageError) as error:
        open_engine("mysql://db/mw?password=s3cret")
    assert "s3cret" not in str(error.value)


def test_opening_a_file_anew_leaves_the_locks_on_it(tmp_path: Path) -> None:
    # POSIX: to close a file drops all locks that the process has on it, by whatever opening.
    path = tmp_path / "maskwatch.sqlite3"
    engine = open_engine(sqlite_url(path))
    migrate(engine)
    other = f"import sqlite3; sqlite3.connect({str(path)!r}, timeout=0).execute('BEGIN IMMEDIATE')"
    with writing(engine):
        open_engine(sqlite_url(path)).dispose()
        done = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=False, timeout=60)
    assert "database is locked" in done.stderr
    engine.dispose()
