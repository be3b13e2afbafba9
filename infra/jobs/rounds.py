"""What beats: sends what is to be done again and again. It remembers nothing, and needs to remember nothing."""

from typing import Any

import structlog
from celery.beat import ScheduleEntry, Scheduler
from kombu.exceptions import KombuError

log = structlog.get_logger(__name__)


class Rounds(Scheduler):  # type: ignore[misc] # Celery has no types
    """A schedule in memory; what can't be sent is sent the next time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.sent = 0
        """Tasks since the start."""
        self.trouble: str | None = None
        """Why the last one could not be sent."""
        super().__init__(*args, **kwargs)

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Send what is due."""
        try:
            self.apply_async(entry, producer=producer, advance=False, retry=False)
        except (KombuError, OSError) as error:
            self._away(error)
        except Exception as error:  # noqa: BLE001 Celery wraps whatever it was
            self._away(error)
        else:
            self.sent += 1
            self.trouble = None

    def _away(self, error: Exception) -> None:
        cause = error.__cause__ or error.__context__ or error
        if self.trouble is None:
            log.warning("Redis does not take what is due", reason=str(cause))
        self.trouble = "Redis does not take what is due"
