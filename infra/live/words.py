"""How the page and the terminal name states."""

from typing import Final

from storage.status import CameraState

STATES: Final = {
    CameraState.CONNECTING: "Connecting",
    CameraState.LIVE: "Live",
    CameraState.STALLED: "No pictures",
    CameraState.BACKING_OFF: "Trying again",
    CameraState.DISABLED: "Off",
}
