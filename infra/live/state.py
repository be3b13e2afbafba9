"""What the page is told, twice a second."""

import msgspec

from infra.live.feed import Connection
from infra.live.tally import EventLine, Present
from storage.statistics import Statistics
from storage.status import CameraState, StateReason


class Totals(Statistics, frozen=True):
    """Since the start; `in_view` and `events` beside the passages by label."""

    in_view: int
    events: int


class Picture(msgspec.Struct, frozen=True):
    """The picture: its size in pixels, frames that come and looks that are made a second, and its age when it is sent.

    `delay_ms` counts from capture where `clock` is `rtcp`, else from arrival; None where nobody has looked yet.
    """

    width: int | None
    height: int | None
    fps_in: float
    fps_looked_at: float
    delay_ms: int | None
    clock: str


class Recording(msgspec.Struct, frozen=True):
    """The video that is written: its file's name, pictures in it so far, left out, and why there will be none."""

    name: str
    pictures: int
    left_out: int
    trouble: str | None


class State(msgspec.Struct, frozen=True):
    """All of it.

    Attributes:
        source: its name, without a password.
        state, reason, detail: how the source fares; the latter two None while all is well.
        since_s: for how long.
        retry_in_s: when it is tried again, or None.
        over: nothing more comes: these are the final totals.
        running_s: since the first picture.
        totals, latest, present: what was found, and who is in view.
        picture, recording: see there.
        viewers, most_viewers: of the stream.
    """

    source: str
    state: CameraState
    reason: StateReason | None
    detail: str | None
    since_s: float
    retry_in_s: float | None
    over: bool
    running_s: float
    reconnects: int
    totals: Totals
    latest: list[EventLine]
    present: list[Present]
    picture: Picture
    recording: Recording | None
    viewers: int
    most_viewers: int


def totals(counts: Statistics, in_view: int, events: int) -> Totals:
    """Statistics with what stands beside them."""
    return Totals(**msgspec.structs.asdict(counts), in_view=in_view, events=events)


def shown_detail(connection: Connection) -> str | None:
    """The reason in a sentence that begins like one."""
    detail = connection.detail
    return None if not detail else detail[0].upper() + detail[1:] + "."
