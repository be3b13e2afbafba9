"""Which frame store a picture goes into, and who can see it there: shared memory where all see it, else Redis.

A reference names its store. Each worker says in its heartbeat which store in shared memory it sees, by a word that
nobody comes to who does not map the same memory. While every living worker that needs pixels sees the store of whoever
puts them, they go there; from a second after one joins who doesn't, into Redis. What was put before is still on its way
then: who can't see it hands it back (`storage.shift`), and who can't release it asks those who can.
"""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from storage.bus import Bus, BusError
from storage.closing import Closing
from storage.errors import SetupError
from storage.framefile import read_head
from storage.frames import FrameGoneError, FrameStore
from storage.gone_stores import GoneStores
from storage.messages import FrameRef
from storage.remote_frames import RemoteFrames

DECIDE_S: Final = 1.0
"""Where pictures go is decided anew this often."""

AWAY_S: Final = 5.0
"""A Redis that did not answer is asked again after this long: to find out takes as long."""

SEEING: Final = ("detect", "classify", "aggregate")
"""Roles that look at pictures; a worker's name begins with its role."""

Kind = Literal["auto", "shared", "redis"]

log = structlog.get_logger(__name__)


class Frames(Protocol):
    """What the rooms know of a frame store; see `storage.frames.FrameStore`."""

    def fits(self, height: int, width: int) -> bool:
        """Whether a frame of this size would fit into the empty store."""
        ...

    def put(self, rgb: NDArray[np.uint8], *, live: bool) -> FrameRef | None:
        """Keep a (height, width, 3) uint8 picture; None when there is no room now."""
        ...

    def sent(self, ref: FrameRef) -> None:
        """Declare that the message that names it is on the bus."""
        ...

    def sees(self, ref: FrameRef) -> bool:
        """Whether this process can look at pictures of that store at all."""
        ...

    def gone(self, ref: FrameRef) -> bool:
        """Whether nobody can look at pictures of that store any more; may raise BusError."""
        ...

    def view(self, ref: FrameRef) -> NDArray[np.uint8]:
        """The picture: read-only (height, width, 3) uint8; raises FrameGoneError."""
        ...

    def holds(self, ref: FrameRef) -> bool:
        """Whether exactly this picture is held."""
        ...

    def release(self, refs: Iterable[FrameRef]) -> None:
        """Give room back."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class FrameAccess(Closing):
    """Both stores behind one; safe for threads.

    >>> with FrameAccess(bus, Path("/dev/shm/maskwatch-0/frames"), 160) as frames:  # doctest: +SKIP
    ...     ref = frames.put(picture, live=True)
    """

    def __init__(self, bus: Bus, path: Path | None, size_mib: int, kind: Kind = "auto") -> None:
        """Open what there is.

        Args:
            bus: pictures in Redis go its way.
            path: of the store in shared memory, which may be made, or made anew, later; None: there will be none.
            size_mib: room for pixels in Redis.
            kind: where pictures go; `auto` decides by who is there.

        Raises:
            SetupError: `shared` is asked for, and there is no store.
        """
        self._bus, self._kind = bus, kind
        self._path = None if kind == "redis" else path
        self._remote: RemoteFrames = bus.remote_frames(size_mib)
        self._shared: FrameStore | None = None
        self._before: FrameStore | None = None
        self._requests = bus.release_requests()
        self._chosen_shared = True
        self._decide_s = 0.0
        self._turn, self._opening = threading.Lock(), threading.Lock()
        self._gone = GoneStores(bus)
        if kind == "shared" and path is not None:
            self._shared = FrameStore(path)
        self._open_newest()

    @property
    def store(self) -> str:
        """The word for the store in shared memory that this process sees now; empty: none."""
        self._open_newest()
        shared = self._shared
        return "" if shared is None else shared.identity

    def fits(self, height: int, width: int) -> bool:
        shared = self._to_shared()
        return self._remote.fits(height, width) if shared is None else shared.fits(height, width)

    def put(self, rgb: NDArray[np.uint8], *, live: bool) -> FrameRef | None:
        shared = self._to_shared()
        return self._remote.put(rgb, live=live) if shared is None else shared.put(rgb, live=live)

    def sent(self, ref: FrameRef) -> None:
        store = self._of(ref)
        if store is not None:
            store.sent(ref)

    def sees(self, ref: FrameRef) -> bool:
        return self._of(ref) is not None

    def gone(self, ref: FrameRef) -> bool:
        return not self.sees(ref) and self._gone.has(ref.store)

    def view(self, ref: FrameRef) -> NDArray[np.uint8]:
        store = self._of(ref)
        if store is None:
            raise FrameGoneError(
                f"the picture {ref.token} is in the shared memory of another machine, or of a system that has stopped: "
                "its sample is lost"
            )
        return store.view(ref)

    def holds(self, ref: FrameRef) -> bool:
        store = self._of(ref)
        return store is not None and store.holds(ref)

    def release(self, refs: Iterable[FrameRef]) -> None:
        """Give room back; what only another machine can release, it is asked to.

        Raises:
            BusError: it could not be asked.
        """
        strange: list[FrameRef] = []
        near: list[FrameRef] = []
        remote: list[FrameRef] = []
        for ref in refs:
            (remote if self._remote.sees(ref) else near if self._of(ref) is not None else strange).append(ref)
        if near and self._shared is not None:
            self._shared.release(near)
        if remote:
            self._remote.release(remote)
        if strange:
            self._requests.ask(strange)

    def close(self) -> None:
        for store in (self._before, self._shared, self._remote):
            if store is not None:
                store.close()
        self._before, self._shared, self._path = None, None, None

    def _of(self, ref: FrameRef) -> FrameStore | RemoteFrames | None:
        if self._remote.sees(ref):
            return self._remote
        shared = self._shared
        return shared if shared is not None and ref.store in {"", shared.identity} else None

    def _to_shared(self) -> FrameStore | None:
        """The store in shared memory while pictures go there; one thread decides, the others go by the last choice."""
        if time.monotonic() >= self._decide_s and self._turn.acquire(blocking=False):
            pause_s = AWAY_S
            try:
                if time.monotonic() >= self._decide_s and self._decide():
                    pause_s = DECIDE_S
            finally:
                self._decide_s = time.monotonic() + pause_s
                self._turn.release()
        return self._shared if self._chosen_shared else None

    def _decide(self) -> bool:
        """Decide anew where pictures go; False where Redis does not answer."""
        self._open_newest()
        shared, before = self._shared, self._chosen_shared
        try:
            self._chosen_shared = choose(self._kind, "" if shared is None else shared.identity, self._seen())
            if shared is not None:
                shared.release(self._requests.asked(shared.identity))
        except BusError:
            # Nothing can be sent either way.
            return False
        finally:
            if before != self._chosen_shared and self._kind == "auto":
                log.info("pictures go into", store="shared memory" if self._chosen_shared else "redis")
        return True

    def _seen(self) -> list[str]:
        beats: Callable[[], dict[str, str]] = self._bus.stores_seen
        return [store for name, store in beats().items() if name.partition("-")[0] in SEEING]

    def _open_newest(self) -> None:
        """Map the store where it was made, or made anew, since."""
        with self._opening, suppress(SetupError):
            if self._path is None:
                return
            if self._shared is None or read_head(self._path).identity != self._shared.identity:
                newest = FrameStore(self._path)
                # Other threads may be about to use the last one; nobody has used the one before it for long.
                if self._before is not None:
                    self._before.close()
                self._before, self._shared = self._shared, newest


def choose(kind: Kind, own: str, seen: Iterable[str]) -> bool:
    """Whether pictures go into shared memory.

    Args:
        kind: as asked for.
        own: the store of whoever puts them; empty: none.
        seen: what each living worker sees that looks at pictures.
    """
    if kind != "auto":
        return kind == "shared"
    return own != "" and all(each == own for each in seen)
