"""The loop of a stateless worker: take, work, hand over. A task that kills its worker is set aside, alone.

What was handed out to a worker that died comes back one task at a time, each with a marker that says who has it in hand;
only a death with the marker counts against a task. So of a batch only the culprit gets blamed, and it is tried
`MOST_DEATHS` times like any other, then once in a process of its own; see `Bench`. A task whose picture can't be seen
from here goes back to the queue at once, for who can.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Generic, TypeVar

import structlog

from storage.bench import Bench, Outcome, Plan
from storage.link import BusError
from storage.messages import Found, Sample
from storage.pulse import Pulse
from storage.work import Task, WorkQueue

MOST_DEATHS: Final = 3
BLOCK_MS: Final = 200

MOST_HOPS: Final = 8
"""So often a live sample goes back to the queue. With the pauses between, others have had a second to take it."""

MOST_FOOTAGE_HOPS: Final = 40
"""One of footage that went back as often may be of a store that is gone: from then on that is asked."""

FIRST_PAUSE_S: Final = 0.02
LONGEST_PAUSE_S: Final = 0.5
"""Who handed a task back leaves the queue to others for a moment; longer each time, while it is given nothing else. With
other tasks in hand it is the shortest each time."""

KEEP_S: Final = 5.0
"""What waits in hand is kept from being taken over this often."""

GONE: Final = "the shared memory that held its picture is gone"
BLIND: Final = "no worker that was given it sees the shared memory that holds its picture"

T = TypeVar("T", Sample, Found)

log = structlog.get_logger(__name__)


def work_through(queue: WorkQueue[T], bench: Bench[T], pulse: Pulse) -> None:
    """Work until asked to stop.

    Raises:
        BusError: Redis is gone; whatever was in hand comes back to whoever takes this place.
    """
    shift = _Shift(queue, bench, pulse)
    while not pulse.stopping and shift.turn():
        pass
    with suppress(BusError):
        shift.leave()


class _Shift(Generic[T]):
    """The tasks at hand, from the first turn to the last."""

    def __init__(self, queue: WorkQueue[T], bench: Bench[T], pulse: Pulse) -> None:
        self._queue: WorkQueue[T] = queue
        self._bench: Bench[T] = bench
        self._pulse = pulse
        self._held: list[tuple[Task[T], T]] = []
        self._done = 0
        self._blind = 0
        self._keep_s = 0.0

    def turn(self) -> bool:
        """Take what there is and work on what comes next; False where it can't go on."""
        bench, plan = self._bench, self._bench.plan
        self._pulse.beat(done=self._done, trouble=self._trouble)
        if not self._take(0 if self._held else BLOCK_MS):
            return False
        if plan is not None and self._held:
            until_s = time.monotonic() + plan.wait_s(self._bodies)
            while self._held and (left_ms := int((until_s - time.monotonic()) * 1000)) > 0:
                before = len(self._held)
                if not self._take(left_ms):
                    return False
                if len(self._held) == before or not plan.wait_s(self._bodies):
                    break
            self._give_up(plan)
        if self._held:
            places = list(range(bench.batch)) if plan is None else plan.choose(self._bodies)
            chosen = [self._held[place] for place in places if place < len(self._held)]
            self._hand_over([task for task, _ in chosen], _done(bench, [body for _, body in chosen]))
            self._drop(places)
        return True

    def leave(self) -> None:
        """Give back what was not begun."""
        self._queue.hand_back([task for task, _ in self._held], hop=False)
        self._held = []
        self._queue.leave()

    @property
    def _bodies(self) -> list[T]:
        return [body for _, body in self._held]

    @property
    def _trouble(self) -> str | None:
        if self._blind < MOST_HOPS:
            return None
        return "it is given samples whose pictures are in the shared memory of another machine, and hands them back"

    def _take(self, block_ms: int) -> bool:
        """Take more in hand; what comes alone is done at once. False where that was cut short."""
        plan, now_s = self._bench.plan, time.monotonic()
        room = (self._bench.batch if plan is None else plan.hold) - len(self._held)
        if self._held and now_s >= self._keep_s:
            self._keep_s = now_s + KEEP_S
            self._queue.keep_alive([task for task, _ in self._held])
        handed_back = False
        for task in self._queue.take(room, block_ms) if room > 0 else []:
            if task.body is None:
                self._hand_over([task], [])
            elif not self._bench.sees(task.body):
                handed_back = True
                self._pass_on(task, task.body)
            elif not task.redelivered:
                self._blind = 0
                self._held.append((task, task.body))
            else:
                outcome = self._again(task, task.body)
                if outcome is None and self._pulse.stopping:
                    # The last try was cut short, which says nothing of the sample: it stays in hand for who comes next.
                    return False
                self._hand_over([task], [outcome or self._bench.set_aside(task.body, "it ends its worker each time")])
        if self._held and handed_back:
            self._pulse.wait(FIRST_PAUSE_S)
        elif self._blind and not self._held:
            self._pulse.wait(min(FIRST_PAUSE_S * 2.0 ** min(self._blind - 1, 10), LONGEST_PAUSE_S))
        return True

    def _pass_on(self, task: Task[T], body: T) -> None:
        """Hand a task back to who can see its picture; a live one only so often, footage until nobody ever can."""
        self._blind += 1
        if _sample(body).frame.live:
            reason = BLIND if task.hops >= MOST_HOPS else None
        else:
            reason = GONE if task.hops >= MOST_FOOTAGE_HOPS and self._bench.gone(body) else None
        if reason is None:
            self._queue.hand_back([task])
        else:
            self._hand_over([task], [self._bench.set_aside(body, reason)])

    def _again(self, task: Task[T], body: T) -> Outcome | None:
        """One more try at a task whose worker died; None where the last one failed, too."""
        deaths = self._queue.deaths(task)
        if deaths < MOST_DEATHS:
            return _done(self._bench, [body])[0]
        sample = _sample(body)
        log.error("last try in a process of its own", camera=sample.camera, seq=sample.seq, deaths=deaths)
        with self._kept([task] + [held for held, _ in self._held]):
            return self._bench.rescue(body)

    @contextmanager
    def _kept(self, tasks: Sequence[Task[T]]) -> Iterator[None]:
        """Keep tasks from being taken over while this thread waits for long."""
        over = threading.Event()

        def keep() -> None:
            while not over.wait(KEEP_S):
                with suppress(BusError):
                    self._queue.keep_alive(tasks)

        thread = threading.Thread(target=keep, name="keeper", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _give_up(self, plan: Plan[T]) -> None:
        if places := plan.overdue(self._bodies):
            lost = [self._held[place] for place in places]
            bodies = [body for _, body in lost]
            self._hand_over([task for task, _ in lost], [Outcome(messages=plan.lose(bodies))])
            plan.release(bodies)
            self._drop(places)

    def _drop(self, places: Sequence[int]) -> None:
        gone = set(places)
        self._held = [each for place, each in enumerate(self._held) if place not in gone]

    def _hand_over(self, tasks: Sequence[Task[T]], outcomes: Sequence[Outcome]) -> None:
        self._queue.done(
            tasks,
            found=[found for outcome in outcomes for found in outcome.found],
            messages=[message for outcome in outcomes for message in outcome.messages],
        )
        self._done += len(tasks)


def _sample(body: Sample | Found) -> Sample:
    return body if isinstance(body, Sample) else body.sample


def _done(bench: Bench[T], bodies: Sequence[T], tries: int = 2) -> list[Outcome]:
    try:
        return [bench.work(bodies)]
    except BusError:
        # Says nothing of the tasks.
        raise
    except Exception as error:
        if len(bodies) > 1:
            return [outcome for body in bodies for outcome in _done(bench, [body])]
        if tries > 1:
            # A lack of memory, say, passes.
            return _done(bench, bodies, tries - 1)
        log.exception("sample set aside")
        return [bench.set_aside(bodies[0], f"{type(error).__name__}: {error}"[:200])]
