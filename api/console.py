"""The operator's console: its page and scripts, as they lie in `api/console`, and the scripts of others that set-up installs.

There is no build step: a browser loads modules by name, only those that a page needs. What has not changed is not sent
again; nothing comes from other hosts, and nothing runs that is not a file of these (see `POLICY`).
"""

import gzip
import re
import sys
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from api.headers import OWN_WEBCAM
from api.problems import ProblemError
from storage.errors import SetupError

FILES: Final = Path(__file__).parent / "console"
STATIC: Final = Path(__file__).parent / "static"
"""What other pages use, too."""

VENDOR: Final = Path(sys.prefix) / "share" / "maskwatch" / "console"
NEEDED: Final = ("preact.js", "hooks.js", "htm.js", "uplot.js", "uplot.css")

KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY: Final = (
    "default-src 'none'; script-src 'self'{also}; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
IMPORT_MAP: Final = re.compile(r'<script type="importmap">(.*?)</script>', re.DOTALL)
KEPT: Final = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}


def policy(page: str = "") -> str:
    """The content security policy of a page: its own files alone, and the list of names in it that modules may import."""
    hashes = [b64encode(sha256(found.encode()).digest()).decode() for found in IMPORT_MAP.findall(page)]
    return POLICY.format(also="".join(f" 'sha256-{one}'" for one in hashes))


class Page(NamedTuple):
    """A file as it is sent."""

    tag: str
    plain: bytes
    packed: bytes
    kind: str


class Shelf:
    """The files that may be asked for, each read and compressed once (again when it has changed)."""

    def __init__(self, files: Path = FILES, vendor: Path = VENDOR) -> None:
        self._files, self._vendor = files, vendor
        self._lock = Lock()
        self._kept: dict[str, tuple[tuple[int, int], Page]] = {}

    def names(self) -> Iterator[str]:
        """What there is, in the words of addresses."""
        for path in sorted(self._files.rglob("*")):
            if path.suffix in KINDS:
                yield path.relative_to(self._files).as_posix()
        yield from (f"vendor/{name}" for name in NEEDED)

    def page(self, name: str) -> Page:
        """A file.

        Raises:
            ProblemError: there is none of this name.
            SetupError: it is a script of others, and these are not installed.
        """
        if name not in set(self.names()):
            raise ProblemError(404, "not-found", "the console has no such file")
        path = self._vendor / name.removeprefix("vendor/") if name.startswith("vendor/") else self._files / name
        try:
            found = path.stat()
            with self._lock:
                seen, page = self._kept.get(name, (None, None))
                if page is None or seen != (found.st_mtime_ns, found.st_size):
                    page = _packed(path)
                    self._kept[name] = ((found.st_mtime_ns, found.st_size), page)
                return page
        except FileNotFoundError:
            raise SetupError(
                f"the console's script {path.name} is not installed: run `make setup`, then load this page again"
            ) from None

    def check(self) -> None:
        """See that the scripts of others are there.

        Raises:
            SetupError: they are not.
        """
        for name in NEEDED:
            self.page(f"vendor/{name}")


def attach(app: FastAPI, shelf: Shelf | None = None) -> None:
    """Add the console and its files."""
    files = shelf or Shelf()

    @app.get("/", include_in_schema=False)
    def get_console(request: Request) -> Response:
        try:
            files.check()
        except SetupError as error:
            return HTMLResponse(_missing(str(error)), status_code=503, headers={"Content-Security-Policy": policy()})
        return _answer(request, files.page("index.html"))

    @app.get("/console/{name:path}", include_in_schema=False)
    def get_file(request: Request, name: str) -> Response:
        return _answer(request, files.page(name))

    app.mount("/static", StaticFiles(directory=STATIC))


def _answer(request: Request, page: Page) -> Response:
    headers = {**KEPT, "ETag": page.tag}
    if page.kind.startswith("text/html"):
        headers["Content-Security-Policy"] = policy(page.plain.decode())
        headers |= OWN_WEBCAM
    if page.tag in [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    if any(one.strip().startswith("gzip") for one in request.headers.get("accept-encoding", "").split(",")):
        return Response(page.packed, media_type=page.kind, headers={**headers, "Content-Encoding": "gzip"})
    return Response(page.plain, media_type=page.kind, headers=headers)


def _packed(path: Path) -> Page:
    plain = path.read_bytes()
    return Page(
        f'"{sha256(plain).hexdigest()[:24]}"', plain, gzip.compress(plain, compresslevel=9, mtime=0), KINDS[path.suffix]
    )


def _missing(why: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Maskwatch</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="/static/icon.svg"><link rel="stylesheet" href="/static/page.css"></head>'
        f'<body><header><h1>Maskwatch</h1></header><main><p class="trouble">{escape(why)}.</p>'
        '<p>The API works all the same: <a href="/api/docs">its documentation</a>.</p></main></body></html>'
    )
