"""Reads a running system from beside it: when events become visible in the API, how long queues are, what processes take.

All of it in one thread, whose own processor time is known and can be taken off what the system takes.
"""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final, Self
from urllib.request import urlopen

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Engine, select

from infra.bench.processes import memory_mib, open_files
from infra.bench.trend import Reading
from storage.database.engine import reading
from storage.database.models import EventRow
from storage.errors import StorageError
from storage.keys import Keys
from storage.messages import NS_PER_S

LOOK_S: Final = 0.02
"""The database is asked for new events this often; the API as soon as there is one."""

QUEUES_S: Final = 0.2
ANSWER_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Visible:
    """An event as the API first gave it; Unix times in seconds.

    Attributes:
        started_s: when the breach began.
        last_s: capture time of the latest face that was known then: the one that made it an event.
        visible_s: when it was there.
    """

    started_s: float
    last_s: float
    visible_s: float


@dataclass(frozen=True, slots=True)
class Beside:
    """What is read.

    Attributes:
        engine: of the database.
        api_url: address of the API.
        redis_url: of Redis.
        keys: in it.
        frames: the frame store's file.
        every_s: time between two readings.
    """

    engine: Engine
    api_url: str
    redis_url: str
    keys: Keys
    frames: Path
    every_s: float


class Watching:
    """Reads until it is left.

    >>> with Watching(beside, pids) as watching:  # doctest: +SKIP
    ...     live.go_on(60.0)
    ...     watching.readings
    """

    def __init__(self, beside: Beside, pids: Mapping[str, int]) -> None:
        """Plan it.

        Args:
            beside: what is read.
            pids: process ids by the workers' names; set anew when they change.
        """
        self.pids = dict(pids)
        self.visible: dict[str, Visible] = {}
        """Events that came up since the start, by identifier."""
        self.readings: list[Reading] = []
        self.longest: dict[str, int] = {}
        """Longest queues so far, by name."""
        self.cpu_s = 0.0
        """Processor time that watching took."""
        self._beside = beside
        self._known: set[str] = set()
        self._since: dict[str, int] = {}
        self._over = Event()
        self._thread = Thread(target=self._run, name="watching", daemon=True)

    def __enter__(self) -> Self:
        self._known = set(self._events())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        started_s = time.monotonic()
        read_s = queues_s = -1e9
        with Redis.from_url(self._beside.redis_url) as redis:
            while not self._over.wait(LOOK_S):
                # What is away for a moment, since somebody killed it, is there again later.
                with suppress(StorageError, RedisError, OSError):
                    if new := set(self._events()) - self._known:
                        self._look(new)
                    now_s = time.monotonic()
                    if now_s - queues_s >= QUEUES_S:
                        queues_s = now_s
                        self._measure_queues(redis)
                    if now_s - read_s >= self._beside.every_s:
                        read_s = now_s
                        self._read(now_s - started_s)
                self.cpu_s = time.thread_time()

    def _events(self) -> Sequence[str]:
        with reading(self._beside.engine) as connection:
            return connection.execute(select(EventRow.id)).scalars().all()

    def _look(self, new: set[str]) -> None:
        with urlopen(f"{self._beside.api_url}/api/v1/events?limit=200", timeout=ANSWER_S) as answer:  # noqa: S310 our own
            items: list[dict[str, Any]] = json.load(answer)["items"]
        now_s = time.time_ns() / NS_PER_S
        for item in items:
            if item["id"] in new:
                started_s, last_s = (
                    datetime.fromisoformat(item[key]).timestamp() for key in ("started_at", "ended_at")
                )
                self.visible[item["id"]] = Visible(started_s, last_s, now_s)
                self._known.add(item["id"])

    def _measure_queues(self, redis: Redis) -> None:
        keys = self._beside.keys
        streams = {"frames": keys.frames, "faces": keys.faces}
        streams |= {f"results {number}": keys.results(number) for number in range(keys.partitions)}
        for name, key in streams.items():
            length = int(redis.xlen(key))
            self._since[name] = max(self._since.get(name, 0), length)
            self.longest[name] = max(self.longest.get(name, 0), length)

    def _read(self, at_s: float) -> None:
        memory = memory_mib(self.pids, self._beside.frames)
        self.readings.append(Reading(at_s, memory, open_files(self.pids), self._since))
        self._since = dict.fromkeys(self._since, 0)
