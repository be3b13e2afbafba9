"""What beats: sends what is to be done again and again. It remembers nothing, and needs to remember nothing."""

from typing import Any, Final

import structlog
from celery.beat import ScheduleEntry, Scheduler
from kombu.exceptions import KombuError

MOST_WAITING: Final = 100
"""While so many tasks wait nothing is sent: nobody takes them, and Redis does not forget what is stale by itself."""

log = structlog.get_logger(__name__)


class Rounds(Scheduler):  # type: ignore[misc] # Celery has no types
    """A schedule in memory; what can't be sent, or what nobody would take, is sent the next time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.sent = 0
        """Tasks since the start."""
        self.trouble: str | None = None
        """Why the last one could not be sent."""
        super().__init__(*args, **kwargs)

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Send what is due."""
        try:
            if self._waiting(producer) >= MOST_WAITING:
                self._leave(f"{MOST_WAITING} tasks wait for a `jobs` process: no more are sent until one takes them")
                return
            self.apply_async(entry, producer=producer, advance=False, retry=False)
        except (KombuError, OSError) as error:
            self._away(error)
        except Exception as error:  # noqa: BLE001 Celery wraps whatever it was
            self._away(error)
        else:
            self.sent += 1
            self.trouble = None

    def _waiting(self, producer: Any) -> int:
        """How many tasks nobody has taken yet."""
        with (producer or self.producer).channel.conn_or_acquire() as client:
            return int(client.llen(self.app.conf.task_default_queue))

    def _away(self, error: Exception) -> None:
        cause = error.__cause__ or error.__context__ or error
        self._leave("Redis does not take what is due", reason=str(cause))

    def _leave(self, trouble: str, **facts: str) -> None:
        if self.trouble != trouble:
            log.warning(trouble, **facts)
        self.trouble = trouble
