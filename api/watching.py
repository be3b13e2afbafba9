"""How the states of cameras change, for those who look on."""

import time
from contextlib import suppress
from typing import Any, Final

import msgspec

from api.context import ApiContext
from storage.errors import MaskwatchError
from storage.status import CameraStatus
from storage.telling import NewsKind

ASK_S: Final = 1.0
LIST_S: Final = 10.0
"""How often it is asked which cameras there are."""

State = tuple[str | None, str | None]
"""Of a camera, and why; None where nobody knows."""


class StateChange(msgspec.Struct, frozen=True):
    """A camera's state is another one now."""

    building_id: str
    data: dict[str, Any]
    kind: str = NewsKind.CAMERA.value


class States:
    """The states of all cameras as last seen; for one thread."""

    def __init__(self, context: ApiContext) -> None:
        """Begin; the first look tells nothing.

        Args:
            context: of the whole system.
        """
        self._context = context
        self._buildings: dict[str, str] = {}
        self._known: dict[str, State] = {}
        self._listed_s = self._asked_s = float("-inf")

    def changes(self) -> list[StateChange]:
        """What has changed since it was asked last; at most once in `ASK_S` there is a look.

        Raises:
            BusError: Redis is away.
        """
        now_s = time.monotonic()
        if now_s - self._asked_s < ASK_S:
            return []
        self._asked_s = now_s
        if now_s - self._listed_s >= LIST_S:
            self._list(now_s)
        found = self._context.bus.statuses(list(self._buildings))
        states = {camera: _state(found.get(camera)) for camera in self._buildings}
        changed = [camera for camera, state in states.items() if self._known.get(camera, state) != state]
        self._known = states
        return [
            StateChange(
                self._buildings[camera],
                {
                    "id": camera,
                    "building_id": self._buildings[camera],
                    "state": states[camera][0],
                    "reason": states[camera][1],
                },
            )
            for camera in changed
        ]

    def _list(self, now_s: float) -> None:
        # The old list is better than none; the routes say what is wrong.
        with suppress(MaskwatchError):
            self._buildings = {camera.id: camera.building_id for camera in self._context.sites.cameras()}
        self._listed_s = now_s


def _state(status: CameraStatus | None) -> State:
    if status is None:
        return None, None
    return status.state.value, None if status.reason is None else status.reason.value
