"""A look at one stream, just long enough to say what it is."""

import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Final

from ingest.frame import Frame
from ingest.sources import SourceError, open_source
from ingest.still import still_jpeg
from storage.database.userinfo import shown_address
from storage.errors import MaskwatchError
from storage.messages import NS_PER_S
from storage.networks import Networks
from storage.probing import Probe, ProbeRequest
from storage.pulse import Pulse
from storage.status import StateReason

MEASURE_S: Final = 1.0
"""Frames are counted for so long after the first."""

ENOUGH: Final = 60
"""Frames, however fast they come."""

SLOW_S: Final = 4.0
"""Of a slow camera a third frame is waited for so long."""


class Glance:
    """One stream, in a thread of its own: what it has seen can be asked for while it waits for more."""

    def __init__(self, url: str, request: ProbeRequest) -> None:
        """Begin.

        Args:
            url: of the stream.
            request: what else there is to know.
        """
        self._url, self._request = url, request
        self._began_s = time.monotonic()
        self._first_s: float | None = None
        self._frame: Frame | None = None
        self._times_ns: list[int] = []
        self._clock: str | None = None
        self._codec: str | None = None
        self._failed: tuple[StateReason | None, str] | None = None
        self._pulse = Pulse()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def join(self, until_s: float) -> None:
        """Wait until it has seen enough, at most until then on the monotonic clock."""
        self._thread.join(max(0.0, until_s - time.monotonic()))

    def found(self, *, still: bool) -> Probe:
        """What it has seen by now."""
        if self._failed is not None:
            reason, detail = self._failed
            return Probe(ok=False, reason=reason, detail=detail)
        frame = self._frame
        if frame is None or self._first_s is None:
            lasted_s = time.monotonic() - self._began_s
            message = f"the camera at {shown_address(self._url)} showed no picture within {lasted_s:.0f} s"
            return Probe(
                ok=False, reason=StateReason.TIMEOUT, detail=f"{message}: check that it is switched on and reachable"
            )
        height, width = frame.luma().shape
        return Probe(
            ok=True,
            codec=self._codec,
            width=width,
            height=height,
            fps=rate(self._times_ns),
            first_frame_s=round(self._first_s - self._began_s, 2),
            clock=self._clock,
            still=still_jpeg(frame.rgb()) if still else None,
        )

    def _run(self) -> None:
        try:
            self._watch()
        except SourceError as error:
            self._failed = (error.reason, str(error))
        except MaskwatchError as error:
            self._failed = (None, str(error))
        except Exception as error:  # noqa: BLE001 whatever a library raises over what is out there
            if not self._times_ns:
                kind = type(error).__name__
                message = f"the camera at {shown_address(self._url)} sends what can't be decoded here ({kind})"
                self._failed = (StateReason.UNSUPPORTED_CODEC, message)

    def _watch(self) -> None:
        request, now_ns = self._request, time.time_ns()
        source = open_source(
            self._url,
            fps=1.0,
            transport=request.transport,
            media_root=None if request.media_root is None else Path(request.media_root),
            networks=Networks.parse(request.networks),
            playing_since_ns=now_ns,
            begun_ns=now_ns,
        )
        for frame in source.frames(self._pulse):
            now_s = time.monotonic()
            if self._first_s is None:
                self._first_s = now_s
            self._frame, self._clock = frame, source.clock
            self._codec = getattr(source, "codec", None)
            self._times_ns.append(frame.at_ns)
            lasted_s, many = now_s - self._first_s, len(self._times_ns)
            if many >= ENOUGH or lasted_s > (MEASURE_S if many > 2 else SLOW_S):
                break


def rate(times_ns: list[int]) -> float | None:
    """Frames a second, by the middle one of the times between frames: a hitch does not count.

    >>> rate([0, 40_000_000, 80_000_000, 500_000_000])
    25.0
    """
    steps = sorted(after - before for before, after in pairwise(times_ns) if after > before)
    if not steps:
        return None
    return round(NS_PER_S / steps[len(steps) // 2], 2)
