"""Follows what the cameras of an ingest process show, and keeps what is known of their views over restarts."""

import hashlib
import threading
import time
from datetime import UTC, datetime
from typing import Final
from weakref import WeakValueDictionary

import numpy as np
import structlog
from numpy.typing import NDArray

from ingest.view import Drift, View
from storage.database.records import Camera
from storage.database.suitability import KeptView, Views
from storage.errors import StorageError
from storage.messages import NS_PER_S

SAVE_S: Final = 600.0
"""What is known of it is written down this often, at most."""

TURN_S: Final = 1.0
log = structlog.get_logger(__name__)


class Viewing:
    """One camera's view: shown by the thread that watches it, kept by the keeper's."""

    def __init__(self, camera: Camera, every_s: float) -> None:
        """Begin; nothing is looked at before it is `known` what was kept.

        Args:
            camera: whose.
            every_s: time between two looks.
        """
        self.camera_id = camera.id
        self.address = _address(camera)
        self._every_s = every_s
        self._due_s = 0.0
        self._view: View | None = None
        self._using = threading.Lock()
        self.saved_s: float | None = None
        """When it was last written down; None: it never was."""

    @property
    def known(self) -> bool:
        """Whether it has begun."""
        return self._view is not None

    def begin(self, kept: bytes | None) -> None:
        """Begin with what was kept, or anew."""
        with self._using:
            self._view = View(kept)

    def show(self, luma: NDArray[np.uint8], at_ns: int, now_s: float) -> None:
        """Take in a sample; most are passed over at once.

        Args:
            luma: (height, width) uint8.
            at_ns: its time.
            now_s: the present, on a clock that never runs backwards.
        """
        if now_s < self._due_s or self._view is None:
            return
        self._due_s = now_s + self._every_s
        with self._using:
            before = self._view.drifts
            self._view.look(luma, at_ns)
            after = self._view.drifts
        if after != before:
            log.warning("the view has changed", camera=self.camera_id, drifts=[drift.value for drift in after])

    def warnings(self) -> tuple[str, ...]:
        """What has become worse, a sentence each."""
        view = self._view
        if view is None:
            return ()
        with self._using:
            return tuple(_sentence(view, drift) for drift in view.drifts)

    def packed(self) -> bytes | None:
        """What is to be kept; None while too little is known."""
        with self._using:
            return self._view.packed() if self._view is not None and self._view.learnt else None


class ViewKeeper:
    """The views of a process, by camera, and a thread that reads and writes them: a database that hangs stops no camera."""

    def __init__(self, views: Views | None, every_s: float, save_s: float = SAVE_S) -> None:
        """Begin without any.

        Args:
            views: where they are kept; None: nowhere.
            every_s: time between two looks.
            save_s: time between two writings of the same view.
        """
        self._views, self._every_s, self._save_s = views, every_s, save_s
        # They end with the watches that use them.
        self._viewings: WeakValueDictionary[str, Viewing] = WeakValueDictionary()
        self._changing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._ask_s = 0.0

    def of(self, camera: Camera) -> Viewing:
        """A camera's; the same one for as long as it has the same address."""
        with self._changing:
            known = self._viewings.get(camera.id)
            if known is None or known.address != _address(camera):
                known = self._viewings[camera.id] = Viewing(camera, self._every_s)
                if self._views is None:
                    known.begin(None)
            if self._thread is None and self._views is not None:
                self._thread = threading.Thread(target=self._run, name="views", daemon=True)
                self._thread.start()
            return known

    def close(self) -> None:
        """End the thread, without waiting for a database."""
        self._stop.set()

    def _run(self) -> None:
        trouble: str | None = None
        while not self._stop.is_set():
            try:
                self._turn(time.monotonic())
                trouble = None
            except StorageError as error:
                if str(error) != trouble:
                    log.warning("views are not kept", error=str(error))
                trouble = str(error)
            self._stop.wait(min(TURN_S, self._every_s))

    def _turn(self, now_s: float) -> None:
        views = self._views
        if views is None:
            return
        with self._changing:
            viewings = list(self._viewings.values())
        if new := [viewing for viewing in viewings if not viewing.known]:
            kept = views.load([viewing.camera_id for viewing in new])
            for viewing in new:
                found = kept.get(viewing.camera_id)
                same = found is not None and found.address == viewing.address
                viewing.saved_s = now_s if same else None
                viewing.begin(found.reference if found is not None and same else None)
        if now_s >= self._ask_s:
            self._ask_s = now_s + self._every_s
            self._ask(views, [viewing for viewing in viewings if viewing.saved_s is not None])
        for viewing in viewings:
            self._keep(views, viewing, now_s)

    def _ask(self, views: Views, viewings: list[Viewing]) -> None:
        there = views.known([viewing.camera_id for viewing in viewings]) if viewings else set()
        for viewing in viewings:
            if viewing.camera_id not in there:
                self._forget(viewing)

    def _keep(self, views: Views, viewing: Viewing, now_s: float) -> None:
        if viewing.saved_s is not None and now_s - viewing.saved_s < self._save_s:
            return
        reference = viewing.packed()
        if reference is None:
            return
        view, now_ns = KeptView(viewing.camera_id, viewing.address, reference), time.time_ns()
        if viewing.saved_s is None:
            views.add(view, now_ns)
        elif not views.replace(view, now_ns):
            self._forget(viewing)
            return
        viewing.saved_s = now_s

    @staticmethod
    def _forget(viewing: Viewing) -> None:
        log.info("the view is learnt anew", camera=viewing.camera_id)
        viewing.saved_s = None
        viewing.begin(None)


def _address(camera: Camera) -> str:
    """Tells one address from another without giving it away; its password does not count."""
    return hashlib.sha256(camera.shown_url.encode()).hexdigest()[:32]


def _sentence(view: View, drift: Drift) -> str:
    since = datetime.fromtimestamp(view.since_ns(drift) / NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if drift is Drift.DIRTY:
        return f"dirty: the picture has lost its fine structures since {since}: clean the lens, and see that it is in focus"
    if drift is Drift.DARK:
        return f"dark: there has been too little light to judge faces since {since}: see to the light"
    by = _by(view.shift)
    what = f"the picture has moved by {by}" if by else "the camera shows another view than before"
    return f"moved: {what}, since {since}: turn the camera back, or draw its regions anew and accept the new view"


def _by(shift: tuple[float, float]) -> str:
    """A shift in words; empty where it is none."""
    across, down = (round(100 * part) for part in shift)
    parts = [
        f"{abs(across)} % of its width to the {'right' if across > 0 else 'left'}" if across else "",
        f"{abs(down)} % of its height {'down' if down > 0 else 'up'}" if down else "",
    ]
    return " and ".join(part for part in parts if part)
