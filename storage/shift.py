"""The loop of a stateless worker: take, work, hand over. A task that kills its worker is set aside, alone.

What was handed out to a worker that died comes back one task at a time, each with a marker that says who has it in hand;
only a death with the marker counts against a task. So of a batch only the culprit gets blamed, and it is tried
`MOST_DEATHS` times like any other, then once in a process of its own; see `Rescue`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import structlog

from storage.messages import Found, Message, Sample
from storage.pulse import Pulse
from storage.work import WorkQueue

MOST_DEATHS: Final = 3
BLOCK_MS: Final = 200

T = TypeVar("T", Sample, Found)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of some tasks: finds for `classify`, messages for the aggregator."""

    found: tuple[Found, ...] = ()
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Bench(Generic[T]):
    """How a role works on its tasks.

    Attributes:
        work: the outcome of one or more tasks; exceptions are taken for the tasks' fault.
        rescue: the outcome of one task that killed its workers, found in a process of its own; None where that dies too, or
            where it was cut short because the worker is to stop.
        set_aside: the outcome of a task that can't be done, with the reason.
        batch: most tasks worked on at once.
    """

    work: Callable[[Sequence[T]], Outcome]
    rescue: Callable[[T], Outcome | None]
    set_aside: Callable[[T, str], Outcome]
    batch: int


def work_through(queue: WorkQueue[T], bench: Bench[T], pulse: Pulse) -> None:
    """Work until asked to stop.

    Raises:
        BusError: Redis is gone; whatever was in hand comes back to whoever takes this place.
    """
    done = 0
    while not pulse.stopping:
        pulse.beat(done=done)
        tasks = queue.take(bench.batch, BLOCK_MS)
        outcomes: list[Outcome] = []
        if tasks and tasks[0].redelivered:
            # They come one at a time.
            [task] = tasks
            if task.body is not None:
                outcome = _again(bench, task.body, queue.deaths(task))
                if outcome is None and pulse.stopping:
                    # The last try was cut short, which says nothing of the sample: it stays in hand for who comes next.
                    return
                outcomes = [outcome or bench.set_aside(task.body, "it ends its worker each time")]
        elif tasks:
            outcomes = _done(bench, [task.body for task in tasks if task.body is not None])
        if tasks:
            queue.done(
                tasks,
                found=[found for outcome in outcomes for found in outcome.found],
                messages=[message for outcome in outcomes for message in outcome.messages],
            )
        done += len(tasks)


def _again(bench: Bench[T], body: T, deaths: int) -> Outcome | None:
    """One more try at a task whose worker died; None where the last one failed, too."""
    if deaths < MOST_DEATHS:
        return _done(bench, [body])[0]
    sample = body if isinstance(body, Sample) else body.sample
    log.error("last try in a process of its own", camera=sample.camera, seq=sample.seq, deaths=deaths)
    return bench.rescue(body)


def _done(bench: Bench[T], bodies: Sequence[T], tries: int = 2) -> list[Outcome]:
    try:
        return [bench.work(bodies)]
    except Exception as error:
        if len(bodies) > 1:
            return [outcome for body in bodies for outcome in _done(bench, [body])]
        if tries > 1:
            # A lack of memory, say, passes.
            return _done(bench, bodies, tries - 1)
        log.exception("sample set aside")
        return [bench.set_aside(bodies[0], f"{type(error).__name__}: {error}"[:200])]
