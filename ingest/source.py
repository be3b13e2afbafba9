"""What a live camera is to the rest: frames as they come, until it fails with a reason."""

from collections.abc import Iterator
from typing import Final, Protocol

from ingest.frame import Frame
from storage.errors import MaskwatchError
from storage.pulse import Pulse
from storage.status import StateReason

WHAT_NEXT: Final = {
    StateReason.WRONG_PASSWORD: "refuses user name or password: check them",
    StateReason.NOT_FOUND: "has no such stream: check the path of the address",
    StateReason.REFUSED: "refuses the connection or closed it: check port and protocol, and how many viewers it allows",
    StateReason.NO_ROUTE: "can't be found: check the host name and the network",
    StateReason.TIMEOUT: "does not answer in time: check that it is switched on and reachable",
    StateReason.UNSUPPORTED_CODEC: "sends nothing that can be decoded here: choose H.264 in its settings",
    StateReason.NO_KEYFRAMES: "sends no keyframe: set its keyframe interval to 4 s or less",
    StateReason.FROZEN: "sends the same picture again and again: restart it",
    StateReason.NOT_ALLOWED: "is in a network that cameras may not be in here: allow it in MASKWATCH_CAMERA_NETWORKS",
}
"""What is said of a camera for each reason, after "the camera at ..."."""


def sentence(name: str, reason: StateReason) -> str:
    """What is wrong with a camera in the network, and what to do next.

    Args:
        name: its address as it may be shown.
        reason: why it shows nothing.
    """
    return f"the camera at {name} {WHAT_NEXT[reason]}"


class SourceError(MaskwatchError):
    """A camera can't be reached, or no longer sends a picture.

    Attributes:
        reason: why, in the words of the interface.
    """

    def __init__(self, reason: StateReason, message: str) -> None:
        """Make one.

        Args:
            reason: why.
            message: what happened and what to do next; never with a password.
        """
        super().__init__(message)
        self.reason = reason


class Source(Protocol):
    """A live source.

    Attributes:
        clock: where capture times come from: `rtcp` (the camera's reports), `arrival`, `file`; it may change while frames
            come.
        late: samples so far that were due and left out, because decoding fell behind.
        trouble: what is wrong although the connection stands: `no_keyframes` while packets add up to no picture; else None.
    """

    clock: str
    late: int

    @property
    def trouble(self) -> StateReason | None: ...

    def frames(self, pulse: Pulse) -> Iterator[Frame]:
        """Every decoded frame in order, with its capture time since the epoch; some of them are samples.

        Capture times always grow. Ends only when asked to stop; closing it releases the camera.

        Raises:
            SourceError: there is no picture, or no longer one.
        """
        ...
