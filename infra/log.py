"""Logs: JSON lines with time, worker, level and event; what modules log through `logging` comes out the same way.

Workers write to their standard error. Under the supervisor that is their log file, in which whatever native libraries
write ends up, too; in a container it is the container's log. Passwords in addresses never get that far.
"""

import json
import logging
import os
import re
import shutil
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

APPENDING: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
"""How logs are opened: several processes write to one, and it may be cut while they do."""

LARGEST_BYTES: Final = 5 * 1024 * 1024
"""A log that has grown to this is moved aside, replacing the one before."""

LAST_BYTES: Final = 16_384
"""Looked through for the last complaint."""

_PASSWORD: Final = re.compile(r"([a-z][a-z0-9+.-]{0,20}://)([^\s/@:]*):\S*@", re.IGNORECASE)
# Up to the last @ of the word: a password may hold an unescaped one, and too much covered beats too little.
_SECRET_FIELD: Final = re.compile(r"([?&;](?:pass\w*|pwd|psw|token|secret|auth|api_?key)=)[^&;#\s]*", re.IGNORECASE)


def redacted(text: str) -> str:
    """The text with `***` for the passwords of addresses in it.

    >>> redacted("cannot open rtsp://user:secret@10.0.0.5/1?channel=2")
    'cannot open rtsp://user:***@10.0.0.5/1?channel=2'
    """
    return _SECRET_FIELD.sub(r"\1***", _PASSWORD.sub(r"\1\2:***@", text))


def log_to_stderr(worker: str) -> None:
    """Set up logging for the rest of this process: information and above, as JSON lines on standard error.

    Exceptions that nobody catches are logged as well.
    """
    _configure(sys.stderr, logging.INFO, [*_lines(worker)])

    def ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        structlog.get_logger("ended").critical("ended by an error", exc_info=(kind, error, trace))

    def thread_ended(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            ended(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook = ended
    threading.excepthook = thread_ended


def log_to_nowhere() -> None:
    """Keep what modules log off the terminal: a command tells a person what matters itself."""
    structlog.configure(
        processors=[_drop], logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=False
    )


def append_line(path: Path, worker: str, level: str, event: str, **facts: object) -> None:
    """Write one line to a log of one's own; where that is not possible (a full disk), none."""
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    entry = {"at": at, "level": level, "worker": worker, "event": event, **facts}
    line = _json({key: _covered(value) for key, value in entry.items()})
    with suppress(OSError), os.fdopen(os.open(path, APPENDING, 0o600), "a", encoding="utf-8") as log:
        log.write(f"{line}\n")


def turn_over(path: Path, largest_bytes: int = LARGEST_BYTES) -> None:
    """Move a log aside once it has grown: its content, since processes keep the file open (for appending).

    What is written in the instant between the last copy and the cut is lost. A full disk leaves the log as it is.
    """
    with suppress(OSError):
        if path.stat().st_size < largest_bytes:
            return
        kept = os.open(path.with_name(f"{path.name}.1"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(kept, "wb") as aside, path.open("rb+") as log:
            os.fchmod(kept, 0o600)
            shutil.copyfileobj(log, aside)
            aside.flush()
            log.truncate(0)


def last_complaint(path: Path, since: int = 0) -> str | None:
    """The last error in a log, in one line, from its last few kilobytes.

    Args:
        path: of the log.
        since: how long it was before; what it says up to there is old.
    """
    with suppress(OSError), path.open("rb") as log:
        size = path.stat().st_size
        log.seek(max(since if since <= size else 0, size - LAST_BYTES))
        # Never more: what stands there may be a device without end.
        for line in reversed(log.read(LAST_BYTES).decode("utf-8", "replace").splitlines()):
            with suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, dict) and entry.get("level") in {"error", "critical"}:
                    raised = str(entry.get("exception") or "").splitlines()[-1:]
                    return str(entry.get("reason") or (raised[0] if raised else entry.get("event")))
    return None


def _configure(stream: TextIO, level: int, lines: list[Processor]) -> None:
    # A log that can't be written (a full disk) is no reason to write about it there.
    logging.raiseExceptions = False
    logging.captureWarnings(True)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *lines],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _lines(worker: str) -> list[Processor]:
    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
        _ordered(worker),
        _without_secrets,
        structlog.processors.JSONRenderer(serializer=_json),
    ]


def _ordered(worker: str) -> Callable[[WrappedLogger, str, EventDict], EventDict]:
    def order(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {
            "at": event.pop("at"),
            "level": event.pop("level"),
            "worker": worker,
            "event": event.pop("event"),
            **event,
        }

    return order


def _without_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {key: _covered(value) for key, value in event.items()}


def _covered(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {redacted(str(key)): _covered(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_covered(inner) for inner in value]
    return value if isinstance(value, (int, float, type(None))) else redacted(str(value))


def _json(event: EventDict, **_: object) -> str:
    return json.dumps(event, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace").decode()


def _drop(_: WrappedLogger, __: str, ___: EventDict) -> EventDict:
    raise structlog.DropEvent
