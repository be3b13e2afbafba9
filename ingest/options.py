"""What the cameras of a system have in common, and which of them are one process's."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

from ingest.frozen import FROZEN_S
from storage.database.suitability import Views
from storage.networks import Networks

PRIVATE: Final = Networks.parse("private")


@dataclass(frozen=True, slots=True)
class Options:
    """What the cameras of a system have in common.

    Attributes:
        run: names this run of the system: files played as cameras go on where they would be, within one run.
        media_root: folder that such files lie in.
        backlog: samples of a camera that may wait for a look.
        retry_s: first wait before a camera is tried again; it doubles with every failure.
        dwell_s: how long a breach must last to become an event, for all cameras; None: each camera's own.
        min_face_px: smallest face that is judged, likewise.
        frozen_s: a picture that has not changed by a single bit for so long is frozen.
        networks: that cameras may be in.
        number: of this ingest process, from 0.
        ingests: how many there are.
        views: where it is kept what cameras' views look like; None: nowhere.
        view_s: time between two looks at a view.
    """

    run: str
    media_root: Path | None
    backlog: int = 10
    retry_s: float = 1.0
    dwell_s: float | None = None
    min_face_px: int | None = None
    frozen_s: float = FROZEN_S
    networks: Networks = PRIVATE
    number: int = 0
    ingests: int = 1
    views: Views | None = None
    view_s: float = 10.0

    def mine(self, camera_id: str) -> bool:
        """Whether a camera belongs to this process; it does to exactly one."""
        return crc32(camera_id.encode()) % self.ingests == self.number
