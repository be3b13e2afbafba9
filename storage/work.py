"""Work queues: what one worker is given, it has in hand until it is done; what a dead one had, another gets.

A queue is a stream with a consumer group. Every entry is given to one worker, stays in the group's list under that
worker's name until it is done, and may be given again: at least once, never lost. An entry that kills whoever takes it
shows by its deaths; see `WorkQueue.deaths`.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Generic

from redis import exceptions

from storage.keys import GROUP, HOPS, Keys, Reader, T
from storage.link import LONGEST_BLOCK_MS, BusError, Command, Link
from storage.messages import Found, Message
from storage.work_scripts import DEATHS, FORGET_IDLE, HAND_BACK, KEEP

CLAIM_IDLE_S: Final = 15.0
"""An entry nobody touched for so long is taken over; a worker that hangs was ended long before."""

ATTEMPTS: Final = 3

FORGOTTEN_S: Final = 600.0
"""A worker that asked for nothing for so long, and has nothing in hand, is forgotten."""


@dataclass(frozen=True, slots=True)
class Task(Generic[T]):
    """A message to work on.

    Attributes:
        id: of its entry.
        body: the message, or None when it can't be understood: nothing but `done` can be made of it.
        redelivered: somebody was given it before, and did not finish.
        hops: how often it was handed back by who could not do it.
    """

    id: str
    body: T | None
    redelivered: bool
    hops: int = 0


class WorkQueue(Generic[T]):
    """A worker's end of a queue; to be used by one thread, but for `keep_alive`.

    >>> queue = bus.frames_queue("detect-0")  # doctest: +SKIP
    >>> tasks = queue.take(8, block_ms=500)
    >>> queue.done(tasks, found=[find(task.body) for task in tasks])
    """

    def __init__(
        self, link: Link, keys: Keys, stream: str, consumer: str, reader: Reader[T], *, claim_idle_s: float
    ) -> None:
        """Take part.

        Args:
            link: to Redis.
            keys: of the bus.
            stream: `frames` or `faces`.
            consumer: name of the worker: a restarted one gets back what it had in hand.
            reader: of the stream's messages.
            claim_idle_s: see `CLAIM_IDLE_S`; looked for three times as often.
        """
        self._link = link
        self._keys = keys
        self._stream = keys.of(stream)
        self._marks = keys.of("hand", stream)
        self._deaths = keys.of("deaths", stream)
        self._consumer = consumer
        self._reader = reader
        self._claim_idle_s = claim_idle_s
        self._next_claim_s = 0.0
        self._own: str | None = "0-0"
        self._in_hand: set[str] = set()
        self._count_deaths = link.script(DEATHS)
        self._keep = link.script(KEEP)
        self._back = link.script(HAND_BACK)
        self._forget_idle = link.script(FORGET_IDLE)

    def take(self, count: int, block_ms: int) -> list[Task[T]]:
        """Get something to do.

        First, each alone, what this worker had in hand when it was killed, or what got lost on its way here; then,
        each alone, what a dead worker left behind; then new entries.

        Args:
            count: of new entries, at most.
            block_ms: how long to wait for them, at most 2000; 0 not to wait.

        Raises:
            BusError: Redis is away.
        """
        try:
            task = self._left_by_me() or self._left_by_others()
            if task is not None:
                return [task]
            entries = self._read(">", count, block_ms)
        except BusError:
            # What Redis gave out just now may never have arrived here: look among our own entries again.
            self._own = "0-0"
            raise
        return [self._task(entry, fields, redelivered=False) for entry, fields in entries if fields is not None]

    def deaths(self, task: Task[T]) -> int:
        """Count who died with a redelivered task in hand, and mark it as taken in hand by this worker.

        To be called for each redelivered task before it is worked on. The first to do so finds no mark and counts
        nothing: when it was first given out it was one of several, and any of them may have been the cause. Whoever
        finds a mark knows that somebody worked on this task alone, and died.

        Returns:
            Deaths so far.

        Raises:
            BusError: Redis is away or full.
        """
        return int(self._count_deaths([self._marks, self._deaths], [task.id, self._consumer]))

    def done(self, tasks: Sequence[Task[T]], *, found: Sequence[Found] = (), messages: Sequence[Message] = ()) -> None:
        """Hand on what came of tasks, and let go of them: all of it, at one moment, or nothing.

        After an error the tasks are still in hand, and it may be tried again; at worst the outputs are sent twice.

        Args:
            tasks: what is finished, whatever became of it.
            found: for `classify`.
            messages: for the aggregators; those of samples that were shed are counted by camera, see `Bus.shed_by_classify`.

        Raises:
            BusError: Redis is away or full.
        """
        commands = [self._keys.add_found(faces) for faces in found]
        commands += [command for message in messages for command in self._keys.add_result(message)]
        # At the very moment at which it is said: no kill in between makes the two differ.
        commands += [command for message in messages for command in self._keys.count_shed(message)]
        if ids := [task.id for task in tasks]:
            commands += [("XACK", self._stream, GROUP, *ids), ("XDEL", self._stream, *ids)]
            commands += [("HDEL", self._marks, *ids), ("HDEL", self._deaths, *ids)]
        if commands:
            self._link.together(commands)
        self._in_hand.difference_update(ids)

    def hand_back(self, tasks: Sequence[Task[T]], *, hop: bool = True) -> None:
        """Let go of tasks that are not done, for whoever takes them next.

        Args:
            tasks: in hand.
            hop: whether they are to be counted as handed back by one who can't do them.

        Raises:
            BusError: Redis is away or full; they are still in hand.
        """
        ids = [task.id for task in tasks]
        if ids:
            self._back([self._stream, self._marks, self._deaths], [GROUP, self._consumer, HOPS, int(hop), *ids])
        self._in_hand.difference_update(ids)

    def leave(self) -> None:
        """Take no part any more; what is still in hand stays for others to take over.

        Raises:
            BusError: Redis is away.
        """
        self._forget_workers(self._consumer)

    def keep_alive(self, tasks: Sequence[Task[T]]) -> None:
        """Say that long work on tasks goes on, so that nobody takes them over; from any thread.

        What somebody took over already stays theirs.

        Raises:
            BusError: Redis is away.
        """
        self._keep([self._stream], [GROUP, self._consumer, *(task.id for task in tasks)])

    def _left_by_me(self) -> Task[T] | None:
        """The next entry on this worker's list that it does not know of; the list is read once, from its start."""
        while self._own is not None:
            entries = self._read(self._own, 1, 0)
            if not entries:
                self._own = None
                break
            entry, fields = entries[0]
            self._own = entry
            if entry in self._in_hand:
                continue
            if fields is not None:
                return self._task(entry, fields, redelivered=True)
            self._forget(entry)
        return None

    def _left_by_others(self) -> Task[T] | None:
        """Claim one entry that nobody touched for long; when there is one, the next call looks again at once."""
        if time.monotonic() < self._next_claim_s:
            return None
        cursor, idle_ms = "0-0", round(self._claim_idle_s * 1000)
        while True:
            # JUSTID: without it Redis 6.2 gives nil for an entry that no longer exists, and not even its id.
            claim: Command = ("XAUTOCLAIM", self._stream, GROUP, self._consumer, idle_ms, cursor, "COUNT", 1, "JUSTID")
            reply = self._in_group(claim)
            cursor = reply[0].decode()
            for name in reply[1]:
                entry = name.decode()
                if entry in self._in_hand:
                    continue
                held = self._link.call("XRANGE", self._stream, entry, entry)
                if held:
                    return self._task(entry, held[0][1], redelivered=True)
                self._forget(entry)
            if cursor == "0-0":
                self._next_claim_s = time.monotonic() + self._claim_idle_s / 3
                self._forget_workers()
                return None

    def _read(self, after: str, count: int, block_ms: int) -> list[tuple[str, Sequence[bytes] | None]]:
        """Entries from the group: new ones after ">", else of this worker's own list; None for one that was removed."""
        wait: Command = ("BLOCK", min(block_ms, LONGEST_BLOCK_MS)) if block_ms > 0 else ()
        who: Command = ("GROUP", GROUP, self._consumer, "COUNT", count)
        reply = self._in_group(("XREADGROUP", *who, *wait, "STREAMS", self._stream, after))
        return [(name.decode(), fields) for name, fields in reply[0][1]] if reply else []

    def _in_group(self, command: Command) -> Any:
        """Send a command; where the group is missing (a new Redis, or one that lost its data), make it first."""
        for _ in range(ATTEMPTS):
            try:
                return self._link.call(*command)
            except exceptions.ResponseError:
                with suppress(exceptions.ResponseError):  # another worker made it just now
                    self._link.call("XGROUP", "CREATE", self._stream, GROUP, "0", "MKSTREAM")
        raise BusError(f"Redis at {self._link.shown_url} loses {self._stream} again and again: see who empties it")

    def _task(self, entry: str, fields: Sequence[bytes], *, redelivered: bool) -> Task[T]:
        self._in_hand.add(entry)
        hops = dict(zip(fields[::2], fields[1::2], strict=False)).get(HOPS.encode(), b"0")
        return Task(entry, self._reader.read(entry, fields), redelivered, int(hops) if hops.isdigit() else 0)

    def _forget_workers(self, leaving: str = "") -> None:
        """Remove workers that are gone from the group: names are never used again where each process has its own."""
        with suppress(exceptions.ResponseError):
            self._forget_idle([self._stream], [GROUP, leaving, round(FORGOTTEN_S * 1000)])

    def _forget(self, entry: str) -> None:
        """Take an entry that no longer exists off the group's list."""
        self._link.call("XACK", self._stream, GROUP, entry)
