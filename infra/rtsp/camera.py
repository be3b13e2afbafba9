"""One stream that runs like a camera: its own clock, the same packets for all who watch, begun by the first of them."""

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.rtsp.clip import TICKS_PER_S, AccessUnit, Clip
from infra.rtsp.rtp import RtpSender, interleaved
from storage.messages import NS_PER_S

REPORT_S: Final = 2.0
"""Time between two sender reports."""

CLOSING_S: Final = 2.0
"""How long a client is given to read the rest and to close its side, once a stream is over."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What a camera shows.

    Attributes:
        path: an H.264 clip.
        loop: over and over, with timestamps that go on; else once, and then all who watch are disconnected and the camera is gone.
    """

    path: Path
    loop: bool = True


class Viewer:
    """Somebody who watches: the connection's sending side.

    Attributes:
        waiting: until the next keyframe, with which the pictures begin.
        over: nothing more can be sent.
    """

    def __init__(self, transport: asyncio.WriteTransport, channels: tuple[int, int], unsent_bytes: int) -> None:
        """Make one.

        Args:
            transport: of the RTSP connection.
            channels: for RTP and for RTCP, 0 to 255.
            unsent_bytes: a client that lets more than this pile up is disconnected.
        """
        self._transport = transport
        self.channels = channels
        self._unsent_bytes = unsent_bytes
        self.waiting = True
        self.over = False

    def send(self, data: bytes) -> None:
        """Send, or disconnect who does not read; never waits."""
        if self.over:
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > self._unsent_bytes:
            self.over = True
            self._transport.abort()

    def end(self) -> None:
        """Close the sending side after what is on its way; the rest of the connection soon after."""
        if not self.over:
            self.over = True
            self._transport.write_eof()
            asyncio.get_running_loop().call_later(CLOSING_S, self._transport.abort)


class Camera:
    """A clip that plays; lives in one event loop.

    Attributes:
        clip: what it shows.
        viewers: who watches.
        began_ns: Unix time of the first picture's capture; None until somebody watches.
        gone: it has played once, which was all.
    """

    def __init__(self, clip: Clip, *, loop: bool) -> None:
        self.clip = clip
        self.viewers: set[Viewer] = set()
        self.began_ns: int | None = None
        self.gone = False
        self._loop = loop
        self._sender = RtpSender()
        self._began_s = 0.0
        self._next = (0, 0)
        self._tasks: list[asyncio.Task[None]] = []

    def first_timestamp(self) -> int | None:
        """The RTP timestamp of the keyframe that somebody who joins now will see first; None when none is to come."""
        turn, index = self._next
        for unit in self.clip.units[index:]:
            if unit.key:
                return self._sender.timestamp(turn * self.clip.period + unit.at)
        return self._sender.timestamp((turn + 1) * self.clip.period + self.clip.units[0].at) if self._loop else None

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

    def stop(self) -> None:
        """Switch it off."""
        self.gone = True
        for task in self._tasks:
            task.cancel()

    async def _play(self) -> None:
        for turn, index in self._positions():
            self._next = (turn, index)
            unit, start = self.clip.units[index], turn * self.clip.period
            await self._until(start + unit.sent)
            self._show(unit, start + unit.at)
        await self._until(self.clip.period + self.clip.units[-1].sent - self.clip.units[-1].at)
        self.stop()
        for viewer in self.viewers:
            viewer.end()

    def _positions(self) -> Iterator[tuple[int, int]]:
        turns = itertools.count() if self._loop else range(1)
        return ((turn, index) for turn in turns for index in range(len(self.clip.units)))

    def _show(self, unit: AccessUnit, ticks: int) -> None:
        watching = [viewer for viewer in self.viewers if unit.key or not viewer.waiting]
        if not watching:
            return
        packets = self._sender.packets(unit.nals, ticks)
        by_channel: dict[int, bytes] = {}
        for viewer in watching:
            viewer.waiting = False
            channel = viewer.channels[0]
            if channel not in by_channel:
                by_channel[channel] = interleaved(channel, packets)
            viewer.send(by_channel[channel])

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_S)
            self._send_report(self.viewers)

    def _send_report(self, viewers: "set[Viewer] | list[Viewer]") -> None:
        if self.began_ns is None:
            return
        passed_s = time.monotonic() - self._began_s
        # By the camera's own clock, which does not jump when the machine's is set.
        report = self._sender.report(round(passed_s * TICKS_PER_S), self.began_ns + round(passed_s * NS_PER_S))
        for viewer in viewers:
            viewer.send(interleaved(viewer.channels[1], [report]))

    async def _until(self, ticks: int) -> None:
        """Wait for a media time; not at all where it has passed, but others get their turn."""
        await asyncio.sleep(max(0.0, self._began_s + ticks / TICKS_PER_S - time.monotonic()))
