"""What a live camera is to the rest: frames as they come, until it fails with a reason."""

from collections.abc import Iterator
from typing import Protocol

from ingest.frame import Frame
from storage.errors import MaskwatchError
from storage.pulse import Pulse
from storage.status import StateReason


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
        clock: where capture times come from: `arrival`, `file`.
        late: samples so far that were due and left out, because decoding fell behind.
    """

    clock: str
    late: int

    def frames(self, pulse: Pulse) -> Iterator[Frame]:
        """Every decoded frame in order, with its capture time since the epoch; some of them are samples.

        Ends only when asked to stop.

        Raises:
            SourceError: there is no picture, or no longer one.
        """
        ...
