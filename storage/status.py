"""What is known of a camera's connection, as `ingest` says it and the API shows it."""

from enum import StrEnum

import msgspec


class CameraState(StrEnum):
    """How a camera fares."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALLED = "stalled"
    BACKING_OFF = "backing_off"
    DISABLED = "disabled"


class StateReason(StrEnum):
    """Why it is not live."""

    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a word, not a password
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    NO_ROUTE = "no_route"
    TIMEOUT = "timeout"
    UNSUPPORTED_CODEC = "unsupported_codec"
    FROZEN = "frozen"
    NO_KEYFRAMES = "no_keyframes"
    NOT_ALLOWED = "not_allowed"


class CameraStatus(msgspec.Struct, frozen=True):
    """A camera's state.

    Attributes:
        state: how it fares.
        reason: why it is not live, or None.
        since_ns: since when it has been in this state.
        fps_in: frames a second that arrive.
        fps_analyzed: samples a second that are looked at.
        last_frame_at_ns: capture time of the latest frame, or None before the first.
        clock: where capture times come from: `rtcp`, `arrival`, `file`.
        detail: the reason in a sentence for people, with what to do next; None while it is live.
        drops: samples that were not looked at since this ingest process began, by where it happened: `late` (decoding
            fell behind), `no_room` (the frame store was full), `shed` (too many waited), `behind` (the aggregator was too
            far behind), `bus` (Redis was away). What `classify` sheds is counted by itself, see `Bus.shed_by_classify`.
        warnings: what has changed for the worse since the camera was set up, a sentence each: moved, dirty, dark; and, in
            sentences that begin with `substream:`, what keeps the camera from idling.
        reconnects: how often the connection was made anew since this ingest process began.
    """

    state: CameraState
    reason: StateReason | None
    since_ns: int
    fps_in: float
    fps_analyzed: float
    last_frame_at_ns: int | None
    clock: str
    detail: str | None = None
    drops: dict[str, int] = msgspec.field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    reconnects: int = 0
