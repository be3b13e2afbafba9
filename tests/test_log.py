"""Logs: one JSON object a line, no password in any, bounded in size."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.log import append_line, last_complaint, redacted, turn_over

SPEAKER = """
import logging, sys, threading, warnings
import structlog
from infra.log import log_to_stderr

early = structlog.get_logger("early")
log_to_stderr("detect-0")
early.info("opening %s", "rtsp://user:secret@10.0.0.5/1", nested={"urls": ["redis://:secret@host/0"]}, at_all=None)
logging.getLogger("library").warning("no answer from %s", "http://user:secret@host/?a=1&password=secret")
logging.getLogger("library").debug("too much")
warnings.warn("careful")
early.warning("not UTF-8: \\udcff", path=sys.argv)
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
raise ValueError("rtsp://user:secret@10.0.0.5/1")
"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://user:secret@10.0.0.5/1", "rtsp://user:***@10.0.0.5/1"),
        ("rtsp://user:se@cr/et@10.0.0.5/1", "rtsp://user:***@10.0.0.5/1"),
        (
            "redis://:secret@host and unix:///a.sock?password=secret",
            "redis://:***@host and unix:///a.sock?password=***",
        ),
        ("postgresql+psycopg://me:secret@db/mw", "postgresql+psycopg://me:***@db/mw"),
        ("http://cam/stream?user=admin&pwd=secret&channel=1", "http://cam/stream?user=admin&pwd=***&channel=1"),
        ("http://10.0.0.5:8000/a at 12:30", "http://10.0.0.5:8000/a at 12:30"),
        ("mail me@example.org", "mail me@example.org"),
    ],
)
def test_passwords_of_addresses_are_covered(text: str, shown: str) -> None:
    assert redacted(text) == shown


def test_whatever_is_logged_by_whatever_way_is_a_json_line_without_secrets() -> None:
    done = subprocess.run([sys.executable, "-c", SPEAKER], capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert "secret" not in done.stderr
    assert (done.returncode, done.stdout) == (1, "")
    assert all(list(line)[:4] == ["at", "level", "worker", "event"] for line in lines)
    assert [line["level"] for line in lines] == ["info", "warning", "warning", "warning", "critical", "critical"]
    assert lines[0]["event"] == "opening rtsp://user:***@10.0.0.5/1"
    assert lines[0]["nested"] == {"urls": ["redis://:***@host/0"]}
    assert "ZeroDivisionError" in lines[4]["exception"]
    assert lines[5]["exception"].endswith("ValueError: rtsp://user:***@10.0.0.5/1")


def test_a_log_is_moved_aside_while_it_is_written_to(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    (tmp_path / "a.log.1").touch(mode=0o644)
    append_line(path, "a", "info", "first", url="rtsp://a:secret@b")
    with path.open("a") as writer:
        turn_over(path, largest_bytes=10)
        writer.write("second\n")
    assert path.read_text() == "second\n"
    aside = json.loads((tmp_path / "a.log.1").read_text())
    assert (tmp_path / "a.log.1").stat().st_mode & 0o777 == 0o600
    assert (aside["event"], aside["url"]) == ("first", "rtsp://a:***@b")
    turn_over(path, largest_bytes=1000)
    assert path.read_text() == "second\n"


def test_the_last_complaint_is_found_among_whatever_else_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    assert last_complaint(path) is None
    append_line(path, "a", "error", "old")
    before = path.stat().st_size
    assert last_complaint(path, before) is None
    append_line(path, "a", "critical", "ended", reason="the model is missing")
    append_line(path, "a", "info", "later")
    with path.open("ab") as other:
        other.write(b'\xff\xfe chatter of a library\n"text"\n12\n')
    assert last_complaint(path, before) == "the model is missing"
    append_line(path, "a", "critical", "ended by an error", exception="Traceback\n  File\nValueError: no")
    assert last_complaint(path) == "ValueError: no"


def test_a_log_without_end_is_not_read_to_its_end() -> None:
    """It once took all memory there was."""
    assert last_complaint(Path("/dev/zero")) is None


def test_a_log_that_can_t_be_written_is_no_error(tmp_path: Path) -> None:
    for path in (Path("/dev/full"), tmp_path / "none" / "a.log", tmp_path):
        append_line(path, "a", "info", "unheard")
        turn_over(path)
