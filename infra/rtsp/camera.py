"""One stream that runs like a camera: its own clock, the same packets for all who watch, begun by the first of them."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from infra.rtsp.clip import TICKS_PER_S, AccessUnit, Clip
from infra.rtsp.faults import Damage, Faults
from infra.rtsp.rtp import RtpSender, interleaved, packed
from infra.rtsp.still import Still
from infra.rtsp.tape import Due, Tape
from infra.rtsp.viewer import Viewer
from storage.messages import NS_PER_S

REPORT_S: Final = 2.0
"""Time between two sender reports."""


class Camera:
    """A clip that plays; lives in one event loop.

    Attributes:
        tape: what it shows.
        stated_fps: what it says its frame rate is; None tells the truth.
        viewers: who watches.
        began_ns: Unix time of the first picture's capture; None until somebody watches.
        gone: it has played once, which was all.
        faults: what is wrong with it.
    """

    def __init__(self, tape: Tape, *, stated_fps: float | None = None) -> None:
        self.tape = tape
        self.stated_fps = stated_fps
        self.viewers: set[Viewer] = set()
        self.began_ns: int | None = None
        self.gone = False
        self.faults = Faults()
        self._damage = Damage()
        self._sender = RtpSender()
        self._began_s = 0.0
        self._ahead_ticks = self._ahead_ns = 0
        self._key: Due | None = None
        self._still: Still | None = None
        self._held: int | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def first_timestamp(self) -> int | None:
        """The RTP timestamp of what somebody who joins now will see first; None when that can't be told."""
        due = self.tape.due
        if self.faults.keyless or due is None:
            return None
        shown = self._shown(due)
        at = shown.at if shown.unit.key else self.tape.next_key()
        return None if at is None else self._timestamp(at)

    def join(self, viewer: Viewer) -> None:
        """Let somebody watch from the next keyframe on; the first one starts the camera."""
        if self.gone:
            viewer.end()
            return
        if self.began_ns is None:
            self.began_ns, self._began_s = time.time_ns(), time.monotonic()
            self._tasks = [asyncio.create_task(self._play()), asyncio.create_task(self._report())]
        self.viewers.add(viewer)
        # At once, so that a client can tell the wall clock's time of the very first picture.
        self._send_report([viewer])

    def leave(self, viewer: Viewer) -> None:
        """Send nothing more to somebody; the camera goes on."""
        self.viewers.discard(viewer)

    def resume(self) -> None:
        """End all faults with the next keyframe."""
        self.faults = replace(self.faults, ending=True)

    def jump(self, media_s: float, clock_s: float) -> None:
        """Let timestamps jump by `media_s`, and the time that reports tell by `clock_s`; back where they are negative."""
        self._ahead_ticks += round(media_s * TICKS_PER_S)
        self._ahead_ns += round(clock_s * NS_PER_S)
        self._send_report(self.viewers)

    def switch(self, clip: Clip) -> None:
        """Go on with another clip."""
        self.tape.change(clip)

    def stop(self) -> None:
        """Switch it off."""
        self.gone = True
        for task in self._tasks:
            task.cancel()

    async def _play(self) -> None:
        while due := self.tape.due:
            await self._until(due.sent)
            # Not what came in its place meanwhile.
            if due is self.tape.due:
                self._show(due)
                self.tape.advance()
        await self._until(self.tape.over)
        self.stop()
        for viewer in self.viewers:
            viewer.end()

    def _shown(self, due: Due) -> Due:
        """What is sent in a picture's place: while frozen, the latest keyframe, and what repeats it until the next is due."""
        if not self.faults.frozen or self._key is None or (due.unit.key and self.faults.ending):
            return due
        at = due.sent + self._key.at - self._key.sent
        if due.unit.key or self._held is None or self._still is None:
            return Due(self._key.unit, at, due.sent)
        return Due(AccessUnit(packed(self._still.nals(self._held + 1)), at, due.sent, key=False), at, due.sent)

    def _show(self, due: Due) -> None:
        shown = self._shown(due)
        if due.unit.key and self.faults.ending:
            self.faults = Faults()
        if shown is due:
            self._held = None
            if due.unit.key:
                self._key, self._still = due, Still.of(self.tape.clip.sps)
        else:
            self._held = 0 if shown.unit.key or self._held is None else self._held + 1
        watching = [viewer for viewer in self.viewers if not viewer.waiting or shown.unit.key or self.faults.keyless]
        if not watching or self.faults.stalled or (self.faults.keyless and shown.unit.key):
            return
        data, starts = self._sender.stamped(shown.unit.packed, shown.at + self._ahead_ticks), shown.unit.packed.starts
        if self.faults.damaged or self.faults.dropped:
            data, starts = self._damage.done(data, starts, self.faults)
        by_channel = {0: data}
        for viewer in watching:
            viewer.waiting = False
            channel = viewer.channels[0]
            if channel not in by_channel:
                by_channel[channel] = bytearray(data)
                for start in starts:
                    by_channel[channel][start + 1] = channel
            viewer.send(by_channel[channel])

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_S)
            self._send_report(self.viewers)

    def _send_report(self, viewers: Iterable[Viewer]) -> None:
        if self.began_ns is None or self.faults.stalled:
            return
        passed_s = time.monotonic() - self._began_s
        # By the camera's own clock, which does not jump when the machine's is set.
        wall_ns = self.began_ns + round(passed_s * NS_PER_S) + self._ahead_ns
        report = self._sender.report(round(passed_s * TICKS_PER_S) + self._ahead_ticks, wall_ns)
        for viewer in viewers:
            viewer.send(interleaved(viewer.channels[1], [report]))

    def _timestamp(self, ticks: int) -> int:
        return self._sender.timestamp(ticks + self._ahead_ticks)

    async def _until(self, ticks: int) -> None:
        """Wait for a media time; not at all where it has passed, but others get their turn."""
        await asyncio.sleep(max(0.0, self._began_s + ticks / TICKS_PER_S - time.monotonic()))
