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
    """

    state: CameraState
    reason: StateReason | None
    since_ns: int
    fps_in: float
    fps_analyzed: float
    last_frame_at_ns: int | None
    clock: str
