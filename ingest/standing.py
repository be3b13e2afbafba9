"""How a camera stands with us: its state machine, told what happens and when; it has no clock of its own.

It begins as `connecting`; the first picture makes it `live`. While no picture comes, or always the same, it is `stalled`;
when the connection fails it is `backing_off`, until the next picture. `disabled` cameras have no state machine.
"""

from dataclasses import dataclass, replace
from typing import Final

from ingest.source import sentence
from storage.status import CameraState, StateReason

AWAY_S: Final = 0.9
"""A camera that shows nothing for so long has stalled; it is looked at every half second, and known within 1.5 s."""

PATIENT_GAPS: Final = 3.0
"""One that shows a picture now and then has stalled when this many times its usual pause has passed."""

NEW_SHARE: Final = 0.1
"""By how much the latest pause counts for what is usual."""


@dataclass(frozen=True, slots=True)
class State:
    """See `storage.status.CameraStatus`."""

    state: CameraState
    reason: StateReason | None
    detail: str | None
    since_ns: int


class Standing:
    """One camera's; told by the thread that watches it, asked by any."""

    def __init__(self, shown_url: str, now_s: float, now_ns: int) -> None:
        """Begin as connecting.

        Args:
            shown_url: its address, as it may be shown.
            now_s: on the clock of all later times in seconds, which never runs backwards.
            now_ns: Unix time.
        """
        self._url = shown_url
        self._state = State(CameraState.CONNECTING, None, None, now_ns)
        self._shown_s, self._shown_ns = now_s, now_ns
        self._gap_s: float | None = None
        self._late_ns: int | None = None
        self._stalls = True
        self._trying = False

    @property
    def frozen(self) -> bool:
        """Whether it shows the same picture again and again."""
        return self._state.reason is StateReason.FROZEN

    def patience_s(self) -> float:
        """How long nothing need come while all is well."""
        return max(AWAY_S, PATIENT_GAPS * (self._gap_s or 0.0))

    def silent_s(self, now_s: float) -> float:
        """For how long no picture has come."""
        return now_s - self._shown_s

    def connected(self, *, stalls: bool) -> None:
        """A new connection is being made.

        Args:
            stalls: whether it is to show pictures steadily; a folder that grows does not.
        """
        self._gap_s, self._stalls, self._trying = None, stalls, True

    def shown(self, now_s: float, now_ns: int, *, frozen: bool) -> bool:
        """A picture came.

        Args:
            now_s: when.
            now_ns: likewise, in Unix time.
            frozen: it has been the same one for too long.

        Returns:
            Whether it has just become live.
        """
        before, late_ns = self._state.state, self._late_ns
        # What comes late may be the last one, which the decoder let go of at the end: the next one tells.
        self._late_ns = (late_ns or self._shown_ns) if self._silent(now_s) else None
        if late_ns is not None and self._late_ns is None:
            self._state = replace(self._state, since_ns=now_ns)
        if before in {CameraState.LIVE, CameraState.STALLED}:
            gap_s = now_s - self._shown_s
            self._gap_s = gap_s if self._gap_s is None else self._gap_s + NEW_SHARE * (gap_s - self._gap_s)
        self._shown_s, self._shown_ns = now_s, now_ns
        if frozen:
            self._enter(CameraState.STALLED, StateReason.FROZEN, sentence(self._url, StateReason.FROZEN), now_ns)
        else:
            self._enter(CameraState.LIVE, None, None, now_ns)
        return not frozen and before is not CameraState.LIVE

    def failed(self, reason: StateReason | None, detail: str, now_ns: int) -> None:
        """It can't be watched; it is tried again later."""
        self._late_ns, self._trying = None, False
        self._enter(CameraState.BACKING_OFF, reason, detail, now_ns)

    def at(self, now_s: float, trouble: StateReason | None = None) -> State:
        """Its state.

        Args:
            now_s: when.
            trouble: what is wrong although something comes, as far as that is known.
        """
        state, late_ns = self._state, self._late_ns
        if trouble is not None and self._trying and state.state in {CameraState.CONNECTING, CameraState.BACKING_OFF}:
            # The connection stands, and something comes: it is no longer true that it is being made.
            return State(CameraState.STALLED, trouble, sentence(self._url, trouble), state.since_ns)
        if late_ns is None and not self._silent(now_s):
            return state
        detail = f"the camera at {self._url} has stopped sending pictures: if none comes, the connection is made anew"
        if trouble is not None:
            detail = sentence(self._url, trouble)
        return State(CameraState.STALLED, trouble or StateReason.TIMEOUT, detail, late_ns or self._shown_ns)

    def _silent(self, now_s: float) -> bool:
        """Whether it is connected and shows nothing."""
        connected = self._state.state in {CameraState.LIVE, CameraState.STALLED}
        return connected and self._stalls and self.silent_s(now_s) > self.patience_s()

    def _enter(self, state: CameraState, reason: StateReason | None, detail: str | None, now_ns: int) -> None:
        before = self._state
        if (before.state, before.reason) != (state, reason):
            self._state = State(state, reason, detail, now_ns)
        elif before.detail != detail:
            self._state = State(state, reason, detail, before.since_ns)
