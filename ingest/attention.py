"""What a watch does with each frame of its camera: look at it, or let it pass while the sub-stream says that nothing moves."""

import time
from collections.abc import Generator
from contextlib import closing
from typing import Final
from urllib.parse import urlsplit

from ingest.decoding import Packet
from ingest.emit import Emitter
from ingest.frame import Frame, Unseen
from ingest.idling import Hindrance, Idling
from ingest.options import Options
from ingest.sight import Shown, Sight
from ingest.source import Source
from ingest.stream import PROTOCOLS, Stream
from ingest.substream import Substreams
from ingest.viewing import Viewing
from storage.database.records import Camera
from storage.messages import NS_PER_S
from storage.pulse import Pulse

LEAST_FPS: Final = 1.0
"""With samples further apart a sub-stream can't say soon enough that nothing moves."""


class Attention:
    """Of one watch: `moments` and `take` are for its thread, `follow` and `warnings` for the main one."""

    def __init__(self, sight: Sight, viewing: Viewing, options: Options) -> None:
        """Begin without a connection.

        Args:
            sight: shown what comes.
            viewing: shown the samples with a picture.
            options: of the system.
        """
        self.sub = Substreams(options, lambda: sight.showing)
        """The camera's sub-stream."""
        self._sight, self._viewing = sight, viewing
        self._idling: Idling[Packet] | None = None

    def follow(self, camera: Camera, begun_ns: int) -> None:
        """Go by the sub-stream that the camera is registered with now.

        Args:
            camera: as it is watched.
            begun_ns: Unix time of the epoch's beginning.
        """
        idling = self._idling
        if self.sub.follow(camera, begun_ns) and idling is not None:
            idling.another = True

    def warnings(self, camera: Camera) -> tuple[str, ...]:
        """What keeps the camera from idling although it has a sub-stream, a sentence each."""
        idling = self._idling
        hindrance = None if idling is None else idling.hindrance
        return self.sub.warnings(hindrance if urlsplit(camera.url).scheme in PROTOCOLS else Hindrance.SOURCE)

    def moments(self, source: Source, fps: float, pulse: Pulse) -> Generator[Frame | Unseen]:
        """A source's frames; of one that can idle those, too, that need not be seen.

        Args:
            source: just opened.
            fps: samples a second.
            pulse: asks to stop.

        Raises:
            SourceError: see `Source`.
        """
        self._idling = None
        if not isinstance(source, Stream) or fps < LEAST_FPS:
            yield from source.frames(pulse)
            return
        idling: Idling[Packet] = Idling(round(NS_PER_S / fps))
        self._idling = idling
        with closing(source.moments(pulse, idling, self.sub.quiet)) as moments:
            for moment in moments:
                yield moment
                idling.wanted = self.sub.wanted

    def take(self, emitter: Emitter, moment: Frame | Unseen) -> bool:
        """Take in a frame; False when asked to stop."""
        if isinstance(moment, Unseen):
            self._sight.pass_by(moment)
            return not moment.sampled or emitter.pass_by(moment.at_ns)
        with self._sight.picture.of(moment):
            return self._seen(emitter, moment)

    def _seen(self, emitter: Emitter, frame: Frame) -> bool:
        shown, taken = self._sight.take(frame), True
        if shown is Shown.SAMPLE:
            self._viewing.show(frame.luma(), frame.at_ns, time.monotonic())
            taken = emitter.take(frame)
        elif shown is Shown.PAST and self._sight.silence_due(time.monotonic()):
            # Nobody is seen in a picture of the past.
            emitter.silence(frame.at_ns)
        if self._idling is not None and shown is not Shown.NOTHING:
            # Nor can that say that nothing moves.
            self._idling.stirring = shown is Shown.PAST or emitter.stirring
        return taken
