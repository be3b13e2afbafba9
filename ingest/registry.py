"""Which cameras are registered, looked up by a thread of its own: a database that does not answer holds nobody up."""

import threading
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from storage.database.records import Camera
from storage.errors import MaskwatchError

LOOK_S: Final = 0.5
"""Changes are to take effect within 2 s."""

log = structlog.get_logger(__name__)


class Registry:
    """Looks until closed."""

    def __init__(self, look: Callable[[], Sequence[Camera]]) -> None:
        """Start looking.

        Args:
            look: gives all cameras in use; called by the thread.
        """
        self.cameras: tuple[Camera, ...] | None = None
        """As they were last found; None before the first answer."""
        self.trouble: str | None = None
        """Why they can't be looked up just now."""
        self._look = look
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="registry", daemon=True)
        self._thread.start()

    def close(self, limit_s: float) -> None:
        """End it; what does not answer is left behind."""
        self._closing.set()
        self._thread.join(limit_s)

    def _run(self) -> None:
        while True:
            try:
                self.cameras = tuple(self._look())
                self.trouble = None
            except MaskwatchError as error:
                self.trouble = str(error)
            except Exception as error:  # whatever a library raises, cameras are watched on
                self.trouble = f"cameras can't be looked up: {type(error).__name__}"
                log.exception("cameras can't be looked up")
            if self._closing.wait(LOOK_S):
                return
